//! What programs are told of errors: every code is documented, and causes are there to be followed.

#![allow(clippy::unwrap_used, reason = "helpers of tests; a failed unwrap is a failed test")]

use std::error::Error;
use std::io;

use viral_peer::{GetError, OriginError, OutputError, PeerError, PrivateDirError, SeedError, Side, Verdict};

/// Rows of the table of codes: code, fault, retry.
fn documented() -> Vec<(String, String, bool)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/native-peers.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("| code | fault | retry |").unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|')).map(cells);
    rows.map(|row| (row[1].trim_matches('`').to_owned(), row[2].clone(), row[3] == "yes")).collect()
}

#[test]
fn every_code_is_documented_with_its_fault_and_whether_to_retry() {
    let name = |side: Side| serde_json::to_value(side).unwrap().as_str().unwrap().to_owned();
    let known: Vec<_> = Verdict::ALL.iter().map(|verdict| (verdict.code.to_owned(), name(verdict.fault), verdict.retry)).collect();
    assert_eq!(documented(), known);
}

#[test]
fn codes_are_kebab_case_and_in_order() {
    let codes: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.code).collect();
    assert!(codes.is_sorted_by(|one, next| one < next), "each once, as in the table");
    for code in codes {
        assert!(code.split('-').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())), "{code}");
    }
}

fn status(status: u16) -> Verdict {
    let status = http::StatusCode::from_u16(status).unwrap();
    GetError::Nothing { host: "app.example".to_owned(), status, path: "/".to_owned() }.verdict()
}

#[test]
fn a_status_tells_whose_fault_it_is_and_whether_to_come_again() {
    assert_eq!((status(404).code, status(404).fault, status(404).retry), ("not-found", Side::User, false));
    assert_eq!((status(503).code, status(503).fault, status(503).retry), ("server-error", Side::Server, true));
    assert_eq!((status(429).code, status(403).code), ("server-error", "server-refuses"));
}

#[test]
fn a_full_disk_is_told_from_a_directory_of_no_use() {
    let of = |kind: io::ErrorKind| OutputError::Io { path: "out".into(), cause: kind.into() }.verdict().code;
    assert_eq!((of(io::ErrorKind::StorageFull), of(io::ErrorKind::PermissionDenied)), ("out-of-room", "directory-unwritable"));
}

#[test]
fn an_error_of_a_page_has_the_verdict_of_its_cause() {
    let cause = Box::new(GetError::Origin(OriginError::Silent { host: "app.example".to_owned(), reason: "refused".to_owned() }));
    let error = SeedError::Page { url: "https://app.example/".parse().unwrap(), cause };
    assert_eq!((error.verdict().code, error.verdict().retry), ("server-unreachable", true));
    assert!(error.source().is_some());
}

#[test]
fn causes_can_be_followed_to_the_system_s_own_word() {
    let cause = || io::Error::from(io::ErrorKind::PermissionDenied);
    let private = || PrivateDirError::Io(cause());
    let errors: [Box<dyn Error>; 5] = [
        Box::new(OutputError::Io { path: "out".into(), cause: cause() }),
        Box::new(GetError::Output(OutputError::Private { dir: "out".into(), cause: private() })),
        Box::new(SeedError::Store { dir: "store".into(), cause: private() }),
        Box::new(GetError::Peer(PeerError::Socket { bind: None, cause: cause() })),
        Box::new(OriginError::Certificates(cause())),
    ];
    for error in &errors {
        let mut last: &dyn Error = &**error;
        while let Some(source) = last.source() {
            last = source;
        }
        assert!(last.is::<io::Error>(), "{error}");
    }
}
