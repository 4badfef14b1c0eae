//! Each kind of answer, without a socket.

use std::io::Read as _;

use axum::body::Body;
use http::StatusCode;

use crate::testing::{NAVIGATION, SITE, answer, bytes, get, request, seeder, tell, text, viral, visit};

mod base;
mod giving;
mod joins;
mod log;
mod rules;
mod trials;
mod visits;

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
async fn a_visit_that_a_worker_passes_on_is_one_to_the_current_version() {
    let before = viral(&SITE, |config| config.spa = true).await;
    let mut deployed = SITE;
    deployed[0].1 = "<!doctype html><title>Next</title>";
    let site = viral(&deployed, |config| config.spa = true).await;
    let old = visit(&before, "/", &[]).await.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let passed_on = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin"), ("cookie", &old)];
    for path in ["/", "/user@x.com"] {
        let response = get(&site, path, &passed_on).await;
        assert_eq!((response.status(), answer(&response)), (StatusCode::OK, "plain; reason=passed-on"), "{path}");
        assert!(response.headers()["set-cookie"].to_str().unwrap().contains(site.app.site.current().tag()), "{path}");
        assert_eq!(text(response).await, deployed[0].1, "{path}");
    }
}

#[tokio::test]
async fn a_worker_of_the_sites_own_is_sent_with_ours_in_front() {
    const OWN: &str = "addEventListener('push', () => undefined)";
    const MODULE: &str = "import'./app.js'";
    let files = [&SITE[..], &[("sw.js", OWN), ("sw.mjs", MODULE), ("data.json", "{}")]].concat();
    let site = viral(&files, |_| ()).await;
    let asked = ("service-worker", "script");
    let ours = text(get(&site, "/.viral/inside.js", &[]).await).await;
    let response = get(&site, "/sw.js", &[asked]).await;
    let vary: Vec<_> = response.headers().get_all("vary").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    assert!(vary.iter().any(|names| names.contains("service-worker")), "{vary:?}");
    assert_eq!(response.headers()["content-length"].to_str().unwrap(), (ours.len() + 1 + OWN.len()).to_string());
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(text(response).await, format!("{ours}\n{OWN}"));
    assert_eq!(text(get(&site, "/sw.mjs", &[asked]).await).await, format!("import\"/.viral/inside.js\";\n{MODULE}"));
    let again = get(&site, "/sw.js", &[asked, ("if-none-match", &tag)]).await;
    assert_eq!((again.status(), again.headers()["etag"].to_str().unwrap()), (StatusCode::NOT_MODIFIED, tag.as_str()));
    // What is stored of the script itself, or without ours, is not what is asked for.
    let bare = get(&site, "/sw.js", &[]).await;
    let bare_tag = bare.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(text(bare).await, OWN);
    assert_eq!(get(&site, "/sw.js", &[asked, ("if-none-match", &bare_tag)]).await.status(), StatusCode::OK);
    let coded = get(&site, "/sw.js", &[asked, ("accept-encoding", "gzip")]).await;
    assert_eq!(coded.headers()["content-encoding"], "gzip");
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&bytes(coded).await[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, format!("{ours}\n{OWN}"));
    for (path, headers) in [("/sw.js", &[asked, ("cookie", "viral=off")][..]), ("/data.json", &[asked]), ("/none.js", &[asked])] {
        assert!(!text(get(&site, path, headers).await).await.contains(&ours), "{path} {headers:?}");
    }
    let left = viral(&files, |config| config.own_service_worker = crate::config::OwnServiceWorker::No).await;
    assert_eq!(text(get(&left, "/sw.js", &[asked]).await).await, OWN);
}

#[tokio::test]
async fn a_worker_with_ours_in_it_gets_the_page_with_the_addition_to_keep() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let asked = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "same-origin"), ("viral-worker", "document")];
    let response = get(&viral, "/", &asked).await;
    assert_eq!((response.status(), answer(&response)), (StatusCode::OK, "full; reason=passed-on"));
    assert!(text(response).await.contains(ADDITION));
    assert_eq!(text(get(&viral, "/app.js", &asked).await).await, SITE[1].1);
}

#[tokio::test]
async fn what_scripts_read_and_browsers_save_is_the_page_as_it_is() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let visited = visit(&viral, "/", &[]).await;
    let read = get(&viral, "/", &[("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")]).await;
    assert_eq!(
        (answer(&visited), &visited.headers()["vary"]),
        ("thin; reason=peer-near", &"accept-encoding, sec-fetch-dest".parse().unwrap())
    );
    assert_eq!(text(read).await, SITE[0].1);
    let firefox = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0");
    assert_eq!(text(visit(&viral, "/", &[firefox, ("priority", "u=4")]).await).await, SITE[0].1);
    let saved =
        crate::testing::viral(&SITE, |config| config.header = vec!["Content-Disposition: Attachment; filename=x".parse().unwrap()]).await;
    let (_, _outgoing) = seeder(&saved, "/");
    let response = visit(&saved, "/", &[]).await;
    assert_eq!(answer(&response), "");
    assert_eq!(text(response).await, SITE[0].1);
}

#[tokio::test]
async fn what_a_link_with_download_names_is_saved_as_it_is() {
    let offering = ("offer.html", "<a download href=/about/>Save</a>");
    let viral = viral(&[&SITE[..], &[offering]].concat(), |_| ()).await;
    let (from_here, from_elsewhere, saving) =
        (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"), ("cookie", "viral-save=1"));
    for (path, more, expected) in [
        ("/about/", &[from_here][..], ""),
        ("/about/", &[from_elsewhere], "thin; reason=peer-near"),
        ("/about/", &[], "thin; reason=peer-near"),
        ("/", &[from_here], "thin; reason=peer-near"),
        ("/", &[from_here, saving], ""),
        ("/", &[from_elsewhere, saving], "thin; reason=peer-near"),
    ] {
        let (_, _outgoing) = seeder(&viral, path);
        let response = get(&viral, path, &[&NAVIGATION[..3], more].concat()).await;
        assert_eq!(answer(&response), expected, "{path} {more:?}");
        if expected.is_empty() {
            let page = SITE.iter().find(|(name, _)| *name == format!("{}index.html", &path[1..])).unwrap();
            assert_eq!(text(response).await, page.1);
        }
    }
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
        tell(&small, "/", &["/app.js"]);
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
    tell(&viral, "/", &["/app.js", "/late.bin"]);
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
    tell(&viral, "/", &["/%61pp.js", "/app.js", "/%5Bslug%5D.js", "/[slug].js", "/%40x.js", "/@x.js"]);
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    let own = [("host", "app.example"), ("origin", "http://app.example")];
    let post = r#"{"paths":["/late.bin","/%6cate.bin","/late.bi%6E"]}"#;
    let record = request(&viral, "POST", "/.viral/record", &own, post).await;
    assert_eq!(record.status(), StatusCode::OK);
    let records = viral_wire::Manifest::decode(&crate::testing::bytes(record).await).unwrap();
    assert_eq!(records.assets.iter().map(|record| record.path.as_str()).collect::<Vec<_>>(), ["/late.bin"]);
}

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
async fn what_is_no_visit_is_served_as_it_is() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    for (dest, mode) in [("iframe", "navigate"), ("empty", "cors"), ("empty", "same-origin")] {
        let response = get(&viral, "/", &[("sec-fetch-dest", dest), ("sec-fetch-mode", mode)]).await;
        assert_eq!((response.status(), answer(&response)), (StatusCode::OK, ""));
        assert!(!text(response).await.contains(ADDITION));
    }
    let script = get(&viral, "/app.js", &[("sec-fetch-dest", "script"), ("sec-fetch-mode", "no-cors")]).await;
    assert_eq!(answer(&script), "");
    assert_eq!(text(script).await, "console.log('app')");
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

fn document(viral: &crate::Viral) -> std::sync::Arc<viral_site::Asset> {
    match viral.app.site.current().resolve_visit("/") {
        viral_site::Resolved::Asset(document) => document,
        other @ (viral_site::Resolved::Redirect(_) | viral_site::Resolved::NotFound(_)) => panic!("{other:?}"),
    }
}
