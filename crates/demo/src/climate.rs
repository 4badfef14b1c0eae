//! Rain: winds carry water from warm seas over the land and lose it where they climb.

use crate::grid::{Directions, fill_rows, latitude, refine_row};
use crate::limits::{COARSE_HEIGHT, COARSE_LEN, COARSE_WIDTH, MAP_LEN, MAP_WIDTH, WORLD_SEED};
use crate::noise::{fbm, scramble, smoothstep};

/// Rounds of blending with the rows north and south, which stand for winds that do not blow along parallels.
const BLENDS: usize = 14;

/// Wind along the parallel at a latitude in degrees: trade winds and polar winds blow west (-1), the westerlies east (+1).
fn blows_east(latitude: f32) -> bool {
    (28.0..62.0).contains(&latitude.abs())
}

/// How readily air rises and rains at a latitude: much at the equator and at the storm tracks, little at 25 degrees.
fn ascent(latitude: f32) -> f32 {
    let away = latitude.abs();
    0.25 + 0.75 * (-(away / 11.0).powi(2)).exp() + 0.45 * (-((away - 50.0) / 15.0).powi(2)).exp()
}

/// Rain along one parallel, 0..1; the wind goes round twice so that it does not matter where it starts.
fn rain_row(ground: &[f32], latitude: f32, out: &mut [f32]) {
    let warmth = latitude.to_radians().cos().powf(0.8);
    let rises = ascent(latitude);
    let (mut carried, mut upwind) = (0.5_f32, 0.0_f32);
    for step in 0..COARSE_WIDTH * 2 {
        let along = step % COARSE_WIDTH;
        let column = if blows_east(latitude) { along } else { COARSE_WIDTH - 1 - along };
        let metres = ground[column].max(0.0);
        if ground[column] <= 0.0 {
            carried += (warmth - carried) * 0.05;
            out[column] = (carried * rises).min(1.0);
        } else {
            let climb = (metres - upwind).max(0.0) / 900.0;
            let falls = (carried * (0.016 * rises + climb * 0.16)).min(carried);
            carried = carried - falls + 0.006 * rises * warmth;
            out[column] = (falls * 30.0 + carried * rises * 0.62).min(1.0);
        }
        upwind = metres;
    }
}

/// Spreads rain over the rows north and south, more over more rounds.
fn blend(rain: &mut [f32]) {
    for _ in 0..BLENDS {
        let from = rain.to_vec();
        fill_rows(rain, COARSE_WIDTH, |row, out| {
            let north = row.saturating_sub(1) * COARSE_WIDTH;
            let south = (row + 1).min(COARSE_HEIGHT - 1) * COARSE_WIDTH;
            let here = row * COARSE_WIDTH;
            for (column, value) in out.iter_mut().enumerate() {
                let east = here + (column + 1) % COARSE_WIDTH;
                let west = here + (column + COARSE_WIDTH - 1) % COARSE_WIDTH;
                let around = from[north + column] + from[south + column];
                *value = from[here + column] * 0.4 + around * 0.22 + (from[east] + from[west]) * 0.08;
            }
        });
    }
}

/// Coarse map of moisture, 0..1, for the coarse elevation `ground` in metres.
pub(crate) fn moisture(ground: &[f32]) -> Vec<f32> {
    let mut rain = vec![0.0; COARSE_LEN];
    fill_rows(&mut rain, COARSE_WIDTH, |row, out| {
        rain_row(&ground[row * COARSE_WIDTH..][..COARSE_WIDTH], latitude(row, COARSE_HEIGHT), out);
    });
    blend(&mut rain);
    let directions = Directions::new(COARSE_WIDTH, COARSE_HEIGHT);
    fill_rows(&mut rain, COARSE_WIDTH, |row, out| {
        for (value, p) in out.iter_mut().zip(directions.row(row)) {
            *value += 0.34 * fbm(p.scaled(4.0), 5, scramble(WORLD_SEED ^ 0x51)) + 0.05;
            *value = value.clamp(0.0, 1.0);
        }
    });
    rain
}

/// Full-size map of moisture, 0..1, drier on the full-size heights of `ground`.
pub(crate) fn refine(coarse: &[f32], ground: &[f32]) -> Vec<f32> {
    let mut map = vec![0.0; MAP_LEN];
    fill_rows(&mut map, MAP_WIDTH, |row, out| {
        refine_row(coarse, row, out);
        for (value, metres) in out.iter_mut().zip(&ground[row * MAP_WIDTH..]) {
            *value = (*value - smoothstep(2_500.0, 6_000.0, *metres) * 0.12).clamp(0.0, 1.0);
        }
    });
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lee_of_a_range_is_drier_than_its_windward_side() {
        let mut ground = vec![-10.0; COARSE_WIDTH];
        ground[300..400].fill(200.0);
        ground[340..350].fill(4_000.0);
        let mut out = vec![0.0; COARSE_WIDTH];
        rain_row(&ground, 45.0, &mut out);
        assert!(out[335] > out[355], "{} windward, {} lee", out[335], out[355]);
    }
}
