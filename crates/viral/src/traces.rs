//! Traces that are sent to a collector: OTLP over HTTP, in batches, for as long as the program runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Chain, Context as _};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;
use viral_server::config::OtlpEndpoint;

/// Longest wait for a collector's answer: what OTLP waits where nobody says otherwise.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer of a collector, in bytes: it says how many spans it did not take, and why.
const ANSWER_LEN_MAX: usize = 64 * 1024;

/// Longest wait at the end for what is still to be sent.
const END_GRACE: Duration = Duration::from_secs(3);

/// Whose spans are sent: those of the server and of its upstream.
const TRACED: [&str; 2] = ["viral_server", "viral_upstream"];

/// Spans on their way to a collector.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends them to this collector, with the tasks of a runtime that outlives them.
    ///
    /// # Errors
    /// There are no root certificates on this system, or a variable of OpenTelemetry is wrong.
    pub(crate) fn to(endpoint: &OtlpEndpoint, runtime: Handle) -> anyhow::Result<Self> {
        let sender = Sender::new(endpoint, runtime)?;
        let exporter = SpanExporter::builder().with_http().with_http_client(sender).with_endpoint(endpoint.traces_url()).build();
        let exporter = exporter.context("traces cannot be sent; look at the variables that begin with OTEL_EXPORTER_OTLP")?;
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build()))
    }

    /// What gives them the spans of the log.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> {
        let spans = tracing_opentelemetry::layer().with_tracer(self.0.tracer("viral"));
        let spans = spans.with_location(false).with_threads(false).with_tracked_inactivity(false);
        spans.with_filter(Targets::new().with_targets(TRACED.map(|target| (target, Level::DEBUG))))
    }

    /// Sends what is left. What the collector does not take in a few seconds is lost.
    pub(crate) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(END_GRACE) {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// Who we are to a collector; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource() -> Resource {
    let named = Resource::builder().build();
    let is_named = named.get(&"service.name".into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { resource.build() } else { resource.with_service_name("viral").build() }
}

/// Posts batches. Whether the collector takes them is said when that changes, and not each time.
#[derive(Debug)]
struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    collector: String,
    is_failing: AtomicBool,
}

impl Sender {
    fn new(endpoint: &OtlpEndpoint, runtime: Handle) -> anyhow::Result<Self> {
        let https = HttpsConnectorBuilder::new();
        // The machine's certificates are read only where they are needed, and need not be there otherwise.
        let https = if endpoint.is_over_tls() {
            https
                .with_native_roots()
                .context("traces cannot be sent over TLS; install the system's root certificates (package ca-certificates)")?
        } else {
            https.with_tls_config(ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        };
        let client = Client::builder(TokioExecutor::new()).build(https.https_or_http().enable_http1().build());
        Ok(Self { client, runtime, collector: endpoint.to_string(), is_failing: AtomicBool::new(false) })
    }

    /// Says of a batch whether it was taken, if the one before was not like it.
    fn note(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let fault = match answer {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) => Some(Chain::new(error.as_ref()).map(ToString::to_string).collect::<Vec<_>>().join(": ")),
        };
        let was_failing = self.is_failing.swap(fault.is_some(), Ordering::Relaxed);
        match fault {
            Some(fault) if !was_failing => {
                tracing::warn!(collector = self.collector, fault, "the collector takes no traces; they are lost until it does");
            }
            None if was_failing => tracing::info!(collector = self.collector, "the collector takes traces again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Sender {
    /// The batches are made on a thread that knows no runtime.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let asked = self.runtime.spawn(async move {
            let asking = async {
                let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
                let body = Limited::new(body, ANSWER_LEN_MAX).collect().await?.to_bytes();
                Ok::<_, HttpError>(Response::from_parts(head, body))
            };
            timeout(SEND_TIMEOUT, asking).await
        });
        let answer = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("it does not answer".into()),
            Err(error) => Err(error.into()),
        };
        self.note(&answer);
        answer
    }
}
