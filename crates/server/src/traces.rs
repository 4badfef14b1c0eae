//! The places of our spans in traces of OpenTelemetry (W3C Trace Context): a request goes on with the trace of the trusted proxy that it came through, or begins one.

use std::fmt::Debug;

use http::HeaderMap;
use tracing::{Metadata, Span, debug_span};

/// The span of a connection with this peer. It outlives what is asked for over it, and is a trace of its own.
pub(crate) fn of_connection(peer: &dyn Debug) -> Span {
    let span = debug_span!("connection", ?peer);
    begin(&span, None);
    span
}

/// Whether a span is such a one: no other is made here.
pub(crate) fn is_connection(metadata: &Metadata<'_>) -> bool {
    metadata.target() == module_path!()
}

/// Makes a span that has just been made begin a trace of its own, or go on with the trace that the `headers` of a trusted proxy name. A visitor's own are not believed: they could have everything traced.
#[cfg(feature = "traces")]
pub(crate) fn begin(span: &Span, trusted: Option<&HeaderMap>) {
    use opentelemetry::Context;
    use opentelemetry::propagation::TextMapPropagator as _;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    if span.is_disabled() {
        return;
    }
    let begun = Context::new();
    let context = match trusted {
        Some(headers) => TraceContextPropagator::new().extract_with_context(&begun, &carrier::Received(headers)),
        None => begun,
    };
    // It fails where nobody listens for traces.
    let _ = span.set_parent(context);
}

/// Without the feature there are no traces.
#[cfg(not(feature = "traces"))]
pub(crate) fn begin(_: &Span, _: Option<&HeaderMap>) {}

/// Tells in the headers of a request that is passed on that it belongs to this span. Without traces they stay as they are.
#[cfg(feature = "traces")]
pub(crate) fn pass_on(span: &Span, headers: &mut HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator as _;
    use opentelemetry::trace::TraceContextExt as _;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    if span.is_disabled() {
        return;
    }
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return;
    }
    for name in ["traceparent", "tracestate"] {
        headers.remove(name);
    }
    TraceContextPropagator::new().inject_context(&context, &mut carrier::Sent(headers));
}

/// Without the feature there are no traces.
#[cfg(not(feature = "traces"))]
pub(crate) fn pass_on(_: &Span, _: &mut HeaderMap) {}

/// Headers as what carries a trace.
#[cfg(feature = "traces")]
mod carrier {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use opentelemetry::propagation::{Extractor, Injector};

    pub(super) struct Received<'h>(pub(super) &'h HeaderMap);

    impl Extractor for Received<'_> {
        fn get(&self, name: &str) -> Option<&str> {
            self.0.get(name)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(HeaderName::as_str).collect()
        }
    }

    pub(super) struct Sent<'h>(pub(super) &'h mut HeaderMap);

    impl Injector for Sent<'_> {
        fn set(&mut self, name: &str, value: String) {
            // A trace without a state has an empty one.
            if value.is_empty() {
                return;
            }
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                self.0.insert(name, value);
            }
        }
    }
}
