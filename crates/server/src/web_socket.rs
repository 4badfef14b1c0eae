//! A WebSocket that has buffers only while something is said: what sleeps is the bare stream.
//!
//! The protocol is tungstenite's. It reads into a buffer that it never gives back, so a socket on which nothing was said for a while is taken apart between two messages, and
//! put together again by the first bytes of the next one.

mod boundary;
mod watched;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{FutureExt as _, SinkExt as _, Stream as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use self::watched::Watched;
use crate::limits::SOCKET_READ_LEN;

pub(crate) use tokio_tungstenite::tungstenite::protocol::CloseFrame;
pub(crate) use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// What the connection of a WebSocket is.
pub(crate) type Transport = TokioIo<Upgraded>;

/// One WebSocket, over a stream `S`.
pub(crate) struct WebSocket<S = Transport> {
    state: State<S>,
    /// Its limits; a function since a value of its own would be the larger part of a socket that sleeps.
    config: fn() -> WebSocketConfig,
}

enum State<S> {
    Awake(Box<WebSocketStream<Watched<S>>>),
    Asleep(Watched<S>),
    /// Only while it changes from one to the other.
    Between,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The server's end of a WebSocket whose handshake is done.
    pub(crate) fn new(stream: S, config: fn() -> WebSocketConfig) -> Self {
        Self { state: State::Asleep(Watched::new(stream)), config }
    }

    /// Whether it has buffers now.
    pub(crate) fn is_awake(&self) -> bool {
        matches!(self.state, State::Awake(_))
    }

    /// The next message; `None` when the other side is gone. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Option<Result<Message, Error>> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        if let State::Asleep(stream) = &mut self.state {
            let mut space = [MaybeUninit::uninit(); SOCKET_READ_LEN];
            let mut first = ReadBuf::uninit(&mut space);
            if let Err(error) = ready!(Pin::new(stream).poll_read(cx, &mut first)) {
                return Poll::Ready(Some(Err(Error::Io(error))));
            }
            // At the end of the stream it says by itself that the other side left without a word.
            let first = first.filled().to_vec();
            self.wake(first);
        }
        match &mut self.state {
            State::Awake(socket) => Pin::new(&mut **socket).poll_next(cx),
            State::Asleep(_) | State::Between => Poll::Ready(None),
        }
    }

    /// Writes a message into the buffer, or further if that is full.
    ///
    /// # Errors
    /// When the other side is gone, or does not read.
    pub(crate) async fn feed(&mut self, message: Message) -> Result<(), Error> {
        self.awake()?.feed(message).await
    }

    /// Sends what is in the buffer.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        match &mut self.state {
            State::Awake(socket) => socket.flush().await,
            State::Asleep(_) | State::Between => Ok(()),
        }
    }

    /// Gives its buffers back, if it stands between two messages and nothing waits to leave. Only to be called where [`Self::recv`] just had nothing.
    pub(crate) fn sleep(&mut self) {
        let State::Awake(socket) = &mut self.state else { return };
        if socket.get_ref().is_between_messages() && matches!(socket.flush().now_or_never(), Some(Ok(()))) {
            self.change(|state| match state {
                State::Awake(socket) => State::Asleep(socket.into_inner()),
                State::Asleep(_) | State::Between => state,
            });
        }
    }

    fn awake(&mut self) -> Result<&mut WebSocketStream<Watched<S>>, Error> {
        if !self.is_awake() {
            self.wake(Vec::new());
        }
        match &mut self.state {
            State::Awake(socket) => Ok(socket),
            State::Asleep(_) | State::Between => Err(Error::Io(io::ErrorKind::NotConnected.into())),
        }
    }

    fn wake(&mut self, first: Vec<u8>) {
        let config = Some((self.config)());
        self.change(|state| match state {
            State::Asleep(stream) => {
                // The library's function waits for nothing.
                let made = WebSocketStream::from_partially_read(stream, first, Role::Server, config).now_or_never();
                made.map_or(State::Between, |socket| State::Awake(Box::new(socket)))
            }
            State::Awake(_) | State::Between => state,
        });
    }

    fn change(&mut self, to: impl FnOnce(State<S>) -> State<S>) {
        self.state = to(std::mem::replace(&mut self.state, State::Between));
    }
}

#[cfg(test)]
mod tests;
