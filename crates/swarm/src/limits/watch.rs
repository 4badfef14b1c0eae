//! Of what an operator watches: the history, who reaches whom, alerts.

/// How far apart the points of the last hour are, in milliseconds: as far as one sees the difference.
pub const HOUR_STEP_MS: u64 = 15_000;

/// Points of the last hour.
pub const HOUR_POINTS: usize = 240;

/// How far apart the points of the last day are, in milliseconds.
pub const DAY_STEP_MS: u64 = 300_000;

/// Points of the last day.
pub const DAY_POINTS: usize = 288;

/// Times to app that are remembered of each answer: enough for a 95th percentile, 12 KiB.
pub const RECENT_TIMES_MAX: usize = 1_024;

/// How long they are, in milliseconds.
pub const RECENT_TIMES_AGE_MS: u64 = 3_600_000;

/// Networks of which it is known whether their visitors reach anybody. The one that was met longest ago makes room.
pub const REACHED_NETWORKS_MAX: usize = 1_024;

/// How long a count of such a network is, in milliseconds. The one before it counts as well, so that nothing is forgotten at once.
pub const REACHED_WINDOW_MS: u64 = 1_800_000;

/// Introduced visitors below which nothing is said of a network: three in four of five would be chance.
pub const REACHED_VISITS_MIN: u64 = 10;

/// Share of them, in percent, above which it is said: in PLATFORM section 4 every tenth pair of homes does not meet.
pub const UNREACHED_PERCENT: u64 = 25;

/// Networks that alerts name at most, those of most visitors first.
pub const ALERT_NETWORKS_MAX: usize = 3;

/// Visits within the hour below which nothing is said of how they are answered.
pub const ALERT_VISITS_MIN: u64 = 50;

/// Share of a page's bytes that thin visits still took from the origin, in percent, above which it is said.
pub const ALERT_ORIGIN_PERCENT: u64 = 50;

/// Pages of which bytes are counted one by one; of more the one with the fewest is forgotten. With [`COUNTED_ASSETS_MAX`] at most 16 MiB.
pub const COUNTED_PAGES_MAX: usize = 256;

/// Assets of one page that are counted one by one; the bytes of more are counted together. As many as a page set may have.
pub const COUNTED_ASSETS_MAX: usize = 512;

/// Assets named on the statistics page as still taken from the origin: as many as somebody reads.
pub const FROM_ORIGIN_MAX: usize = 16;
