//! A site from outside: real directories, no sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path, sync::Arc};

use axum_core::body::Body;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt as _;
use viral_site::{DirectorySite, Resolved, Site, SiteOptions, Version, Which, respond, respond_not_found, respond_redirect};

#[path = "site/caching.rs"]
mod caching;
#[path = "site/dates.rs"]
mod dates;
#[path = "site/hostile.rs"]
mod hostile;
#[path = "site/packed.rs"]
mod packed;
#[path = "site/pieces.rs"]
mod pieces;
#[path = "site/rules.rs"]
mod rules;
#[path = "site/serving.rs"]
mod serving;
#[path = "site/store.rs"]
mod store;
#[path = "site/watching.rs"]
mod watching;

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(dir.path(), path, content);
    }
    dir
}

fn write(dir: &Path, path: &str, content: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

async fn open(dir: &Path, options: SiteOptions) -> DirectorySite {
    DirectorySite::open(dir.to_owned(), options).await.unwrap()
}

/// A version by its number, while it is kept.
fn version(site: &dyn Site, number: u64) -> Option<Arc<Version>> {
    site.versions().iter().find(|version| version.number() == number).cloned()
}

/// A GET with these headers.
fn get(path: &str, headers: &[(&str, &str)]) -> Parts {
    request("GET", path, headers)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

/// The answer a plain static server would give.
async fn answer(version: &Version, request: &Parts) -> Response<Body> {
    match version.resolve(request.uri.path()) {
        Resolved::Asset(asset) => respond(version, &asset, Which::Raw, request).await,
        Resolved::Redirect(redirect) => respond_redirect(version, &redirect, request),
        Resolved::NotFound(page) => respond_not_found(version, page.as_deref(), Which::Raw, request).await,
    }
}

async fn body(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// Status and body of a GET.
async fn fetched(version: &Version, path: &str) -> (StatusCode, Vec<u8>) {
    let response = answer(version, &get(path, &[])).await;
    (response.status(), body(response).await)
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}
