//! Twenty language packs of which each visitor uses one.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::server::Server;
use viral_journeys::site::{Site, sha256};
use viral_journeys::wait::journey_alone;

use super::{Expected, Seen, full_visit, noise, script, site_of, thin_visit};

/// Length of a pack.
const PACK: usize = 400_000;

/// Length of what everybody uses.
const SCRIPT: usize = 1 << 20;

/// A visit uses this much.
const USED: u64 = (PACK + SCRIPT) as u64;

fn languages() -> Site {
    let mut site = site_of(include_str!("languages.html"));
    site.write("/app.js", script(51, SCRIPT, "window.appScript = 'ran';"));
    for language in 0..20 {
        site.write(&format!("/lang/{language}.bin"), noise(60 + language, PACK));
    }
    site
}

fn assert_language(seen: &Seen, language: u64) {
    let pack = noise(60 + language, PACK);
    assert_eq!(seen.result["pack"], serde_json::json!([200, PACK, sha256(&pack)]));
    assert_eq!(seen.result["script"], "ran");
}

async fn each_takes_one(first: Engine, second: Engine) {
    let site = languages();
    let server = Server::serve(site.folder(), &[]).await;
    let full = full_visit(&server, first, "/?lang=1", USED).await;
    assert_language(&full, 1);
    let most = USED + PACK as u64;
    // Nobody has this visitor's language yet.
    let from_origin = Expected { peers_min: SCRIPT as u64 * 9 / 10, origin_max: PACK as u64 + SCRIPT as u64 / 10 };
    let other = thin_visit(&server, second, "/?lang=2", from_origin, Setting::default()).await;
    assert_language(&other, 2);
    // It may have been given the first one's pack before it had said that it uses another; a third one not.
    other.assert_took_at_most(most + PACK as u64 / 10);
    let same = thin_visit(&server, first, "/?lang=2", Expected::fed(USED), Setting::default()).await;
    assert_language(&same, 2);
    same.assert_took_at_most(most + PACK as u64 / 10);
}

#[tokio::test]
async fn of_twenty_language_packs_a_visitor_takes_its_own_from_peers_that_have_it() {
    journey_alone(each_takes_one(Chromium, Firefox)).await;
}

#[tokio::test]
async fn of_twenty_language_packs_a_visitor_takes_its_own_in_firefox_first() {
    journey_alone(each_takes_one(Firefox, Chromium)).await;
}
