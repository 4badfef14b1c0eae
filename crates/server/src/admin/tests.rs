use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::Viral;
use crate::testing::{SITE, get as visit, viral};

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn guarded() -> Viral {
    viral(&SITE, |config| config.admin_token = Some(TOKEN.parse().unwrap())).await
}

async fn ask(viral: &Viral, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let host = headers.iter().find(|(name, _)| *name == "host").map_or("ops.example", |(_, host)| host);
    let mut request = http::Request::get(path).header("host", host);
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
        request = request.header(*name, *value);
    }
    viral.admin().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn log_in(viral: &Viral, form: &str) -> Response<Body> {
    let request = http::Request::post("/login").header("host", "ops.example").body(Body::from(form.to_owned())).unwrap();
    viral.admin().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_operators_address_answers_to_addresses_and_localhost_only() {
    let viral = viral(&SITE, |_| ()).await;
    for (host, status) in [
        ("127.0.0.1:9090", 200),
        ("[::1]:9090", 200),
        ("localhost", 200),
        ("10.0.0.7:9090", 200),
        ("evil.example:9090", 421),
        ("localhost.evil.example", 421),
    ] {
        for path in ["/", "/stats", "/overview", "/metrics"] {
            let request = http::Request::get(path).header("host", host).body(Body::empty()).unwrap();
            assert_eq!(viral.admin().oneshot(request).await.unwrap().status().as_u16(), status, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn with_a_token_only_who_says_it_is_answered_under_any_name() {
    let viral = guarded().await;
    let bearer = format!("Bearer {TOKEN}");
    for path in ["/", "/dashboard.js", "/dashboard.css", "/overview", "/sites", "/stats", "/metrics", "/nothing"] {
        let refused = ask(&viral, path, &[]).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"viral\"", "{path}");
        for wrong in ["Bearer", "Bearer ", "Bearer wrong", &bearer[..bearer.len() - 1], &format!("Basic {TOKEN}")] {
            assert_eq!(ask(&viral, path, &[("authorization", wrong)]).await.status(), StatusCode::UNAUTHORIZED, "{path} {wrong}");
        }
        let answered = ask(&viral, path, &[("authorization", &bearer)]).await.status();
        assert_eq!(answered, if path == "/nothing" { StatusCode::NOT_FOUND } else { StatusCode::OK }, "{path}");
    }
    assert_eq!(ask(&viral, "/healthz", &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_person_types_the_token_once() {
    let viral = guarded().await;
    let page = ask(&viral, "/", &[("accept", "text/html,*/*")]).await;
    assert_eq!(page.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(text(page).await.contains("type=\"password\""));
    for wrong in ["", "token=", "token=wrong", &format!("other={TOKEN}"), &"x".repeat(5_000)] {
        let refused = log_in(&viral, wrong).await;
        assert!(refused.status().is_client_error() && !refused.headers().contains_key("set-cookie"), "{wrong}");
    }
    let welcome = log_in(&viral, &format!("token={TOKEN}")).await;
    assert_eq!(welcome.status(), StatusCode::SEE_OTHER);
    assert_eq!(welcome.headers()["location"], "/");
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let value = cookie.split(';').next().unwrap();
    assert_eq!(ask(&viral, "/overview", &[("cookie", value)]).await.status(), StatusCode::OK);
    let other = guarded().await;
    assert_eq!(ask(&other, "/overview", &[("cookie", value)]).await.status(), StatusCode::UNAUTHORIZED, "a cookie is of one process");
}

#[tokio::test]
async fn the_overview_has_what_stats_counts_and_points_only_once() {
    let viral = viral(&SITE, |_| ()).await;
    visit(&viral, "/", &[]).await;
    let overview = async |since: &str| -> serde_json::Value {
        let response = ask(&viral, &format!("/overview{since}"), &[("host", "localhost")]).await;
        assert_eq!(response.status(), StatusCode::OK);
        serde_json::from_str(&text(response).await).unwrap()
    };
    let first = overview("").await;
    assert_eq!((&first["counted"]["plain"], &first["counted"]["thin"], &first["alerts"]), (&1.into(), &0.into(), &serde_json::json!([])));
    assert_eq!((first["times"]["thin"]["p50_ms"].is_null(), &first["sessions"]), (true, &0.into()));
    assert_eq!(first["pages"][0]["page"], "/");
    assert_eq!(overview("?since=99999999999").await["hour"], serde_json::json!([]));
    assert_eq!(ask(&viral, "/overview?since=x", &[("host", "localhost")]).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_dashboard_is_asked_for_again_only_where_it_changed() {
    let viral = viral(&SITE, |_| ()).await;
    for (path, media_type) in [("/dashboard.js", "text/javascript; charset=utf-8"), ("/dashboard.css", "text/css; charset=utf-8")] {
        let first = ask(&viral, path, &[("host", "localhost"), ("accept-encoding", "br")]).await;
        assert_eq!(first.headers()["content-type"], media_type);
        assert_eq!(first.headers()["content-encoding"], "br");
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let again = ask(&viral, path, &[("host", "localhost"), ("accept-encoding", "br"), ("if-none-match", &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
    let page = ask(&viral, "/", &[("host", "localhost")]).await;
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}
