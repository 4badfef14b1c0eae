//! Answers that share one connection, as over HTTP/2: what each byte that leaves was for, and who waits for whom.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::limits::{HTTP2_CHUNK_LEN_MAX, HTTP2_STRETCHES_MAX};
use crate::stats::{Cause, Stats};

/// The answers of one connection.
///
/// Bytes of bodies are noted with their cause when the connection is handed them, and counted in this order when as many leave. Frames around them and
/// heads are what leaves beyond that: they count for the answer of which bytes left last. So the sum is exact. Of an answer that is broken off
/// what the connection held counts for it, though others left in its place.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    waiting: Mutex<Waiting>,
    /// Requests so far.
    begun: AtomicU64,
    /// Bytes of bodies that left.
    left: AtomicU64,
    /// Requests under way.
    open: AtomicUsize,
    /// Those of them for which the client waits, not the other way round.
    owed: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    stretches: VecDeque<Stretch>,
    /// For what left last.
    last: Option<Account>,
}

#[derive(Debug)]
struct Stretch {
    account: Account,
    len: u64,
}

/// Who counts, and for what.
type Account = (Option<Arc<Stats>>, Cause);

fn is_same((stats, cause): &Account, (other, other_cause): &Account) -> bool {
    cause == other_cause && stats.as_ref().map(Arc::as_ptr) == other.as_ref().map(Arc::as_ptr)
}

impl Shares {
    /// A request was read.
    pub(crate) fn begin(self: &Arc<Self>) -> Share {
        self.begun.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        self.owed.fetch_add(1, Relaxed);
        Share { shares: Arc::clone(self), is_owed: true }
    }

    /// These many bytes left. Returns those of them that nobody is known to have been sent.
    pub(crate) fn leave(&self, len: u64) -> u64 {
        let (mut rest, mut waiting) = (len, self.lock());
        while rest > 0
            && let Some(first) = waiting.stretches.front_mut()
        {
            let part = first.len.min(rest);
            first.len -= part;
            rest -= part;
            self.left.fetch_add(part, Relaxed);
            if let (Some(stats), cause) = &first.account {
                stats.add_sent(*cause, part);
            }
            if first.len == 0 {
                waiting.last = waiting.stretches.pop_front().map(|stretch| stretch.account);
            }
        }
        match &waiting.last {
            Some((Some(stats), cause)) => stats.add_sent(*cause, rest),
            Some((None, _)) => {}
            None => return rest,
        }
        0
    }

    /// The connection was handed these many bytes of an answer.
    fn hand(&self, account: Account, len: u64) {
        let mut waiting = self.lock();
        let is_full = waiting.stretches.len() >= HTTP2_STRETCHES_MAX;
        match waiting.stretches.back_mut() {
            Some(last) if is_full || is_same(&last.account, &account) => last.len += len,
            Some(_) | None => waiting.stretches.push_back(Stretch { account, len }),
        }
    }

    /// Requests so far, and bytes of bodies that left.
    pub(crate) fn moved(&self) -> (u64, u64) {
        (self.begun.load(Relaxed), self.left.load(Relaxed))
    }

    /// Whether a client waits for something that is not there yet.
    pub(crate) fn is_owed(&self) -> bool {
        self.owed.load(Relaxed) > 0
    }

    /// Whether an answer is under way, or bytes of one.
    pub(crate) fn is_answering(&self) -> bool {
        self.open.load(Relaxed) > 0 || !self.lock().stretches.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics; were it so, counting on is better than serving nobody.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    is_owed: bool,
}

impl Share {
    fn set_owed(&mut self, is_owed: bool) {
        match (self.is_owed, is_owed) {
            (true, false) => _ = self.shares.owed.fetch_sub(1, Relaxed),
            (false, true) => _ = self.shares.owed.fetch_add(1, Relaxed),
            (true, true) | (false, false) => {}
        }
        self.is_owed = is_owed;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set_owed(false);
        self.shares.open.fetch_sub(1, Relaxed);
    }
}

/// A body that is handed over in small parts, each noted: the next part is asked for when there is room, so what is handed over is nearly what left.
pub(crate) struct SharedBody<B, A> {
    body: B,
    share: Share,
    account: A,
    /// What was got of the body and is still to be handed over.
    rest: Bytes,
}

impl<B, A> SharedBody<B, A> {
    /// `body`, whose bytes count for what `account` says.
    pub(crate) fn new(body: B, mut share: Share, account: A) -> Self {
        // Until it is asked for, the client is who has to make room.
        share.set_owed(false);
        Self { body, share, account, rest: Bytes::new() }
    }
}

impl<B: Body<Data = Bytes> + Unpin, A: Fn() -> Account + Unpin> Body for SharedBody<B, A> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        while self.rest.is_empty() {
            // For as long as it has none the client waits for it.
            self.share.set_owed(true);
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.share.set_owed(false);
        let len = self.rest.len().min(HTTP2_CHUNK_LEN_MAX);
        let chunk = self.rest.split_to(len);
        self.share.shares.hand((self.account)(), len as u64);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => {
                hint.set_lower(hint.lower() + rest);
                hint
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn answer(shares: &Arc<Shares>, stats: &Arc<Stats>, cause: Cause, len: usize) -> SharedBody<Full<Bytes>, impl Fn() -> Account> {
        let stats = Arc::clone(stats);
        SharedBody::new(Full::new(Bytes::from(vec![0; len])), shares.begin(), move || (Some(Arc::clone(&stats)), cause))
    }

    #[tokio::test]
    async fn bytes_of_answers_that_share_a_connection_count_for_their_causes_and_the_sum_is_exact() {
        let (shares, stats, others) = (Arc::new(Shares::default()), Arc::new(Stats::default()), Arc::new(Stats::default()));
        assert_eq!(shares.leave(50), 50, "settings, before anybody asked");
        let mut pieces = answer(&shares, &stats, Cause::Pieces, 2 * HTTP2_CHUNK_LEN_MAX);
        let mut assets = answer(&shares, &others, Cause::Assets, 100);
        assert_eq!(pieces.size_hint().exact(), Some(2 * HTTP2_CHUNK_LEN_MAX as u64));
        pieces.frame().await.unwrap().unwrap();
        assert_eq!(pieces.size_hint().exact(), Some(HTTP2_CHUNK_LEN_MAX as u64));
        assets.frame().await.unwrap().unwrap();
        assert!(shares.is_answering() && !shares.is_owed());
        let chunk = HTTP2_CHUNK_LEN_MAX as u64;
        assert_eq!(shares.leave(chunk + 20), 0);
        assert_eq!((stats.sent(Cause::Pieces), others.sent(Cause::Assets)), (chunk, 20));
        pieces.frame().await.unwrap().unwrap();
        assert_eq!(shares.leave(chunk + 80 + 30), 0);
        assert_eq!(
            (stats.sent(Cause::Pieces), others.sent(Cause::Assets)),
            (2 * chunk + 30, 100),
            "30 bytes of frames, of the last answer"
        );
        assert_eq!(shares.moved(), (2, 2 * chunk + 100));
        drop((pieces, assets));
        assert!(!shares.is_answering());
    }

    #[tokio::test]
    async fn stretches_are_limited_and_none_of_their_bytes_is_lost() {
        let (shares, stats) = (Arc::new(Shares::default()), Arc::new(Stats::default()));
        for at in 0..2 * HTTP2_STRETCHES_MAX {
            let cause = if at % 2 == 0 { Cause::Assets } else { Cause::Pieces };
            answer(&shares, &stats, cause, 10).frame().await.unwrap().unwrap();
        }
        assert_eq!(shares.lock().stretches.len(), HTTP2_STRETCHES_MAX);
        let all = 20 * HTTP2_STRETCHES_MAX as u64;
        assert_eq!(shares.leave(all), 0);
        assert_eq!(stats.sent(Cause::Assets) + stats.sent(Cause::Pieces), all);
    }

    #[tokio::test]
    async fn the_client_is_owed_what_is_not_there_and_nothing_that_it_has_no_room_for() {
        let shares = Arc::new(Shares::default());
        let share = shares.begin();
        assert!(shares.is_owed(), "the answer");
        let (sender, body) = tokio::io::duplex(1);
        let never = futures_util::stream::once(async move {
            let _body = body;
            std::future::pending::<Result<Frame<Bytes>, std::convert::Infallible>>().await
        });
        let mut body = SharedBody::new(http_body_util::StreamBody::new(Box::pin(never)), share, || (None, Cause::Assets));
        assert!(!shares.is_owed(), "nobody asked for its body yet");
        assert!(tokio::time::timeout(std::time::Duration::ZERO, body.frame()).await.is_err());
        assert!(shares.is_owed());
        drop((body, sender));
        assert!(!shares.is_owed() && !shares.is_answering());
    }
}
