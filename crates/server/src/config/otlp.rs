//! Where traces are sent.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ValueError;
use super::values::serde_as_text;

/// What follows the address of a collector for traces (OTLP specification 1.9, "Endpoint URLs for OTLP/HTTP").
const TRACES_PATH: &str = "v1/traces";

/// The address of a collector that takes OTLP over HTTP, without what follows it for traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpEndpoint(String);

impl OtlpEndpoint {
    /// Where traces are posted.
    #[must_use]
    pub fn traces_url(&self) -> String {
        format!("{}/{TRACES_PATH}", self.0.trim_end_matches('/'))
    }

    /// Whether the collector must show a certificate.
    #[must_use]
    pub fn is_over_tls(&self) -> bool {
        self.0.parse::<Uri>().is_ok_and(|uri| uri.scheme() == Some(&Scheme::HTTPS))
    }
}

impl FromStr for OtlpEndpoint {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let url = text.trim();
        let is_collector = |uri: Uri| {
            // Whoever gives the whole address would have it twice, and a collector that answers 404.
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
                && !uri.path().trim_end_matches('/').ends_with(TRACES_PATH)
        };
        if url.parse().is_ok_and(is_collector) { Ok(Self(url.to_owned())) } else { Err(ValueError::OtlpEndpoint(text.to_owned())) }
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(OtlpEndpoint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_address() {
        let url = |text: &str| text.parse::<OtlpEndpoint>().unwrap().traces_url();
        assert_eq!(url("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url(" https://traces.example/otlp/ "), "https://traces.example/otlp/v1/traces");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "collector:4318", "grpc://collector:4317", "http://", "http://c/?key=1", "http://c:4318/v1/traces", "/v1/traces"]
        {
            assert!(wrong.parse::<OtlpEndpoint>().is_err(), "{wrong}");
        }
    }
}
