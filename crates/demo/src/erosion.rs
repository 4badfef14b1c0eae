//! Running water: where it flows, how much of it, the valleys it cuts and the lakes it fills.

use crate::grid::latitude;
use crate::limits::{ALTITUDE_MAX_M, EROSION_ROUNDS};

/// Priority steps for each metre of altitude in the flood's bucket queue.
const BUCKETS_PER_M: f32 = 4.0;
/// Length of the equator in metres; the world is as large as Earth.
const EQUATOR_M: f32 = 40_075_000.0;
/// Marks the end of a bucket's list and a cell without a receiver.
const NONE: u32 = u32::MAX;
/// How much water must stand on a hollow until it counts as a lake, in metres.
const LAKE_DEPTH_M: f32 = 22.0;
/// Rain, 0..1, below which hollows stay dry.
const LAKE_RAIN: f32 = 0.16;

/// Where the water of every land cell goes.
pub(crate) struct Drainage {
    /// Land cells, each after the cell it drains into.
    order: Vec<u32>,
    /// The neighbour that each cell drains into; unset for sea.
    receiver: Vec<u32>,
    /// Height of the water's surface, in metres: above the ground in hollows.
    level: Vec<f32>,
}

/// What the finished rivers look like.
pub(crate) struct Rivers {
    /// Water passing through each texel: rain on the land upstream, in texels of mean rain.
    pub(crate) discharge: Vec<f32>,
    /// True where a lake stands.
    pub(crate) lake: Vec<bool>,
}

/// The shape of a map and the true widths of its texels.
pub(crate) struct Lattice {
    width: usize,
    height: usize,
    /// Height of a texel, and its width at the equator, in metres.
    texel_m: f32,
    /// Width of the texels of each row, in metres; near the poles bounded, for the sake of the slopes.
    across_m: Vec<f32>,
}

impl Lattice {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let texel_m = EQUATOR_M / width as f32;
        let across = |row| texel_m * latitude(row, height).to_radians().cos().max(0.15);
        Self { width, height, texel_m, across_m: (0..height).map(across).collect() }
    }

    fn len(&self) -> usize {
        self.width * self.height
    }

    fn across_m(&self, cell: u32) -> f32 {
        self.across_m[cell as usize / self.width]
    }

    /// Visits the eight neighbours of a cell, saying whether they lie in another column and in another row; columns wrap, rows end.
    #[inline]
    fn neighbours(&self, cell: u32, mut visit: impl FnMut(u32, bool, bool)) {
        let (row, column) = (cell as usize / self.width, cell as usize % self.width);
        let west = if column == 0 { self.width - 1 } else { column - 1 };
        let east = if column + 1 == self.width { 0 } else { column + 1 };
        for (exists, line, vertical) in [(true, row, false), (row > 0, row.wrapping_sub(1), true), (row + 1 < self.height, row + 1, true)] {
            if exists {
                let start = line * self.width;
                visit((start + west) as u32, true, vertical);
                if vertical {
                    visit((start + column) as u32, false, true);
                }
                visit((start + east) as u32, true, vertical);
            }
        }
    }

    /// Metres from a cell of a row `across` metres wide to a neighbour.
    fn distance_m(&self, across: f32, sideways: bool, vertical: bool) -> f32 {
        match (sideways, vertical) {
            (true, true) => (across * across + self.texel_m * self.texel_m).sqrt(),
            (true, false) => across,
            (false, _) => self.texel_m,
        }
    }
}

/// Lists of cells by height, emptied from the lowest upwards.
struct Buckets {
    head: Vec<u32>,
    next: Vec<u32>,
    lowest: usize,
}

impl Buckets {
    fn new(cells: usize) -> Self {
        let len = (ALTITUDE_MAX_M * BUCKETS_PER_M) as usize + 2;
        Self { head: vec![NONE; len], next: vec![NONE; cells], lowest: 0 }
    }

    fn push(&mut self, cell: u32, level: f32) {
        let bucket = ((level.max(0.0) * BUCKETS_PER_M) as usize).min(self.head.len() - 1).max(self.lowest);
        self.next[cell as usize] = self.head[bucket];
        self.head[bucket] = cell;
    }

    fn pop(&mut self) -> Option<u32> {
        while self.lowest < self.head.len() {
            let cell = self.head[self.lowest];
            if cell != NONE {
                self.head[self.lowest] = self.next[cell as usize];
                return Some(cell);
            }
            self.lowest += 1;
        }
        None
    }
}

/// Floods the land from the sea upwards (priority flood, Barnes 2014), then lets every cell drain down the steepest slope.
fn drain(lattice: &Lattice, ground: &[f32]) -> Drainage {
    let mut buckets = Buckets::new(lattice.len());
    let mut level = ground.to_vec();
    let mut receiver = vec![NONE; lattice.len()];
    let mut rank = vec![0; lattice.len()];
    let mut order = Vec::with_capacity(lattice.len() / 2);
    for cell in 0..lattice.len() as u32 {
        let mut coast = false;
        if ground[cell as usize] <= 0.0 {
            lattice.neighbours(cell, |other, _, _| coast |= ground[other as usize] > 0.0);
        }
        if coast {
            buckets.push(cell, 0.0);
        }
    }
    while let Some(cell) = buckets.pop() {
        let here = level[cell as usize].max(0.0);
        if ground[cell as usize] > 0.0 {
            order.push(cell);
            rank[cell as usize] = order.len() as u32;
        }
        lattice.neighbours(cell, |other, _, _| {
            let at = other as usize;
            if receiver[at] == NONE && ground[at] > 0.0 {
                receiver[at] = cell;
                level[at] = ground[at].max(here + 0.01);
                buckets.push(other, level[at]);
            }
        });
    }
    steepen(lattice, &level, &rank, &mut receiver);
    Drainage { order, receiver, level }
}

/// Gives each land cell the steepest of those neighbours that the flood reached before it (`rank`; sea has rank 0).
fn steepen(lattice: &Lattice, level: &[f32], rank: &[u32], receiver: &mut [u32]) {
    for at in (0..lattice.len()).filter(|&at| rank[at] != 0) {
        let across = lattice.across_m(at as u32);
        let mut steepest = 0.0;
        lattice.neighbours(at as u32, |other, sideways, vertical| {
            let to = other as usize;
            let slope = (level[at] - level[to].max(0.0)) / lattice.distance_m(across, sideways, vertical);
            if slope > steepest && rank[to] < rank[at] {
                steepest = slope;
                receiver[at] = other;
            }
        });
    }
}

/// Water of everything upstream, for each cell, in texels (at the equator) of mean rain; `rain` is 0..1 per texel.
fn gather(lattice: &Lattice, drainage: &Drainage, rain: &[f32]) -> Vec<f32> {
    let mut discharge = vec![0.0; lattice.len()];
    for &cell in drainage.order.iter().rev() {
        let at = cell as usize;
        discharge[at] += lattice.across_m(cell) / lattice.texel_m * (0.08 + 2.0 * rain[at]);
        let to = drainage.receiver[at];
        if to != NONE {
            discharge[to as usize] += discharge[at];
        }
    }
    discharge
}

/// One round of stream power incision, solved from the mouths upwards (Braun and Willett 2013), so that any step is stable.
fn incise(lattice: &Lattice, ground: &mut [f32], drainage: &Drainage, discharge: &[f32], strength: f32) {
    let width = lattice.width as u32;
    for &cell in &drainage.order {
        let at = cell as usize;
        let to = drainage.receiver[at];
        if to == NONE {
            continue;
        }
        if drainage.level[at] > ground[at] + 1.0 {
            // Rivers fill the hollows they pass with what they carry.
            ground[at] += (drainage.level[at] - ground[at]) * 0.7;
            continue;
        }
        let below = ground[to as usize].max(0.0);
        let (sideways, vertical) = (cell % width != to % width, cell / width != to / width);
        let away_m = lattice.distance_m(lattice.across_m(cell), sideways, vertical);
        let bite = strength * discharge[at].sqrt() * lattice.texel_m / away_m;
        let cut = (ground[at] + bite * below) / (1.0 + bite);
        if cut < ground[at] {
            ground[at] = cut.max(below + 0.5).min(ground[at]);
        }
    }
}

/// Cuts valleys into `ground` (metres) in several rounds.
pub(crate) fn erode(lattice: &Lattice, ground: &mut [f32], rain: &[f32]) {
    for round in 0..EROSION_ROUNDS {
        let drainage = drain(lattice, ground);
        let discharge = gather(lattice, &drainage, rain);
        incise(lattice, ground, &drainage, &discharge, 0.07 / (1.0 + round as f32 * 0.5));
    }
}

/// Finds rivers and lakes, cuts the rivers' beds and raises lakes to their surface.
pub(crate) fn run_rivers(lattice: &Lattice, ground: &mut [f32], rain: &[f32]) -> Rivers {
    let drainage = drain(lattice, ground);
    let discharge = gather(lattice, &drainage, rain);
    let mut lake = vec![false; lattice.len()];
    for &cell in &drainage.order {
        let at = cell as usize;
        lake[at] = drainage.level[at] - ground[at] > LAKE_DEPTH_M && rain[at] > LAKE_RAIN;
    }
    incise(lattice, ground, &drainage, &discharge, 0.04);
    for &cell in drainage.order.iter().filter(|&&cell| lake[cell as usize]) {
        ground[cell as usize] = drainage.level[cell as usize];
    }
    Rivers { discharge, lake }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 256;

    fn lattice() -> Lattice {
        Lattice::new(WIDTH, WIDTH / 2)
    }

    /// One round island with a hollow at its middle.
    fn island() -> Vec<f32> {
        let mut ground = vec![-100.0; WIDTH * WIDTH / 2];
        for row in 32..97 {
            for column in 96..161 {
                let (x, y) = (column as f32 - 128.0, row as f32 - 64.0);
                let away = (x * x + y * y).sqrt();
                ground[row * WIDTH + column] = if away < 6.0 { 300.0 } else { 1000.0 - away * 30.0 };
            }
        }
        ground
    }

    #[test]
    fn all_rain_that_falls_on_land_reaches_the_sea() {
        let (lattice, ground) = (lattice(), island());
        let drainage = drain(&lattice, &ground);
        let discharge = gather(&lattice, &drainage, &vec![0.5; ground.len()]);
        let fell: f32 = drainage.order.iter().map(|&cell| lattice.across_m(cell) / lattice.texel_m * 1.08).sum();
        let arrived: f32 = (0..ground.len()).filter(|&at| ground[at] <= 0.0).map(|at| discharge[at]).sum();
        assert_eq!(drainage.order.len(), ground.iter().filter(|&&metres| metres > 0.0).count());
        assert!((fell - arrived).abs() / fell < 1e-3, "{fell} fell, {arrived} arrived");
    }

    #[test]
    fn water_never_flows_uphill_and_a_hollow_is_filled_to_its_rim() {
        let (lattice, ground) = (lattice(), island());
        let drainage = drain(&lattice, &ground);
        for &cell in &drainage.order {
            let (at, to) = (cell as usize, drainage.receiver[cell as usize] as usize);
            assert!(drainage.level[to] <= drainage.level[at]);
        }
        assert!(drainage.level[64 * WIDTH + 128] > 700.0);
    }

    #[test]
    fn erosion_lowers_the_land_but_never_below_the_sea() {
        let (lattice, before) = (lattice(), island());
        let mut ground = before.clone();
        erode(&lattice, &mut ground, &vec![0.5; before.len()]);
        let lower = ground.iter().zip(&before).filter(|(now, then)| now < then).count();
        assert!(lower > 1000, "{lower}");
        assert!(ground.iter().zip(&before).all(|(now, then)| (*then > 0.0) == (*now > 0.0)));
    }
}
