//! What a collector of traces is sent: over real HTTP, as OTLP has it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod programs;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::any;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A server of axum's, and what its requests were.
async fn listening<T: Send + 'static>(
    path: &str,
    of: impl Fn(HeaderMap, Bytes) -> T + Clone + Send + Sync + 'static,
) -> (SocketAddr, UnboundedReceiver<T>) {
    let (seen, received) = unbounded_channel();
    let answer = move |headers: HeaderMap, body: Bytes| {
        let _ = seen.send(of(headers, body));
        async { ([("content-type", "text/html"), ("cache-control", "private")], "<!doctype html><title>t</title>hello") }
    };
    let app = Router::new().route(path, any(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, received)
}

/// Who sends what.
async fn collector() -> (SocketAddr, UnboundedReceiver<(HeaderMap, ExportTraceServiceRequest)>) {
    listening("/otlp/v1/traces", |headers, body| (headers, ExportTraceServiceRequest::decode(body).unwrap())).await
}

fn start(upstream: SocketAddr, collector: &str, args: &[&str]) -> (Child, SocketAddr) {
    start_site(&["proxy", &format!("http://{upstream}")], collector, args)
}

fn start_site(site: &[&str], collector: &str, args: &[&str]) -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viral"));
    command.args(site).args(["--listen", "127.0.0.1:0", "--admin-listen", "off", "--stun-listen", "off"]);
    command.args(["--otlp-endpoint", collector]).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER"] {
        command.env_remove(name);
    }
    let mut server = command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-test").spawn().unwrap();
    let said = BufReader::new(server.stdout.as_mut().unwrap()).lines().next().unwrap().unwrap();
    let address = said.strip_prefix("listening on http://").unwrap().parse().unwrap();
    (server, address)
}

/// Goes to a page, as somebody whose proxy began a trace.
fn visit(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: app.test\r\nuser-agent: Mozilla/5.0\r\naccept: text/html\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=1\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn end(server: Child) -> String {
    tokio::task::spawn_blocking(move || programs::end(server)).await.unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attributes.iter().find(|attribute| attribute.key == key)?.value.clone()? {
        AnyValue { value: Some(Value::StringValue(text)) } => Some(text),
        _ => None,
    }
}

/// All spans that came, with the service they are of.
fn spans(mut received: UnboundedReceiver<(HeaderMap, ExportTraceServiceRequest)>) -> Vec<Span> {
    let mut spans = Vec::new();
    while let Ok((headers, request)) = received.try_recv() {
        assert_eq!(headers["x-key"], "of-the-test");
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.unwrap();
            assert_eq!(text(&resource.attributes, "service.name").as_deref(), Some("viral"));
            assert_eq!(text(&resource.attributes, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
            spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_goes_on_with_the_trace_of_a_trusted_proxy_and_hands_it_on() {
    let ((collector, sent), (upstream, mut asked)) = (collector().await, listening("/{*path}", |headers, _| headers).await);
    let (server, address) = start(upstream, &format!("http://{collector}/otlp/"), &["--trust-proxy", "127.0.0.0/8"]);
    let answer = tokio::task::spawn_blocking(move || visit(address, "/home?token=secret")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello"), "{answer}");
    end(server).await;
    let spans = spans(sent);
    let visit = spans.iter().find(|span| span.name == "visit").unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!((hex(&visit.trace_id), hex(&visit.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(text(&visit.attributes, "page").as_deref(), Some("/home"), "without what is asked for");
    assert_eq!(text(&visit.attributes, "reason").as_deref(), Some("not-shareable"), "{visit:?}");
    let headers = std::iter::from_fn(|| asked.try_recv().ok()).find(|headers| headers.contains_key("traceparent")).unwrap();
    assert_eq!(headers["traceparent"], format!("00-{TRACE}-{}-01", hex(&visit.span_id)));
    assert_eq!((headers.get_all("traceparent").iter().count(), &headers["tracestate"]), (1, &"vendor=1".parse().unwrap()));
    let connection = spans.iter().find(|span| span.name == "connection").unwrap();
    assert_ne!(connection.trace_id, visit.trace_id, "a connection lives longer than the visits on it");
    assert!(connection.parent_span_id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_says_to_which_trace_a_visit_belongs() {
    let ((collector, sent), (upstream, mut asked)) = (collector().await, listening("/{*path}", |headers, _| headers).await);
    let (server, address) = start(upstream, &format!("http://{collector}/otlp"), &[]);
    tokio::task::spawn_blocking(move || visit(address, "/home")).await.unwrap();
    end(server).await;
    let spans = spans(sent);
    let visit = spans.iter().find(|span| span.name == "visit").unwrap_or_else(|| panic!("{spans:#?}"));
    assert!(hex(&visit.trace_id) != TRACE && visit.parent_span_id.is_empty(), "{visit:?}");
    let headers = std::iter::from_fn(|| asked.try_recv().ok()).find(|headers| headers.contains_key("traceparent")).unwrap();
    assert_eq!(headers["traceparent"], format!("00-{}-{}-01", hex(&visit.trace_id), hex(&visit.span_id)));
    assert!(!headers.contains_key("tracestate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_of_one_connection_are_traces_of_their_own() {
    let site = tempfile::tempdir().unwrap();
    std::fs::write(site.path().join("index.html"), "<!doctype html><title>t</title>hello").unwrap();
    let (collector, sent) = collector().await;
    let (server, address) = start_site(&["serve", site.path().to_str().unwrap()], &format!("http://{collector}/otlp"), &[]);
    tokio::task::spawn_blocking(move || visit(address, "/")).await.unwrap();
    end(server).await;
    let spans = spans(sent);
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{spans:#?}"));
    let (visit, connection) = (named("visit"), named("connection"));
    assert!(visit.parent_span_id.is_empty() && visit.trace_id != connection.trace_id, "{visit:?}");
    assert_eq!(text(&visit.attributes, "answer").as_deref(), Some("full"), "{visit:?}");
}

/// A collector at this address takes nothing, for this reason.
async fn misses(upstream: SocketAddr, collector: &str, fault: &str) {
    let (server, address) = start(upstream, collector, &[]);
    for _ in 0..2 {
        let answer = tokio::task::spawn_blocking(move || visit(address, "/home")).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let said = end(server).await;
    assert_eq!(said.matches("the collector takes no traces").count(), 1, "{said}");
    assert!(said.contains(fault), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_takes_nothing_is_named_once_and_stops_nobody() {
    let ((collector, _sent), (upstream, _asked)) = (collector().await, listening("/{*path}", |headers, _| headers).await);
    misses(upstream, "http://127.0.0.1:1", "refused").await;
    misses(upstream, &format!("http://{collector}/elsewhere"), "404").await;
}
