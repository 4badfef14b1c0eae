//! Who waits for the first copy over a thin line, and for how long.

use tokio::time::{Duration, Instant, sleep};
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{PeerToTracker, ReadyOffer};

use super::*;
use crate::limits::WAITING_MAX;
use crate::testing::description;

/// A page of 20 kB behind a line that carries 20 kB/s: a second, and due after two and a half.
async fn viral_on_a_thin_line() -> crate::Viral {
    let script = "x".repeat(20_000);
    let files = [("index.html", "<!doctype html><script src=\"/app.js\"></script>"), ("app.js", script.as_str())];
    viral(&files, |config| config.shared_line = 20_000).await
}

/// A visit that may have to wait.
fn waiting(viral: &crate::Viral) -> tokio::task::JoinHandle<axum::response::Response> {
    let viral = viral.clone();
    tokio::spawn(async move { visit(&viral, "/", &[]).await })
}

#[tokio::test(start_paused = true)]
async fn over_a_thin_line_whoever_comes_second_waits_for_the_first_copy_and_takes_it_from_a_peer() {
    let viral = viral_on_a_thin_line().await;
    let first = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&first), "full; reason=no-peer-near");
    let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let again = visit(&viral, "/", &[("cookie", &cookie)]).await;
    assert_eq!(answer(&again), "full; reason=no-peer-near", "a reload would wait for itself");
    let (came, second) = (Instant::now(), waiting(&viral));
    sleep(Duration::from_millis(700)).await;
    assert!(!second.is_finished());
    let (_, _outgoing) = seeder(&viral, "/");
    assert_eq!(answer(&second.await.unwrap()), "thin; reason=peer-near");
    assert!((700..800).contains(&came.elapsed().as_millis()), "as soon as there is a peer: {:?}", came.elapsed());
}

#[tokio::test]
async fn of_native_peers_the_first_alone_is_told_the_manifest_at_once_and_every_browser_is() {
    let viral = viral(&SITE, |_| ()).await;
    let native = [("user-agent", "viral/9.9")];
    let head = request(&viral, "HEAD", "/", &[&NAVIGATION[..], &native].concat(), Body::empty()).await;
    let browser = visit(&viral, "/", &[]).await;
    let (first, second) = (visit(&viral, "/", &native).await, visit(&viral, "/", &native).await);
    let named = [&head, &browser, &first, &second].map(|response| response.headers().get("viral-manifest"));
    let manifest = viral.app.hub.page(&viral.app.site.current(), &document(&viral)).unwrap().manifest.to_string();
    let manifest = Some(manifest.as_str());
    assert_eq!(named.map(|name| name.map(|name| name.to_str().unwrap())), [None, manifest, manifest, None]);
}

#[tokio::test(start_paused = true)]
async fn native_peers_share_a_copy_and_browsers_wait_for_it() {
    let viral = viral_on_a_thin_line().await;
    let native = [("user-agent", "viral/9.9")];
    let came = Instant::now();
    for _ in 0..2 {
        assert_eq!(answer(&visit(&viral, "/", &native).await), "full; reason=no-peer-near");
    }
    assert_eq!(came.elapsed().as_millis(), 0);
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    assert!(came.elapsed().as_millis() > 2_000, "{:?}", came.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_first_copy_that_does_not_arrive_is_not_waited_for_long() {
    let viral = viral_on_a_thin_line().await;
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    let came = Instant::now();
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    assert!((3_000..4_000).contains(&came.elapsed().as_millis()), "{:?}", came.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_hears_when_somebody_who_has_room_holds_enough() {
    let viral = viral_on_a_thin_line().await;
    let first = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&first), "full; reason=no-peer-near");
    let manifest = viral.app.hub.page(&viral.app.site.current(), &document(&viral)).unwrap().manifest;
    let (hub, offers) = (&viral.app.hub, vec![ReadyOffer { offer: 1, description: description("actpass") }]);
    let (peer, _outgoing) = hub.join(ClientAddr::at([127, 0, 0, 1].into()));
    hub.message(peer, PeerToTracker::Register { page: "/".to_owned(), manifest: Some(manifest), ticket: None, slots: 4 });
    hub.message(peer, PeerToTracker::Offers { offers });
    let (came, second) = (Instant::now(), waiting(&viral));
    sleep(Duration::from_millis(500)).await;
    hub.message(peer, PeerToTracker::Held { manifest, pieces: 1, bytes: 40_000 });
    assert_eq!(answer(&second.await.unwrap()), "thin; reason=peer-near");
    assert!((500..600).contains(&came.elapsed().as_millis()), "{:?}", came.elapsed());
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_the_server_nobody_waits_any_longer() {
    let viral = viral_on_a_thin_line().await;
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    let (came, second) = (Instant::now(), waiting(&viral));
    sleep(Duration::from_millis(300)).await;
    viral.app.shutdown.begin();
    assert_eq!(answer(&second.await.unwrap()), "full; reason=no-peer-near");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    assert_eq!(came.elapsed().as_millis(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_head_does_not_wait_and_is_not_waited_for() {
    let viral = viral_on_a_thin_line().await;
    let came = Instant::now();
    assert_eq!(answer(&request(&viral, "HEAD", "/", &NAVIGATION, "").await), "full; reason=no-peer-near");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    assert_eq!(answer(&request(&viral, "HEAD", "/", &NAVIGATION, "").await), "full; reason=no-peer-near");
    assert_eq!(came.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_visits_wait_than_the_limit_and_who_leaves_makes_room() {
    let viral = viral_on_a_thin_line().await;
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    let others = viral.app.waiting.try_acquire_many(u32::try_from(WAITING_MAX - 1).unwrap()).unwrap();
    let (came, last) = (Instant::now(), waiting(&viral));
    sleep(Duration::from_millis(100)).await;
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
    assert_eq!(came.elapsed().as_millis(), 100, "there is no place to wait");
    last.abort();
    assert!(last.await.unwrap_err().is_cancelled());
    assert_eq!(viral.app.waiting.available_permits(), 1);
    drop(others);
}
