//! A site in front of any service, as a tower layer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tower::{BoxError, Layer, Service};
use tracing::Instrument as _;
use viral_site::Claim;
use viral_swarm::admission::{Decision, Reason};

use crate::app::App;
use crate::client::{Visitor, socket_of};
use crate::client_certificate::ClientCertificate;
use crate::headers::VIRAL_ANSWER;
use crate::meter::Meter;
use crate::pipeline::{self, Passing, PersonalVisit, WorkerScript, span};
use crate::shutdown::Tasks;
use crate::stats::Cause;
use crate::traces;
use viral_swarm::personal::is_page;
use viral_swarm::request::evidence::{self, FOR_WORKER};

/// Puts a site in front of a service; see [`Viral::layer`](crate::Viral::layer).
#[derive(Clone)]
pub struct ViralLayer {
    site: Router,
    app: Arc<App>,
    tasks: Arc<Tasks>,
}

impl ViralLayer {
    /// Of a site that is answered by `site`; the `tasks` run as long as the layer is there.
    pub(crate) fn new(site: Router, app: Arc<App>, tasks: Arc<Tasks>) -> Self {
        Self { site, app, tasks }
    }
}

impl<S> Layer<S> for ViralLayer {
    type Service = ViralService<S>;

    fn layer(&self, inner: S) -> ViralService<S> {
        let own = self.app.base.own("");
        ViralService { site: self.site.clone(), own, app: Arc::clone(&self.app), _tasks: Arc::clone(&self.tasks), inner }
    }
}

/// A service with a site in front of it.
#[derive(Clone)]
pub struct ViralService<S> {
    site: Router,
    app: Arc<App>,
    _tasks: Arc<Tasks>,
    /// What paths of viral's own begin with.
    own: String,
    inner: S,
}

impl<S> ViralService<S> {
    /// Whether this is for us whatever the site has. Below a base another site may be at the root.
    fn is_own(&self, path: &str) -> bool {
        path.starts_with(&self.own) || path == self.own.trim_end_matches('/')
    }
}

impl<S, B> Service<Request<Body>> for ViralService<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // The site is ready at any time.
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_own = self.is_own(request.uri().path());
        let (app, mut site, next) = (Arc::clone(&self.app), self.site.clone(), self.inner.clone());
        // The one that is ready.
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let from = app.trust_proxy.certificate_from(socket_of(&parts));
            if !ClientCertificate::settle(&mut parts, from) {
                app.warn_of_certificate();
            }
            let is_of_site = is_own
                || match app.site.claim(&parts) {
                    Claim::Yes => true,
                    Claim::No => false,
                    Claim::Ask(asked) => asked.await,
                };
            let age = if is_of_site && !is_own { app.site.age(parts.uri.path()) } else { None };
            // On a listener of our own most requests are for small assets: the router's layers cost more than the asset.
            if let (true, Some(meter)) =
                (is_of_site && app.is_plainly_of_site(&parts.method, parts.uri.path()), parts.extensions.get::<Meter>())
            {
                return Ok(aged(pipeline::answer_plainly(&app, &parts, meter).await, age));
            }
            if is_of_site {
                let Ok(response) = site.call(Request::from_parts(parts, body)).await;
                return Ok(aged(response, age));
            }
            pass(&app, parts, body, |request| inner.call(request)).await
        })
    }
}

/// An answer that the site kept says how old it is (RFC 9111 section 5.1). A thin one is made anew.
fn aged(mut response: Response<Body>, age: Option<Duration>) -> Response<Body> {
    let is_thin = response.headers().get(VIRAL_ANSWER).is_some_and(|answer| answer.as_bytes().starts_with(b"thin"));
    let is_kept = matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(age) = age.filter(|_| is_kept && !is_thin) {
        let headers = response.headers_mut();
        headers.insert(header::AGE, age.as_secs().into());
        // Caches count `Expires` from when it was made, and would count its age twice.
        let made = SystemTime::now().checked_sub(age).filter(|_| headers.contains_key(header::EXPIRES));
        if let Some(made) = made.and_then(|made| HeaderValue::try_from(httpdate::fmt_http_date(made)).ok()) {
            headers.insert(header::DATE, made);
        }
    }
    response
}

/// Has a request answered by the service behind the site.
async fn pass<B, E, F>(app: &App, mut parts: Parts, body: Body, call: impl FnOnce(Request<Body>) -> F) -> Result<Response<Body>, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // What such a visitor gets is its own, down to what its pages load.
    let has_certificate = parts.extensions.get::<ClientCertificate>().is_some();
    let worker_script =
        if !has_certificate && pipeline::is_worker_asked(app, &parts) { Some(WorkerScript::prepare(&mut parts, app)) } else { None };
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    let goes_there = if is_read { evidence::goes_there(&parts.headers) } else { Some(false) };
    let visitor = Visitor::of(&parts, &app.trust_proxy);
    parts.extensions.insert(visitor);
    let (meter, passing) = (parts.extensions.get::<Meter>().cloned(), if has_certificate { None } else { Passing::of(app, &parts) });
    let personal = if goes_there == Some(true) && !has_certificate { PersonalVisit::of(app, &parts) } else { None };
    let span = if goes_there == Some(true) { span::of_visit(app, &parts) } else { span::of_passing(app, &parts) };
    parts.headers.remove(FOR_WORKER);
    if let Some(personal) = &personal {
        personal.prepare(app, &mut parts.headers);
    }
    traces::pass_on(&span, &mut parts.headers);
    let mut response = call(Request::from_parts(parts, body)).instrument(span.clone()).await?.map(Body::new);
    let is_page = is_page(&response);
    if let Some(personal) = personal {
        response = span.in_scope(|| personal.answer(app, response));
    } else if goes_there != Some(false) && is_page {
        span.in_scope(|| pipeline::set_answer_header(app, &mut response, Decision::Plain(Reason::NotShareable)));
    }
    if let Some(meter) = meter {
        meter.set_cause(if is_page { Cause::Documents } else { Cause::Assets });
    }
    if let Some(worker_script) = worker_script {
        response = worker_script.answer(app, response).await;
    }
    if let Some(passing) = passing.filter(|_| !is_page) {
        response = passing.observe(app, response);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::{ServiceExt as _, service_fn};

    use super::*;
    use crate::testing::{NAVIGATION, SITE, answer, from_here, text, viral};

    async fn asked(method: &str, path: &str) -> (String, String) {
        asked_below("/", method, path).await
    }

    async fn asked_below(base: &str, method: &str, path: &str) -> (String, String) {
        let viral = viral(&SITE, |config| config.base = base.parse().unwrap()).await;
        let inner = service_fn(|request: Request<Body>| async move {
            Ok::<_, Infallible>(Response::new(format!("inner {} {}", request.method(), request.uri().path())))
        });
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in NAVIGATION {
            request = request.header(name, value);
        }
        let response = viral.layer().layer(inner).oneshot(from_here(request.body(Body::empty()).unwrap())).await.unwrap();
        let answer = answer(&response).to_owned();
        (answer, text(response).await)
    }

    #[tokio::test]
    async fn a_site_below_a_base_leaves_the_root_to_others() {
        assert!(asked_below("/app/", "GET", "/app/").await.0.starts_with("full"));
        assert!(asked_below("/app/", "GET", "/app/.viral/").await.1.contains("<html"));
        assert_eq!(asked_below("/app/", "GET", "/.viral/manifest/1").await.1, "inner GET /.viral/manifest/1");
        assert_eq!(asked_below("/app/", "GET", "/").await.1, "inner GET /");
    }

    #[tokio::test]
    async fn what_the_site_has_is_answered_by_it_and_all_else_by_the_service() {
        let (answer, body) = asked("GET", "/").await;
        assert!(answer.starts_with("full") && body.contains("An app"), "{answer} {body}");
        assert_eq!(asked("GET", "/about").await.1, "moved\n", "its folders, too");
        assert_eq!(asked("GET", "/api/time?x=1").await, (String::new(), "inner GET /api/time".to_owned()));
        assert_eq!(asked("POST", "/app.js").await.1, "inner POST /app.js");
        assert!(asked("GET", "/.viral/").await.1.contains("<html"), "everything of viral's");
        assert_eq!(asked("GET", "/none.html").await.1, "inner GET /none.html");
    }
}
