//! The origin over HTTP: the visit itself, and what peers could not give.

mod connector;
mod error;
mod look;
mod preconnect;
mod visit;

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tower::BoxError;
use url::{Host, Url};
use viral_swarm::fetch::config::PIECES_MAX;
use viral_wire::frame::Encoding;
use viral_wire::limits::{MANIFEST_LEN_MAX, MESSAGE_LEN_MAX};
use viral_wire::signal::{AnswerPost, RecordPost, encode};
use viral_wire::{AssetRecord, Channel, Digest, Frame, Manifest, OWN_PATHS, PieceId};

use crate::limits::{ANSWER_WAIT, BODY_WAIT, CONNECT_WAIT, LISTED_ASSETS_MAX, MANIFEST_WAIT};
use crate::throttle::Throttle;
pub(crate) use connector::{Connector, Stream};
use connector::{client, connect, connector};
pub use error::OriginError;
pub(crate) use error::innermost;
use preconnect::Preconnect;
pub(crate) use visit::VisitAnswer;

/// How we name ourselves. Not a browser, and no crawler either: somebody wants the app now.
pub(crate) const USER_AGENT: &str = concat!("viral/", env!("CARGO_PKG_VERSION"));

/// Where the site's assets are listed.
const LISTING: &str = "/.viral/assets";

/// What requests to the origin come to.
#[derive(Debug)]
pub(crate) enum OriginEvent {
    /// A piece, not yet inflated or verified.
    Piece {
        /// Which.
        id: PieceId,
        /// How `body` is packed.
        encoding: Encoding,
        /// The bytes.
        body: Vec<u8>,
    },
    /// A request for these pieces is over.
    Served {
        /// What was asked.
        ids: Vec<PieceId>,
        /// Why it ended early.
        outcome: Result<(), OriginError>,
    },
    /// A request for a manifest is over.
    Manifest {
        /// Which.
        digest: Digest,
        /// The verified blob.
        blob: Result<Bytes, OriginError>,
    },
    /// The site's assets, unless nothing changed.
    Listed(Result<Option<Listing>, OriginError>),
    /// The answers of a thin visit were posted.
    Answered(Result<(), OriginError>),
}

/// All assets of a site that may travel.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The server's name for the version they are of.
    pub(crate) tag: String,
    /// Their records, by path.
    pub(crate) records: Vec<AssetRecord>,
}

/// One origin. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    base: Url,
    /// The path that the site lies below, with its slashes.
    below: Arc<str>,
    bind: Option<IpAddr>,
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    throttle: Throttle,
    cookies: Arc<HeaderMap>,
    /// The cookie of the newest join ticket, which a session at the tracker shows.
    join: Arc<Mutex<Option<HeaderValue>>>,
    preconnect: Preconnect,
}

impl Origin {
    /// The origin of `url`; sockets leave from `bind` if there is one.
    pub(crate) fn new(url: &Url, bind: Option<IpAddr>, throttle: Throttle) -> Result<Self, OriginError> {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(OriginError::Url(url.to_string()));
        }
        let connector = connector(url, bind)?;
        let client = client(&connector);
        Ok(Self {
            base: url.clone(),
            below: "/".into(),
            bind,
            client,
            connector,
            throttle,
            cookies: Arc::default(),
            join: Arc::default(),
            preconnect: Preconnect::default(),
        })
    }

    /// From now on this is the origin of `url`.
    fn move_to(&mut self, url: &Url) -> Result<(), OriginError> {
        if url.scheme() != self.base.scheme() {
            self.connector = connector(url, self.bind)?;
            self.client = client(&self.connector);
        }
        self.base = url.clone();
        self.below = "/".into();
        Ok(())
    }

    /// `host:port` as a person knows it.
    pub(crate) fn host(&self) -> String {
        self.base.host_str().map_or_else(String::new, |host| match self.base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }

    /// The value of `Origin` that a page of this origin would send.
    pub(crate) fn ascii(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The address behind its name; unspecified if that cannot be found out now.
    pub(crate) async fn address(&self) -> IpAddr {
        match self.base.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(name)) => {
                let found = timeout(CONNECT_WAIT, tokio::net::lookup_host((name, 0))).await;
                found.ok().and_then(Result::ok).and_then(|mut all| all.next()).map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
            }
            None => Ipv4Addr::UNSPECIFIED.into(),
        }
    }

    /// The path that the site lies below, as its server says: `/`, or `/app/`.
    pub(crate) fn below(&self) -> &str {
        &self.below
    }

    /// Takes what the server says of it with an answer at `path`. Anything that cannot be is as if it had said nothing.
    fn note_below(&mut self, path: &str, headers: &HeaderMap) {
        let said = headers.get("viral-base").and_then(|base| base.to_str().ok());
        let below = said.filter(|base| base.ends_with('/') && (path.starts_with(base) || base.strip_suffix('/') == Some(path)));
        self.below = below.unwrap_or("/").into();
    }

    /// The address of something below this origin. What is ours lies below the site's base.
    pub(crate) fn url(&self, path_and_query: &str) -> Url {
        let mut url = self.base.clone();
        url.set_fragment(None);
        let own = path_and_query.strip_prefix(OWN_PATHS).map(|name| format!("{}.viral/{name}", self.below));
        let path_and_query = own.as_deref().unwrap_or(path_and_query);
        let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// The connection that was opened with the visit, if it is there still.
    pub(crate) async fn preconnected(&self) -> Option<Stream> {
        self.preconnect.take().await
    }

    /// A new connection for something else than requests.
    pub(crate) async fn connection(&self, uri: &Uri) -> Result<Stream, BoxError> {
        connect(self.connector.clone(), uri.clone()).await
    }

    /// The join ticket as a cookie, if there is one.
    pub(crate) fn join_cookie(&self) -> Option<HeaderValue> {
        self.join.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the join ticket that came with an answer.
    pub(crate) fn note_join(&self, headers: &HeaderMap) {
        let pairs = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()?.split(';').next());
        if let Some(ticket) = pairs.filter(|pair| pair.starts_with("viral-join=")).find_map(|pair| HeaderValue::try_from(pair).ok()) {
            *self.join.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
        }
    }

    /// Asks for a page once more, as a page of a browser does whose join ticket ran out.
    pub(crate) async fn renew_join(&self, page: &str) -> Result<(), OriginError> {
        let request = self.request(Method::HEAD, &self.url(page)).header("sec-fetch-site", "same-origin");
        let request = request.header("sec-fetch-dest", "empty").header("sec-fetch-mode", "cors");
        let answer = self.send(request.body(Full::default())).await?;
        self.note_join(answer.headers());
        Ok(())
    }

    /// The blob of a manifest, verified.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Bytes, OriginError> {
        let path = format!("/.viral/manifest/{digest}");
        let whole = async { self.body(self.get(&path).await?, MANIFEST_LEN_MAX).await };
        let blob = match timeout(MANIFEST_WAIT, whole).await {
            Ok(blob) => blob?,
            Err(_) => return Err(self.silent(&format!("its manifest did not come within {} s", MANIFEST_WAIT.as_secs()))),
        };
        if Digest::of(&blob) == *digest { Ok(blob) } else { Err(self.malformed("a manifest is not what its name says")) }
    }

    /// Records of assets outside any page's page set; none when none of the paths is worth fetching from peers.
    pub(crate) async fn records(&self, paths: Vec<String>) -> Result<Option<Manifest>, OriginError> {
        let answer = self.post("/.viral/record", encode(&RecordPost { paths })).await?;
        self.note_join(answer.headers());
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let blob = self.body(answer, MANIFEST_LEN_MAX).await?;
        Manifest::decode(&blob).map(Some).map_err(|error| self.malformed(&error.to_string()))
    }

    /// Records of all assets of the current version; none while that is still the one of `tag`.
    pub(crate) async fn listing(&self, tag: Option<&str>) -> Result<Option<Listing>, OriginError> {
        // The version of the visit may be an old one by now.
        let origin = Self { cookies: Arc::default(), ..self.clone() };
        let (mut records, mut first, mut pieces) = (Vec::<AssetRecord>::new(), None, 0);
        loop {
            let after = records.last().map_or("/", |record| &record.path);
            let request = origin.request(Method::GET, &origin.url(&format!("{LISTING}?after={after}")));
            let request = match tag.filter(|_| first.is_none()) {
                Some(tag) => request.header(header::IF_NONE_MATCH, tag),
                None => request,
            };
            let answer = origin.send(request.body(Full::default())).await?;
            if answer.status() == StatusCode::NOT_MODIFIED {
                return Ok(None);
            }
            if answer.status() == StatusCode::FORBIDDEN {
                return Err(OriginError::Unlisted { host: origin.host() });
            }
            let answer = origin.successful(LISTING, answer)?;
            let named = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
            if *first.get_or_insert_with(|| named.clone()) != named {
                return Err(origin.malformed("the site changed while it was listed"));
            }
            if answer.status() == StatusCode::NO_CONTENT {
                return Ok(Some(Listing { tag: named, records }));
            }
            let blob = origin.body(answer, MANIFEST_LEN_MAX).await?;
            let more = Manifest::decode(&blob).map_err(|error| origin.malformed(&error.to_string()))?.assets;
            if more.last().map(|record| &record.path) == records.last().map(|record| &record.path) {
                return Err(origin.malformed("it lists the same assets again"));
            }
            pieces += more.iter().map(|record| record.pieces.len()).sum::<usize>();
            records.extend(more);
            if records.len() > LISTED_ASSETS_MAX || pieces > PIECES_MAX {
                return Err(origin.malformed(&format!("it lists more than {LISTED_ASSETS_MAX} assets or {PIECES_MAX} pieces")));
            }
        }
    }

    /// Posts the answers of a thin visit.
    pub(crate) async fn answer(&self, post: &AnswerPost) -> Result<(), OriginError> {
        self.post("/.viral/answer", encode(post)).await.map(drop)
    }

    /// Gets pieces and hands each out as soon as it is in. Ends early when the origin does, or when nobody listens.
    pub(crate) async fn pieces(&self, ids: &[PieceId], out: &mpsc::Sender<OriginEvent>) -> Result<(), OriginError> {
        let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let answer = self.get(&format!("/.viral/pieces?ids={}", list.join(","))).await?;
        let mut body = answer.into_body();
        let mut rest = BytesMut::new();
        while let Some(chunk) = self.chunk(&mut body).await? {
            rest.extend_from_slice(&chunk);
            while rest.len() >= 4 {
                let len = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                if len > MESSAGE_LEN_MAX {
                    return Err(self.malformed("a piece is longer than any"));
                }
                if rest.len() < 4 + len {
                    break;
                }
                rest.advance(4);
                let message = rest.split_to(len);
                let frame = Frame::decode(Channel::Pieces, &message).map_err(|error| self.malformed(&error.to_string()))?;
                let Frame::Piece { id, encoding, body } = frame else { return Err(self.malformed("something other than a piece")) };
                if out.send(OriginEvent::Piece { id, encoding, body }).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Response<Incoming>, OriginError> {
        let request = self.request(Method::GET, &self.url(path)).header("sec-fetch-dest", "empty").header("sec-fetch-mode", "cors");
        let request = request.header("sec-fetch-site", "same-origin").body(Full::default());
        self.successful(path, self.send(request).await?)
    }

    async fn post(&self, path: &str, json: String) -> Result<Response<Incoming>, OriginError> {
        let request = self.request(Method::POST, &self.url(path)).header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::ORIGIN, self.ascii()).body(Full::from(json));
        self.successful(path, self.send(request).await?)
    }

    fn successful(&self, path: &str, answer: Response<Incoming>) -> Result<Response<Incoming>, OriginError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let path = path.split('?').next().unwrap_or_default().to_owned();
        Err(OriginError::Status { host: self.host(), status, path })
    }

    fn request(&self, method: Method, url: &Url) -> http::request::Builder {
        let mut request = Request::builder().method(method).uri(url.as_str()).header(header::USER_AGENT, USER_AGENT);
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.cookies.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        request
    }

    async fn send(&self, request: http::Result<Request<Full<Bytes>>>) -> Result<Response<Incoming>, OriginError> {
        let request = request.map_err(|error| self.malformed(&error.to_string()))?;
        match timeout(ANSWER_WAIT, self.client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.silent(&innermost(&error))),
            Err(_) => Err(self.silent(&format!("nothing came within {} s", ANSWER_WAIT.as_secs()))),
        }
    }

    /// As [`Self::send`], and once more if the answer has not begun after `wait`: whichever is first.
    async fn send_again(
        &self,
        wait: Duration,
        request: impl Fn() -> http::Result<Request<Full<Bytes>>>,
    ) -> Result<Response<Incoming>, OriginError> {
        let first = self.send(request());
        tokio::pin!(first);
        tokio::select! {
            answer = &mut first => return answer,
            () = sleep(wait) => {}
        }
        let second = self.send(request());
        tokio::pin!(second);
        tokio::select! {
            answer = &mut first => if answer.is_ok() { answer } else { second.await },
            answer = &mut second => if answer.is_ok() { answer } else { first.await },
        }
    }

    /// The next stretch of a body; none at its end.
    async fn chunk(&self, body: &mut Incoming) -> Result<Option<Bytes>, OriginError> {
        loop {
            match timeout(BODY_WAIT, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.throttle.pay(data.len()).await;
                    return Ok(Some(data));
                }
                Ok(Some(Err(error))) => return Err(self.silent(&innermost(&error))),
                Err(_) => return Err(self.silent("it stopped in the middle of an answer")),
            }
        }
    }

    /// A whole body, inflated if it came packed.
    async fn body(&self, answer: Response<Incoming>, len_max: usize) -> Result<Bytes, OriginError> {
        let coding = answer.headers().get(header::CONTENT_ENCODING).cloned();
        let mut body = answer.into_body();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.chunk(&mut body).await? {
            if bytes.len() + chunk.len() > len_max {
                return Err(self.malformed(&format!("an answer is longer than {len_max} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        match coding.as_ref().map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Ok(bytes.freeze()),
            Some(b"br") => {
                let mut raw = Vec::new();
                let read = brotli::Decompressor::new(&bytes[..], 64 * 1024).take(len_max as u64 + 1).read_to_end(&mut raw);
                match read {
                    Ok(len) if len <= len_max => Ok(raw.into()),
                    Ok(_) | Err(_) => Err(self.malformed("an answer does not inflate")),
                }
            }
            Some(_) => Err(self.malformed("an answer came in a coding that was not asked for")),
        }
    }

    fn malformed(&self, detail: &str) -> OriginError {
        OriginError::Malformed { host: self.host(), detail: detail.to_owned() }
    }

    fn silent(&self, reason: &str) -> OriginError {
        OriginError::Silent { host: self.host(), reason: reason.to_owned() }
    }
}
