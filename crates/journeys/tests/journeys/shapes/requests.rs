//! What a page can ask of `fetch` and XHR: progress, abort, cache modes, redirects, integrity, streams.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::site::Site;
use viral_journeys::wait::journey;

use super::{noise, runs_the_same_with, script, site_of};

/// Bytes of the files that a visit may rightly take from the origin: a cache mode says so, or the check of integrity failed.
const FROM_ORIGIN: u64 = 5 * 20_000;

/// Bytes of the file that a page begins to ask for and gives up.
const ABORTED: usize = 8 << 20;

fn requests() -> Site {
    let checked = script(21, 100_000, "window.checked = 'yes';");
    let body = noise(22, 200_000);
    let page = include_str!("requests.html")
        .replace("GOOD_SCRIPT", &integrity(checked.as_bytes()))
        .replace("GOOD_BODY", &integrity(&body))
        .replace("WRONG", &integrity(b"something else"));
    let mut site = site_of(&page);
    site.write("/checked.js", checked);
    site.write("/unchecked.js", "window.checked = 'never';\n");
    site.write("/checked.bin", body);
    site.write("/unchecked.bin", noise(23, 20_000));
    site.write("/xhr.bin", noise(24, 3 << 20));
    site.write("/aborted.bin", noise(25, ABORTED));
    site.write("/streamed.bin", noise(26, 2 << 20));
    site.write("/cloned.bin", noise(27, 1 << 20));
    for (index, mode) in ["default", "no-store", "reload", "no-cache", "force-cache"].into_iter().enumerate() {
        site.write(&format!("/cache-{mode}.bin"), noise(30 + index as u64, 20_000));
    }
    site.write("/folder/index.html", "<!doctype html><title>Folder</title><p>In a folder.");
    site
}

/// As an `integrity` attribute names these bytes.
fn integrity(bytes: &[u8]) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(bytes)))
}

async fn run_the_same(engine: Engine) {
    let site = requests();
    let used = site.len() - FROM_ORIGIN;
    let visits = runs_the_same_with(engine, &site, (used, used - ABORTED as u64), Setting::default()).await;
    let plain = &visits.plain.result;
    assert_eq!(plain["xhr"]["totals"], serde_json::json!([3 << 20]));
    assert_eq!(plain["aborted"][1], "AbortError");
    assert_eq!(plain["integrity wrong"], "TypeError");
    assert_eq!(plain["script with its integrity"], "ran yes");
    assert_eq!(plain["script with another integrity"], "refused");
}

#[tokio::test]
async fn every_way_to_ask_gets_the_plain_answer_from_peers_in_chromium() {
    journey(run_the_same(Chromium)).await;
}

#[tokio::test]
async fn every_way_to_ask_gets_the_plain_answer_from_peers_in_firefox() {
    journey(run_the_same(Firefox)).await;
}
