//! Whatever a peer does, a visitor ends with the right bytes, and soon.

use std::time::Duration;

use super::world::{Stayer, World};
use crate::get::{Answer, GetOptions, Report, get};
use crate::rate::Rate;
use crate::rogue::{Crime, Rogue};

/// Longest a visit may take among rogues: a silent peer is dropped after a second, a dead dial hedged after a third of one.
const SOON_MS: u64 = 10_000;

/// How long whoever is done serves the others.
const SHORTLY: Duration = Duration::from_secs(2);

/// A rogue that the tracker takes for a complete seeder.
async fn join(world: &World, crime: Crime) -> Stayer {
    let mut rogue = Rogue::join(&world.url("/"), Some([127, 0, 0, 1].into()), crime).await.unwrap();
    let stayer = Stayer(tokio::spawn(async move { rogue.run().await }));
    world.until_seeders(1).await;
    stayer
}

async fn among(crime: Crime) -> (World, Report) {
    let world = World::new().await;
    let _rogue = join(&world, crime).await;
    let out = tempfile::tempdir().unwrap();
    let report = get(GetOptions { output: Some(out.path().to_owned()), ..world.options("/") }, |_| ()).await.unwrap();
    world.assert_identical(out.path());
    assert_eq!((report.answer, report.bytes_from_peers), (Answer::Thin, 0), "{report:?}");
    assert!(report.ms_total < SOON_MS, "{report:?}");
    (world, report)
}

#[tokio::test]
async fn a_forger_is_banned_and_the_origin_gives_everything() {
    let (world, report) = among(Crime::Forges).await;
    // Once for each number under which it came back meanwhile.
    assert!(report.bans >= 1, "{report:?}");
    // It was the only one the visitor met, so the tracker believes it.
    for _ in 0..200 {
        if world.stats().await["bans"].as_u64() >= Some(1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the tracker kept the forger: {}", world.stats().await);
}

#[tokio::test]
async fn a_crowd_asks_the_forger_among_it_bans_it_and_gets_everything() {
    let world = World::new().await;
    // Nobody is there yet, so nobody is promised anything: they share the work, and ask each other.
    let visits: Vec<_> = (0..4)
        .map(|_| tokio::spawn(get(GetOptions { down_limit: Some(Rate(1 << 20)), stay: SHORTLY, ..world.options("/") }, |_| ())))
        .collect();
    let mut rogue = Rogue::join(&world.url("/"), Some([127, 0, 0, 1].into()), Crime::Forges).await.unwrap();
    let _rogue = Stayer(tokio::spawn(async move { rogue.run().await }));
    let mut bans = 0;
    for visit in visits {
        let report = visit.await.unwrap().unwrap();
        assert!(report.ok, "{report:?}");
        bans += report.bans;
    }
    assert!(bans >= 1, "nobody met the forger: {}", world.stats().await);
}

#[tokio::test]
async fn who_sends_bombs_is_a_forger() {
    assert_eq!(among(Crime::SendsBombs).await.1.bans, 1);
}

#[tokio::test]
async fn who_forges_the_manifest_is_banned_before_it_can_send_a_piece() {
    assert_eq!(among(Crime::ForgesManifest).await.1.bans, 1);
}

#[tokio::test]
async fn a_peer_that_opens_and_never_sends_is_replaced() {
    among(Crime::IsSilent).await;
}

#[tokio::test]
async fn ten_thousand_have_frames_end_the_connection_not_the_visit() {
    among(Crime::Floods).await;
}

#[tokio::test]
async fn a_piece_that_nobody_asked_for_ends_the_connection() {
    assert_eq!(among(Crime::SendsUnasked).await.1.bans, 0);
}

#[tokio::test]
async fn a_hog_gets_one_manifest_and_no_more_than_the_app_twice_and_is_shown_out() {
    let world = World::new().await;
    let _stayer = world.stayer(|_| ()).await;
    let mut hog = Rogue::join(&world.url("/"), Some([127, 0, 0, 1].into()), Crime::Hogs).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), hog.run()).await;
    assert!(ended.is_ok(), "it is not shown out: {:?} of {}", hog.taken(), 2 * world.app_len());
    let (bytes, manifests) = hog.taken();
    let twice = 2 * world.app_len();
    assert!(bytes > world.app_len() && bytes <= twice + twice / 10, "{bytes} of {twice}");
    assert_eq!(manifests, 1);
}
