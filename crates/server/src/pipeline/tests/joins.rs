//! Who may register for a page: whoever the site answered with it, in the last hours, from a page of its own or from none.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use viral_swarm::limits::{JOIN_TICKET_AGE_S, JOIN_TICKETS_MAX};
use viral_wire::signal::{ErrorCode, PeerToTracker, TrackerToPeer};

use crate::testing::{NAVIGATION, SITE, answer, request, viral, visit};
use crate::{HostedSite, Sites, Viral};

/// Where a site listens on this machine.
async fn listening(viral: &Viral) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, serving) = (listener.local_addr().unwrap(), viral.clone());
    tokio::spawn(async move { serving.serve(vec![listener.into()], Vec::new()).await });
    address
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The socket of somebody who sends these headers, or the status of the refusal.
async fn socket(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{address}/.viral/ws").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(refused)) => Err(refused.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// What somebody hears who registers for a page with this cookie: none for a welcome, or what stands against it.
async fn refusal(address: SocketAddr, headers: &[(&'static str, &str)], page: &str) -> Option<(ErrorCode, String)> {
    let mut socket = socket(address, headers).await.unwrap();
    let register = PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: None, slots: 4 };
    socket.send(Message::text(serde_json::to_string(&register).unwrap())).await.unwrap();
    let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("no answer") };
    let said = serde_json::from_str(&text).unwrap();
    if let TrackerToPeer::Welcome { .. } = said {
        return None;
    }
    let TrackerToPeer::Error { code, message } = said else { panic!("{said:?}") };
    let end = socket.next().await;
    let Some(Ok(Message::Close(Some(frame)))) = end else { panic!("it goes on: {end:?}") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1008, "join-ticket"));
    Some((code, message))
}

/// The cookie that an answer sets, as it is sent back; empty if it sets none.
fn ticket(response: &http::Response<axum::body::Body>) -> String {
    let pairs = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().unwrap().split(';').next());
    pairs.filter(|pair| pair.starts_with("viral-join=")).map(str::to_owned).next().unwrap_or_default()
}

#[tokio::test]
async fn whoever_was_answered_with_a_page_may_register_for_it_and_for_no_other() {
    let viral = viral(&SITE, |_| ()).await;
    let address = listening(&viral).await;
    let of_root = ticket(&visit(&viral, "/", &[]).await);
    assert_eq!(refusal(address, &[("cookie", &of_root)], "/").await, None);
    assert_eq!(refusal(address, &[("cookie", &of_root)], "/index.html").await, None, "the page has one name");
    let (code, said) = refusal(address, &[("cookie", &of_root)], "/about/").await.unwrap();
    assert_eq!((code, said.as_str()), (ErrorCode::Ticket, "no join ticket is for this page of this site: ask for the page first"));
    let (code, said) = refusal(address, &[], "/").await.unwrap();
    assert_eq!(code, ErrorCode::Ticket);
    assert!(said.starts_with("no join ticket: open the page first"), "{said}");
    let (code, _) = refusal(address, &[("cookie", &of_root)], "/nothing").await.unwrap();
    assert_eq!(code, ErrorCode::Unknown, "there is no such page to ask for");
    let both = ticket(&visit(&viral, "/about/", &[("cookie", &of_root)]).await);
    for page in ["/", "/about/"] {
        assert_eq!(refusal(address, &[("cookie", &both)], page).await, None, "{page}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_refused_whatever_ticket_it_has() {
    let viral = viral(&SITE, |_| ()).await;
    let address = listening(&viral).await;
    let of_root = ticket(&visit(&viral, "/", &[]).await);
    for foreign in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")]
    {
        assert_eq!(socket(address, &[("cookie", of_root.as_str()), foreign]).await.err(), Some(403), "{foreign:?}");
    }
    let own = format!("http://{address}");
    assert_eq!(refusal(address, &[("cookie", &of_root), ("origin", &own)], "/").await, None);
}

#[tokio::test]
async fn a_page_of_another_host_below_the_same_name_is_foreign_though_its_browser_visits() {
    let viral = viral(&SITE, |_| ()).await;
    let address = listening(&viral).await;
    let answered = visit(&viral, "/", &[]).await;
    let cookies: Vec<_> =
        answered.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().unwrap().split(';').next()).collect();
    let cookies = cookies.join("; ");
    let opens = |host, origin| {
        let cookies = cookies.clone();
        async move { socket(address, &[("host", host), ("origin", origin), ("cookie", &cookies)]).await.err() }
    };
    assert_eq!(opens("www.app.example", "https://evil.app.example").await, Some(403));
    assert_eq!(opens("upstream:8080", "https://www.app.example").await, None, "a proxy that does not pass the name on");
}

#[tokio::test]
async fn what_ran_out_is_refused_with_what_to_do_and_the_page_gets_a_new_one() {
    let viral = viral(&SITE, |_| ()).await;
    let address = listening(&viral).await;
    let old = format!("viral-join={}", viral.app.joins.ticket_of_before("/", JOIN_TICKET_AGE_S + 2 * 3_600));
    let refused = refusal(address, &[("cookie", &old)], "/").await.unwrap();
    assert_eq!(refused, (ErrorCode::Ticket, "the join ticket of this page ran out: ask for the page again".to_owned()));
    let asks = |method, site| {
        let headers = [("cookie", old.as_str()), ("sec-fetch-site", site), ("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")];
        let viral = &viral;
        async move { ticket(&request(viral, method, "/", &headers, "").await) }
    };
    let renewed = asks("HEAD", "same-origin").await;
    assert_eq!(refusal(address, &[("cookie", &renewed)], "/").await, None);
    assert_eq!(renewed.matches('.').count(), 0, "the old one is gone");
    assert_eq!((asks("HEAD", "cross-site").await, asks("GET", "same-origin").await), (String::new(), String::new()));
}

#[tokio::test]
async fn every_answer_that_lets_a_page_take_part_has_a_ticket_and_no_other() {
    let viral = viral(&SITE, |_| ()).await;
    let full = visit(&viral, "/about/", &[]).await;
    assert_eq!((answer(&full), ticket(&full).is_empty()), ("full; reason=no-peer-near", false));
    let tag = full.headers()["etag"].to_str().unwrap().to_owned();
    let unchanged = visit(&viral, "/about/", &[("if-none-match", &tag)]).await;
    assert_eq!((unchanged.status().as_u16(), ticket(&unchanged).is_empty()), (304, false));
    let _seeder = crate::testing::seeder(&viral, "/");
    let thin = visit(&viral, "/", &[]).await;
    assert_eq!((answer(&thin), ticket(&thin).is_empty()), ("thin; reason=peer-near", false));
    for more in [("cookie", "viral=off"), ("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)"), ("save-data", "on")] {
        let plain = visit(&viral, "/", &[more]).await;
        assert!(answer(&plain).starts_with("plain") && ticket(&plain).is_empty(), "{more:?}");
    }
    for (uri, headers) in [("/app.js", &NAVIGATION[..1]), ("/nothing", &NAVIGATION[..])] {
        assert_eq!(ticket(&request(&viral, "GET", uri, headers, "").await), "", "{uri}");
    }
}

#[tokio::test]
async fn a_cookie_never_grows_beyond_its_tickets() {
    let viral = viral(&SITE, |_| ()).await;
    let long = format!("viral-join={}", vec!["f".repeat(32); 100].join("."));
    let of_root = ticket(&visit(&viral, "/", &[("cookie", &long)]).await);
    assert_eq!(of_root.matches('.').count() + 1, JOIN_TICKETS_MAX);
    let address = listening(&viral).await;
    assert_eq!(refusal(address, &[("cookie", &of_root)], "/").await, None);
}

#[tokio::test]
async fn of_several_sites_each_takes_its_own_tickets_alone() {
    let config = |host: &str| {
        let text = format!("{{\"host\":\"{host}\",\"root\":\"/x\"}}");
        serde_json::from_str::<crate::config::SiteConfig>(&text).unwrap()
    };
    let one = crate::config::Config { min_app_bytes: 0, ..Default::default() };
    let (site_a, site_b) = (config("a.example"), config("b.example"));
    let a = viral(&SITE, |settings| *settings = crate::config::Config { state_dir: None, ..one.of_site(&site_a) }).await;
    let b = viral(&SITE, |settings| *settings = crate::config::Config { state_dir: None, ..one.of_site(&site_b) }).await;
    // As if they had the same key, which is what servers of a cluster have.
    b.app.joins.agree(a.app.joins.key());
    let hosted = [(site_a, &a), (site_b, &b)].map(|(site, viral)| HostedSite::new(site.host, false, viral.clone()));
    let sites = Sites::new(&one, hosted.into()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { sites.serve(vec![listener.into()], Vec::new()).await });
    let (of_a, of_b) = (ticket(&visit(&a, "/", &[]).await), ticket(&visit(&b, "/", &[]).await));
    for (host, own, foreign) in [("a.example", &of_a, &of_b), ("b.example", &of_b, &of_a)] {
        assert_eq!(refusal(address, &[("host", host), ("cookie", own)], "/").await, None, "{host}");
        let (code, _) = refusal(address, &[("host", host), ("cookie", foreign)], "/").await.unwrap();
        assert_eq!(code, ErrorCode::Ticket, "{host}");
    }
}
