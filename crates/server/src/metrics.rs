//! `/metrics`: what `/stats` tells, and more, in the formats of Prometheus. Nothing is counted here: it reads what [`Stats`](crate::stats::Stats) and the tracker counted.
//!
//! Names and labels follow <https://prometheus.io/docs/practices/naming/>. Every label has a value of a list that this program has; only `site`, where there are several, is the
//! operator's word. What a scrape costs does not depend on how many visitors there are.

mod encode;
mod process;
mod site;

use axum::response::IntoResponse as _;
use http::{HeaderMap, HeaderValue, Response, header};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

pub(crate) use self::process::note_start;
use self::process::{ProcessCollector, ServerCollector};
pub(crate) use self::site::SiteNumbers;
use self::site::SitesCollector;
use crate::connection_limit::ConnectionLimit;
use crate::replies::refusal;
use crate::stun::StunNumbers;

/// The formats that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// OpenMetrics 1.0, which Prometheus asks for.
    OpenMetrics,
    /// The older text format, version 0.0.4: for all others.
    Text,
}

impl Format {
    const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        })
    }

    /// What is asked for, by the weights of `Accept` (RFC 9110 section 12.5.1).
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        let weight_of = |media_type: &str| {
            let of_type = ranges.iter().filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                parts.next().filter(|name| name.eq_ignore_ascii_case(media_type))?;
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                Some(weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)))
            });
            of_type.fold(0.0, f32::max)
        };
        let open = weight_of("application/openmetrics-text");
        if open > 0.0 && open >= weight_of("text/plain") { Self::OpenMetrics } else { Self::Text }
    }
}

/// All that is told at one moment.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// Each site, with its host where there are several.
    pub(crate) sites: Vec<(Option<String>, SiteNumbers)>,
    /// Of all sites together; none where STUN is off.
    pub(crate) stun: Option<StunNumbers>,
    /// Open on the visitors' addresses; none where another program listens.
    pub(crate) connections: Option<usize>,
}

impl Exposition {
    /// Of these sites, which share `connections`.
    pub(crate) fn new(sites: Vec<(Option<String>, SiteNumbers)>, stun: Option<StunNumbers>, connections: Option<&ConnectionLimit>) -> Self {
        Self { sites, stun, connections: connections.map(ConnectionLimit::len) }
    }

    /// The answer to whoever asks for it.
    pub(crate) fn respond(self, headers: &HeaderMap) -> Response<axum::body::Body> {
        let format = Format::of(headers);
        let Ok(body) = self.encode(format) else {
            return refusal(http::StatusCode::INTERNAL_SERVER_ERROR, "the numbers could not be written");
        };
        let headers = [
            (header::CONTENT_TYPE, format.content_type()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::VARY, HeaderValue::from_static("accept")),
        ];
        (headers, body).into_response()
    }

    fn encode(self, format: Format) -> Result<String, std::fmt::Error> {
        let Self { sites, stun, connections } = self;
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("viral");
        ours.register_collector(Box::new(ServerCollector { stun, connections }));
        ours.register_collector(Box::new(SitesCollector(sites)));
        registry.sub_registry_with_prefix("process").register_collector(Box::new(ProcessCollector));
        let mut body = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut body, &registry)?,
            Format::Text => prometheus_text::encode(&mut body, &registry)?,
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests;
