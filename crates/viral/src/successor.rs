//! A successor: the program started anew, on the same sockets, so that a new binary or other settings come without a refused connection.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use command_fds::{CommandFdExt as _, FdMapping};
use tokio::process::Child;
use tokio::signal::unix::Signal;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use viral_server::{Listener, SharedSocket, StunServer};

use crate::given::{NAMES, Name};
use crate::served::Served;
use crate::systemd;

/// Until a successor serves: it reads, and compresses, the whole site before.
const SERVES_WITHIN: Duration = Duration::from_secs(30 * 60);

/// What a successor says when it serves.
const SERVES: &[u8] = b"serves";

/// The first descriptor that is given (sd_listen_fds(3)).
const FIRST_FD: i32 = 3;

/// All that a successor goes on with.
pub(crate) struct Estate {
    program: PathBuf,
    words: Vec<OsString>,
    listening: Vec<(Name, SharedSocket)>,
    stun: Vec<OwnedFd>,
}

impl Estate {
    /// Of a process that listens there and answers STUN there.
    ///
    /// # Errors
    /// When nobody knows where its program is, or there are no more descriptors.
    pub(crate) fn of(listening: &[(Name, &[Listener])], stun: Option<&StunServer>) -> anyhow::Result<Self> {
        let (program, words) = called()?;
        let mut shared = Vec::new();
        for (name, listener) in listening.iter().flat_map(|(name, listeners)| listeners.iter().map(move |listener| (*name, listener))) {
            shared.push((name, listener.share()?));
        }
        let stun = stun.map(StunServer::share).transpose()?.unwrap_or_default();
        Ok(Self { program, words, listening: shared, stun })
    }

    /// Starts a successor at a signal, and retires once it serves: `tasks` are what only one process does. Ends, and closes its sockets, when this process is to end.
    pub(crate) async fn pass_on(self, tasks: Vec<AbortHandle>, served: Served, mut asked: Signal, ending: Arc<Notify>) {
        let mut ending = pin!(ending.notified());
        loop {
            tokio::select! {
                asked = asked.recv() => if asked.is_none() { return },
                () = &mut ending => return,
            }
            tracing::info!(program = %self.program.display(), "starting a successor on the same sockets");
            served.prepare_successor().await;
            let outcome = match self.start() {
                Ok(mut successor) => tokio::select! {
                    outcome = successor.serves() => outcome.inspect_err(|_| successor.end()),
                    () = &mut ending => return successor.end(),
                },
                Err(error) => Err(error),
            };
            match outcome {
                Ok(process) => {
                    systemd::succeeded_by(process);
                    tasks.iter().for_each(AbortHandle::abort);
                    self.listening.iter().for_each(|(_, socket)| socket.leave());
                    served.retire();
                    return tracing::info!(process, "the successor serves; answers in flight are finished here");
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "there is no successor; this process goes on"),
            }
        }
    }

    fn start(&self) -> anyhow::Result<Successor> {
        let (hears, says) = UnixDatagram::pair()?;
        hears.set_nonblocking(true)?;
        let hears = tokio::net::UnixDatagram::from_std(hears)?;
        let mut given = Vec::new();
        for (name, socket) in &self.listening {
            given.push((*name, socket.as_fd().try_clone_to_owned()?));
        }
        for socket in &self.stun {
            given.push((Name::Stun, socket.try_clone()?));
        }
        given.push((Name::Predecessor, says.into()));
        let names: Vec<&str> = given.iter().map(|(name, _)| name.text()).collect();
        let mut command = Command::new(&self.program);
        command.args(&self.words).env("LISTEN_FDS", given.len().to_string()).env(NAMES, names.join(":"));
        command.env_remove("LISTEN_PID").env_remove("LISTEN_FDS_FIRST_FD");
        let mappings = given.into_iter().zip(FIRST_FD..).map(|((_, parent_fd), child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect())?;
        let started = tokio::process::Command::from(command).spawn();
        Ok(Successor { process: started.with_context(|| format!("cannot start {}", self.program.display()))?, hears })
    }
}

/// The program and its arguments, as it was called: a new version may be where a link leads later.
fn called() -> anyhow::Result<(PathBuf, Vec<OsString>)> {
    let mut words = std::env::args_os();
    let first = words.next().map(PathBuf::from).unwrap_or_default();
    let found = if first.components().count() > 1 { Some(first) } else { in_path(&first) };
    let program = found.map_or_else(std::env::current_exe, std::path::absolute);
    Ok((program.context("nobody knows where this program is")?, words.collect()))
}

/// The program that a shell would start at this word.
fn in_path(word: &Path) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").filter(|_| !word.as_os_str().is_empty())?;
    std::env::split_paths(&folders).map(|folder| folder.join(word)).find(|path| path.is_file())
}

/// A process that is to serve.
struct Successor {
    process: Child,
    /// What it says.
    hears: tokio::net::UnixDatagram,
}

impl Successor {
    /// Waits until it serves; its number.
    async fn serves(&mut self) -> anyhow::Result<u32> {
        let number = self.process.id().context("it has ended")?;
        let mut said = [0; 16];
        tokio::select! {
            heard = self.hears.recv(&mut said) => match heard {
                Ok(len) if said.get(..len) == Some(SERVES) => Ok(number),
                _ => bail!("it is not heard"),
            },
            ended = self.process.wait() => bail!("it ended before it served, with {}; it said why", ended?),
            () = tokio::time::sleep(SERVES_WITHIN) => bail!("it did not serve within {} minutes", SERVES_WITHIN.as_secs() / 60),
        }
    }

    /// Ends it, if it has not ended by itself.
    fn end(&mut self) {
        if self.process.id().is_some()
            && let Err(error) = self.process.start_kill()
        {
            tracing::warn!(%error, "the successor that was to serve cannot be ended");
        }
    }
}

/// Tells the predecessor that this process serves.
pub(crate) fn tell(predecessor: &UnixDatagram) {
    if let Err(error) = predecessor.send(SERVES) {
        tracing::warn!(%error, "the predecessor does not hear that this process serves; end it, if it is still there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_wherever_it_was_started() {
        assert!(called().expect("a program").0.is_absolute());
    }
}
