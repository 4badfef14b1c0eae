//! Seeders: mirrors, new versions, restarts, limits.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::world::{World, write_app};
use crate::get::Answer;
use crate::rate::{Rate, Size};
use crate::seed::{SeedError, SeedOptions, seed};

struct Seeder {
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), SeedError>>,
}

impl Seeder {
    fn options(world: &World, store: &Path) -> SeedOptions {
        SeedOptions {
            urls: vec![world.url("/")],
            all: false,
            other_origin: false,
            store: store.to_owned(),
            disk_limit: None,
            bind: Some([127, 0, 0, 1].into()),
            up_limit: None,
            down_limit: None,
        }
    }

    fn start(options: SeedOptions) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, running: tokio::spawn(seed(options, stopped)) }
    }

    async fn end(self) -> Result<(), SeedError> {
        self.stop.send(true).unwrap();
        self.running.await.unwrap()
    }
}

fn store_len(store: &Path) -> u64 {
    std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn a_seeder_feeds_visitors_and_finds_its_store_again_after_a_restart() {
    let world = World::new().await;
    let store = tempfile::tempdir().unwrap();
    let seeder = Seeder::start(Seeder::options(&world, store.path()));
    world.until_seeders(1).await;
    let sent = world.until_sent().await;
    assert!(world.get().await.unwrap().bytes_from_peers > world.app_len() * 8 / 10);
    seeder.end().await.unwrap();
    world.until_seeders(0).await;
    let again = Seeder::start(Seeder::options(&world, store.path()));
    world.until_seeders(1).await;
    let report = world.get().await.unwrap();
    assert!(report.bytes_from_peers > world.app_len() * 8 / 10, "{report:?}");
    let sent_again = world.stats().await["origin_bytes"]["pieces"].as_u64().unwrap() - sent;
    assert!(sent_again < world.app_len() / 4, "the store was not used: {sent_again}");
    again.end().await.unwrap();
}

#[tokio::test]
async fn a_seeder_goes_over_to_the_new_version_and_fetches_only_what_changed() {
    let world = World::new().await;
    let store = tempfile::tempdir().unwrap();
    let seeder = Seeder::start(Seeder::options(&world, store.path()));
    world.until_seeders(1).await;
    write_app(world.dir.path(), 2);
    // The server notices by itself; then the seeder takes the new part.
    for _ in 0..400 {
        if has_new_part(&world, store.path()) && store_len(store.path()) < world.app_len() * 12 / 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(has_new_part(&world, store.path()));
    assert!(store_len(store.path()) < world.app_len() * 12 / 10, "the old version is still there");
    let sent = world.stats().await["origin_bytes"]["pieces"].as_u64().unwrap();
    assert!(sent < world.app_len() * 15 / 10, "what did not change was fetched again: {sent}");
    // It is whole a moment later.
    let mut reports = Vec::new();
    for _ in 0..10 {
        let report = world.get().await.unwrap();
        if report.answer == Answer::Thin && report.bytes_from_peers > world.app_len() * 8 / 10 {
            return seeder.end().await.unwrap();
        }
        reports.push(report);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody is fed the new version: {reports:?}");
}

fn has_new_part(world: &World, store: &Path) -> bool {
    let digest = viral_wire::Digest::of(&std::fs::read(world.dir.path().join("part 0.bin")).unwrap());
    store.join(digest.to_string()).exists()
}

#[tokio::test]
async fn a_seeder_comes_back_to_a_server_that_was_restarted() {
    let world = World::new().await;
    let store = tempfile::tempdir().unwrap();
    let seeder = Seeder::start(Seeder::options(&world, store.path()));
    world.until_seeders(1).await;
    let (dir, address) = world.stop().await;
    let world = World::serve(dir, address).await;
    world.until_seeders(1).await;
    let report = world.get().await.unwrap();
    assert!(report.bytes_from_peers > world.app_len() * 8 / 10, "{report:?}");
    seeder.end().await.unwrap();
}

#[tokio::test]
async fn a_seeder_waits_for_a_server_that_is_not_there_yet() {
    let (dir, address) = World::new().await.stop().await;
    let store = tempfile::tempdir().unwrap();
    let url = format!("http://{address}/").parse().unwrap();
    let options = SeedOptions {
        urls: vec![url],
        all: false,
        other_origin: false,
        store: store.path().to_owned(),
        disk_limit: None,
        bind: Some([127, 0, 0, 1].into()),
        up_limit: None,
        down_limit: None,
    };
    let seeder = Seeder::start(options);
    tokio::task::yield_now().await;
    let world = World::serve(dir, address).await;
    world.until_seeders(1).await;
    seeder.end().await.unwrap();
}

#[tokio::test]
async fn a_disk_limit_is_kept_and_what_fits_is_seeded() {
    let world = World::new().await;
    let store = tempfile::tempdir().unwrap();
    let limit = Size(2_400 * 1024);
    let seeder = Seeder::start(SeedOptions { disk_limit: Some(limit), ..Seeder::options(&world, store.path()) });
    world.until_seeders(1).await;
    assert!(store_len(store.path()) <= limit.0);
    let report = world.get().await.unwrap();
    assert!(report.ok && report.bytes_from_peers > 0, "{report:?}");
    seeder.end().await.unwrap();
}

#[tokio::test]
async fn a_mirror_of_all_assets_feeds_visitors_what_no_page_loads_and_follows_its_new_versions() {
    let world = World::with(|config| config.list_assets = true).await;
    let store = tempfile::tempdir().unwrap();
    let seeder = Seeder::start(SeedOptions { all: true, ..Seeder::options(&world, store.path()) });
    let level = world.dir.path().join("later/level.bin");
    until_stored(store.path(), &level).await;
    let report = world.get_path("/later/level.bin").await;
    assert_eq!((report.answer, report.bytes_from_peers), (Answer::Asset, 500 * 1024), "{report:?}");
    write_app(world.dir.path(), 2);
    std::fs::write(&level, super::world::noise(8, 300 * 1024)).unwrap();
    until_stored(store.path(), &level).await;
    seeder.end().await.unwrap();
}

#[tokio::test]
async fn a_mirror_that_is_started_again_keeps_what_it_has_until_the_server_lists_what_there_is() {
    let world = World::with(|config| config.list_assets = true).await;
    let store = tempfile::tempdir().unwrap();
    let options = SeedOptions { all: true, ..Seeder::options(&world, store.path()) };
    let level = world.dir.path().join("later/level.bin");
    let seeder = Seeder::start(options.clone());
    until_stored(store.path(), &level).await;
    seeder.end().await.unwrap();
    let (dir, address) = world.stop().await;
    let world = World::serve(dir, address).await;
    let again = Seeder::start(options);
    world.until_seeders(1).await;
    assert!(world.get().await.unwrap().bytes_from_peers > world.app_len() * 8 / 10);
    until_stored(store.path(), &level).await;
    again.end().await.unwrap();
}

/// Waits until the store holds what the file holds.
async fn until_stored(store: &Path, file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let stored = store.join(viral_wire::Digest::of(&bytes).to_string());
    for _ in 0..800 {
        if std::fs::read(&stored).is_ok_and(|found| found == bytes) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{} is not mirrored", file.display());
}

#[tokio::test]
async fn a_mirror_of_a_server_that_lists_nothing_seeds_what_pages_load() {
    let world = World::new().await;
    let store = tempfile::tempdir().unwrap();
    let seeder = Seeder::start(SeedOptions { all: true, ..Seeder::options(&world, store.path()) });
    world.until_seeders(1).await;
    assert!(world.get().await.unwrap().bytes_from_peers > world.app_len() * 8 / 10);
    seeder.end().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_seeded_is_said_at_once() {
    let world = World::new().await;
    let store = tempfile::tempdir().unwrap();
    let base = Seeder::options(&world, store.path());
    let (_stop, stopped) = watch::channel(false);
    let nothing = SeedOptions { up_limit: Some(Rate(0)), ..base.clone() };
    assert!(matches!(seed(nothing, stopped.clone()).await, Err(SeedError::UploadsNothing)));
    let none = SeedOptions { urls: Vec::new(), ..base.clone() };
    assert!(matches!(seed(none, stopped.clone()).await, Err(SeedError::Urls(0))));
    let asset = SeedOptions { urls: vec![world.url("/app.js")], ..base };
    assert!(matches!(seed(asset, stopped).await, Err(SeedError::Page { .. })));
}
