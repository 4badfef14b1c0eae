//! coturn beside viral: the STUN server that is in use everywhere.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::{deadlines, stun, wait};

/// A running coturn that answers STUN only, in one thread. Ended when dropped.
#[derive(Debug)]
pub struct Coturn {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Coturn {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("/usr/bin/turnserver");
        command.args([
            "--stun-only",
            "--listening-ip",
            "127.0.0.1",
            "--relay-threads",
            "1",
            "--no-tcp",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
        ]);
        command.args(["--no-software-attribute", "--no-stdout-log", "--simple-log", "--log-file", "/dev/null"]);
        command.arg("--pidfile").arg(folder.path().join("pid"));
        command.args(["--listening-port", &address.port().to_string()]).current_dir(folder.path());
        let process = Process::start(&mut command, folder.path())?;
        wait::until("coturn answers", deadlines::SERVER_READY, async || {
            if stun::is_answered(address) { Ok(()) } else { Err("no answer".to_owned()) }
        })
        .await;
        Ok(Self { process, address, _folder: folder })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Seconds of a processor that it used until now.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }
}
