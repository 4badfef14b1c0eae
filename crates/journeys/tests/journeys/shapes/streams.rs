//! Megabytes asked for by modules: with top-level await, by `import()` at once and on a click, and a hundred files by script.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::site::Site;
use viral_journeys::wait::journey;

use super::{noise, runs_the_same, script, site_of};

/// Length of what the module with top-level await fetches.
const BIG: usize = 12 << 20;

/// Files of the loader of asynchronous modules.
const FILES: usize = 100;

fn streams() -> Site {
    let mut site = site_of(include_str!("streams.html"));
    site.write("/amd.js", include_str!("amd.js"));
    site.write("/big.bin", noise(1, BIG));
    site.write("/at-once.bin", noise(2, 3 << 20));
    site.write("/on-click.bin", noise(3, 2 << 20));
    for (module, body, seed) in [("top-level", "big", 4), ("at-once", "at-once", 5), ("on-click", "on-click", 6)] {
        let code = format!("export const result = await look('/{body}.bin');");
        site.write(&format!("/{module}.mjs"), script(seed, 50_000, &code));
    }
    for file in 0..FILES {
        let code = format!("define('m{file}', () => {file});");
        site.write(&format!("/amd/m{file}.js"), script(100 + file as u64, 8_000, &code));
    }
    site
}

async fn run_the_same(engine: Engine) {
    let site = streams();
    let visits = runs_the_same(engine, &site, site.len(), Setting::default()).await;
    assert_eq!(visits.plain.result["amd"], (0..FILES).sum::<usize>());
    assert_eq!(visits.plain.result["top-level await"][1], BIG);
}

#[tokio::test]
async fn what_modules_and_loaders_fetch_comes_from_peers_in_chromium() {
    journey(run_the_same(Chromium)).await;
}

#[tokio::test]
async fn what_modules_and_loaders_fetch_comes_from_peers_in_firefox() {
    journey(run_the_same(Firefox)).await;
}
