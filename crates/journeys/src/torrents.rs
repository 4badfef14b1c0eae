//! Clients of WebTorrent that nobody here wrote, unmodified: in a page, and in node.
//!
//! `cargo xtask journeys` installs them into `rivals/node_modules`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;
use crate::site::{Site, noise};

/// Bytes of one segment of the stream, and of the file that is shared.
pub const LEN: usize = 1024 * 1024;

/// Paths of the segments.
pub const SEGMENTS: [&str; 3] = ["/segment0.bin", "/segment1.bin", "/segment2.bin"];

/// A page that shares a file with webtorrent and a stream with p2p-media-loader, by `/page.js`.
///
/// # Panics
/// When they are not installed.
#[must_use]
pub fn site() -> Site {
    let mut site = Site::empty();
    site.write(
        "/index.html",
        "<!doctype html><title>torrents</title><script type=module>window.torrents = await import('/page.js')</script>",
    );
    site.write("/page.js", include_str!("torrents/page.js"));
    for (path, package) in [
        ("/webtorrent.min.js", "webtorrent/dist/webtorrent.min.js"),
        ("/p2p-media-loader-core.js", "p2p-media-loader-core/dist/p2p-media-loader-core.es.min.js"),
    ] {
        site.write(path, std::fs::read(installed(package)).expect("it is installed: run `cargo xtask journeys`"));
    }
    for (seed, path) in SEGMENTS.iter().enumerate() {
        site.write(path, noise(2 * u64::try_from(seed).unwrap_or(0), LEN));
    }
    site
}

/// Starts `node clients.mjs WHAT FOLDER TRACKER`; its errors go to a file in the folder.
///
/// # Panics
/// When node or its packages are missing.
#[must_use]
pub fn node(what: &str, folder: &Path, tracker: &str) -> Process {
    assert!(installed("webtorrent").is_dir(), "webtorrent is not installed: run `cargo xtask journeys`");
    let mut command = Command::new("node");
    command.args(["clients.mjs", what]).arg(folder).arg(tracker).current_dir(rivals());
    Process::start(&mut command, folder).expect("node is on the path")
}

fn installed(package: &str) -> PathBuf {
    rivals().join("node_modules").join(package)
}

fn rivals() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals")
}
