//! A page of another service, with an app beside it that may travel.

use std::convert::Infallible;
use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use viral_site::{EmbeddedFile, EmbeddedSite, OpenSite, Opening, Site, SiteOptions};
use viral_wire::PERSONAL_PATH;
use viral_wire::signal::ThinBoot;

use super::*;
use crate::Viral;
use crate::config::Config;
use crate::testing::{NAVIGATION, answer, from_here, request, seeder, text};

const PAGE: &str = "<!doctype html><title>Me</title><script src=\"/app.js\"></script><p>for one";

/// Assets whose pages another service makes.
struct Assets;

impl OpenSite for Assets {
    fn open(self: Box<Self>, options: SiteOptions) -> Opening {
        Box::pin(async move {
            let options = SiteOptions { personal_pages: true, ..options };
            let app = EmbeddedFile { path: "app.js".to_owned(), body: Bytes::from_static(b"console.log('app')") };
            Ok(Arc::new(EmbeddedSite::open(vec![app], options).await?) as Arc<dyn Site>)
        })
    }
}

async fn site(min_app_bytes: u64) -> Viral {
    Viral::open(Assets, &Config { min_app_bytes, ..Config::default() }).await.unwrap()
}

/// What the service was asked, and what it answers.
async fn visited(viral: &Viral, more: &[(&str, &str)], answer: Response<Body>) -> (HeaderMap, Response<Body>) {
    let (answer, asked) = (std::sync::Mutex::new(Some(answer)), Arc::new(std::sync::Mutex::new(HeaderMap::new())));
    let (answer, noted) = (Arc::new(answer), Arc::clone(&asked));
    let inner = service_fn(move |request: Request<Body>| {
        *noted.lock().unwrap() = request.headers().clone();
        let answer = answer.lock().unwrap().take().unwrap();
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut request = Request::get("/me");
    for (name, value) in NAVIGATION.iter().chain(more) {
        request = request.header(*name, *value);
    }
    let response = viral.layer().layer(inner).oneshot(from_here(request.body(Body::empty()).unwrap())).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    (asked, response)
}

fn page(headers: &[(&str, &str)]) -> Response<Body> {
    let mut response = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(PAGE)).unwrap()
}

fn with_tag(viral: &Viral, nonce: Option<&str>) -> String {
    PAGE.replacen("<script", &format!("{}<script", viral.app.scripts.beside_tag(nonce)), 1)
}

#[tokio::test]
async fn the_page_streams_by_with_our_tag_before_what_runs() {
    let viral = site(0).await;
    let headers = [("content-length", "73"), ("last-modified", "Mon, 30 Nov 2026 00:00:00 GMT"), ("accept-ranges", "bytes")];
    let (asked, response) = visited(&viral, &[("range", "bytes=0-1"), ("accept-encoding", "br")], page(&headers)).await;
    assert_eq!((asked[header::ACCEPT_ENCODING].as_bytes(), asked.get(header::RANGE)), (b"identity".as_slice(), None));
    assert_eq!(answer(&response), "full; reason=not-shareable");
    for gone in [header::CONTENT_LENGTH, header::LAST_MODIFIED, header::ACCEPT_RANGES, header::CONTENT_ENCODING] {
        assert!(!response.headers().contains_key(&gone), "{gone}");
    }
    assert_eq!(response.headers()[header::CACHE_CONTROL], "private", "it has cookies of ours");
    assert!(response.headers().get_all(header::SET_COOKIE).iter().count() >= 2);
    assert_eq!(text(response).await, with_tag(&viral, None));
}

#[tokio::test]
async fn a_page_is_left_alone_where_nothing_says_that_it_pays_or_that_it_may_be() {
    let viral = site(1 << 20).await;
    let (asked, response) = visited(&viral, &[], page(&[])).await;
    assert_eq!((answer(&response), asked.get(header::ACCEPT_ENCODING)), ("plain; reason=not-shareable", None));
    assert_eq!(text(response).await, PAGE);
    let viral = site(0).await;
    for (said, of_page) in [
        (Some(("cookie", "viral=off")), None),
        (Some(("save-data", "on")), None),
        (Some(("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")), None),
        (None, Some(("content-security-policy", "script-src 'none'"))),
        (None, Some(("content-encoding", "br"))),
        (None, Some(("cache-control", "private, no-transform"))),
        (None, Some(("content-type", "text/html; charset=utf-16le"))),
    ] {
        let mut given = page(&[]);
        if let Some((name, value)) = of_page {
            given.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let (_, response) = visited(&viral, said.as_slice(), given).await;
        assert_eq!(answer(&response), "plain; reason=not-shareable", "{said:?} {of_page:?}");
        assert_eq!(text(response).await, PAGE);
    }
    for (name, value) in [("content-type", "application/json"), ("content-disposition", "attachment; filename=x")] {
        let mut given = page(&[]);
        given.headers_mut().insert(name, HeaderValue::from_static(value));
        let (_, response) = visited(&viral, &[], given).await;
        assert_eq!((answer(&response), response.headers().contains_key(header::SET_COOKIE)), ("", false), "no page: {value}");
    }
}

#[tokio::test]
async fn a_nonce_of_the_page_is_that_of_our_tag() {
    let viral = site(0).await;
    let policy = ("content-security-policy", "script-src 'nonce-r4nd0m' 'strict-dynamic'; connect-src 'self'");
    let (_, response) = visited(&viral, &[], page(&[policy])).await;
    assert_eq!(response.headers()["content-security-policy"], policy.1, "its policy stays as it is");
    assert_eq!(text(response).await, with_tag(&viral, Some("r4nd0m")));
}

#[tokio::test]
async fn whoever_has_the_page_with_our_tag_is_told_that_it_is_still_the_same() {
    let viral = site(0).await;
    let (_, response) = visited(&viral, &[], page(&[("etag", "\"1\"")])).await;
    let ours = response.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_ne!(ours, "\"1\"");
    let unchanged = Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, "\"1\"").body(Body::empty()).unwrap();
    let (asked, response) = visited(&viral, &[("if-none-match", &ours), ("if-modified-since", "x")], unchanged).await;
    assert_eq!((asked[header::IF_NONE_MATCH].as_bytes(), asked.get(header::IF_MODIFIED_SINCE)), (b"\"1\"".as_slice(), None));
    assert_eq!((response.status(), answer(&response)), (StatusCode::NOT_MODIFIED, "full; reason=not-shareable"));
    assert_eq!(response.headers()[header::ETAG].to_str().unwrap(), ours);
    let (asked, _) = visited(&viral, &[("if-none-match", "\"1\"")], page(&[])).await;
    assert!(!asked.contains_key(header::IF_NONE_MATCH), "who has the page as it is without us gets it anew");
}

#[tokio::test]
async fn what_comes_is_passed_on_at_once_in_any_coding() {
    let viral = site(0).await;
    for (theirs, ours) in [("", ""), ("gzip", ""), ("", "gzip"), ("gzip", "gzip")] {
        let coded = if theirs.is_empty() { PAGE.as_bytes().to_vec() } else { crate::coding::encode_quick(Some(Coding::Gzip), PAGE.into()) };
        let halves = [coded[..coded.len() - 9].to_vec(), coded[coded.len() - 9..].to_vec()];
        let slow = stream::unfold((0, halves), |(at, halves)| async move {
            if at == 1 {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            let half = halves.get(at)?.clone();
            Some((Ok::<_, Infallible>(Bytes::from(half)), (at + 1, halves)))
        });
        let mut given = page(&[]).map(|_| Body::from_stream(slow));
        if !theirs.is_empty() {
            given.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let (_, response) = visited(&viral, &[("accept-encoding", ours)], given).await;
        let is_gzip = response.headers().contains_key(header::CONTENT_ENCODING);
        assert_eq!(is_gzip, !ours.is_empty() && !theirs.is_empty(), "only what came so leaves so");
        let mut body = response.into_body();
        let first = tokio::time::timeout(Duration::from_millis(200), body.frame()).await.expect("at once").unwrap().unwrap();
        let whole = [first.into_data().unwrap(), body.collect().await.unwrap().to_bytes()].concat();
        let mut plain = Vec::new();
        if is_gzip {
            flate2::read::MultiGzDecoder::new(&whole[..]).read_to_end(&mut plain).unwrap();
        } else {
            plain = whole;
        }
        assert_eq!(String::from_utf8(plain).unwrap(), with_tag(&viral, None), "{theirs} to {ours}");
    }
}

#[tokio::test]
async fn what_shared_caches_give_to_many_gets_no_cookies_and_a_head_is_that_of_the_page() {
    let viral = site(1 << 20).await;
    let (_, response) = visited(&viral, &[], page(&[("cache-control", "public, s-maxage=60")])).await;
    assert_eq!(
        (response.headers().get(header::SET_COOKIE), &response.headers()[header::CACHE_CONTROL]),
        (None, &HeaderValue::from_static("public, s-maxage=60"))
    );
    let (_, response) = visited(&viral, &[], page(&[("cdn-cache-control", "max-age=60")])).await;
    assert!(!response.headers().contains_key(header::SET_COOKIE));
    let viral = site(0).await;
    let (_, response) = visited(&viral, &[], page(&[("cdn-cache-control", "max-age=60")])).await;
    assert!(response.headers().contains_key(header::SET_COOKIE) && !response.headers().contains_key("cdn-cache-control"));
    let empty = page(&[("content-encoding", "gzip")]).map(|_| Body::empty());
    let (_, response) = visited(&viral, &[], empty).await;
    assert_eq!(text(response).await, viral.app.scripts.beside_tag(None), "a body of nothing in a coding is none");
}

#[tokio::test]
async fn a_body_that_is_cut_short_does_not_look_complete() {
    let viral = site(0).await;
    let coded = crate::coding::encode_quick(Some(Coding::Gzip), PAGE.into());
    let mut given = page(&[("content-encoding", "gzip")]);
    *given.body_mut() = Body::from(coded[..coded.len() - 9].to_vec());
    let (_, response) = visited(&viral, &[], given).await;
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_page_takes_from_whoever_loaded_what_such_pages_load() {
    let viral = site(0).await;
    let (_, shown) = visited(&viral, &[], page(&[])).await;
    let cookies = shown.headers().get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().unwrap().split(';').next());
    let ticket = cookies.filter(|cookie| cookie.starts_with("viral-join=")).collect::<String>();
    let foreign =
        [("host", "app.example"), ("origin", "http://app.example"), ("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "empty")];
    let own = [foreign.as_slice(), &[("cookie", ticket.as_str())]].concat();
    let asked = async |headers: &[(&str, &str)]| request(&viral, "POST", PERSONAL_PATH, headers, "{}").await;
    assert_eq!(asked(&own).await.status(), StatusCode::NO_CONTENT, "nobody is there");
    drop(visited(&viral, &[], page(&[])).await);
    let (_, _outgoing) = seeder(&viral, PERSONAL_PATH);
    assert_eq!(asked(&foreign).await.status(), StatusCode::FORBIDDEN, "it was shown no such page");
    let response = asked(&own).await;
    assert_eq!(response.status(), StatusCode::OK);
    let boot: ThinBoot = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!((boot.page.as_str(), boot.critical, boot.offers.len()), (PERSONAL_PATH, 0, 1));
    let held = format!("{{\"held\":\"{}\"}}", boot.manifest);
    let response = request(&viral, "POST", PERSONAL_PATH, &own, held).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT, "who has all of it takes from nobody");
    let nonsense = request(&viral, "POST", PERSONAL_PATH, &own, "{\"held\":1}").await;
    assert_eq!(nonsense.status(), StatusCode::BAD_REQUEST);
    assert_eq!(asked(&[("host", "app.example"), ("origin", "http://other.example")]).await.status(), StatusCode::FORBIDDEN);
    let both = format!("{ticket}; viral=off");
    let opted_out = [foreign.as_slice(), &[("cookie", &both)]].concat();
    assert_eq!(asked(&opted_out).await.status(), StatusCode::NO_CONTENT);
}
