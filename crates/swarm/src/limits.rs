//! Every maximum, wait and threshold of the swarm's decisions, with its unit and where the number comes from.

mod watch;
mod webtorrent;
mod worth;

pub use watch::*;
pub use webtorrent::*;
pub use worth::*;

/// Assets shorter than this are not worth introductions, in bytes: the origin sends them in one round trip (RFC 6928).
pub const RECORD_LEN_MIN: u64 = 16 * 1024;

/// Smallest page set, in bytes, for which peers can win: below it the origin is done before a peer connection opens
/// (100 ms, PLATFORM section 3) on a line of 40 Mbit/s.
pub const APP_BYTES_MIN: u64 = 512 * 1024;

/// Sessions the tracker holds. One is about 2 KiB with its offers, so 100 MiB at the limit.
pub const SESSIONS_MAX: usize = 50_000;

/// Thin visits the tracker remembers; more than one per session, for visitors without a socket.
pub const TICKETS_MAX: usize = 100_000;

/// How long a thin visit is remembered after its last sign of life, in milliseconds.
pub const TICKET_AGE_MAX_MS: u64 = 600_000;

/// How long a join ticket holds at least, in seconds: a day at work with a page open. Whoever loses the tracker later asks for the page again.
pub const JOIN_TICKET_AGE_S: u64 = 12 * 3_600;

/// How far the clocks of two servers of a site may be apart for their join tickets, in seconds.
pub const JOIN_CLOCK_SKEW_S: u64 = 600;

/// Join tickets of one visitor, for the pages that it opened last: 131 bytes of each of its requests.
pub const JOIN_TICKETS_MAX: usize = 4;

/// How long a thin visit that never got a socket counts as a leecher, in milliseconds.
pub const LEECHER_AGE_MAX_MS: u64 = 60_000;

/// How long an offer waits for the leecher to whom it was given, in milliseconds.
///
/// The answer comes a round trip and a connection's setup after the thin answer; 10 s is a slow phone on a slow line.
pub const RESERVE_MS: u64 = 10_000;

/// Age at which an unanswered offer is thrown away and a new one asked for, in milliseconds. Measured good after
/// 15 minutes (PLATFORM section 2).
pub const OFFER_AGE_MAX_MS: u64 = 900_000;

/// Age at which an unanswered offer ends of a peer whose NAT forgets it meanwhile, in milliseconds. A NAT keeps a port for 30 s after one exchange (PLATFORM section 15); this leaves
/// time to answer.
pub const FADING_OFFER_AGE_MS: u64 = 22_000;

/// Such offers of one peer end so far apart, in milliseconds: a new one is there long before the next one ends.
pub const FADING_OFFER_STEP_MS: u64 = 8_000;

/// How long an answered offer may take to open before its slot is free again, in milliseconds. Firefox gives up
/// on a path at 5 s; a first mDNS contact took 3.07 s (PLATFORM section 4).
pub const OPEN_WAIT_MS: u64 = 20_000;

/// Offers a seeder is asked to keep ready. An idle one costs 150 KiB (PLATFORM section 2).
pub const OFFERS_WANTED: u8 = 2;

/// Leechers one seeder serves at a time, whatever it says it could.
pub const SLOTS_MAX: u8 = 16;

/// Upload rate asked of a seeder, in bytes per second; 0 is no cap.
pub const UP_BYTES_PER_S: u32 = 0;

/// Peers given to a newcomer. Four dials open in about 60 ms and multiply the first window by four (PLATFORM section 3).
pub const PEERS_WANTED: usize = 4;

/// Bytes one seeder pushes unasked at its own `open`: what slow start moves in about a second at 50 ms (PLATFORM section 3).
pub const PUSH_BYTES_MAX: u32 = 1024 * 1024;

/// Least share of the wanted manifest that a peer must hold to be introduced, in permille.
pub const COVERAGE_MIN_PERMILLE: u16 = 500;

/// Share of a manifest from which on a peer counts as holding it whole, in permille.
pub const COMPLETE_MIN_PERMILLE: u16 = 950;

/// Manifests of which leases are granted at once.
pub const LEASE_MANIFESTS_MAX: usize = 64;

/// Pieces of one manifest under way from the origin to a crowd at first: 256 KiB in pieces of 16 KiB, a second of 2 Mbit/s. The first ones are what a crowd waits for.
pub const LEASE_WINDOW_START: usize = 16;

/// Pieces under way to one who is alone, at the least: nobody waits for what he has, so his line is all that counts; half a second of 10 Mbit/s.
pub const LEASE_WINDOW_ALONE: usize = 32;

/// The fewest pieces under way: a thin line is shared by the takers' flows, any of which may wait a second for what was lost, and with fewer it was
/// measured to be idle for a fifth of the time.
pub const LEASE_WINDOW_MIN: usize = 16;

/// The most pieces under way: 32 MiB in pieces of 32 KiB, a second of 256 Mbit/s.
pub const LEASE_WINDOW_MAX: usize = 1_024;

/// The fewest pieces given to one peer at a time, while there is room for them: one request and one TCP flow carry them one after the other.
pub const LEASE_PIECES_MIN: usize = 4;

/// Pieces in one lease at most, as long as its taker did not fetch half as many before: the first pieces go to several takers, whose flows do not all wait for the
/// same lost packet. One taker alone asks twelve times a second, so this is 12 Mbit/s in pieces of 16 KiB.
pub const LEASE_PIECES_FIRST: usize = 8;

/// A lease fetched faster than this means that the origin could send more at once, in milliseconds: many round trips, so that its line is never idle.
pub const LEASE_MS_MIN: u64 = 1_500;

/// A lease that took longer means that it sends too much at once, in milliseconds: nobody can pass on what has not arrived.
pub const LEASE_MS_MAX: u64 = 3_500;

/// A lease that is not fetched after this is given to somebody else, too, in milliseconds.
pub const LEASE_WAIT_MS: u64 = 10_000;

/// A lease that came with an answer is given to somebody else, too, unless whoever has it is connected after this, in milliseconds: the page's second script and a session take a
/// second over a line of 0.5 Mbit/s that others use as well. Whoever only asks for pages holds nobody up for longer.
pub const FIRST_LEASE_MS: u64 = 3_000;

/// Somebody who was told that it comes first has asked for a lease after this, in milliseconds, or does not: several times a document of 100 KB on a line of 1 Mbit/s. Where that
/// takes longer a second one is told the same, which costs one more manifest and nothing else.
pub const FIRST_VISITOR_MS: u64 = 10_000;

/// With so many ready peers that hold everything nobody is sent to the origin.
pub const LEASE_SEEDERS_ENOUGH: usize = 4;

/// Bytes of an app below which nobody shares a copy of it in a crowd: the second script and the meeting cost tens of kilobytes.
pub const CROWD_BYTES_MIN: u64 = 512 * 1024;

/// Time in which a visitor's line carries an app from which on it pays to share the copy, in milliseconds, while somebody else takes one: four times what script, session and connections
/// take on that line.
pub const CROWD_MS_MIN: u64 = 700;

/// And for somebody who comes alone, who loses the same time and gains nothing unless others come: two hundred milliseconds are no more than three in a hundred of it.
pub const CROWD_ALONE_MS_MIN: u64 = 6_000;

/// Bytes of an app from which on even the first of all visitors shares its copy, as long as nobody knows the line: 2 MiB take a line of 10 Mbit/s nearly two seconds.
pub const CROWD_UNKNOWN_BYTES_MIN: u64 = 2 * 1024 * 1024;

/// Where nobody knows the line, somebody who came this long ago may still be taking a copy, in milliseconds.
pub const CROWD_UNKNOWN_MS: u64 = 5_000;

/// Downloads by which the line is known: the median of the last ones.
pub const CROWD_RATES: usize = 15;

/// How long nothing more could be written to a visitor before its line counts as measured, in milliseconds.
pub const LINE_BUSY_MS: u64 = 400;

/// And how much left in that time at least: whoever reads less is no measure of a line.
pub const LINE_BYTES_MIN: u64 = 16 * 1024;

/// So much is enough to know a fast line by, whose time is short.
pub const LINE_BYTES_ENOUGH: u64 = 512 * 1024;

/// Visitors whose lines are being measured. 20 KiB.
pub const LINE_VISITORS_MAX: usize = 256;

/// Pages of which the last copy is remembered. 64 KiB.
pub const CROWD_PAGES_MAX: usize = 1_024;

/// Addresses of one peer that another is told: its own, one of the other family, and one more on its link. Each is sent checks until one answers.
pub const CANDIDATE_ADDRESSES_MAX: usize = 3;

/// Share of picks that are random among equally near peers, in permille, so that what was learned is tried against what is not known and islands join: 20 %.
pub const RANDOM_SHARE_PERMILLE: u16 = 200;

/// Networks of which is remembered what they got of others. A pair is about 150 bytes, so 5 MiB of all pairs.
pub const LEARNED_LOCALITY_TAKERS_MAX: usize = 2_048;

/// Networks of which one of them is remembered to have got something: a visitor is given 4 to 8 peers, so some ten visits.
pub const LEARNED_LOCALITY_GIVERS_MAX: usize = 16;

/// Networks of one autonomous system whose word on another network is remembered.
pub const LEARNED_LOCALITY_VOICES_MAX: usize = 8;

/// So many must have spoken before others of the system go by it: their median is none of a single one's.
pub const LEARNED_LOCALITY_VOICES_MIN: usize = 3;

/// What nobody repeats is forgotten after this, in milliseconds: the evening's load of a line is not the morning's, and it is longer than the rarest retry.
pub const LEARNED_LOCALITY_AGE_MAX_MS: u64 = 7_200_000;

/// Visitors in a row who found no way between two networks, from which on the two are hardly introduced: one or two may have left before they were connected.
pub const FAILED_CONNECTS_MIN: u32 = 3;

/// A connection that either end gave up sooner is no such failure, in milliseconds: the visitor had what it came for. A first contact by mDNS took 3.07 s (PLATFORM section 4).
pub const FAILED_CONNECT_MS_MIN: u64 = 3_000;

/// Two such networks are tried again after this, in milliseconds, and after twice as long each time that fails.
pub const FAILED_WAIT_MS: u64 = 60_000;

/// The longest such wait, in milliseconds: what an administrator changed is found within the hour.
pub const FAILED_WAIT_MAX_MS: u64 = 3_600_000;

/// Ready peers looked at on one tier, so that a match costs the same in a swarm of any size.
pub const TIER_SCAN_MAX: usize = 64;

/// Of these so many that strangers vouched for: whoever collects vouchers for many sessions of few networks does not hide all others.
pub const TIER_SCAN_PROVEN_MAX: usize = 48;

/// Ready peers looked at on one tier before no more are, where as many as are wanted are as good as any: twice as many as a visitor gets, so that the least busy ones are
/// found. The better of two random ones is nearly all that is to be had (Mitzenmacher, "The power of two choices", 2001).
pub const TIER_SCAN_ENOUGH: usize = 8;

/// Of these so many for each prefix, on tiers between the prefix and the last one: a visitor gets one of them, and the best of four random ones is hardly worse than the best of all.
pub const TIER_SCAN_CELL_MAX: usize = 4;

/// Manifests looked at for one match: the wanted one and others that may share pieces with it.
pub const MANIFEST_SCAN_MAX: usize = 64;

/// Matches remembered for one leecher; at the limit it gets no more peers until a connection of its ended.
pub const MATCHES_PER_LEECHER_MAX: usize = 64;

/// Members of a crowd behind one line who are connected beyond it, each for its stripe of the pieces. Each costs the line 6 to 9 % of a copy of 5 MB in
/// control frames and acknowledgements. With two, what they can upload bounds all others where each has a thin line of its own: the last is done a third later.
pub const GATEWAYS_PER_LINE: usize = 3;

/// So long after it was last introduced beyond the line the place of one of them is free for others, in milliseconds: it may have reached nobody.
pub const GATEWAY_MS: u64 = 60_000;

/// Unanswered matches one leecher may hold: two full rounds of offers.
pub const OUTSTANDING_MATCHES_MAX: usize = 2 * viral_wire::limits::OFFERS_PER_LEECHER_MAX;

/// Leechers a seeder may serve before the oldest are forgotten as reporters.
pub const UPLOADS_PER_PEER_MAX: usize = 256;

/// Distinct reporters remembered about one peer, and networks of them.
pub const REPORTERS_PER_PEER_MAX: usize = 16;

/// Reports one leecher may make; a page meets few peers, and even fewer bad ones.
pub const REPORTS_PER_REPORTER_MAX: usize = 64;

/// Networks whose visitors report forged pieces at which a peer is dropped; among neighbours so many visitors.
pub const FORGED_REPORTS_MIN: usize = 2;

/// Peers that one network may have dropped as their sole reporter, all of its own, within [`SOLE_REPORTER_MS`].
pub const SOLE_REPORTER_DROPS_MAX: u32 = 4;

/// The window of [`SOLE_REPORTER_DROPS_MAX`], in milliseconds.
pub const SOLE_REPORTER_MS: u64 = 600_000;

/// Networks remembered as sole reporters.
pub const SOLE_REPORTERS_MAX: usize = 4_096;

/// Addresses remembered as those of forgers.
pub const FLAGGED_ADDRESSES_MAX: usize = 4_096;

/// How long they are, in milliseconds: a forger that comes back under another number stands behind everybody as near.
pub const FLAGGED_MS: u64 = 600_000;

/// Faults since it last served somebody, after which a peer cools down for [`COOLDOWN_MS`]: for the network that met them, or for everybody when so many networks met one.
pub const FAULT_COUNT_MAX: u32 = 3;

/// How long such a peer is not introduced to anybody, in milliseconds.
pub const COOLDOWN_MS: u64 = 120_000;

/// How long a session may take to register, in milliseconds; a page registers with its first message.
pub const REGISTER_WAIT_MS: u64 = 30_000;

/// How long the tracker waits for offers it asked for before it asks again, in milliseconds. Gathering takes 0.2 s
/// (PLATFORM section 3), but a page may be out of connections for a while.
pub const ASKED_WAIT_MS: u64 = 30_000;

/// Refused messages after which a session is closed.
pub const MISTAKES_MAX: u32 = 32;

/// Beacons of one thin visit.
pub const BEACONS_PER_TICKET_MAX: u32 = 32;

/// Messages a peer may send at once: a burst of a page that opens with `offers`, `held` and reports.
pub const MESSAGE_BURST_MAX: u32 = 128;

/// Messages a peer may send over time, per second.
pub const MESSAGES_PER_S: u32 = 16;

/// Bytes believed of one `counts` or beacon, per field.
pub const REPORTED_BYTES_MAX: u64 = viral_wire::limits::MANIFEST_BYTES_MAX;

/// Visits kept for the picture of who got the app from whom.
pub const LINEAGE_VISITS_MAX: usize = 512;

/// Sources kept for each of them.
pub const LINEAGE_SOURCES_MAX: usize = 32;

/// Events of that picture kept for readers that lag behind.
pub const LINEAGE_EVENTS_MAX: usize = 2_048;

/// Manifests whose pieces are remembered to compare them with others. 1,000 pieces are 32 KiB.
pub const COVERAGE_MANIFESTS_MAX: usize = 256;

/// Pairs of manifests whose comparison is remembered.
pub const COVERAGE_PAIRS_MAX: usize = 4_096;

/// Assets of a page set besides the page's document.
pub const PAGE_SET_ASSETS_MAX: usize = 512;

/// Bytes of a page set besides the page's document. More than this is rarely needed during one visit.
pub const PAGE_SET_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Reports whose votes decide what a page uses.
pub const PAGE_SET_REPORTS_MAX: usize = 16;

/// Paths read of one report: as many as the signal may have.
pub const LOADED_REPORT_PATHS_MAX: usize = viral_wire::limits::LOADED_ASSETS_MAX;

/// Static references of a page that are remembered over a restart: twice the largest page set.
pub const REFERENCES_REMEMBERED_MAX: usize = 2 * PAGE_SET_ASSETS_MAX;

/// Bytes that the reports of a single network may add to any page set. Nine of ten pages of the web weigh less than 10 MB with everything (HTTP
/// Archive, 2024), but the games and tools for which this is built some tens, and all of an office is one network.
pub const PAGE_SET_LONE_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// The same as a multiple of what the page itself refers to, where that is more: large apps load as much again by script.
pub const PAGE_SET_LONE_FACTOR: u64 = 2;

/// Networks that may have spoken while what only one of them names is still believed; with a third one there is a majority to ask.
pub const PAGE_SET_LONE_NETWORKS_MAX: u64 = 2;

/// Networks that must name an asset which the server sent to none of them, before it enters a page set: one more than are believed alone.
pub const THIN_VOTERS_MIN: usize = 3;

/// Visits that must have told what they used before a page is judged to be small: one may have left early, and of two nobody knows which.
pub const LEARN_VISITS: u64 = 3;

/// Changes that reports may make to a page set at once: the first visitor teaches fast, in a few reports while its page loads.
pub const SET_CHANGES_BURST: u64 = 6;

/// And then one in this time, in milliseconds: each change of the manifest is fetched by everybody who seeds the page.
pub const SET_CHANGE_MS: u64 = 60_000;

/// Outputs the tracker keeps for its host: a message to each session, and the close of each.
pub const OUTPUTS_MAX: usize = 2 * SESSIONS_MAX;

/// Browsers whose visits the server follows. One is about 1 KiB, and its paths.
pub const VISIT_BROWSERS_MAX: usize = 4_096;

/// Those of one network, so that one who makes up cookies pushes out nobody else. An office behind one address has a few hundred.
pub const VISIT_BROWSERS_PER_NETWORK_MAX: usize = 256;

/// Visits followed of one browser, each to a page of its own: as many tabs of one site as people keep open.
pub const VISITS_PER_BROWSER_MAX: usize = 8;

/// Paths remembered of one visit, and as many that it reports: what one report may name.
pub const VISIT_PATHS_MAX: usize = viral_wire::limits::LOADED_ASSETS_MAX;

/// Paths of all visits together: 64 for each browser. Each is kept once, and a use of it is about 64 bytes, so 16 MiB.
pub const VISIT_PATHS_ALL_MAX: usize = 262_144;

/// How long a visit is remembered after its last request or report, in milliseconds: as long as its cookie.
pub const VISIT_AGE_MAX_MS: u64 = 1_800_000;

/// A visit that asked for nothing during this time has what it needs for now, in milliseconds: a script of some megabytes is compiled in less.
pub const VISIT_QUIET_MS: u64 = 1_000;

/// Bytes of the operator's file of sites: 64 bytes for each of its ranges.
pub const SITES_FILE_LEN_MAX: usize = 4 * 1024 * 1024;

/// Ranges of addresses of all sites: many times what an enterprise of 10,000 branches has. 4 MiB in memory.
pub const SITE_RANGES_MAX: usize = 65_536;

/// Bytes of a site's name.
pub const SITE_NAME_LEN_MAX: usize = 100;

/// STUN requests that one network (/24, /48) may make at once. A visit makes up to 16: four connections, two families, two ports.
pub const STUN_BURST_MAX: u32 = 4_096;

/// And then in a second. Chromium asks again every 10 s for each idle offer (PLATFORM section 2): an office of 1,000 seeders asks 400 to 800 times a second.
pub const STUN_PER_S: u32 = 1_024;

/// The same of all networks together: about a fifth of one core.
pub const STUN_TOTAL_BURST_MAX: u32 = 65_536;

/// And then in a second.
pub const STUN_TOTAL_PER_S: u32 = 32_768;

/// Buckets of networks. Each is 16 B, so 256 KiB.
pub const STUN_NETWORKS_MAX: usize = 16_384;

/// The server is asked by STUN this often how it sees a socket, in milliseconds: a NAT forgets after 30 s (PLATFORM section 15).
pub const STUN_KEEP_MS: u64 = 20_000;

/// First pause before a question by STUN is asked again, in milliseconds; doubled each time. RFC 8489 section 6.2.1 begins with 500, for round trips that nobody knows.
pub const STUN_AGAIN_MS: u64 = 250;

/// Times that a question is asked before it counts as not answered.
pub const STUN_TRIES_MAX: u32 = 4;

/// Longest wait for a first answer by STUN, in milliseconds, of answers and offers that would tell it: as long as a page waits (`ANSWER_GATHER_MS` of `browser/src/shell/limits.ts`).
pub const STUN_WAIT_MS: u64 = 200;

/// Addresses, and pages, that other servers are to be told of and were not yet.
pub const CLUSTER_NEWS_MAX: usize = 256;

/// Servers of one cluster that are known: each asks few of the others, and all tell of themselves twice a second.
pub const CLUSTER_SERVERS_MAX: usize = 64;

/// Manifests of which one server tells that its peers hold them: the pages that most have. 10 KiB twice a second.
pub const CLUSTER_HOLDINGS_MAX: usize = 256;

/// Servers asked for peers of one visit. Each reserves as many as are wanted, so that few of what is reserved is in vain.
pub const CLUSTER_ASKED_MAX: usize = 3;

/// A server that said nothing for so long is gone, in milliseconds: it speaks every half second.
pub const CLUSTER_SILENCE_MAX_MS: u64 = 2_500;

/// Versions of the site that one server tells of: more than it keeps.
pub const CLUSTER_VERSIONS_MAX: usize = 16;

/// A new version that not all servers have is shown all the same after this time, in milliseconds: a server that never gets it must not hold up a deploy.
pub const CLUSTER_ROLL_MAX_MS: u64 = 300_000;

/// Over how long it is measured how much the origin sends, in milliseconds.
pub const ORIGIN_WINDOW_MS: u64 = 2_000;

/// How far apart that is looked at, in milliseconds: nine times in that time.
pub const ORIGIN_STEP_MS: u64 = 250;
