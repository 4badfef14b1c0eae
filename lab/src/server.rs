//! The origin: the release build of viral, or nginx on the same files.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::client;
use crate::namespace::Namespace;
use crate::process::{Process, command};
use crate::site::Site;
use crate::topology::{Topology, origin_address};

/// Longest time until a server answers.
const READY: Duration = Duration::from_secs(20);

/// Where viral's counters are read, on the loopback of the origin's namespace.
const ADMIN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9090);

/// Bytes that left viral, by cause.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
pub struct OriginBytes {
    /// Documents.
    pub documents: u64,
    /// Assets.
    pub assets: u64,
    /// Pieces, manifests and records.
    pub pieces: u64,
    /// Thin answers and scripts.
    pub loader: u64,
    /// Signalling.
    pub signalling: u64,
}

/// The part of `GET /stats` that the lab reads.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Stats {
    /// Bytes that left, by cause.
    pub origin_bytes: OriginBytes,
    /// Peers that the tracker dropped because others reported forgeries.
    pub bans: u64,
    /// What is known of each page.
    #[serde(default)]
    pub pages: Vec<Page>,
    /// What became of introductions.
    #[serde(default)]
    pub matches: Matches,
    /// Why some did not become connections.
    #[serde(default)]
    pub connect_failures_by_cause: BTreeMap<String, u64>,
}

/// One page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Page {
    /// Peers that hold all of it and can be introduced.
    pub seeders: u64,
}

/// What became of introductions.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Matches {
    /// Offers given to visitors.
    pub offered: u64,
    /// Connections that opened.
    pub opened: u64,
    /// Answers without a connection.
    pub failed: u64,
}

impl OriginBytes {
    /// Bytes of the app itself.
    #[must_use]
    pub fn payload(&self) -> u64 {
        self.documents + self.assets + self.pieces
    }

    /// Everything else.
    #[must_use]
    pub fn overhead(&self) -> u64 {
        self.loader + self.signalling
    }
}

/// The viral under test: `VIRAL_BIN`, else the release build beside this program.
#[must_use]
pub fn viral_binary() -> PathBuf {
    std::env::var_os("VIRAL_BIN").map_or_else(|| beside("viral"), PathBuf::from)
}

/// The peer that forges: `ROGUE_BIN`, else the one beside this program.
#[must_use]
pub fn rogue_binary() -> PathBuf {
    std::env::var_os("ROGUE_BIN").map_or_else(|| beside("viral-rogue"), PathBuf::from)
}

/// A program built together with this one.
fn beside(name: &str) -> PathBuf {
    std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(name))).unwrap_or_else(|| PathBuf::from(name))
}

/// Starts `viral serve` in the origin's namespace with `more` options.
///
/// # Errors
/// When it does not get ready.
pub fn start_viral(topology: &Topology, site: &Site, more: &[String]) -> anyhow::Result<Process> {
    let mut serve = command(viral_binary());
    serve
        .arg("serve")
        .arg(&site.folder)
        .args(["--listen", &origin_address().to_string()])
        .args(["--admin-listen", &SocketAddr::from(ADMIN).to_string()])
        .args(more)
        .env("TMPDIR", &topology.folder)
        .current_dir(&topology.folder);
    let log = topology.folder.join("viral-serve.log");
    let process = topology.origin().run(move || Process::start(&mut serve, "viral serve", &log)).wait()??;
    process.expect_line("listening", READY)?;
    Ok(process)
}

/// What viral counted so far.
///
/// # Errors
/// When it does not answer.
pub fn stats(origin: &Namespace) -> anyhow::Result<Stats> {
    let body = origin.run(|| client::get(SocketAddr::from(ADMIN), "/stats")).wait()?.context("the origin's counters")?;
    serde_json::from_slice(&body).context("the origin's counters")
}

/// Starts nginx in the origin's namespace, as a plain static server with its defaults.
///
/// # Errors
/// When it is not installed or does not get ready.
pub fn start_nginx(topology: &Topology, site: &Site) -> anyhow::Result<Process> {
    let folder = topology.folder.join("nginx");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration(&folder, site))?;
    let mut nginx = command(nginx_binary().context("nginx is missing (Debian: nginx-light)")?);
    nginx.arg("-p").arg(&folder).arg("-c").arg(&file);
    let log = topology.folder.join("nginx.log");
    let mut process = topology.origin().run(move || Process::start(&mut nginx, "nginx", &log)).wait()??;
    let deadline = Instant::now() + READY;
    loop {
        let answer = topology.origin().run(|| client::get(origin_address(), "/")).wait()?;
        match answer {
            Ok(_) => return Ok(process),
            Err(error) if Instant::now() >= deadline || process.has_ended(Instant::now()) => {
                bail!("nginx does not serve: {error:#}; {}", std::fs::read_to_string(topology.folder.join("nginx.log")).unwrap_or_default())
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn nginx_binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps servers in /usr/sbin, which a plain user's PATH leaves out.
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.find_map(|folder| Some(folder.join("nginx")).filter(|candidate| candidate.is_file()))
}

/// One process, so that its end is the end of all of it.
fn configuration(folder: &Path, site: &Site) -> String {
    let (folder, root, listen) = (folder.display(), site.folder.display(), origin_address());
    format!(
        "user root;\ndaemon off;\nmaster_process off;\nworker_processes 1;\nerror_log stderr;\npid {folder}/nginx.pid;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  sendfile on;\n  tcp_nopush on;\n  access_log off;\n  default_type application/octet-stream;\n\
         types {{ text/html html; }}\n  client_body_temp_path {folder}/body;\n  proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/fastcgi;\n  uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n\
         server {{ listen {listen}; root {root}; }}\n}}\n"
    )
}
