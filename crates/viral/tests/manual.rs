//! What the program says of itself to shells and to man(1).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn viral(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_viral")).args(args).output().unwrap()
}

fn said(args: &[&str]) -> String {
    let output = viral(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that `--help` names.
fn commands() -> BTreeSet<String> {
    let help = said(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn each_shell_learns_each_command() {
    let commands = commands();
    assert!(commands.contains("serve") && commands.contains("completions"), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell}: {command}");
        }
        assert!(script.contains("trust-proxy"), "{shell}");
    }
    assert_eq!(viral(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn each_command_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    said(&["man", dir.path().to_str().unwrap()]);
    let pages: BTreeSet<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected = commands().iter().map(|command| format!("viral-{command}.1")).chain(["viral.1".to_owned()]).collect();
    assert_eq!(pages, expected);
    let page = std::fs::read_to_string(dir.path().join("viral-serve.1")).unwrap();
    assert!(page.starts_with(".ie") || page.contains(".TH viral-serve 1"), "{page}");
    assert!(page.contains("trust\\-proxy"), "{page}");
}

#[test]
fn pages_need_a_directory_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let output = viral(&["man", dir.path().join("none").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("make that directory first"));
}
