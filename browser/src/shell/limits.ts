/**
 * Every maximum and deadline of the browser's I/O, with its unit and where the number comes from. What a native peer has, too, is in
 * `core/generated/*Policy.ts`, made from the Rust constants.
 */

/**
 * Longest wait for a first candidate of every connection before the answers leave. Both engines have one after 3-20 ms (PLATFORM section 3),
 * on a busy machine after 100-150; without any, nothing connects where only one side can resolve the other's mDNS name (measured, Firefox
 * seeder and Chromium leecher).
 */
export const ANSWER_GATHER_MS = 200;

/** Longest gathering of a ready-made offer; Chromium needs 120-133 ms to say "complete" (PLATFORM section 3). */
export const OFFER_GATHER_MS = 300;

/** The same of one that asks the server how the world sees it: a round trip, and the question once more if it was lost (RFC 8489 section 6.2.1). Nobody waits for such an offer. */
export const FAR_GATHER_MS = 1_500;

/** The progress line appears after this: a faster deploy shows none. */
export const PROGRESS_AFTER_MS = 300;

/** Without any new piece for this long the plain page is loaded instead. */
export const STALL_MS = 10_000;

/** The same in a crowd, in milliseconds: what everybody waits for comes over the origin's line one piece after the other, and a hundred share it. */
export const CROWD_STALL_MS = 30_000;

/**
 * How long the script of a crowd may take to come, in milliseconds, before a visitor takes everything from the origin alone: twice what the scripts of a hundred, 28 KB each, take on one line of 2 Mbit/s. Who gives up
 * sooner takes a whole copy over that line, and then others give up, too (measured, 24 on 1 Mbit/s: four did after 8 s, 4.6 copies in all).
 */
export const CROWD_SCRIPT_WAIT_MS = 20_000;

/** Longest storing of what was downloaded, in milliseconds: 1 GiB at 20 MB/s, a slow disk. */
export const STORE_WAIT_MS = 60_000;

/** How long the manifest of a page that is shown already may take to come; it comes from peers or the origin, like that of a thin visit. */
export const BESIDE_WAIT_MS = 10_000;

/** Wait for the service worker to become active and to answer; registering takes 42 ms (PLATFORM section 7). */
export const WORKER_WAIT_MS = 3_000;

/** Wait for a word of ours from the site's own worker, in milliseconds: the browser may have to start it. */
export const INSIDE_WAIT_MS = 1_000;

/**
 * Connections one seeding page keeps open at most, whatever the tracker allows. Fewer than the 64 of a native peer (`LINKS_MAX` there): each costs
 * 150 KiB while idle (PLATFORM section 2), beside the page's app.
 */
export const LINKS_MAX = 24;

/** Bytes of compressed pieces kept, so that ten leechers cost one compression. */
export const COMPRESSED_BYTES_MAX = 4 * 1024 * 1024;

/** Smallest asset outside the page's manifest that a page of a full answer holds for others, in bytes: below it the origin gives no record. */
export const ON_DEMAND_ASSET_LEN_MIN = 16 * 1024;

/** Assets outside the manifest that such a page holds, so that a page that streams for days keeps bounded memory. */
export const ON_DEMAND_ASSETS_MAX = 256;

/** Bytes of assets one page keeps for others, in total. */
export const HELD_BYTES_MAX = 512 * 1024 * 1024;

/** The service worker waits this long for the page's first word on an asset of its manifest; the page may run the app's script meanwhile. Then the network. */
export const ASK_FIRST_MS = 1_000;

/** The same where a crowd shares one line, over which the network's answer is the whole asset once more. */
export const ASK_PATIENT_MS = 8_000;

/** The same for a path that is not in the manifest, of which the page may know nothing. */
export const ASK_UNKNOWN_MS = 300;

/** A page that said that an asset comes says more within this, and the next piece follows within this; then the network gives the rest. */
export const ASK_SILENCE_MS = 5_000;

/** Buffers that a page sends ahead of what is read: 2 MiB in pieces of 64 KiB; 8 to 32 are fastest (PLATFORM section 16). */
export const CREDITS = 16;

/** Answers that one page gives at a time; the network gives the others. Six connections of HTTP/1.1 for each of some workers. */
export const ASKS_MAX = 64;

/** A page that answers tells its worker so this often: Firefox stops a worker 30 s after its last event (PLATFORM section 16). */
export const PING_MS = 10_000;

/** Bytes asked of peers ahead of the reader of an answer: 20 MB/s at a round trip of 100 ms, and all that is wasted if the reader stops. */
export const AHEAD_BYTES = 2 * 1024 * 1024;

/** An answer that waits behind others says so this often while anything arrives. */
export const BEAT_MS = 1_000;

/** Longest answer, in milliseconds; a worker that was ended never says that one is over. */
export const ANSWER_MS_MAX = 3_600_000;

/** Bytes of verified pieces in memory of assets that are not whole, beyond which parts of files outside the page set come from the network. */
export const LOOSE_BYTES_MAX = 128 * 1024 * 1024;

/** Longest wait of a page that comes whole for its manifest, to find what it shares with others. */
export const SHARE_WAIT_MS = 500;

/** Longest wait for what peers say they hold, and how often that is looked at: a query has 350 ms (`GRACE_MS` of the engine). */
export const SUPPLY_WAIT_MS = 400;
export const SUPPLY_STEP_MS = 20;

/** The same while no connection is open: an app that runs already had the time in which most open. */
export const SUPPLY_DIAL_WAIT_MS = 200;

/** Longest asset from the network of which the page takes a copy to pass it on. */
export const KEEP_BYTES_MAX = 64 * 1024 * 1024;

/** From when a body is closed until its last bytes left the worker, in milliseconds: Firefox keeps some 200 KB on the way, and drops them where the worker ends (measured). */
export const DRAIN_MS = 3_000;

/** Longest that an answer under way keeps another worker from taking ours' place, in milliseconds: Chromium ends a worker whose event lasts five minutes. */
export const HOLD_MS = 120_000;

/** A look-up in the store may take so long, then it counts as not stored. Cache Storage that never settles is known from the field (PLATFORM section 14). */
export const STORE_ANSWER_MS = 2_000;

/** And the store is not asked again for this long. */
export const STORE_SILENT_MS = 10_000;

/** A page whose document came less than this ago gets assets of that version, even if a script reads past the caches: so does the origin, for 120 s. */
export const PINNED_MS = 100_000;

/** Longest storing of the critical ring before the page is put in place all the same; the page answers what is not stored. */
export const STORE_DEPLOY_MS = 300;

/** Changes are told to the page at most this often. */
export const STATUS_MS = 100;

/** Manifests whose assets stay in the store: the pages of one visit and their previous versions. */
export const MANIFESTS_KEPT = 8;

/** Clients the worker remembers as none of its business; then it looks again. */
export const CLIENTS_PASSED_MAX = 256;

/** Pages of which the worker remembers what was answered, and paths of each. A report names 1,024 at most. */
export const USED_PAGES_MAX = 64;
export const USED_PATHS_MAX = 1024;

/** Paths that are asked for in a row go to the origin in one request. */
export const RECORD_DELAY_MS = 5;

/**
 * A page that came whole takes part after twice this, and later while it still loads something new in such a period. A lone visitor of DuckDB's 36 MB had its result 0.2 s later
 * before it waited (measured).
 */
export const START_QUIET_MS = 500;

/** But not much later than this: some pages never stop loading, and others may want this copy. */
export const START_WAIT_MS = 1_500;

/** What a full page used in a row is looked up together, after this. */
export const GATHER_DELAY_MS = 500;

/** A page that begins to seed waits this long for the look at what it used; the look goes on. */
export const GATHER_WAIT_MS = 1_500;

/** Assets looked up in the browser's cache at the same time. */
export const LOOK_UPS = 6;

/** Assets of one page that are looked for in the browser's cache, over its whole life. */
export const USES_MAX = 4096;

/** So often an asset is looked for in the browser's cache; each miss shows in Chromium's console. */
export const LOOK_UPS_MAX = 4;

/** A page reports what it used when it used nothing new for this long. */
export const REPORT_QUIET_MS = 1_000;

/** A manifest that the origin has not given by then is asked for anew: the longest one takes a line of 1 Mbit/s 34 s. */
export const MANIFEST_MS = 60_000;

/**
 * Wait before a manifest that the origin did not give is asked for again; doubled each time. Longer than `ORIGIN_PROBE_MS`, the wait of whoever runs the app from it: a page
 * that runs needs it for others only.
 */
export const FOLLOW_MS = 10_000;

/** Paths of which a page remembers what the origin said. */
export const RECORDS_MAX = 4096;

/** How often the loader looks how far it is. */
export const WATCH_MS = 100;

/** Bytes of an asset read at once for sending; pieces that begin in it are whole in it, so the largest piece is read beyond. */
export const SEGMENT_LEN = 1024 * 1024;

/** Bytes of such segments kept: a dozen leechers at different places of an asset. */
export const SEGMENTS_BYTES_MAX = 16 * 1024 * 1024;
