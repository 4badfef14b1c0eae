//! A site of somebody's own: the whole server runs on whatever implements `Site`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tower::ServiceExt as _;
use viral_server::config::Config;
use viral_server::{OpenSite, Site, Viral};
use viral_site::{EmbeddedFile, Opening, SiteOptions, Version};

/// A page whose text somebody sets, in memory. Nothing of viral's knows of it.
#[derive(Debug, Clone)]
struct Notice(Arc<watch::Sender<Arc<Vec<Arc<Version>>>>>, watch::Sender<u64>);

impl Notice {
    fn set(&self, text: &str, options: &SiteOptions) {
        let number = *self.1.borrow() + 1;
        let body = format!("<!doctype html><title>Notice</title><script src=/app.js></script>{text}");
        let files = [("index.html", body), ("app.js", "window.ran = true;".to_owned())];
        let files = files.into_iter().map(|(path, body)| EmbeddedFile { path: path.to_owned(), body: body.into() });
        let version = Arc::new(Version::of_files(number, files.collect(), options.clone()).unwrap());
        let older = self.0.borrow().clone();
        self.0.send_replace(Arc::new(std::iter::once(version).chain(older.iter().take(1).cloned()).collect()));
        self.1.send_replace(number);
    }
}

impl Site for Notice {
    fn versions(&self) -> Arc<Vec<Arc<Version>>> {
        self.0.borrow().clone()
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.1.subscribe()
    }
}

/// Opens it and hands on how its documents are made.
struct Opens(Notice, Arc<std::sync::OnceLock<SiteOptions>>);

impl OpenSite for Opens {
    fn open(self: Box<Self>, options: SiteOptions) -> Opening {
        self.0.set("first", &options);
        let _ = self.1.set(options);
        Box::pin(async move { Ok(Arc::new(self.0) as Arc<dyn Site>) })
    }
}

async fn visit(viral: &Viral, path: &str) -> (Response<()>, String) {
    let headers = [("host", "a.example"), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "none")];
    let here: SocketAddr = ([127, 0, 0, 1], 1).into();
    let request = Request::get(path).extension(ConnectInfo(here));
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let (parts, body) = viral.service().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_site_of_ones_own_is_served_carried_and_replaced() {
    let (notice, options) = (Notice(Arc::default(), watch::Sender::new(0)), Arc::default());
    let config = Config { min_app_bytes: 0, ..Config::default() };
    let viral = Viral::open(Opens(notice.clone(), Arc::clone(&options)), &config).await.unwrap();
    let (head, body) = visit(&viral, "/").await;
    assert_eq!(head.headers()["viral-answer"], "full; reason=no-peer-near");
    assert!(body.contains("first") && body.contains("/.viral/addition.js?v="), "{body}");
    let (_, app) = visit(&viral, "/app.js").await;
    assert_eq!(app, "window.ran = true;");
    notice.set("second", options.get().unwrap());
    let (_, body) = visit(&viral, "/").await;
    assert!(body.contains("second"), "{body}");
    let (head, _) = visit(&viral, "/none").await;
    assert_eq!((head.status().as_u16(), &head.headers()["viral-answer"]), (404, &"plain; reason=not-found".parse().unwrap()));
}

#[tokio::test]
async fn a_server_that_does_not_tell_where_requests_come_from_is_told_so() {
    let config = Config::default();
    let viral = Viral::open(Opens(Notice(Arc::default(), watch::Sender::new(0)), Arc::default()), &config).await.unwrap();
    let response = viral.service().oneshot(Request::get("/app.js").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status().as_u16(), 500);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("from which address"));
}
