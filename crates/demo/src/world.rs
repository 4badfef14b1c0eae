//! Makes the world of the demo: four maps as bytes and a list of its places.

use bytes::Bytes;

use crate::limits::{COARSE_HEIGHT, COARSE_WIDTH, DEPTH_MAX_M, MAP_HEIGHT, MAP_LEN, MAP_WIDTH, RELIEF_STEPS_PER_M};
use crate::places::{self, Place, Terrain};
use crate::{climate, clouds, erosion, relief};

/// Discharge, in texels of mean rain, from which water is drawn as a river.
const RIVER_FROM: f32 = 90.0;
/// Value of a lake in the rivers map; rivers stay below it.
const LAKE: u8 = 255;

/// One map of the world, row by row from the north-west.
pub(crate) struct Map {
    /// Short name, unique.
    pub(crate) name: &'static str,
    /// Texels: 16 bits little-endian for `relief`, 8 bits for the others.
    pub(crate) body: Bytes,
}

/// Everything that is generated.
pub(crate) struct World {
    pub(crate) maps: Vec<Map>,
    pub(crate) towns: Vec<Place>,
    pub(crate) landmarks: Vec<Place>,
}

fn relief_bytes(ground: &[f32]) -> Bytes {
    let mut body = Vec::with_capacity(MAP_LEN * 2);
    for metres in ground {
        let steps = ((metres + DEPTH_MAX_M) * RELIEF_STEPS_PER_M).clamp(0.0, 65_535.0) as u16;
        body.extend_from_slice(&steps.to_le_bytes());
    }
    body.into()
}

fn river_bytes(rivers: &erosion::Rivers, ground: &[f32]) -> Bytes {
    let mut body = vec![0_u8; MAP_LEN];
    for (at, value) in body.iter_mut().enumerate() {
        if rivers.lake[at] {
            *value = LAKE;
        } else if ground[at] > 0.0 && rivers.discharge[at] > RIVER_FROM {
            *value = (24.0 + 30.0 * (rivers.discharge[at] / RIVER_FROM).log2()).min(f32::from(LAKE - 1)) as u8;
        }
    }
    body.into()
}

/// Elevation in metres, moisture 0..1 and rivers: first everything large on the coarse grid, then the rest.
fn shape() -> (Vec<f32>, Vec<f32>, erosion::Rivers) {
    let mut coarse = relief::raise();
    let rain = climate::moisture(&coarse);
    erosion::erode(&erosion::Lattice::new(COARSE_WIDTH, COARSE_HEIGHT), &mut coarse, &rain);
    let mut ground = relief::roughen(&coarse);
    let moisture = climate::refine(&rain, &ground);
    let rivers = erosion::run_rivers(&erosion::Lattice::new(MAP_WIDTH, MAP_HEIGHT), &mut ground, &moisture);
    (ground, moisture, rivers)
}

/// Makes the world. The same on every run; takes about a second on two idle cores in a release build.
pub(crate) fn make() -> World {
    let (cover, (ground, moisture, rivers)) = std::thread::scope(|scope| {
        let cover = scope.spawn(clouds::gather);
        let land = shape();
        (cover.join().expect("drawing clouds has no way to panic"), land)
    });
    let terrain = Terrain { ground: &ground, moisture: &moisture, rivers: &rivers };
    let towns = places::towns(&terrain);
    let landmarks = places::landmarks(&terrain);
    let wet: Vec<u8> = moisture.iter().map(|value| (value * 255.0) as u8).collect();
    let maps = vec![
        Map { name: "relief", body: relief_bytes(&ground) },
        Map { name: "moisture", body: wet.into() },
        Map { name: "rivers", body: river_bytes(&rivers, &ground) },
        Map { name: "clouds", body: cover.into() },
    ];
    World { maps, towns, landmarks }
}
