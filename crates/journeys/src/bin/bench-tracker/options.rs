//! What the person who starts the bench may choose.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cargo xtask bench tracker [--only NAME] [--scale F] [--rounds N] [--before FILE]

Measures the tracker of the release build beside aquatic_ws, on loopback, in some 10 minutes.

  --only NAME     only rows whose name contains this: announces-tls, announces-plain, memory-plain,
                  memory-tls, memory-many, metrics, introductions, cluster, storm
  --scale F       this share of all sessions, sockets and visits, as 0.1
  --rounds N      rounds of each side in rows that have rounds; medians are printed [3]
  --before FILE   another build of viral, to stand beside this one in the row of introductions

20,000 sessions need 27,000 open files, for a server keeps a quarter for itself: `ulimit -n 32768`.
Where fewer are allowed, the rows have fewer sessions and say so. Further servers share 50,000.

VIRAL_BIN, AQUATIC_WS and AQUATIC_WS_LOAD_TEST name the programs; cargo xtask bench sets them.";

/// All choices.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) before: Option<PathBuf>,
    only: Option<String>,
    scale: f64,
}

/// What this process is.
#[derive(Debug)]
pub(crate) enum Task {
    Help,
    Measure(Options),
    /// A child that holds sockets.
    Hold(Hold),
}

/// What a child holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// `seeders` or `announced`.
    pub(crate) kind: String,
    pub(crate) to: SocketAddr,
    pub(crate) count: usize,
    /// Number of the first of them.
    pub(crate) first: u32,
    /// The server's certificate, where it speaks TLS.
    pub(crate) certificate: Option<PathBuf>,
}

impl Task {
    pub(crate) fn from_words(words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut words = words.peekable();
        if words.next_if(|word| word == "hold").is_some() {
            return Ok(Self::Hold(hold(words)?));
        }
        let mut options = Options { rounds: 3, before: None, only: None, scale: 1.0 };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--rounds" => options.rounds = value()?.parse().context("--rounds needs a number")?,
                "--only" => options.only = Some(value()?),
                // The server runs in a folder of its own.
                "--before" => options.before = Some(std::path::absolute(value()?)?),
                "--scale" => options.scale = value()?.parse().context("--scale needs a number, as 0.1")?,
                _ => bail!("unknown option {word}; see --help"),
            }
        }
        if options.rounds == 0 {
            bail!("--rounds must be at least 1");
        }
        if !(options.scale > 0.0 && options.scale <= 1.0) {
            bail!("--scale must be above 0 and at most 1");
        }
        Ok(Self::Measure(options))
    }
}

impl Options {
    /// Whether this row is asked for; without a choice each is.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }

    /// So many, or the share of them that is asked for.
    pub(crate) fn scaled(&self, count: usize) -> usize {
        ((count as f64 * self.scale) as usize).max(1)
    }
}

impl Hold {
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec!["hold".to_owned(), self.kind.clone(), self.to.to_string(), self.count.to_string(), self.first.to_string()];
        words.extend(self.certificate.iter().map(|path| path.display().to_string()));
        words
    }
}

fn hold(mut words: impl Iterator<Item = String>) -> anyhow::Result<Hold> {
    let mut word = || words.next().context("hold KIND ADDRESS COUNT FIRST [CERTIFICATE]");
    Ok(Hold {
        kind: word()?,
        to: word()?.parse()?,
        count: word()?.parse()?,
        first: word()?.parse()?,
        certificate: words.next().map(PathBuf::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reads_what_it_is_told() {
        for certificate in [None, Some(PathBuf::from("cert.pem"))] {
            let hold = Hold { kind: "seeders".to_owned(), to: "127.0.0.1:80".parse().unwrap(), count: 7, first: 9, certificate };
            let Ok(Task::Hold(read)) = Task::from_words(hold.words().into_iter()) else { panic!("it is to hold something") };
            assert_eq!(read, hold);
        }
    }

    #[test]
    fn a_share_of_nothing_is_refused() {
        for words in [["--scale", "0"], ["--scale", "2"], ["--rounds", "0"], ["--what", "x"]] {
            assert!(Task::from_words(words.iter().map(ToString::to_string)).is_err());
        }
    }
}
