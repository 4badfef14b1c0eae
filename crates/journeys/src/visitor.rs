//! A visitor: one fresh browser, and what can be asked of the page it shows.

use std::time::Duration;

use anyhow::Context as _;
use fantoccini::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Engine, Setting};
use crate::driver::Driver;
use crate::{certificate, deadlines, firefox, wait};

pub mod devtools;

/// A browser with a fresh profile. Dropping it kills the browser; [`leave`](Self::leave) closes its tab first.
#[derive(Debug)]
pub struct Visitor {
    client: Client,
    engine: Engine,
    // Before the folder: the browser must be gone when its files go.
    driver: Driver,
    _folder: TempDir,
}

/// What `window.viral.status()` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `seeder`, `leecher` or `off`.
    pub role: String,
    /// The answer this page came with: `full`, `thin`, `plain`.
    pub answer: String,
    /// Connections open now.
    pub peers: u64,
    /// Verified bytes that came from peers.
    pub bytes_from_peers: u64,
    /// Bytes that came from the server.
    pub bytes_from_origin: u64,
    /// Bytes sent to peers.
    pub bytes_to_peers: u64,
    /// Pieces that matched their digest.
    pub pieces_verified: u64,
    /// Peers this page will not talk to again.
    pub bans: u64,
}

impl Visitor {
    /// A fresh browser of `engine` that shows nothing yet.
    ///
    /// # Panics
    /// When the browser or its driver does not start.
    pub async fn fresh(engine: Engine) -> Self {
        Self::with(engine, Setting::default()).await
    }

    /// A fresh browser with a special setting.
    ///
    /// # Panics
    /// When the browser or its driver does not start.
    pub async fn with(engine: Engine, setting: Setting) -> Self {
        Self::start(engine, &setting).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// [`with`](Self::with) for whom a browser that does not start is no failed journey.
    ///
    /// # Errors
    /// When the browser or its driver does not start.
    pub async fn start(engine: Engine, setting: &Setting) -> anyhow::Result<Self> {
        let folder = setting.folder.as_ref().map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        let folder = folder.context("a temporary folder for a profile")?;
        if let Some(certificate) = &setting.trusts {
            certificate::trust(folder.path(), certificate)?;
        }
        if engine == Engine::Firefox {
            firefox::make_profile(folder.path()).await.context("a profile for Firefox")?;
        }
        let (driver, client) = Driver::with_browser(engine, folder.path(), setting).await?;
        let visitor = Self { client, engine, driver, _folder: folder };
        if let Some(script) = &setting.script_before_load {
            visitor.run_before_load(script).await;
        }
        Ok(visitor)
    }

    /// A fresh browser of `engine` that opens `url` and waits until the page's app says it runs.
    ///
    /// # Panics
    /// As [`fresh`](Self::fresh) and [`until_app_runs`](Self::until_app_runs).
    pub async fn visiting(engine: Engine, url: &str) -> Self {
        let visitor = Self::fresh(engine).await;
        visitor.open(url).await;
        visitor.until_app_runs().await;
        visitor
    }

    /// Whose browser this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Starts a navigation, and waits until the page before it is gone; not for what the new one does.
    ///
    /// # Panics
    /// When the driver refuses, or nothing answers until [`deadlines::CONDITION`].
    pub async fn open(&self, url: &str) {
        self.navigate("open", self.client.goto(url)).await;
    }

    /// [`open`](Self::open) where a refusal is no failed journey.
    ///
    /// # Errors
    /// When the driver refuses.
    pub async fn try_open(&self, url: &str) -> Result<(), String> {
        match tokio::time::timeout(deadlines::COMMAND, self.client.goto(url)).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no reply within {:?}", deadlines::COMMAND)),
        }
    }

    /// Reloads the page, and waits until the old one is gone; not for what the new one does.
    ///
    /// # Panics
    /// When the driver refuses, or nothing answers until [`deadlines::CONDITION`].
    pub async fn reload(&self) {
        self.navigate("reload", self.client.refresh()).await;
    }

    /// Goes to another page. The driver answers before it shows that one, so what a journey asks next the old one might answer: it is marked, and waited for to be gone.
    async fn navigate(&self, name: &str, command: impl Future<Output = Result<(), fantoccini::error::CmdError>>) {
        let marking = "return window.journeyLeaves = location.protocol.startsWith('http')";
        let had_a_page = self.try_run(marking).await == Ok(Value::Bool(true));
        self.command(name, command).await;
        if had_a_page {
            self.until("the page before is gone", "!window.journeyLeaves").await;
        }
    }

    /// Closes the tab and opens an empty one, as a person does who comes back later.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn reopen(&self) {
        // A new one first: a browser without a tab has ended.
        let tab = self.command("new tab", self.client.new_window(true)).await;
        self.command("close", self.client.close_window()).await;
        self.command("switch", self.client.switch_to_window(tab.handle)).await;
    }

    /// Goes back in history, as the browser's button does.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn back(&self) {
        self.command("back", self.client.back()).await;
    }

    /// Goes forward in history, as the browser's button does.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn forward(&self) {
        self.command("forward", self.client.forward()).await;
    }

    /// The URL the page has now.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn url(&self) -> String {
        self.command("url", self.client.current_url()).await.to_string()
    }

    /// The body of a function run in the page; its `return` value comes back.
    ///
    /// # Errors
    /// When the script throws, or the page is between two documents.
    pub async fn try_run(&self, script: &str) -> Result<Value, String> {
        match tokio::time::timeout(deadlines::COMMAND, self.client.execute(script, Vec::new())).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no reply within {:?}", deadlines::COMMAND)),
        }
    }

    /// [`try_run`](Self::try_run) where failure is a failed journey.
    ///
    /// # Panics
    /// When the script throws.
    pub async fn run(&self, script: &str) -> Value {
        self.try_run(script).await.unwrap_or_else(|error| panic!("{error} in {script}"))
    }

    /// The body of an async function run in the page; what it resolves to comes back.
    ///
    /// # Panics
    /// When the script throws or rejects.
    pub async fn run_async(&self, script: &str) -> Value {
        let wrapped = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {script} }})().then(value => done({{ value }}), error => done({{ error: String(error) }}));"
        );
        let reply = self.command("run async", self.client.execute_async(&wrapped, Vec::new())).await;
        assert!(reply.get("error").is_none(), "{} in {script}", reply["error"]);
        reply.get("value").cloned().unwrap_or(Value::Null)
    }

    /// Polls a JavaScript expression until it is truthy; its value comes back.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`].
    pub async fn until(&self, what: &str, expression: &str) -> Value {
        self.until_within(deadlines::CONDITION, what, expression).await
    }

    /// [`until`](Self::until) with another deadline.
    ///
    /// # Panics
    /// At the deadline.
    pub async fn until_within(&self, limit: Duration, what: &str, expression: &str) -> Value {
        let script = format!("return ({expression})");
        wait::until(&format!("{what} ({:?})", self.engine), limit, async || {
            let value = self.try_run(&script).await?;
            let is_truthy = !matches!(&value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("");
            if is_truthy { Ok(value) } else { Err(self.glimpse().await) }
        })
        .await
    }

    /// Polls the body of an async function until what it resolves to satisfies `wanted`; that comes back.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`], or when the script throws or rejects.
    pub async fn until_async(&self, what: &str, script: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait::until(&format!("{what} ({:?})", self.engine), deadlines::CONDITION, async || {
            let value = self.run_async(script).await;
            if wanted(&value) { Ok(value) } else { Err(value.to_string()) }
        })
        .await
    }

    /// Waits until the page's own code has set `window.app.done`, as every site of [`crate::site`] does.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`].
    pub async fn until_app_runs(&self) -> Value {
        self.until("the app runs", "window.app && window.app.done && window.app").await
    }

    /// What `window.viral.status()` says, as soon as the page has a `window.viral`.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`].
    pub async fn status(&self) -> Status {
        self.until_status("it has a status", |_| true).await
    }

    /// Polls `window.viral.status()` until it satisfies `wanted`.
    ///
    /// # Panics
    /// At [`deadlines::CONDITION`].
    pub async fn until_status(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        wait::until(&format!("{what} ({:?})", self.engine), deadlines::CONDITION, async || {
            let said = self.try_run("return window.viral.status()").await?;
            let status: Status = serde_json::from_value(said.clone()).map_err(|error| format!("{error} in {said}"))?;
            if wanted(&status) { Ok(status) } else { Err(format!("{status:?}")) }
        })
        .await
    }

    /// SHA-256 in hex of what the page's own `fetch(path)` reads.
    ///
    /// # Panics
    /// When the fetch fails.
    pub async fn sha256_of(&self, path: &str) -> String {
        let script = format!(
            "const reply = await fetch({path:?});
             if (!reply.ok) throw new Error(reply.status + ' ' + reply.url);
             const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await reply.arrayBuffer()));
             return Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('');"
        );
        self.run_async(&script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Closes the tab, as a person would; the page sees `pagehide`.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn leave(self) {
        self.command("close", self.client.close_window()).await;
    }

    /// Kills the browser without a farewell, as a crash or a pulled plug would.
    pub fn crash(mut self) {
        self.driver.process().kill();
    }

    /// Stops every process of the browser where it stands, as a machine going to sleep would.
    pub fn freeze(&mut self) {
        self.driver.process().freeze();
    }

    /// Memory of the browser and its driver, in bytes.
    #[must_use]
    pub fn memory(&mut self) -> u64 {
        self.driver.process().memory()
    }

    /// A picture of the page as PNG.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.command("screenshot", self.client.screenshot()).await
    }

    /// A few words about the page, for the message of a wait that failed.
    async fn glimpse(&self) -> String {
        let script = "return JSON.stringify({ url: location.href, title: document.title, state: document.readyState,
            app: window.app, status: window.viral && window.viral.status && window.viral.status(),
            text: document.body && document.body.innerText.slice(0, 300) })";
        match self.try_run(script).await {
            Ok(value) => value.as_str().unwrap_or_default().to_owned(),
            Err(error) => error,
        }
    }

    async fn command<T>(&self, name: &str, command: impl Future<Output = Result<T, fantoccini::error::CmdError>>) -> T {
        match tokio::time::timeout(deadlines::COMMAND, command).await {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => panic!("{:?} {name}: {error}", self.engine),
            Err(_) => panic!("{:?} {name}: no reply within {:?}", self.engine, deadlines::COMMAND),
        }
    }
}
