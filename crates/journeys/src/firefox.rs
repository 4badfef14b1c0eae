//! What Firefox compiles of itself, made once: each start with an empty profile would spend seconds on it.
//!
//! It holds nothing of any site. A person's browser has it from the second start on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::sync::OnceCell;

use crate::browser::{Engine, Setting};
use crate::driver::Driver;
use crate::wait;

/// Names the folder where it is kept from run to run. Without it each profile begins empty.
const KEPT_IN: &str = "VIRAL_FIREFOX_CACHE";

/// Firefox's folder of what it compiled.
const CACHE: &str = "startupCache";

/// The build that compiled it: another one throws it away.
const BUILD: &str = "compatibility.ini";

/// Written last, when Firefox has nothing else to do.
const WRITTEN_LAST: &str = "startupCache/scriptCache-child.bin";

/// Until it is written, or given up.
const WRITTEN: Duration = Duration::from_secs(40);

static KEPT: OnceCell<Option<PathBuf>> = OnceCell::const_new();

/// The folder of the profile of a browser whose files are in `folder`.
pub(crate) fn profile(folder: &Path) -> PathBuf {
    folder.join("profile")
}

/// Makes a profile that knows no site.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn make_profile(folder: &Path) -> anyhow::Result<()> {
    let kept = KEPT.get_or_init(async || {
        let kept = PathBuf::from(std::env::var_os(KEPT_IN)?);
        match keep(&kept).await {
            Ok(()) => Some(kept),
            Err(error) => {
                eprintln!("Firefox starts slowly, for what it compiles of itself was not kept: {error:#}");
                None
            }
        }
    });
    let profile = profile(folder);
    fs::create_dir(&profile)?;
    if let Some(kept) = kept.await {
        copy(kept, &profile)?;
    }
    Ok(())
}

/// Has Firefox start once, and keeps what it compiled, unless an earlier run did.
async fn keep(kept: &Path) -> anyhow::Result<()> {
    if is_of_this_build(kept) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let profile = profile(folder.path());
    fs::create_dir(&profile)?;
    let driver = Driver::start(Engine::Firefox, folder.path(), &[]).await?;
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(Engine::Firefox.capabilities(folder.path(), &Setting::default()));
    let client = builder.connect(&driver.url()).await?;
    let written = wait::try_until(WRITTEN, async || {
        let is_there = profile.join(WRITTEN_LAST).is_file();
        is_there.then_some(()).context("it wrote nothing")
    });
    written.await?;
    client.close().await?;
    drop(driver);
    // Whole or not at all, whoever else does the same.
    let parent = kept.parent().context("a folder in a folder")?;
    fs::create_dir_all(parent)?;
    let fresh = tempfile::tempdir_in(parent)?;
    copy(&profile, fresh.path())?;
    let _ = fs::remove_dir_all(kept);
    fs::rename(fresh.keep(), kept)?;
    Ok(())
}

fn is_of_this_build(kept: &Path) -> bool {
    let build = |path: &Path, key: &str| {
        let text = fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
    };
    let program = fs::canonicalize("/usr/bin/firefox-esr").ok();
    let installed = program.and_then(|program| build(&program.parent()?.join("application.ini"), "BuildID"));
    let compiled_by = build(&kept.join(BUILD), "LastVersion");
    matches!((installed, compiled_by), (Some(installed), Some(compiled_by)) if compiled_by.contains(&installed))
}

/// Copies what was compiled and by which build, and nothing else of a profile.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to.join(CACHE))?;
    fs::copy(from.join(BUILD), to.join(BUILD))?;
    for file in fs::read_dir(from.join(CACHE))? {
        let file = file?;
        fs::copy(file.path(), to.join(CACHE).join(file.file_name()))?;
    }
    Ok(())
}
