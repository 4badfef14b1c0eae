//! What the person who starts the bench may choose.

use anyhow::{Context as _, bail};

/// All choices.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    only: Option<String>,
}

impl Options {
    /// Reads `--rounds N` and `--only NAME`.
    pub(crate) fn from_words(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self { rounds: 7, only: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => options.rounds = value()?.parse().context("--rounds needs a number")?,
                "--only" => options.only = Some(value()?),
                _ => bail!("unknown option {word}"),
            }
        }
        if options.rounds == 0 {
            bail!("--rounds must be at least 1");
        }
        Ok(options)
    }

    /// Whether this row is asked for; without a choice each is.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }
}
