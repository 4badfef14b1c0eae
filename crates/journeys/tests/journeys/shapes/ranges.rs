//! Parts of large files: ranges here and there, and media with seeks.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::server::Server;
use viral_journeys::site::Site;
use viral_journeys::wait::journey;

use crate::common::seeds;

use super::{Expected, Seen, full_visit, noise, plain_visit, script, site_of, thin_visit};

/// Length of the file of which 2 MiB are used.
const BIG: usize = 64 << 20;

/// What the ranges of the page cover.
const USED: u64 = 32 * 65_536;

/// Length of the script: enough that the page is large by its markup alone.
const SCRIPT: usize = 1 << 20;

/// Most that a thin visit to the ranges may download in all: a range may touch two pieces more than it fills.
const MOST: u64 = USED * 3 + SCRIPT as u64 * 5 / 4;

/// Seconds of the sound, and samples a second.
const SOUND: (usize, u32) = (400, 8_000);

fn ranges() -> Site {
    let mut site = site_of(include_str!("ranges.html"));
    site.write("/app.js", script(41, SCRIPT, "window.appScript = 'ran';"));
    site.write("/big.bin", noise(42, BIG));
    site.write("/media.html", include_str!("media.html"));
    site.write("/tone.wav", wav());
    site
}

/// A sound of one channel and 8 bits.
fn wav() -> Vec<u8> {
    let (seconds, rate) = SOUND;
    let samples = noise(43, seconds * rate as usize);
    let len = samples.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + len).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(b"\x01\0\x08\0data");
    file.extend(len.to_le_bytes());
    file.extend(samples);
    file
}

async fn run_the_same(engine: Engine) {
    let site = ranges();
    let server = Server::serve(site.folder(), &[]).await;
    let plain = plain_visit(&server, engine, "/", Setting::default()).await;
    assert_eq!(plain.result["ranges"][1][0], 206);
    listen(&server, &plain).await;
    let full = full_visit(&server, engine, "/", SCRIPT as u64).await;
    full.assert_same("full", &plain.result);
    // Whoever has only ranges has no whole piece to give, so the first to have some is the visitor after.
    let expected = Expected { peers_min: SCRIPT as u64 * 9 / 10, origin_max: USED * 3 };
    let first = thin_visit(&server, engine, "/", expected, Setting::default()).await;
    first.assert_same("thin", &plain.result);
    first.assert_took_at_most(MOST);
    full.visitor.leave().await;
    server.until_seeders(1).await;
    let next = thin_visit(&server, engine, "/", Expected::fed(USED + SCRIPT as u64), Setting::default()).await;
    next.assert_same("next thin", &plain.result);
    next.assert_took_at_most(MOST);
    // The source goes on to the media, and then the one it fed: how far a player reads ahead differs from visit to visit.
    listen(&server, &first).await;
    seeds(&server, &first.visitor, 2).await;
    let sent = listen(&server, &next).await;
    assert!(sent < wav().len() as u64 / 2, "seeking in media that a peer holds cost the origin {sent} bytes");
}

/// Goes to the page that plays, which seeks as it does without us; returns what the origin sent of the app for it.
async fn listen(server: &Server, seen: &Seen) -> u64 {
    let before = server.stats().await.origin_bytes.of_app();
    seen.visitor.run("location.href = '/media.html'").await;
    let done = "location.pathname === '/media.html' && window.app && window.app.done && window.app.result";
    let result = seen.visitor.until("it plays", done).await;
    assert_eq!(result, serde_json::json!({ "media": [SOUND.0, 200, 1, 20, 1, 380, 1], "script": "ran" }));
    server.stats().await.origin_bytes.of_app() - before
}

#[tokio::test]
async fn parts_of_files_come_from_peers_and_the_rest_is_not_loaded_in_chromium() {
    journey(run_the_same(Chromium)).await;
}

#[tokio::test]
async fn parts_of_files_come_from_peers_and_the_rest_is_not_loaded_in_firefox() {
    journey(run_the_same(Firefox)).await;
}
