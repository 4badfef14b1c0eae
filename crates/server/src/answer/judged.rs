//! Whether a page can travel, and how it is put in place.

use http::request::Parts;
use viral_swarm::admission::PageFitness;
use viral_wire::AssetRecord;
use viral_wire::signal::Deploy;

use crate::app::App;
use crate::client::Socket;
use crate::config::OwnServiceWorker;
use crate::csp::{self, PageOrigin};
use crate::files::{Asset, Version};
use crate::pages::Current;

/// Whether a page can travel, and how it is put in place.
pub(super) struct Judged {
    pub(super) fitness: PageFitness,
    pub(super) deploy: Deploy,
}

impl Judged {
    fn of(app: &App, version: &Version, asset: &Asset, request: &Parts, page: Option<Current>) -> Self {
        let unfit = |fitness| Self { fitness, deploy: Deploy::Reload };
        let record = asset.record();
        let Some(document) = asset.document().filter(|_| !is_saved(&record)) else { return unfit(PageFitness::NotHtml) };
        let own_worker = match app.own_service_worker {
            OwnServiceWorker::Auto => version.own_service_worker() || page.is_some_and(|page| page.own_worker),
            OwnServiceWorker::Yes => true,
            OwnServiceWorker::No => false,
        };
        if own_worker {
            return unfit(PageFitness::OwnServiceWorker);
        }
        if page.is_none() {
            return unfit(PageFitness::NoManifest);
        }
        let policies = record.headers.iter().filter(|(name, _)| csp::is_policy(name)).map(|(_, value)| value.as_str());
        let metas = document.meta_csp.iter().map(String::as_str);
        if !csp::allows(policies, metas, origin_of(app, request)) {
            return unfit(PageFitness::Csp);
        }
        // The loader is a classic script without modules, so an import map of the page is the first there is (docs/DECISIONS.md 41).
        let write = document.utf8;
        Self { fitness: PageFitness::Fit, deploy: if write { Deploy::Write } else { Deploy::Reload } }
    }
}

/// Whether the operator has browsers save it instead of showing it.
fn is_saved(record: &AssetRecord) -> bool {
    let mut dispositions = record.headers.iter().filter(|(name, _)| name == "content-disposition").map(|(_, value)| value.trim_start());
    dispositions.any(|value| value.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("attachment")))
}

fn origin_of<'a>(app: &App, request: &'a Parts) -> PageOrigin<'a> {
    let tls = app.came_over_tls(Socket::of(request), &request.headers);
    PageOrigin { scheme: if tls { "https" } else { "http" }, host: app.host(Socket::of(request), &request.headers) }
}
