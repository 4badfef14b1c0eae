//! What is read or saved instead of shown is the page as it is.

use super::*;

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
