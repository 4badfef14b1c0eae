/** The limits of `crates/wire/src/limits.rs` that a browser needs; units and sources stand there, `vectors/limits.json` holds both to the same values. */

export const FRAME_VERSION = 1;
export const BOOT_VERSION = 1;
export const MESSAGE_LEN_MAX = 262_144;
export const PIECE_LEN_MAX = 229_376;
export const HELLO_MANIFESTS_MAX = 16;
export const WANT_IDS_MAX = 256;
export const QUERY_IDS_MAX = 1024;
export const MANIFEST_PART_LEN_MAX = 65_536;
export const MANIFEST_LEN_MAX = 4_194_304;
export const MANIFEST_ASSETS_MAX = 4096;
export const MANIFEST_BYTES_MAX = 4_294_967_296;
export const RECORD_HEADERS_MAX = 16;
export const CANDIDATES_MAX = 8;
export const OFFERS_PER_PEER_MAX = 4;
export const OFFERS_PER_LEECHER_MAX = 8;
export const ANSWERS_MAX = 8;
export const LEASE_FIRST_PIECES = 32;
export const LOADED_ASSETS_MAX = 1024;
export const LOADED_REPORTS_MAX = 16;
export const SOURCES_MAX = 64;
export const RECORD_PATHS_MAX = 256;
export const PIECES_PER_REQUEST_MAX = 16;
