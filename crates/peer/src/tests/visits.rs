//! Visits as they should go.

use std::time::Duration;

use super::world::World;
use crate::get::{Answer, GetEvent, GetOptions, get};
use crate::rate::Rate;

#[tokio::test]
async fn the_first_visitor_is_fed_by_the_origin_and_the_second_one_by_the_first() {
    let world = World::new().await;
    let out = tempfile::tempdir().unwrap();
    let first = get(GetOptions { output: Some(out.path().join("a")), ..world.options("/") }, |_| ()).await.unwrap();
    assert_eq!((first.answer, first.bytes_from_peers), (Answer::Full, 0));
    assert!(first.bytes_from_origin >= world.app_len());
    world.assert_identical(&out.path().join("a"));
    let _stayer = world.stayer(|_| ()).await;
    let second = get(GetOptions { output: Some(out.path().join("b")), ..world.options("/") }, |_| ()).await.unwrap();
    assert_eq!((second.answer, second.bans), (Answer::Thin, 0));
    assert!(second.bytes_from_peers > world.app_len() * 8 / 10, "{second:?}");
    assert_eq!(second.bytes_from_peers + second.bytes_from_origin, first.bytes_from_origin, "every byte once");
    assert_eq!(second.peers_used, 1);
    world.assert_identical(&out.path().join("b"));
}

#[tokio::test]
async fn a_site_below_a_path_is_taken_from_peers_and_written_without_the_path() {
    let world = World::with(|config| config.base = "/app/".parse().unwrap()).await;
    let out = tempfile::tempdir().unwrap();
    let into = |name: &str, path: &str| GetOptions { output: Some(out.path().join(name)), ..world.options(path) };
    let first = get(into("a", "/app/"), |_| ()).await.unwrap();
    assert_eq!(first.answer, Answer::Full);
    world.assert_identical(&out.path().join("a"));
    let _stayer = world.stayer(|options| options.url = world.url("/app/")).await;
    let second = get(into("b", "/app/"), |_| ()).await.unwrap();
    assert_eq!((second.answer, second.bans), (Answer::Thin, 0));
    assert!(second.bytes_from_peers > world.app_len() * 8 / 10, "{second:?}");
    world.assert_identical(&out.path().join("b"));
    let asset = get(into("c", "/app/later/level.bin"), |_| ()).await.unwrap();
    assert_eq!(asset.answer, Answer::Asset);
    assert!(out.path().join("c/later/level.bin").exists());
}

#[tokio::test]
async fn what_lies_in_the_directory_already_is_not_fetched_again() {
    let world = World::new().await;
    let out = tempfile::tempdir().unwrap();
    let options = GetOptions { output: Some(out.path().to_owned()), ..world.options("/") };
    get(options.clone(), |_| ()).await.unwrap();
    std::fs::remove_file(out.path().join("part 1.bin")).unwrap();
    let again = get(options, |_| ()).await.unwrap();
    assert!(again.bytes_from_store > 1024 * 1024, "{again:?}");
    world.assert_identical(out.path());
}

#[tokio::test]
async fn one_asset_is_taken_by_its_record() {
    let world = World::new().await;
    let out = tempfile::tempdir().unwrap();
    let report = get(GetOptions { output: Some(out.path().to_owned()), ..world.options("/later/level.bin") }, |_| ()).await.unwrap();
    assert_eq!((report.answer, report.bytes_from_origin), (Answer::Asset, 500 * 1024));
    let (ours, theirs) = (out.path().join("later/level.bin"), world.dir.path().join("later/level.bin"));
    assert!(std::fs::read(ours).unwrap() == std::fs::read(theirs).unwrap());
}

#[tokio::test]
async fn one_asset_comes_from_a_peer_that_has_it() {
    let world = World::new().await;
    let _stayer = world.stayer(|_| ()).await;
    let report = get(world.options("/part%201.bin"), |_| ()).await.unwrap();
    assert_eq!((report.answer, report.pieces > 1), (Answer::Asset, true));
    assert_eq!((report.bytes_from_peers, report.bytes_from_origin), (900 * 1024, 0), "{report:?}");
}

#[tokio::test]
async fn a_visitor_hears_that_the_app_is_here_before_its_stay_which_ends_when_it_is_told_to() {
    let world = World::new().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let options = GetOptions { stay: Duration::from_secs(600), stop: Some(stopped), ..world.options("/") };
    let mut heard = Vec::new();
    let report = get(options, |event| {
        if let GetEvent::Here(report) = event {
            heard.push(report.clone());
            stop.send(true).unwrap();
        }
    });
    let report = report.await.unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].ok, heard[0].pieces), (true, report.pieces));
}

#[tokio::test]
async fn who_uploads_nothing_is_nobodys_seeder() {
    let world = World::new().await;
    let mut options = GetOptions { stay: Duration::from_secs(600), up_limit: Some(Rate(0)), ..world.options("/") };
    options.bind = Some([127, 0, 0, 1].into());
    let stayer = tokio::spawn(async move { get(options, |_| ()).await });
    // It is whole by then.
    world.until_sent().await;
    let report = world.get().await.unwrap();
    assert_eq!((report.answer, report.bytes_from_peers), (Answer::Full, 0));
    stayer.abort();
}

#[tokio::test]
async fn limits_of_both_ends_hold() {
    let world = World::new().await;
    let _stayer = world.stayer(|options| options.up_limit = Some(Rate(1 << 20))).await;
    // 3 MB, of which half a second's worth may come at once.
    let up = world.get().await.unwrap();
    assert!(up.bytes_from_origin > 1 << 20 || up.ms_total > 2_000, "{up:?}");
    let down = get(GetOptions { down_limit: Some(Rate(2 << 20)), ..world.options("/") }, |_| ()).await.unwrap();
    assert!(down.ms_total > 1_200, "{down:?}");
}

#[tokio::test]
async fn sixteen_peers_in_one_process_feed_each_other() {
    let world = World::new().await;
    let _stayer = world.stayer(|_| ()).await;
    let visits: Vec<_> =
        (0..16).map(|_| tokio::spawn(get(GetOptions { stay: Duration::from_secs(2), ..world.options("/") }, |_| ()))).collect();
    for visit in visits {
        let report = visit.await.unwrap().unwrap();
        assert!(report.ok && report.bans == 0, "{report:?}");
    }
}
