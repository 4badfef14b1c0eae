//! A line of limited rate between visitors and a server: a forwarder of TCP connections that paces what comes down.
//!
//! Connections share it piece by piece, first come first served, as packets share the queue of a real one. Bytes that visitors
//! send each other do not pass it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What one connection may send before the next one's turn, in bytes: 7 ms of 10 Mbit/s.
const TURN_LEN: usize = 8 * 1024;

/// How much unused time is kept, so that a late timer costs no rate.
const KEPT: Duration = Duration::from_millis(20);

/// A line to one server. Without a limit until [`limit`](Self::limit) sets one; cut when dropped.
#[derive(Debug)]
pub struct Line {
    near: SocketAddr,
    pace: Arc<Pace>,
    forwarding: JoinHandle<()>,
}

/// When the line is free again, and its rate.
#[derive(Debug)]
struct Pace {
    /// Bytes a second, 0 = no limit.
    rate: AtomicU64,
    free_at: Mutex<Instant>,
}

impl Line {
    /// A line to `far` whose near end is a free loopback port.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn to(far: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let near = listener.local_addr()?;
        let pace = Arc::new(Pace { rate: AtomicU64::new(0), free_at: Mutex::new(Instant::now()) });
        let shared = Arc::clone(&pace);
        let forwarding = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, far, Arc::clone(&shared)));
            }
        });
        Ok(Self { near, pace, forwarding })
    }

    /// Its near end.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.near
    }

    /// Whole URL of a path at its near end.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.near)
    }

    /// From now on it carries so many bytes a second down, 0 = as many as come.
    pub fn limit(&self, bytes_per_s: u64) {
        self.pace.rate.store(bytes_per_s, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

impl Pace {
    /// Waits until `len` bytes have passed the line. Who waits is served in turn.
    async fn pass(&self, len: usize) {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return;
        }
        let mut free_at = self.free_at.lock().await;
        let earliest = Instant::now().checked_sub(KEPT).unwrap_or(*free_at);
        *free_at = (*free_at).max(earliest) + Duration::from_secs_f64(len as f64 / rate as f64);
        tokio::time::sleep_until(*free_at).await;
    }
}

/// Carries one connection. Either end may break it; the other one then sees it closed, as it would without us.
async fn carry(near: TcpStream, far: SocketAddr, pace: Arc<Pace>) {
    let Ok(far) = TcpStream::connect(far).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
    let up = async {
        let _ = tokio::io::copy(&mut from_near, &mut to_far).await;
        let _ = to_far.shutdown().await;
    };
    let down = async {
        let mut turn = vec![0; TURN_LEN];
        while let Ok(len @ 1..) = from_far.read(&mut turn).await {
            pace.pass(len).await;
            if to_near.write_all(&turn[..len]).await.is_err() {
                break;
            }
        }
        let _ = to_near.shutdown().await;
    };
    // What comes down ends a connection of HTTP; nothing more goes up after it.
    tokio::select! {
        () = down => {}
        () = async { up.await; std::future::pending().await } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_who_wait_are_served_in_turn_at_the_lines_rate() {
        let pace = Pace { rate: AtomicU64::new(1_000_000), free_at: Mutex::new(Instant::now()) };
        let started = Instant::now();
        let one = async {
            for _ in 0..50 {
                pace.pass(10_000).await;
            }
        };
        let other = async {
            for _ in 0..50 {
                pace.pass(10_000).await;
            }
        };
        tokio::join!(one, other);
        let took = started.elapsed();
        assert!(took > Duration::from_millis(970) && took < Duration::from_millis(1_050), "{took:?}");
    }
}
