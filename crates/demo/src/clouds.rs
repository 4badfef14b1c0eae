//! Cloud cover: bands of latitude, curled by a few cyclones.

use crate::grid::{Directions, fill_rows};
use crate::limits::{MAP_HEIGHT, MAP_LEN, MAP_WIDTH, WORLD_SEED};
use crate::noise::{Vec3, fbm, noise, scramble, smoothstep};

/// Cyclones on the whole world.
const CYCLONES: u32 = 12;

struct Cyclone {
    centre: Vec3,
    /// Cosine of its radius.
    edge: f32,
    /// Radians by which its middle is turned; the sign follows the hemisphere.
    twist: f32,
}

fn seed(what: u32) -> u32 {
    scramble(WORLD_SEED.wrapping_mul(77).wrapping_add(what))
}

fn cyclones() -> Vec<Cyclone> {
    (0..CYCLONES)
        .map(|index| {
            let random = |what: u32| (seed(100 + index * 4 + what) >> 8) as f32 / (1 << 24) as f32;
            let north = index % 2 == 0;
            let latitude = (16.0 + 30.0 * random(0)) * if north { 1.0 } else { -1.0 };
            let radius = 0.13 + 0.14 * random(2);
            let turn = if north { -1.0 } else { 1.0 };
            Cyclone {
                centre: Vec3::from_degrees(latitude, 360.0 * random(1) - 180.0),
                edge: radius.cos(),
                twist: turn * (0.7 + 0.9 * random(3)),
            }
        })
        .collect()
}

/// Share of the sky that is covered at a direction, 0..1.
fn cover(direction: Vec3, cyclones: &[Cyclone]) -> f32 {
    let (mut p, mut storm) = (direction, 0.0);
    for cyclone in cyclones {
        let near = direction.dot(cyclone.centre);
        if near > cyclone.edge {
            let inside = (near - cyclone.edge) / (1.0 - cyclone.edge);
            p = p.turned(cyclone.centre, cyclone.twist * inside);
            storm += 0.11 * inside;
        }
    }
    let stretched = Vec3 { x: p.x * 2.3, y: p.y * 3.6, z: p.z * 2.3 };
    let warp = Vec3 { x: fbm(stretched, 2, seed(1)), y: 0.4 * noise(stretched, seed(2)), z: fbm(stretched, 2, seed(3)) };
    let shape = fbm(stretched.plus(warp.scaled(0.9)), 5, seed(4));
    let away = direction.y.abs();
    let bands = 0.13 * (-(away / 0.13).powi(2)).exp() - 0.14 * (-((away - 0.4) / 0.13).powi(2)).exp()
        + 0.12 * (-((away - 0.8) / 0.2).powi(2)).exp();
    smoothstep(0.02, 0.52, shape + bands + storm)
}

/// Full-size map of cloud cover, 0..255.
pub(crate) fn gather() -> Vec<u8> {
    let directions = Directions::new(MAP_WIDTH, MAP_HEIGHT);
    let cyclones = cyclones();
    let mut map = vec![0; MAP_LEN];
    fill_rows(&mut map, MAP_WIDTH, |row, out| {
        for (value, p) in out.iter_mut().zip(directions.row(row)) {
            *value = (cover(p, &cyclones) * 255.0) as u8;
        }
    });
    map
}
