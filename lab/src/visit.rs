//! One visitor's visit, from its arrival until it leaves; runs on the thread of its namespace.

pub mod browser;
pub mod hostile;
pub mod native;
pub mod plain;
pub mod scripts;
pub mod torrent;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::process::{Line, Process};
use crate::scenario::{Role, Visitor};
use crate::site::Site;

/// How often a waiting thread looks whether the run is over.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes that checked visitors may write to disk in all.
const CHECKED_BYTES_MAX: u64 = 400_000_000;

/// How long a leaving visitor may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// The line that `viral get --json` prints.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Got {
    /// Everything arrived and was verified.
    pub ok: bool,
    /// Full, thin or plain; `None` when there was none.
    pub answer: Option<String>,
    /// Bytes of the app taken from peers.
    pub bytes_from_peers: u64,
    /// Bytes of the app taken from the origin.
    pub bytes_from_origin: u64,
    /// How many peers gave something.
    pub peers_used: u64,
    /// Pieces verified.
    pub pieces: u64,
    /// Peers banned for forging.
    pub bans: u64,
    /// From start to the whole app, in milliseconds.
    pub ms_total: u64,
    /// From start to the first piece, in milliseconds.
    pub ms_first_piece: Option<u64>,
    /// Why there is no app.
    pub error: Option<String>,
}

/// What became of one visitor.
#[derive(Debug, Clone, Serialize)]
pub struct VisitResult {
    /// Which one, by its place in the plan.
    pub visitor: usize,
    /// Whether it counts: hostile visitors do not.
    pub is_honest: bool,
    /// The browser it came with, or `node` with its scripts; `None` for the native peer.
    pub browser: Option<String>,
    /// Seconds after the beginning when it came.
    pub arrived_s: f64,
    /// Seconds after the beginning when it had the whole app; `None` when it never had.
    pub done_s: Option<f64>,
    /// What it reported.
    pub got: Got,
    /// Bytes on its disk that are not the origin's; `None` when nobody looked.
    pub forged_bytes: Option<u64>,
}

/// How many visitors write what they got, to be compared with the origin's own bytes.
#[must_use]
pub fn checked(app_bytes: u64) -> usize {
    usize::try_from(CHECKED_BYTES_MAX / app_bytes.max(1)).unwrap_or(usize::MAX)
}

/// What every visit of a run has in common.
pub struct Stage {
    /// The first arrival.
    pub begins: Instant,
    /// When whoever is not done has failed.
    pub limit: Instant,
    /// Set when the run is over.
    pub is_over: AtomicBool,
    /// The app.
    pub site: Site,
    /// Where visitors may write.
    pub folder: PathBuf,
    /// Seconds for which visitors stay and serve once they have the app, where they do not leave sooner.
    pub stay_s: f64,
    /// How many of them write what they got, to be compared with the origin.
    pub checked: usize,
}

impl Stage {
    /// When `visitor` comes.
    fn arrival(&self, visitor: &Visitor) -> Instant {
        self.begins + Duration::from_secs_f64(visitor.arrives_s)
    }

    /// A visit that begins now and of which nothing came yet.
    fn visit(&self, index: usize, visitor: &Visitor) -> VisitResult {
        VisitResult {
            visitor: index,
            is_honest: visitor.role == Role::Honest,
            browser: None,
            arrived_s: self.begins.elapsed().as_secs_f64(),
            done_s: None,
            got: Got::default(),
            forged_bytes: None,
        }
    }

    /// Waits until `then`, or until the run is over.
    fn wait_until(&self, then: Instant) {
        // In steps, so that a run that is over is left at once.
        while !self.is_over.load(Relaxed) {
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(PATIENCE));
        }
    }

    /// Waits until the run is over.
    fn wait_for_end(&self) {
        while !self.is_over.load(Relaxed) {
            std::thread::sleep(PATIENCE);
        }
    }

    /// The first line of a process that `pick` takes something from, while the run lasts and until `deadline`.
    fn line_of<T>(&self, process: &Process, deadline: Instant, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
        while !self.is_over.load(Relaxed) && Instant::now() < deadline {
            match process.line(Instant::now() + PATIENCE) {
                Line::Said(line) => {
                    if let Some(found) = pick(&line) {
                        return Some(found);
                    }
                }
                Line::Nothing => {}
                Line::Ended => return None,
            }
        }
        None
    }
}
