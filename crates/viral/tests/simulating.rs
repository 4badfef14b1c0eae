//! `viral simulate` as an operator starts it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_viral")).arg("simulate").args(words).env_remove("VIRAL_LOG").output().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_figures_as_one_object() {
    let run = || simulate(&["lone", "--json", "--seed", "7"]);
    let (first, second) = (run(), run());
    assert!(first.status.success(), "{first:?}");
    assert_eq!(first.stdout, second.stdout);
    let said: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert!(said.is_object(), "{said}");
}

#[test]
fn the_scenarios_that_come_with_it_are_named_and_can_be_printed() {
    let listed = String::from_utf8(simulate(&["--list"]).stdout).unwrap();
    for name in ["crowd", "office", "trickle", "hostile", "lone", "small-site"] {
        assert!(listed.contains(name), "{name} in {listed}");
        assert!(simulate(&[name, "--print"]).status.success(), "{name}");
    }
}

#[test]
fn nonsense_is_named_by_line_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nonsense.toml");
    let lone = String::from_utf8(simulate(&["lone", "--print"]).stdout).unwrap();
    std::fs::write(&path, format!("{lone}\nnonsense = 1\n")).unwrap();
    let output = simulate(&[path.to_str().unwrap()]);
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{line}");
    assert!(line.contains("line ") && line.contains("nonsense"), "{line}");
    let missing = simulate(&["no-such-scenario"]);
    assert!(!missing.status.success());
}
