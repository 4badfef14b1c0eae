//! The Redis in which servers of one site meet.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::{deadlines, wait};

/// A running Redis that keeps nothing. Ended when dropped.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Redis {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    ///
    /// # Panics
    /// When it does not listen within [`deadlines::SERVER_READY`].
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &address.port().to_string()]);
        let process = Process::start(command.current_dir(folder.path()), folder.path())?;
        wait::until("redis listens", deadlines::SERVER_READY, async || {
            TcpStream::connect(address).map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        Ok(Self { address, process, _folder: folder })
    }

    /// As `--cluster` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
