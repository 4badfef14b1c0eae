//! Each kind of answer, without a socket.

use std::io::Read as _;

use axum::body::Body;
use http::StatusCode;

use crate::testing::{NAVIGATION, SITE, answer, bytes, get, report, request, seeder, text, viral, visit};

mod base;
mod giving;
mod joins;
mod log;
mod policies;
mod rules;
mod saving;
mod trials;
mod visits;
mod workers;

/// Two requests of one browser.
const BROWSER: (&str, &str) = ("cookie", "viral-visit=00000000000000ab");

const ADDITION: &str = "/.viral/addition.js?v=";

#[tokio::test]
async fn the_first_visitor_gets_the_page_whole_with_the_addition() {
    let viral = viral(&SITE, |_| ()).await;
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "full; reason=no-peer-near");
    assert_eq!(response.headers()["cache-control"], "private, no-cache");
    let tag = viral.app.site.current().tag().to_owned();
    assert_eq!(response.headers()["set-cookie"], format!("viral-version={tag}; Max-Age=120; Path=/; SameSite=Lax; HttpOnly"));
    let html = text(response).await;
    assert!(html.contains("/app.js") && html.contains(ADDITION));
}

#[tokio::test]
async fn the_next_visitor_gets_a_loader_and_introductions() {
    let viral = viral(&SITE, |_| ()).await;
    let (peer, _outgoing) = seeder(&viral, "/");
    let response = visit(&viral, "/?q=1", &[]).await;
    assert_eq!(answer(&response), "thin; reason=peer-near");
    assert_eq!(response.headers()["cache-control"], "private, no-cache");
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(!response.headers().contains_key("etag"));
    let html = text(response).await;
    assert!(html.contains("<title>An app</title>") && html.contains("url=?q=1&amp;viral=plain"));
    let boot = html.split("id=\"viral-boot\">").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
    let boot: viral_wire::signal::ThinBoot = serde_json::from_str(boot).unwrap();
    assert_eq!((boot.page.as_str(), boot.offers[0].peer, boot.offers.len()), ("/", peer, 1));
    assert!(boot.bytes > 100);
}

#[tokio::test]
async fn a_page_has_one_swarm_however_it_is_reached() {
    let viral = viral(&SITE, |config| config.spa = true).await;
    let (_, _outgoing) = seeder(&viral, "/index.html");
    assert_eq!(answer(&visit(&viral, "/some/route", &[]).await), "thin; reason=peer-near");
}

#[tokio::test]
async fn every_path_that_somebody_goes_to_is_the_apps_if_it_routes_by_itself() {
    let viral = viral(&SITE, |config| config.spa = true).await;
    let (_, _outgoing) = seeder(&viral, "/v1.2");
    assert_eq!(answer(&visit(&viral, "/user@x.com", &[]).await), "thin; reason=peer-near");
    let script = get(&viral, "/missing.js", &[("sec-fetch-dest", "script"), ("sec-fetch-mode", "no-cors")]).await;
    assert_eq!(script.status(), StatusCode::NOT_FOUND);
    assert_eq!(visit(&viral, "/.hidden", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cookie_of_an_earlier_process_never_means_another_version() {
    let before = viral(&SITE, |_| ()).await;
    let mut deployed = SITE;
    deployed[1].1 = "console.log('next')";
    let after = viral(&deployed, |_| ()).await;
    let cookie = visit(&before, "/", &[]).await.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let again = visit(&viral(&SITE, |_| ()).await, "/", &[]).await;
    assert!(again.headers()["set-cookie"].to_str().unwrap().starts_with(&cookie), "the same site has the same name");
    assert!(!visit(&after, "/", &[]).await.headers()["set-cookie"].to_str().unwrap().starts_with(&cookie));
    let script = get(&after, "/app.js", &[("sec-fetch-dest", "script"), ("cookie", &cookie)]).await;
    assert_eq!(text(script).await, "console.log('next')");
}

#[tokio::test]
async fn every_reason_for_a_plain_answer_is_named() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let table: [Row; 7] = [
        ("/?viral=storage", &[], "plain; reason=storage"),
        ("/?viral=plain", &[], "plain; reason=requested"),
        ("/", &[("cookie", "viral=off")], "plain; reason=opt-out"),
        ("/", &[("save-data", "on")], "plain; reason=save-data"),
        ("/", &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")], "plain; reason=bot"),
        ("/", &[("cookie", "viral=incapable")], "plain; reason=incapable"),
        ("/nothing-here", &[], "plain; reason=not-found"),
    ];
    for (uri, headers, expected) in table {
        let response = visit(&viral, uri, headers).await;
        assert_eq!(answer(&response), expected);
        assert!(!text(response).await.contains(ADDITION), "{uri} {headers:?}");
    }
    let curl = get(&viral, "/", &[("host", "app.example"), ("user-agent", "curl/8.0")]).await;
    assert_eq!(answer(&curl), "plain; reason=not-a-browser");
    assert_eq!(answer(&get(&viral, "/nothing-here", &[]).await), "plain; reason=not-a-browser");
    let part = get(&viral, "/missing.js", &[]).await;
    assert_eq!((part.status(), answer(&part)), (StatusCode::NOT_FOUND, ""), "nobody visits a script");
}

#[tokio::test]
async fn a_thin_page_has_the_colours_of_the_apps_own_style_sheets() {
    let page = (
        "dark.html",
        "<title>Dark</title><link rel=stylesheet href=dark.css><script src=app.js></script><meta name=theme-color content=#123456>",
    );
    let viral = viral(&[&SITE[..], &[page, ("dark.css", "body{background:#0d1117;color:white}")]].concat(), |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/dark.html");
    let response = visit(&viral, "/dark.html", &[]).await;
    assert_eq!(answer(&response), "thin; reason=peer-near");
    let html = text(response).await;
    assert!(
        html.contains("<meta name=\"theme-color\" content=\"#123456\"><style>:where(html){background:#0d1117;color:white}</style>"),
        "{html}"
    );
}

#[tokio::test]
async fn the_size_threshold_and_the_operators_rules_hold() {
    let small = viral(&SITE, |config| config.min_app_bytes = 1 << 20).await;
    for _ in 0..3 {
        assert_eq!(answer(&visit(&small, "/", &[]).await), "full; reason=learning");
        report(&small, "/", &["/app.js"]);
    }
    assert_eq!(answer(&visit(&small, "/", &[]).await), "plain; reason=small-app");
    let own = viral(&SITE, |config| config.own_service_worker = crate::config::OwnServiceWorker::Yes).await;
    assert_eq!(answer(&visit(&own, "/", &[]).await), "plain; reason=own-service-worker");
    let strict = viral(&SITE, |config| config.header = vec!["Content-Security-Policy: script-src 'nonce-x'".parse().unwrap()]).await;
    let response = visit(&strict, "/", &[]).await;
    assert_eq!(answer(&response), "plain; reason=csp");
    assert_eq!(response.headers()["content-security-policy"], "script-src 'nonce-x'");
}

#[tokio::test]
async fn a_page_whose_html_names_little_is_large_as_soon_as_a_visitor_used_much() {
    let viral = viral(&SITE, |config| config.min_app_bytes = 20_000).await;
    let (_, _outgoing) = seeder(&viral, "/");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=learning", "peers or not");
    report(&viral, "/", &["/app.js", "/late.bin"]);
    let (_, _outgoing) = seeder(&viral, "/");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "thin; reason=peer-near");
    assert_eq!(answer(&visit(&viral, "/about/", &[]).await), "full; reason=learning", "another page is learned by itself");
}

#[tokio::test]
async fn whoever_stores_the_page_as_it_is_gets_a_note() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let manifest = viral.app.hub.page(&viral.app.site.current(), &document(&viral)).unwrap().manifest.to_string();
    let preload = format!("viral 0123456789abcdef,{}", &manifest[..16]);
    let ours = [("service-worker-navigation-preload", preload.as_str()), BROWSER];
    let response = visit(&viral, "/?q=1&a", &ours).await;
    assert_eq!((response.status(), answer(&response)), (StatusCode::OK, "thin; reason=stored"));
    assert_eq!(response.headers()["viral-manifest"], manifest);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("viral-version="));
    let head = request(&viral, "HEAD", "/?q=1&a", &[&NAVIGATION[..], &ours].concat(), "").await;
    assert_eq!(head.headers(), response.headers());
    let html = text(response).await;
    assert!(html.len() < 300 && html.contains("url=?q=1&amp;a&amp;viral=plain"), "{html}");
    // A worker of the site's own may store what it preloads.
    for (other, expected) in [
        ("true", "full; reason=passed-on"),
        ("viral 0123456789abcdef", "thin; reason=peer-near"),
        (&manifest[..16], "full; reason=passed-on"),
    ] {
        let (_, _outgoing) = seeder(&viral, "/");
        assert_eq!(answer(&visit(&viral, "/", &[("service-worker-navigation-preload", other)]).await), expected, "{other}");
    }
    assert_eq!(answer(&visit(&viral, "/?viral=plain", &ours).await), "plain; reason=requested");
}

#[tokio::test]
async fn a_path_written_otherwise_costs_nobody_the_page() {
    let viral = viral(&[&SITE[..], &[("[slug].js", "1"), ("@x.js", "2")]].concat(), |_| ()).await;
    report(&viral, "/", &["/%61pp.js", "/app.js", "/%5Bslug%5D.js", "/[slug].js", "/%40x.js", "/@x.js"]);
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    let own = [("host", "app.example"), ("origin", "http://app.example")];
    let post = r#"{"paths":["/late.bin","/%6cate.bin","/late.bi%6E"]}"#;
    let record = request(&viral, "POST", "/.viral/record", &own, post).await;
    assert_eq!(record.status(), StatusCode::OK);
    let records = viral_wire::Manifest::decode(&crate::testing::bytes(record).await).unwrap();
    assert_eq!(records.assets.iter().map(|record| record.path.as_str()).collect::<Vec<_>>(), ["/late.bin"]);
}

#[tokio::test]
async fn head_and_revalidation_say_the_same_as_get() {
    let viral = viral(&SITE, |_| ()).await;
    let full = visit(&viral, "/", &[]).await;
    let etag = full.headers()["etag"].to_str().unwrap().to_owned();
    let again = visit(&viral, "/", &[("if-none-match", &etag)]).await;
    assert_eq!((again.status(), answer(&again)), (StatusCode::NOT_MODIFIED, "full; reason=unchanged"));
    let (_, _outgoing) = seeder(&viral, "/");
    let unchanged = visit(&viral, "/", &[("if-none-match", &etag)]).await;
    assert_eq!((unchanged.status(), answer(&unchanged)), (StatusCode::NOT_MODIFIED, "full; reason=unchanged"), "peers or not");
    assert!(unchanged.headers()["set-cookie"].to_str().unwrap().starts_with("viral-version="));
    let raw = get(&viral, "/", &[("if-none-match", "\"x\""), ("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate")]).await;
    let raw_tag = raw.headers()["etag"].to_str().unwrap().to_owned();
    for other in [raw_tag.as_str(), "*"] {
        let (_, _outgoing) = seeder(&viral, "/");
        let thin = visit(&viral, "/", &[("if-none-match", other)]).await;
        assert_eq!((thin.status(), answer(&thin)), (StatusCode::OK, "thin; reason=peer-near"), "{other} is not the page with the addition");
    }
    let head = request(&viral, "HEAD", "/", &[&NAVIGATION[..], &[BROWSER]].concat(), "").await;
    assert_eq!(answer(&head), "thin; reason=peer-near");
    let head_headers = head.headers().clone();
    assert_eq!(text(head).await, "");
    let get = visit(&viral, "/", &[BROWSER]).await;
    assert_eq!(answer(&get), "thin; reason=peer-near", "HEAD reserved nobody");
    let mut get_headers = get.headers().clone();
    get_headers.remove("content-length").unwrap();
    assert_eq!(head_headers, get_headers);
}

#[tokio::test]
async fn a_page_without_scripts_that_asked_for_plain_stays_plain() {
    let viral = viral(&SITE, |_| ()).await;
    let cookies = |response: &http::Response<axum::body::Body>| {
        response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let asked = visit(&viral, "/?viral=plain", &[]).await;
    assert!(cookies(&asked).iter().any(|cookie| cookie.starts_with("viral=incapable; Max-Age=604800")));
    let off = visit(&viral, "/?viral=plain", &[("cookie", "viral=off")]).await;
    assert!(!cookies(&off).iter().any(|cookie| cookie.starts_with("viral=")), "an opt-out is not overwritten");
}

#[tokio::test]
async fn a_link_on_another_site_says_nothing_about_what_a_browser_can() {
    let viral = viral(&SITE, |_| ()).await;
    for (site, remembered) in [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)] {
        let headers = [("host", "app.example"), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", site)];
        let response = get(&viral, "/?viral=plain", &headers).await;
        assert!(answer(&response).starts_with("plain"), "{site}");
        let cookies: Vec<_> =
            response.headers().get_all("set-cookie").iter().filter(|value| value.as_bytes().starts_with(b"viral=")).collect();
        assert_eq!(!cookies.is_empty(), remembered, "{site}");
    }
}

#[tokio::test]
async fn cookies_of_a_page_behind_tls_are_secure() {
    let viral = viral(&SITE, |config| config.trust_proxy = vec!["0.0.0.0/32".parse().unwrap()]).await;
    let response = visit(&viral, "/?viral=plain", &[("x-forwarded-proto", "https")]).await;
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies.len() == 3 && cookies.iter().all(|cookie| cookie.ends_with("; Secure")), "{cookies:?}");
}

#[tokio::test]
async fn documents_are_private_however_they_are_asked_for() {
    let viral = viral(&SITE, |_| ()).await;
    let asked: [&[(&str, &str)]; 5] = [
        &[],
        &[("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")],
        &[("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate")],
        &[("user-agent", "curl/8")],
        &[("range", "bytes=0-1"), ("sec-fetch-dest", "empty")],
    ];
    for headers in asked {
        let response = get(&viral, "/about/", headers).await;
        assert_eq!(response.headers()["cache-control"], "private, no-cache", "{headers:?}");
    }
    assert_eq!(get(&viral, "/app.js", &[]).await.headers()["cache-control"], "no-cache");
}

#[tokio::test]
async fn a_post_is_never_thin() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let response = request(&viral, "POST", "/", &NAVIGATION, "").await;
    assert_eq!((response.status(), answer(&response)), (StatusCode::METHOD_NOT_ALLOWED, ""));
}

fn document(viral: &crate::Viral) -> std::sync::Arc<viral_site::Asset> {
    match viral.app.site.current().resolve_visit("/") {
        viral_site::Resolved::Asset(document) => document,
        other @ (viral_site::Resolved::Redirect(_) | viral_site::Resolved::NotFound(_)) => panic!("{other:?}"),
    }
}
