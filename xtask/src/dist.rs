//! What is given away, in `target/dist`: an archive for any Linux, a Debian package, a bill of materials, and the checksums of all.

mod archive;
mod contents;
mod debian;
mod sbom;
mod sums;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use clap::Args;

use crate::release;
use crate::shell::{cargo, command, output, run, target_dir};
use crate::steps::Steps;
use crate::tools;

/// What to pack.
#[derive(Debug, Args)]
pub(crate) struct Dist {
    /// Pack this program, which runs on this machine, instead of building one.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Make no Debian package.
    #[arg(long)]
    without_deb: bool,
}

/// What the names and the times of all that is packed come from.
struct Release {
    version: String,
    /// Rust's name of the platform: `x86_64-unknown-linux-gnu`.
    target: String,
    /// Seconds since 1970 that every file carries: `SOURCE_DATE_EPOCH`, else when the commit was made.
    time: u64,
    /// Where program, manual and completions are put together; crates/viral/Cargo.toml names it for the Debian package, too.
    stage: PathBuf,
    /// Where what is given away lies in the end, and nothing else.
    out: PathBuf,
}

/// Builds and packs.
pub(crate) fn dist(steps: &mut Steps, asked: &Dist) -> anyhow::Result<()> {
    if asked.binary.is_none() {
        steps.run("build viral (release)", release::build)?;
        steps.run("no paths of this machine", release::check)?;
    }
    let built = target_dir().join("release/viral");
    let program = std::path::absolute(asked.binary.as_ref().unwrap_or(&built))?;
    let release = Release::now()?;
    steps.run("tools", || {
        tools::ensure_crate(tools::CARGO_CYCLONEDX)?;
        if asked.without_deb { Ok(()) } else { tools::ensure_crate(tools::CARGO_DEB) }
    })?;
    steps.run("program, manual and completions", || release.put_together(&program))?;
    steps.run("archive", || release.archive())?;
    steps.run("bill of materials", || sbom::write(&release.out.join(release.named("cdx.json")), &release.target, release.time))?;
    if !asked.without_deb {
        steps.run("Debian package", || debian::package(&release))?;
    }
    steps.run("checksums", || sums::write(&release.out))?;
    for name in sums::names(&release.out)? {
        println!("{}", release.out.join(name).display());
    }
    Ok(())
}

impl Release {
    fn now() -> anyhow::Result<Self> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let about = output(Command::new(rustc).arg("-vV"))?;
        let target = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not say for what it compiles")?;
        let time = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(time) => time,
            Err(_) => output(command("git").args(["log", "-1", "--format=%ct"]))?,
        };
        let time = time.trim().parse().context("SOURCE_DATE_EPOCH is a number of seconds")?;
        let (stage, out) = (target_dir().join("release/dist"), target_dir().join("dist"));
        Ok(Self { version: version()?, target: target.to_owned(), time, stage, out })
    }

    fn named(&self, extension: &str) -> String {
        format!("{}.{extension}", self.name())
    }

    fn name(&self) -> String {
        format!("viral-{}-{}", self.version, self.target)
    }

    /// Strips the program, and lets it write what it says of itself.
    fn put_together(&self, program: &Path) -> anyhow::Result<()> {
        for folder in [&self.stage, &self.out] {
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
            std::fs::create_dir_all(folder)?;
        }
        let (staged, man, completions) = (self.stage.join("viral"), self.stage.join("man"), self.stage.join("completions"));
        run(command("strip").args(["--strip-all", "-o"]).arg(&staged).arg(program))?;
        std::fs::create_dir_all(&man)?;
        std::fs::create_dir_all(&completions)?;
        run(Command::new(&staged).arg("man").arg(&man))?;
        for (shell, file) in [("bash", "viral.bash"), ("zsh", "_viral"), ("fish", "viral.fish")] {
            std::fs::write(completions.join(file), output(Command::new(&staged).args(["completions", shell]))?)?;
        }
        Ok(())
    }

    fn archive(&self) -> anyhow::Result<()> {
        let packed = archive::pack(&self.name(), contents::of(&self.stage)?, self.time)?;
        Ok(std::fs::write(self.out.join(self.named("tar.gz")), packed)?)
    }
}

/// A program that cargo would call, called as cargo does.
fn cargo_subcommand(tool: tools::CrateTool, word: &str) -> Command {
    let mut called = command(&tools::crate_tool(tool).to_string_lossy());
    called.arg(word).env("CARGO", cargo().get_program());
    called
}

/// The version that the program has.
fn version() -> anyhow::Result<String> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(crate::shell::root()).no_deps().exec()?;
    let viral = metadata.packages.iter().find(|package| package.name.as_str() == "viral").context("there is no package viral")?;
    Ok(viral.version.to_string())
}
