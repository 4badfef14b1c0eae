//! A TLS connection whose handshake is made by whoever reads or writes first, so that nobody waits for it who accepts others.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream as OpenStream;
use tokio_rustls::{Accept, LazyConfigAcceptor};

use super::challenges;
use super::clients::Clients;
use crate::protocol::{Agreed, Protocol};

/// What is spoken over TLS, agreed on in the handshake (RFC 7301).
pub(super) const HTTP_2: &[u8] = b"h2";
pub(super) const HTTP_11: &[u8] = b"http/1.1";

/// A connection over TLS.
pub(crate) struct TlsStream {
    state: State,
    /// Whose certificates the visitor is asked for.
    clients: Option<Arc<Clients>>,
}

enum State {
    /// The client said nothing yet, and by what it says is chosen between one who is asked for a certificate and one who looks at a name.
    Hello(Box<LazyConfigAcceptor<TcpStream>>, [Arc<ServerConfig>; 2]),
    /// The handshake is not over.
    Handshake(Box<Accept<TcpStream>>),
    /// It is.
    Open(Box<OpenStream<TcpStream>>),
}

impl TlsStream {
    pub(super) fn new(accept: Accept<TcpStream>, clients: Option<Arc<Clients>>) -> Self {
        Self { state: State::Handshake(Box::new(accept)), clients }
    }

    /// By the first config, or by the second where a certificate authority looks whether a name is ours.
    pub(super) fn choosing(
        hello: LazyConfigAcceptor<TcpStream>,
        visitors: Arc<ServerConfig>,
        authorities: Arc<ServerConfig>,
        clients: Arc<Clients>,
    ) -> Self {
        Self { state: State::Hello(Box::new(hello), [visitors, authorities]), clients: Some(clients) }
    }

    /// Makes the handshake, if nobody did; what came of it.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Agreed>> {
        let clients = self.clients.clone();
        let connection = ready!(self.poll_open(context))?.get_ref().1;
        let agreed = connection.alpn_protocol();
        if agreed == Some(challenges::ALPN) {
            // Whoever asks so has seen what it wanted to see (RFC 8737 section 3).
            return Poll::Ready(Err(aborted("a certificate authority looked at a name")));
        }
        let is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let shown = connection.peer_certificates().unwrap_or_default();
        let certificate = match clients.map(|clients| clients.take(shown, is_resumed)).transpose() {
            Ok(told) => told.flatten(),
            Err(why) => return Poll::Ready(Err(aborted(why))),
        };
        // Who agrees on nothing speaks as before there was anything to agree on.
        let protocol = if agreed == Some(HTTP_2) { Protocol::Http2 } else { Protocol::Http1 };
        Poll::Ready(Ok(Agreed { protocol, certificate }))
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<&mut OpenStream<TcpStream>>> {
        if let State::Hello(hello, [visitors, authorities]) = &mut self.state {
            let begun = ready!(Pin::new(hello.as_mut()).poll(context))?;
            let config = Arc::clone(if challenges::is_looking(&begun.client_hello()) { authorities } else { visitors });
            self.state = State::Handshake(Box::new(begun.into_stream(config)));
        }
        if let State::Handshake(accept) = &mut self.state {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            self.state = State::Open(Box::new(stream));
        }
        match &mut self.state {
            State::Open(stream) => Poll::Ready(Ok(stream.as_mut())),
            State::Hello(..) | State::Handshake(_) => Poll::Pending,
        }
    }
}

fn aborted(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

impl AsyncRead for TlsStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(ready!(self.poll_open(context))?).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_open(context))?).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.poll_open(context))?).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(ready!(self.poll_open(context))?).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            // Whoever never finished a handshake hears nothing more.
            State::Hello(..) | State::Handshake(_) => Poll::Ready(Ok(())),
            State::Open(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
