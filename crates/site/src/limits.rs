//! Every maximum of serving a site, with its unit and where the number comes from.

use std::time::Duration;

/// Versions of a site that stay readable, the current one included.
///
/// A visitor whose page came from an older version still gets its assets; three deploys within one visit are rare.
pub const VERSIONS_KEPT: usize = 3;

/// How long a version stays readable after a newer one took its place: whoever removed a file wants it gone. The cookie that pins a visit to a version lasts two minutes after
/// its last page, and a page that loads more later finds what did not change in the newer one.
pub(super) const VERSION_KEPT_FOR: Duration = Duration::from_secs(600);

/// Default of `SiteOptions::entries_max`: files and directories of one site. Ten times the largest documentation
/// sites we know; at about 300 B each the tables stay under 30 MB.
pub const ENTRIES_MAX: usize = 500_000;

/// Default of `SiteOptions::memory_len_max`, in bytes: what a small virtual machine can spare.
pub const MEMORY_LEN_MAX: u64 = 128 * 1024 * 1024;

/// Directories below each other. Deeper trees are build accidents; it also ends loops made of bind mounts.
pub(super) const DEPTH_MAX: usize = 64;

/// Largest object or encoded variant held in memory, in bytes; larger ones are read from disk, where the kernel caches them.
pub(super) const MEMORY_OBJECT_LEN_MAX: usize = 2 * 1024 * 1024;

/// Largest HTML file treated as a document, in bytes. Larger ones are data, and rewriting them would hold up the scan.
pub(super) const DOCUMENT_LEN_MAX: u64 = 4 * 1024 * 1024;

/// Largest style sheet whose references are read, in bytes: the same measure as for documents.
pub(super) const STYLE_LEN_MAX: u64 = 4 * 1024 * 1024;

/// Largest script that is searched, in bytes. The largest bundles in use are 20-30 MB.
pub(super) const SCRIPT_LEN_MAX: u64 = 64 * 1024 * 1024;

/// References kept of one document, style sheet or script. Pages that load more before `load` are learned instead.
pub(super) const ASSET_REFERENCES_MAX: usize = 1024;

/// Hashed names kept of one text: an app's list of its own chunks. The largest apps have some thousand; 128 KB of numbers.
pub(super) const MENTIONS_MAX: usize = 16 * 1024;

/// Largest content a compressed file is unpacked to, in bytes, when it is served under its own name: eight times what the largest game builds hold.
pub(super) const UNPACKED_LEN_MAX: u64 = 1024 * 1024 * 1024;

/// Start of a page that is searched for the charset it declares, in bytes: browsers look at 1,024 at least (HTML standard, prescan), some at more.
pub(super) const CHARSET_PRESCAN_LEN: usize = 4096;

/// Bytes of a text that are looked at together when its charset is judged: as many as are read from disk at once.
pub(super) const TEXT_STRETCH_LEN: u64 = READ_CHUNK_LEN as u64;

/// Assets in the answer of `Version::references`: a page manifest with its document
/// (`viral_wire::limits::MANIFEST_ASSETS_MAX`) holds them all.
pub(super) const REFERENCES_MAX: usize = 2048;

/// Text of a title, in bytes; longer ones are cut.
pub(super) const TITLE_LEN_MAX: usize = 512;

/// Content-security policies read from one document, and the bytes of each.
pub(super) const META_CSP_MAX: usize = 8;

/// How often an asset that changes while it is read is read again before it is taken as it is.
pub(super) const READ_ATTEMPTS_MAX: usize = 5;

/// Wait between these attempts.
pub(super) const READ_RETRY: Duration = Duration::from_millis(50);

/// A file changed less than this before it was read may change again within the same time stamp, so that its stamp is
/// not believed at the next scan. Covers file systems with stamps of two seconds (FAT).
pub(super) const STAMP_DOUBT: Duration = Duration::from_millis(2500);

/// Quiet time after a change before the directory is read again: build tools write within it.
#[cfg(feature = "watch")]
pub(super) const QUIET: Duration = Duration::from_millis(250);

/// Longest wait for quiet: a directory that never rests is still read.
pub(super) const QUIET_MAX: Duration = Duration::from_secs(3);

/// How long a deploy waits for a file that is being written, counted from its first change, and how long a writer may be silent before its file is
/// taken as it is. A gigabyte is written to a slow disk in 10 s.
pub(super) const WRITER_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a file that is written without pause keeps its last content: an upload on a slow line ends within, a log that is never closed does not.
#[cfg(feature = "watch")]
pub(super) const WRITING_MAX: Duration = Duration::from_secs(600);

/// Files being written that are remembered: more than a program may have open (`RLIMIT_NOFILE` is 1,024 on most systems).
#[cfg(feature = "watch")]
pub(super) const WRITERS_MAX: usize = 1024;

/// Time given to the system's notices of what happened while the directory was read: the watch hands them on within 1 ms, measured idle.
pub(super) const NOTICE_DELAY: Duration = Duration::from_millis(20);

/// How often the target of the directory is looked up, since no watch reports that a symbolic link above it moved.
pub(super) const ROOT_CHECK: Duration = Duration::from_secs(1);

/// How often the directory is read where the system cannot watch it.
pub(super) const POLL: Duration = Duration::from_secs(5);

/// How often it is read although it is watched: network and shared file systems accept a watch and then say nothing.
#[cfg(feature = "watch")]
pub(super) const POLL_WATCHED: Duration = Duration::from_secs(30);

/// A reading that nothing asked for waits this many times as long as the last one took, so that it costs 2 % of a core at most.
pub(super) const POLL_REST: u32 = 50;

/// Between two progress lines while a long scan goes on.
pub(super) const PROGRESS: Duration = Duration::from_secs(1);

/// Longest `_headers` or `_redirects` that is read, in bytes: more than twice what their rules can fill.
pub(super) const RULES_LEN_MAX: u64 = 4 * 1024 * 1024;

/// Paths in `_headers`, as on Cloudflare Pages (developers.cloudflare.com/pages/configuration/headers).
pub(super) const HEADER_RULES_MAX: usize = 100;

/// Bytes of one line of `_headers`, as on Cloudflare Pages.
pub(super) const HEADER_LINE_LEN_MAX: usize = 2_000;

/// Lines below one path of `_headers`: as many headers as a record has, and as many taken away.
pub(super) const HEADER_LINES_MAX: usize = 2 * viral_wire::limits::RECORD_HEADERS_MAX;

/// Rules of `_redirects` without `*` and `:name`, as on Cloudflare Pages (developers.cloudflare.com/pages/configuration/redirects).
pub(super) const REDIRECTS_STATIC_MAX: usize = 2_000;

/// Rules of `_redirects` with one of them, as on Cloudflare Pages.
pub(super) const REDIRECTS_DYNAMIC_MAX: usize = 100;

/// Bytes of one line of `_redirects`, as on Cloudflare Pages.
pub(super) const REDIRECT_LINE_LEN_MAX: usize = 1_000;

/// Names warned about once each; more are not remembered, and not logged.
pub(super) const WARNED_MAX: usize = 256;

/// Earliest time of a file that is told as its date, in seconds since 1970: the year 1991, when the first web pages were made. Tools that pack files
/// write 0, 1, 1980 (zip) or 1985 (npm) where they mean "no date".
pub(super) const DATE_MIN_S: u64 = 662_688_000;

/// Compressed files without their originals of which is remembered, before the site was read, what they hold. Game builds have some ten.
pub(super) const EARLY_PACKED_MAX: usize = 256;

/// Bytes read from disk at once while sending: large enough that the thread hop costs little, small enough for memory.
pub(super) const READ_CHUNK_LEN: usize = 64 * 1024;

/// Bytes read at once when there are so many downloads that [`READ_CHUNK_LEN`] for each would be more than [`READ_CHUNKS_LEN_AIM`].
pub(super) const READ_CHUNK_LEN_MIN: usize = 16 * 1024;

/// What the stretches of all downloads may take together before they get smaller, in bytes: 2,048 downloads at full size. With as many as there can be connections it is 512 MiB.
pub(super) const READ_CHUNKS_LEN_AIM: usize = 128 * 1024 * 1024;

/// Least length that is worth a content coding, in bytes: below, the coding's own head eats the gain.
pub(super) const ENCODE_LEN_MIN: u64 = 256;

/// Largest object that gets a content coding, in bytes; larger ones would keep a core busy for minutes.
pub(super) const ENCODE_LEN_MAX: u64 = 256 * 1024 * 1024;

/// Largest object whose first visitor waits for a quick content coding, in bytes: about 80 ms at 400 MB/s, in which a line of 100 Mbit/s carries
/// 1 MB. The WebAssembly of large apps is 10 to 30 MB and shrinks to a third.
pub(super) const QUICK_LEN_MAX: u64 = 32 * 1024 * 1024;

/// A coded body is kept when it is at most this many thousandths of the original.
pub(super) const ENCODED_PERMILLE_MAX: u64 = 950;

/// Ranges answered in one response; a request for more gets the whole asset (RFC 9110 section 14.2 and 17.15).
pub(super) const RANGES_MAX: usize = 16;

/// Longest content of a `<meta name=viewport>` that a thin answer repeats, in bytes: it must fit the first round trip.
pub(super) const VIEWPORT_LEN_MAX: usize = 256;

/// Longest colour that is taken from a site's styles, in bytes: `oklch(62.35% 0.1234 123.45deg / 100%)` has 37.
pub(super) const COLOR_LEN_MAX: usize = 48;

/// Longest name of a CSS variable that is followed, in bytes.
pub(super) const VARIABLE_NAME_LEN_MAX: usize = 64;

/// Declarations of a style sheet that may tell how a page looks at first; large design systems have some hundred variables.
pub(super) const SHEET_DECLARATIONS_MAX: usize = 1_024;

/// Rules of a style sheet are looked for in so many blocks around them.
pub(super) const SHEET_DEPTH_MAX: usize = 8;

/// Longest `<style>` that is read, in bytes.
pub(super) const STYLE_TEXT_LEN_MAX: usize = 1 << 20;

/// Style sheets and `style` attributes of one document that may tell how it looks at first.
pub(super) const SHEETS_MAX: usize = 32;

/// `<meta name=theme-color>` elements that a thin answer repeats: one for each preference.
pub(super) const THEME_COLORS_MAX: usize = 2;

/// Documents that one document offers for saving (`<a download>`); more are not remembered.
pub(super) const DOWNLOADS_MAX: usize = 256;

/// Wait before the thorough content coding of an object begins, so that it does not take a core from the very page load
/// that asked for it.
pub(super) const THOROUGH_DELAY: Duration = Duration::from_millis(1500);

/// Most memory that putting markup into a document while it streams by may take, in bytes: a tag, with its attributes, that is longer is passed on unread.
pub(super) const INSERTION_MEMORY_MAX: usize = 64 << 10;

/// Bytes of a document that are read at once to find where markup goes. Most heads end within one or two such parts.
pub(super) const INSERTION_READ_LEN: usize = 1 << 10;

/// Records in one stretch of the listing, in bytes of its manifest: a quarter of what a manifest may have, so that a slow line shows progress.
pub const LISTING_LEN_MAX: usize = 1024 * 1024;

/// Records in one stretch of the listing: a quarter of what a manifest may have.
pub const LISTING_ASSETS_MAX: usize = 1024;
