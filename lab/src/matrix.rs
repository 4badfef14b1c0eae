//! Who connects to whom through real NATs, and what the tracker makes of it: one visitor seeds, another one comes, for each pair of routers.

mod cell;
mod prepared_visitor;
mod report;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::anyhow;
use serde::Serialize;

pub use self::cell::{Cell, Pair};
pub use self::prepared_visitor::Client;
pub use self::report::{json, text};
use crate::nat::Kind;
use crate::site::Site;

/// Bytes of the app: at what the origin sends it takes longer than a connection does.
const APP_BYTES: u64 = 1_200_000;

/// The pairs of the small matrix, one for each way in which a pair can or cannot connect. None waits for the tracker to hear of a NAT.
const SMALL: [Pair; 7] = [
    Pair::Apart(Kind::Plain, Kind::Plain),
    Pair::Apart(Kind::PortRestricted, Kind::PortRestricted),
    Pair::Apart(Kind::FullCone, Kind::Symmetric),
    Pair::Apart(Kind::PortRestricted, Kind::Symmetric),
    Pair::Apart(Kind::OtherPort, Kind::Carrier),
    Pair::Apart(Kind::Ipv6Only, Kind::Ipv6Only),
    Pair::Office,
];

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Who meets whom.
    pub pairs: Vec<Pair>,
    /// What the one visits with who seeds, and the one who comes.
    pub clients: [Client; 2],
    /// How many pairs at one time: they wait more than they work.
    pub at_once: usize,
}

/// What a pair came to, against theory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// They could and did, or could not and were not introduced.
    Right,
    /// They could not connect and were introduced.
    InVain,
    /// They could connect and were not introduced.
    Missed,
    /// They connect where theory says no, or do not where it says yes.
    AgainstTheory,
}

impl Plan {
    /// Every pair of `kinds`, and pairs behind one router.
    #[must_use]
    pub fn whole(kinds: &[Kind], clients: [Client; 2], at_once: usize) -> Self {
        let apart = kinds.iter().flat_map(|offerer| kinds.iter().map(|answerer| Pair::Apart(*offerer, *answerer)));
        Self {
            pairs: apart.chain([Pair::Office, Pair::Provider { hairpins: false }, Pair::Provider { hairpins: true }]).collect(),
            clients,
            at_once,
        }
    }

    /// A few pairs, in less than half a minute.
    #[must_use]
    pub fn small() -> Self {
        Self { pairs: SMALL.to_vec(), clients: [Client::Native; 2], at_once: SMALL.len() }
    }

    /// Measures every pair; everything they make is below `folder`.
    ///
    /// # Errors
    /// When a network or a server cannot be made. A pair that does not connect is a result.
    pub fn run(&self, folder: &Path) -> anyhow::Result<Vec<Cell>> {
        let site = Site::make(folder, APP_BYTES)?;
        let (next, cells) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> anyhow::Result<()> {
            loop {
                let number = next.fetch_add(1, Relaxed);
                let Some(pair) = self.pairs.get(number) else { return Ok(()) };
                let cell = cell::measure(*pair, self.clients, &site, &folder.join(format!("pair-{number}")))?;
                eprintln!("lab: {} of {}, {}", number + 1, self.pairs.len(), report::line(&cell));
                cells.lock().map_err(|_| anyhow!("a pair's thread panicked"))?.push((number, cell));
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.at_once.max(1)).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a pair's thread panicked"))?)
        })?;
        let mut cells = cells.into_inner().map_err(|_| anyhow!("a pair's thread panicked"))?;
        cells.sort_by_key(|(number, _)| *number);
        Ok(cells.into_iter().map(|(_, cell)| cell).collect())
    }
}
