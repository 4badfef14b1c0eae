//! A child that holds sockets: a process may have only so many.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use viral_journeys::process::Process;

use crate::options::Hold;
use crate::seeder::Seeder;
use crate::socket::{Socket, Way};

/// Sockets that are opened at one time before all are held.
const OPENING_MAX: usize = 64;

/// Longest time in which all sockets of a child are there.
const READY: Duration = Duration::from_secs(240);

/// A child ends by itself after this, whatever became of who started it.
const LIFE: Duration = Duration::from_secs(600);

/// How often a child says what it has, where that changed.
const TOLD: Duration = Duration::from_millis(50);

/// Waits of shipped peers after a loss: the first and the longest, in milliseconds.
const BACKOFF_MS: (u64, u64) = (500, 30_000);

/// A child that holds sockets as long as this lives.
pub(crate) struct Holder {
    process: Process,
    count: usize,
    _logs: tempfile::TempDir,
}

impl Holder {
    /// Starts the child, and waits until it has all sockets.
    pub(crate) fn start(hold: &Hold) -> anyhow::Result<Self> {
        let logs = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut holder = Self { process: Process::start(command.args(hold.words()), logs.path())?, count: hold.count, _logs: logs };
        holder.until_all()?;
        Ok(holder)
    }

    /// Waits until the child says that all its sockets are there, and not in what it said before.
    pub(crate) fn until_all(&mut self) -> anyhow::Result<()> {
        let all = format!("held {}", self.count);
        self.process.expect_line(READY, |line| (line == all).then_some(()))
    }

    /// Waits until the child says that at least one of its sockets is lost.
    pub(crate) fn until_lost(&mut self) -> anyhow::Result<()> {
        let all = format!("held {}", self.count);
        self.process.expect_line(READY, |line| (line.starts_with("held ") && line != all).then_some(()))
    }
}

/// What the child does: opens sockets, opens lost ones again as shipped peers do, and says how many there are.
pub(crate) async fn hold(hold: Hold) -> anyhow::Result<()> {
    let way = Way::new(hold.to, hold.certificate.as_deref())?;
    // An announce is no page's.
    let way = if hold.kind == "seeders" { way.with_ticket().await? } else { way };
    let (held, opening) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(OPENING_MAX)));
    for number in hold.first..hold.first + u32::try_from(hold.count)? {
        let (way, held, opening, kind) = (way.clone(), Arc::clone(&held), Arc::clone(&opening), hold.kind.clone());
        tokio::spawn(async move {
            let mut permit = opening.acquire_owned().await.ok();
            let mut attempt = 0;
            loop {
                let lost = session(&way, number, &kind, || {
                    held.fetch_add(1, Relaxed);
                    permit = None;
                    attempt = 0;
                })
                .await;
                if let Err((error, was_held)) = lost {
                    held.fetch_sub(usize::from(was_held), Relaxed);
                    if number == hold.first {
                        eprintln!("{error:#}");
                    }
                }
                sleep(backoff(attempt)).await;
                attempt += 1;
            }
        });
    }
    let (begun, mut told) = (Instant::now(), usize::MAX);
    while begun.elapsed() < LIFE {
        let now = held.load(Relaxed);
        if std::mem::replace(&mut told, now) != now {
            println!("held {now}");
        }
        sleep(TOLD).await;
    }
    bail!("held for {LIFE:?}, which is enough")
}

/// One session to its end; `is_there` is called once it is registered. Why it ended, and whether it was registered.
async fn session(way: &Way, number: u32, kind: &str, is_there: impl FnOnce()) -> Result<(), (anyhow::Error, bool)> {
    if kind == "seeders" {
        let mut seeder = Seeder::register(way, number, Arc::new(|_: &Value| ())).await.map_err(|error| (error, false))?;
        is_there();
        return seeder.serve().await.map_err(|error| (error, true));
    }
    let mut socket = announced(way, number).await.map_err(|error| (error, false))?;
    is_there();
    while let Some(Ok(_)) = socket.next().await {}
    Err((anyhow::anyhow!("the socket ended"), true))
}

/// A socket of a WebTorrent client that has announced itself as a seeder.
async fn announced(way: &Way, number: u32) -> anyhow::Result<Socket> {
    let mut socket = way.socket(number, "/").await?;
    let said = format!(
        r#"{{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"{number:020}","left":0,"event":"started","numwant":0,"offers":[]}}"#
    );
    socket.send(Message::text(said)).await?;
    socket.next().await.context("the tracker does not answer")??;
    Ok(socket)
}

/// As `viral_swarm::client::backoff_ms` and `browser/src/core/backoff.ts` have it.
fn backoff(attempt: u32) -> Duration {
    let (first, longest) = BACKOFF_MS;
    let base = longest.min(first << attempt.min(16));
    Duration::from_millis((base as f64 * (0.5 + fraction())) as u64)
}

/// Uniform in [0, 1): what the standard library draws for its maps is enough to spread waits.
fn fraction() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
