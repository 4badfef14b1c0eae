//! A site below a path, behind a proxy that keeps the path in what it asks for and behind one that does not.

use viral_wire::Manifest;

use super::*;
use crate::Viral;
use crate::testing::bytes;

const RELATIVE: [(&str, &str); 4] = [
    ("index.html", "<!doctype html><title>An app</title><script src=\"js/app.js\"></script>"),
    ("js/app.js", "console.log('app')"),
    ("docs/index.html", "<!doctype html><title>Docs</title><script src=\"/app/js/app.js\"></script>"),
    ("404.html", "<!doctype html><title>Nothing</title>"),
];

async fn below() -> Viral {
    viral(&RELATIVE, |config| config.base = "/app/".parse().unwrap()).await
}

#[tokio::test]
async fn both_kinds_of_proxies_get_the_same_answers() {
    let viral = below().await;
    for (kept, left_out) in [
        ("/app/", "/"),
        ("/app/?x=1", "/?x=1"),
        ("/app/js/app.js", "/js/app.js"),
        ("/app/docs", "/docs"),
        ("/app/none", "/none"),
        ("/app/.viral/worker.js", "/.viral/worker.js"),
        ("/app/.viral/none", "/.viral/none"),
        ("/app/.viral/", "/.viral/"),
        ("/app/.viral", "/.viral"),
    ] {
        let (one, other) = (visit(&viral, kept, &[BROWSER]).await, visit(&viral, left_out, &[BROWSER]).await);
        assert_eq!((one.status(), one.headers().get("location")), (other.status(), other.headers().get("location")), "{kept}");
        assert_eq!(bytes(one).await, bytes(other).await, "{kept}");
    }
    let moved = async |uri: &str| visit(&viral, uri, &[]).await.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(
        (moved("/app").await, moved("/docs").await, moved("/.viral").await),
        ("/app/".into(), "/app/docs/".into(), "/app/.viral/".into())
    );
    assert!(text(visit(&viral, "/none", &[]).await).await.contains("Nothing"));
}

#[tokio::test]
async fn everything_that_we_make_lies_below_the_base() {
    let viral = below().await;
    let full = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&full), "full; reason=no-peer-near");
    let cookies: Vec<_> = full.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
    assert!(cookies.len() == 3 && cookies.iter().all(|cookie| cookie.contains("; Path=/app/;")), "{cookies:?}");
    assert!(!full.headers().contains_key("viral-base"), "browsers need not be told");
    assert!(text(full).await.contains("<script async src=\"/app/.viral/addition.js?v="));

    let (_peer, _outgoing) = seeder(&viral, "/app/");
    let thin = visit(&viral, "/app/", &[]).await;
    assert_eq!(answer(&thin), "thin; reason=peer-near");
    let html = text(thin).await;
    assert!(html.contains("\"page\":\"/app/\"") && html.contains("/app/.viral/worker.js"));
    assert_eq!(html.matches(".viral/").count(), html.matches("/app/.viral/").count());

    let worker = get(&viral, "/.viral/worker.js", &[]).await;
    assert_eq!(worker.headers()["service-worker-allowed"], "/app/");
    let page = text(get(&viral, "/.viral/", &[]).await).await;
    assert!(page.contains("action=\"/app/.viral/opt-out\"") && page.contains("<a href=\"/app/\">"));
    let out = request(&viral, "POST", "/app/.viral/opt-out", &[], "").await;
    assert_eq!((out.headers()["location"].as_bytes(), out.status()), (b"/app/.viral/".as_slice(), StatusCode::SEE_OTHER));
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Path=/app/;"));
    let native = get(&viral, "/js/app.js", &[("user-agent", "viral/0")]).await;
    assert_eq!(native.headers()["viral-base"], "/app/");
}

#[tokio::test]
async fn a_manifest_below_a_base_names_what_browsers_ask_for() {
    let viral = below().await;
    for page in ["/app/", "/app/docs/"] {
        visit(&viral, page, &[]).await;
        let (peer, _outgoing) = seeder(&viral, page);
        let manifest = viral.app.hub.page(&viral.app.site.current(), viral.app.site.current().asset(&format!("{page}index.html")).unwrap());
        let digest = manifest.unwrap().manifest;
        let blob = bytes(get(&viral, &format!("/app/.viral/manifest/{digest}"), &[]).await).await;
        let assets = Manifest::decode(&blob).unwrap().assets;
        let paths: Vec<_> = assets.iter().map(|asset| asset.path.as_str()).collect();
        assert_eq!(paths, [page, "/app/.viral/addition.js", "/app/js/app.js"]);
        assert!(assets[1].is_ours() && !assets[2].is_ours());
        viral.app.hub.leave(peer);
    }
}

#[tokio::test]
async fn a_single_page_app_has_every_route_below_its_base() {
    let viral = viral(&RELATIVE, |config| (config.base, config.spa) = ("/app/".parse().unwrap(), true)).await;
    for route in ["/app/settings/a", "/settings/a"] {
        let response = visit(&viral, route, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{route}");
        assert!(text(response).await.contains("An app"));
    }
}
