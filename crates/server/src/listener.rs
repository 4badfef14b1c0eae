//! Where visitors come in: TCP ports and Unix sockets, accepted, read and closed alike.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

#[cfg(unix)]
use self::file::SocketFile;
use crate::client::Socket;
use crate::config::ListenAt;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsStream};

#[cfg(unix)]
mod file;

/// A TCP port or a Unix socket on which visitors are awaited. The file of a Unix socket goes with it.
pub struct Listener {
    kind: Kind,
    /// Connections to a port are over TLS.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

enum Kind {
    Tcp(TcpListener),
    /// The file comes first: it is gone before nobody listens on it any more.
    #[cfg(unix)]
    Unix(SocketFile, UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::new(Kind::Tcp(listener))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.local().map(|local| local.to_string())).finish()
    }
}

impl Listener {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The same over TLS. A Unix socket stays as it is: who is behind it is on this machine.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        match self.kind {
            Kind::Tcp(_) => Self { tls: Some(tls), ..self },
            #[cfg(unix)]
            Kind::Unix(..) => self,
        }
    }

    /// Listens on a Unix socket whose file is made at `path`, for its user and group (mode 0660). A socket file on which nobody listens any more is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody listens there, `AlreadyExists` when there is a file that is no socket, `InvalidInput` when the path is too long, and what the system says.
    #[cfg(unix)]
    pub async fn bind_unix(path: &std::path::Path) -> io::Result<Self> {
        let (file, listener) = SocketFile::bind(path).await?;
        Ok(Self::new(Kind::Unix(file, listener)))
    }

    /// Where it listens: with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local(&self) -> io::Result<ListenAt> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().map(ListenAt::At),
            #[cfg(unix)]
            Kind::Unix(file, _) => Ok(ListenAt::Unix(file.path().to_owned())),
        }
    }

    /// The next connection, and who is at its other end.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Socket)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Failing to set it costs latency only.
                let _ = stream.set_nodelay(true);
                #[cfg(feature = "tls")]
                if let Some(tls) = &self.tls {
                    return Ok((Stream::Tls(tls.accept(stream)), Socket::Tls(peer.ip())));
                }
                Ok((Stream::Tcp(stream), Socket::At(peer.ip())))
            }
            #[cfg(unix)]
            Kind::Unix(_, listener) => Ok((Stream::Unix(listener.accept().await?.0), Socket::Unix)),
        }
    }
}

/// A connection of either kind.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(TlsStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls the same method of whichever stream it is.
macro_rules! on_stream {
    ($stream:expr, $method:ident $(, $argument:expr)*) => {
        match $stream.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_read, cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write, cx, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write_vectored, cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_shutdown, cx)
    }
}
