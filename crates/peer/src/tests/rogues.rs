//! Whatever a peer does, a visitor ends with the right bytes, and soon.

use super::rogue::{Crime, Rogue};
use super::world::World;
use crate::get::{Answer, GetOptions, Report, get};

/// Longest a visit may take among rogues: a silent peer is dropped after a second, a dead dial hedged after a third of one.
const SOON_MS: u64 = 10_000;

async fn among(crime: Crime) -> (World, Report) {
    let world = World::new().await;
    let _rogue = Rogue::join(&world, crime).await;
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
    assert_eq!(report.bans, 1);
    // It was the only one the visitor met, so the tracker believes it.
    for _ in 0..200 {
        if world.stats().await["bans"] == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the tracker kept the forger: {}", world.stats().await);
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
