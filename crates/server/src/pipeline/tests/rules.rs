//! A directory with rules of its own.

use super::*;
use crate::Viral;
use crate::config::Config;
use viral_site::Source;
use viral_swarm::pageset::Size;

async fn with_rules(headers: &str, redirects: &str) -> (tempfile::TempDir, Viral) {
    let dir = tempfile::tempdir().unwrap();
    for (name, body) in [SITE[0], SITE[1], ("_headers", headers), ("_redirects", redirects)] {
        std::fs::write(dir.path().join(name), body).unwrap();
    }
    let config = Config { min_app_bytes: 0, ..Config::default() };
    let viral = Viral::open(Source::Directory(dir.path().to_owned()), &config).await.unwrap();
    (dir, viral)
}

#[tokio::test]
async fn a_policy_of_a_rule_is_one_of_the_page() {
    let (_dir, strict) = with_rules("/*\n  Content-Security-Policy: script-src 'none'\n", "").await;
    let response = visit(&strict, "/", &[]).await;
    assert_eq!(
        (answer(&response), &response.headers()["content-security-policy"]),
        ("plain; reason=csp", &"script-src 'none'".parse().unwrap())
    );
    let (_dir, open) = with_rules("/\n  Content-Security-Policy: script-src 'self'\n  X-Robots-Tag: noindex\n", "").await;
    let (_, _outgoing) = seeder(&open, "/");
    let thin = visit(&open, "/", &[]).await;
    assert_eq!((answer(&thin), &thin.headers()["x-robots-tag"]), ("thin; reason=peer-near", &"noindex".parse().unwrap()));
    assert!(thin.headers()["content-security-policy"].to_str().unwrap().starts_with("script-src 'self' 'sha256-"));
}

#[tokio::test]
async fn visits_and_parts_are_sent_on_alike() {
    let (_dir, viral) = with_rules("", "/old/* https://new.example/:splat 302\n/app/* /index.html 200\n").await;
    for response in [visit(&viral, "/old/a?b", &[]).await, get(&viral, "/old/a?b", &[]).await] {
        assert_eq!((response.status(), &response.headers()["location"]), (StatusCode::FOUND, &"https://new.example/a?b".parse().unwrap()));
    }
    let (_, _outgoing) = seeder(&viral, "/");
    assert_eq!(answer(&visit(&viral, "/app/some.thing", &[]).await), "thin; reason=peer-near", "one swarm however it is reached");
    assert_eq!(visit(&viral, "/_headers", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_learns_whose_file_has_an_address_that_leads_elsewhere() {
    let (_dir, viral) = with_rules("", "/index.html / 301!\n").await;
    assert!(answer(&visit(&viral, "/", &[]).await).starts_with("full"));
    for _ in 0..8 {
        report(&viral, "/", &["/app.js"]);
    }
    let version = viral.app.site.current();
    let page = viral.app.hub.page(&version, version.document("/index.html").unwrap()).unwrap();
    assert!(matches!(page.size, Size::Known { .. }), "{page:?}");
}
