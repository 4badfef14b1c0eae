//! Where visitors come in: TCP ports and Unix sockets, accepted, read and closed alike.

use std::fmt;
use std::io::{self, IoSlice};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

#[cfg(unix)]
use self::file::SocketFile;
use crate::client::trusted_proxies;
use crate::config::{Config, ListenAt};
use crate::limits::PROXY_HEADER_TIMEOUT;
use crate::protocol::{Agreed, Protocol};
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsStream};
use viral_swarm::request::{Proxies, Socket};

#[cfg(unix)]
mod file;
mod proxy_header;

/// A TCP port or a Unix socket on which visitors are awaited. The file of a Unix socket goes with it.
pub struct Listener {
    kind: Kind,
    /// Connections to a port are over TLS.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    /// Whoever of these connects says first for whom, by the PROXY protocol.
    proxies: Option<Arc<Proxies>>,
}

enum Kind {
    Tcp(TcpListener),
    /// The file comes first: it is gone before nobody listens on it any more. None of ours where the socket was made by somebody else.
    #[cfg(unix)]
    Unix(Option<SocketFile>, UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::new(Kind::Tcp(listener))
    }
}

/// A socket whose file somebody else made, and takes away.
#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::new(Kind::Unix(None, listener))
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
            proxies: None,
        }
    }

    /// The same behind proxies that begin each connection with a header of the PROXY protocol, version 1 or 2: those of [`Config::trust_proxy`], which
    /// must send one. From elsewhere such a header is no request, and is refused as what it is.
    #[must_use]
    pub fn with_proxy_protocol(self, config: &Config) -> Self {
        Self { proxies: Some(Arc::new(trusted_proxies(config))), ..self }
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
        Ok(Self::new(Kind::Unix(Some(file), listener)))
    }

    /// A socket on which a predecessor listens, too, whose file it made. It is this listener's to take away after [`own_file`](Self::own_file).
    ///
    /// # Errors
    /// When the system does not tell where it is.
    #[cfg(unix)]
    pub fn taken_over(listener: UnixListener) -> io::Result<Self> {
        let file = listener.local_addr()?.as_pathname().and_then(|path| SocketFile::there(path).ok());
        if let Some(file) = &file {
            file.is_left().store(true, Relaxed);
        }
        Ok(Self::new(Kind::Unix(file, listener)))
    }

    /// The file of a Unix socket that was [`taken_over`](Self::taken_over) is this listener's from now on.
    #[cfg(unix)]
    pub fn own_file(&self) {
        if let Kind::Unix(Some(file), _) = &self.kind {
            file.is_left().store(false, Relaxed);
        }
    }

    /// Its socket, to be given to a successor.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    #[cfg(unix)]
    pub fn share(&self) -> io::Result<SharedSocket> {
        let (fd, file) = match &self.kind {
            Kind::Tcp(listener) => (listener.as_fd(), None),
            Kind::Unix(file, listener) => (listener.as_fd(), file.as_ref()),
        };
        Ok(SharedSocket { fd: fd.try_clone_to_owned()?, is_left: file.map(SocketFile::is_left) })
    }

    /// Where it listens: with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local(&self) -> io::Result<ListenAt> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().map(ListenAt::At),
            #[cfg(unix)]
            Kind::Unix(Some(file), _) => Ok(ListenAt::Unix(file.path().to_owned())),
            #[cfg(unix)]
            Kind::Unix(None, listener) => {
                // A socket without a file has no name that a shell could give.
                Ok(ListenAt::Unix(listener.local_addr()?.as_pathname().unwrap_or(std::path::Path::new("-")).to_owned()))
            }
        }
    }

    /// The next connection. Nobody waits here for what it says of itself: that is for [`Arrival::open`].
    pub(crate) async fn accept(&self) -> io::Result<Arrival> {
        let (stream, peer) = match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Failing to set it costs latency only.
                let _ = stream.set_nodelay(true);
                (Stream::Tcp(stream), Socket::At(peer.ip()))
            }
            #[cfg(unix)]
            Kind::Unix(_, listener) => (Stream::Unix(listener.accept().await?.0), Socket::Unix),
        };
        let has_header = self.proxies.as_ref().is_some_and(|proxies| proxies.are(peer));
        Ok(Arrival {
            stream,
            peer,
            has_header,
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
        })
    }
}

/// The socket of a [`Listener`], for a successor that goes on listening.
#[cfg(unix)]
#[derive(Debug)]
pub struct SharedSocket {
    fd: OwnedFd,
    is_left: Option<Arc<AtomicBool>>,
}

#[cfg(unix)]
impl SharedSocket {
    /// Leaves the file of a Unix socket to the successor.
    pub fn leave(&self) {
        if let Some(is_left) = &self.is_left {
            is_left.store(true, Relaxed);
        }
    }
}

#[cfg(unix)]
impl AsFd for SharedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A connection that has come, of which nothing was read.
pub(crate) struct Arrival {
    stream: Stream,
    peer: Socket,
    /// Whether a header of the PROXY protocol comes first.
    has_header: bool,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Arrival {
    /// Who connected: the visitor or a proxy.
    pub(crate) fn peer(&self) -> Socket {
        self.peer
    }

    /// The connection, and who is at its other end, as far as a proxy tells. The handshake of TLS is still to be made.
    ///
    /// # Errors
    /// When a proxy does not say within [`PROXY_HEADER_TIMEOUT`] for whom it connects.
    pub(crate) async fn open(self) -> io::Result<(Stream, Socket)> {
        #[cfg(feature = "tls")]
        let newest = Protocol::Http2;
        #[cfg(not(feature = "tls"))]
        let newest = Protocol::Http1;
        self.open_for(newest).await
    }

    /// The same for whoever speaks nothing newer than this.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only over TLS it is agreed on what is spoken"))]
    pub(crate) async fn open_for(mut self, newest: Protocol) -> io::Result<(Stream, Socket)> {
        if self.has_header {
            let named = tokio::time::timeout(PROXY_HEADER_TIMEOUT, proxy_header::read(&mut self.stream)).await;
            let named = named.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            // Where the proxy does not know for whom it connects, nobody else is believed either.
            self.peer = named.map_or_else(|| Socket::Named(self.peer.address(), false), proxy_header::Named::socket);
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            let over_tls = match self.peer {
                Socket::Named(address, _) => Socket::Named(address, true),
                peer @ (Socket::At(_) | Socket::Tls(_) | Socket::Unix) => Socket::Tls(peer.address()),
            };
            return Ok(match self.stream {
                Stream::Tcp(stream) => (Stream::Tls(tls.accept(stream, newest)), over_tls),
                stream @ Stream::Tls(_) => (stream, self.peer),
                #[cfg(unix)]
                stream @ Stream::Unix(_) => (stream, self.peer),
            });
        }
        Ok((self.stream, self.peer))
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

impl Stream {
    /// Makes the handshake of TLS, if there is to be one; what came of it.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "without TLS there is none"))]
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Agreed>> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.poll_handshake(cx),
            Self::Tcp(_) => Poll::Ready(Ok(Agreed::nothing())),
            #[cfg(unix)]
            Self::Unix(_) => Poll::Ready(Ok(Agreed::nothing())),
        }
    }
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

#[cfg(test)]
mod tests;
