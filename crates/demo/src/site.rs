//! Puts the hand-written page and the generated world together under the paths they are served at.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::limits::{DEPTH_MAX_M, MAP_HEIGHT, MAP_WIDTH, RELIEF_STEPS_PER_M};
use crate::places::Place;
use crate::world::{self, World};

/// The page; each `{{NAME}}` in it becomes the path of the generated asset of that name.
const PAGE: &str = include_str!("../site/index.html");

/// Started by a script after `load`, so the page does not refer to it.
const LINEAGE_WORKER: &str = "/js/lineage-worker.js";

/// Hand-written assets besides the page, by path.
const WRITTEN: [(&str, &[u8]); 12] = [
    ("/app.css", include_bytes!("../site/app.css")),
    ("/app.js", include_bytes!("../site/app.js")),
    ("/favicon.svg", include_bytes!("../site/favicon.svg")),
    ("/js/assets.js", include_bytes!("../site/js/assets.js")),
    ("/js/camera.js", include_bytes!("../site/js/camera.js")),
    ("/js/globe-gl.js", include_bytes!("../site/js/globe-gl.js")),
    ("/js/globe-2d.js", include_bytes!("../site/js/globe-2d.js")),
    (LINEAGE_WORKER, include_bytes!("../site/js/lineage-worker.js")),
    ("/js/lights.js", include_bytes!("../site/js/lights.js")),
    ("/js/paint.js", include_bytes!("../site/js/paint.js")),
    ("/js/panel.js", include_bytes!("../site/js/panel.js")),
    ("/js/travel.js", include_bytes!("../site/js/travel.js")),
];

/// One asset of the demo.
#[derive(Debug, Clone)]
pub struct DemoFile {
    /// Path it is served at, beginning with "/"; the page itself is `/index.html`.
    pub path: String,
    /// Its bytes, uncompressed.
    pub body: Bytes,
}

#[derive(Serialize)]
struct MapEntry<'a> {
    name: &'a str,
    path: &'a str,
    bytes: usize,
    sha256: &'a str,
}

#[derive(Serialize)]
struct WorldEntry<'a> {
    width: usize,
    height: usize,
    relief_steps_per_m: f32,
    relief_zero_m: f32,
    maps: Vec<MapEntry<'a>>,
    towns: &'a [Place],
    landmarks: &'a [Place],
}

/// All assets of the demo, the page first. Makes the world anew (about a second in a release build); the same bytes each time.
pub fn files() -> Vec<DemoFile> {
    let World { maps, towns, landmarks } = world::make();
    let digests: Vec<String> = maps.iter().map(|map| digest(&map.body)).collect();
    let paths: Vec<String> = maps.iter().zip(&digests).map(|(map, digest)| format!("/world/{}.{}.bin", map.name, &digest[..12])).collect();
    let entries = maps.iter().zip(&paths).zip(&digests).map(|((map, path), digest)| MapEntry {
        name: map.name,
        path,
        bytes: map.body.len(),
        sha256: digest,
    });
    let world = WorldEntry {
        width: MAP_WIDTH,
        height: MAP_HEIGHT,
        relief_steps_per_m: RELIEF_STEPS_PER_M,
        relief_zero_m: -DEPTH_MAX_M,
        maps: entries.collect(),
        towns: &towns,
        landmarks: &landmarks,
    };
    let atlas = serde_json::to_vec(&world).expect("plain numbers and strings always serialise");
    let atlas_path = format!("/world/atlas.{}.json", &digest(&atlas)[..12]);
    let mut page = PAGE.replace("{{atlas}}", &atlas_path);
    for (map, path) in maps.iter().zip(&paths) {
        page = page.replace(&format!("{{{{{}}}}}", map.name), path);
    }
    let mut files = vec![DemoFile { path: "/index.html".to_owned(), body: page.into() }];
    for (path, body) in WRITTEN {
        files.push(DemoFile { path: path.to_owned(), body: Bytes::from_static(body) });
    }
    files.push(DemoFile { path: atlas_path, body: atlas.into() });
    for (map, path) in maps.into_iter().zip(paths) {
        files.push(DemoFile { path, body: map.body });
    }
    files
}

/// SHA-256 in lower-case hex.
fn digest(body: &[u8]) -> String {
    Sha256::digest(body).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use super::*;

    /// Made once for all tests: it takes a while without optimisation.
    static FILES: LazyLock<BTreeMap<String, Bytes>> = LazyLock::new(|| files().into_iter().map(|file| (file.path, file.body)).collect());

    fn text(path: &str) -> String {
        String::from_utf8(FILES[path].to_vec()).unwrap()
    }

    /// The values of the attributes `href` and `src` in the page, without those that the server itself provides.
    fn references(page: &str) -> Vec<String> {
        ["href=\"", "src=\""]
            .iter()
            .flat_map(|attribute| page.split(attribute).skip(1))
            .map(|rest| rest[..rest.find('"').unwrap()].to_owned())
            .filter(|path| !path.starts_with("/.viral/"))
            .collect()
    }

    #[test]
    fn every_reference_of_the_page_and_its_scripts_exists() {
        let page = text("/index.html");
        let mut wanted = references(&page);
        assert!(wanted.len() > 12, "{wanted:?}");
        for script in FILES.keys().filter(|path| path.ends_with(".js")) {
            let body = text(script);
            for (_, from) in body.lines().filter_map(|line| line.strip_prefix("import ")?.split_once(" from '")) {
                let path = from.trim_end_matches("';");
                wanted.push(path.strip_prefix("./").map_or_else(|| path.to_owned(), |name| format!("/js/{name}")));
            }
        }
        for path in wanted {
            assert!(FILES.contains_key(&path), "{path} does not exist");
        }
        assert!(!page.contains("{{"), "a placeholder is left");
    }

    #[test]
    fn every_asset_is_referenced_by_the_page_or_started_by_a_script() {
        let mut wanted = references(&text("/index.html"));
        assert!(text("/js/travel.js").contains(&format!("new Worker('{LINEAGE_WORKER}')")));
        wanted.push(LINEAGE_WORKER.to_owned());
        for path in FILES.keys().filter(|path| *path != "/index.html") {
            assert!(wanted.contains(path), "{path} is never asked for");
        }
    }

    #[test]
    fn the_page_uses_at_least_six_mebibytes_of_data() {
        let data: usize = FILES.iter().filter(|(path, _)| path.ends_with(".bin")).map(|(_, body)| body.len()).sum();
        assert!(data >= 6 << 20, "{data}");
    }

    #[test]
    fn the_same_world_is_made_each_time() {
        for file in files() {
            assert_eq!(FILES.get(&file.path), Some(&file.body), "{}", file.path);
        }
    }

    #[test]
    fn the_atlas_names_each_map_with_its_length_and_digest() {
        let path = FILES.keys().find(|path| path.ends_with(".json")).unwrap();
        let atlas: serde_json::Value = serde_json::from_slice(&FILES[path]).unwrap();
        let maps = atlas["maps"].as_array().unwrap();
        assert_eq!(maps.len(), 4);
        for map in maps {
            let body = &FILES[map["path"].as_str().unwrap()];
            assert_eq!(map["bytes"].as_u64().unwrap() as usize, body.len());
            assert_eq!(map["sha256"].as_str().unwrap(), digest(body));
        }
        assert!(atlas["towns"].as_array().unwrap().len() > 100);
    }

    #[test]
    fn the_page_runs_under_a_policy_without_inline_scripts_styles_or_foreign_hosts() {
        let page = text("/index.html");
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onload="));
        assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"/").count());
        assert!(references(&page).iter().all(|path| path.starts_with('/') && !path.starts_with("//")));
    }
}
