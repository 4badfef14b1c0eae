//! The access log: one line for each answer on the visitors' addresses, once it was handed over.

mod line;
mod writer;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use self::line::Entry;
use self::writer::Writer;
use crate::client::trusted_proxies;
use crate::config::{AccessLogFormat, AccessLogTo, Config};
use crate::error::OpenError;
use crate::headers::VIRAL_ANSWER;
use crate::stats::Cause;
use viral_swarm::request::forwarded::client_ip;
use viral_swarm::request::{Proxies, Socket};

/// Where the lines go, and what they need. Clones share it.
#[derive(Clone)]
pub(crate) struct AccessLog(Arc<Shared>);

struct Shared {
    writer: Writer,
    format: AccessLogFormat,
    /// With whose help a visitor's address is found; none where no line has it.
    addresses: Option<Proxies>,
}

/// Where the lines of these settings go, and in which format; none where there are none.
fn wanted(config: &Config) -> Result<Option<(PathBuf, AccessLogFormat)>, OpenError> {
    let file = config.access_log_file.as_ref();
    match (&config.access_log, file) {
        (AccessLogTo::As(format), None) => Ok(Some(("-".into(), *format))),
        (AccessLogTo::As(format), Some(file)) => Ok(Some((file.clone(), *format))),
        (AccessLogTo::Off | AccessLogTo::File(_), Some(file)) => Err(OpenError::AccessLogUnused { path: file.clone() }),
        (AccessLogTo::File(file), None) => Ok(Some((file.clone(), config.access_log_format))),
        (AccessLogTo::Off, None) => Ok(None),
    }
}

impl AccessLog {
    /// Opens the log of these settings, if there is to be one, of a site in `dir`. Blocks for a moment.
    ///
    /// # Errors
    /// When its file cannot be written, or would be served.
    pub(crate) fn open(config: &Config, dir: Option<&Path>) -> Result<Option<Self>, OpenError> {
        let Some((path, format)) = wanted(config)? else { return Ok(None) };
        dir.map_or(Ok(()), |dir| Self::check(config, dir))?;
        let writer = Writer::open(&path).map_err(|error| OpenError::AccessLog { path, error })?;
        Ok(Some(Self(Arc::new(Shared { writer, format, addresses: config.access_log_addresses.then(|| trusted_proxies(config)) }))))
    }

    /// Refuses a log that would be served with what is in `dir`.
    ///
    /// # Errors
    /// When it lies there.
    pub(crate) fn check(config: &Config, dir: &Path) -> Result<(), OpenError> {
        match wanted(config)? {
            Some((path, _)) if is_within(&path, dir) => Err(OpenError::AccessLogServed { path }),
            Some(_) | None => Ok(()),
        }
    }

    /// Opens the file anew before the next line: the old one was renamed by whoever keeps logs small.
    pub(crate) fn reopen(&self) {
        self.0.writer.reopen();
    }

    /// Waits for what is not written yet, but not for ever.
    pub(crate) async fn close(&self) {
        self.0.writer.close().await;
    }

    /// Notes who asks for what, and when.
    pub(crate) fn begin<B>(&self, request: &Request<B>, socket: Socket) -> Pending {
        let headers = request.headers();
        let entry = Entry {
            came: SystemTime::now(),
            client: self.0.addresses.as_ref().map(|proxies| client_ip(socket, headers, proxies)),
            method: request.method().clone(),
            path: line::cut(request.uri().path().as_bytes(), line::PATH_LEN_MAX),
            has_query: request.uri().query().is_some(),
            version: request.version(),
            status: 0,
            bytes: 0,
            cause: Cause::of_path(request.uri().path()),
            ms: 0,
            referer: text(headers, &header::REFERER, line::REFERER_LEN_MAX).map(line::without_query),
            agent: text(headers, &header::USER_AGENT, line::AGENT_LEN_MAX),
            answer: None,
        };
        Pending { entry, began: Instant::now(), log: Arc::clone(&self.0) }
    }
}

/// An answer under way; its line is written when this is dropped.
pub(crate) struct Pending {
    entry: Entry,
    began: Instant,
    log: Arc<Shared>,
}

impl Pending {
    /// Notes what is answered.
    pub(crate) fn note<B>(&mut self, response: &Response<B>) {
        self.entry.status = response.status().as_u16();
        self.entry.cause = Cause::of_answer(response, self.entry.cause);
        self.entry.answer = response.headers().get(VIRAL_ANSWER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.entry.ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.log.writer.write(self.entry.line(self.log.format));
    }
}

/// A body whose bytes are counted for its line; the line is written when it is gone.
pub(crate) struct Logged<B> {
    body: B,
    pending: Option<Pending>,
}

impl<B> Logged<B> {
    /// `body`, and the line it belongs to, if lines are written.
    pub(crate) fn new(body: B, pending: Option<Pending>) -> Self {
        Self { body, pending }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Logged<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(pending)) = (&polled, &mut self.pending) {
            pending.entry.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether a file, which may not exist yet, lies in a directory.
fn is_within(file: &Path, dir: &Path) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    // The file itself may be a link.
    file != Path::new("-") && real(dir).is_some_and(|dir| [folder, file].into_iter().filter_map(real).any(|place| place.starts_with(&dir)))
}

fn text(headers: &HeaderMap, name: &HeaderName, len_max: usize) -> Option<Vec<u8>> {
    headers.get(name).map(|value| line::cut(value.as_bytes(), len_max))
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn log(path: &Path, access_log_addresses: bool) -> AccessLog {
        let config = Config {
            access_log: AccessLogTo::As(AccessLogFormat::Combined),
            access_log_file: Some(path.to_owned()),
            access_log_addresses,
            trust_proxy: vec!["unix".parse().unwrap()],
            ..Config::default()
        };
        AccessLog::open(&config, None).unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_line_tells_who_asked_and_what_really_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = log(&path, true);
        let request = Request::get("/a?token=secret")
            .header("x-forwarded-for", "198.51.100.7")
            .header("cookie", "viral-visit=0000000000000abc")
            .header("referer", "https://a.example/b?token=secret")
            .body(())
            .unwrap();
        let mut pending = log.begin(&request, Socket::Unix);
        let response = Response::builder().header(VIRAL_ANSWER, "thin; reason=peer-near").extension(Cause::Loader).body(()).unwrap();
        pending.note(&response);
        let body = Logged::new(Full::new(Bytes::from_static(b"hello")), Some(pending));
        body.collect().await.unwrap();
        log.close().await;
        let said = std::fs::read_to_string(&path).unwrap();
        assert!(said.starts_with("198.51.100.7 - - ["), "{said}");
        assert!(said.contains("] \"GET /a? HTTP/1.1\" 200 5 \"https://a.example/b?\" \"-\" \"thin;peer-near\" "), "{said}");
        assert!(!said.contains("secret") && !said.contains("abc") && said.ends_with(" loader\n"), "{said}");
    }

    #[tokio::test]
    async fn nobodys_address_is_written_unless_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = log(&path, false);
        drop(log.begin(&Request::get("/").header("x-forwarded-for", "198.51.100.7").body(()).unwrap(), Socket::Unix));
        log.close().await;
        let said = std::fs::read_to_string(&path).unwrap();
        assert!(said.starts_with("- - - [") && !said.contains("198.51.100.7"), "{said}");
    }

    #[test]
    fn a_format_or_a_file_says_that_there_is_a_log() {
        let wanted = |log: &str, file: Option<&str>| {
            let config = Config { access_log: log.parse().unwrap(), access_log_file: file.map(Into::into), ..Config::default() };
            wanted(&config).map_err(|error| error.to_string())
        };
        assert_eq!(wanted("off", None), Ok(None));
        assert_eq!(wanted("json", None), Ok(Some(("-".into(), AccessLogFormat::Json))));
        assert_eq!(wanted("combined", Some("a.log")), Ok(Some(("a.log".into(), AccessLogFormat::Combined))));
        assert_eq!(wanted("a.log", None), Ok(Some(("a.log".into(), AccessLogFormat::Combined))));
        assert_eq!(wanted("-", None), Ok(Some(("-".into(), AccessLogFormat::Combined))));
        for log in ["off", "b.log"] {
            assert!(wanted(log, Some("a.log")).unwrap_err().contains("--access-log-file a.log needs --access-log json"));
        }
        assert!("".parse::<AccessLogTo>().is_err());
    }

    #[test]
    fn a_log_that_would_be_served_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| {
            let config = Config { access_log: AccessLogTo::File(path.to_owned()), ..Config::default() };
            AccessLog::open(&config, Some(dir.path())).map(drop)
        };
        assert!(matches!(open(&dir.path().join("a.log")), Err(OpenError::AccessLogServed { .. })));
        assert!(matches!(open(&dir.path().join("none/../a.log")), Err(OpenError::AccessLog { .. })));
        let elsewhere = tempfile::tempdir().unwrap();
        let (linked, link) = (dir.path().join("b.log"), elsewhere.path().join("b.log"));
        std::fs::write(&linked, "").unwrap();
        std::os::unix::fs::symlink(&linked, &link).unwrap();
        assert!(matches!(open(&link), Err(OpenError::AccessLogServed { .. })));
        assert!(open(Path::new("-")).is_ok());
    }
}
