//! Pages whose policy, or something else about them, decides whether they travel.

use super::*;

#[tokio::test]
async fn a_page_with_a_policy_travels_and_the_loader_is_allowed() {
    let viral = viral(&SITE, |config| config.header = vec!["Content-Security-Policy: script-src 'self'".parse().unwrap()]).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "thin; reason=peer-near");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("script-src 'self' 'sha256-"));
}

#[tokio::test]
async fn a_policy_that_only_reports_hears_nothing_of_us() {
    let name = "content-security-policy-report-only";
    let with = |policy: &str| {
        let line = format!("{name}: {policy}").parse().unwrap();
        viral(&SITE, move |config| config.header = vec![line])
    };
    for strict in ["script-src 'nonce-x'; report-uri /r", "script-src 'self'; connect-src 'none'", "require-trusted-types-for 'script'"] {
        let strict_site = with(strict).await;
        let (_, _outgoing) = seeder(&strict_site, "/");
        let response = visit(&strict_site, "/", &[]).await;
        assert_eq!((answer(&response), &response.headers()[name]), ("plain; reason=csp", &strict.parse().unwrap()));
        assert!(!text(response).await.contains(ADDITION), "{strict}");
    }
    let open = with("script-src 'self'; report-uri /r").await;
    let full = visit(&open, "/", &[]).await;
    assert_eq!((answer(&full), full.headers()[name].to_str().unwrap()), ("full; reason=no-peer-near", "script-src 'self'; report-uri /r"));
    let (_, _outgoing) = seeder(&open, "/");
    let thin = visit(&open, "/", &[]).await;
    assert_eq!(answer(&thin), "thin; reason=peer-near");
    let policy = thin.headers()[name].to_str().unwrap();
    assert!(policy.starts_with("script-src 'self' 'sha256-") && policy.ends_with("; report-uri /r"), "{policy}");
}

#[tokio::test]
async fn a_meta_element_cannot_only_report_and_keeps_no_page_at_home() {
    let html =
        "<!doctype html><meta http-equiv=content-security-policy-report-only content=\"script-src 'none'\"><script src=app.js></script>";
    let viral = viral(&[("index.html", html), SITE[1]], |_| ()).await;
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near", "browsers ignore it (CSP level 3, section 3.3)");
}

#[tokio::test]
async fn pages_that_cannot_travel_say_so() {
    let big = ["<!doctype html><title>Big</title>", &" ".repeat(4 << 20)].concat();
    let files = [
        ("big.html", big.as_str()),
        ("u16.html", "<\0p\0>\0"),
        ("a.xhtml", "<html xmlns='http://www.w3.org/1999/xhtml'/>"),
        ("a.txt", "x"),
    ];
    let viral = viral(&files, |config| config.min_app_bytes = 1 << 20).await;
    for (uri, expected) in
        [("/big.html", "plain; reason=no-manifest"), ("/u16.html", "plain; reason=encoding"), ("/a.xhtml", "plain; reason=no-manifest")]
    {
        let response = visit(&viral, uri, &[]).await;
        assert_eq!((response.status(), answer(&response)), (StatusCode::OK, expected), "{uri}");
        assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("viral-version="), "its assets are of the same version");
        let tool = get(&viral, uri, &[("host", "app.example")]).await;
        assert_eq!(answer(&tool), "plain; reason=not-a-browser", "{uri}");
        assert_eq!(answer(&get(&viral, uri, &[("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate")]).await), "", "{uri}");
    }
    assert_eq!(answer(&visit(&viral, "/a.txt", &[]).await), "");
}
