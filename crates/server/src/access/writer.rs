//! Writes lines from a bounded queue in a thread of its own: who asks never waits for a disk or for whoever reads stdout.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::limits::{ACCESS_LOG_BATCH_LEN, ACCESS_LOG_COMPLAINT, ACCESS_LOG_END, ACCESS_LOG_LINES_MAX};

/// The queue's end at which lines come in. The thread ends with the last of them, or when it is told to.
pub(super) struct Writer {
    lines: SyncSender<Message>,
    told: Arc<Told>,
    ended: watch::Receiver<()>,
}

enum Message {
    Line(String),
    /// Look at what was told.
    Wake,
}

/// What the thread is told beside the queue, which may be full.
#[derive(Default)]
struct Told {
    reopen: AtomicBool,
    close: AtomicBool,
    dropped: AtomicU64,
}

enum Out {
    Stdout,
    File(PathBuf, File),
}

impl Writer {
    /// Begins to write to the end of a file, or to stdout for `-`.
    ///
    /// # Errors
    /// When the file cannot be opened or there is no thread.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let out = if path == Path::new("-") { Out::Stdout } else { Out::File(path.to_owned(), opened(path)?) };
        Self::to(out)
    }

    fn to(out: Out) -> io::Result<Self> {
        let (lines, queue) = sync_channel(ACCESS_LOG_LINES_MAX);
        let told = Arc::new(Told::default());
        // Dropped by the thread at its end.
        let (end, ended) = watch::channel(());
        let thread = Thread { queue, told: Arc::clone(&told), out, complained: None };
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            thread.run();
            drop(end);
        })?;
        Ok(Self { lines, told, ended })
    }

    /// Writes a line, or counts it where too many wait.
    pub(super) fn write(&self, line: String) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.lines.try_send(Message::Line(line)) {
            self.told.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Opens the file anew at once.
    pub(super) fn reopen(&self) {
        self.told.reopen.store(true, Relaxed);
        // If the queue is full the thread is awake.
        let _ = self.lines.try_send(Message::Wake);
    }

    /// Resolves when everything is written, or after a while.
    pub(super) async fn close(&self) {
        self.told.close.store(true, Release);
        let _ = self.lines.try_send(Message::Wake);
        let mut ended = self.ended.clone();
        // Nothing is ever sent: it changes when the thread ends.
        if timeout(ACCESS_LOG_END, ended.changed()).await.is_err() {
            tracing::warn!("the end of the access log could not be written in time");
        }
    }
}

struct Thread {
    queue: Receiver<Message>,
    told: Arc<Told>,
    out: Out,
    complained: Option<Instant>,
}

impl Thread {
    fn run(mut self) {
        let mut batch = String::new();
        while let Ok(message) = self.queue.recv() {
            // Before the queue is looked into: what came before the end was told is in it.
            let is_closing = self.told.close.load(Acquire);
            let mut lines = take(message, &mut batch);
            let mut is_empty = false;
            while batch.len() < ACCESS_LOG_BATCH_LEN && !is_empty {
                match self.queue.try_recv() {
                    Ok(message) => lines += take(message, &mut batch),
                    Err(_) => is_empty = true,
                }
            }
            if self.told.reopen.swap(false, Relaxed) {
                self.out.reopen();
            }
            let written = self.out.write(batch.as_bytes());
            if written.is_err() {
                self.told.dropped.fetch_add(lines, Relaxed);
            }
            batch.clear();
            let is_last = is_empty && is_closing;
            self.complain(written.err().as_ref(), is_last);
            if is_last {
                return;
            }
        }
    }

    /// Says that lines were dropped, now and then.
    fn complain(&mut self, error: Option<&io::Error>, is_last: bool) {
        let is_due = is_last || self.complained.is_none_or(|at| at.elapsed() >= ACCESS_LOG_COMPLAINT);
        if !is_due || self.told.dropped.load(Relaxed) == 0 {
            return;
        }
        self.complained = Some(Instant::now());
        let lines = self.told.dropped.swap(0, Relaxed);
        match error {
            Some(error) => {
                tracing::warn!(lines, %error, "the access log lacks these lines; make room on its disk, or let this user write it")
            }
            None => tracing::warn!(lines, "the access log lacks these lines: its disk or its reader is too slow"),
        }
    }
}

/// Adds a line to the batch; how many that were.
fn take(message: Message, batch: &mut String) -> u64 {
    match message {
        Message::Line(line) => {
            batch.push_str(&line);
            1
        }
        Message::Wake => 0,
    }
}

impl Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Self::File(_, file) => file.write_all(bytes),
        }
    }

    fn reopen(&mut self) {
        if let Self::File(path, file) = self {
            match opened(path) {
                Ok(anew) => *file = anew,
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "the access log cannot be opened anew and goes on in the old file")
                }
            }
        }
    }
}

/// A file to be appended to, which this user and its group read: it holds addresses.
fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_go_into_a_new_file_once_it_was_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
        let writer = Writer::open(&path).unwrap();
        writer.write("one\n".to_owned());
        while std::fs::read(&path).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        std::fs::rename(&path, &old).unwrap();
        writer.reopen();
        while !path.exists() {
            tokio::task::yield_now().await;
        }
        writer.write("two\n".to_owned());
        writer.close().await;
        assert_eq!((std::fs::read(&old).unwrap(), std::fs::read(&path).unwrap()), (b"one\n".to_vec(), b"two\n".to_vec()));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_slow_reader_and_what_is_dropped_is_counted() {
        // A pipe that nobody reads holds 64 KiB.
        let (_reader, pipe) = io::pipe().unwrap();
        let writer = Writer::to(Out::File("pipe".into(), File::from(std::os::fd::OwnedFd::from(pipe)))).unwrap();
        let line = "x".repeat(1024);
        // The first time what was dropped may be told in the log already, while the pipe still takes a line.
        let mut written = 0;
        while writer.told.dropped.load(Relaxed) == 0 {
            writer.write(line.clone());
            written += 1;
            assert!(written <= 20 * ACCESS_LOG_LINES_MAX, "all of it is waited for");
        }
        let dropped = writer.told.dropped.load(Relaxed);
        assert!(dropped <= written as u64, "{dropped} of {written}");
    }
}
