//! Over TLS, as sites are: HTTP/2 for what is asked for, a WebSocket beside it.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::certificate;
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey_alone;

use crate::common::{assert_whole, seeds};

/// A certificate and its key.
fn certificate() -> (TempDir, [PathBuf; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    certificate::make(folder.path()).expect("a certificate");
    let files = certificate::files(folder.path());
    (folder, files)
}

async fn visiting(engine: Engine, certificate: &Path, url: &str) -> Visitor {
    let visitor = Visitor::with(engine, Setting { trusts: Some(certificate.to_owned()), ..Setting::default() }).await;
    visitor.open(url).await;
    visitor
}

#[tokio::test]
async fn over_tls_the_app_travels() {
    journey_alone(async {
        let site = App::default().site();
        let (_folder, [certificate, key]) = certificate();
        let words = [certificate.to_str(), key.to_str()].map(|path| path.expect("a path of text"));
        let server = Server::serve(site.folder(), &["--tls-cert", words[0], "--tls-key", words[1]]).await;
        let url = server.secure_url("/");
        let first = visiting(Chromium, &certificate, &url).await;
        assert_whole(&first.until_app_runs().await, &site);
        seeds(&server, &first, 1).await;
        for engine in [Chromium, Firefox] {
            let visitor = visiting(engine, &certificate, &url).await;
            assert_whole(&visitor.until_app_runs().await, &site);
            let status = visitor.status().await;
            assert_eq!(status.answer, "thin", "{engine:?} {:?}", server.stats().await.reasons);
            assert!(status.bytes_from_peers > site.len() * 9 / 10, "{engine:?} {status:?}");
            let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
            assert_eq!(visitor.run(protocol).await, json!("h2"), "{engine:?}");
        }
    })
    .await;
}
