//! Every wait of the harness has its longest time here; a healthy run needs a small part of each.

use std::time::Duration;

/// Until a driver prints its port or answers `/status`.
pub const DRIVER_READY: Duration = Duration::from_secs(30);

/// Until a browser with a fresh profile has its first window.
pub const BROWSER_READY: Duration = Duration::from_secs(60);

/// Until the server prints both of its addresses. It hashes and compresses the whole directory first.
pub const SERVER_READY: Duration = Duration::from_secs(60);

/// Until the server has ended after SIGTERM.
pub const SERVER_GONE: Duration = Duration::from_secs(15);

/// Until one HTTP request to the server is answered.
pub const REPLY: Duration = Duration::from_secs(20);

/// Until one WebDriver command is answered.
pub const COMMAND: Duration = Duration::from_secs(40);

/// Until a condition in a page or in `/stats` holds.
pub const CONDITION: Duration = Duration::from_secs(30);

/// Between two looks at a condition.
pub const POLL_EVERY: Duration = Duration::from_millis(25);

/// A whole journey; beyond it the journey has hung.
pub const JOURNEY: Duration = Duration::from_secs(180);
