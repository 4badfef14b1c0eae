//! Every size and bound of the generated world, in one place.

/// Columns of every map: 2,048 over 360 degrees is one texel for each pixel at the middle of a 650-pixel globe.
pub(crate) const MAP_WIDTH: usize = 2048;
/// Rows of every map; half of [`MAP_WIDTH`], as the plate carrée projection asks.
pub(crate) const MAP_HEIGHT: usize = 1024;
/// Texels of one map.
pub(crate) const MAP_LEN: usize = MAP_WIDTH * MAP_HEIGHT;
/// Columns of the coarse grid on which the smooth fields (continents, belts, rain) are computed, then interpolated.
pub(crate) const COARSE_WIDTH: usize = MAP_WIDTH / 2;
/// Rows of the coarse grid.
pub(crate) const COARSE_HEIGHT: usize = MAP_HEIGHT / 2;
/// Texels of the coarse grid.
pub(crate) const COARSE_LEN: usize = COARSE_WIDTH * COARSE_HEIGHT;
/// Worker threads of the generator: the smallest machine we expect to serve from has two cores.
pub(crate) const THREADS: usize = 2;

/// Seed of the one world of the demo; chosen by looking at several.
pub(crate) const WORLD_SEED: u32 = 2026;
/// Share of the surface that is land, in permille; Earth has 290.
pub(crate) const LAND_PERMILLE: usize = 345;
/// Deepest sea that the relief map can say, in metres below sea level.
pub(crate) const DEPTH_MAX_M: f32 = 11_000.0;
/// Highest land that the relief map can say, in metres: what is left of 16 bits at [`RELIEF_STEPS_PER_M`].
pub(crate) const ALTITUDE_MAX_M: f32 = 10_800.0;
/// Steps of the 16-bit relief map for each metre: 3 x (11,000 + 10,800) = 65,400 fits in 16 bits.
pub(crate) const RELIEF_STEPS_PER_M: f32 = 3.0;
/// Rounds of stream erosion; after three the valley networks are connected, each further round costs 0.1 s and shows little.
pub(crate) const EROSION_ROUNDS: usize = 3;

/// Most towns that visitors can be given; more visitors than this share towns.
pub(crate) const TOWNS_MAX: usize = 240;
/// Least distance between two towns, as the cosine of the angle between them (2.6 degrees).
pub(crate) const TOWN_SPACING_COS: f32 = 0.998_97;
/// Most named landmarks of one kind (peaks, lakes, river mouths).
pub(crate) const LANDMARKS_PER_KIND_MAX: usize = 12;
