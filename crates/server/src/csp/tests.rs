//! A table of policies and what each allows.

use super::*;

const ORIGIN: PageOrigin<'static> = PageOrigin { scheme: "https", host: "app.example" };
const WRITE: Fitness = Fitness::Fit { write: true };
const RELOAD: Fitness = Fitness::Fit { write: false };

#[test]
fn each_policy_is_judged_by_what_it_blocks() {
    let table: &[(&str, Fitness)] = &[
        ("", WRITE),
        ("upgrade-insecure-requests; frame-ancestors 'none'", WRITE),
        ("default-src 'self'", WRITE),
        ("script-src 'self'", WRITE),
        ("SCRIPT-SRC 'SELF'", WRITE),
        ("script-src *", WRITE),
        ("script-src https:", WRITE),
        ("script-src http:", WRITE),
        ("script-src wss:", Fitness::Unfit),
        ("script-src https://app.example", WRITE),
        ("script-src app.example:443", WRITE),
        ("script-src app.example:8443", Fitness::Unfit),
        ("script-src app.example:*", WRITE),
        ("script-src *.example", WRITE),
        ("script-src *.app.example", Fitness::Unfit),
        ("script-src app.example/js/", Fitness::Unfit),
        ("script-src app.example/.viral/", WRITE),
        ("script-src app.example/", WRITE),
        ("script-src https://cdn.example", Fitness::Unfit),
        ("script-src 'none'", Fitness::Unfit),
        ("script-src", Fitness::Unfit),
        ("script-src 'nonce-abc'", Fitness::Unfit),
        ("script-src 'sha256-AAAA'", Fitness::Unfit),
        ("script-src 'self' 'nonce-abc'", WRITE),
        ("script-src 'self' 'nonce-abc' 'strict-dynamic'", Fitness::Unfit),
        ("script-src 'none'; script-src-elem 'self'; worker-src 'self'", WRITE),
        ("script-src 'self'; script-src-elem 'none'", Fitness::Unfit),
        ("script-src 'self'; worker-src 'none'", Fitness::Unfit),
        ("script-src 'self'; child-src 'none'", Fitness::Unfit),
        ("script-src 'self'; child-src 'none'; worker-src 'self'", WRITE),
        ("default-src 'none'; script-src 'self'", Fitness::Unfit),
        ("default-src 'none'; script-src 'self'; connect-src 'self'", WRITE),
        ("connect-src 'none'", Fitness::Unfit),
        ("connect-src https://api.example", Fitness::Unfit),
        ("connect-src 'self' https://api.example", WRITE),
        ("sandbox", Fitness::Unfit),
        ("sandbox allow-scripts", Fitness::Unfit),
        ("sandbox allow-scripts allow-same-origin", WRITE),
        ("require-trusted-types-for 'script'", RELOAD),
        ("require-trusted-types-for 'script'; trusted-types app", Fitness::Unfit),
        ("require-trusted-types-for 'script'; trusted-types app viral", RELOAD),
        ("script-src 'self', script-src 'none'", Fitness::Unfit),
        ("script-src 'self'; script-src 'none'", WRITE),
    ];
    for (policy, expected) in table {
        assert_eq!(judge([*policy], [], ORIGIN), *expected, "header {policy:?}");
        assert_eq!(judge([], [*policy], ORIGIN), *expected, "meta {policy:?}");
    }
}

#[test]
fn a_second_header_can_only_take_away() {
    assert_eq!(judge(["script-src 'self'", "connect-src 'none'"], [], ORIGIN), Fitness::Unfit);
    assert_eq!(judge(["script-src 'self'"], ["require-trusted-types-for 'script'"], ORIGIN), RELOAD);
}

#[test]
fn an_https_source_does_not_cover_a_page_on_plain_http() {
    let origin = PageOrigin { scheme: "http", host: "127.0.0.1:8080" };
    assert_eq!(judge(["script-src https:"], [], origin), Fitness::Unfit);
    assert_eq!(judge(["script-src http://127.0.0.1:8080"], [], origin), WRITE);
    assert_eq!(judge(["script-src 127.0.0.1"], [], origin), Fitness::Unfit);
    assert_eq!(judge(["script-src [::1]:80"], [], PageOrigin { scheme: "http", host: "[::1]" }), WRITE);
}

#[test]
fn the_loader_hash_is_added_where_inline_scripts_are_not_allowed() {
    let table = [
        ("img-src 'self'", "img-src 'self'"),
        ("script-src 'self'", "script-src 'self' 'sha256-X='"),
        ("script-src 'self' 'unsafe-inline'", "script-src 'self' 'unsafe-inline'"),
        ("script-src 'self' 'unsafe-inline' 'nonce-a'", "script-src 'self' 'unsafe-inline' 'nonce-a' 'sha256-X='"),
        ("script-src 'self'; script-src-elem 'self' a.example", "script-src 'self'; script-src-elem 'self' a.example 'sha256-X='"),
        ("default-src 'self'; img-src *", "default-src 'self'; img-src *; script-src 'self' 'sha256-X='"),
        ("default-src 'self', script-src *", "default-src 'self'; script-src 'self' 'sha256-X=', script-src * 'sha256-X='"),
    ];
    for (policy, expected) in table {
        assert_eq!(with_script_hash(policy, "sha256-X="), expected);
    }
}
