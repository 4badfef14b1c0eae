//! What a request means below a base.

use super::*;

#[test]
fn a_request_means_the_same_whether_the_proxy_keeps_the_base_or_not() {
    let base: Base = "/some/app/".parse().unwrap();
    let meant = |asked: &str| meant(&base, &asked.parse().unwrap()).map_or_else(|| asked.to_owned(), |meant| meant.to_string());
    for (asked, expected) in [
        ("/some/app/a.js?x=1", "/some/app/a.js?x=1"),
        ("/a.js?x=1", "/some/app/a.js?x=1"),
        ("/", "/some/app/"),
        ("/some/app/", "/some/app/"),
        // Where it leads is for the site to say.
        ("/some/app", "/some/app"),
        ("/some/apple", "/some/app/some/apple"),
        ("/some/app/.viral/ws", "/.viral/ws"),
        ("/some/app/.viral", "/.viral"),
        ("/.viral/pieces?ids=1", "/.viral/pieces?ids=1"),
        ("/.viralx", "/some/app/.viralx"),
    ] {
        assert_eq!(meant(asked), expected, "{asked}");
    }
}
