//! What is exposed, read by a parser and by Prometheus' own linter.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::body::Body;
use http::Request;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{SITE, seeder, text, viral, visit};

fn asking(accept: &[&str]) -> Format {
    Format::of(&accept.iter().map(|accept| (header::ACCEPT, HeaderValue::from_str(accept).unwrap())).collect())
}

#[test]
fn the_format_is_the_one_that_is_wanted_most() {
    // Prometheus 2.42 and 3.
    let two = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let three = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    for accept in [two, three, "text/html, application/openmetrics-text"] {
        assert_eq!(asking(&[accept]), Format::OpenMetrics, "{accept}");
    }
    assert_eq!(asking(&["text/html", "Application/OpenMetrics-Text; q=0.1"]), Format::OpenMetrics);
    for accept in ["*/*", "", "text/plain", "text/plain, application/openmetrics-text;q=0.9", "application/openmetrics-text;q=0"] {
        assert_eq!(asking(&[accept]), Format::Text, "{accept}");
    }
    assert_eq!(asking(&[]), Format::Text, "curl without words");
}

async fn scraped(viral: &crate::Viral, accept: &str) -> (String, String) {
    let request = Request::get("/metrics").header("host", "localhost").header("accept", accept).body(Body::empty()).unwrap();
    let response = viral.admin().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (content_type, text(response).await)
}

/// All rows by name and labels.
fn rows(body: &str) -> BTreeMap<String, f64> {
    let scrape = prometheus_parse::Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let named = |sample: prometheus_parse::Sample| {
        let labels: BTreeMap<_, _> = sample.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let value = match sample.value {
            prometheus_parse::Value::Counter(value) | prometheus_parse::Value::Gauge(value) | prometheus_parse::Value::Untyped(value) => {
                value
            }
            prometheus_parse::Value::Histogram(counts) => counts.last().unwrap().count,
            prometheus_parse::Value::Summary(_) => panic!("there are none"),
        };
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        (format!("{} {}", sample.metric, labels.join(",")).trim_end().to_owned(), value)
    };
    scrape.samples.into_iter().map(named).collect()
}

#[tokio::test]
async fn what_happened_is_told_in_both_formats() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    drop(visit(&viral, "/", &[]).await);
    viral.app.stats.add_sent(crate::stats::Cause::Pieces, 7);
    let (content_type, body) = scraped(&viral, "*/*").await;
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    let told = rows(&body);
    assert_eq!(told["viral_answers_total answer=thin,reason=peer-near"].to_bits(), 1f64.to_bits(), "{told:#?}");
    assert_eq!(told["viral_origin_bytes_total cause=pieces"].to_bits(), 7f64.to_bits());
    assert_eq!(told["viral_sessions"].to_bits(), 1f64.to_bits());
    assert_eq!(told["viral_page_decision_seconds"].to_bits(), 1f64.to_bits());
    assert!(told.contains_key("viral_introductions_total tier=anyone") && told.contains_key("process_start_time_seconds"));
    assert!(told.contains_key(&format!("viral_build_info version={}", env!("CARGO_PKG_VERSION"))));
    let (content_type, open) = scraped(&viral, "application/openmetrics-text").await;
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE viral_origin_bytes counter\n# UNIT viral_origin_bytes bytes\n"), "{open}");
    assert!(open.contains("viral_origin_bytes_total{cause=\"pieces\"} 7\n"));
}

#[tokio::test]
async fn all_names_are_as_prometheus_wants_them() {
    let viral = viral(&SITE, |_| ()).await;
    drop(visit(&viral, "/", &[]).await);
    let (_, body) = scraped(&viral, "text/plain").await;
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut promtool = match promtool {
        Ok(promtool) => promtool,
        Err(error) => return eprintln!("not linted: promtool of Debian's `prometheus` is missing ({error})"),
    };
    promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let words = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}\n{body}", String::from_utf8_lossy(&words));
}

#[test]
fn a_host_that_is_no_word_is_written_so_that_it_ends_nothing() {
    let numbers = || SiteNumbers {
        counted: crate::stats::Stats::default().counted(),
        tracker: Default::default(),
        line_rate: Some(9),
        trials: 0,
        trials_off: Vec::new(),
        shadow: Default::default(),
    };
    let sites = vec![(Some("a\"b\\c\nd".to_owned()), numbers()), (Some("*.e".to_owned()), numbers())];
    let body = Exposition { sites, stun: None, connections: Some(3) }.encode(Format::Text).unwrap();
    assert!(body.contains("viral_sessions{site=\"a\\\"b\\\\c\\nd\"} 0"), "{body}");
    assert!(body.contains("viral_line_rate_bytes_per_second{site=\"*.e\"} 9"), "{body}");
    assert_eq!(body.matches("# TYPE viral_sessions gauge\n").count(), 1, "rows of one family stand together");
    assert_eq!(rows(&body)["viral_connections"].to_bits(), 3f64.to_bits());
}

/// prometheus-client writes them as they are, and a reader of OpenMetrics takes a backslash or a quotation mark for part of an escape.
#[tokio::test]
async fn what_families_are_said_to_be_needs_no_escapes() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, body) = scraped(&viral, "application/openmetrics-text").await;
    let helps: Vec<&str> = body.lines().filter(|line| line.starts_with("# HELP ")).collect();
    assert!(helps.len() > 20, "{body}");
    for help in helps {
        assert!(!help.contains(['"', '\\']), "{help}");
    }
    let begins = ["# HELP ", "# TYPE ", "# UNIT ", "# EOF", "viral_", "process_"];
    for line in body.lines() {
        assert!(begins.iter().any(|begin| line.starts_with(begin)), "a text went on in another line: {line}");
    }
}
