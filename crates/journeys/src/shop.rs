//! A site as many are, in node: static files from Express, a page for who is logged in, a chat over WebSocket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::deadlines;
use crate::process::Process;

/// The running server, ended when dropped.
#[derive(Debug)]
pub struct Shop {
    _process: Process,
    _folder: TempDir,
    address: SocketAddr,
}

impl Shop {
    /// Serves `files` and what is made for each visitor, on a free loopback port.
    ///
    /// # Panics
    /// When node or its packages are missing.
    #[must_use]
    pub fn start(files: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("apps/shop.mjs");
        let mut process = Process::start(Command::new("node").arg(script).arg(files), folder.path()).expect("node starts");
        let port: u16 = process.expect_line(deadlines::SERVER_READY, |line| line.strip_prefix("port ")?.parse().ok()).expect("it listens");
        Self { _process: process, _folder: folder, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
