//! Connections to the other server, of whichever kind it is.

use std::future::Future;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, UnixStream};
use tower::{BoxError, Service};

use crate::address::UpstreamAddr;
use crate::limits::CONNECT_WAIT;

/// Connects to the one server that there is.
#[derive(Debug, Clone)]
pub(crate) enum Connector {
    /// By name or address, with TLS where the URL says so.
    Net(HttpsConnector<HttpConnector>),
    /// Through a Unix socket.
    Unix(PathBuf),
}

/// A connection.
pub(crate) enum Stream {
    Net(Box<MaybeHttpsStream<TokioIo<TcpStream>>>),
    Unix(TokioIo<UnixStream>),
}

impl Connector {
    /// To that address; over TLS with HTTP/2 where both sides have it, if it is wanted.
    ///
    /// # Errors
    /// When the certificates that this system trusts are needed and cannot be read.
    pub(crate) fn new(address: &UpstreamAddr, has_h2: bool) -> io::Result<Self> {
        if let Some(path) = address.socket() {
            return Ok(Self::Unix(path.into()));
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_WAIT));
        let https = HttpsConnectorBuilder::new();
        // Small images of containers have no certificates, and a server in the clear needs none.
        let https = if address.is_tls() {
            https.with_native_roots()?
        } else {
            https.with_tls_config(ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        };
        let https = https.https_or_http().enable_http1();
        Ok(Self::Net(if has_h2 { https.enable_http2().wrap_connector(tcp) } else { https.wrap_connector(tcp) }))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Net(connector) => connector.poll_ready(context),
            Self::Unix(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Net(connector) => {
                let connecting = connector.call(uri);
                Box::pin(async move { Ok(Stream::Net(Box::new(connecting.await?))) })
            }
            Self::Unix(path) => {
                let path = path.clone();
                Box::pin(async move { Ok(Stream::Unix(TokioIo::new(UnixStream::connect(path).await?))) })
            }
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Net(stream) => stream.connected(),
            Self::Unix(_) => Connected::new(),
        }
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! on_stream {
    ($stream:expr, $method:ident $(, $argument:expr)*) => {
        match $stream.get_mut() {
            Stream::Net(stream) => Pin::new(&mut **stream).$method($($argument),*),
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_read, context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write, context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_shutdown, context)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Net(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write_vectored, context, parts)
    }
}
