//! Land and sea before water has worked on them: continents, mountain belts, hills, shelves and trenches, in metres.

use crate::grid::{Directions, fill_rows, latitude, refine_row};
use crate::limits::{
    ALTITUDE_MAX_M, COARSE_HEIGHT, COARSE_LEN, COARSE_WIDTH, DEPTH_MAX_M, LAND_PERMILLE, MAP_HEIGHT, MAP_LEN, MAP_WIDTH, WORLD_SEED,
};
use crate::noise::{Vec3, fbm, ridged, scramble, smoothstep};

/// What the crust does at one place, each about 0..1 except `rise`, which is around zero.
#[derive(Clone, Copy, Default)]
struct Crust {
    rise: f32,
    belt: f32,
    crest: f32,
    hills: f32,
}

fn seed(what: u32) -> u32 {
    scramble(WORLD_SEED.wrapping_mul(31).wrapping_add(what))
}

fn crust(p: Vec3) -> Crust {
    let q = p.scaled(1.7);
    let warp = Vec3 { x: fbm(q, 3, seed(1)), y: fbm(q, 3, seed(2)), z: fbm(q, 3, seed(3)) };
    let warped = p.plus(warp.scaled(0.55));
    let plates = fbm(warped.scaled(1.15), 3, seed(5)).abs();
    let broken = fbm(warped.scaled(4.5), 2, seed(6));
    let belt = 1.0 - smoothstep(0.0, 0.17 + 0.1 * broken, plates);
    let rise = fbm(warped.scaled(1.25), 6, seed(4)) + 0.05 * belt;
    Crust { rise, belt, crest: ridged(warped.scaled(5.5), 5, seed(7)), hills: fbm(p.scaled(9.0), 4, seed(8)) }
}

/// The `rise` above which the wanted share of the sphere lies; rows count by their true area.
fn sea_level(crusts: &[Crust]) -> f32 {
    const BINS: usize = 4096;
    let mut area = vec![0.0_f64; BINS];
    let mut total = 0.0;
    for (row, line) in crusts.chunks(COARSE_WIDTH).enumerate() {
        let weight = f64::from(latitude(row, COARSE_HEIGHT).to_radians().cos());
        for crust in line {
            let bin = ((crust.rise + 1.0) * 0.5 * BINS as f32).clamp(0.0, BINS as f32 - 1.0) as usize;
            area[bin] += weight;
            total += weight;
        }
    }
    let mut left = total * LAND_PERMILLE as f64 / 1000.0;
    for bin in (0..BINS).rev() {
        left -= area[bin];
        if left <= 0.0 {
            return bin as f32 / BINS as f32 * 2.0 - 1.0;
        }
    }
    0.0
}

/// Metres above (or, negative, below) the sea.
fn altitude(crust: &Crust, sea_level: f32) -> f32 {
    let above = crust.rise - sea_level;
    if above >= 0.0 {
        let inland = (above / 0.32).min(1.3);
        let coast = smoothstep(0.0, 0.05, above);
        let plains = 40.0 + 900.0 * inland * inland + 420.0 * inland;
        let mountains = crust.belt * coast * (700.0 + 7_400.0 * crust.crest.powf(1.35));
        let uplands = coast * (1.0 - crust.belt) * (620.0 * crust.crest * inland + 260.0 * crust.hills.max(-0.2));
        (plains + mountains + uplands).max(2.0)
    } else {
        let below = -above;
        let shelf = 180.0 * smoothstep(0.0, 0.035, below);
        let slope = 3_900.0 * smoothstep(0.025, 0.16, below);
        let plain = 1_300.0 * smoothstep(0.1, 0.5, below) + 420.0 * (crust.hills + 0.3) * smoothstep(0.05, 0.2, below);
        let trench = 3_600.0 * crust.belt.powi(3) * smoothstep(0.05, 0.14, below) * (1.0 - smoothstep(0.2, 0.36, below));
        let ridge = 1_700.0 * crust.belt * smoothstep(0.24, 0.4, below) * crust.crest;
        -(shelf + slope + plain + trench - ridge).max(3.0)
    }
}

/// Coarse elevation in metres, still without valleys.
pub(crate) fn raise() -> Vec<f32> {
    let directions = Directions::new(COARSE_WIDTH, COARSE_HEIGHT);
    let mut crusts = vec![Crust::default(); COARSE_LEN];
    fill_rows(&mut crusts, COARSE_WIDTH, |row, out| {
        for (crust_at, p) in out.iter_mut().zip(directions.row(row)) {
            *crust_at = crust(p);
        }
    });
    let level = sea_level(&crusts);
    crusts.iter().map(|crust| altitude(crust, level)).collect()
}

/// Full-size elevation from a coarse one, with what is too small for it added.
pub(crate) fn roughen(coarse: &[f32]) -> Vec<f32> {
    let directions = Directions::new(MAP_WIDTH, MAP_HEIGHT);
    let mut map = vec![0.0; MAP_LEN];
    fill_rows(&mut map, MAP_WIDTH, |row, out| {
        refine_row(coarse, row, out);
        for (metres, p) in out.iter_mut().zip(directions.row(row)) {
            let rough = if *metres > 0.0 { (*metres * 0.16).min(420.0) + 14.0 } else { 60.0 };
            *metres += rough * fbm(p.scaled(70.0), 3, seed(9));
            *metres = metres.clamp(-DEPTH_MAX_M, ALTITUDE_MAX_M);
        }
    });
    map
}
