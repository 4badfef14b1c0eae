//! What `get` and `seed` say where they fail: a line for a person, and one object for a program.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Output};

use serde_json::{Value, json};

fn viral(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_viral")).args(words).env_remove("VIRAL_LOG").output().unwrap()
}

/// The object on stdout of a command that must fail.
fn failure(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_download_that_fails_says_which_failure_it_is_beside_the_fields_of_one_that_does_not() {
    // Nobody listens on the port of tcpmux.
    let said = failure(&viral(&["get", "--json", "http://127.0.0.1:1/"]));
    assert_eq!((&said["code"], &said["fault"], &said["retry"]), (&json!("server-unreachable"), &json!("server"), &json!(true)));
    assert!(said["ok"] == false && said["bytes_from_peers"] == 0 && said["ms_first_piece"].is_null());
    assert!(said["error"].as_str().unwrap().starts_with("127.0.0.1:1 cannot be reached"), "{said}");
}

#[test]
fn a_seeder_that_fails_says_so_in_one_object() {
    let said = failure(&viral(&["seed", "--json", "--up-limit", "0", "http://127.0.0.1:1/"]));
    assert_eq!((&said["ok"], &said["code"], &said["fault"]), (&json!(false), &json!("uploads-nothing"), &json!("user")));
}

#[test]
fn a_file_of_sites_or_of_geography_that_cannot_be_used_ends_the_start() {
    let (site, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(site.path().join("index.html"), "<!doctype html><title>t</title>").unwrap();
    let (sites, geo) = (dir.path().join("sites.csv"), dir.path().join("geo.mmdb"));
    std::fs::write(&sites, "# offices\nBerlin, 10.1.0.1/16\n").unwrap();
    std::fs::write(&geo, "no such file").unwrap();
    for (flag, file, said) in
        [("--sites", &sites, "sites.csv: line 2: 10.1.0.1/16 has bits"), ("--geo", &geo, "geo.mmdb: is no whole MMDB file")]
    {
        let output = viral(&[
            "serve",
            site.path().to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "off",
            flag,
            file.to_str().unwrap(),
        ]);
        let said_so = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said_so.contains(said) && said_so.contains(flag), "{said_so}");
    }
}

#[test]
fn a_cause_is_printed_once() {
    let output = viral(&["seed", "--store", "/dev/null/store", "http://127.0.0.1:1/"]);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((line.lines().count(), line.matches("os error").count(), output.stdout.len()), (1, 1, 0), "{line}");
}
