//! A page set as it survives a restart.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::types::{PageSetConfig, ReportKind, StaticReference, Vote};
use crate::limits::REFERENCES_REMEMBERED_MAX;
use crate::locality;

/// All of a [`PageSet`](super::PageSet) that is worth keeping. Names no visitor: of an address only the network is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageState {
    epoch: u64,
    visits: u64,
    references: Vec<ReferenceState>,
    entered: Vec<String>,
    reports: Vec<VoteState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceState {
    path: String,
    since: u64,
    judged: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoteState {
    network: IpAddr,
    kind: ReportKind,
    epoch: u64,
    bytes: u64,
    paths: Vec<String>,
}

/// What a state says, as a set takes it.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) epoch: u64,
    pub(super) visits: u64,
    pub(super) references: Vec<StaticReference>,
    pub(super) entered: BTreeSet<String>,
    /// Oldest first.
    pub(super) reports: VecDeque<Vote>,
}

impl PageState {
    /// What to keep of a set.
    pub(super) fn of(
        epoch: u64,
        visits: u64,
        references: &[StaticReference],
        entered: &BTreeSet<String>,
        reports: &VecDeque<Vote>,
    ) -> Self {
        let references = references.iter().take(REFERENCES_REMEMBERED_MAX);
        Self {
            epoch,
            visits,
            references: references
                .map(|StaticReference { path, since, judged, .. }| ReferenceState { path: path.clone(), since: *since, judged: *judged })
                .collect(),
            entered: entered.iter().cloned().collect(),
            reports: reports
                .iter()
                .map(|Vote { network, kind, epoch, bytes, paths, .. }| VoteState {
                    network: *network,
                    kind: *kind,
                    epoch: *epoch,
                    bytes: *bytes,
                    paths: paths.clone(),
                })
                .collect(),
        }
    }

    /// What it says, within the bounds of a set.
    pub(super) fn read(self, config: &PageSetConfig) -> Remembered {
        let epoch = self.epoch.min(u64::MAX / 2);
        let known = self.references.into_iter().take(REFERENCES_REMEMBERED_MAX);
        let votes = self.reports.into_iter().rev().take(config.reports_max).map(|vote| Vote {
            voter: None,
            network: locality::network_key(vote.network),
            kind: vote.kind,
            epoch: vote.epoch.min(epoch),
            paths: vote.paths.into_iter().take(config.assets_max).collect(),
            bytes: vote.bytes,
        });
        let mut reports: VecDeque<Vote> = votes.collect();
        reports.make_contiguous().reverse();
        Remembered {
            epoch,
            visits: self.visits,
            references: known
                .map(|known| StaticReference { path: known.path, critical: false, since: known.since.min(epoch), judged: known.judged })
                .collect(),
            entered: self.entered.into_iter().collect(),
            reports,
        }
    }
}
