/** Every maximum and deadline of the browser's I/O, with its unit and where the number comes from. */

/**
 * Longest wait for a first candidate of every connection before the answers leave. Both engines have one after 3-20 ms (PLATFORM section 3),
 * on a busy machine after 100-150; without any, nothing connects where only one side can resolve the other's mDNS name (measured, Firefox
 * seeder and Chromium leecher).
 */
export const ANSWER_GATHER_MS = 200;

/** Longest gathering of a ready-made offer; Chromium needs 120-133 ms to say "complete" (PLATFORM section 3). */
export const OFFER_GATHER_MS = 300;

/** Wait for the manifest from a peer before the origin is asked for it. The same deadline as a first open. */
export const MANIFEST_WAIT_MS = 350;

/** The progress line appears after this (issue 2, item 5): a faster deploy shows none. */
export const PROGRESS_AFTER_MS = 300;

/** Without any new piece for this long the plain page is loaded instead. */
export const STALL_MS = 10_000;

/** Longest storing of what was downloaded, in milliseconds: 1 GiB at 20 MB/s, a slow disk. */
export const STORE_WAIT_MS = 60_000;

/** How often a stalled loader looks whether the origin lives again before it navigates. */
export const ORIGIN_PROBE_MS = 1_000;

/** Wait for the service worker to become active and to answer; registering takes 42 ms (PLATFORM section 7). */
export const WORKER_WAIT_MS = 3_000;

/** Bytes of messages one peer may have waiting for the manifest or for a digest: a push plan and half of it again. */
export const INBOX_BYTES_MAX = 12 * 1024 * 1024;

/** A connection without a frame for this long is closed; its slot is of use to somebody else. */
export const IDLE_MS = 60_000;

/** Connections one seeding page keeps open at most, whatever the tracker allows. */
export const LINKS_MAX = 24;

/** Piece bytes queued in one channel before the next piece is read: 64 KiB/256 KiB is as fast as any (PLATFORM section 6). */
export const CHANNEL_LOW_BYTES = 64 * 1024;

/** Bytes of compressed pieces kept, so that ten leechers cost one compression. */
export const COMPRESSED_BYTES_MAX = 4 * 1024 * 1024;

/** Smallest asset outside the boot set that is worth a peer's while, in bytes; below it the round trip costs more. */
export const LATER_ASSET_LEN_MIN = 64 * 1024;

/** Assets outside the boot set that one page seeds, so that a page that streams for days keeps bounded memory. */
export const LATER_ASSETS_MAX = 64;

/** Bytes of assets one page keeps for others, in total. */
export const HELD_BYTES_MAX = 512 * 1024 * 1024;

/** The service worker waits this long for the page's first word on an asset before it asks the network. */
export const ASK_FIRST_MS = 300;

/** The service worker waits this long for the asset itself once the page said that it comes. */
export const ASK_WHOLE_MS = 20_000;

/** Changes are told to the page, and counts to the tracker, at most this often. */
export const TELL_MS = 100;

/** Counts go to the tracker at most this often while bytes flow. */
export const COUNTS_MS = 1_000;

/** Manifests whose assets stay in the store: the pages of one visit and their previous versions. */
export const MANIFESTS_KEPT = 8;


/** Clients the worker remembers as none of its business; then it looks again. */
export const CLIENTS_PASSED_MAX = 256;

/** Leechers one page is willing to serve at once; the tracker may say less. */
export const SLOTS = 8;

/** A connection that was answered but did not open within this is given up. */
export const DIAL_GIVEN_UP_MS = 20_000;

/** How often connections are looked over for idle ones while there are any. */
export const LOOK_OVER_MS = 10_000;

/** Assets that the page loads in a row are asked about in one request. */
export const RECORD_DELAY_MS = 500;

/** Looking for a first peer for a later asset may take so long; the worker waits 300 ms for all. */
export const SEEK_MS = 200;

/** Paths of which the page remembers what the origin said. */
export const RECORDS_MAX = 1024;

/** How often the loader looks how far it is. */
export const WATCH_MS = 100;

/** Bytes of an asset read at once for sending; pieces that begin in it are whole in it, so the largest piece is read beyond. */
export const SEGMENT_LEN = 1024 * 1024;

/** Bytes of such segments kept: a dozen leechers at different places of an asset. */
export const SEGMENTS_BYTES_MAX = 16 * 1024 * 1024;
