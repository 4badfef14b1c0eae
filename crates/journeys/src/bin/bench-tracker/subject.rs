//! viral as the bench starts it, and how many sockets a process may have here.

use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use viral_journeys::certificate;
use viral_journeys::http::{self, NAVIGATION};
use viral_journeys::server::Server;
use viral_journeys::site::{Site, noise};

use crate::socket::Way;

/// Files that a process has open besides its sockets.
const OTHER_FILES: u64 = 200;

/// What the bench asks for: a server spares a quarter.
const FILES_WANTED: u64 = 70_000;

/// Bytes of the app: more than what is too small to travel.
const APP_LEN: usize = 1 << 20;

/// Visitors have addresses of their own, for all that the server knows.
pub(crate) const BEHIND_A_PROXY: [&str; 2] = ["--trust-proxy", "127.0.0.0/8"];

/// A server and its site.
pub(crate) struct Subject {
    pub(crate) server: Server,
    pub(crate) _site: Site,
}

/// Asks for as many files as the system allows. How many sockets one server may have.
pub(crate) fn sockets_max() -> usize {
    for maximum in [Some(FILES_WANTED), getrlimit(Resource::Nofile).maximum] {
        if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
            break;
        }
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(FILES_WANTED);
    usize::try_from((files - files / 4).min(files.saturating_sub(OTHER_FILES)).saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX)
}

/// A certificate, in a folder.
pub(crate) fn certificates() -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    certificate::make(folder.path())?;
    Ok(folder)
}

/// A server of a page of 1 MiB with these arguments besides what is needed for visitors with addresses of their own; over TLS with the certificate in this folder.
pub(crate) async fn viral(more: &[&str], tls: Option<&Path>) -> anyhow::Result<Subject> {
    viral_of(None, more, tls).await
}

/// The same of another build.
pub(crate) async fn viral_of(binary: Option<&Path>, more: &[&str], tls: Option<&Path>) -> anyhow::Result<Subject> {
    let mut site = Site::empty();
    site.write(
        "/index.html",
        "<!doctype html><html><head><title>Bench</title></head><body><script src=\"/app.js\"></script></body></html>",
    );
    site.write("/app.js", noise(1, APP_LEN));
    let files = tls.map(certificate::files);
    let words = files.iter().flatten().map(|path| path.to_str().context("a path that is text")).collect::<Result<Vec<_>, _>>()?;
    let mut arguments = BEHIND_A_PROXY.to_vec();
    if let [certificate, key] = words[..] {
        arguments.extend(["--tls-cert", certificate, "--tls-key", key]);
    }
    arguments.extend(more);
    let server = match binary {
        Some(binary) => Server::serve_with(binary, site.folder(), &arguments).await,
        None => Server::serve(site.folder(), &arguments).await,
    };
    Ok(Subject { server, _site: site })
}

/// Visits the page as first visitors do, so that it has a manifest.
pub(crate) async fn visit(way: &Way) -> anyhow::Result<()> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(way.stream(0).await?)).await?;
    tokio::spawn(connection);
    let mut page = Request::get("/").header(header::HOST, way.to.to_string());
    for (name, value) in NAVIGATION {
        page = page.header(*name, *value);
    }
    let page = sender.send_request(page.body(Empty::<Bytes>::new())?).await?;
    let cookies = page.headers().get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok()?.split(';').next());
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    page.into_body().collect().await?;
    let script = Request::get("/app.js")
        .header(header::HOST, way.to.to_string())
        .header(header::COOKIE, cookies)
        .header(header::REFERER, format!("{}/", way.origin()))
        .header("sec-fetch-dest", "script")
        .header("sec-fetch-mode", "no-cors")
        .header("sec-fetch-site", "same-origin")
        .body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(way.stream(0).await?)).await?;
    tokio::spawn(connection);
    sender.send_request(script).await?.into_body().collect().await?;
    Ok(())
}

/// The whole answer of the admin address to `/metrics`.
pub(crate) async fn metrics(server: &Server) -> anyhow::Result<http::Reply> {
    http::get(server.admin(), "/metrics", &[]).await
}
