//! Holds the crates to the one direction of dependency that the code map in ARCHITECTURE.md draws.

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::shell::root;

/// Each crate with every crate of ours that it may use. A crate missing here may use none and be used by none.
const ALLOWED: &[(&str, &[&str])] = &[
    ("viral-wire", &[]),
    ("viral-swarm", &["viral-wire"]),
    ("viral-site", &["viral-wire"]),
    ("viral-server", &["viral-wire", "viral-swarm", "viral-site"]),
    ("viral-peer", &["viral-wire", "viral-swarm"]),
    ("viral-netsim", &[]),
    ("viral-sim", &["viral-wire", "viral-swarm", "viral-netsim"]),
    // The demo makes its own assets; nothing of the product is in it.
    ("viral-demo", &[]),
    ("viral-upstream", &["viral-wire", "viral-swarm", "viral-site", "viral-server"]),
    ("viral", &["viral-wire", "viral-swarm", "viral-server", "viral-upstream", "viral-peer", "viral-demo", "viral-sim"]),
    ("viral-fuzz", &["viral-wire", "viral-swarm", "viral-site"]),
    // Journeys and the lab look at the product from outside only.
    ("viral-journeys", &[]),
    ("viral-lab", &["viral-journeys", "viral-netsim"]),
    ("xtask", &[]),
];

/// What brings a clock, a task or a socket into a crate; none of it belongs in the pure ones.
const IMPURE: &[&str] = &["tokio", "axum", "hyper", "reqwest", "mio", "tracing", "rand", "notify"];
const PURE: &[&str] = &["viral-wire", "viral-swarm"];

/// Each dependency that is not allowed, in words.
pub(super) fn faults() -> anyhow::Result<Vec<String>> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
    let members = metadata.workspace_packages();
    let ours: Vec<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &members {
        let name = package.name.as_str();
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, uses)| uses);
        // What only tests use never reaches a user.
        for used in package.dependencies.iter().filter(|used| used.kind != DependencyKind::Development) {
            let used = used.name.as_str();
            if ours.contains(&used) && !allowed.contains(&used) {
                faults.push(format!("{name} uses {used}, which ARCHITECTURE.md does not allow"));
            }
            if PURE.contains(&name) && IMPURE.contains(&used) {
                faults.push(format!("{name} is pure but uses {used}"));
            }
        }
    }
    Ok(faults)
}
