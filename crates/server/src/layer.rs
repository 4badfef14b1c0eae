//! A site in front of any service, as a tower layer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{Method, Request, Response};
use tower::{BoxError, Layer, Service};
use viral_site::Resolved;

use crate::app::App;
use crate::shutdown::Tasks;

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
    /// Whether the site answers this. What a request does to a path is the service's matter.
    fn is_of_site<B>(&self, request: &Request<B>) -> bool {
        let path = request.uri().path();
        // Below a base: another site may be at the root.
        if path.starts_with(&self.own) || path == self.own.trim_end_matches('/') {
            return true;
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        // A page of an older version still asks for what that had.
        is_read && self.app.site.versions().iter().any(|version| !matches!(version.resolve(path), Resolved::NotFound(_)))
    }
}

impl<S, B> Service<Request<Body>> for ViralService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
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
        if self.is_of_site(&request) {
            let answer = self.site.call(request);
            return Box::pin(async move {
                let Ok(response) = answer.await;
                Ok(response)
            });
        }
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(Body::new)) })
    }
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
