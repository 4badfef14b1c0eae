//! `/.viral/`: what happens here, said to visitors, and the button that opts out. Works without scripts.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use viral_swarm::admission::CookieState;

use super::own_page::own_page;
use crate::app::App;
use crate::client::AskedBy;
use crate::replies::refusal;
use crate::stats::Cause;
use viral_swarm::request::Socket;
use viral_swarm::request::cookies::{self, visitor_state};

/// The page with its places to fill.
const TEMPLATE: &str = include_str!("disclosure.html");

/// Nothing but its own style and its own forms.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `GET /.viral/`
pub(crate) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Response<Body> {
    let off = visitor_state(&headers) == CookieState::Off;
    let (state, button, action, dot) = if off {
        ("You have <strong>opted out</strong>. This site is loaded from its server only.", "Take part again", "opt-in", "#8a948f")
    } else {
        ("You are <strong>taking part</strong>, if your browser can.", "Opt out", "opt-out", "#22b573")
    };
    let html = TEMPLATE.replace("{{state}}", state).replace("{{button}}", button).replace("{{dot}}", dot);
    own_page(&app, &html.replace("{{action}}", &app.base.own(action)), POLICY)
}

/// `POST /.viral/opt-out`
pub(crate) async fn opt_out(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap) -> Response<Body> {
    let scope = app.cookie_scope(peer, &headers);
    let mut response = back_with(&app, peer, &headers, cookies::set_off(scope));
    if response.status() == StatusCode::SEE_OTHER {
        response.headers_mut().append(header::SET_COOKIE, cookies::clear_browser(scope));
        response.headers_mut().append(header::SET_COOKIE, cookies::clear_join(scope));
    }
    response
}

/// `POST /.viral/opt-in`
pub(crate) async fn opt_in(State(app): State<Arc<App>>, AskedBy(peer): AskedBy, headers: HeaderMap) -> Response<Body> {
    back_with(&app, peer, &headers, cookies::clear_state(app.cookie_scope(peer, &headers)))
}

fn back_with(app: &App, peer: Socket, headers: &HeaderMap, cookie: HeaderValue) -> Response<Body> {
    if !app.is_own(peer, headers) {
        return refusal(StatusCode::FORBIDDEN, "only a page of this site may change this");
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    lead_to(app, &mut response);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Cause::Documents);
    response
}

/// Says where the page is that explains.
pub(super) fn lead_to(app: &App, response: &mut Response<Body>) {
    let location = HeaderValue::try_from(app.base.own("")).expect("a base is visible ASCII");
    response.headers_mut().insert(header::LOCATION, location);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SITE, get, request, text, viral};

    async fn shown(headers: &[(&str, &str)]) -> String {
        text(get(&viral(&SITE, |_| ()).await, "/.viral/", headers).await).await
    }

    #[tokio::test]
    async fn the_page_says_what_state_the_visitor_is_in() {
        let taking_part = shown(&[]).await;
        assert!(taking_part.contains("taking part") && taking_part.contains("action=\"/.viral/opt-out\"") && !taking_part.contains("{{"));
        let opted_out = shown(&[("cookie", "viral=off")]).await;
        assert!(opted_out.contains("opted out") && opted_out.contains("action=\"/.viral/opt-in\""));
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_elsewhere() {
        let html = shown(&[]).await;
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script") && !html.contains("src="));
    }

    async fn post(to: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let viral = viral(&SITE, |config| config.trust_proxy = vec!["0.0.0.0/32".parse().unwrap()]).await;
        request(&viral, "POST", to, headers, "").await
    }

    #[tokio::test]
    async fn opting_out_sets_the_cookie_for_a_year_and_opting_in_clears_it() {
        let response = post("/.viral/opt-out", &[]).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cleared: Vec<_> =
            response.headers().get_all(header::SET_COOKIE).iter().skip(1).map(|cookie| cookie.to_str().unwrap()).collect();
        assert_eq!(cleared, ["viral-visit", "viral-join"].map(|name| format!("{name}=; Max-Age=0; Path=/; SameSite=Lax; HttpOnly")));
        assert_eq!(response.headers()[header::SET_COOKIE], "viral=off; Max-Age=31536000; Path=/; SameSite=Lax");
        assert_eq!(post("/.viral/opt-in", &[]).await.headers()[header::SET_COOKIE], "viral=; Max-Age=0; Path=/; SameSite=Lax");
    }

    #[tokio::test]
    async fn behind_tls_an_opt_out_travels_over_tls_only() {
        let response = post("/.viral/opt-out", &[("x-forwarded-proto", "https")]).await;
        assert!(response.headers().get_all(header::SET_COOKIE).iter().all(|cookie| cookie.to_str().unwrap().ends_with("; Secure")));
    }

    #[tokio::test]
    async fn another_site_cannot_opt_a_visitor_out() {
        let response = post("/.viral/opt-out", &[("host", "a.example"), ("origin", "https://b.example")]).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
}
