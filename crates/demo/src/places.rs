//! Where people could live, what stands out on the map, and what it is called.

use serde::Serialize;

use crate::erosion::Rivers;
use crate::grid::{latitude, longitude};
use crate::limits::{LANDMARKS_PER_KIND_MAX, MAP_HEIGHT, MAP_LEN, MAP_WIDTH, TOWN_SPACING_COS, TOWNS_MAX, WORLD_SEED};
use crate::noise::{Vec3, scramble};

const ONSETS: [&str; 22] =
    ["b", "br", "d", "dr", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "sk", "st", "t", "th", "tr", "v", "w", "y"];
const VOWELS: [&str; 10] = ["a", "e", "i", "o", "u", "ae", "ei", "ia", "o", "a"];
const CODAS: [&str; 12] = ["", "", "", "l", "n", "r", "s", "nd", "rn", "th", "m", "v"];
const TOWN_ENDINGS: [&str; 14] = ["", "", "", "", "haven", "mouth", "stad", "by", "wick", "holm", "ford", "a", "is", "or"];

/// Something with a name. Angles in degrees.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub(crate) struct Place {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) latitude: f32,
    pub(crate) longitude: f32,
    /// Metres above sea level of its ground (a sea's depth is negative).
    pub(crate) altitude_m: f32,
}

/// The finished maps that places are chosen from.
pub(crate) struct Terrain<'a> {
    pub(crate) ground: &'a [f32],
    pub(crate) moisture: &'a [f32],
    pub(crate) rivers: &'a Rivers,
}

/// Cells, each with how well it fits.
type Scored = Vec<(f32, usize)>;

/// Draws names; each is given once.
struct Namer {
    state: u32,
    given: std::collections::BTreeSet<String>,
}

impl Namer {
    fn new() -> Self {
        Self { state: scramble(WORLD_SEED ^ 0x6e61_6d65), given: std::collections::BTreeSet::new() }
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        self.state = scramble(self.state.wrapping_add(0x9e37_79b9));
        words[self.state as usize % words.len()]
    }

    fn stem(&mut self, syllables: usize) -> String {
        (0..syllables).map(|_| [self.pick(&ONSETS), self.pick(&VOWELS), self.pick(&CODAS)].concat()).collect()
    }

    /// A name nobody has, with its first letter large; after enough collisions it gets longer.
    fn name(&mut self, endings: &[&str]) -> String {
        for attempt in 0.. {
            let ending = self.pick(endings);
            let stem = self.stem(if ending.len() > 2 { 1 } else { 2 } + attempt / 8);
            let mut name: String = stem[..1].to_uppercase();
            name.push_str(&stem[1..]);
            name.push_str(ending);
            if name.len() <= 11 + attempt && self.given.insert(name.clone()) {
                return name;
            }
        }
        String::new()
    }
}

fn direction(cell: usize) -> Vec3 {
    let (row, column) = (cell / MAP_WIDTH, cell % MAP_WIDTH);
    Vec3::from_degrees(latitude(row, MAP_HEIGHT), longitude(column, MAP_WIDTH))
}

fn place(kind: &'static str, name: String, cell: usize, ground: &[f32]) -> Place {
    let round = |value: f32| (value * 100.0).round() / 100.0;
    Place {
        kind,
        name,
        latitude: round(latitude(cell / MAP_WIDTH, MAP_HEIGHT)),
        longitude: round(longitude(cell % MAP_WIDTH, MAP_WIDTH)),
        altitude_m: ground[cell].round(),
    }
}

/// The best cells first, none nearer to a better one than `spacing_cos`, at most `count`.
fn spread(mut scored: Scored, spacing_cos: f32, count: usize) -> Vec<usize> {
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut chosen: Vec<(usize, Vec3)> = Vec::new();
    for (_, cell) in scored {
        let at = direction(cell);
        if chosen.iter().all(|(_, other)| other.dot(at) < spacing_cos) {
            chosen.push((cell, at));
            if chosen.len() == count {
                break;
            }
        }
    }
    chosen.into_iter().map(|(cell, _)| cell).collect()
}

/// True if there is sea within a few texels.
fn coastal(ground: &[f32], row: usize, column: usize) -> bool {
    (row - 3..=row + 3)
        .step_by(3)
        .any(|y| [MAP_WIDTH - 4, MAP_WIDTH, MAP_WIDTH + 4].iter().any(|x| ground[y * MAP_WIDTH + (column + x) % MAP_WIDTH] <= 0.0))
}

/// True where the mean temperature, as the page computes it, is too low to settle.
fn frozen(latitude: f32, metres: f32) -> bool {
    29.0 - 54.0 * latitude.to_radians().sin().abs().powf(1.9) - metres * 0.0059 < 3.0
}

/// How good a place to live each cell of a thinned grid is.
fn habitability(terrain: &Terrain<'_>) -> Scored {
    let mut scored = Vec::new();
    for row in (8..MAP_HEIGHT - 8).step_by(3) {
        if latitude(row, MAP_HEIGHT).abs() > 61.0 {
            continue;
        }
        for column in (0..MAP_WIDTH).step_by(3) {
            let cell = row * MAP_WIDTH + column;
            let metres = terrain.ground[cell];
            if !(4.0..1_800.0).contains(&metres) || terrain.rivers.lake[cell] {
                continue;
            }
            if frozen(latitude(row, MAP_HEIGHT), metres) {
                continue;
            }
            let mild = 1.0 - (terrain.moisture[cell] - 0.5).abs() * 1.6;
            let river = (terrain.rivers.discharge[cell].max(1.0).log2() / 12.0).min(0.8);
            let harbour = if coastal(terrain.ground, row, column) { 0.5 } else { 0.0 };
            let luck = (scramble(cell as u32 ^ WORLD_SEED) >> 8) as f32 / (1 << 24) as f32;
            scored.push((mild + river + harbour + 0.7 * luck - metres / 2_500.0, cell));
        }
    }
    scored
}

/// Towns, ordered as something would spread over the world: from the one with most others around it outwards, first in
/// wide steps (so that the first visitors do not crowd each other), then filling the gaps.
pub(crate) fn towns(terrain: &Terrain<'_>) -> Vec<Place> {
    let cells = spread(habitability(terrain), TOWN_SPACING_COS, TOWNS_MAX);
    let at: Vec<Vec3> = cells.iter().map(|&cell| direction(cell)).collect();
    let around = |p: Vec3| at.iter().filter(|other| other.dot(p) > 0.6).count();
    let Some(cradle) = at.iter().copied().max_by_key(|&p| around(p)) else {
        return Vec::new();
    };
    let outwards: Vec<(f32, usize)> = cells.iter().zip(&at).map(|(&cell, p)| (p.dot(cradle), cell)).collect();
    let near: Vec<(f32, usize)> = outwards.iter().copied().filter(|(dot, _)| *dot > 0.5).collect();
    let mut ordered: Vec<usize> = Vec::new();
    for (candidates, step_degrees) in [(&near, 15.0_f32), (&near, 9.0), (&near, 5.0), (&outwards, 5.0), (&outwards, 0.0)] {
        let taken = std::mem::take(&mut ordered);
        // Those already taken go first and so keep their places; the dot product sorts the rest from the cradle outwards.
        let first = taken.iter().enumerate().map(|(rank, &cell)| (1e3 - rank as f32, cell));
        let rest = candidates.iter().copied().filter(|(_, cell)| !taken.contains(cell));
        ordered = spread(first.chain(rest).collect(), step_degrees.to_radians().cos().max(-1.0) + f32::EPSILON, TOWNS_MAX);
    }
    let mut namer = Namer::new();
    ordered.into_iter().map(|cell| place("town", namer.name(&TOWN_ENDINGS), cell, terrain.ground)).collect()
}

/// Peaks, lakes, the mouths of the great rivers and the deepest seas.
pub(crate) fn landmarks(terrain: &Terrain<'_>) -> Vec<Place> {
    let ground = terrain.ground;
    let land = |cell: &usize| ground[*cell] > 0.0;
    let temperate = |cell: &usize| latitude(cell / MAP_WIDTH, MAP_HEIGHT).abs() < 70.0;
    let all = || (MAP_WIDTH * 8..MAP_LEN - MAP_WIDTH * 8).filter(temperate);
    let peaks = all().filter(|&cell| ground[cell] > 2_500.0).map(|cell| (ground[cell], cell)).collect();
    let deeps = all().filter(|&cell| ground[cell] < -6_000.0).map(|cell| (-ground[cell], cell)).collect();
    let mouths = all()
        .filter(|cell| !land(cell) && terrain.rivers.discharge[*cell] > 300.0)
        .map(|cell| (terrain.rivers.discharge[cell], cell))
        .collect();
    let lakes = all()
        .filter(|&cell| terrain.rivers.lake[cell] && terrain.rivers.lake[cell + 2] && terrain.rivers.lake[cell + MAP_WIDTH * 2])
        .map(|cell| (terrain.rivers.discharge[cell], cell))
        .collect();
    let mut namer = Namer::new();
    let mut found = Vec::new();
    let groups: [(&'static str, Scored, &str, &str); 4] =
        [("peak", peaks, "Mount ", ""), ("deep", deeps, "", " Deep"), ("mouth", mouths, "", " River"), ("lake", lakes, "Lake ", "")];
    for (kind, scored, before, after) in groups {
        for cell in spread(scored, 0.99, LANDMARKS_PER_KIND_MAX) {
            let name = [before, &namer.name(&["", "a", "or", "en"]), after].concat();
            found.push(place(kind, name, cell, ground));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_given_twice() {
        let mut namer = Namer::new();
        let names: Vec<String> = (0..600).map(|_| namer.name(&TOWN_ENDINGS)).collect();
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 600);
        assert!(names.iter().all(|name| name.len() >= 3 && name.len() < 24), "{names:?}");
    }

    #[test]
    fn chosen_places_keep_their_distance_and_the_best_is_first() {
        let scored = vec![(0.1, 500 * MAP_WIDTH), (0.9, 500 * MAP_WIDTH + 1), (0.5, 500 * MAP_WIDTH + 400)];
        assert_eq!(spread(scored, 0.99, 9), [500 * MAP_WIDTH + 1, 500 * MAP_WIDTH + 400]);
    }
}
