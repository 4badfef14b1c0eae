//! One of the two visitors of a pair: the native peer, or a browser.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::Signal;
use serde::Serialize;
use viral_journeys::browser::Engine;

use crate::namespace::Pending;
use crate::process::{Line, Process, command};
use crate::scenario::ORIGIN_ADDRESS;
use crate::server::viral_binary;
use crate::topology::Topology;
use crate::visit::Got;
use crate::visit::browser::Browser;

/// What somebody visits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// `viral seed` and `viral get`
    Native,
    /// A real Chromium
    Chromium,
    /// A real Firefox
    Firefox,
}

/// What it is told to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'a> {
    /// Which of the topology's machines it is.
    pub machine: usize,
    /// Where the app is.
    pub url: &'a str,
    /// Bytes of all assets of the app.
    pub assets_len: u64,
    /// The longest that it may take until it has the app.
    pub within: Duration,
}

/// A visitor that has come. Dropped, it is gone.
pub(super) enum PreparedVisitor {
    Native(Process),
    Tab { got: Receiver<Got>, is_over: Arc<AtomicBool>, ends: Pending<()> },
}

impl Client {
    /// The one that is first, and seeds.
    pub(super) fn seed(self, topology: &Topology, task: Task<'_>) -> anyhow::Result<PreparedVisitor> {
        match self.engine() {
            None => native(topology, task.machine, "viral seed", &["seed", task.url, "--store", "seeder"]),
            Some(engine) => tab(engine, topology, task),
        }
    }

    /// The one that comes.
    pub(super) fn come(self, topology: &Topology, task: Task<'_>) -> anyhow::Result<PreparedVisitor> {
        let stay = task.within.as_secs().to_string();
        match self.engine() {
            None => native(topology, task.machine, "viral get", &["get", task.url, "--json", "--stay", &stay]),
            Some(engine) => tab(engine, topology, task),
        }
    }

    /// Whether it is a browser.
    #[must_use]
    pub fn is_browser(self) -> bool {
        self.engine().is_some()
    }

    fn engine(self) -> Option<Engine> {
        match self {
            Self::Native => None,
            Self::Chromium => Some(Engine::Chromium),
            Self::Firefox => Some(Engine::Firefox),
        }
    }
}

impl PreparedVisitor {
    /// What it says of its visit, if it says that before `deadline`.
    pub(super) fn got(&self, deadline: Instant) -> Option<Got> {
        match self {
            Self::Native(process) => match process.line(deadline) {
                Line::Said(line) => serde_json::from_str(&line).ok(),
                Line::Nothing => None,
                Line::Ended => {
                    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
                    None
                }
            },
            Self::Tab { got, .. } => got.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok(),
        }
    }

    /// Says goodbye, if that takes no longer than `limit`.
    pub(super) fn leave(self, limit: Duration) {
        match self {
            Self::Native(mut process) => {
                process.signal(Signal::TERM);
                process.has_ended(Instant::now() + limit);
            }
            Self::Tab { is_over, ends, .. } => {
                is_over.store(true, Relaxed);
                // The browser ends with its namespace at the latest.
                let _ = ends.wait();
            }
        }
    }
}

fn native(topology: &Topology, machine: usize, name: &'static str, arguments: &[&str]) -> anyhow::Result<PreparedVisitor> {
    let mut viral = command(viral_binary());
    viral.args(arguments).args(["--log", "debug"]);
    viral.env("TMPDIR", &topology.folder).env("HOME", &topology.folder).current_dir(&topology.folder);
    let log = topology.folder.join(format!("{}.log", name.replace(' ', "-")));
    Ok(PreparedVisitor::Native(topology.namespaces[machine].run(move || Process::start(&mut viral, name, &log)).wait()??))
}

/// A browser takes seconds to start, which are not part of its visit.
fn tab(engine: Engine, topology: &Topology, Task { machine, url, assets_len, within }: Task<'_>) -> anyhow::Result<PreparedVisitor> {
    let (namespace, folder, url) = (&topology.namespaces[machine], topology.folder.clone(), url.to_owned());
    let browser = namespace.run(move || start(engine, &folder)).wait()??;
    let (said, got) = mpsc::channel();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let ends = namespace.run(move || {
        browser.stay(&url, assets_len, (Instant::now() + within, &over), |got| {
            let _ = said.send(got);
        });
    });
    Ok(PreparedVisitor::Tab { got, is_over, ends })
}

fn start(engine: Engine, folder: &Path) -> anyhow::Result<Browser> {
    Browser::start_outside(engine, folder, &ORIGIN_ADDRESS.to_string())
}
