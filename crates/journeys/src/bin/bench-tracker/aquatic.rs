//! `aquatic_ws` and its load test, as `cargo install` brings them.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use viral_journeys::certificate;
use viral_journeys::process::Process;
use viral_journeys::wait;

/// Longest wait for it to listen.
const READY: Duration = Duration::from_secs(10);

/// Reports of the load test that do not count: it opens connections meanwhile, as far as those that there are let it.
const REPORTS_SKIPPED: usize = 2;

/// Reports that do.
const REPORTS: usize = 3;

/// Seconds between two reports of the load test.
const REPORT_S: f64 = 5.0;

/// Connections of the load test.
pub(crate) const CONNECTIONS: usize = 100;

/// Offers of one announce, as p2p-media-loader has them. The load test says as much as it can before all its connections are there, and with 10 offers that is more than the
/// 1 MiB a second that viral takes from one socket.
pub(crate) const OFFERS: usize = 5;

/// A running tracker.
pub(crate) struct Aquatic {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Aquatic {
    /// One with a worker for sockets and one for swarms, as it is by default; over TLS with the certificate in this folder.
    pub(crate) async fn start(tls: Option<&Path>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut config = format!("log_level = \"warn\"\n[network]\naddress = \"{address}\"\ntcp_backlog = 4096\n");
        if let Some(certificates) = tls {
            let [certificate, key] = certificate::files(certificates);
            config += &format!("enable_tls = true\ntls_certificate_path = {certificate:?}\ntls_private_key_path = {key:?}\n");
        }
        let file = folder.path().join("aquatic.toml");
        std::fs::write(&file, config)?;
        let process = Process::start(program("AQUATIC_WS", "aquatic_ws").arg("-c").arg(&file), folder.path())?;
        let is_there = async || tokio::net::TcpStream::connect(address).await;
        wait::try_until(READY, is_there).await.with_context(|| format!("aquatic_ws does not listen: {}", process.log()))?;
        Ok(Self { process, address, _folder: folder })
    }
}

/// Announces that a CPU-second of the server answered under aquatic's load test, which speaks TLS only.
pub(crate) fn load_test(to: SocketAddr, cpu_s: impl Fn() -> f64) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("load.toml");
    let config = format!(
        "server_address = \"{to}\"\nlog_level = \"error\"\nnum_workers = 1\nnum_connections_per_worker = {CONNECTIONS}\n\
         connection_creation_interval_ms = 2\nduration = {}\nmeasure_after_max_connections_reached = false\n\
         [torrents]\noffers_per_request = {OFFERS}\nnumber_of_torrents = 1\npeer_seeder_probability = 0.25\nweight_announce = 1\nweight_scrape = 0\n",
        REPORT_S as usize * (REPORTS_SKIPPED + REPORTS + 1),
    );
    std::fs::write(&file, config)?;
    let mut process = Process::start(program("AQUATIC_WS_LOAD_TEST", "aquatic_ws_load_test").arg("-c").arg(&file), folder.path())?;
    let limit = Duration::from_secs(60);
    let requests_out = |line: &str| line.strip_prefix("Requests out: ")?.strip_suffix("/second")?.parse::<f64>().ok();
    for _ in 0..REPORTS_SKIPPED {
        process.expect_line(limit, requests_out)?;
    }
    let (before, mut answered, mut used) = (cpu_s(), 0.0, 0.0);
    for _ in 0..REPORTS {
        answered += REPORT_S * process.expect_line(limit, requests_out)?;
        used = cpu_s() - before;
    }
    ensure!(answered > 0.0 && used > 0.0, "the load test got no answers: {}", process.log());
    Ok(answered / used)
}

fn program(variable: &str, name: &str) -> Command {
    Command::new(std::env::var_os(variable).unwrap_or_else(|| name.into()))
}
