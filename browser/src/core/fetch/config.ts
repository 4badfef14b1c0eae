/** Every number of the fetch engine's policy, with its unit and origin. Same values as `crates/swarm/src/fetch/config.rs`. */

import { PIECES_PER_REQUEST_MAX, QUERY_IDS_MAX as IDS_MAX, WANT_IDS_MAX } from '../limits';

/** Bytes in flight with a peer of unknown speed: 8 pieces of 32 KiB, 52 ms at 40 Mbit/s. */
export const WINDOW_LEN_START = 262144;
/** A slow peer still gets this many bytes at once, so that a round trip of 500 ms leaves 1 Mbit/s. */
export const WINDOW_LEN_MIN = 65536;
/** No peer gets more: 20 MB/s at 100 ms. */
export const WINDOW_LEN_MAX = 2097152;
/** The window is what a peer delivers in this time: longer than the round trip, or it could never grow. */
export const WINDOW_MS = 400;
/** A peer's rate is measured over at least this long. */
export const EPOCH_MS = 100;
/** Pieces in flight with one peer: one `want` frame. */
export const FLIGHT_IDS_MAX = WANT_IDS_MAX;
/** A peer without progress for this long, or for twice its usual gap, is overdue: under SCTP's first retransmission of 400 ms plus slack. */
export const OVERDUE_MS = 400;
/** A peer with pieces in flight and without progress for this long, or for thrice its usual gap, is dropped. SCTP may send again only after a second (RFC 9260, RTO.Min). */
export const TIMEOUT_MS = 1500;
/** The latest that it is dropped: three seconds are longer than a person waits for nothing. */
export const TIMEOUT_MS_MAX = 3000;
/** So long after a dial the peer is overdue: what it announced is hedged, within the budget. Twice the slowest open measured on a path of 52 ms. */
export const DIAL_MS = 350;
/** So much later the origin stands in for all that no open peer has. A busy machine was measured to open in up to a second. */
export const OPEN_MS = 850;
/** So long a peer may take to say what it holds before the origin stands in for it. */
export const GRACE_MS = 350;
/** Requests to the origin at the same time: under a browser's six HTTP/1.1 connections for one host. */
export const ORIGIN_REQUESTS_MAX = 4;
/** Pieces in one of them. */
export const ORIGIN_IDS_MAX = PIECES_PER_REQUEST_MAX;
/** Ids in one `query`. */
export const QUERY_IDS_MAX = IDS_MAX;
/** Share of all bytes that may be asked of the origin while a live peer is overdue with them, in percent. */
export const HEDGE_PERCENT = 25;
/** Bytes that may be hedged on top of the share, so that a small app can be hedged at all. */
export const HEDGE_LEN_EXTRA = 262144;
/** In the end game pieces are asked again only of a source that needs longer than this for what it owes. */
export const END_GAME_MS = 100;
/**
 * When all peers together need longer than this for what is wanted, and had this long to show it, the origin helps: a page that takes longer than
 * 2.5 s to show what matters counts as slow (web.dev, LCP), and the rest of that is the dial and the origin's own time.
 */
export const HELP_AFTER_MS = 1500;
/** Peers that together deliver this many bytes per second need no help: 6 Mbit/s carry a film, and an app of 10 MB in 14 s. */
export const HELP_RATE = 750000;
/** Pieces asked of the origin at a time to help, until it gave more than all peers: 128 KiB, half a second of 2 Mbit/s, which many may share. */
export const HELP_IDS = 4;
/** A peer below this rate, in bytes per second, is dropped while the origin answers: a quarter of a megabit. */
export const SLOW_RATE = 32768;
/** But not before it was measured for this long. */
export const SLOW_MS = 2000;
/** {@link OVERDUE_MS} in a crowd: eight leechers share 2 Mbit/s, so a piece of 32 KiB comes once a second. */
export const CROWD_OVERDUE_MS = 3000;
/** {@link TIMEOUT_MS} in a crowd. */
export const CROWD_TIMEOUT_MS = 10000;
/** A crowd from which nothing at all came for this long gives nothing now: the origin stands in, more and more until somebody gives again. */
export const LEASE_STALL_MS = 8000;
/**
 * The same once the tracker has nothing to grant: no lease will bring what is missing, and whoever holds it may have no uplink. Longer than
 * {@link LEASE_RETRY_MS}, so that what somebody left behind is granted first.
 */
export const LEASE_STALL_LAST_MS = 4000;
/** One of a crowd that was told that everything is under way asks again after this: somebody may have left. */
export const LEASE_RETRY_MS = 3000;
/** One of a crowd says this seldom what it has of its lease and asks for more: 12 times a second, where the tracker takes 16 messages of all kinds. */
export const LEASE_ASK_MS = 80;
/** After a refusal a peer is left alone for this long, doubled each time. */
export const PAUSE_MS = 250;
/** Longest pause after a refusal. */
export const PAUSE_MS_MAX = 4000;
/** After a failure the origin is left alone for this long, doubled each time, less a random part of up to half. */
export const RETRY_MS = 250;
/** Longest pause after a failure of the origin. */
export const RETRY_MS_MAX = 8000;
/** Peers at the same time; dials beyond are ignored. A browser page holds at most 500 connections for everything. */
export const PEERS_MAX = 64;
/** Peers remembered as banned. */
export const BANNED_MAX = 1024;
/** Pieces ever added; more are ignored. 4 GiB in pieces of 16 KiB. */
export const PIECES_MAX = 262144;

/** What may differ between two engines. */
export interface FetchConfig {
  /** Seed of the jitter: 32 bits. */
  readonly seed: number;
}
