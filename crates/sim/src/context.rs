//! What everybody in a simulation acts on.

use std::time::{Duration, Instant};

use crate::app::Version;
use crate::clock::Nanos;
use crate::invariants::Invariants;
use crate::net::Net;
use crate::plan::Plan;
use crate::random::Random;
use crate::timeline::Timeline;

/// What is due at a time that somebody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody comes.
    Arrive(usize),
    /// A visitor's own timers.
    Wake(usize),
    /// The page of a browser that loaded everything joins the swarm.
    Join(usize),
    /// A session with the tracker is tried again.
    Reconnect(usize),
    /// Whether a download stands still.
    Look(usize),
    /// A connection that was dialled or answered, and of which nothing was heard.
    Unheard(usize, u64),
    /// A visitor goes.
    Leave(usize),
    /// A visitor is gone, or stands still.
    Fail(usize),
    /// The tracker's timers.
    Server,
    /// A new version of the app.
    Deploy(usize),
    /// The tracker forgets everything.
    Restart,
    /// What was carried is written down.
    Sample,
}

/// The world around one who acts.
pub struct Context<'c> {
    /// Now.
    pub now: Nanos,
    /// The network.
    pub net: &'c mut Net,
    /// What is due.
    pub timeline: &'c mut Timeline<Event>,
    /// All versions of the app, deployed or not.
    pub versions: &'c [Version],
    /// What was planned.
    pub plan: &'c Plan,
    /// What must hold.
    pub invariants: &'c mut Invariants,
    /// Randomness of hosts.
    pub random: &'c mut Random,
    /// Stands for time 0 where the shipped code takes an [`Instant`].
    pub epoch: Instant,
}

impl Context<'_> {
    /// Now, as the shipped code takes it.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.at(self.now)
    }

    /// A time, as the shipped code takes it.
    #[must_use]
    pub fn at(&self, at: Nanos) -> Instant {
        self.epoch + Duration::from_nanos(at)
    }

    /// The other way round.
    #[must_use]
    pub fn nanos(&self, at: Instant) -> Nanos {
        u64::try_from(at.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(Nanos::MAX)
    }
}
