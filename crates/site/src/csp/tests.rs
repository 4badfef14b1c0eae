//! A table of policies and what each allows.

use super::*;

const ORIGIN: PageOrigin<'static> = PageOrigin { scheme: "https", host: "app.example", base: "/" };

#[test]
fn each_policy_is_judged_by_what_it_blocks() {
    let table: &[(&str, bool)] = &[
        ("", true),
        ("upgrade-insecure-requests; frame-ancestors 'none'", true),
        ("default-src 'self'", true),
        ("script-src 'self'", true),
        ("SCRIPT-SRC 'SELF'", true),
        ("script-src *", true),
        ("script-src https:", true),
        ("script-src http:", true),
        ("script-src wss:", false),
        ("script-src https://app.example", true),
        ("script-src app.example:443", true),
        ("script-src app.example:8443", false),
        ("script-src app.example:*", true),
        ("script-src *.example", true),
        ("script-src *.app.example", false),
        ("script-src app.example/js/", false),
        ("script-src app.example/.viral/", true),
        ("script-src app.example/", true),
        ("script-src https://cdn.example", false),
        ("script-src 'none'", false),
        ("script-src", false),
        ("script-src 'nonce-abc'", false),
        ("script-src 'sha256-AAAA'", false),
        ("script-src 'self' 'nonce-abc'", true),
        ("script-src 'self' 'nonce-abc' 'strict-dynamic'", false),
        ("script-src 'none'; script-src-elem 'self'; worker-src 'self'", true),
        ("script-src 'self'; script-src-elem 'none'", false),
        ("script-src 'self'; worker-src 'none'", false),
        ("script-src 'self'; child-src 'none'", false),
        ("script-src 'self'; child-src 'none'; worker-src 'self'", true),
        ("default-src 'none'; script-src 'self'", false),
        ("default-src 'none'; script-src 'self'; connect-src 'self'", true),
        ("connect-src 'none'", false),
        ("connect-src https://api.example", false),
        ("connect-src 'self' https://api.example", true),
        ("sandbox", false),
        ("sandbox allow-scripts", false),
        ("sandbox allow-scripts allow-same-origin", true),
        ("require-trusted-types-for 'script'", false),
        ("require-trusted-types-for 'script'; trusted-types app", false),
        ("require-trusted-types-for 'script'; trusted-types app viral", false),
        ("script-src 'self', script-src 'none'", false),
        ("script-src 'self'; script-src 'none'", true),
    ];
    for (policy, expected) in table {
        assert_eq!(allows([*policy], [], ORIGIN), *expected, "header {policy:?}");
        assert_eq!(allows([], [*policy], ORIGIN), *expected, "meta {policy:?}");
    }
}

#[test]
fn a_second_header_can_only_take_away() {
    assert!(!allows(["script-src 'self'", "connect-src 'none'"], [], ORIGIN));
    assert!(!allows(["script-src 'self'"], ["require-trusted-types-for 'script'"], ORIGIN));
}

#[test]
fn an_https_source_does_not_cover_a_page_on_plain_http() {
    let origin = PageOrigin { scheme: "http", host: "127.0.0.1:8080", base: "/" };
    assert!(!allows(["script-src https:"], [], origin));
    assert!(allows(["script-src http://127.0.0.1:8080"], [], origin));
    assert!(!allows(["script-src 127.0.0.1"], [], origin));
    assert!(allows(["script-src [::1]:80"], [], PageOrigin { scheme: "http", host: "[::1]", base: "/" }));
    assert!(allows(["script-src app.example"], [], PageOrigin { host: "app.example:", ..ORIGIN }), "an empty port is the default one");
}

#[test]
fn a_policy_that_only_reports_is_one_in_headers_and_none_in_a_meta_element() {
    assert!(is_policy("content-security-policy") && is_policy("content-security-policy-report-only"));
    assert!(!is_policy("content-security-policy-report") && !is_policy("x-content-security-policy"));
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

#[test]
fn a_path_in_a_policy_must_hold_the_base() {
    let below = |policy: &str| allows([policy], [], PageOrigin { base: "/app/", ..ORIGIN });
    for policy in ["script-src https://app.example/", "script-src https://app.example/app/", "script-src https://app.example/app/.viral/"] {
        assert!(below(policy), "{policy}");
    }
    for policy in ["script-src https://app.example/.viral/", "script-src https://app.example/APP/", "script-src https://app.example/app"] {
        assert!(!below(policy), "{policy}");
    }
}

#[test]
fn a_style_sheet_in_the_page_is_used_only_where_every_policy_lets_it() {
    for (policies, expected) in [
        (&[][..], true),
        (&["script-src 'self'"], true),
        (&["default-src 'self'"], false),
        (&["default-src 'self'; style-src 'self' 'unsafe-inline'"], true),
        (&["style-src 'unsafe-inline'; style-src-elem 'self'"], false),
        (&["style-src 'unsafe-inline' 'sha256-abc'"], false),
        (&["style-src 'unsafe-inline'", "style-src 'self'"], false),
    ] {
        assert_eq!(allows_inline_styles(policies.iter().copied()), expected, "{policies:?}");
    }
}
