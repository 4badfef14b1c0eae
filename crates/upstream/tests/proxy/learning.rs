//! What is learned of the other server, and what never is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;

use super::*;

const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
const DATED: (&str, &str) = ("last-modified", "Mon, 06 Jul 2026 10:00:00 GMT");
const PUBLIC: (&str, &str) = ("cache-control", "public, max-age=0");
/// What no answer says that was passed on.
const OF_SITE: &str = "accept-ranges: bytes";
const PAGE: &str = "<!doctype html><title>App</title><script src=/app.js?v=1></script><p>Hello";

fn page() -> impl IntoResponse {
    ([HTML, PUBLIC], PAGE)
}

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { page() }))
        .route("/app.js", get(|| async { ([("content-type", "text/javascript"), DATED], "window.ran = true;") }))
        .route("/data", get(|request: Request| async move { ([("content-type", "application/json"), PUBLIC], request.uri().to_string()) }))
        .route(
            "/me",
            get(|headers: HeaderMap| async move {
                ([HTML], format!("<p>{}", headers.get("cookie").map_or("nobody", |value| value.to_str().unwrap())))
            }),
        )
}

#[tokio::test]
async fn a_page_is_passed_on_once_and_then_it_and_its_parts_are_of_the_site() {
    let front = front(app()).await;
    let first = front.visit("/").await;
    assert!(first.contains("reason=not-shareable\r\n") && first.contains("<p>Hello"), "{first}");
    let visit = front.visit_until("/", NAVIGATION, "viral-answer: full; reason=no-peer-near").await;
    assert!(visit.contains("/.viral/addition.js?v=") && visit.contains("<p>Hello"), "{visit}");
    let part = front.visit_until("/app.js?v=1", "", OF_SITE).await;
    assert!(
        part.contains("content-type: text/javascript\r\n") && part.ends_with("window.ran = true;") && !part.contains("via: "),
        "{part}"
    );
    let head = front.ask("HEAD", "/", NAVIGATION).await;
    assert!(head.contains("viral-manifest: ") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn what_is_personal_stays_at_the_other_server() {
    let front = front(app()).await;
    for name in ["alice", "bob"] {
        for _ in 0..3 {
            let answer = front.ask("GET", "/me", &format!("{NAVIGATION}cookie: name={name}\r\n")).await;
            assert!(answer.contains("reason=not-shareable\r\n") && answer.contains(&format!("<p>name={name}")), "{answer}");
        }
    }
    let nobody = front.visit("/me").await;
    assert!(nobody.contains("<p>nobody"), "{nobody}");
}

#[tokio::test]
async fn a_query_leads_to_the_other_server_unless_it_leads_to_the_same_file() {
    let front = front(app()).await;
    front.visit_until("/data", "", OF_SITE).await;
    for _ in 0..3 {
        let answer = front.ask("GET", "/data?who=1", "").await;
        assert!(answer.ends_with("/data?who=1") && answer.contains("via: "), "{answer}");
    }
    let with_credentials = front.ask("GET", "/data", "authorization: Basic x\r\n").await;
    assert!(with_credentials.contains("via: "), "{with_credentials}");
}

#[tokio::test]
async fn a_page_whose_parts_scripts_ask_for_travels_and_its_parts_do_not() {
    let app = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            let body = if headers.contains_key("rsc") { "a part" } else { "<title>x</title>the page" };
            ([HTML, PUBLIC, ("vary", "rsc, next-router-state-tree, accept-encoding")], body)
        }),
    );
    let front = front(app).await;
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    let part = front.ask("GET", "/", "rsc: 1\r\n").await;
    assert!(part.contains("via: ") && part.ends_with("a part"), "{part}");
    assert!(front.visit("/").await.contains("the page"));
}

#[tokio::test]
async fn a_deploy_is_seen_at_the_next_visit_and_never_mixed() {
    let deployed = Arc::new(AtomicBool::new(false));
    let is_new = Arc::clone(&deployed);
    let text = move || if is_new.load(SeqCst) { "new" } else { "old" };
    let script = text.clone();
    let app = Router::new()
        .route("/", get(move || async move { ([HTML, PUBLIC], format!("<title>x</title><script src=/app.js></script>{}", text())) }))
        .route(
            "/app.js",
            get(move || async move { ([("content-type", "text/javascript"), PUBLIC], format!("window.is = '{}';", script())) }),
        );
    let front = front(app).await;
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    front.visit_until("/app.js", "", OF_SITE).await;
    deployed.store(true, SeqCst);
    // What is asked about at most once a second may be that old.
    sleep(Duration::from_millis(1_100)).await;
    assert!(front.visit("/").await.contains("new"));
    assert!(front.ask("GET", "/app.js", "").await.ends_with("window.is = 'new';"));
    let visit = front.visit_until("/", NAVIGATION, OF_SITE).await;
    assert!(visit.contains("new"), "{visit}");
}

#[tokio::test]
async fn many_who_come_at_once_cost_the_other_server_one_question() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let slow_page = move || async move {
        count.fetch_add(1, SeqCst);
        sleep(Duration::from_millis(200)).await;
        page()
    };
    let front = Arc::new(front(Router::new().route("/", get(slow_page))).await);
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    sleep(Duration::from_millis(1_100)).await;
    let before = asked.load(SeqCst);
    let visits: Vec<_> = (0..20)
        .map(|_| {
            let front = Arc::clone(&front);
            tokio::spawn(async move { front.visit("/").await })
        })
        .collect();
    for visit in visits {
        assert!(visit.await.unwrap().contains(OF_SITE));
    }
    assert_eq!(asked.load(SeqCst) - before, 1);
}

#[tokio::test]
async fn what_may_be_stored_is_there_while_the_other_server_is_away() {
    let front = front(app()).await;
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    front.behind.abort();
    sleep(Duration::from_millis(1_100)).await;
    let stored = front.visit("/").await;
    assert!(stored.contains(OF_SITE) && stored.contains("<p>Hello"), "{stored}");
    let personal = front.visit("/me").await;
    assert!(personal.starts_with("HTTP/1.1 502"), "{personal}");
}

#[tokio::test]
async fn what_must_be_asked_about_is_not_given_while_the_other_server_is_away() {
    let strict = ("cache-control", "public, max-age=0, must-revalidate");
    let front = front(Router::new().route("/", get(move || async move { ([HTML, strict], PAGE) }))).await;
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    front.behind.abort();
    sleep(Duration::from_millis(1_100)).await;
    assert!(front.visit("/").await.starts_with("HTTP/1.1 502"));
}

#[tokio::test]
async fn a_page_that_is_made_for_a_host_is_kept_for_nobody_until_the_host_is_said() {
    let app = || {
        Router::new()
            .route("/", get(|headers: HeaderMap| async move { ([HTML, PUBLIC], format!("<p>{}", headers["host"].to_str().unwrap())) }))
    };
    let open = front(app()).await;
    for _ in 0..5 {
        let evil = open.send(&format!("GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n{NAVIGATION}\r\n")).await;
        assert!(evil.contains("not-shareable") && evil.contains("<p>evil.example"), "{evil}");
        assert!(open.visit("/").await.contains("<p>a.example"));
        sleep(Duration::from_millis(100)).await;
    }
    let told = front_with(app(), |settings| settings.host = Some("www.example".parse().unwrap())).await;
    let visit = told.visit_until("/", NAVIGATION, OF_SITE).await;
    assert!(visit.contains("<p>www.example"), "{visit}");
}

#[tokio::test]
async fn another_host_may_be_another_site() {
    let app = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            let is_tenant = headers["host"].as_bytes() == b"tenant.example";
            ([HTML, PUBLIC], if is_tenant { "<p>tenant" } else { "<p>default" })
        }),
    );
    let front = front(app).await;
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    for _ in 0..4 {
        let tenant = front.send(&format!("GET / HTTP/1.1\r\nhost: tenant.example\r\nconnection: close\r\n{NAVIGATION}\r\n")).await;
        assert!(tenant.contains("<p>tenant"), "{tenant}");
        sleep(Duration::from_millis(200)).await;
    }
    assert!(front.visit("/").await.contains(OF_SITE));
}

#[tokio::test]
async fn a_path_that_is_spelt_otherwise_is_passed_on_every_time() {
    let front = front(Router::new().fallback(get(|| async { page() }))).await;
    for path in ["/index.html", "/a/index.html", "/%5Bslug%5D", "/%61", "//a", "/caf%c3%a9"] {
        for _ in 0..3 {
            let answer = front.visit(path).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("via: 1.1 viral"), "{path} {answer}");
            sleep(Duration::from_millis(150)).await;
        }
    }
}

#[tokio::test]
async fn what_is_called_private_one_day_does_not_travel_any_more() {
    let is_private = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_private);
    let app = Router::new().route(
        "/",
        get(move || {
            let control = if asked.load(SeqCst) { "private" } else { "public, max-age=0" };
            async move { ([HTML, ("cache-control", control)], PAGE) }
        }),
    );
    let front = front(app).await;
    front.visit_until("/", NAVIGATION, OF_SITE).await;
    is_private.store(true, SeqCst);
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..3 {
        let visit = front.visit("/").await;
        assert!(visit.contains("not-shareable") && visit.contains("cache-control: private"), "{visit}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_stream_without_end_holds_nobody_up() {
    use futures_util::StreamExt as _;
    let endless = || async {
        let pieces = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("data: x\n\n")).then(|piece| async {
            sleep(Duration::from_millis(50)).await;
            piece
        });
        ([("content-type", "text/event-stream"), PUBLIC], axum::body::Body::from_stream(pieces))
    };
    let streams = ["/1", "/2", "/3", "/4", "/5"];
    let app = streams.iter().fold(app(), |app, path| app.route(path, get(endless)));
    let front = front(app).await;
    for path in streams {
        let mut stream = TcpStream::connect(front.at).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n").as_bytes()).await.unwrap();
        let mut some = [0; 64];
        stream.read_exact(&mut some).await.unwrap();
    }
    front.visit_until("/", NAVIGATION, OF_SITE).await;
}

/// The value of a header of an answer.
fn header_of<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn an_answer_says_how_old_it_is_from_the_other_servers_own_age_on() {
    let lasting = ("cache-control", "public, max-age=600");
    let app = Router::new()
        .route("/", get(move || async move { ([HTML, lasting, ("age", "100")], PAGE) }))
        .route("/old.css", get(|| async { ([("content-type", "text/css"), PUBLIC, ("date", "Mon, 06 Jul 2015 10:00:00 GMT")], "a {}") }))
        .route("/new.css", get(move || async move { ([("content-type", "text/css"), lasting], "a {}") }));
    let front = front(app).await;
    let age = |answer: &str| header_of(answer, "age").map(|age| age.parse::<u64>().unwrap());
    assert_eq!(age(&front.visit("/").await), Some(100), "it is passed on");
    let kept = front.visit_until("/", NAVIGATION, OF_SITE).await;
    assert!((100..160).contains(&age(&kept).unwrap()), "{kept}");
    assert!(age(&front.visit_until("/old.css", "", OF_SITE).await).unwrap() > 300_000_000, "its date says so");
    let part = front.visit_until("/new.css", "range: bytes=0-0\r\n", OF_SITE).await;
    assert!(part.starts_with("HTTP/1.1 206") && age(&part).unwrap() < 60, "{part}");
    let tag = header_of(&part, "etag").unwrap();
    let same = front.ask("GET", "/new.css", &format!("if-none-match: {tag}\r\n")).await;
    assert!(same.starts_with("HTTP/1.1 304") && age(&same).is_some(), "{same}");
    assert_eq!(age(&front.ask("GET", "/.viral/addition.js", "").await), None, "that is ours");
}

#[tokio::test]
async fn how_old_an_answer_was_when_it_came_counts_in_how_long_it_is_believed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = |age: &'static str| {
        let count = Arc::clone(&asked);
        get(move || {
            count.fetch_add(1, SeqCst);
            async move { ([("content-type", "text/css"), ("cache-control", "public, max-age=600"), ("age", age)], "a {}") }
        })
    };
    let front = front(Router::new().route("/young.css", counted("0")).route("/old.css", counted("600"))).await;
    for (path, is_asked_about) in [("/young.css", false), ("/old.css", true)] {
        front.visit_until(path, "", OF_SITE).await;
        // What came just now is believed for a second, whatever it says.
        sleep(Duration::from_millis(1_100)).await;
        let before = asked.load(SeqCst);
        assert!(front.ask("GET", path, "").await.contains(OF_SITE));
        assert_eq!(asked.load(SeqCst) > before, is_asked_about, "{path}");
    }
}
