//! A site of somebody's own: the whole server runs on whatever implements `Site`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tower::{Layer as _, ServiceExt as _};
use viral_server::config::Config;
use viral_server::{OpenSite, Site, Viral};
use viral_site::{EmbeddedFile, Opening, SiteOptions, Version, VersionMaker};

/// A page whose text somebody sets, in memory. Nothing of viral's knows of it.
#[derive(Debug, Clone)]
struct Notice(Arc<watch::Sender<Arc<Vec<Arc<Version>>>>>, watch::Sender<u64>, Arc<Mutex<Option<VersionMaker>>>);

impl Notice {
    fn set(&self, text: &str) {
        let body = format!("<!doctype html><title>Notice</title><script src=/app.js></script>{text}");
        let files = [("index.html", body), ("app.js", "window.ran = true;".to_owned()), (&*format!("{text}.txt"), text.to_owned())];
        let files = files.into_iter().map(|(path, body)| EmbeddedFile { path: path.to_owned(), body: body.into() });
        let version = Arc::new(self.2.lock().unwrap().as_mut().unwrap().version(files.collect()).unwrap());
        let number = version.number();
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

struct Opens(Notice);

impl OpenSite for Opens {
    fn open(self: Box<Self>, options: SiteOptions) -> Opening {
        *self.0.2.lock().unwrap() = Some(VersionMaker::new(options).unwrap());
        self.0.set("first");
        Box::pin(async move { Ok(Arc::new(self.0) as Arc<dyn Site>) })
    }
}

fn here() -> ConnectInfo<SocketAddr> {
    ConnectInfo(([127, 0, 0, 1], 1).into())
}

async fn visit(viral: &Viral, path: &str) -> (Response<()>, String) {
    let headers = [("host", "a.example"), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "none")];
    let request = Request::get(path).extension(here());
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let (parts, body) = viral.service().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_site_of_ones_own_is_served_and_replaced() {
    let notice = Notice(Arc::default(), watch::Sender::new(0), Arc::default());
    let config = Config { min_app_bytes: 0, ..Config::default() };
    let viral = Viral::open(Opens(notice.clone()), &config).await.unwrap();
    let (first, body) = visit(&viral, "/").await;
    assert_eq!(first.headers()["viral-answer"], "full; reason=no-peer-near");
    assert!(body.contains("first") && body.contains("/.viral/addition.js?v="), "{body}");
    let (_, app) = visit(&viral, "/app.js").await;
    assert_eq!(app, "window.ran = true;");
    notice.set("second");
    let (_, body) = visit(&viral, "/").await;
    assert!(body.contains("second"), "{body}");
    // A page of the first version is open, and asks for what only that has.
    let cookie = first.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let pinned = cookie.filter_map(|value| value.split(';').next()).find(|pair| pair.starts_with("viral-version=")).unwrap();
    let inner = tower::service_fn(|_| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("inner"))) });
    for (path, expected) in [("/first.txt", "first"), ("/third.txt", "inner")] {
        let request = Request::get(path).extension(here()).header("cookie", pinned).body(Body::empty()).unwrap();
        let answered = viral.layer().layer(inner).oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answered, expected, "{path}");
    }
    let (head, _) = visit(&viral, "/none").await;
    assert_eq!((head.status().as_u16(), &head.headers()["viral-answer"]), (404, &"plain; reason=not-found".parse().unwrap()));
}

#[tokio::test]
async fn a_server_that_does_not_tell_where_requests_come_from_is_told_so() {
    let config = Config::default();
    let viral = Viral::open(Opens(Notice(Arc::default(), watch::Sender::new(0), Arc::default())), &config).await.unwrap();
    let response = viral.service().oneshot(Request::get("/app.js").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status().as_u16(), 500);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("from which address"));
}
