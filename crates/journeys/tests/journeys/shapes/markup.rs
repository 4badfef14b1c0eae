//! What markup and style sheets refer to, used or not; then another page, the way back, and a reload.

use std::path::Path;

use serde_json::json;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::site::Site;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use super::{Visits, noise, runs_the_same, script, site_of};

/// Length of each file that the page refers to and no visitor uses.
const UNUSED: usize = 2 << 20;

/// Paths of such files.
const UNUSED_PATHS: [&str; 5] = ["/fonts/cyrillic.ttf", "/img/two.bmp", "/img/three.bmp", "/img/wide.bmp", "/img/movie.mp4"];

fn markup() -> Site {
    let mut site = site_of(include_str!("markup.html"));
    site.write("/other/index.html", include_str!("other.html"));
    site.write("/mods/main.mjs", script(81, 300_000, "import { leaf } from '/mods/leaf.mjs'; export const value = `main of ${leaf}`;"));
    site.write("/mods/leaf.mjs", script(82, 300_000, "export const leaf = 'leaf';"));
    site.write("/data/preloaded.bin", noise(83, 1 << 20));
    site.write("/css/main.css", MAIN_CSS);
    site.write("/css/first.css", "@import '/css/second.css';\n#box { --first: first; }\n");
    site.write("/css/second.css", "#box { --second: second; background-image: url('/img/background.bmp'); }\n");
    for (name, seed) in [("one", 84), ("narrow", 85), ("preloaded", 86), ("background", 87)] {
        site.write(&format!("/img/{name}.bmp"), picture(seed));
    }
    site.write("/fonts/latin.ttf", font());
    for (index, path) in UNUSED_PATHS.into_iter().enumerate() {
        site.write(path, noise(90 + index as u64, UNUSED));
    }
    site
}

const MAIN_CSS: &str = "@import '/css/first.css';
@font-face { font-family: Page; src: url('/fonts/latin.ttf'); unicode-range: U+0-FF; }
@font-face { font-family: Page; src: url('/fonts/cyrillic.ttf'); unicode-range: U+400-4FF; }
#box { --main: main; }
";

/// A picture of 300 by 300 points of noise, as BMP.
fn picture(seed: u64) -> Vec<u8> {
    const SIDE: u32 = 300;
    let points = noise(seed, (SIDE * SIDE * 3) as usize);
    let mut file = b"BM".to_vec();
    file.extend((54 + points.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    for number in [54, 40, SIDE, SIDE, 1 | 24 << 16, 0, points.len() as u32, 2_835, 2_835, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend(points);
    file
}

/// A real font, of the package that draws PDF.
fn font() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/node_modules/pdfjs-dist/standard_fonts/LiberationSans-Regular.ttf");
    std::fs::read(path).expect("pdfjs-dist is installed")
}

async fn run_the_same(engine: Engine, setting: Setting) -> Visits {
    let site = markup();
    let used = site.len() - (UNUSED * UNUSED_PATHS.len()) as u64;
    let visits = runs_the_same(engine, &site, used, setting).await;
    let plain = &visits.plain.result;
    assert_eq!(plain["fonts"], json!([["Page", "U+0-FF", "loaded"], ["Page", "U+400-4FF", "unloaded"]]));
    assert_eq!(plain["style"], json!(["main", "first", "second"]));
    assert_eq!(plain["image chosen"], json!(["/img/one.bmp", 300]));
    for seen in [&visits.source, &visits.last] {
        seen.assert_took_at_most(used + UNUSED as u64 / 2);
    }
    go_on(&visits, used).await;
    visits
}

/// Another page with the same modules, back, and a reload: each gives what it should, and costs the origin next to nothing.
async fn go_on(visits: &Visits, used: u64) {
    let (server, visitor, plain) = (&visits.server, &visits.last.visitor, &visits.plain.result);
    let sent = async || server.stats().await.origin_bytes.of_app();
    let before = sent().await;
    visitor.run("location.href = '/other/'").await;
    let other = visitor.until("the other page runs", &format!("location.pathname === '/other/' && {DONE}")).await;
    for shape in ["modules", "preloaded"] {
        assert_eq!(other[shape], plain[shape], "{shape} of the other page");
    }
    assert_eq!(other["style"], "second");
    let other = sent().await - before;
    visitor.back().await;
    assert_eq!(visitor.until("it is back", &format!("location.pathname === '/' && {DONE}")).await, *plain);
    let back = sent().await - before - other;
    visitor.run("window.app.done = false").await;
    visitor.reload().await;
    assert_eq!(visitor.until("it runs again", DONE).await, *plain);
    let reload = sent().await - before - other - back;
    assert!(
        other + back + reload < used / 10,
        "another page cost the origin {other} bytes, the way back {back} and a reload {reload}: {:?}",
        server.stats().await.reasons
    );
}

const DONE: &str = "window.app && window.app.done && window.app.result";

/// Chromium says a few seconds after `load` which preloads nobody used.
async fn preload_warnings(visitor: &Visitor) -> Vec<String> {
    visitor.until("load is long ago", "performance.now() > performance.getEntriesByType('navigation')[0].loadEventEnd + 6000").await;
    let said = visitor.console().await;
    said.into_iter().filter(|line| line.contains("preload")).collect()
}

#[tokio::test]
async fn what_markup_refers_to_comes_from_peers_as_far_as_it_is_used_in_chromium() {
    journey(async {
        let setting = Setting { records_console: true, ..Setting::default() };
        let visits = run_the_same(Chromium, setting).await;
        let (plain, thin) = (preload_warnings(&visits.plain.visitor).await, preload_warnings(&visits.source.visitor).await);
        assert_eq!(thin.len(), plain.len(), "{thin:?}, plain {plain:?}");
    })
    .await;
}

#[tokio::test]
async fn what_markup_refers_to_comes_from_peers_as_far_as_it_is_used_in_firefox() {
    journey(async {
        run_the_same(Firefox, Setting::default()).await;
    })
    .await;
}
