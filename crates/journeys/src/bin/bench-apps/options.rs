//! What the person who starts the bench may choose.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use viral_journeys::apps;
use viral_journeys::browser::Engine;
use viral_journeys::site::Site;

/// One app of the bench.
#[derive(Debug, Clone)]
pub(crate) enum App {
    /// One that is installed for it: as it is chosen and printed, and what makes its site.
    Known(&'static str, fn() -> Site),
    /// The reader's own, in this folder. Its page sets `window.app` as those of [`apps`] do.
    Own(PathBuf),
}

impl App {
    /// As it is printed.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Known(name, _) => (*name).to_owned(),
            Self::Own(folder) => folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    /// A copy of it, to be served.
    pub(crate) fn site(&self) -> anyhow::Result<Site> {
        match self {
            Self::Known(_, make) => Ok(make()),
            Self::Own(folder) => apps::own(folder),
        }
    }
}

const APPS: [App; 4] = [
    App::Known("pyodide", apps::pyodide),
    App::Known("monaco", apps::monaco),
    App::Known("duckdb", apps::duckdb),
    App::Known("onnx", apps::onnx),
];

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Cold nginx, the lone visitor, the chain of five, and those who return.
    Chain,
    /// One seeder near, the origin behind a busy line.
    Slow,
    /// The only seeder is dead, asleep, silent or forging.
    Bad,
    /// One large file, no app: when its first byte reaches the compiler, and what holding it takes of memory.
    Large,
}

/// All choices.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) runs: usize,
    pub(crate) engines: Vec<Engine>,
    pub(crate) apps: Vec<App>,
    parts: Vec<Part>,
    pub(crate) is_json: bool,
}

impl Options {
    /// Reads `--runs N`, `--engine NAME`, `--app NAME`, `--site FOLDER`, `--only PART` (each but the first any number of times) and `--json`.
    pub(crate) fn from_words(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self { runs: 5, engines: Vec::new(), apps: Vec::new(), parts: Vec::new(), is_json: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--runs" => options.runs = value()?.parse().context("--runs needs a number")?,
                "--engine" => options.engines.push(engine(&value()?)?),
                "--app" => options.apps.push(app(&value()?)?),
                "--site" => options.apps.push(App::Own(value()?.into())),
                "--only" => options.parts.push(part(&value()?)?),
                "--json" => options.is_json = true,
                _ => bail!("unknown option {word}"),
            }
        }
        if options.runs == 0 {
            bail!("--runs must be at least 1");
        }
        if options.engines.is_empty() {
            options.engines.push(Engine::Chromium);
        }
        if options.apps.is_empty() {
            options.apps.extend(APPS);
        }
        Ok(options)
    }

    /// Whether any part that measures an app is asked for.
    pub(crate) fn wants_apps(&self) -> bool {
        self.wants(Part::Chain) || self.wants(Part::Slow) || self.wants(Part::Bad)
    }

    /// Whether this part is asked for; without a choice each is.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

fn engine(name: &str) -> anyhow::Result<Engine> {
    match name {
        "chromium" => Ok(Engine::Chromium),
        "firefox" => Ok(Engine::Firefox),
        _ => bail!("no engine {name}: chromium or firefox"),
    }
}

fn app(name: &str) -> anyhow::Result<App> {
    let names = APPS.map(|app| app.name()).join(", ");
    APPS.into_iter().find(|app| app.name() == name).with_context(|| format!("no app {name}: one of {names}"))
}

fn part(name: &str) -> anyhow::Result<Part> {
    match name {
        "chain" => Ok(Part::Chain),
        "slow" => Ok(Part::Slow),
        "bad" => Ok(Part::Bad),
        "large" => Ok(Part::Large),
        _ => bail!("no part {name}: chain, slow, bad or large"),
    }
}
