//! Children of the harness, ended with everything they started when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::deadlines;

/// Ticks of `/proc/PID/stat` a second: the same on every architecture of Linux (proc_pid_stat(5)).
const TICKS_PER_S: f64 = 100.0;

/// A child whose standard output is read line by line and whose errors go to a log file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    lines: mpsc::Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its standard error is kept in `folder`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        let name = Path::new(command.get_program()).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let log = folder.join(format!("{name}.log"));
        let errors = File::options().create(true).append(true).open(&log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let stdout = child.stdout.take().context("standard output was piped")?;
        let (sender, lines) = mpsc::channel();
        // Reads to the end, so that the child never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, name, lines, log })
    }

    /// Waits for a line of standard output from which `pick` takes something.
    ///
    /// # Errors
    /// When the child ends or `limit` passes first; the message carries its log.
    pub fn expect_line<T>(&mut self, limit: Duration, mut pick: impl FnMut(&str) -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + limit;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => match pick(&line) {
                    Some(found) => return Ok(found),
                    None => seen.push(line),
                },
                Err(reason) => {
                    bail!("{} did not say what was expected ({reason}); it said {seen:?} and logged:\n{}", self.name, self.log())
                }
            }
        }
    }

    /// What the child wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the child to end by SIGTERM and waits for it.
    ///
    /// # Errors
    /// When it is still there after [`deadlines::SERVER_GONE`].
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        send(self.child.id(), Signal::TERM);
        self.exited(deadlines::SERVER_GONE).await
    }

    /// Sends SIGUSR2 to the child.
    pub fn signal_user2(&self) {
        send(self.child.id(), Signal::USR2);
    }

    /// Waits for the child to end by itself.
    ///
    /// # Errors
    /// When it is still there after `limit`.
    pub async fn exited(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("{} is still running after {limit:?}; it logged:\n{}", self.name, self.log());
            }
            tokio::time::sleep(deadlines::POLL_EVERY).await;
        }
    }

    /// Memory of every process of the tree together, in bytes, what several share counted once (`Pss` of `/proc/PID/smaps_rollup`).
    #[must_use]
    pub fn memory(&self) -> u64 {
        tree(self.child.id()).into_iter().filter_map(memory_of).sum()
    }

    /// Seconds of a processor that every process of the tree used until now, user and system together, all threads.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        tree(self.child.id()).into_iter().filter_map(cpu_ticks_of).sum::<f64>() / TICKS_PER_S
    }

    /// Stops every process of the tree where it stands, as a machine going to sleep would.
    pub fn freeze(&self) {
        send_to_tree(self.child.id(), Signal::STOP);
    }

    /// Kills every process of the tree at once, without a farewell.
    pub fn kill(&mut self) {
        send_to_tree(self.child.id(), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that another one left behind; killed when this is dropped.
#[derive(Debug)]
pub struct LeftBehind(u32);

impl LeftBehind {
    /// The process with this id, which a process of ours started.
    #[must_use]
    pub fn of(id: u32) -> Self {
        Self(id)
    }
}

impl Drop for LeftBehind {
    fn drop(&mut self) {
        send_to_tree(self.0, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send_to_tree(root: u32, signal: Signal) {
    for id in tree(root) {
        send(id, signal);
    }
}

fn send(id: u32, signal: Signal) {
    // A process that is gone already is what a kill wants.
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A process that is gone has none.
fn memory_of(id: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())?;
    Some(kib * 1024)
}

/// `root` and all its descendants, parents first.
fn tree(root: u32) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, parent_of(id)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        next += 1;
    }
    found
}

fn parent_of(id: u32) -> Option<u32> {
    stat_of(id)?.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time.
fn cpu_ticks_of(id: u32) -> Option<f64> {
    let stat = stat_of(id)?;
    let ticks = stat.split_whitespace().skip(11).take(2);
    ticks.map(|field| field.parse::<f64>().ok()).sum()
}

/// The fields of `/proc/PID/stat` from the third on.
fn stat_of(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything, blanks and parentheses included.
    stat.rsplit_once(')').map(|(_, after_name)| after_name.to_owned())
}
