//! Both servers over TLS, with one certificate.

use anyhow::Context as _;
use viral_journeys::nginx::{Nginx, Setup};
use viral_journeys::server::Server;
use viral_journeys::site::{Site, noise};

/// viral and nginx, each with the same certificate.
pub(crate) struct Secure {
    pub(crate) viral: Server,
    pub(crate) nginx: Nginx,
    _site: Site,
}

/// One row of the table: what it is, its path, the least ratio to nginx.
pub(crate) const ROWS: [(&str, &str, f64); 3] =
    [("1 KiB over HTTPS", "/1.png", 1.0), ("16 KiB over HTTPS", "/16.png", 1.0), ("100 KiB over HTTPS", "/100.png", 1.0)];

impl Secure {
    /// Starts both.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mut site = Site::empty();
        site.write("/index.html", "<!doctype html><title>Secure</title>");
        for kib in [1, 16, 100] {
            site.write(&format!("/{kib}.png"), noise(kib, usize::try_from(kib << 10)?));
        }
        let nginx = Nginx::serve_as(site.folder(), Setup::Secure).await?;
        let [certificate, key] = nginx.certificate();
        let words = [certificate.to_str(), key.to_str()].map(|path| path.context("a path of text"));
        let [certificate, key] = words;
        let viral = Server::serve(site.folder(), &["--tls-cert", certificate?, "--tls-key", key?]).await;
        Ok(Self { viral, nginx, _site: site })
    }
}
