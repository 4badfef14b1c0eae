//! One peer: its connections, its engines, its store, and the one task that drives them.
//!
//! Whoever owns a [`Peer`] calls [`Peer::turn`] in a loop. A turn waits for one thing to happen and then does everything that follows from it without waiting
//! again, so it may be cancelled at any time.

mod leech;
mod manifests;
mod mirror;
mod serve;
mod signals;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use viral_swarm::fetch::{Fetch, FetchConfig, Progress};
use viral_swarm::upload::{Upload, UploadConfig};
use viral_wire::frame::{ByeReason, Encoding};
use viral_wire::signal::{Offer, PeerToTracker};
use viral_wire::{AssetRecord, Digest, Frame, PieceId, Ticket};

use crate::counts::Totals;
use crate::encoded_cache::EncodedCache;
use crate::limits::{
    DATAGRAM_LEN_MAX, DATAGRAMS_PER_TURN, DIAL_GIVEN_UP, FIND_MS, GOODBYE, IDLE, LIMITED_BUFFER_LEN_MIN, LIMITED_BUFFER_MS, LOOK_OVER_MS,
    ORIGIN_EVENTS_MAX, SOCKET_BUFFER_LEN,
};
use crate::link::LinkEvent;
use crate::links::Links;
use crate::origin::{Origin, OriginEvent};
use crate::rate::Rate;
use crate::seed::Disk;
use crate::sockets::{Sockets, own_addresses};
use crate::store::Store;
use crate::throttle::Throttle;
use crate::tracker_client::{TrackerClient, TrackerEvent};
use manifests::Manifests;
pub(crate) use mirror::Mirror;
use signals::EarlyLease;
use viral_swarm::fetch::PeerKey;

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

/// A peer in a swarm.
pub(crate) struct Peer {
    /// Time zero of the engines.
    start: Instant,
    origin: Origin,
    page: String,
    ticket: Option<Ticket>,
    takes_page: bool,
    follows: bool,
    meets: bool,
    in_crowd: bool,
    early_lease: EarlyLease,
    slots: u8,
    up: Option<Rate>,
    throttle: Throttle,
    document: Option<Bytes>,
    disk: Option<Arc<Disk>>,
    sockets: Sockets,
    links: Links,
    fetch: Fetch,
    upload: Upload,
    pub(crate) store: Store,
    encoded: EncodedCache,
    /// Of the pieces that came since this peer is one of a crowd, until it has all of them: how many had come by then. As many as the store takes at most.
    arrival_numbers: HashMap<PieceId, u64>,
    tracker: Option<TrackerClient>,
    events: mpsc::Receiver<OriginEvent>,
    event_sender: mpsc::Sender<OriginEvent>,
    requests: JoinSet<()>,
    pub(crate) manifests: Manifests,
    /// Only for mirrors of a whole site.
    pub(crate) mirror: Option<Mirror>,
    /// The manifest looked for and not yet here.
    sought: Option<Digest>,
    /// The manifest that the origin was asked for and has not sent yet.
    asked_manifest: Option<Digest>,
    /// Pieces that came before the manifest.
    early: Vec<(PeerKey, PieceId, Encoding, Vec<u8>)>,
    early_bytes: usize,
    /// Connections older than this may still send what an earlier engine asked of them.
    reset_at: Option<Instant>,
    pub(crate) totals: Totals,
    reported: Totals,
    /// What the tracker knows to be held.
    held_reported: Option<(Digest, u32)>,
    have_queue: Vec<PieceId>,
    /// Somebody who may have it is looked for before anything is fetched.
    pub(crate) awaits_peer: bool,
    offers_wanted: u8,
    find_ms: u64,
    /// When what is due, in milliseconds since the start.
    manifest_at: Option<u64>,
    /// When manifests that the upload limit holds back may leave.
    manifests_due: Option<u64>,
    report_at: Option<u64>,
    have_at: Option<u64>,
    find_at: Option<u64>,
    look_at: u64,
    /// Why the tracker will have no more of us, or does not know the page.
    pub(crate) refused: Option<String>,
    /// Why there is no session now.
    pub(crate) lost: Option<String>,
    /// What went wrong with the origin last; none since it last gave something.
    pub(crate) origin_fault: Option<String>,
    pub(crate) failure: Option<PeerError>,
    /// When the first piece was verified, and when anything was learnt last.
    pub(crate) first_piece_at: Option<Instant>,
    pub(crate) advanced_at: Instant,
    buffer: Vec<u8>,
}

impl Peer {
    /// Opens sockets, dials the offers that came with the visit, and begins a session with the tracker.
    pub(crate) async fn start(config: PeerConfig) -> Result<Self, PeerError> {
        let sockets = open_sockets(&config).await?;
        let links = Links::new(&sockets.addresses()).map_err(|error| PeerError::Crypto(error.to_string()))?;
        let (event_sender, events) = mpsc::channel(ORIGIN_EVENTS_MAX);
        let start = Instant::now();
        let slots = if config.up == Some(Rate(0)) || !config.meets { 0 } else { config.slots };
        let mut peer = Self {
            start,
            page: config.page,
            ticket: config.ticket,
            takes_page: config.takes_page,
            follows: config.follows,
            meets: config.meets,
            in_crowd: config.in_crowd && config.meets,
            early_lease: EarlyLease::Unasked,
            slots,
            up: config.up,
            throttle: config.throttle,
            document: config.document,
            disk: config.disk,
            sockets,
            links,
            fetch: Fetch::new(FetchConfig { seed: rand::random() }),
            upload: Upload::new(UploadConfig { slots: slots.into(), bytes_per_s: config.up.map_or(0, |rate| rate.0), bytes_max: 0 }),
            store: config.store,
            encoded: EncodedCache::default(),
            arrival_numbers: HashMap::new(),
            tracker: None,
            events,
            event_sender,
            requests: JoinSet::new(),
            manifests: Manifests::default(),
            mirror: config.mirrors.then(Mirror::default),
            sought: config.manifest,
            asked_manifest: None,
            early: Vec::new(),
            early_bytes: 0,
            reset_at: None,
            totals: Totals::default(),
            reported: Totals::default(),
            held_reported: None,
            have_queue: Vec::new(),
            awaits_peer: false,
            offers_wanted: 0,
            find_ms: FIND_MS,
            manifest_at: None,
            manifests_due: None,
            report_at: None,
            have_at: None,
            find_at: None,
            look_at: LOOK_OVER_MS,
            refused: None,
            lost: None,
            origin_fault: None,
            failure: None,
            first_piece_at: None,
            advanced_at: start,
            buffer: vec![0; DATAGRAM_LEN_MAX],
            origin: config.origin,
        };
        if peer.in_crowd && peer.sought.is_some() && config.offers.is_empty() {
            // Nobody takes leases yet: the first one is asked for before anything else is known.
            peer.early_lease = EarlyLease::Asked;
        }
        peer.join(config.offers);
        peer.tracker = Some(TrackerClient::open(&peer.origin, peer.registration()));
        peer.pump();
        Ok(peer)
    }

    /// How far the download is.
    pub(crate) fn progress(&self) -> Progress {
        self.fetch.progress()
    }

    /// A file elsewhere holds this asset: it need not be fetched if that is true.
    pub(crate) fn adopt(&mut self, record: &AssetRecord, path: std::path::PathBuf) {
        if self.store.adopt(record, path).unwrap_or(false) {
            let ids: Vec<PieceId> = record.pieces.iter().map(viral_wire::Piece::id).collect();
            self.fetch.handle_held(self.now(), &ids);
            self.pump();
        }
    }

    /// Open connections.
    pub(crate) fn peers(&self) -> usize {
        self.links.opened().count()
    }

    /// Waits for one thing to happen and does what follows from it. Cancel-safe.
    pub(crate) async fn turn(&mut self) {
        let due = self.due();
        let now = Instant::now();
        let read_at = self.throttle.due(now);
        let backed_up = self.links.peek_transmit_source();
        tokio::select! {
            () = self.sockets.readable(), if read_at.is_none() => self.receive(),
            () = self.sockets.writable(backed_up.unwrap_or_else(unspecified)), if backed_up.is_some() => {}
            Some(event) = self.events.recv() => self.handle_origin(event),
            event = next_of(&mut self.tracker) => self.handle_tracker(event),
            () = sleep_until(due.into()) => self.handle_timeout(),
            () = sleep_until(read_at.unwrap_or(now).into()), if read_at.is_some() => {}
        }
        self.pump();
    }

    /// Says goodbye to everybody.
    pub(crate) async fn stop(mut self) {
        let (now, keys) = (Instant::now(), self.links.answered().map(|link| link.key).collect::<Vec<_>>());
        self.report();
        for key in keys {
            self.links.close(now, key, Some(ByeReason::Leaving));
        }
        self.transmit();
        if let Some(tracker) = self.tracker.take() {
            tracker.close(GOODBYE).await;
        }
        self.requests.abort_all();
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads what the sockets have, as far as the download limit allows.
    fn receive(&mut self) {
        let (links, throttle) = (&mut self.links, &self.throttle);
        let now = Instant::now();
        self.sockets.receive(&mut self.buffer, DATAGRAMS_PER_TURN, |source, destination, bytes| {
            links.handle_datagram(now, source, destination, bytes);
            throttle.take(now, bytes.len()).is_none()
        });
    }

    /// The next thing that is due.
    fn due(&self) -> Instant {
        let engines = [self.fetch.poll_timeout(), self.upload.poll_timeout(), self.manifest_at, self.report_at, self.have_at, self.find_at];
        let engines = engines.into_iter().chain([self.manifests_due]);
        let engines = engines.chain([self.mirror.as_ref().map(|mirror| mirror.ask_at)]);
        let ms = engines.flatten().min().unwrap_or(u64::MAX).min(self.look_at);
        let at = self.start + Duration::from_millis(ms);
        self.links.poll_timeout().map_or(at, |links| links.min(at))
    }

    fn handle_timeout(&mut self) {
        self.links.handle_timeout(Instant::now());
        let now = self.now();
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if is_due(self.fetch.poll_timeout()) {
            self.fetch.handle_timeout(now);
        }
        if is_due(self.upload.poll_timeout()) {
            self.upload.handle_timeout(now);
        }
        if is_due(self.manifest_at) {
            self.ask_manifest();
        }
        if is_due(self.manifests_due) {
            self.pass_manifests();
        }
        if is_due(self.report_at) {
            self.report();
        }
        if is_due(self.have_at) {
            self.send_haves();
        }
        if is_due(self.find_at) {
            self.find();
        }
        if is_due(self.mirror.as_ref().map(|mirror| mirror.ask_at)) {
            self.ask_listing();
        }
        if is_due(Some(self.look_at)) {
            self.look_at = now + LOOK_OVER_MS;
            self.look_over();
        }
    }

    /// Closes connections that nobody used for a while, and those that never opened.
    fn look_over(&mut self) {
        let now = Instant::now();
        let is_over = |link: &crate::link::Link| {
            now.duration_since(if link.opened { link.used_at } else { link.started_at }) >= if link.opened { IDLE } else { DIAL_GIVEN_UP }
        };
        let over: Vec<PeerKey> = self.links.answered().filter(|link| is_over(link)).map(|link| link.key).collect();
        for key in over {
            self.end_link(key, Some(ByeReason::Idle));
        }
    }

    /// Does everything that follows from what was heard, until nothing does any more.
    fn pump(&mut self) {
        loop {
            let mut quiet = true;
            while let Some((key, event)) = self.links.poll_event() {
                self.handle_link(key, event);
                quiet = false;
            }
            while let Some(output) = self.fetch.poll() {
                self.do_fetch(output);
                quiet = false;
            }
            while let Some(output) = self.upload.poll() {
                self.do_upload(output);
                // What was sent leaves before the next piece is read, so that both ends work at the same time.
                self.links.flush(Instant::now());
                self.transmit();
                quiet = false;
            }
            self.links.flush(Instant::now());
            self.transmit();
            if quiet {
                return;
            }
        }
    }

    /// Sends datagrams until the system has no more room for them.
    fn transmit(&mut self) {
        while let Some(transmit) = self.links.poll_transmit() {
            if !self.sockets.send(transmit.source, transmit.destination, &transmit.contents) {
                self.links.push_back(transmit);
                return;
            }
        }
    }

    fn handle_link(&mut self, key: PeerKey, event: LinkEvent) {
        match event {
            LinkEvent::Opened => self.handle_open(key),
            LinkEvent::Frame(frame) => self.handle_frame(key, frame),
            LinkEvent::Malformed => self.fetch_fault(key, viral_swarm::fetch::Fault::Malformed),
            LinkEvent::Low => self.handle_low(key),
            LinkEvent::Closed => {
                tracing::debug!(key, "the other end is gone");
                self.end_link(key, None);
            }
        }
    }

    fn handle_frame(&mut self, key: PeerKey, frame: Frame) {
        let heard = self.links.get(key).map(|link| link.note_activity(Instant::now(), &frame));
        match heard {
            Some(true) => {}
            Some(false) => return self.fetch_fault(key, viral_swarm::fetch::Fault::Malformed),
            None => return,
        }
        match frame {
            Frame::Hello { .. } | Frame::Have { .. } | Frame::Refuse { .. } | Frame::Piece { .. } | Frame::ManifestPart { .. } => {
                self.handle_given(key, frame);
            }
            Frame::Want { .. } | Frame::Cancel { .. } | Frame::Query { .. } | Frame::WantManifest { .. } => self.handle_asked(key, frame),
            Frame::Bye { reason } => {
                tracing::debug!(key, ?reason, "the other end says goodbye");
                self.end_link(key, None);
            }
        }
    }

    /// The connection is over, from either side.
    fn end_link(&mut self, key: PeerKey, reason: Option<ByeReason>) {
        let Some(link) = self.links.get(key) else { return };
        let (peer, offer) = (link.peer, link.offer);
        self.links.close(Instant::now(), key, reason);
        let now = self.now();
        self.fetch.handle_closed(now, key);
        self.upload.handle_closed(now, key);
        if let Some(peer) = peer {
            self.signal(PeerToTracker::Closed { peer, offer });
        }
        self.look_for_peers();
        self.ask_if_alone();
    }
}

async fn open_sockets(config: &PeerConfig) -> Result<Sockets, PeerError> {
    let refused = |cause| PeerError::Socket { bind: config.bind, cause };
    let receive_buffer_len = match config.down {
        Some(rate) => {
            usize::try_from(rate.0 * LIMITED_BUFFER_MS / 1_000).unwrap_or(usize::MAX).clamp(LIMITED_BUFFER_LEN_MIN, SOCKET_BUFFER_LEN)
        }
        None => SOCKET_BUFFER_LEN,
    };
    let addresses = match config.bind {
        Some(bind) if !bind.is_unspecified() => vec![bind],
        Some(_) | None => own_addresses(config.origin.address().await).map_err(refused)?,
    };
    if addresses.is_empty() {
        return Err(refused(io::Error::other("this machine has no address that others could reach")));
    }
    Sockets::bind(&addresses, receive_buffer_len).map_err(refused)
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
