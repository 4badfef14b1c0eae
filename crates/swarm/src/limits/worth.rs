//! Limits of what tells whether it pays.

/// Trials of thin answers, one for each page and engine. Each is 30 KiB at most.
pub const WORTH_TRIALS_MAX: usize = 256;

/// Visits of one kind that a trial remembers: enough to tell the slowest twentieth from chance (`worth::compare`).
pub const WORTH_SAMPLES_MAX: usize = 200;

/// Visits of each kind before anything is concluded. Of fewer the rank test sees only differences that a child would see.
pub const WORTH_SAMPLES_MIN: usize = 30;

/// New visits between two looks at a trial: each look may take chance for a difference.
pub const WORTH_LOOK_VISITS: usize = 10;

/// Thin visits without a bad verdict after which thin answers have proven themselves again.
pub const WORTH_PROVEN_VISITS: usize = 100;

/// Older visits say nothing, in milliseconds: a day, in which lines and crowds go through all that they go through.
pub const WORTH_AGE_MAX_MS: u64 = 86_400_000;

/// How long nobody is answered thin where that did not pay, in milliseconds, and twice as long each time that it does not pay again.
pub const WORTH_WAIT_MS: u64 = 3_600_000;

/// The longest such wait, in milliseconds: an operator who changed something sees it within a day.
pub const WORTH_WAIT_MAX_MS: u64 = 86_400_000;

/// Share of visitors with whom it is tried again, in percent: the others go on to be compared with.
pub const WORTH_AGAIN_PERCENT: u16 = 25;

/// How much slower a thin visit may be and still count as just as fast, in permille of its time.
pub const WORTH_FORGIVEN_PERMILLE: u64 = 50;

/// And in milliseconds, whichever is more: about one frame, which nobody sees.
pub const WORTH_FORGIVEN_MS: u64 = 20;

/// Share of a whole page's bytes that a thin visit saves the server at least, in permille; for less nobody need share.
pub const WORTH_SAVED_PERMILLE: u64 = 100;

/// Visits whose time to app is waited for. 1 MiB with their pages.
pub const TIMED_VISITS_MAX: usize = 8_192;

/// Nobody waits longer for an app, in milliseconds; whoever says so is not believed.
pub const TIMED_AGE_MAX_MS: u64 = 300_000;

/// A page's clock begins before its request comes: names, handshakes and a proxy take this long at most, in milliseconds.
pub const TIMED_BEFORE_MS: u64 = 10_000;

/// How long a visitor is taken to stay of whom nothing is known, in milliseconds: a minute or two is what visits take, and an app is used for longer.
pub const SHADOW_STAY_MS: u64 = 120_000;

/// Pages whose visitors are remembered to tell what would have been. One is 3 KiB at most.
pub const SHADOW_PAGES_MAX: usize = 1_024;

/// Visitors of one of them, the latest.
pub const SHADOW_VISITORS_MAX: usize = 64;
