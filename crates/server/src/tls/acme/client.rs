//! How a certificate authority is asked: over TLS, for a limited time, for a limited answer, and no sooner again than it says.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::Limited;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::error::AcmeError;

/// Longest wait for the head of an answer: more than the 10 s that Let's Encrypt gives itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer, in bytes: a chain of certificates has some 10 KiB.
const ANSWER_LEN_MAX: usize = 1024 * 1024;

/// Asks. Clones share what they were told.
#[derive(Debug, Clone)]
pub(super) struct AcmeClient {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    told: Arc<Mutex<Option<SystemTime>>>,
}

impl AcmeClient {
    /// Trusts the roots in the file, or those of the system.
    ///
    /// # Errors
    /// [`AcmeError::Root`].
    pub(super) fn new(roots: Option<&Path>) -> Result<Self, AcmeError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let https = match roots {
            None => HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
                .map_err(|error| AcmeError::Tls(format!("{error}; install the system's root certificates (package ca-certificates)")))?,
            Some(path) => {
                let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
                let config = config.map_err(|error| AcmeError::Tls(error.to_string()))?;
                HttpsConnectorBuilder::new().with_tls_config(config.with_root_certificates(read(path)?).with_no_client_auth())
            }
        };
        let client = Client::builder(TokioExecutor::new()).build(https.https_only().enable_http1().build());
        Ok(Self { client, told: Arc::default() })
    }

    /// Before when nobody is to ask again, if that was said since the last time.
    pub(super) fn take_told(&self) -> Option<SystemTime> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn read(path: &Path) -> Result<RootCertStore, AcmeError> {
    let fault = |error: String| AcmeError::Root { path: path.to_owned(), error };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))? {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    if roots.is_empty() { Err(fault("there is no certificate in it".to_owned())) } else { Ok(roots) }
}

impl HttpClient for AcmeClient {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (asking, told) = (self.client.request(request), Arc::clone(&self.told));
        Box::pin(async move {
            let response = timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| Error::Str("an answer in time"))?;
            let response = response.map_err(|error| Error::Other(chain(&error).into()))?;
            if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = retry_after(response.headers(), SystemTime::now());
            }
            Ok(BytesResponse::from(response.map(|body| Limited::new(body, ANSWER_LEN_MAX))))
        })
    }
}

/// An error and what is behind it: hyper's own words are "client error (Connect)".
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        said.push_str(&format!(": {error}"));
        source = error.source();
    }
    said
}

/// When to ask again (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<SystemTime> {
    let said = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match said.parse::<u64>() {
        Ok(seconds) => now.checked_add(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(said).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_come_again_is_seconds_or_a_date() {
        let said = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, http::HeaderValue::from_static(value))]);
            retry_after(&headers, SystemTime::UNIX_EPOCH)
        };
        assert_eq!(said(" 7 "), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(7)));
        assert_eq!(said("Thu, 01 Jan 1970 00:01:00 GMT"), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!((said("soon"), said("99999999999999999999999"), said("18446744073709551615")), (None, None, None));
    }

    #[test]
    fn roots_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let fault = |path: &Path| AcmeClient::new(Some(path)).err().unwrap().to_string();
        assert!(fault(&dir.path().join("none")).contains("give a file in PEM form with --acme-ca"));
        let path = dir.path().join("empty");
        std::fs::write(&path, "nothing").unwrap();
        assert!(fault(&path).contains("there is no certificate in it"));
    }
}
