//! Rows and columns of plate carrée maps, interpolation between their sizes, and filling them on several threads.

use crate::limits::{COARSE_HEIGHT, COARSE_WIDTH, MAP_HEIGHT, MAP_WIDTH, THREADS};
use crate::noise::Vec3;

/// Latitude of the middle of a row of a map with `height` rows, in degrees; row 0 is the northernmost.
pub(crate) fn latitude(row: usize, height: usize) -> f32 {
    90.0 - 180.0 * (row as f32 + 0.5) / height as f32
}

/// Longitude of the middle of a column of a map with `width` columns, in degrees from -180.
pub(crate) fn longitude(column: usize, width: usize) -> f32 {
    -180.0 + 360.0 * (column as f32 + 0.5) / width as f32
}

/// Directions of all columns on the equator; with a row's latitude they give every direction without trigonometry per texel.
pub(crate) struct Directions {
    columns: Vec<(f32, f32)>,
    height: usize,
}

impl Directions {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let columns = (0..width).map(|column| longitude(column, width).to_radians().sin_cos()).collect();
        Self { columns, height }
    }

    /// Directions of one row, west to east.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = Vec3> + '_ {
        let (y, ring) = latitude(row, self.height).to_radians().sin_cos();
        self.columns.iter().map(move |&(sin, cos)| Vec3 { x: ring * cos, y, z: ring * sin })
    }
}

/// Fills a map row by row on [`THREADS`] threads; `fill` is given the row number and the row, and sees no other row.
pub(crate) fn fill_rows<T: Send>(map: &mut [T], width: usize, fill: impl Fn(usize, &mut [T]) + Sync) {
    let rows = map.len() / width;
    let rows_each = rows.div_ceil(THREADS);
    std::thread::scope(|scope| {
        for (part, band) in map.chunks_mut(rows_each * width).enumerate() {
            let fill = &fill;
            scope.spawn(move || {
                for (offset, row) in band.chunks_mut(width).enumerate() {
                    fill(part * rows_each + offset, row);
                }
            });
        }
    });
}

/// Weights of the four neighbours for a cubic through two of them (Catmull-Rom) at `t` of 0..1.
fn cubic(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t + t2 - 0.5 * t3, 1.0 - 2.5 * t2 + 1.5 * t3, 0.5 * t + 2.0 * t2 - 1.5 * t3, -0.5 * t2 + 0.5 * t3]
}

/// Interpolates one row of the full map from a coarse map, smoothly in both directions.
pub(crate) fn refine_row(coarse: &[f32], row: usize, out: &mut [f32]) {
    let (top, down) = source(row, COARSE_HEIGHT);
    let weights_y = cubic(down);
    let line = |offset: isize| {
        let clamped = (top + offset).clamp(0, COARSE_HEIGHT as isize - 1) as usize;
        &coarse[clamped * COARSE_WIDTH..(clamped + 1) * COARSE_WIDTH]
    };
    let lines = [line(-1), line(0), line(1), line(2)];
    let mut blended = vec![0.0_f32; COARSE_WIDTH];
    for (column, value) in blended.iter_mut().enumerate() {
        *value = lines[0][column] * weights_y[0]
            + lines[1][column] * weights_y[1]
            + lines[2][column] * weights_y[2]
            + lines[3][column] * weights_y[3];
    }
    let wrap = |column: isize| column.rem_euclid(COARSE_WIDTH as isize) as usize;
    for (column, value) in out.iter_mut().enumerate() {
        let (left, across) = source(column, COARSE_WIDTH);
        let weights = cubic(across);
        *value = blended[wrap(left - 1)] * weights[0]
            + blended[wrap(left)] * weights[1]
            + blended[wrap(left + 1)] * weights[2]
            + blended[wrap(left + 2)] * weights[3];
    }
    debug_assert_eq!(out.len(), MAP_WIDTH);
}

/// Coarse index just before the middle of a full-size texel, and how far behind it that middle lies.
fn source(index: usize, coarse: usize) -> (isize, f32) {
    debug_assert!(coarse == COARSE_WIDTH || coarse * 2 == MAP_HEIGHT);
    let at = (index as f32 + 0.5) / 2.0 - 0.5;
    (at.floor() as isize, at - at.floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::COARSE_LEN;

    #[test]
    fn refining_a_constant_map_changes_nothing() {
        let coarse = vec![7.5; COARSE_LEN];
        let mut out = vec![0.0; MAP_WIDTH];
        for row in [0, 1, 511, MAP_HEIGHT - 1] {
            refine_row(&coarse, row, &mut out);
            assert!(out.iter().all(|value| (value - 7.5).abs() < 1e-4));
        }
    }

    #[test]
    fn every_row_is_filled_once_whatever_the_number_of_threads() {
        let mut map = vec![0_usize; 7 * 5];
        fill_rows(&mut map, 5, |row, out| out.iter_mut().for_each(|value| *value += row + 1));
        assert_eq!(map.chunks(5).map(|row| row[0]).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn rows_run_from_north_to_south_and_columns_from_west_to_east() {
        assert!(latitude(0, MAP_HEIGHT) > 89.0 && latitude(MAP_HEIGHT - 1, MAP_HEIGHT) < -89.0);
        assert!(longitude(0, MAP_WIDTH) < -179.0 && longitude(MAP_WIDTH - 1, MAP_WIDTH) > 179.0);
    }
}
