//! Runs the targets of `fuzz/` under libFuzzer: each for some seconds, from the seeds that `vectors/` gives and what earlier runs kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::shell::{cargo, command, root, run, target_dir};
use crate::steps::Steps;

/// Every target of `fuzz/Cargo.toml`.
const TARGETS: [&str; 12] = [
    "frame",
    "manifest",
    "description",
    "signal",
    "boot",
    "stun",
    "range_header",
    "accept_encoding",
    "webtorrent",
    "tracker_ops",
    "download_ops",
    "session_ops",
];

/// What makes rustc count edges and compared values for libFuzzer, as cargo-fuzz has it. Stable rustc takes all of these; only the sanitizers need a nightly one.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// One input must be done in this many seconds.
const INPUT_S_MAX: u32 = 10;

/// Largest input that is made, in bytes: several of the longest seeds but those that are as long as a limit.
const INPUT_LEN_MAX: u32 = 16_384;

/// What the person asks for.
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// One target; all of them where none is named.
    target: Option<String>,
    /// How long each target runs, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run the target once, with this input, such as a file of fuzz/artifacts.
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
}

pub(crate) fn fuzz(steps: &mut Steps, asked: &Fuzz) -> anyhow::Result<()> {
    let targets = chosen(asked.target.as_deref())?;
    let triple = host()?;
    steps.run("build the targets", || build(&targets, &triple))?;
    if let Some(file) = &asked.replay {
        let file = std::path::absolute(file)?;
        return steps.run("replay", || targets.iter().try_for_each(|target| run(program(&triple, target).arg(&file))));
    }
    // A fault of one target hides none of the others'.
    let mut faults = Vec::new();
    for target in targets {
        if let Err(error) = steps.run(target, || search(&triple, target, asked.seconds)) {
            println!("FAILED: {error:#}");
            faults.push(target);
        }
    }
    if faults.is_empty() { Ok(()) } else { bail!("inputs that break {}", faults.join(", ")) }
}

fn chosen(name: Option<&str>) -> anyhow::Result<Vec<&'static str>> {
    let Some(name) = name else { return Ok(TARGETS.to_vec()) };
    let known = TARGETS.into_iter().find(|target| *target == name);
    Ok(vec![known.with_context(|| format!("there is no target {name:?}; there are {}", TARGETS.join(", ")))?])
}

/// The triple of this machine: with `--target` cargo leaves build scripts and macros without [`COVERAGE`].
fn host() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output().context("cannot start rustc")?;
    let said = String::from_utf8(said.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

fn build(targets: &[&str], triple: &str) -> anyhow::Result<()> {
    let mut cargo = cargo();
    cargo.args(["build", "--package", "viral-fuzz", "--features", "libfuzzer", "--profile", "fuzz", "--target", triple]);
    cargo.arg("--target-dir").arg(folder()).env("RUSTFLAGS", COVERAGE);
    targets.iter().for_each(|target| {
        cargo.args(["--bin", target]);
    });
    run(&mut cargo)
}

/// Whatever fuzzing makes that is built again or found again.
fn folder() -> PathBuf {
    target_dir().join("fuzz")
}

fn program(triple: &str, target: &str) -> Command {
    let path = folder().join(triple).join("fuzz").join(target);
    let mut program = command(&path.to_string_lossy());
    program.env("RUST_BACKTRACE", "1");
    program
}

fn search(triple: &str, target: &str, seconds: u32) -> anyhow::Result<()> {
    let [seeds, corpus] = ["seeds", "corpus"].map(|kind| folder().join(kind).join(target));
    let artifacts = root().join("fuzz/artifacts").join(target);
    let before = files(&artifacts);
    for made in [&seeds, &corpus, &artifacts] {
        std::fs::create_dir_all(made).with_context(|| format!("making {}", made.display()))?;
    }
    let mut program = program(triple, target);
    program.env("VIRAL_FUZZ_SEEDS", &seeds);
    program.args([format!("-max_total_time={seconds}"), format!("-timeout={INPUT_S_MAX}"), format!("-max_len={INPUT_LEN_MAX}")]);
    program.args(["-print_final_stats=1", "-verbosity=0", &format!("-artifact_prefix={}/", artifacts.display())]);
    // New inputs are kept in the first folder.
    let outcome = run(program.args([&corpus, &seeds]));
    for file in files(&artifacts).iter().filter(|file| !before.contains(file)) {
        println!("to replay it: cargo xtask fuzz {target} --replay {}", from_root(file).display());
    }
    outcome
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn from_root(file: &Path) -> &Path {
    file.strip_prefix(root()).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_known_by_its_name() {
        let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
        let built: Vec<_> = manifest.split("[[bin]]").skip(1).filter_map(|bin| bin.split('"').nth(1)).collect();
        assert_eq!(built, TARGETS);
        assert!(chosen(Some("frames")).is_err());
    }
}
