//! The programs the other steps start: installed from Debian as root, otherwise named.

use std::path::PathBuf;

use anyhow::bail;

use crate::shell::{cargo, command, run, target_dir, which};

/// A program and the Debian package that holds it.
pub(crate) type Tool = (&'static str, &'static str);

/// What the TypeScript half needs.
pub(crate) const NPM: &[Tool] = &[("node", "nodejs"), ("npm", "npm")];

/// What journeys need besides [`NPM`].
pub(crate) const JOURNEYS: &[Tool] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    ("WebKitWebDriver", "webkit2gtk-driver"),
    ("Xvfb", "xvfb"),
    ("nginx", "nginx-light"),
    ("caddy", "caddy"),
    ("apache2", "apache2-bin"),
    ("haproxy", "haproxy"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("certutil", "libnss3-tools"),
];

/// What tests of certificates need: a certificate authority, names for it, and a look at what is shown.
pub(crate) const CERTIFICATES: &[Tool] = &[("pebble", "pebble"), ("pebble-challtestsrv", "pebble"), ("openssl", "openssl")];

/// Where servers meet.
pub(crate) const CLUSTERS: &[Tool] = &[("redis-server", "redis-server"), ("faketime", "faketime")];

/// What benches need besides what journeys do.
pub(crate) const BENCH: &[Tool] = &[("nginx", "nginx-light")];

/// What the bench of requests needs.
pub(crate) const BENCH_HTTP: &[Tool] = &[("nginx", "nginx-light"), ("wrk", "wrk"), ("openssl", "openssl")];

/// What the bench of the tracker needs.
pub(crate) const BENCH_TRACKER: &[Tool] = &[("openssl", "openssl")];

/// What the lab needs.
pub(crate) const LAB: &[Tool] = &[("ip", "iproute2"), ("setpriv", "util-linux"), ("nginx", "nginx-light")];

/// What the lab's routers need besides [`LAB`].
pub(crate) const LAB_ROUTERS: &[Tool] = &[("nft", "nftables")];

/// What the lab's real browsers need besides [`LAB`].
pub(crate) const LAB_BROWSERS: &[Tool] = &[("chromium", "chromium"), ("chromedriver", "chromium-driver"), ("firefox-esr", "firefox-esr")];

/// A program that Debian has not, so it is compiled from crates.io.
#[derive(Clone, Copy)]
pub(crate) struct CrateTool {
    name: &'static str,
    version: &'static str,
    /// With the dependencies that it was released with.
    is_locked: bool,
    /// It may be slow, so that it is there soon.
    is_quickly_built: bool,
}

impl CrateTool {
    const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, is_locked: true, is_quickly_built: false }
    }
}

/// Drives Firefox.
const GECKODRIVER: CrateTool = CrateTool { is_quickly_built: true, ..CrateTool::new("geckodriver", "0.37.1") };

/// The tracker that ours is compared with, and its load test. With its own lock file the tracker does not build on Rust 1.95.
pub(crate) const AQUATIC: &[CrateTool] =
    &[CrateTool { is_locked: false, ..CrateTool::new("aquatic_ws", "0.9.0") }, CrateTool::new("aquatic_ws_load_test", "0.9.0")];

/// Makes Debian packages.
pub(crate) const CARGO_DEB: CrateTool = CrateTool::new("cargo-deb", "3.8.0");

/// Makes bills of materials.
pub(crate) const CARGO_CYCLONEDX: CrateTool = CrateTool::new("cargo-cyclonedx", "0.5.9");

/// Makes sure that every tool is there: installs as root on Debian, else says which packages are missing.
pub(crate) fn ensure(groups: &[&[Tool]]) -> anyhow::Result<()> {
    let tools = groups.concat();
    let missing = packages_missing(&tools);
    if missing.is_empty() {
        return Ok(());
    }
    let listed = missing.join(" ");
    if !rustix::process::geteuid().is_root() || which("apt-get").is_none() {
        bail!("missing programs; as root run: apt-get install {listed}");
    }
    println!("installing {listed}");
    run(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "update"]))?;
    run(command("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Installed to be run by tests: no package starts its server.
        .env("RUNLEVEL", "1")
        .args(["-q", "install", "--yes", "--no-install-recommends"])
        .args(&missing))?;
    let still_missing = packages_missing(&tools);
    if still_missing.is_empty() {
        return Ok(());
    }
    bail!("installed {listed}, but these are still not on PATH: {}", still_missing.join(" "));
}

/// Makes sure that there is a geckodriver at [`geckodriver`].
pub(crate) fn ensure_geckodriver() -> anyhow::Result<()> {
    if geckodriver().is_file() { Ok(()) } else { ensure_crate(GECKODRIVER) }
}

/// The geckodriver journeys use: `GECKODRIVER`, else [`crate_tool`].
pub(crate) fn geckodriver() -> PathBuf {
    std::env::var_os("GECKODRIVER").map_or_else(|| crate_tool(GECKODRIVER), PathBuf::from)
}

/// Makes sure that there is a program at [`crate_tool`].
pub(crate) fn ensure_crate(tool: CrateTool) -> anyhow::Result<()> {
    if crate_tool(tool).is_file() {
        return Ok(());
    }
    let CrateTool { name, version, is_locked, is_quickly_built } = tool;
    // Its own target directory, so that the build's lock and profile are not shared with ours.
    run(cargo()
        .args(["install", name, "--version", version])
        .args(is_locked.then_some("--locked"))
        .args(is_quickly_built.then_some("--debug"))
        .arg("--root")
        .arg(tools_dir())
        .env("CARGO_TARGET_DIR", tools_dir().join("build")))
}

/// Where a program is: on PATH, else ours under the target directory.
pub(crate) fn crate_tool(CrateTool { name, .. }: CrateTool) -> PathBuf {
    which(name).unwrap_or_else(|| tools_dir().join("bin").join(name))
}

pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

fn packages_missing(tools: &[Tool]) -> Vec<&'static str> {
    tools.iter().filter(|(program, _)| which(program).is_none()).map(|(_, package)| *package).collect()
}
