//! Every maximum of the wire formats, with its unit and where the number comes from.
//!
//! `browser/src/core/limits.ts` repeats the ones a browser needs; `vectors/limits.json` holds both to the same values.

/// First supported and only version of the frames, in `hello`.
pub const FRAME_VERSION: u8 = 1;

/// Version of the thin boot block, so that a cached loader never misreads a newer one.
pub const BOOT_VERSION: u8 = 1;

/// Largest message sent or accepted on a data channel, in bytes.
///
/// Chromium refuses to send more than 262,144 B (PLATFORM section 6, measured).
pub const MESSAGE_LEN_MAX: usize = 256 * 1024;

/// Largest piece, in raw bytes. With its frame head it stays well under [`MESSAGE_LEN_MAX`] (`docs/PROTOCOL.md`, section 3).
pub const PIECE_LEN_MAX: usize = 224 * 1024;

/// Manifests named in one `hello`: the page's own and a few other pages of the site. One digest is 32 B.
pub const HELLO_MANIFESTS_MAX: usize = 16;

/// Ids in one `want`, `cancel` or `refuse`. 256 pieces of 16 KiB are 4 MiB, twice the largest request window.
pub const WANT_IDS_MAX: usize = 256;

/// Ids in one `query` or `have`. 1,024 ids are 16 KiB, one average piece.
pub const QUERY_IDS_MAX: usize = 1024;

/// Body of one `manifest-part`, in bytes. Small enough not to hold up the pieces behind it.
pub const MANIFEST_PART_LEN_MAX: usize = 64 * 1024;

/// Largest manifest blob, in bytes. A 1 GiB app in 64 KiB pieces is 16,384 pieces of 35 B = 560 KiB.
pub const MANIFEST_LEN_MAX: usize = 4 * 1024 * 1024;

/// Assets in one manifest. Large real apps load some hundreds before `load`.
pub const MANIFEST_ASSETS_MAX: usize = 4096;

/// Sum of the lengths of all assets of one manifest, in bytes: 4 GiB.
pub const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Percent-encoded path of an asset, in bytes: 455 characters of Chinese, 9 B each. With a `Referer` of the same length it fits a request head of 8 KiB,
/// which common servers and proxies accept. File systems hold 255 B in a name, which are 765 B when each is escaped.
pub const PATH_LEN_MAX: usize = 4096;

/// A whole `Content-Type` value, in bytes. RFC 6838 section 4.2 allows 127 + 1 + 127 without parameters.
pub const MEDIA_TYPE_LEN_MAX: usize = 256;

/// Response headers kept with one asset record.
pub const RECORD_HEADERS_MAX: usize = 16;

/// One header name or one header value, in bytes. A long Content-Security-Policy is 2-3 KiB.
pub const HEADER_LEN_MAX: usize = 4096;

/// Candidates in one description. Browsers without permission gather two to six (PLATFORM section 4).
pub const CANDIDATES_MAX: usize = 8;

/// Address of a candidate, in bytes: the longest IPv6 text is 45, a `<uuid>.local` name 42.
pub const ADDRESS_LEN_MAX: usize = 45;

/// Session lines passed through in one description (`sctp-init:` is the only kind).
pub const EXTRA_LINES_MAX: usize = 2;

/// One passed-through session line, in bytes. An SCTP INIT chunk in base64 is about 100 B.
pub const EXTRA_LINE_LEN_MAX: usize = 512;

/// Shortest ICE user fragment, in bytes (RFC 8839 section 5.4).
pub const UFRAG_LEN_MIN: usize = 4;

/// Shortest ICE password, in bytes (RFC 8839 section 5.4).
pub const PWD_LEN_MIN: usize = 22;

/// Longest ICE user fragment or password, in bytes (RFC 8839 section 5.4).
pub const ICE_TEXT_LEN_MAX: usize = 256;

/// One description as JSON text, in bytes: the sum of its parts' maxima and punctuation, rounded up.
pub const DESCRIPTION_LEN_MAX: usize = 3072;

/// SDP text in an answer, in bytes. Chromium's is 0.8 KiB, Firefox's with ten candidates 1.5 KiB.
pub const SDP_LEN_MAX: usize = 4096;

/// One signal on the WebSocket, in bytes. Holds the largest report of what a visit used; everything else is far smaller.
pub const SIGNAL_LEN_MAX: usize = 64 * 1024;

/// Ready-made offers one peer may leave with the tracker. An idle connection costs 150 KiB (PLATFORM section 2).
pub const OFFERS_PER_PEER_MAX: usize = 4;

/// Offers handed to one leecher, in a thin boot block or a `peers` reply.
pub const OFFERS_PER_LEECHER_MAX: usize = 8;

/// Pieces of the origin given to one peer in one `share`: 256 of 20 KiB are 5 MiB, so that a fast line is not kept waiting for the tracker.
pub const SHARE_PIECES_MAX: usize = 256;

/// Pieces that whoever comes first to a crowd begins with before it asks the tracker, at most: what flows while its script and its session come, on a line of 10 Mbit/s.
pub const LEASE_FIRST_PIECES: u32 = 32;

/// Answers in one signal or one `POST /.viral/answer`.
pub const ANSWERS_MAX: usize = OFFERS_PER_LEECHER_MAX;

/// Paths in one report of what a visit used.
pub const LOADED_ASSETS_MAX: usize = 1024;

/// Reports of what a visit used, in one session. A visit tells when its page has been quiet for a while and when it is left; a game loads a dozen levels.
pub const LOADED_REPORTS_MAX: usize = 16;

/// Peers named in one `counts`, and faults in one visit beacon.
pub const SOURCES_MAX: usize = 64;

/// Message text of an `error` signal, in bytes: one line for a person.
pub const ERROR_MESSAGE_LEN_MAX: usize = 256;

/// Body of `POST /.viral/answer`, in bytes: every answer at its largest, as SDP text with its line breaks escaped.
pub const ANSWER_POST_LEN_MAX: usize = ANSWERS_MAX * (SDP_LEN_MAX + 512) + 128;

/// Body of `POST /.viral/visit`, in bytes. `sendBeacon` allows 64 KiB; this needs 2 x 64 short entries.
pub const VISIT_POST_LEN_MAX: usize = 16 * 1024;

/// Body of `POST /.viral/record`, in bytes.
pub const RECORD_POST_LEN_MAX: usize = 64 * 1024;

/// Longest body of `POST /.viral/personal`, in bytes: one digest.
pub const PERSONAL_POST_LEN_MAX: usize = 256;

/// Things that one report of the doctor's page may name: each once.
pub const DOCTOR_CHECKS_MAX: usize = 15;

/// Largest body of `POST /.viral/doctor`, in bytes: 15 names of at most 20.
pub const DOCTOR_POST_LEN_MAX: usize = 512;

/// Body of `POST /.viral/time`, in bytes: a number below 2^32.
pub const TIME_POST_LEN_MAX: usize = 16;

/// Paths in one `POST /.viral/record`.
pub const RECORD_PATHS_MAX: usize = 256;

/// Ids in one `GET /.viral/pieces`. 16 x 33 characters keep the request target under 600 B.
pub const PIECES_PER_REQUEST_MAX: usize = 16;

/// Peer numbers are below this, so that JavaScript holds them exactly.
pub const PEER_NUMBER_END: u64 = 1 << 53;

/// A STUN message, in bytes: what fits the smallest IPv4 packet that every host takes, 576 B, less 28 (RFC 8489 section 6.1).
pub const STUN_LEN_MAX: usize = 548;

/// Attributes named in a refusal by STUN; a request that demands more gets none.
pub const STUN_UNKNOWN_MAX: usize = 8;

/// Ports at which one server answers STUN: two tell what kind of NAT somebody is behind.
pub const STUN_PORTS_MAX: usize = 2;

/// One message to the tracker of WebTorrent clients, in bytes. Ten offers of 5 KiB are 50 KiB. A scrape of 10,000 info-hashes, which are about 44 B each in JSON, still fits, so that its
/// sender can be told that it asks too much.
pub const ANNOUNCE_LEN_MAX: usize = 512 * 1024;

/// Offers in one announce. `bittorrent-tracker` 11.2.3 makes 5, older versions 10; what is beyond is left out.
pub const ANNOUNCE_OFFERS_MAX: usize = 10;

/// JSON of one offer or answer in an announce, in bytes. Browsers' are 0.8-2 KiB, and 5 KiB on a machine with many addresses.
pub const ANNOUNCE_SDP_LEN_MAX: usize = 16 * 1024;

/// Info-hashes in one scrape: a reply of 32 KiB. `aquatic_ws` answers 255.
pub const SCRAPE_HASHES_MAX: usize = 256;
