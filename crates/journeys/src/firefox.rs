//! What Firefox compiles of itself, made once: each start with an empty profile would spend seconds on it.
//!
//! It holds nothing of any site. A person's browser has it from the second start on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::browser::{Engine, Setting};
use crate::driver::Driver;
use crate::{deadlines, wait};

/// Names the folder where it is kept from run to run. Without it each profile begins empty.
const KEPT_IN: &str = "VIRAL_FIREFOX_CACHE";

/// Firefox's folder of what it compiled.
const CACHE: &str = "startupCache";

/// Names the build that compiled it: another one throws it away.
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
        let folder = PathBuf::from(std::env::var_os(KEPT_IN)?);
        let kept = keep(&folder).await;
        kept.inspect_err(|error| eprintln!("Firefox starts slowly, for what it compiles of itself was not kept: {error:#}")).ok()
    });
    let profile = profile(folder);
    fs::create_dir(&profile)?;
    if let Some(kept) = kept.await
        && copy(kept, &profile).is_err()
    {
        // An empty one does, too.
        fs::remove_dir_all(&profile)?;
        fs::create_dir(&profile)?;
    }
    Ok(())
}

/// Has Firefox start once, and keeps what it compiled in a folder of this build, unless an earlier run did. That folder.
async fn keep(folder: &Path) -> anyhow::Result<PathBuf> {
    let kept = folder.join(installed_build().context("which Firefox is installed is not known")?);
    if kept.is_dir() {
        return Ok(kept);
    }
    let files = tempfile::tempdir()?;
    let profile = profile(files.path());
    fs::create_dir(&profile)?;
    let (driver, client) = Driver::with_browser(Engine::Firefox, files.path(), &Setting::default()).await?;
    let written = wait::try_until(WRITTEN, async || {
        let is_there = profile.join(WRITTEN_LAST).is_file();
        is_there.then_some(()).context("it wrote nothing")
    });
    written.await?;
    timeout(deadlines::COMMAND, client.close()).await??;
    drop(driver);
    // Whole or not at all: somebody else may do the same, and comes first.
    fs::create_dir_all(folder)?;
    let fresh = tempfile::tempdir_in(folder)?;
    copy(&profile, fresh.path())?;
    match fs::rename(fresh.path(), &kept) {
        Err(error) if !kept.is_dir() => Err(error.into()),
        Ok(()) | Err(_) => Ok(kept),
    }
}

/// The build of the Firefox that is started, as it calls it.
fn installed_build() -> Option<String> {
    let program = fs::canonicalize("/usr/bin/firefox-esr").ok()?;
    let text = fs::read_to_string(program.parent()?.join("application.ini")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("BuildID=").map(str::to_owned))
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
