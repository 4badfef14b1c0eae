//! The server under test: the built binary, started as an operator would start it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Reply};
use crate::process::{LeftBehind, Process};
use crate::{deadlines, wait};

/// A running `viral serve DIR` or `viral proxy URL`, ended when dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
    binary: PathBuf,
    arguments: Vec<OsString>,
    address: SocketAddr,
    admin: SocketAddr,
    logs: TempDir,
}

/// What `/stats` on the admin address says, as far as the contract promises it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    /// Document answers by kind.
    pub answers: Answers,
    /// Bytes the server sent, by cause.
    pub origin_bytes: OriginBytes,
    /// Pages that seed now.
    pub seeders: u64,
    /// Pages that download now.
    pub leechers: u64,
    /// Peers dropped for what they sent.
    pub bans: u64,
    /// What became of introductions: a promise of ours, not of the contract; only shown in messages.
    #[serde(default)]
    pub matches: serde_json::Value,
    /// What came of STUN, null where it is off.
    #[serde(default)]
    pub stun: serde_json::Value,
    /// How the other servers of the site are, null where there are none.
    #[serde(default)]
    pub cluster: serde_json::Value,
    /// What the tracker for WebTorrent clients did, null where there is none.
    #[serde(default)]
    pub webtorrent: serde_json::Value,
    /// How often each reason decided, by kind of answer.
    #[serde(default)]
    pub reasons: BTreeMap<String, BTreeMap<String, u64>>,
    /// What is known of each page.
    #[serde(default)]
    pub pages: Vec<PageStats>,
}

/// What is known of one page.
#[derive(Debug, Clone, Deserialize)]
pub struct PageStats {
    /// Its path.
    pub page: String,
    /// Bytes of its page set.
    pub set_bytes: u64,
    /// Peers that hold all of it and can be introduced or are connected.
    pub seeders: u64,
}

impl Stats {
    /// How many answers of `kind` had `reason`.
    #[must_use]
    pub fn reason(&self, kind: &str, reason: &str) -> u64 {
        self.reasons.get(kind).and_then(|reasons| reasons.get(reason)).copied().unwrap_or_default()
    }
}

/// Document answers by kind.
#[derive(Debug, Clone, Deserialize)]
pub struct Answers {
    /// The page and the viral addition.
    pub full: u64,
    /// The loader only.
    pub thin: u64,
    /// The page as it is.
    pub plain: u64,
}

/// Bytes the server sent on the wire, by cause.
#[derive(Debug, Clone, Deserialize)]
pub struct OriginBytes {
    /// Full and plain documents.
    pub documents: u64,
    /// Assets served as files.
    pub assets: u64,
    /// Pieces served to peers that found no other source in time.
    pub pieces: u64,
    /// Thin answers and our scripts.
    pub loader: u64,
    /// Messages of the tracker.
    pub signalling: u64,
}

impl OriginBytes {
    /// Bytes of the app itself: what peers are there to save.
    #[must_use]
    pub fn of_app(&self) -> u64 {
        self.documents + self.assets + self.pieces
    }

    /// Bytes that are no part of the app: thin answers, our scripts, messages of the tracker.
    #[must_use]
    pub fn besides_app(&self) -> u64 {
        self.loader + self.signalling
    }

    /// Bytes of all causes.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.of_app() + self.besides_app()
    }
}

impl Server {
    /// Serves `folder` on free loopback ports with `more` arguments, every other setting as it is by default: a site is viral
    /// only if it is as large as the sites of users are.
    ///
    /// # Panics
    /// When the server does not come up; the message carries its log.
    pub async fn serve(folder: &Path, more: &[&str]) -> Self {
        let mut arguments: Vec<OsString> = vec!["serve".into(), folder.into()];
        arguments.extend(more.iter().map(OsString::from));
        Self::start(arguments).await
    }

    /// Serves `folder` as [`serve`](Self::serve) does, by another build of viral.
    ///
    /// # Panics
    /// When the server does not come up; the message carries its log.
    pub async fn serve_with(binary: &Path, folder: &Path, more: &[&str]) -> Self {
        let mut arguments: Vec<OsString> = vec!["serve".into(), folder.into()];
        arguments.extend(more.iter().map(OsString::from));
        Self::start_with(binary.to_owned(), arguments).await
    }

    /// Serves in front of another server, as [`serve`](Self::serve) otherwise.
    ///
    /// # Panics
    /// When the server does not come up; the message carries its log.
    pub async fn proxy(behind: SocketAddr, more: &[&str]) -> Self {
        let mut arguments: Vec<OsString> = vec!["proxy".into(), format!("http://{behind}").into()];
        arguments.extend(more.iter().map(OsString::from));
        Self::start(arguments).await
    }

    /// Serves the demo: the binary without a directory, on free loopback ports.
    ///
    /// # Panics
    /// When the server does not come up; the message carries its log.
    pub async fn demo() -> Self {
        Self::start(Vec::new()).await
    }

    async fn start(arguments: Vec<OsString>) -> Self {
        Self::start_with(binary(), arguments).await
    }

    async fn start_with(binary: PathBuf, arguments: Vec<OsString>) -> Self {
        let logs = tempfile::tempdir().expect("a temporary folder for logs");
        let (process, address, admin) = spawn((&binary, &arguments), "127.0.0.1:0", "127.0.0.1:0", logs.path()).expect("the server starts");
        Self { process, binary, arguments, address, admin, logs }
    }

    /// Ends the server by SIGTERM and starts it again on the same ports.
    ///
    /// # Panics
    /// When it does not end in time, ends with a failure or does not come back.
    pub async fn restart(&mut self) {
        self.stop().await;
        let (listen, admin) = (self.address.to_string(), self.admin.to_string());
        let (process, ..) = spawn((&self.binary, &self.arguments), &listen, &admin, self.logs.path()).expect("the server starts again");
        self.process = process;
    }

    /// Has a successor take the server's place by SIGUSR2, and waits until the predecessor has ended.
    ///
    /// # Panics
    /// When there is none in time, or the predecessor ends with a failure.
    pub async fn succeed(&mut self) -> LeftBehind {
        self.process.signal_user2();
        let successor = wait::until("a successor serves", deadlines::SERVER_READY, async || {
            let log = self.process.log();
            let (_, line) = log.split_once("the successor serves").ok_or_else(|| log.clone())?;
            let number = line.lines().next().and_then(|line| line.split_once("process=")).map(|(_, number)| number.trim().parse());
            number.and_then(Result::ok).ok_or_else(|| log.clone())
        });
        let successor = LeftBehind::of(successor.await);
        let status = self.process.exited(deadlines::SERVER_GONE).await.expect("the predecessor ends");
        assert!(status.success(), "the predecessor ended with {status}:\n{}", self.process.log());
        successor
    }

    /// Ends the server by SIGTERM.
    ///
    /// # Panics
    /// When it does not end in time or ends with a failure.
    pub async fn stop(&mut self) {
        let status = self.process.terminate().await.expect("the server ends on SIGTERM");
        assert!(status.success(), "SIGTERM ended the server with {status}:\n{}", self.process.log());
    }

    /// Kills the server: it says goodbye to nobody.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Address of the app.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the operator.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Whole URL of a path of the app.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What the server logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Seconds of a processor that it used until now.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }

    /// Whole URL of a path of the operator's.
    #[must_use]
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    /// Whole URL of a path of the app, where it is served with TLS.
    #[must_use]
    pub fn secure_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Memory of the server, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// `GET path` of the app, as curl would send it, with these headers.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        http::get(self.address, path, headers).await.expect("the server answers")
    }

    /// What `/stats` says now.
    ///
    /// # Panics
    /// When it does not say what the contract promises.
    pub async fn stats(&self) -> Stats {
        let reply = http::get(self.admin, "/stats", &[]).await.expect("the admin address answers");
        serde_json::from_slice(&reply.body).with_context(|| reply.text()).expect("/stats holds what the contract promises")
    }

    /// What another path of the admin address says now, as JSON.
    ///
    /// # Panics
    /// When it says something else.
    pub async fn told(&self, path: &str) -> Value {
        let reply = http::get(self.admin, path, &[]).await.expect("the admin address answers");
        serde_json::from_slice(&reply.body).with_context(|| reply.text()).expect("what operators are told is JSON")
    }

    /// Waits until `/stats` satisfies `wanted` and returns it.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`].
    pub async fn until_stats(&self, what: &str, wanted: impl Fn(&Stats) -> bool) -> Stats {
        wait::until(what, deadlines::CONDITION, async || {
            let stats = self.stats().await;
            if wanted(&stats) { Ok(stats) } else { Err(format!("{stats:?}")) }
        })
        .await
    }

    /// Waits until exactly `count` pages seed.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`].
    pub async fn until_seeders(&self, count: u64) -> Stats {
        self.until_stats(&format!("{count} pages seed"), |stats| stats.seeders == count).await
    }
}

/// The binary under test: `VIRAL_BIN`, else the debug build beside this test's own binary.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("VIRAL_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a test knows its own binary");
    let built = test.ancestors().map(|folder| folder.join("viral")).find(|path| path.is_file());
    built.expect("viral is built first: cargo build --package viral, or set VIRAL_BIN")
}

/// The binary with these arguments and nothing of the environment that would configure it.
#[must_use]
pub fn command(arguments: &[OsString]) -> Command {
    command_of(&binary(), arguments)
}

fn command_of(binary: &Path, arguments: &[OsString]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_string_lossy().starts_with("VIRAL_");
        if is_ours {
            command.env_remove(name);
        }
    }
    command
}

fn spawn(
    (binary, arguments): (&Path, &[OsString]),
    listen: &str,
    admin: &str,
    logs: &Path,
) -> anyhow::Result<(Process, SocketAddr, SocketAddr)> {
    let mut command = command_of(binary, arguments);
    // A folder of our own, so that nobody's viral.toml is picked up.
    command.args(["--listen", listen, "--admin-listen", admin]).current_dir(logs);
    let mut process = Process::start(&mut command, logs)?;
    let (mut app, mut stats) = (None, None);
    let (app, stats) = process.expect_line(deadlines::SERVER_READY, |line| {
        app = app.or_else(|| {
            let rest = line.strip_prefix("listening on http")?;
            rest.trim_start_matches('s').strip_prefix("://")?.parse().ok()
        });
        stats = stats.or_else(|| line.strip_prefix("admin on http://")?.parse().ok());
        Some((app?, stats?))
    })?;
    Ok((process, app, stats))
}
