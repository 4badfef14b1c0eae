//! The limit of connections: where all permits are given, the network that has most gives way (`viral_swarm::places`).

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use viral_swarm::places::{self, Use};

use crate::limits::WAITING_CONNECTIONS_MAX;

/// The limit, shared by listeners. A WebSocket keeps its permit.
#[derive(Clone)]
pub(crate) struct ConnectionLimit(Arc<Shared>);

struct Shared {
    max: usize,
    inner: Mutex<Inner>,
    /// Changes whenever somebody who waits may have a permit.
    freed: watch::Sender<()>,
    /// Somebody waits.
    is_awaited: AtomicBool,
}

#[derive(Default)]
struct Inner {
    places: places::Places<u64>,
    ends: BTreeMap<u64, Arc<End>>,
    /// Connections that must end, and did not yet.
    ending: usize,
    next: u64,
}

/// Tells a connection that it must end.
#[derive(Default)]
pub(crate) struct End {
    is_over: AtomicBool,
    waker: AtomicWaker,
}

/// One connection of those that there may be; free again when dropped.
pub(crate) struct ConnectionPermit {
    key: u64,
    shared: Arc<Shared>,
    end: Arc<End>,
    answers: Arc<Mutex<Answers>>,
}

/// The answers of one connection.
#[derive(Default)]
struct Answers {
    /// Those under way.
    open: usize,
    /// How the permit is used once what was answered has left: a body is gone when its last bytes lie in a buffer, and the client may take its time to read them.
    when_sent: Option<Use>,
}

impl ConnectionLimit {
    /// This many.
    pub(crate) fn of(max: usize) -> Self {
        Self(Arc::new(Shared { max, inner: Mutex::default(), freed: watch::Sender::new(()), is_awaited: AtomicBool::new(false) }))
    }

    /// A permit for a connection from this address; none where all are given and nobody gives way to it.
    pub(crate) fn take(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let mut inner = self.0.lock();
        if inner.places.len() >= self.0.max {
            let other = inner.places.in_the_way(address).or_else(|| inner.places.in_own_way(address))?;
            inner.places.remove(&other);
            let end = inner.ends.remove(&other)?;
            inner.ending += 1;
            end.is_over.store(true, Ordering::Release);
            end.waker.wake();
        }
        inner.next += 1;
        let (key, end) = (inner.next, Arc::new(End::default()));
        inner.places.insert(key, address, Use::Idle);
        inner.ends.insert(key, Arc::clone(&end));
        Some(ConnectionPermit { key, shared: Arc::clone(&self.0), end, answers: Arc::default() })
    }

    /// Connections that there are.
    pub(crate) fn len(&self) -> usize {
        let inner = self.0.lock();
        inner.places.len() + inner.ending
    }

    /// Connections that must end and are still there: each holds a descriptor.
    pub(crate) fn ending(&self) -> usize {
        self.0.lock().ending
    }

    /// As many may still end, and as many wait.
    pub(crate) fn spare(&self) -> usize {
        (self.0.max / 8).clamp(1, WAITING_CONNECTIONS_MAX)
    }

    /// Changes whenever a connection ended, and once when one became idle after somebody had said that it waits.
    pub(crate) fn freed(&self) -> watch::Receiver<()> {
        self.0.freed.subscribe()
    }

    /// Somebody waits for a permit.
    pub(crate) fn note_waiting(&self) {
        self.0.is_awaited.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics; were it so, serving on is better than refusing everybody.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPermit {
    /// What tells how this permit is used. It does not keep the permit.
    pub(crate) fn usage(&self) -> Usage {
        Usage { key: self.key, shared: Arc::clone(&self.shared), answers: Arc::clone(&self.answers) }
    }
}

impl End {
    /// An error when the connection must end; `cx` is woken when that changes.
    fn check(&self, cx: &Context<'_>) -> io::Result<()> {
        self.waker.register(cx.waker());
        if self.is_over.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "its network has most connections, and others have none"));
        }
        Ok(())
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        if inner.ends.remove(&self.key).is_some() {
            inner.places.remove(&self.key);
        } else {
            inner.ending -= 1;
        }
        drop(inner);
        self.shared.freed.send_replace(());
    }
}

/// Tells how a permit is used.
#[derive(Clone)]
pub(crate) struct Usage {
    key: u64,
    shared: Arc<Shared>,
    answers: Arc<Mutex<Answers>>,
}

impl Usage {
    /// An answer begins; the connection is busy until it and all others have left.
    pub(crate) fn begin(&self) -> Busy {
        let mut answers = self.lock();
        answers.open += 1;
        self.set(&mut answers, Use::Busy);
        drop(answers);
        Busy { usage: self.clone(), then: Use::Idle }
    }

    /// Together with `answers`, which its caller holds: an answer that begins meanwhile waits, and its connection is busy in the end.
    fn set(&self, answers: &mut Answers, used: Use) {
        answers.when_sent = None;
        self.shared.lock().places.touch(&self.key, used);
        if used == Use::Idle && self.shared.is_awaited.swap(false, Ordering::Relaxed) {
            self.shared.freed.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything was handed to the system.
    fn handle_sent(&self) {
        let mut answers = self.lock();
        if let Some(used) = answers.when_sent.filter(|_| answers.open == 0) {
            self.set(&mut answers, used);
        }
    }
}

/// An answer under way.
pub(crate) struct Busy {
    usage: Usage,
    then: Use,
}

impl Busy {
    /// The connection becomes a WebSocket with this answer.
    pub(crate) fn becomes_session(&mut self) {
        self.then = Use::Waiting;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut answers = self.usage.lock();
        answers.open = answers.open.saturating_sub(1);
        if answers.open == 0 {
            answers.when_sent = Some(self.then);
        }
    }
}

/// A body whose end says how its connection is used from then on.
pub(crate) struct Answering<B> {
    body: B,
    _busy: Busy,
}

impl<B> Answering<B> {
    pub(crate) fn new(body: B, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that ends when its permit is given to another one.
pub(crate) struct Seated<S> {
    stream: S,
    end: Arc<End>,
    usage: Usage,
}

impl<S> Seated<S> {
    pub(crate) fn new(stream: S, permit: &ConnectionPermit) -> Self {
        Self { stream, end: Arc::clone(&permit.end), usage: permit.usage() }
    }

    /// Asks the stream itself, unless it must end.
    pub(crate) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.end.check(cx)?;
        poll(&mut self.stream, cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.end.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.end.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.end.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.check(cx)?;
        std::task::ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.usage.handle_sent();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const CROWD: [u8; 4] = [198, 51, 100, 7];
    const STRANGER: [u8; 4] = [203, 0, 113, 1];

    fn set(permit: &ConnectionPermit, used: Use) {
        let usage = permit.usage();
        usage.set(&mut usage.lock(), used);
    }

    #[test]
    fn an_answer_that_begins_while_another_leaves_keeps_the_connection_busy() {
        let limit = ConnectionLimit::of(1);
        let permit = limit.take(CROWD.into()).unwrap();
        let (usage, is_over) = (permit.usage(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    permit.usage().handle_sent();
                }
            });
            for _ in 0..50_000 {
                drop(usage.begin());
                let busy = usage.begin();
                std::thread::yield_now();
                // Not `unwrap`: the other thread must end.
                if limit.take(CROWD.into()).is_some() {
                    break;
                }
                drop(busy);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(limit.ending(), 0, "a busy connection gave way");
    }

    #[tokio::test]
    async fn the_idle_connection_of_the_network_with_most_ends_for_a_stranger() {
        let limit = ConnectionLimit::of(3);
        let streams = (0..3).map(|_| {
            let (ours, theirs) = tokio::io::duplex(64);
            let permit = limit.take(CROWD.into()).unwrap();
            (Seated::new(ours, &permit), theirs, permit)
        });
        let mut streams: Vec<_> = streams.collect();
        set(&streams[0].2, Use::Busy);
        let (mut second, _other, permit) = streams.remove(1);
        let reading = tokio::spawn(async move {
            let read = second.read(&mut [0; 8]).await;
            drop(permit);
            read
        });
        tokio::task::yield_now().await;
        let stranger = limit.take(STRANGER.into()).expect("one gives way");
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(limit.ending(), 0);
        for (stream, _other, _permit) in &mut streams {
            stream.write_all(b"more").await.unwrap();
        }
        drop(stranger);
        assert!(limit.take(CROWD.into()).is_some());
    }

    #[test]
    fn nobody_gives_way_to_the_network_that_has_most_unless_it_is_idle() {
        let limit = ConnectionLimit::of(2);
        let taken: Vec<_> = (0..2).map(|_| limit.take(CROWD.into()).unwrap()).collect();
        taken.iter().for_each(|permit| set(permit, Use::Waiting));
        assert!(limit.take(CROWD.into()).is_none());
        set(&taken[1], Use::Idle);
        assert!(limit.take(CROWD.into()).is_some());
        assert_eq!(limit.ending(), 1);
        drop(taken);
        assert_eq!(limit.ending(), 0);
    }

    #[tokio::test]
    async fn a_connection_is_idle_once_its_answer_has_left() {
        let limit = ConnectionLimit::of(1);
        let permit = limit.take(CROWD.into()).unwrap();
        let (ours, _theirs) = tokio::io::duplex(64);
        let mut stream = Seated::new(ours, &permit);
        let (first, second) = (permit.usage().begin(), permit.usage().begin());
        let answer = Answering::new(axum::body::Body::from("answer"), first);
        assert_eq!(answer.size_hint().exact(), Some(6));
        assert!(limit.take(CROWD.into()).is_none());
        drop(answer);
        stream.flush().await.unwrap();
        assert!(limit.take(CROWD.into()).is_none(), "another one is under way");
        drop(second);
        assert!(limit.take(CROWD.into()).is_none(), "its last bytes lie in a buffer");
        stream.flush().await.unwrap();
        assert!(limit.take(CROWD.into()).is_some());
    }
}
