//! Service workers: ours passes visits on, and one of the site's own has ours in it.

use super::*;

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
