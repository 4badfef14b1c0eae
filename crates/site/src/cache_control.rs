//! How long browsers may keep something without asking: the two values of `Cache-Control`.

/// For names that change whenever the content does.
pub(super) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// For everything else: kept, but asked about each time.
pub(super) const REVALIDATE: &str = "no-cache";
