//! The origin: the shipped tracker and admission, and what the server around them sends.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use viral_swarm::admission::{Admission, CrowdRole, Decision, Evidence, PageFacts, Policy, Swarm, VisitFacts, admit};
use viral_swarm::coverage::CoverageCache;
use viral_swarm::crowd::Crowds;
use viral_swarm::limits::PEERS_WANTED;
use viral_swarm::locality::{Region, Tier};
use viral_swarm::pageset::Size;
use viral_swarm::tracker::{Answerer, ClientAddr, Matches, Tracker, TrackerConfig, TrackerOutput};
use viral_wire::Ticket;
use viral_wire::signal::{PeerNumber, PeerToTracker, TrackerToPeer};

use crate::app::{PAGE, Version};
use crate::carrier::{ConnId, Side};
use crate::clock::{MS, Nanos};
use crate::context::{Context, Event};
use crate::invariants::Grant;
use crate::message::{ANSWER_LEN, Answer, Payload, Request, VisitAnswer, told_len};
use crate::plan::Client;

/// The loader's answer, whole and in Brotli, in bytes (docs/BENCHMARKS.md).
const THIN_LEN: u32 = 11_492;

/// What a browser fetches of ours besides: the worker, and after a full answer the addition, in bytes (docs/BENCHMARKS.md).
const WORKER_LEN: u32 = 4_673;
const ADDITION_LEN: u32 = 11_582;

/// What it needs besides to be one of a crowd.
const CROWD_LEN: u32 = 9_000;

/// The answer to an upgrade, in bytes.
const UPGRADED_LEN: u32 = 130;

/// How visits were answered, and what left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ServerCounts {
    /// Visits with a full answer.
    pub full: u64,
    /// With a thin one.
    pub thin: u64,
    /// With a plain one.
    pub plain: u64,
    /// Documents, assets and pieces handed to sockets, in bytes.
    pub payload_bytes: u64,
    /// Everything else: loaders, manifests, signals, in bytes.
    pub other_bytes: u64,
    /// Sessions that the tracker closed.
    pub closed: u64,
    /// What became of introductions, since the last restart.
    pub matches: Matches,
    /// Introductions of visitors who have nothing in common but the world.
    pub matches_of_anyone: u64,
}

/// The origin.
pub struct Server {
    tracker: Tracker,
    crowds: Crowds,
    coverage: CoverageCache,
    policy: Policy,
    sessions: BTreeMap<PeerNumber, ConnId>,
    numbers: BTreeMap<ConnId, PeerNumber>,
    /// Which version is current.
    version: usize,
    wake_at: Option<Nanos>,
    shared_line: u64,
    restarts: u64,
    /// What was answered.
    counts: ServerCounts,
}

impl Server {
    /// Nobody came yet.
    #[must_use]
    pub fn new(seed: u64, shared_line: u64, versions: &[Version]) -> Self {
        let mut coverage = CoverageCache::default();
        if let Some(first) = versions.first() {
            coverage.insert(first.digest, &first.pieces);
        }
        Self {
            tracker: Tracker::new(TrackerConfig::default(), seed),
            crowds: Crowds::new(shared_line),
            coverage,
            policy: Policy::default(),
            sessions: BTreeMap::new(),
            numbers: BTreeMap::new(),
            version: 0,
            wake_at: None,
            shared_line,
            restarts: 0,
            counts: ServerCounts::default(),
        }
    }

    /// What was answered, and what became of introductions.
    #[must_use]
    pub fn counts(&self, now_ms: u64) -> ServerCounts {
        let stats = self.tracker.snapshot(now_ms);
        ServerCounts { matches: stats.matches, matches_of_anyone: stats.matches_by_tier.on(Tier::Anyone), ..self.counts }
    }

    /// A message came from a visitor.
    pub fn handle_message(&mut self, context: &mut Context<'_>, conn: ConnId, visitor: usize, payload: Payload) {
        let now_ms = context.now / MS;
        match payload {
            Payload::Request(request) => self.handle_request(context, conn, visitor, request),
            Payload::Signal(signal) => {
                let Some(peer) = self.numbers.get(&conn).copied() else { return };
                if let PeerToTracker::Share { manifest, done } = &*signal {
                    context.invariants.lease_done(peer.get(), *manifest, *done);
                }
                self.tracker.handle_message(now_ms, peer, *signal, &self.coverage);
            }
            Payload::SocketClosed => self.handle_lost(context, conn),
            Payload::Frame(_) | Payload::Told(_) | Payload::Answer(_) => {}
        }
        self.hand_out(context);
    }

    /// A visitor's socket is gone.
    pub fn handle_closed(&mut self, context: &mut Context<'_>, conn: ConnId) {
        self.handle_lost(context, conn);
        self.hand_out(context);
    }

    fn handle_lost(&mut self, context: &mut Context<'_>, conn: ConnId) {
        if let Some(peer) = self.numbers.remove(&conn) {
            self.sessions.remove(&peer);
            context.invariants.lease_left(peer.get());
            self.tracker.handle_leave(context.now / MS, peer);
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, context: &mut Context<'_>) {
        if self.wake_at.is_some_and(|at| at <= context.now) {
            self.wake_at = None;
            self.tracker.handle_timeout(context.now / MS);
            self.hand_out(context);
        }
    }

    /// There is a new version.
    pub fn handle_deploy(&mut self, context: &mut Context<'_>, version: usize) {
        let Some(current) = context.versions.get(version) else { return };
        self.version = version;
        self.coverage.insert(current.digest, &current.pieces);
        self.tracker.handle_manifest(context.now / MS, PAGE, current.digest);
        self.hand_out(context);
    }

    /// It is started anew: every session is lost, and nothing is known.
    pub fn handle_restart(&mut self, context: &mut Context<'_>) {
        self.restarts += 1;
        self.tracker = Tracker::new(TrackerConfig::default(), context.plan.seed.wrapping_add(self.restarts));
        self.crowds = Crowds::new(self.shared_line);
        context.invariants.leases_forgotten();
        for (_, conn) in std::mem::take(&mut self.sessions) {
            context.net.send(context.now, conn, Side::B, 4, Payload::SocketClosed);
        }
        self.numbers.clear();
    }

    fn handle_request(&mut self, context: &mut Context<'_>, conn: ConnId, visitor: usize, request: Request) {
        match request {
            Request::Visit => {
                self.admit(context, conn, visitor);
            }
            Request::Assets { bytes } => {
                self.counts.payload_bytes += bytes;
                let len = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(ANSWER_LEN);
                context.net.send(context.now, conn, Side::B, len, Payload::Answer(Answer::Assets));
            }
            Request::Manifest(digest) => {
                let blob =
                    context.versions[..=self.version].iter().find(|version| version.digest == digest).map(|version| version.blob.len());
                let len = ANSWER_LEN + blob.map_or(0, |len| u32::try_from(len).unwrap_or(u32::MAX / 2));
                self.counts.payload_bytes += u64::from(len);
                context.net.send(context.now, conn, Side::B, len, Payload::Answer(Answer::Manifest(digest, blob.is_some())));
            }
            Request::Pieces(ids) => {
                let mut head = ANSWER_LEN;
                for id in &ids {
                    // Those of replaced versions live on for a while.
                    let Some(len) = context.versions[..=self.version].iter().rev().find_map(|version| version.len_of(id)) else { continue };
                    self.counts.payload_bytes += u64::from(len);
                    context.net.send(context.now, conn, Side::B, head + len + 22, Payload::Answer(Answer::Piece(*id)));
                    head = 0;
                }
                context.net.send(context.now, conn, Side::B, head + 7, Payload::Answer(Answer::Served(ids)));
            }
            Request::Answers(post) => {
                let taken = self.tracker.handle_answers(context.now / MS, Answerer::Ticket(post.ticket), post.answers).is_ok();
                self.reply(context, conn, ANSWER_LEN, Answer::Answered(taken));
            }
            Request::Upgrade => {
                let peer = self.tracker.handle_join(context.now / MS, address(context, visitor));
                self.sessions.insert(peer, conn);
                self.numbers.insert(conn, peer);
                self.reply(context, conn, UPGRADED_LEN, Answer::Upgraded);
            }
        }
    }

    fn reply(&mut self, context: &mut Context<'_>, conn: ConnId, len: u32, answer: Answer) {
        self.counts.other_bytes += u64::from(len);
        context.net.send(context.now, conn, Side::B, len, Payload::Answer(answer));
    }

    fn admit(&mut self, context: &mut Context<'_>, conn: ConnId, visitor: usize) {
        let now_ms = context.now / MS;
        let current = &context.versions[self.version];
        let plan = &context.plan.visitors[visitor];
        let evidence = Evidence {
            method_get: true,
            fetch_dest: Some("document".to_owned()),
            fetch_mode: Some("navigate".to_owned()),
            has_sec_fetch: true,
            save_data: plan.saves_data,
            forced_plain: context.plan.is_plain,
            is_native_peer: plan.client == Client::Native,
            ..Evidence::default()
        };
        let mut ticket = [0; 16];
        ticket[..8].copy_from_slice(&context.random.next_u64().to_be_bytes());
        ticket[8..].copy_from_slice(&context.random.next_u64().to_be_bytes());
        let facts = VisitFacts {
            evidence,
            addr: address(context, visitor),
            ticket: Ticket(ticket),
            peers_wanted: PEERS_WANTED,
            is_head: false,
            was_here: false,
            is_proxied: false,
            may_share: true,
            origin_sent: 0,
            foreign: Vec::new(),
        };
        let page = PageFacts { path: PAGE, manifest: current.digest, app_bytes: current.bytes, size: Size::Known { bytes: current.bytes } };
        let swarm = Swarm { tracker: &mut self.tracker, crowds: &mut self.crowds, coverage: &self.coverage };
        let admission = admit(now_ms, &facts, Some(&page), |_| false, &self.policy, swarm);
        self.answer(context, (conn, visitor), admission, Ticket(ticket));
    }

    fn answer(&mut self, context: &mut Context<'_>, (conn, visitor): (ConnId, usize), admission: Admission, ticket: Ticket) {
        let current = &context.versions[self.version];
        let is_browser = context.plan.visitors[visitor].client == Client::Browser;
        let document = u32::try_from(current.document_len).unwrap_or(u32::MAX / 2);
        let decision = admission.decision();
        let (answer, payload, other) = match admission {
            Admission::Full { names_manifest, .. } => {
                let manifest = names_manifest.then_some(current.digest);
                let ours = if is_browser { ADDITION_LEN + WORKER_LEN } else { 0 };
                (VisitAnswer::Full { manifest, version: self.version }, document, ours)
            }
            Admission::Thin { offers, crowd, .. } => {
                let engine = if is_browser && crowd != CrowdRole::None { CROWD_LEN } else { 0 };
                let ours = THIN_LEN + engine + if is_browser { WORKER_LEN } else { 0 };
                (VisitAnswer::Thin { ticket, manifest: current.digest, offers, crowd }, 0, ours)
            }
            Admission::Asset | Admission::Plain(_) | Admission::Stored => (VisitAnswer::Plain, document, 0),
        };
        match decision {
            Decision::Full(_) => self.counts.full += 1,
            Decision::Thin(_) => self.counts.thin += 1,
            Decision::Plain(_) | Decision::Asset => self.counts.plain += 1,
        }
        self.counts.payload_bytes += u64::from(payload);
        self.counts.other_bytes += u64::from(other + ANSWER_LEN);
        let answer = Payload::Answer(Answer::Visit(Box::new(answer)));
        context.net.send(context.now, conn, Side::B, payload + other + ANSWER_LEN, answer);
    }

    /// Does what the tracker says, until it has nothing more to say.
    fn hand_out(&mut self, context: &mut Context<'_>) {
        while let Some(output) = self.tracker.poll() {
            match output {
                TrackerOutput::Send(peer, message) => self.tell(context, peer, message),
                TrackerOutput::Close(peer, _) => {
                    self.counts.closed += 1;
                    context.invariants.lease_left(peer.get());
                    if let Some(conn) = self.sessions.remove(&peer) {
                        self.numbers.remove(&conn);
                        context.net.send(context.now, conn, Side::B, 4, Payload::SocketClosed);
                    }
                }
                TrackerOutput::PageWanted { page } => {
                    self.tracker.handle_manifest(context.now / MS, &page, context.versions[self.version].digest);
                }
                TrackerOutput::Loaded { .. } | TrackerOutput::Counted { .. } | TrackerOutput::Flagged(_) => {}
            }
        }
        if let Some(at) = self.tracker.poll_timeout().map(|ms| (ms * MS).max(context.now))
            && self.wake_at.is_none_or(|known| at < known)
        {
            self.wake_at = Some(at);
            context.timeline.push(at, Event::Server);
        }
    }

    fn tell(&mut self, context: &mut Context<'_>, peer: PeerNumber, message: TrackerToPeer) {
        if let TrackerToPeer::Share { manifest, pieces } = &message {
            context.invariants.granted(context.now / MS, &Grant { peer: peer.get(), manifest: *manifest, places: pieces });
        }
        let Some(conn) = self.sessions.get(&peer).copied() else { return };
        let len = told_len(&message);
        self.counts.other_bytes += u64::from(len);
        context.net.send(context.now, conn, Side::B, len, Payload::Told(Box::new(message)));
    }
}

fn address(context: &Context<'_>, visitor: usize) -> ClientAddr {
    let plan = &context.plan.visitors[visitor];
    let browser = (plan.client == Client::Browser).then_some(visitor as u64);
    let region = Region { network: NonZeroU32::new(plan.system), ..Region::default() };
    ClientAddr { browser, region, ..ClientAddr::at(plan.address) }
}
