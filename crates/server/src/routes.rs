//! What answers the requests of a listener: one site's routes, or those of the site whose host is asked for.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response, Uri};
use tower::{BoxError, ServiceExt as _};

use crate::app::App;
use crate::endpoints::ANNOUNCE_PATH;
use crate::host_table::HostTable;
use crate::meter::Meter;
use crate::pipeline;
use crate::replies::no_such_host;
use crate::stats::Stats;

/// The routes of a site, and the way past them for what is plainly the site's.
#[derive(Clone)]
pub(crate) struct Routes {
    /// Answers everything.
    pub(crate) router: Router,
    /// Answers a GET of the site as the router does, without its layers: most requests are for small assets, and those cost more than the asset.
    pub(crate) site: Option<Arc<App>>,
}

impl Routes {
    pub(crate) async fn answer<B>(self, mut request: Request<B>, meter: &Meter) -> Result<Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if let Some(app) = &self.site
            && app.is_tracker_asked(request.method(), request.uri().path(), request.headers())
        {
            *request.uri_mut() = Uri::from_static(ANNOUNCE_PATH);
        }
        if let Some(app) = self.site.filter(|app| app.is_plainly_of_site(request.method(), request.uri().path())) {
            return Ok(pipeline::answer_plainly(&app, &request.into_parts().0, meter).await);
        }
        request.extensions_mut().insert(meter.clone());
        self.router.oneshot(request).await
    }
}

/// A site of several.
pub(crate) struct SiteRoutes {
    pub(crate) routes: Routes,
    pub(crate) stats: Arc<Stats>,
}

/// Whose routes answer.
#[derive(Clone)]
pub(crate) enum Hosts {
    /// These, whatever host is asked for.
    Any(Routes),
    /// Those of the site whose host is asked for; its bytes are counted as its own.
    Named(Arc<HostTable<SiteRoutes>>),
}

impl Hosts {
    pub(crate) async fn answer<B>(self, request: Request<B>, meter: &Meter) -> Result<Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let routes = match self {
            Self::Any(routes) => routes,
            Self::Named(table) => {
                let Some(site) = table.find(request.headers()) else { return Ok(no_such_host()) };
                meter.count_for(&site.stats);
                site.routes.clone()
            }
        };
        routes.answer(request, meter).await
    }
}
