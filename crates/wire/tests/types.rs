//! The TypeScript types of the signals: written on request, compared with the committed ones otherwise.

#![allow(clippy::unwrap_used, reason = "helpers of tests; a failed unwrap is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use ts_rs::TS;
use viral_wire::{
    PieceId,
    signal::{AnswerPost, DoctorPost, PeerToTracker, RecordPost, ThinBoot, TrackerToPeer, VisitPost},
};

/// Constants there, which `viral-swarm` makes.
const POLICIES: &str = "Policy.ts";

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../browser/src/core/generated");

/// With `TS_RS_EXPORT_DIR` set (`cargo xtask types`) the types are written there.
#[test]
fn export_bindings_match_the_committed_types() {
    if let Some(folder) = std::env::var_os("TS_RS_EXPORT_DIR") {
        return export(Path::new(&folder));
    }
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("types");
    let _ = fs::remove_dir_all(&fresh);
    export(&fresh);
    let (committed, fresh) = (files(Path::new(COMMITTED)), files(&fresh));
    let names: BTreeSet<_> = committed.keys().chain(fresh.keys()).collect();
    let stale: Vec<_> = names.into_iter().filter(|name| committed.get(*name) != fresh.get(*name)).collect();
    assert!(stale.is_empty(), "stale: {stale:?}; run cargo xtask types");
}

fn export(folder: &Path) {
    PeerToTracker::export_all_to(folder).unwrap();
    TrackerToPeer::export_all_to(folder).unwrap();
    ThinBoot::export_all_to(folder).unwrap();
    AnswerPost::export_all_to(folder).unwrap();
    VisitPost::export_all_to(folder).unwrap();
    RecordPost::export_all_to(folder).unwrap();
    DoctorPost::export_all_to(folder).unwrap();
    PieceId::export_all_to(folder).unwrap();
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let types = names.filter(|name| !name.ends_with(POLICIES));
    types.map(|name| (name.clone(), fs::read_to_string(folder.join(name)).unwrap())).collect()
}
