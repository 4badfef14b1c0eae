//! Plain answers straight from the directory while it is being read: nobody waits until a large site is ready.
//!
//! What any version of the site would not serve is not served here either. There are no tags, ranges or codings, and nothing may be kept: who comes
//! again a moment later gets the real answer.

use std::{
    convert::Infallible,
    fs::{self, File},
    io::{self, Read as _},
    path::PathBuf,
    sync::Arc,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use crate::client::is_native_peer;

use super::{
    asset::Headers,
    limits::{EARLY_CONNECTIONS_MAX, EARLY_HEAD_TIMEOUT, EARLY_PAUSE, EARLY_REST, READ_CHUNK_LEN},
    media, path,
};

/// A directory that is served before it was read.
#[derive(Debug)]
pub(crate) struct Early {
    /// Where it really is.
    root: PathBuf,
    spa: bool,
    headers: Headers,
}

/// What a path leads to.
enum Found {
    File(File, u64, &'static str),
    Redirect(String),
    Nothing,
}

impl Early {
    /// The directory `dir`, with the operator's headers on every answer.
    ///
    /// # Errors
    /// When there is no such directory.
    pub(crate) fn new(dir: PathBuf, spa: bool, headers: Headers) -> io::Result<Self> {
        Ok(Self { root: fs::canonicalize(dir)?, spa, headers })
    }

    /// Answers on `listeners` for as long as it is polled. Answers that are under way then have a while to be finished.
    pub(crate) async fn serve(self, listeners: &[TcpListener]) {
        let (early, places) = (Arc::new(self), Arc::new(Semaphore::new(EARLY_CONNECTIONS_MAX)));
        // Closed with this future: the site is ready.
        let (_is_early, over) = watch::channel(());
        join_all(listeners.iter().map(|listener| Arc::clone(&early).accept(listener, Arc::clone(&places), over.clone()))).await;
    }

    async fn accept(self: Arc<Self>, listener: &TcpListener, places: Arc<Semaphore>, over: watch::Receiver<()>) {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(EARLY_PAUSE).await;
                continue;
            };
            let (early, mut over) = (Arc::clone(&self), over.clone());
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let early = Arc::clone(&early);
                    async move { Ok::<_, Infallible>(early.respond(&request).await) }
                });
                let mut http = http1::Builder::new();
                // The next request comes on a connection of the site's own.
                http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(EARLY_HEAD_TIMEOUT);
                let too_long = async {
                    while over.changed().await.is_ok() {}
                    tokio::time::sleep(EARLY_REST).await;
                };
                tokio::select! {
                    ended = http.serve_connection(TokioIo::new(stream), service) => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, "connection ended badly");
                        }
                    }
                    () = too_long => tracing::debug!("a client that reads slowly is given up"),
                }
                drop(place);
            });
        }
    }

    async fn respond<B>(self: Arc<Self>, request: &Request<B>) -> Response<Body> {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        // A native peer comes for its like and waits.
        if is_native_peer(request.headers()) || path.starts_with("/.viral/") {
            let mut response = self.line(StatusCode::SERVICE_UNAVAILABLE, "the site is being read\n");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        if method != Method::GET && method != Method::HEAD {
            return self.line(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        }
        let early = Arc::clone(&self);
        let found = tokio::task::spawn_blocking(move || early.find(&path)).await.unwrap_or(Found::Nothing);
        match found {
            Found::File(file, len, media_type) => {
                let body = if method == Method::HEAD { Body::empty() } else { body(file, len) };
                let mut response = self.dressed(StatusCode::OK, media_type, body);
                response.headers_mut().insert(header::CONTENT_LENGTH, len.into());
                response
            }
            Found::Redirect(path) => {
                let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
                let mut response = self.line(StatusCode::TEMPORARY_REDIRECT, "moved\n");
                let location = HeaderValue::try_from(format!("{path}{query}")).ok();
                response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
                response
            }
            Found::Nothing => self.line(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    /// Blocks.
    fn find(&self, url_path: &str) -> Found {
        let relative = path::decode(url_path);
        let file = match relative.as_deref() {
            Some(directory) if directory.is_empty() || directory.ends_with('/') => self.file(&format!("{directory}index.html")),
            Some(relative) => self.file(relative),
            None => None,
        };
        if let Some(file) = file {
            return file;
        }
        if let Some(relative) = relative.filter(|relative| self.file(&format!("{relative}/index.html")).is_some()) {
            return Found::Redirect(format!("{}/", path::encode(&relative)));
        }
        let is_part = url_path.rsplit('/').next().is_some_and(|last| last.contains('.'));
        let app = if self.spa && !is_part && path::is_route(url_path) { self.file("index.html") } else { None };
        app.unwrap_or(Found::Nothing)
    }

    /// The file of this name, unless it is outside of the directory.
    fn file(&self, relative: &str) -> Option<Found> {
        let real = fs::canonicalize(self.root.join(relative)).ok().filter(|real| real.starts_with(&self.root))?;
        let is_file = fs::metadata(&real).ok()?.is_file();
        let file = is_file.then(|| File::open(real).ok()).flatten()?;
        let len = file.metadata().ok()?.len();
        Some(Found::File(file, len, media::essence(relative)))
    }

    fn line(&self, status: StatusCode, line: &'static str) -> Response<Body> {
        self.dressed(status, "text/plain; charset=utf-8", Body::from(line))
    }

    fn dressed(&self, status: StatusCode, media_type: &'static str, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if media::is_known(media_type) {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        response
    }
}

/// The first `len` bytes of a file. One that is shorter by now ends the connection.
fn body(file: File, len: u64) -> Body {
    Body::from_stream(futures_util::stream::try_unfold((file, len), |(file, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let len = left.min(READ_CHUNK_LEN as u64);
            let mut bytes = Vec::new();
            (&file).take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 == len { Ok((bytes, file)) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
        });
        let (bytes, file) = read.await.map_err(io::Error::other)??;
        let left = left - bytes.len() as u64;
        Ok(Some((Bytes::from(bytes), (file, left))))
    }))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    fn site(spa: bool) -> (tempfile::TempDir, Arc<Early>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("docs")).unwrap();
        fs::create_dir_all(dir.path().join(".git")).unwrap();
        for (name, content) in [("index.html", "home"), ("docs/index.html", "docs"), ("a b.js", "let a;"), (".git/config", "secret")] {
            fs::write(dir.path().join(name), content).unwrap();
        }
        fs::write(dir.path().join("large.bin"), vec![7; READ_CHUNK_LEN + 1]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("passwd.txt")).unwrap();
        let headers = vec![(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
        let early = Arc::new(Early::new(dir.path().to_owned(), spa, headers).unwrap());
        (dir, early)
    }

    async fn asked(early: &Arc<Early>, method: &str, path: &str) -> (u16, http::HeaderMap, usize) {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        let (parts, body) = Arc::clone(early).respond(&request).await.into_parts();
        (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes().len())
    }

    #[tokio::test]
    async fn files_are_answered_plainly_and_nothing_may_be_kept() {
        let (_dir, early) = site(false);
        for (method, path, status, media_type, len) in [
            ("GET", "/", 200, "text/html", 4),
            ("GET", "/docs/?x=1", 200, "text/html", 4),
            ("HEAD", "/a%20b.js", 200, "text/javascript", 0),
            ("GET", "/large.bin", 200, "application/octet-stream", READ_CHUNK_LEN + 1),
        ] {
            let (got, headers, body) = asked(&early, method, path).await;
            assert_eq!((got, body), (status, len), "{path}");
            assert_eq!(
                (&headers["content-type"], &headers["cache-control"]),
                (&HeaderValue::from_static(media_type), &HeaderValue::from_static("no-store"))
            );
            assert_eq!(headers["referrer-policy"], "no-referrer");
        }
        let (status, headers, _) = asked(&early, "GET", "/docs?x=1").await;
        assert_eq!((status, &headers["location"]), (307, &HeaderValue::from_static("/docs/?x=1")));
        assert_eq!(asked(&early, "POST", "/").await.0, 405);
        let (status, headers, _) = asked(&early, "GET", "/.viral/ws").await;
        assert_eq!((status, &headers["retry-after"]), (503, &HeaderValue::from_static("1")));
    }

    #[tokio::test]
    async fn what_no_version_would_serve_is_not_there() {
        let (_dir, early) = site(true);
        for path in ["/.git/config", "/passwd.txt", "/../etc/passwd", "/%2e%2e/x", "/docs%2f..%2f.git/config", "/none.js", "/%00"] {
            assert_eq!(asked(&early, "GET", path).await.0, 404, "{path}");
        }
        assert_eq!(asked(&early, "GET", "/projects/group%2Fname").await.2, 4, "the app");
    }

    #[tokio::test]
    async fn listeners_are_free_again_once_the_site_is_ready() {
        let (_dir, early) = site(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let visit = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let early = Arc::into_inner(early).unwrap();
        let answer = tokio::select! {
            answer = visit => answer,
            () = early.serve(std::slice::from_ref(&listener)) => panic!("it ended"),
        };
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("home") && answer.contains("connection: close"), "{answer}");
        let (accepted, _connected) = tokio::join!(listener.accept(), TcpStream::connect(address));
        accepted.unwrap();
    }
}
