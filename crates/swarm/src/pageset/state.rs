//! A page set as it survives a restart.

use std::collections::VecDeque;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Budget, Chosen, PageSet, PageSetConfig, Reference, ReportKind, Served, StaticReference, Vote};
use crate::limits::REFERENCES_REMEMBERED_MAX;
use crate::nearness;

/// All of a [`PageSet`] that is worth keeping. Names no visitor: of an address only the network is in it.
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

impl PageSet {
    /// What to keep of this set.
    #[must_use]
    pub fn state(&self) -> PageState {
        let references = self.references.iter().take(REFERENCES_REMEMBERED_MAX);
        PageState {
            epoch: self.epoch,
            visits: self.visits,
            references: references
                .map(|StaticReference { path, since, judged, .. }| ReferenceState { path: path.clone(), since: *since, judged: *judged })
                .collect(),
            entered: self.entered.iter().cloned().collect(),
            reports: self
                .reports
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

    /// The set that this state was taken of, for the site as it is now. What the state says is believed as far as reports are: whoever can write it
    /// is the operator.
    #[must_use]
    pub fn restore(config: PageSetConfig, document: &str, state: PageState, references: &[Reference], served: Served<'_>) -> Self {
        let epoch = state.epoch.min(u64::MAX / 2);
        let known = state.references.into_iter().take(REFERENCES_REMEMBERED_MAX);
        let votes = state.reports.into_iter().rev().take(config.reports_max).map(|vote| Vote {
            voter: None,
            network: nearness::prefix(vote.network),
            kind: vote.kind,
            epoch: vote.epoch.min(epoch),
            paths: vote.paths.into_iter().take(config.assets_max).collect(),
            bytes: vote.bytes,
        });
        let mut reports: std::collections::VecDeque<Vote> = votes.collect();
        reports.make_contiguous().reverse();
        let mut set = Self {
            config,
            document: document.to_owned(),
            references: known
                .map(|known| StaticReference { path: known.path, critical: false, since: known.since.min(epoch), judged: known.judged })
                .collect(),
            reports,
            entered: state.entered.into_iter().collect(),
            epoch,
            visits: state.visits,
            chosen: Chosen::default(),
            budget: Budget::full(),
            pending: false,
            own_workers: VecDeque::new(),
        };
        set.handle_site(references, served);
        set
    }
}
