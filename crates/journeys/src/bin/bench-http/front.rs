//! Both servers in front of a third: what is passed on, and what is kept.

use viral_journeys::http;
use viral_journeys::nginx::{Nginx, Setup};
use viral_journeys::server::Server;
use viral_journeys::site::{Site, noise};
use viral_journeys::{deadlines, wait};

/// viral and nginx in front of one nginx.
pub(crate) struct Fronts {
    pub(crate) viral: Server,
    pub(crate) nginx: Nginx,
    _behind: Nginx,
    _site: Site,
}

/// One row of the table: what it is, its path, the least ratio to nginx.
pub(crate) const ROWS: [(&str, &str, f64); 2] =
    [("16 KiB, passed on by a proxy", "/passed/16.png", 0.9), ("16 KiB, kept by a proxy", "/kept/16.png", 1.2)];

impl Fronts {
    /// Starts all three, and waits until what may be kept is kept by both.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mut site = Site::empty();
        site.write("/index.html", "<!doctype html><title>Behind</title>");
        for (_, path, _) in ROWS {
            site.write(path, noise(16, 16 << 10));
        }
        site.write("/passed/page.html", crate::stream::page()?);
        // Of no bytes on disk.
        std::fs::File::create(site.folder().join("passed/large.bin"))?.set_len(2 << 30)?;
        let behind = Nginx::serve_as(site.folder(), Setup::Behind).await?;
        let nginx = Nginx::serve_as(site.folder(), Setup::Front(behind.address())).await?;
        // The smallest page is worth our tag.
        let viral = Server::proxy(behind.address(), &["--min-app-bytes", "0"]).await;
        let (_, kept, _) = ROWS[1];
        wait::until("both keep what they may", deadlines::CONDITION, async || {
            let theirs = http::get(nginx.address(), kept, &[]).await.map_err(|error| error.to_string())?;
            let ours = viral.get(kept, &[]).await;
            // What viral passes on says so; what it keeps has a tag of its own.
            let is_kept = ours.header("via").is_empty() && theirs.header("x-cache") == "HIT";
            if is_kept { Ok(()) } else { Err(format!("{:?} {:?}", ours.headers, theirs.headers)) }
        })
        .await;
        Ok(Self { viral, nginx, _behind: behind, _site: site })
    }
}
