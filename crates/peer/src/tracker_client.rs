//! The WebSocket to the tracker: comes back by itself after a loss, and registers again. The Rust twin of `browser/src/shell/trackerclient.ts`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _, stream};
use http::{HeaderValue, header};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use viral_swarm::client::backoff_ms;
use viral_wire::limits::SIGNAL_LEN_MAX;
use viral_wire::signal::{ErrorCode, PeerToTracker, TrackerToPeer, decode, encode};

use crate::limits::{CONNECT_WAIT, SIGNALS_MAX, SOCKET_WRITE_LEN_MAX, TRACKER_SILENCE};
use crate::origin::{Origin, Stream, USER_AGENT};

/// What is heard from the session.
#[derive(Debug)]
pub(crate) enum TrackerEvent {
    /// The tracker says something.
    Signal(Box<TrackerToPeer>),
    /// The session ended, or could not be begun for this reason; another one is tried.
    Lost(String),
}

/// A session that is kept up; it ends with this value.
#[derive(Debug)]
pub(crate) struct TrackerClient {
    signals: mpsc::Sender<PeerToTracker>,
    events: mpsc::Receiver<TrackerEvent>,
    /// The first messages of each session.
    register: Arc<Mutex<Vec<PeerToTracker>>>,
    task: JoinHandle<()>,
    /// The tracker was heard of since the last loss.
    live: bool,
}

impl TrackerClient {
    /// Connects, and keeps connected.
    pub(crate) fn open(origin: &Origin, register: Vec<PeerToTracker>) -> Self {
        let (signals, outgoing) = mpsc::channel(SIGNALS_MAX);
        let (incoming, events) = mpsc::channel(SIGNALS_MAX);
        let register = Arc::new(Mutex::new(register));
        let lacks_ticket = origin.join_cookie().is_none();
        let reconnector =
            Reconnector { origin: origin.clone(), register: Arc::clone(&register), outgoing, incoming, lacks_ticket, renewed: false };
        Self { signals, events, register, task: tokio::spawn(reconnector.run()), live: false }
    }

    /// What is heard next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> TrackerEvent {
        match self.events.recv().await {
            Some(event) => {
                self.live = matches!(event, TrackerEvent::Signal(_));
                event
            }
            // The reconnector only ends with us.
            None => std::future::pending().await,
        }
    }

    /// Sends a signal; false if there is no session, or it is backed up.
    pub(crate) fn send(&self, signal: PeerToTracker) -> bool {
        self.live && self.signals.try_send(signal).is_ok()
    }

    /// What to register with next time.
    pub(crate) fn set_register(&self, register: Vec<PeerToTracker>) {
        *self.register.lock().unwrap_or_else(PoisonError::into_inner) = register;
    }

    /// Sends what waits, says goodbye and ends.
    pub(crate) async fn close(self, limit: Duration) {
        let Self { signals, events, task, .. } = self;
        drop((signals, events));
        let aborter = task.abort_handle();
        if timeout(limit, task).await.is_err() {
            aborter.abort();
        }
    }
}

struct Reconnector {
    origin: Origin,
    register: Arc<Mutex<Vec<PeerToTracker>>>,
    outgoing: mpsc::Receiver<PeerToTracker>,
    incoming: mpsc::Sender<TrackerEvent>,
    /// There is no join ticket, or it is refused.
    lacks_ticket: bool,
    /// One was refused since the last welcome.
    renewed: bool,
}

type Socket = WebSocketStream<TokioIo<Stream>>;

impl Reconnector {
    async fn run(mut self) {
        let mut attempt = 0;
        loop {
            if std::mem::take(&mut self.lacks_ticket) {
                self.renew_ticket().await;
            }
            let reason = match connect(&self.origin).await {
                Ok(socket) => match self.run_session(socket, &mut attempt).await {
                    Some(reason) => reason,
                    None => return,
                },
                Err(reason) => reason,
            };
            tracing::debug!(%reason, attempt, "no session with the tracker");
            // What was meant for the lost session makes no sense in the next one.
            while self.outgoing.try_recv().is_ok() {}
            if self.incoming.send(TrackerEvent::Lost(reason)).await.is_err() {
                return;
            }
            // What was refused is asked for anew at once; if that is refused, too, as after any loss.
            if self.lacks_ticket && !std::mem::replace(&mut self.renewed, true) {
                continue;
            }
            let wait = sleep(Duration::from_millis(backoff_ms(attempt, rand::random())));
            attempt += 1;
            tokio::select! {
                () = wait => {}
                () = self.incoming.closed() => return,
            }
        }
    }

    /// Asks for the page that is registered for, which comes with a ticket.
    async fn renew_ticket(&self) {
        let page = self
            .register
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find_map(|signal| if let PeerToTracker::Register { page, .. } = signal { Some(page.clone()) } else { None });
        let Some(page) = page else { return };
        if let Err(error) = self.origin.renew_join(&page).await {
            tracing::debug!(%error, page, "no join ticket");
        }
    }

    /// One session; why it ended, none when we end it.
    async fn run_session(&mut self, mut socket: Socket, attempt: &mut u32) -> Option<String> {
        let register = self.register.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Err(error) = send(&mut socket, register).await {
            return Some(error.to_string());
        }
        loop {
            tokio::select! {
                signal = self.outgoing.recv() => match signal {
                    Some(signal) => {
                        let more = std::iter::from_fn(|| self.outgoing.try_recv().ok());
                        if let Err(error) = send(&mut socket, std::iter::once(signal).chain(more)).await {
                            return Some(error.to_string());
                        }
                    }
                    None => {
                        let _ = socket.close(None).await;
                        return None;
                    }
                },
                message = timeout(TRACKER_SILENCE, socket.next()) => match message {
                    Ok(Some(Ok(Message::Text(text)))) => match decode::<TrackerToPeer>(text.as_bytes()) {
                        Ok(TrackerToPeer::Error { code: ErrorCode::Ticket, message }) => {
                            self.lacks_ticket = true;
                            return Some(message);
                        }
                        Ok(signal) => {
                            *attempt = 0;
                            self.renewed = false;
                            if self.incoming.send(TrackerEvent::Signal(Box::new(signal))).await.is_err() {
                                let _ = socket.close(None).await;
                                return None;
                            }
                        }
                        Err(error) => tracing::debug!(%error, "the tracker said something that is no signal"),
                    },
                    Ok(Some(Ok(Message::Close(frame)))) => return Some(frame.map_or_else(|| "closed".to_owned(), |frame| frame.reason.to_string())),
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(error))) => return Some(error.to_string()),
                    Ok(None) => return Some("closed".to_owned()),
                    Err(_) => return Some("no sign of life".to_owned()),
                },
            }
        }
    }
}

async fn connect(origin: &Origin) -> Result<Socket, String> {
    let uri: http::Uri = origin.url("/.viral/ws").as_str().parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let connecting = async {
        // Something on the way may have closed it by now.
        if let Some(stream) = origin.preconnected().await
            && let Ok(socket) = shake_hands(origin, stream).await
        {
            return Ok(socket);
        }
        let stream = origin.connection(&uri).await.map_err(|error| crate::origin::innermost(&*error))?;
        shake_hands(origin, stream).await
    };
    timeout(CONNECT_WAIT, connecting).await.unwrap_or_else(|_| Err("no connection in time".to_owned()))
}

async fn shake_hands(origin: &Origin, stream: Stream) -> Result<Socket, String> {
    let ws = origin.url("/.viral/ws").as_str().replacen("http", "ws", 1);
    let mut request = ws.into_client_request().map_err(|error| error.to_string())?;
    request.headers_mut().insert(header::ORIGIN, HeaderValue::try_from(origin.ascii()).map_err(|error| error.to_string())?);
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    request.headers_mut().extend(origin.join_cookie().map(|ticket| (header::COOKIE, ticket)));
    let config = WebSocketConfig::default().max_message_size(Some(2 * SIGNAL_LEN_MAX)).max_frame_size(Some(2 * SIGNAL_LEN_MAX));
    let config = config.max_write_buffer_size(SOCKET_WRITE_LEN_MAX);
    let handshake = tokio_tungstenite::client_async_with_config(request, TokioIo::new(stream), Some(config)).await;
    handshake.map(|(socket, _)| socket).map_err(|error| {
        if let SocketError::Http(answer) = &error {
            return format!("the server answers {} where the tracker should be", answer.status());
        }
        crate::origin::innermost(&error)
    })
}

/// What is said together leaves in one packet, which the other end has to acknowledge once.
async fn send(socket: &mut Socket, signals: impl IntoIterator<Item = PeerToTracker>) -> Result<(), SocketError> {
    let messages = signals.into_iter().map(|signal| Ok(Message::Text(encode(&signal).into())));
    socket.send_all(&mut stream::iter(messages)).await
}
