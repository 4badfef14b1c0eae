//! A TLS connection whose handshake is made by whoever reads or writes first, so that nobody waits for it who accepts others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream as OpenStream;

use super::challenges;
use crate::protocol::Protocol;

/// What is spoken over TLS, agreed on in the handshake (RFC 7301).
pub(super) const HTTP_2: &[u8] = b"h2";
pub(super) const HTTP_11: &[u8] = b"http/1.1";

/// A connection over TLS.
pub(crate) enum TlsStream {
    /// The handshake is not over.
    Handshake(Box<Accept<TcpStream>>),
    /// It is.
    Open(Box<OpenStream<TcpStream>>),
}

impl TlsStream {
    pub(crate) fn new(accept: Accept<TcpStream>) -> Self {
        Self::Handshake(Box::new(accept))
    }

    /// Makes the handshake, if nobody did; what is spoken then.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Protocol>> {
        let stream = ready!(self.poll_open(context))?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if agreed == Some(challenges::ALPN) {
            // Whoever asks so has seen what it wanted to see (RFC 8737 section 3).
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "a certificate authority looked at a name")));
        }
        // Who agrees on nothing speaks as before there was anything to agree on.
        Poll::Ready(Ok(if agreed == Some(HTTP_2) { Protocol::Http2 } else { Protocol::Http1 }))
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<&mut OpenStream<TcpStream>>> {
        if let Self::Handshake(accept) = self {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            *self = Self::Open(Box::new(stream));
        }
        match self {
            Self::Open(stream) => Poll::Ready(Ok(stream.as_mut())),
            Self::Handshake(_) => Poll::Pending,
        }
    }
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
        match &mut *self {
            // Whoever never finished a handshake hears nothing more.
            Self::Handshake(_) => Poll::Ready(Ok(())),
            Self::Open(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
