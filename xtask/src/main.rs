//! Every chore of the project, one subcommand each: `cargo xtask test` is what CI runs.
#![expect(clippy::print_stdout, reason = "a chore talks to the person who started it")]

mod bench;
mod browser;
mod deny;
mod deps;
mod dist;
mod docs;
mod fuzz;
mod journeys;
mod lab;
mod release;
mod rust;
mod shell;
mod steps;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use steps::Steps;

/// Chores of viral.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Everything CI checks, in order, up to the first failure.
    Test {
        /// Leave out the journeys in real browsers.
        #[arg(long)]
        without_journeys: bool,
    },
    /// What is quickly checked before each commit: all of `test` but npm ci, doc tests, the library's features, others' crates, the minified suite, browsers and the lab.
    Check,
    /// Make the TypeScript types of the Rust signals, and the numbers of the policies, again, in browser/src/core/generated.
    Types {
        /// Only fail when the committed types are stale.
        #[arg(long)]
        check: bool,
    },
    /// Build browser/dist from its sources and fail when the committed files differ.
    Bundles,
    /// Print the compressed size of each script and fail when one is over its budget.
    Budgets,
    /// Visit built servers with real browsers; FILTER is part of a journey's name.
    Journeys {
        /// Only the journeys whose name contains this.
        filter: Option<String>,
    },
    /// Measure, and print the numbers that docs/BENCHMARKS.md and the README quote.
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
    /// Measure a crowd on a network of namespaces and shaped links, as root.
    Lab(lab::Lab),
    /// The crowd of twelve that `test` ends with.
    SmallCrowd,
    /// The visitors with the browser's scripts under node that `test` ends with.
    SmallEngines,
    /// The pairs behind NATs that `test` ends with.
    SmallMatrix,
    /// Check which crate depends on which against the code map in ARCHITECTURE.md, and that no files use each other in a circle.
    Deps,
    /// Check that links between documents lead somewhere.
    Docs,
    /// Check licences, sources and known faults of others' crates, as far as that can be done here.
    Deny,
    /// Search for inputs that break a decoder or a machine, with libFuzzer; see fuzz/README.md.
    Fuzz(fuzz::Fuzz),
    /// Build what is given away, in target/dist: archive, Debian package, bill of materials, checksums.
    Dist(dist::Dist),
    /// Build the binary alone that is given away, and check that it names no path of this machine.
    Release,
    /// Install the Debian packages the journeys need (as root), or name them.
    Tools,
}

fn main() -> ExitCode {
    let mut steps = Steps::new();
    let chore = Cli::parse().chore;
    // The lab's output may be read by a program, and its exit code says more than passed or failed.
    if let Chore::Lab(words) = &chore {
        return lab::lab(words).unwrap_or_else(|error| {
            eprintln!("FAILED: {error:#}");
            ExitCode::FAILURE
        });
    }
    let outcome = run(chore, &mut steps);
    if let Err(error) = &outcome {
        println!("\nFAILED: {error:#}");
    }
    steps.print_summary(outcome.is_ok());
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(chore: Chore, steps: &mut Steps) -> anyhow::Result<()> {
    match chore {
        Chore::Test { without_journeys } => test(steps, without_journeys),
        Chore::Check => check(steps),
        Chore::Types { check: true } => steps.run("generated types are fresh", browser::types_are_fresh),
        Chore::Types { check: false } => steps.run("generate types", browser::write_types),
        Chore::Bundles => {
            steps.run("npm ci", browser::install)?;
            steps.run("dist is fresh", browser::dist_is_fresh)
        }
        Chore::Budgets => {
            steps.run("npm ci", browser::install)?;
            steps.run("byte budgets", browser::budgets)
        }
        Chore::Journeys { filter } => {
            steps.run("tools", || tools::ensure(&[tools::NPM, tools::JOURNEYS]))?;
            journeys_with_build(steps, filter.as_deref())
        }
        Chore::Bench { what } => {
            steps.run("tools", || tools::ensure(what.tools()))?;
            bench::run(steps, &what)
        }
        // Has no steps.
        Chore::Lab(_) => Ok(()),
        Chore::SmallCrowd => small_crowd(steps),
        Chore::SmallEngines => small_engines(steps),
        Chore::SmallMatrix => small_matrix(steps),
        Chore::Deps => steps.run("dependencies point one way", deps::check),
        Chore::Docs => steps.run("links between documents", docs::check),
        Chore::Deny => steps.run("others' crates", deny::check),
        Chore::Fuzz(asked) => fuzz::fuzz(steps, &asked),
        Chore::Dist(asked) => dist::dist(steps, &asked),
        Chore::Release => {
            steps.run("build viral (release)", release::build)?;
            steps.run("no paths of this machine", release::check)
        }
        Chore::Tools => steps.run("tools", || {
            tools::ensure(&[tools::NPM, tools::CERTIFICATES, tools::CLUSTERS, tools::JOURNEYS, tools::BENCH, tools::BENCH_HTTP])
        }),
    }
}

fn test(steps: &mut Steps, without_journeys: bool) -> anyhow::Result<()> {
    let needed: &[&[tools::Tool]] = if without_journeys {
        &[tools::NPM, tools::CERTIFICATES, tools::CLUSTERS]
    } else {
        &[tools::NPM, tools::CERTIFICATES, tools::CLUSTERS, tools::JOURNEYS]
    };
    steps.run("tools", || tools::ensure(needed))?;
    outline(steps)?;
    steps.run("others' crates", deny::check)?;
    steps.run("npm ci", browser::install)?;
    steps.run("clippy", rust::clippy)?;
    steps.run("documentation of the crates", rust::docs)?;
    steps.run("the server as a library, without a command line and without features", rust::library)?;
    steps.run("unit and property tests", rust::tests)?;
    steps.run("doc tests", rust::doc_tests)?;
    steps.run("generated types are fresh", browser::types_are_fresh)?;
    scripts(steps)?;
    steps.run("vitest on the minified core", browser::tests_minified)?;
    if without_journeys {
        return Ok(());
    }
    journeys_with_build(steps, None)?;
    small_crowd(steps)?;
    small_engines(steps)?;
    small_matrix(steps)
}

/// In the order in which faults are usually found.
fn check(steps: &mut Steps) -> anyhow::Result<()> {
    outline(steps)?;
    steps.run("node modules", browser::ensure_installed)?;
    scripts(steps)?;
    steps.run("clippy", rust::clippy)?;
    steps.run("unit and property tests", rust::tests)?;
    steps.run("generated types are fresh", browser::types_are_fresh)
}

/// What is seen without a build.
fn outline(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("formatting", rust::formatting)?;
    steps.run("dependencies point one way", deps::check)?;
    steps.run("links between documents", docs::check)
}

/// What is checked of the TypeScript half.
fn scripts(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("tsc", browser::types_check)?;
    steps.run("typescript lint", browser::lint)?;
    steps.run("vitest", browser::tests)?;
    steps.run("dist is fresh", browser::dist_is_fresh)?;
    steps.run("byte budgets", browser::budgets)
}

fn small_crowd(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("a crowd of twelve in the lab", lab::small_crowd)
}

fn small_engines(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("the browser's scripts under node in the lab", lab::small_engines)
}

fn small_matrix(steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("six pairs behind NATs in the lab", lab::small_matrix)
}

fn journeys_with_build(steps: &mut Steps, filter: Option<&str>) -> anyhow::Result<()> {
    steps.run("build viral", rust::build_viral)?;
    steps.run("geckodriver", tools::ensure_geckodriver)?;
    steps.run("real apps from npm", journeys::install_apps)?;
    steps.run("real clients of WebTorrent from npm", journeys::install_rivals)?;
    steps.run("journeys", || journeys::run(filter))
}
