//! One peer: its sockets, its store, its talk with the server, and the one task that drives them as its session says.
//!
//! Whoever owns a [`Peer`] calls [`Peer::turn`] in a loop. A turn waits for one thing to happen and then does everything that follows from it without waiting
//! again, so it may be cancelled at any time.

mod addresses;
mod mirror;
mod network;
mod pieces;
mod requests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::sleep_until;
use viral_swarm::client::counts::Totals;
use viral_swarm::client::manifests::KnownManifest;
use viral_swarm::client::peers::Introduction;
use viral_swarm::client::{Output, Refusal, Session, SessionConfig};
use viral_swarm::fetch::{PeerKey, Progress, Source};
use viral_wire::signal::{Answer, DropReason, NatKind, Offer, PeerToTracker, TrackerToPeer};
use viral_wire::{AssetRecord, Digest, Ticket};

use crate::encoded_cache::EncodedCache;
use crate::limits::{GOODBYE, SLEEP_MAX};
use crate::link::LinkEvent;
use crate::origin::{Origin, OriginEvent};
use crate::rate::Rate;
use crate::seed::Disk;
use crate::store::Store;
use crate::throttle::Throttle;
use crate::tracker_client::{TrackerClient, TrackerEvent};
use addresses::{Held, learn_addresses};
pub(crate) use mirror::Mirror;
use network::Network;
use requests::Requests;

/// What cannot be helped by asking somebody else.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// No socket for other peers.
    #[error("no UDP socket can be opened{}: {cause}", .bind.map(|bind| format!(" on {bind}")).unwrap_or_default())]
    Socket {
        /// The address asked for.
        bind: Option<IpAddr>,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The crypto library refuses.
    #[error("connections cannot be prepared: {0}")]
    Crypto(String),
    /// Pieces cannot be written.
    #[error("pieces cannot be stored: {0}")]
    Store(#[source] io::Error),
    /// The manifest that the origin named is none.
    #[error("the page's manifest cannot be read: {0}")]
    Manifest(#[from] viral_wire::ManifestError),
}

/// How a peer begins.
pub(crate) struct PeerConfig {
    pub(crate) origin: Origin,
    /// The page to register for.
    pub(crate) page: String,
    /// The thin visit this peer came from, and what came with it.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) offers: Vec<Offer>,
    /// Ports at which the server says how it sees this peer.
    pub(crate) stun: Vec<u16>,
    /// The manifest to fetch; none = what the tracker names.
    pub(crate) manifest: Option<Digest>,
    /// Whether to fetch the page's app at all, or only what [`Peer::add_records`] names.
    pub(crate) takes_page: bool,
    /// Whether to take all assets of the site that its server lists, too.
    pub(crate) mirrors: bool,
    /// Whether to go over to each new manifest that the tracker names.
    pub(crate) follows: bool,
    /// Whether to meet other peers at all.
    pub(crate) meets: bool,
    /// Whether nobody had the app when this peer came, so that the tracker grants leases of it to all who come meanwhile.
    pub(crate) in_crowd: bool,
    /// Leechers to serve at once.
    pub(crate) slots: u8,
    /// Upload limit; zero = nothing is uploaded.
    pub(crate) up: Option<Rate>,
    pub(crate) down: Option<Rate>,
    pub(crate) throttle: Throttle,
    pub(crate) bind: Option<IpAddr>,
    pub(crate) store: Store,
    /// The document that came with a full answer.
    pub(crate) document: Option<Bytes>,
    /// Decides how much is kept, and deletes what is not used any more; none = everything is kept.
    pub(crate) disk: Option<Arc<Disk>>,
}

/// What went wrong, for whoever owns a peer.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Why the tracker will have no more of us, or does not know the page.
    pub(crate) refused: Option<String>,
    /// Why there is no session with it now.
    pub(crate) lost: Option<String>,
    /// What went wrong with the origin last; none since it last gave something.
    pub(crate) origin: Option<String>,
    pub(crate) failure: Option<PeerError>,
}

/// A peer in a swarm. Its session decides; what it says is carried out here.
pub(crate) struct Peer {
    /// Time zero of the session.
    start: Instant,
    session: Session,
    network: Network,
    requests: Requests,
    tracker: Option<TrackerClient>,
    pub(crate) store: Store,
    encoded: EncodedCache,
    page: String,
    document: Option<Bytes>,
    disk: Option<Arc<Disk>>,
    /// Only for mirrors of a whole site.
    pub(crate) mirror: Option<Mirror>,
    pub(crate) faults: Faults,
    /// What waits until the server said how it sees this peer, or it is too late.
    held: Held,
    /// What the tracker was told last that this peer is behind.
    nat: Option<NatKind>,
}

impl Peer {
    /// Opens sockets, dials the offers that came with the visit, and begins a session with the tracker.
    pub(crate) async fn start(config: PeerConfig) -> Result<Self, PeerError> {
        let start = Instant::now();
        let mut network = Network::open(&config).await?;
        if config.offers.iter().any(|offer| offer.far) {
            learn_addresses(&mut network, start, &config.stun).await;
        }
        let session = SessionConfig {
            seed: rand::random(),
            page: config.page.clone(),
            ticket: config.ticket,
            manifest: config.manifest,
            takes_page: config.takes_page,
            follows: config.follows,
            meets: config.meets,
            in_crowd: config.in_crowd,
            is_first: false,
            slots: if config.up == Some(Rate(0)) { 0 } else { config.slots },
            up_bytes_per_s: config.up.map_or(0, |rate| rate.0),
        };
        let mut peer = Self {
            start,
            session: Session::new(session, config.offers),
            network,
            requests: Requests::new(config.origin, config.ticket),
            tracker: None,
            store: config.store,
            encoded: EncodedCache::default(),
            page: config.page,
            document: config.document,
            disk: config.disk,
            mirror: config.mirrors.then(Mirror::default),
            faults: Faults::default(),
            held: Held::default(),
            nat: None,
        };
        peer.pump();
        peer.tracker = Some(TrackerClient::open(&peer.requests.origin, peer.session.registration()));
        Ok(peer)
    }

    /// How far the download is.
    pub(crate) fn progress(&self) -> Progress {
        self.session.progress()
    }

    /// What was taken from whom and given so far.
    pub(crate) fn totals(&self) -> &Totals {
        self.session.totals()
    }

    /// The page's manifest now.
    pub(crate) fn current(&self) -> Option<&KnownManifest> {
        self.session.current()
    }

    /// Open connections.
    pub(crate) fn peers(&self) -> usize {
        self.session.opened()
    }

    /// How long nothing was learnt.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.session.advanced_at().0))
    }

    /// When the first piece was verified.
    pub(crate) fn first_piece_at(&self) -> Option<Instant> {
        self.session.advanced_at().1.map(|ms| self.start + Duration::from_millis(ms))
    }

    /// Whether somebody who may have it is looked for before anything is fetched, until the tracker has nobody.
    pub(crate) fn awaits_peer(&self) -> bool {
        self.session.awaits_peer()
    }

    /// Begins or ends to look for somebody; see [`Self::awaits_peer`].
    pub(crate) fn await_peer(&mut self, awaits: bool) {
        self.session.await_peer(awaits);
    }

    /// A file elsewhere holds this asset: it need not be fetched if that is true.
    pub(crate) fn adopt(&mut self, record: &AssetRecord, path: std::path::PathBuf) {
        if self.store.adopt(record, path).unwrap_or(false) {
            self.session.handle_found(self.now(), &record.pieces);
            self.pump();
        }
    }

    /// Waits for one thing to happen and does what follows from it. Cancel-safe.
    pub(crate) async fn turn(&mut self) {
        let due = self.due();
        let read_at = self.network.read_at();
        let backed_up = self.network.links.peek_transmit_source();
        tokio::select! {
            () = self.network.sockets.readable(), if read_at.is_none() => self.network.receive(),
            () = self.network.sockets.writable(backed_up.unwrap_or_else(unspecified)), if backed_up.is_some() => {}
            event = self.requests.next() => self.handle_origin(event),
            event = next_of(&mut self.tracker) => self.handle_tracker(event),
            () = sleep_until(due.into()) => self.handle_timeout(),
            () = sleep_until(read_at.unwrap_or(due).into()), if read_at.is_some() => {}
        }
        self.pump();
    }

    /// Says goodbye to everybody.
    pub(crate) async fn stop(mut self) {
        self.session.leave(self.now());
        self.pump();
        if let Some(tracker) = self.tracker.take() {
            tracker.close(GOODBYE).await;
        }
        self.requests.stop();
    }

    /// The session's time, in milliseconds.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The next thing that is due.
    fn due(&self) -> Instant {
        let ask_at = self.mirror.as_ref().map(|mirror| mirror.ask_at);
        let reflexive = &self.network.reflexive;
        let stun_at = reflexive.waits_until(self.now()).filter(|_| !self.held.is_empty()).into_iter().chain(reflexive.poll_timeout());
        let ms = self.session.poll_timeout().into_iter().chain(ask_at).chain(stun_at).min();
        let at = ms.map(|ms| self.start + Duration::from_millis(ms));
        at.into_iter().chain(self.network.links.poll_timeout()).min().unwrap_or_else(|| Instant::now() + SLEEP_MAX)
    }

    fn handle_timeout(&mut self) {
        self.network.links.handle_timeout(Instant::now());
        let now = self.now();
        self.session.handle_timeout(now);
        self.network.reflexive.handle_timeout(now);
        self.network.send_questions();
        if self.mirror.as_ref().is_some_and(|mirror| mirror.ask_at <= now) {
            self.ask_listing();
        }
    }

    fn handle_tracker(&mut self, event: TrackerEvent) {
        let now = self.now();
        match event {
            TrackerEvent::Signal(signal) => {
                tracing::trace!(?signal, "the tracker says");
                if let TrackerToPeer::Error { code, message } = &*signal {
                    tracing::debug!(?code, message, "the tracker refuses");
                }
                if let TrackerToPeer::Welcome { stun, .. } = &*signal {
                    self.faults.lost = None;
                    self.nat = None;
                    self.network.ask(now, stun);
                }
                if let Some(signal) = self.not_held(*signal) {
                    self.session.handle_signal(now, signal);
                }
            }
            TrackerEvent::Lost(reason) => {
                self.faults.lost = Some(reason);
                self.session.handle_lost(now);
            }
        }
    }

    /// Something came from the origin.
    fn handle_origin(&mut self, event: OriginEvent) {
        let now = self.now();
        match event {
            OriginEvent::Piece { id, encoding, body } => {
                self.faults.origin = None;
                if self.session.accept_from_origin(id) {
                    self.verify(Source::Origin, id, encoding, &body);
                }
            }
            OriginEvent::Served { ids, outcome } => {
                self.note_origin_fault(outcome);
                self.session.handle_origin_served(now, &ids);
            }
            OriginEvent::Manifest { digest, blob } => {
                if blob.is_ok() {
                    self.faults.origin = None;
                }
                let blob = self.note_origin_fault(blob).map(Vec::from);
                self.session.handle_manifest(now, digest, blob);
            }
            OriginEvent::Listed(listing) => self.handle_listing(listing),
            OriginEvent::Answered(Ok(())) => self.session.handle_posted(now),
            OriginEvent::Answered(Err(error)) => {
                tracing::debug!(%error, "answers were not taken");
                self.session.handle_post_failed(now);
            }
        }
    }

    fn note_origin_fault<T>(&mut self, outcome: Result<T, crate::origin::OriginError>) -> Option<T> {
        outcome
            .inspect_err(|error| {
                tracing::debug!(%error, "the origin did not give what was asked");
                self.faults.origin = Some(error.to_string());
            })
            .ok()
    }

    /// Does everything that follows from what was heard, until nothing does any more.
    fn pump(&mut self) {
        self.note_addresses();
        loop {
            let mut quiet = true;
            while let Some((key, event)) = self.network.links.poll_event() {
                self.handle_link(key, event);
                self.verify_arrived();
                quiet = false;
            }
            while let Some(output) = self.session.poll() {
                self.carry_out(output);
                self.verify_arrived();
                quiet = false;
            }
            self.network.flush();
            if quiet {
                return;
            }
        }
    }

    fn handle_link(&mut self, key: PeerKey, event: LinkEvent) {
        let now = self.now();
        match event {
            LinkEvent::Path => self.session.handle_path(now, key),
            LinkEvent::Opened => {
                tracing::debug!(key, "connection opened");
                self.session.handle_open(now, key);
            }
            LinkEvent::Frame(frame) => self.session.handle_frame(now, key, frame),
            LinkEvent::Malformed => self.session.handle_malformed(now, key),
            LinkEvent::Low => {
                if let Some(link) = self.network.links.get(key) {
                    self.session.handle_buffered(now, key, link.buffered());
                }
            }
            LinkEvent::Closed => {
                tracing::debug!(key, "the other end is gone");
                self.session.handle_closed(now, key);
            }
        }
    }

    /// Does what the session wants done.
    fn carry_out(&mut self, output: Output) {
        let links = &mut self.network.links;
        match output {
            Output::Signal(signal) => {
                tracing::trace!(?signal, "told the tracker");
                if !self.signal(signal.clone()) {
                    self.session.handle_unsent(&signal);
                }
            }
            Output::Register(signals) => {
                if let Some(tracker) = &self.tracker {
                    tracker.set_register(signals);
                }
            }
            Output::Frame { peer, frame, urgency } => drop(links.send_urgent(peer, &frame, urgency)),
            Output::AskManifest { manifest } => self.requests.ask_manifest(manifest),
            Output::AskPieces { ids } => self.requests.ask_pieces(ids),
            Output::Dial { offers, by_post, tell } => self.dial(offers, by_post, tell),
            Output::Reach { peer, candidates } => links.reach(Instant::now(), peer, &candidates),
            Output::MakeOffers { count } => {
                self.held.offers = self.held.offers.saturating_add(count);
                self.release();
            }
            Output::Accept { offer, number, description, push, beyond } => {
                if let Some(key) = links.accept(Instant::now(), offer, number, &description) {
                    self.session.handle_accepted(self.now(), key, Introduction { number, offer, push, dialled: false, beyond });
                }
            }
            Output::WithdrawOffers => {
                links.withdraw_offers();
                self.held = Held::default();
            }
            Output::Close { peer, reason } => {
                tracing::debug!(key = peer, ?reason, "connection ended");
                links.close(Instant::now(), peer, reason);
            }
            Output::SendPiece { peer, id, urgency } => {
                self.send_piece(peer, id, urgency);
                // What was sent leaves before the next piece is read, so that both ends work at the same time.
                self.network.flush();
            }
            Output::TakeUp { replaced } => {
                if replaced {
                    self.renew_listing();
                }
                self.take_up();
                self.session.handle_taken_up(self.now());
            }
            Output::Failed(error) => self.faults.failure = Some(error.into()),
            Output::Refused(refusal) => self.faults.refused = Some(words(refusal)),
        }
    }

    /// Sends a signal, if there is a session with the tracker that takes it.
    fn signal(&self, signal: PeerToTracker) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.send(signal))
    }

    /// Prepares a connection for each offer that is of use, and answers them.
    fn dial(&mut self, offers: Vec<Offer>, by_post: bool, tell: Option<u32>) {
        let (mut answers, mut dialled) = (Vec::new(), Vec::new());
        for Offer { peer, offer, description, push, far: _, beyond } in offers {
            match self.network.links.answer(Instant::now(), (peer, offer), &description) {
                Ok((key, description)) => {
                    dialled.push((key, Introduction { number: peer, offer, push, dialled: true, beyond }));
                    answers.push(Answer { peer, offer, description });
                }
                Err(error) => tracing::debug!(%peer, %error, "offer is of no use"),
            }
        }
        self.session.handle_dialled(self.now(), &dialled);
        if answers.is_empty() {
            return;
        }
        if by_post {
            self.requests.post(answers);
        } else {
            self.signal(PeerToTracker::Answers { answers, tell });
        }
    }
}

fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unknown(message) => message,
        Refusal::Dropped(DropReason::Forged) => "the tracker dropped this peer because others reported forged pieces from it".to_owned(),
        Refusal::Dropped(DropReason::Version) => "the server is of another version; update viral".to_owned(),
        Refusal::Dropped(DropReason::Overload) => "the server sheds load".to_owned(),
    }
}

async fn next_of(tracker: &mut Option<TrackerClient>) -> TrackerEvent {
    match tracker {
        Some(tracker) => tracker.next().await,
        None => std::future::pending().await,
    }
}

fn unspecified() -> std::net::SocketAddr {
    std::net::SocketAddr::from(([0; 4], 0))
}
