//! `/.viral/doctor`: what this browser can do here, in plain words, and what the server thinks of it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use viral_swarm::admission::Decision;
use viral_wire::signal::DoctorPost;

use super::own_page::own_page;
use super::scripts;
use crate::app::App;
use crate::client::{AskedBy, socket_of};
use crate::pipeline;
use crate::replies::{done, read_post, refusal};
use crate::stats::Cause;

/// The page with its places to fill.
const TEMPLATE: &str = include_str!("doctor.html");

/// Nothing but its own style, its own script, and what that asks of the server.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How the server sees who asks; `ServerView` of `browser/src/core/doctor.ts`.
#[derive(Debug, Serialize)]
struct View<'a> {
    /// Where it came from.
    address: std::net::IpAddr,
    /// `full`, `thin` or `plain`: how a visit would be answered now; none where there is no page.
    answer: Option<&'a str>,
    /// Why; a token of the `viral-answer` header.
    reason: Option<&'a str>,
    /// Whether anybody seeds now. How many is for the operator.
    seeds: bool,
    /// UDP ports at which it tells how it sees who asks.
    stun: Vec<u16>,
}

/// `GET /.viral/doctor`
pub(crate) async fn page(State(app): State<Arc<App>>) -> Response<Body> {
    let html = TEMPLATE.replace("{{script}}", &app.base.own("doctor.js")).replace("{{about}}", &app.base.own(""));
    own_page(&app, &html, POLICY)
}

/// `POST /.viral/doctor`: what the page found in the way of this browser. Names alone are counted; nobody checks them.
pub(crate) async fn report(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap, body: Body) -> Response<Body> {
    if !app.is_own(peer, &headers) {
        return refusal(StatusCode::FORBIDDEN, "only pages of this site may report");
    }
    match read_post::<DoctorPost>(body).await {
        Ok(post) => {
            app.stats.add_doctor(&post);
            done()
        }
        Err(refused) => refused,
    }
}

/// `GET /.viral/doctor.js`
pub(crate) async fn script(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response<Body> {
    scripts::script(&app.scripts.doctor, query.as_deref(), &headers)
}

/// `GET /.viral/doctor.json?page=PATH`; without a page that at the base.
pub(crate) async fn view(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (request, _) = request.into_parts();
    let query = request.uri.query().unwrap_or_default();
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("page="));
    let path = asked.map_or(Cow::Borrowed(app.base.as_str()), |page| percent_decode_str(page).decode_utf8_lossy());
    if !path.starts_with('/') {
        return refusal(StatusCode::BAD_REQUEST, "a page is a path that begins with /, as in ?page=/docs/");
    }
    let answer = pipeline::would_be(&app, &request, &path).and_then(|decision| match decision {
        Decision::Full(reason) => Some(("full", reason)),
        Decision::Thin(reason) => Some(("thin", reason)),
        Decision::Plain(reason) => Some(("plain", reason)),
        Decision::Asset => None,
    });
    let visitor = app.client_addr(socket_of(&request), &request.headers);
    let view = View {
        address: visitor.public,
        answer: answer.map(|(answer, _)| answer),
        reason: answer.map(|(_, reason)| reason.as_token()),
        seeds: app.hub.numbers().seeders > 0,
        stun: app.stun_ports(&visitor),
    };
    let mut response = Response::new(Body::from(serde_json::to_string(&view).expect("numbers and names are JSON")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response.extensions_mut().insert(Cause::Signalling);
    response
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{SITE, get, request, seeder, text, viral};

    const BROWSER: [(&str, &str); 3] = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];

    #[tokio::test]
    async fn the_server_says_how_it_would_answer_and_reserves_nobody() {
        let viral = viral(&SITE, |_| ()).await;
        let view = async |query: &str, more: &[(&str, &str)]| -> Value {
            let response = get(&viral, &format!("/.viral/doctor.json{query}"), &[&BROWSER, more].concat()).await;
            serde_json::from_str(&text(response).await).unwrap()
        };
        let found = view("", &[]).await;
        assert_eq!((&found["answer"], &found["reason"]), (&json!("full"), &json!("no-peer-near")), "{found}");
        let (_, mut outgoing) = seeder(&viral, "/");
        for _ in 0..3 {
            let found = view("", &[]).await;
            assert_eq!((&found["answer"], &found["seeds"]), (&json!("thin"), &json!(true)), "{found}");
        }
        while let Some(outgoing) = outgoing.try_recv() {
            assert!(!format!("{outgoing:?}").contains("Answer"), "nobody was introduced");
        }
        assert_eq!(view("?page=%2Fabout%2F", &[("save-data", "on")]).await["reason"], "save-data");
        assert_eq!(view("?page=/app.js", &[]).await["answer"], Value::Null);
        assert_eq!(view("", &[("cookie", "viral=off")]).await["reason"], "opt-out");
        assert_eq!(get(&viral, "/.viral/doctor.json?page=x", &BROWSER).await.status(), 400);
    }

    #[tokio::test]
    async fn what_the_page_found_is_counted_by_cause() {
        let viral = viral(&SITE, |_| ()).await;
        let post = async |body: &str| request(&viral, "POST", "/.viral/doctor", &[], body.to_owned()).await.status();
        assert_eq!(post(r#"{"bad":["webrtc","webrtc"],"limited":["stun"]}"#).await, 204);
        assert_eq!(post(r#"{"bad":[],"limited":[]}"#).await, 204);
        assert_eq!(post(r#"{"bad":["fever"],"limited":[]}"#).await, 400);
        let found = viral.app.stats.doctor();
        assert_eq!(serde_json::to_value(found).unwrap(), json!({ "visits": 2, "bad": { "webrtc": 1 }, "limited": { "stun": 1 } }));
        let foreign = [("host", "app.example"), ("origin", "https://evil.example")];
        assert_eq!(request(&viral, "POST", "/.viral/doctor", &foreign, "{}").await.status(), 403);
    }

    #[tokio::test]
    async fn the_page_runs_its_own_script_alone() {
        let viral = viral(&SITE, |_| ()).await;
        let response = get(&viral, "/.viral/doctor", &[]).await;
        assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
        let html = text(response).await;
        assert!(html.contains("<script src=\"/.viral/doctor.js\"></script>") && !html.contains("{{"), "{html}");
        assert!(text(get(&viral, "/.viral/doctor.js", &[]).await).await.contains("/.viral/doctor.json"));
    }
}
