//! One WebDriver process for one browser, on a free loopback port.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

use crate::browser::{Engine, Setting};
use crate::process::Process;
use crate::{deadlines, http, wait};

/// A running driver; its browser dies with it.
#[derive(Debug)]
pub struct Driver {
    process: Process,
    port: u16,
    // Dropped after the process, so that a browser never outlives its display.
    _display: Option<Process>,
}

impl Driver {
    /// Starts the driver of `engine`, with `under` before its command; every file of it and its browser goes into `folder`.
    ///
    /// # Errors
    /// When the driver is missing or does not get ready.
    pub async fn start(engine: Engine, folder: &Path, under: &[&str]) -> anyhow::Result<Self> {
        match engine {
            Engine::Chromium => {
                let mut command = homed(under, "chromedriver", folder);
                command.arg("--port=0");
                announced(command, folder, "started successfully on port ")
            }
            Engine::Firefox => {
                let mut command = homed(under, geckodriver(), folder);
                command.args(["--port", "0", "--websocket-port", "0", "--profile-root"]).arg(folder);
                announced(command, folder, "Listening on 127.0.0.1:")
            }
            Engine::WebKit => webkit(folder, under).await,
        }
    }

    /// Starts the driver of `engine` and, through it, a browser whose files are in `folder`.
    ///
    /// # Errors
    /// When either does not start; of the browser with what the driver logged.
    pub async fn with_browser(engine: Engine, folder: &Path, setting: &Setting) -> anyhow::Result<(Self, Client)> {
        let driver = Self::start(engine, folder, setting.under).await?;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(engine.capabilities(folder, setting));
        let url = driver.url();
        let silent = || format!("{engine:?} did not start; its driver logged:\n{}", driver.log());
        let connecting = tokio::time::timeout(deadlines::BROWSER_READY, builder.connect(&url));
        let client = connecting.await.with_context(silent)?.with_context(silent)?;
        Ok((driver, client))
    }

    /// Where WebDriver commands go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The driver's process, whose tree holds the browser.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What the driver logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// A driver that takes port 0 and prints which one it got.
fn announced(mut command: Command, folder: &Path, before_port: &str) -> anyhow::Result<Driver> {
    let mut process = Process::start(&mut command, folder)?;
    let port = process.expect_line(deadlines::DRIVER_READY, |line| {
        let (_, rest) = line.split_once(before_port)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })?;
    Ok(Driver { process, port, _display: None })
}

/// WebKitWebDriver neither takes port 0 nor says when it is ready, and its browser needs a display.
async fn webkit(folder: &Path, under: &[&str]) -> anyhow::Result<Driver> {
    let (display, number) = display(folder)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = homed(under, "WebKitWebDriver", folder);
    command.arg(format!("--port={port}")).env("DISPLAY", format!(":{number}")).env("GDK_BACKEND", "x11");
    let process = Process::start(&mut command, folder)?;
    wait::until("WebKitWebDriver answers", deadlines::DRIVER_READY, async || {
        let reply = http::get(([127, 0, 0, 1], port).into(), "/status", &[]).await;
        reply.map(|_| ()).map_err(|error| format!("{error:#}"))
    })
    .await;
    Ok(Driver { process, port, _display: Some(display) })
}

/// A virtual display for one browser, and its number.
fn display(folder: &Path) -> anyhow::Result<(Process, u32)> {
    let mut command = Command::new("Xvfb");
    // Xvfb picks a free display and writes its number to descriptor 1.
    command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
    let mut process = Process::start(&mut command, folder)?;
    let number = process.expect_line(deadlines::DRIVER_READY, |line| line.trim().parse().ok()).context("Xvfb")?;
    Ok((process, number))
}

/// A program, with `under` before its command, whose home, caches and temporary files all stay in `folder`.
fn homed(under: &[&str], program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut words = under.iter().map(OsStr::new).chain([program.as_ref()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command
        .args(words)
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_DATA_HOME", folder.join("data"))
        .current_dir(folder);
    command
}

fn geckodriver() -> PathBuf {
    std::env::var_os("GECKODRIVER").map_or_else(|| PathBuf::from("geckodriver"), PathBuf::from)
}
