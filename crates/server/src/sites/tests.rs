//! Several sites in one server, with and without sockets.

use axum::body::Body;
use http::{HeaderMap, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::service_fn;

use super::*;
use crate::testing::{text, viral};

async fn site(host: &str, is_default: bool) -> HostedSite {
    let viral = viral(&[("index.html", "<title>x</title>"), ("who.txt", host)], |_| ()).await;
    HostedSite::new(host.parse().unwrap(), is_default, viral)
}

fn sites(sites: Vec<HostedSite>) -> Sites {
    Sites::new(&Config::default(), sites).unwrap()
}

async fn admin(sites: &Sites, uri: &str) -> (u16, serde_json::Value) {
    let response = sites.admin().oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&text(response).await).unwrap_or_default())
}

/// Serves until `asked` is over.
async fn serving<T>(sites: &Sites, asked: impl AsyncFnOnce(std::net::SocketAddr) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let running = tokio::spawn({
        let sites = sites.clone();
        async move { sites.serve(vec![listener.into()], Vec::new()).await }
    });
    let done = asked(address).await;
    sites.shut_down();
    running.await.unwrap();
    done
}

async fn ask(stream: &mut TcpStream, host: &str) -> String {
    stream.write_all(format!("GET /who.txt HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn asked(address: std::net::SocketAddr, host: &str) -> String {
    ask(&mut TcpStream::connect(address).await.unwrap(), host).await
}

#[tokio::test]
async fn each_host_has_its_site_and_numbers_and_others_are_refused() {
    let sites = sites(vec![site("a.test", false).await, site("*.b.test", false).await]);
    serving(&sites, async |address| {
        assert!(asked(address, "a.test").await.ends_with("\r\n\r\na.test"));
        assert!(asked(address, "x.b.test:80").await.ends_with("\r\n\r\n*.b.test"));
        let refused = asked(address, "c.test").await;
        assert!(refused.starts_with("HTTP/1.1 421 ") && refused.ends_with("there is no site of this host here\n"), "{refused}");
    })
    .await;
    let (_, all) = admin(&sites, "/stats").await;
    let sent = |host: &str| all[host]["origin_bytes"]["assets"].as_u64().unwrap();
    assert!(sent("a.test") > 0 && sent("*.b.test") > 0, "{all}");
    assert_eq!(admin(&sites, "/stats?site=*.b.test").await.1["origin_bytes"], all["*.b.test"]["origin_bytes"]);
    assert_eq!(admin(&sites, "/stats?site=%2A.b.test").await.0, 200);
    assert_eq!((admin(&sites, "/stats?site=c.test").await.0, admin(&sites, "/lineage").await.0), (404, 404));
    assert_eq!(admin(&sites, "/healthz").await.0, 200);
}

#[tokio::test]
async fn metrics_of_all_sites_are_told_apart_by_a_label() {
    let sites = sites(vec![site("a.test", false).await, site("*.b.test", false).await]);
    let asked = async |uri: &str| {
        let request = Request::get(uri).header("host", "localhost").body(Body::empty()).unwrap();
        let response = sites.admin().oneshot(request).await.unwrap();
        (response.status().as_u16(), text(response).await)
    };
    let (_, all) = asked("/metrics").await;
    assert!(all.contains("viral_sessions{site=\"a.test\"} 0\nviral_sessions{site=\"*.b.test\"} 0\n"), "{all}");
    let (_, one) = asked("/metrics?site=a.test").await;
    assert!(one.contains("viral_sessions{site=\"a.test\"} 0\n") && !one.contains("b.test"), "{one}");
    assert_eq!(asked("/metrics?site=c.test").await.0, 404);
}

#[tokio::test]
async fn a_single_site_has_the_endpoints_that_it_always_had() {
    let sites = sites(vec![site("a.test", true).await]);
    assert!(admin(&sites, "/stats").await.1["uptime_s"].is_u64());
    assert!(serving(&sites, async |address| asked(address, "any.test").await).await.ends_with("\r\n\r\na.test"));
}

#[tokio::test]
async fn sites_are_exchanged_while_others_go_on() {
    let (first, second) = (site("a.test", false).await, site("b.test", false).await);
    let sites = sites(vec![first.clone(), second.clone()]);
    serving(&sites, async |address| {
        sites.replace(vec![second.for_hosts("c.test".parse().unwrap(), false)]);
        assert!(asked(address, "a.test").await.starts_with("HTTP/1.1 421 "));
        assert!(asked(address, "c.test").await.ends_with("\r\n\r\nb.test"));
    })
    .await;
    assert!(admin(&sites, "/stats").await.1["origin_bytes"]["assets"].as_u64().unwrap() > 0, "its numbers went on");
}

#[tokio::test]
async fn a_site_may_have_a_service_behind_it() {
    let viral = viral(&[("a.txt", "a")], |_| ()).await;
    let behind = service_fn(|_: Request| async { Ok::<_, Infallible>(Response::new(Body::from("behind"))) });
    let site = HostedSite::in_front_of("a.test".parse().unwrap(), false, viral, behind);
    let table = HostTable::new(vec![site.entry()]);
    let headers: HeaderMap = [(header::HOST, HeaderValue::from_static("a.test"))].into_iter().collect();
    let found = table.find(&headers).unwrap();
    let request = crate::testing::from_here(Request::get("/none.txt").body(Body::empty()).unwrap());
    let response = found.routes.clone().answer(request, &crate::meter::Meter::new(None)).await.unwrap();
    assert_eq!(text(response).await, "behind");
}
