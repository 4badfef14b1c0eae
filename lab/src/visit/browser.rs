//! A visit by a real browser, which lives in its visitor's namespace and is told where to go through WebDriver.
//!
//! Only a secure origin has service workers, and without TLS that is localhost alone. So a forwarder in the visitor's own namespace carries
//! `http://localhost/` to the origin, which sees the visitor's own address.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::sleep;
use viral_journeys::browser::{Engine, Setting};
use viral_journeys::visitor::{self, Status};

use super::{Got, PATIENCE, Stage, VisitResult};
use crate::forward;
use crate::scenario::Visitor;
use crate::topology::origin_address;

/// Browser and driver get a table of processes of their own, all of which the kernel kills together with the namespace's thread.
const UNDER: &[&str] = &["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];

/// Where the browser finds the origin.
const NEAR: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 80);
const PAGE: &str = "http://localhost/";

/// Between two looks at the page. It notes itself when the app was there.
const LOOK: Duration = Duration::from_millis(200);

/// Longest wait for the page's account once the app runs: its script comes after everything else.
const ACCOUNT: Duration = Duration::from_secs(5);

/// What the lab's page notes once it has everything.
#[derive(Debug, Deserialize)]
struct Loaded {
    /// Milliseconds since 1970.
    at: f64,
    /// Bytes of all assets.
    bytes: u64,
}

/// What is waited for, and until when.
struct Awaits<'a> {
    limit: Instant,
    is_over: &'a AtomicBool,
    /// Bytes of all assets.
    assets_len: u64,
    /// Whether the server is viral.
    has_account: bool,
}

/// A browser that shows nothing yet.
pub struct Browser {
    visitor: visitor::Visitor,
    /// Drives `visitor`; both belong to the thread of one namespace.
    runtime: Runtime,
    engine: Engine,
}

impl Browser {
    /// Starts one in the calling thread's namespace; its files go below `folder`.
    ///
    /// # Errors
    /// When the browser or its driver does not start.
    pub fn start(engine: Engine, folder: &Path) -> anyhow::Result<Self> {
        Self::with(engine, Setting { folder: Some(folder.to_owned()), ..Setting::default() })
    }

    /// The same, for whom the origin's own address is as good as localhost.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_outside(engine: Engine, folder: &Path, host: &str) -> anyhow::Result<Self> {
        Self::with(engine, Setting { folder: Some(folder.to_owned()), secure_host: Some(host.to_owned()), ..Setting::default() })
    }

    fn with(engine: Engine, setting: Setting) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
        let visitor = runtime.block_on(visitor::Visitor::start(engine, &Setting { under: UNDER, ..setting }))?;
        Ok(Self { visitor, runtime, engine })
    }

    /// Opens the app and stays. `report` is called once, as soon as the outcome is known; `has_account` says whether the server is viral.
    pub fn visit(self, stage: &Stage, (index, visitor): (usize, &Visitor), has_account: bool, report: impl FnOnce(VisitResult)) {
        stage.wait_until(stage.arrival(visitor));
        let mut visit = stage.visit(index, visitor);
        visit.browser = Some(format!("{:?}", self.engine).to_lowercase());
        self.runtime.block_on(async {
            match self.load_near(stage, has_account).await {
                Ok(got) => {
                    let done_s = visit.arrived_s + got.ms_total as f64 / 1e3;
                    visit.done_s = (stage.begins + Duration::from_secs_f64(done_s) <= stage.limit).then_some(done_s);
                    visit.got = got;
                }
                Err(error) => visit.got.error = Some(format!("{error:#}")),
            }
            report(visit);
            while !stage.is_over.load(Relaxed) {
                sleep(PATIENCE).await;
            }
        });
    }

    /// Opens the app at `url` and stays until `is_over`. `report` hears of the app once it is there, at `limit` at the latest.
    pub fn stay(self, url: &str, expected: u64, (limit, is_over): (Instant, &AtomicBool), report: impl FnOnce(Got)) {
        let awaits = Awaits { limit, is_over, assets_len: expected, has_account: true };
        self.runtime.block_on(async {
            report(self.load(url, &awaits).await.unwrap_or_else(|error| Got { error: Some(format!("{error:#}")), ..Got::default() }));
            while !is_over.load(Relaxed) {
                sleep(PATIENCE).await;
            }
        });
    }

    async fn load_near(&self, stage: &Stage, has_account: bool) -> anyhow::Result<Got> {
        forward::start(SocketAddr::from(NEAR), origin_address()).await.context("the forwarder to the origin")?;
        let awaits = Awaits { limit: stage.limit, is_over: &stage.is_over, assets_len: stage.site.assets_len(), has_account };
        self.load(PAGE, &awaits).await
    }

    async fn load(&self, url: &str, awaits: &Awaits<'_>) -> anyhow::Result<Got> {
        let began_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1e3;
        self.visitor.try_open(url).await.map_err(|error| anyhow!("the browser refuses to open the page: {error}"))?;
        let loaded: Loaded = self.until(awaits, awaits.limit, "window.lab").await.context("the app")?.1;
        ensure!(loaded.bytes == awaits.assets_len, "the app has {} bytes of assets instead of {}", loaded.bytes, awaits.assets_len);
        let mut got = Got { ok: true, ms_total: (loaded.at - began_ms).max(0.0) as u64, ..Got::default() };
        if awaits.has_account {
            let deadline = awaits.limit.min(Instant::now() + ACCOUNT);
            let account = self.until::<Status>(awaits, deadline, "window.viral && window.viral.status && window.viral.status()").await;
            account_for(&mut got, &account.context("the page's account")?);
        }
        Ok(got)
    }

    /// The value of an expression as soon as the page has one, as it is and read as `T`.
    async fn until<T: for<'de> Deserialize<'de>>(
        &self,
        awaits: &Awaits<'_>,
        deadline: Instant,
        expression: &str,
    ) -> anyhow::Result<(Value, T)> {
        let script = format!("return ({expression}) || null");
        loop {
            // Between two documents there is none to ask.
            let value = self.visitor.try_run(&script).await.unwrap_or(Value::Null);
            if !value.is_null() {
                let read = T::deserialize(&value).with_context(|| value.to_string())?;
                return Ok((value, read));
            }
            if Instant::now() >= deadline || awaits.is_over.load(Relaxed) {
                bail!("not there within the limit");
            }
            sleep(LOOK).await;
        }
    }
}

/// Takes over what the page says of itself.
fn account_for(got: &mut Got, (said, status): &(Value, Status)) {
    got.answer = Some(status.answer.clone());
    got.bytes_from_peers = status.bytes_from_peers;
    got.bytes_from_origin = status.bytes_from_origin;
    got.pieces = status.pieces_verified;
    got.bans = status.bans;
    got.peers_used = said["sources"].as_array().map_or(0, Vec::len) as u64;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_pages_account_becomes_the_visitors() {
        let said = json!({
            "role": "seeder", "answer": "thin", "peers": 3, "bytesFromPeers": 7, "bytesFromOrigin": 5, "bytesToPeers": 1,
            "piecesVerified": 2, "bans": 1, "sources": [{ "peer": 1, "bytes": 4 }, { "peer": 2, "bytes": 3 }],
        });
        let status = Status::deserialize(&said).unwrap();
        let mut got = Got { ok: true, ms_total: 9, ..Got::default() };
        account_for(&mut got, &(said, status));
        assert_eq!((got.answer.as_deref(), got.bytes_from_peers, got.bytes_from_origin), (Some("thin"), 7, 5));
        assert_eq!((got.pieces, got.bans, got.peers_used, got.ms_total), (2, 1, 2, 9));
    }
}
