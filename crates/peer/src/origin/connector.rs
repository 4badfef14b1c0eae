//! How the origin is connected to, plain or over TLS.

use std::net::IpAddr;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tower::{BoxError, Service as _};
use url::Url;

use super::error::OriginError;
use crate::limits::{CONNECT_WAIT, POOL_IDLE};

/// A connector for both plain and TLS connections; sockets of WebSockets come from it, too.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// A connection, plain or TLS.
pub(crate) type Stream = <Connector as tower::Service<Uri>>::Response;

/// A connection for something else than requests.
pub(super) async fn connect(mut connector: Connector, uri: Uri) -> Result<Stream, BoxError> {
    std::future::poll_fn(|context| connector.poll_ready(context)).await?;
    connector.call(uri).await
}

/// The machine's certificates are only read where they are needed: that takes longer than a whole visit on a LAN.
pub(super) fn connector(url: &Url, bind: Option<IpAddr>) -> Result<Connector, OriginError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_WAIT));
    http.set_local_address(bind);
    let builder = if url.scheme() == "https" {
        HttpsConnectorBuilder::new().with_native_roots().map_err(OriginError::Certificates)?
    } else {
        let nobody = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(nobody)
    };
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}

/// Connections that nobody needs any more are closed soon: the server has only so many.
pub(super) fn client(connector: &Connector) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(POOL_IDLE).build(connector.clone())
}
