//! What holds at every step of every run, whatever happens: looked at from outside of the shipped machines, with books of its own.

mod leases;

use viral_wire::PieceId;

use crate::clock::{Nanos, seconds};
use leases::LeaseBook;

pub use leases::Grant;

/// What must never be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A piece was delivered to the app that is not what its digest says.
    #[error("visitor {visitor} was given piece {id} though its bytes are not those of its digest")]
    Unverified {
        /// Who.
        visitor: usize,
        /// Which.
        id: PieceId,
    },
    /// The origin was asked once more for what it gave, or gives now.
    #[error("visitor {visitor} asked the origin {asked} times for piece {id}, which {failed} of them did not bring")]
    AskedAgain {
        /// Who.
        visitor: usize,
        /// Which.
        id: PieceId,
        /// How often.
        asked: u32,
        /// Answers that ended without it.
        failed: u32,
    },
    /// The origin was asked for what is here.
    #[error("visitor {visitor} asked the origin for piece {id}, which it has")]
    AskedForHeld {
        /// Who.
        visitor: usize,
        /// Which.
        id: PieceId,
    },
    /// Two have a lease of one piece.
    #[error("the tracker gave piece {place} to {peer} {after_ms} ms after {other}, who is there and whose lease runs {left_ms} ms longer")]
    LeasedTwice {
        /// Its place in the manifest.
        place: u32,
        /// Whom it was given to.
        peer: u64,
        /// Who has it.
        other: u64,
        /// Since when, in milliseconds.
        after_ms: u64,
        /// Until when, in milliseconds from now.
        left_ms: u64,
    },
    /// A queue is longer than it may be.
    #[error("visitor {visitor}: {what} is {len}, over its limit of {limit}")]
    Queue {
        /// Whose.
        visitor: usize,
        /// Which.
        what: &'static str,
        /// How long.
        len: usize,
        /// What it may be.
        limit: usize,
    },
    /// Somebody did not get the app, and nothing explains it.
    #[error("visitor {visitor} came at {came_s:.1} s, has {held} of {total} pieces at the end, and nothing says why")]
    Unfinished {
        /// Who.
        visitor: usize,
        /// When it came, in whole milliseconds as seconds.
        came_s: Seconds,
        /// Pieces that it has.
        held: usize,
        /// Pieces that there are; 0 = it knows none.
        total: usize,
    },
    /// Something happens for ever without time passing.
    #[error("{steps} steps were taken within one nanosecond")]
    Standstill {
        /// How many.
        steps: u64,
    },
}

/// Seconds that can be compared: milliseconds inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(u64);

impl Seconds {
    /// Rounded down to milliseconds.
    #[must_use]
    pub fn of(at: Nanos) -> Self {
        Self(at / crate::clock::MS)
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (self.0 as f64 / 1e3).fmt(f)
    }
}

/// The first violation of a run, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What was broken.
    pub violation: Violation,
    /// The step, counted from 1.
    pub step: u64,
    /// When.
    pub at: Nanos,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {} at {:.3} s: {}", self.step, seconds(self.at), self.violation)
    }
}

/// Why pieces were asked of the origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Causes {
    /// The tracker granted them.
    pub leased: u64,
    /// No peer was connected.
    pub alone: u64,
    /// Nothing had come for the time after which the origin stands in.
    pub stalled: u64,
    /// A connected peer was late, slow or had none of it.
    pub hedged: u64,
}

/// The books of one run.
#[derive(Debug, Default)]
pub struct Invariants {
    /// What was broken first.
    pub broken: Option<Broken>,
    /// Steps so far.
    pub steps: u64,
    now: Nanos,
    steps_now: u64,
    /// Why pieces were asked of the origin, in pieces.
    pub causes: Causes,
    leases: LeaseBook,
}

/// Steps without time that are an endless loop: more than a million visitors' timers at one moment.
const STEPS_AT_ONCE_MAX: u64 = 50_000_000;

impl Invariants {
    /// One more step, at `now`.
    pub fn step(&mut self, now: Nanos) {
        self.steps += 1;
        self.steps_now = if now == self.now { self.steps_now + 1 } else { 0 };
        self.now = now;
        if self.steps_now > STEPS_AT_ONCE_MAX {
            self.fail(Violation::Standstill { steps: self.steps_now });
        }
    }

    /// Something is wrong.
    pub fn fail(&mut self, violation: Violation) {
        self.broken.get_or_insert(Broken { violation, step: self.steps, at: self.now });
    }

    /// A visitor's app has a piece from now on.
    pub fn delivered(&mut self, visitor: usize, id: PieceId, is_genuine: bool) {
        if !is_genuine {
            self.fail(Violation::Unverified { visitor, id });
        }
    }

    /// A queue has this length.
    pub fn queue(&mut self, visitor: usize, what: &'static str, len: usize, limit: usize) {
        if len > limit {
            self.fail(Violation::Queue { visitor, what, len, limit });
        }
    }

    /// The tracker granted a lease.
    pub fn granted(&mut self, now_ms: u64, grant: &Grant<'_>) {
        if let Some(violation) = self.leases.granted(now_ms, grant) {
            self.fail(violation);
        }
    }

    /// The oldest `done` pieces of a lease are held, as its taker says.
    pub fn lease_done(&mut self, peer: u64, manifest: viral_wire::Digest, done: u32) {
        self.leases.done(peer, manifest, done);
    }

    /// Somebody with leases left.
    pub fn lease_left(&mut self, peer: u64) {
        self.leases.left(peer);
    }

    /// The tracker began anew.
    pub fn leases_forgotten(&mut self) {
        self.leases = LeaseBook::default();
    }
}

/// What one visitor asked the origin for.
#[derive(Debug, Default)]
pub struct OriginBook {
    asked: std::collections::BTreeMap<PieceId, (u32, u32)>,
}

impl OriginBook {
    /// It asks for a piece.
    pub fn ask(&mut self, invariants: &mut Invariants, visitor: usize, id: PieceId, is_held: bool) {
        let (asked, failed) = self.asked.entry(id).or_default();
        *asked += 1;
        if is_held {
            invariants.fail(Violation::AskedForHeld { visitor, id });
        } else if *asked > *failed + 1 {
            invariants.fail(Violation::AskedAgain { visitor, id, asked: *asked, failed: *failed });
        }
    }

    /// An answer ended without it.
    pub fn failed(&mut self, id: PieceId) {
        if let Some((_, failed)) = self.asked.get_mut(&id) {
            *failed += 1;
        }
    }

    /// All were answered: a session that begins anew may ask anew.
    pub fn clear(&mut self) {
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests;
