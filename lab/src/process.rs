//! Child processes of the lab: killed when the thread that started them ends, whatever ends it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A child whose standard output is read line by line; its standard error goes to a file.
pub struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    name: String,
}

/// What came of waiting for a line.
pub enum Line {
    /// This.
    Said(String),
    /// Nothing until the deadline.
    Nothing,
    /// The child closed its standard output.
    Ended,
}

/// A command that the kernel kills together with the thread that starts it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Kills every child of this program, whichever thread started it; for an end in the middle of a run.
pub fn kill_children() {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for children in tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok()) {
        for pid in children.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Process {
    /// Starts `command`, which [`command`] made, from the calling thread and so in its namespace.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, name: &str, log: &Path) -> anyhow::Result<Self> {
        let errors = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {name} (is setpriv there? Debian: util-linux)"))?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the child never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, lines, name: name.to_owned() })
    }

    /// The next line on standard output.
    pub fn line(&self, deadline: Instant) -> Line {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Line::Said(line),
            Err(RecvTimeoutError::Timeout) => Line::Nothing,
            Err(RecvTimeoutError::Disconnected) => Line::Ended,
        }
    }

    /// Waits for a line that contains `word`.
    ///
    /// # Errors
    /// When the child ends or `limit` passes first.
    pub fn expect_line(&self, word: &str, limit: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + limit;
        while let Line::Said(line) = self.line(deadline) {
            if line.contains(word) {
                return Ok(line);
            }
        }
        bail!("{} did not say `{word}` within {limit:?}", self.name)
    }

    /// Waits until `deadline` for the child to end by itself; whether it did.
    pub fn has_ended(&mut self, deadline: Instant) -> bool {
        loop {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        // A process that is gone already needs none.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
