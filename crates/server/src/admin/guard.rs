//! Who may ask: on loopback whoever names no host of somebody else's, elsewhere whoever knows the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::config::AdminToken;
use crate::limits::{POST_TIMEOUT, WRONG_TOKEN_LOG_S};
use crate::replies::refusal;
use viral_swarm::request::Socket;
use viral_swarm::request::cookies;
use viral_swarm::request::same_origin;

/// Name of the cookie of who has said the token.
const COOKIE: &str = "viral-admin";

/// How long a browser keeps it, in seconds: a working week, for a dashboard on a wall.
const COOKIE_AGE_S: u64 = 7 * 24 * 3600;

/// Longest body of the login form, in bytes.
const FORM_LEN_MAX: usize = 2 * 1024;

/// The page that asks for the token.
const LOGIN: &str = include_str!("login.html");

/// The login page loads nothing and sends its form to us alone.
const LOGIN_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Decides who may ask.
#[derive(Clone, Debug)]
pub(crate) enum Guard {
    /// There is no password, and a page of anybody's can point a name of its own at a loopback address and then read what a browser on this machine may read.
    Literal,
    /// Nobody is asked: somebody else decided already.
    Nobody,
    /// Whoever says the token.
    Token(Arc<Token>),
}

/// What is compared: digests, so that how long it takes to compare them tells nothing of the token.
#[derive(Debug)]
pub(crate) struct Token {
    digest: [u8; 32],
    /// Value of the cookie. With another process it is another one.
    cookie: String,
    start: Instant,
    /// When a wrong token was logged last, in seconds since the start, and one more; 0 = never.
    logged_s: AtomicU64,
}

impl Guard {
    /// As the settings say.
    pub(crate) fn new(token: Option<&AdminToken>) -> Self {
        let Some(token) = token.map(AdminToken::as_str) else { return Self::Literal };
        let salt: [u8; 32] = rand::random();
        let cookie = Sha256::new().chain_update(salt).chain_update(token).finalize();
        let cookie = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = Sha256::digest(token).into();
        Self::Token(Arc::new(Token { digest, cookie, start: Instant::now(), logged_s: AtomicU64::new(0) }))
    }

    /// Lets a request pass, or answers it.
    pub(super) async fn pass(self, request: Request, next: Next) -> Response<Body> {
        match self {
            // HTTP/1.0 needs no host, and no browser speaks it.
            Self::Literal if request.headers().get(header::HOST).is_none_or(same_origin::is_literal) => next.run(request).await,
            Self::Literal => refusal(StatusCode::MISDIRECTED_REQUEST, "ask by address or as localhost, or give the server --admin-token"),
            Self::Nobody => next.run(request).await,
            Self::Token(token) => token.pass(request, next).await,
        }
    }
}

impl Token {
    async fn pass(&self, request: Request, next: Next) -> Response<Body> {
        // Whether the process lives is no secret, and whoever looks after it has no token.
        if request.uri().path() == "/healthz" || self.is_said(request.headers()) {
            return next.run(request).await;
        }
        if request.method() == Method::POST && request.uri().path() == "/login" {
            return self.log_in(request).await;
        }
        if request.headers().contains_key(header::AUTHORIZATION) {
            self.note_wrong();
        }
        if accepts_html(request.headers()) { login_page(None) } else { unauthorized() }
    }

    fn is_said(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        let is_bearer = bearer.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && self.is(token.trim()));
        is_bearer || cookies::cookie(headers, COOKIE).is_some_and(|value| Sha256::digest(value) == Sha256::digest(&self.cookie))
    }

    fn is(&self, token: &str) -> bool {
        Sha256::digest(token)[..] == self.digest
    }

    async fn log_in(&self, request: Request) -> Response<Body> {
        let is_tls = request.extensions().get::<Socket>().is_some_and(|socket| socket.is_tls());
        let Ok(Ok(body)) = timeout(POST_TIMEOUT, Limited::new(request.into_body(), FORM_LEN_MAX).collect()).await else {
            return refusal(StatusCode::BAD_REQUEST, "the form has one field, token");
        };
        let fields = body.to_bytes();
        let said = form_urlencoded::parse(&fields).find(|(name, _)| name == "token");
        if !said.is_some_and(|(_, token)| self.is(token.trim())) {
            self.note_wrong();
            return login_page(Some("That is not the token of --admin-token."));
        }
        let secure = if is_tls { "; Secure" } else { "" };
        let cookie = format!("{COOKIE}={}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Strict{secure}", self.cookie);
        let mut response = refusal(StatusCode::SEE_OTHER, "welcome");
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Says now and then that somebody guesses.
    fn note_wrong(&self) {
        let (now_s, logged_s) = (self.start.elapsed().as_secs() + 1, self.logged_s.load(Relaxed));
        if (logged_s == 0 || now_s >= logged_s + WRONG_TOKEN_LOG_S)
            && self.logged_s.compare_exchange(logged_s, now_s, Relaxed, Relaxed).is_ok()
        {
            tracing::warn!("somebody asked on the admin address with a wrong token");
        }
    }
}

/// Whether a browser wants to show something.
fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accepted| accepted.contains("text/html"))
}

fn login_page(fault: Option<&str>) -> Response<Body> {
    let fault = fault.map(|fault| format!("<p role=\"alert\">{fault}</p>")).unwrap_or_default();
    let mut response = refusal(StatusCode::UNAUTHORIZED, "");
    *response.body_mut() = Body::from(LOGIN.replace("{{fault}}", &fault));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(LOGIN_POLICY));
    challenge(response)
}

fn unauthorized() -> Response<Body> {
    challenge(refusal(StatusCode::UNAUTHORIZED, "say the token of --admin-token, as in `Authorization: Bearer TOKEN`"))
}

fn challenge(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"viral\""));
    response
}
