//! A visitor's stream: counts what leaves, gives up on who reads nothing, and ends so that the last answer arrives.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{LINGER, LINGER_LEN_MAX, READ_LEAST_LEN, READ_STALL};
use crate::meter::Meter;
use viral_swarm::allowance::Allowance;

/// Bytes thrown away at a time while lingering.
const DISCARD_LEN: usize = 16 * 1024;

/// A stream `S` with its meter, and what is `H`eld as long as it is open.
pub(crate) struct MeteredStream<S, H> {
    stream: S,
    meter: Meter,
    stall: Stall,
    /// The other end of the connection.
    address: IpAddr,
    /// Bytes that left since something could not; none before the first time, since what left until then only filled the system's buffer.
    moved: Option<u64>,
    linger: Option<Linger>,
    /// What a WebSocket may still send; none until the connection is one.
    received: Option<Allowance>,
    _held: H,
}

/// The watch on a client that reads nothing, or next to nothing.
#[derive(Default)]
struct Stall {
    /// Bytes that had left when the time began to count.
    mark: u64,
    /// How long nothing could leave since then, in all, without the time that runs now.
    blocked: Duration,
    /// Since when nothing can leave; none = something could the last time.
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

struct Linger {
    end: Pin<Box<Sleep>>,
    left: usize,
}

impl<S, H> MeteredStream<S, H> {
    /// Wraps `stream`; `held` is dropped with it.
    pub(crate) fn new(stream: S, meter: Meter, address: IpAddr, held: H) -> Self {
        Self { stream, meter, stall: Stall::default(), address, moved: None, linger: None, received: None, _held: held }
    }

    fn wrote(&mut self, polled: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(Ok(len)) => {
                if let Some(since) = self.stall.note_moved()
                    && let Some(moved) = self.moved.replace(0)
                {
                    self.meter.note_blocked(self.address, since, moved);
                }
                self.moved = self.moved.map(|moved| moved + *len as u64);
                self.meter.add(*len);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                ready!(self.stall.poll_over(self.meter.sent(), cx));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads next to nothing")));
            }
        }
        polled
    }
}

impl<S: AsyncRead + Unpin, H> MeteredStream<S, H> {
    /// Reads and throws away what the client still sends: the system would answer it with a reset, which destroys what the client has not read yet.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let begin = || Linger { end: Box::pin(sleep_until(Instant::now() + LINGER)), left: LINGER_LEN_MAX };
        let linger = self.linger.get_or_insert_with(begin);
        let mut space = [0; DISCARD_LEN];
        while linger.left > 0 && linger.end.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            linger.left = linger.left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}

impl Stall {
    /// Something left: the time until the next thing is to leave does not count. Since when nothing could, if that was so.
    fn note_moved(&mut self) -> Option<Instant> {
        let since = self.since.take()?;
        self.blocked += since.elapsed();
        Some(since)
    }

    /// Ready when too little left in the time that could be waited for it; asked when nothing can leave now.
    fn poll_over(&mut self, sent: u64, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        if sent - self.mark >= READ_LEAST_LEN {
            (self.mark, self.blocked) = (sent, Duration::ZERO);
        }
        let end = *self.since.get_or_insert(now) + READ_STALL.saturating_sub(self.blocked);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        // The alarm is moved only when it rang: a fast download waits for a moment thousands of times.
        while alarm.as_mut().poll(cx).is_ready() {
            if end <= now {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin, H: Unpin> AsyncRead for MeteredStream<S, H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let len = buffer.filled().len() - before;
        if self.received.is_none() {
            self.received = self.meter.session_allowance();
        }
        if let Some(received) = &mut self.received {
            if !received.take(Instant::now().into_std(), len as u64) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the client says too much")));
            }
        } else if len > 0 {
            self.meter.note_received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Unpin> AsyncWrite for MeteredStream<S, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(polled, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.meter.lingers() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use http::Request;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::limits::{SOCKET_RECEIVED_BURST_MAX, SOCKET_RECEIVED_PER_S};
    use crate::stats::{Cause, Stats};

    fn metered(len: usize) -> (MeteredStream<DuplexStream, ()>, DuplexStream, Meter, Arc<Stats>) {
        let stats = Arc::new(Stats::default());
        let meter = Meter::new(Some(Arc::clone(&stats)));
        let (ours, theirs) = duplex(len);
        (MeteredStream::new(ours, meter.clone(), [192, 0, 2, 1].into(), ()), theirs, meter, stats)
    }

    #[tokio::test]
    async fn what_leaves_is_counted_for_the_cause_of_the_answer() {
        let (mut metered, _client, meter, stats) = metered(100);
        metered.write_all(&[0; 10]).await.unwrap();
        meter.set_cause(Cause::Assets);
        assert!(tokio::time::timeout(Duration::ZERO, metered.write_all(&[0; 1000])).await.is_err(), "the client reads nothing");
        assert_eq!((stats.sent(Cause::Documents), stats.sent(Cause::Assets)), (10, 90), "and so no more than fits has left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_given_up_and_a_slow_one_is_not() {
        let least = READ_LEAST_LEN as usize;
        let (mut metered, mut client, ..) = metered(least);
        let began = Instant::now();
        let reading = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(READ_STALL - Duration::from_secs(1)).await;
                client.read_exact(&mut vec![0; least]).await.unwrap();
            }
            client
        });
        let error = metered.write_all(&vec![0; 100 * least]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 5 * (READ_STALL.as_secs() - 1) + READ_STALL.as_secs(), "counted from the last byte read");
        drop(reading.await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_a_byte_now_and_then_is_given_up() {
        let (mut metered, mut client, ..) = metered(100);
        let began = Instant::now();
        let reading = tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let error = metered.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() <= READ_STALL + Duration::from_secs(2), "{:?}", began.elapsed());
        drop(metered);
        reading.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_seldom_is_not_taken_for_slow_reading() {
        let (mut metered, mut client, ..) = metered(100);
        for _ in 0..10 {
            let (wrote, read) = tokio::join!(metered.write_all(&[0; 150]), async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                client.read_exact(&mut [0; 150]).await
            });
            wrote.unwrap();
            read.unwrap();
            tokio::time::sleep(10 * READ_STALL).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_web_socket_that_says_too_much_is_ended_and_a_download_is_not() {
        let (mut metered, mut client, meter, _) = metered(1024);
        let much = usize::try_from(SOCKET_RECEIVED_BURST_MAX).unwrap() + 1024;
        let sending = tokio::spawn(async move {
            client.write_all(&vec![0; 2 * much]).await.unwrap();
            client
        });
        metered.read_exact(&mut vec![0; much]).await.unwrap();
        meter.begin_session(SOCKET_RECEIVED_BURST_MAX, SOCKET_RECEIVED_PER_S);
        let error = metered.read_exact(&mut vec![0; much]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        drop(sending);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_body_is_read_before_the_stream_is_closed_but_not_for_ever() {
        let (mut metered, mut client, meter, _) = metered(100);
        meter.begin(&Request::post("/").body(Body::from("x")).unwrap());
        let began = Instant::now();
        let sending = tokio::spawn(async move { client.write_all(&[0; 10_000]).await.map(|()| client) });
        metered.shutdown().await.unwrap();
        assert_eq!(began.elapsed(), LINGER);
        drop(sending.await.unwrap().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_request_without_a_body_the_stream_is_closed_at_once() {
        let (mut metered, _client, meter, _) = metered(100);
        meter.begin(&Request::get("/").body(Body::empty()).unwrap());
        let began = Instant::now();
        metered.shutdown().await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
