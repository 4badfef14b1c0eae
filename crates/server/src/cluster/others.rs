//! The other servers, as one of them sees them: what is said, waited for and handed on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use viral_swarm::cluster::{Hello, Message, Numbers, Roster, Seek, ServerNumber};
use viral_swarm::limits::{CLUSTER_HOLDINGS_MAX, CLUSTER_ROLL_MAX_MS, CLUSTER_SILENCE_MAX_MS};
use viral_swarm::tracker::{AnswerError, ClientAddr, GuestWish, VisitError};
use viral_wire::signal::{Answer, AnswerPost, Counts, FaultReport, Offer, PeerNumber, VisitPost};
use viral_wire::{Digest, Ticket};

use super::pages::SharedPages;
use super::rolling::RollingSite;
use crate::cluster_stats::{ClusterSnapshot, ServerSnapshot};
use crate::hub::Hub;
use crate::limits::{CLUSTER_ANSWER_WAIT, CLUSTER_SEEK_WAIT, CLUSTER_SEND_QUEUE_MAX, CLUSTER_WAITING_MAX};
use crate::stats::Stats;

/// The other servers, as one of them sees them.
pub(crate) struct Cluster {
    pub(super) number: ServerNumber,
    pub(super) hub: Arc<Hub>,
    pub(super) site: Arc<RollingSite>,
    pub(super) stats: Arc<Stats>,
    start: Instant,
    /// Whether Redis takes what is said.
    is_up: AtomicBool,
    send_queue: mpsc::Sender<Post>,
    next_id: AtomicU64,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Reply>>>,
    known: Mutex<Known>,
    pub(super) pages: SharedPages,
    /// What was not said, or not answered in time.
    lost: AtomicU64,
    /// When it last heard what it said to all, in milliseconds: who does not hear that hears nobody.
    heard_ms: AtomicU64,
}

#[derive(Default)]
struct Known {
    roster: Roster,
    told: BTreeMap<ServerNumber, Told>,
    /// Manifests of which the others were told that peers of this server hold them.
    holds: BTreeSet<Digest>,
    /// The newest version, and since when it waits for other servers, in milliseconds.
    waits: Option<(String, u64)>,
}

/// What another server tells of itself, for people.
struct Told {
    version: String,
    numbers: Numbers,
}

/// Something to be said, and to whom: all if nobody is named.
pub(super) struct Post {
    pub(super) to: Option<ServerNumber>,
    pub(super) text: Vec<u8>,
}

/// What was waited for.
enum Reply {
    Given(Vec<Offer>),
    Relayed(Option<AnswerError>),
}

/// A visitor for whom peers are sought.
pub(crate) struct Sought<'a> {
    pub(crate) addr: ClientAddr,
    pub(crate) page: &'a str,
    pub(crate) manifest: Digest,
    pub(crate) ticket: Ticket,
}

impl Cluster {
    pub(super) fn new(
        number: ServerNumber,
        (hub, site): (Arc<Hub>, Arc<RollingSite>),
        stats: Arc<Stats>,
    ) -> (Arc<Self>, mpsc::Receiver<Post>) {
        let (send_queue, posts) = mpsc::channel(CLUSTER_SEND_QUEUE_MAX);
        let cluster = Self {
            number,
            hub,
            site,
            stats,
            start: Instant::now(),
            is_up: AtomicBool::new(false),
            send_queue,
            next_id: AtomicU64::new(rand::random()),
            waiting: Mutex::default(),
            known: Mutex::default(),
            pages: SharedPages::default(),
            lost: AtomicU64::new(0),
            heard_ms: AtomicU64::new(0),
        };
        (Arc::new(cluster), posts)
    }

    /// A ticket of this server.
    pub(crate) fn ticket(&self, drawn: Ticket) -> Ticket {
        self.number.ticket(drawn)
    }

    /// Whether a peer's socket hangs on another server.
    pub(crate) fn is_foreign(&self, peer: PeerNumber) -> bool {
        ServerNumber::of_peer(peer) != self.number
    }

    /// Has other servers reserve peers for a visitor. Waits for a moment at most; nobody then.
    pub(crate) async fn seek(&self, sought: &Sought<'_>, wanted: usize, wish: GuestWish) -> Vec<Offer> {
        if !self.is_up() {
            return Vec::new();
        }
        let servers = self.known().roster.whom_to_ask(self.now_ms(), &sought.manifest);
        let asked = servers.into_iter().enumerate().map(|(at, server)| {
            // What two push is dealt out by one of them.
            let wish = GuestWish { push: wish.push && at == 0, ..wish };
            let seek = move |id| {
                let Sought { addr, page, manifest, ticket } = *sought;
                Message::Seek(Box::new(Seek { from: self.number, id, addr, page: page.to_owned(), manifest, wanted, ticket, wish }))
            };
            async move {
                match timeout(CLUSTER_SEEK_WAIT, self.ask(server, seek)).await {
                    // A number leads answers back: no other server is believed about it.
                    Ok(Some(Reply::Given(offers))) => {
                        offers.into_iter().filter(|offer| ServerNumber::of_peer(offer.peer) == server).collect()
                    }
                    Ok(Some(Reply::Relayed(_)) | None) => Vec::new(),
                    Err(_) => {
                        self.lost.fetch_add(1, Relaxed);
                        Vec::new()
                    }
                }
            }
        });
        let mut offers: Vec<Offer> = join_all(asked).await.into_iter().flatten().collect();
        offers.sort_by_key(|offer| offer.far);
        offers.truncate(wanted);
        offers
    }

    /// Answers of a thin visit, each to the server that gave the offer.
    ///
    /// # Errors
    /// As [`Hub::answers`], where not one of them was relayed.
    pub(crate) async fn answers(&self, AnswerPost { ticket, answers }: AnswerPost) -> Result<(), AnswerError> {
        let (foreign, own): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| self.is_foreign(answer.peer));
        let there = self.foreign_answers(ticket, foreign).await;
        let here = (!own.is_empty()).then(|| self.hub.answers(AnswerPost { ticket, answers: own }));
        match (here, there) {
            (Some(Ok(())), _) | (_, Some(Ok(()))) => Ok(()),
            (Some(Err(error)), _) | (None, Some(Err(error))) => Err(error),
            (None, None) => Err(AnswerError::Malformed),
        }
    }

    /// Those of them whose offers other servers gave; none if there are none.
    async fn foreign_answers(&self, ticket: Ticket, answers: Vec<Answer>) -> Option<Result<(), AnswerError>> {
        let mut by_server: BTreeMap<ServerNumber, Vec<Answer>> = BTreeMap::new();
        for answer in answers {
            by_server.entry(ServerNumber::of_peer(answer.peer)).or_default().push(answer);
        }
        let from = self.number;
        let relayed = by_server.into_iter().map(|(server, answers)| async move {
            let reply = self.ask(server, |id| Message::Answers { from, id, ticket, answers });
            match timeout(CLUSTER_ANSWER_WAIT, reply).await {
                Ok(Some(Reply::Relayed(refused))) => refused.map_or(Ok(()), Err),
                // The server is gone, and with it the way to its peers.
                Ok(Some(Reply::Given(_)) | None) => Err(AnswerError::Gone),
                Err(_) => {
                    self.lost.fetch_add(1, Relaxed);
                    Err(AnswerError::Gone)
                }
            }
        });
        let results = join_all(relayed).await;
        results.into_iter().reduce(|one, other| one.or(other))
    }

    /// What a visit reports: to the server that opened it, and what it says of peers to those whose peers they are.
    ///
    /// # Errors
    /// As [`Hub::visit`], where the visit is of this server.
    pub(crate) fn visit(&self, post: VisitPost) -> Result<(), VisitError> {
        let home = ServerNumber::of_ticket(post.ticket);
        if home == self.number {
            self.hub.visit(&post)?;
        } else if !self.is_known(home) {
            return Err(VisitError::Unknown);
        }
        // The server of the ticket gets all of it, others what is of their peers.
        self.report(Some(home), post.ticket, &post.counts, &post.faults);
        if home != self.number {
            self.post(Some(home), &Message::Visit { post });
        }
        Ok(())
    }

    /// What the holder of a ticket got from other servers' peers, and how they misbehaved; one server hears of it otherwise.
    pub(super) fn report(&self, but: Option<ServerNumber>, ticket: Ticket, counts: &Counts, faults: &[FaultReport]) {
        let mut by_server: BTreeMap<ServerNumber, VisitPost> = BTreeMap::new();
        // How much it took in all is counted where the visit is.
        let counts_of = || Counts { pieces_verified: counts.pieces_verified, ..Counts::default() };
        let post = || VisitPost { ticket, counts: counts_of(), faults: Vec::new() };
        for fault in faults.iter().filter(|fault| self.is_foreign(fault.peer)) {
            by_server.entry(ServerNumber::of_peer(fault.peer)).or_insert_with(post).faults.push(*fault);
        }
        for source in counts.sources.iter().filter(|source| self.is_foreign(source.peer)) {
            by_server.entry(ServerNumber::of_peer(source.peer)).or_insert_with(post).counts.sources.push(*source);
        }
        for (server, post) in by_server.into_iter().filter(|(server, _)| Some(*server) != but && self.is_known(*server)) {
            self.post(Some(server), &Message::Visit { post });
        }
    }

    /// How the cluster is, for people.
    pub(crate) fn snapshot(&self) -> ClusterSnapshot {
        // Who holds what is for the other servers.
        let own = self.hello(0);
        let mut servers = vec![ServerSnapshot { server: self.number.0, own: true, version: own.version, numbers: own.numbers }];
        let known = self.known();
        for (number, told) in &known.told {
            servers.push(ServerSnapshot { server: number.0, own: false, version: told.version.clone(), numbers: told.numbers.clone() });
        }
        ClusterSnapshot {
            server: self.number.0,
            connected: self.is_up(),
            lost: self.lost.load(Relaxed),
            waiting: known.waits.as_ref().map(|(tag, _)| tag.clone()),
            servers,
        }
    }

    /// A forger was dropped here.
    pub(super) fn flag(&self, address: IpAddr) {
        self.post(None, &Message::Flagged { from: self.number, address });
    }

    /// What another server says, or all of them.
    pub(super) fn handle(&self, text: &[u8]) {
        let message = match serde_json::from_slice(text) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%error, "what another server says cannot be read: it may be of another version"),
        };
        match message {
            Message::Hello(hello) => self.handle_hello(*hello),
            Message::Bye { from } => {
                let mut known = self.known();
                known.told.remove(&from);
                if known.roster.handle_bye(from) {
                    tracing::info!(server = from.0, "a server of the cluster ends");
                }
            }
            Message::Seek(seek) => {
                let (to, id) = (seek.from, seek.id);
                let offers = self.hub.give_guest(seek.addr, (&seek.page, seek.manifest), (seek.ticket, seek.wanted), seek.wish);
                self.post(Some(to), &Message::Given { id, offers });
            }
            Message::Given { id, offers } => self.reply(id, Reply::Given(offers)),
            Message::Answers { from, id, ticket, answers } => {
                let refused = self.hub.answers(AnswerPost { ticket, answers }).err();
                self.post(Some(from), &Message::Relayed { id, refused });
            }
            Message::Relayed { id, refused } => self.reply(id, Reply::Relayed(refused)),
            Message::Visit { post } => {
                if let Err(error) = self.hub.visit(&post) {
                    tracing::debug!(%error, "a visit of another server");
                }
            }
            Message::Seen { from, seen } if from != self.number => seen.iter().for_each(|seen| self.hub.visits().handle_seen(seen)),
            Message::Flagged { from, address } if from != self.number => self.hub.flag(address),
            Message::Page { from, page, generation, state } if from != self.number => {
                self.pages.adopt(&self.hub, &page, generation, *state)
            }
            Message::Seen { .. } | Message::Flagged { .. } | Message::Page { .. } => {}
        }
    }

    fn handle_hello(&self, Hello { from, version, versions, holds, numbers }: Hello) {
        if from == self.number {
            self.heard_ms.store(self.now_ms(), Relaxed);
            return;
        }
        let mut known = self.known();
        let is_new = known.roster.handle_hello(self.now_ms(), from, holds, versions);
        if is_new || known.told.contains_key(&from) {
            known.told.insert(from, Told { version, numbers });
        }
        drop(known);
        self.roll();
        if is_new {
            tracing::info!(server = from.0, "a server of the cluster is there");
            // It knows nobody yet.
            self.say_hello();
        }
    }

    /// Looks who fell silent.
    pub(super) fn look(&self) {
        let now_ms = self.now_ms();
        let mut known = self.known();
        for gone in known.roster.handle_timeout(now_ms) {
            known.told.remove(&gone);
            tracing::warn!(server = gone.0, "a server of the cluster says nothing any more");
        }
        drop(known);
        self.roll();
    }

    /// Shows the version that all servers have, or the newest where the others do not get it.
    pub(super) fn roll(&self) {
        let (now_ms, tags) = (self.now_ms(), self.site.tags());
        let mut known = self.known();
        let is_late = |since_ms: u64| now_ms.saturating_sub(since_ms) >= CLUSTER_ROLL_MAX_MS;
        // Redis is away for a moment: nobody knows whether the others have it by now.
        if !self.is_up() && known.waits.as_ref().is_some_and(|(tag, since_ms)| Some(tag) == tags.first() && !is_late(*since_ms)) {
            return;
        }
        let agreed = known.roster.agreed(&tags).filter(|_| self.is_up());
        let Some((newest, agreed)) = tags.first().zip(agreed).filter(|(newest, agreed)| newest != agreed) else {
            known.waits = None;
            drop(known);
            return self.site.show(None);
        };
        let since_ms = match &known.waits {
            Some((tag, since_ms)) if tag == newest => *since_ms,
            Some(_) | None => {
                tracing::info!(version = %newest, "a new version waits until all servers of the cluster have it");
                known.waits = Some((newest.clone(), now_ms));
                now_ms
            }
        };
        drop(known);
        self.site.show((!is_late(since_ms)).then_some(agreed));
    }

    /// What is so here, with so many manifests that somebody here holds.
    fn hello(&self, holdings_max: usize) -> Hello {
        let (version, holds, numbers) = self.hub.report(holdings_max);
        let [full, thin, plain] = self.stats.answers();
        let numbers = Numbers { full, thin, plain, sent_bytes: self.stats.sent_of_all(), ..numbers };
        Hello { from: self.number, version, versions: self.site.tags(), holds, numbers }
    }

    /// Tells the others at once that somebody here has a page that nobody here had a moment ago.
    pub(super) fn tell_holdings(&self) {
        let holds = self.hub.holdings(CLUSTER_HOLDINGS_MAX).into_iter().map(|(manifest, _)| manifest).collect();
        let mut known = self.known();
        let is_new = !known.holds.is_superset(&holds);
        known.holds = holds;
        drop(known);
        if is_new {
            self.say_hello();
        }
    }

    pub(super) fn say_hello(&self) {
        self.post(None, &Message::Hello(Box::new(self.hello(CLUSTER_HOLDINGS_MAX))));
    }

    /// Whether nothing that was said to all came back for a while.
    pub(super) fn is_deaf(&self) -> bool {
        self.now_ms().saturating_sub(self.heard_ms.load(Relaxed)) > 2 * CLUSTER_SILENCE_MAX_MS
    }

    pub(super) fn set_up(&self, is_up: bool) {
        self.heard_ms.store(self.now_ms(), Relaxed);
        self.is_up.store(is_up, Relaxed);
        if !is_up {
            let mut known = self.known();
            known.roster.clear();
            known.told.clear();
            drop(known);
            self.roll();
        }
    }

    fn is_up(&self) -> bool {
        self.is_up.load(Relaxed)
    }

    /// Asks a server and waits for its reply; none where nothing can be asked.
    async fn ask(&self, server: ServerNumber, message: impl FnOnce(u64) -> Message) -> Option<Reply> {
        // Whoever answers or reports may name any server.
        if !self.is_known(server) {
            return None;
        }
        let id = self.next_id.fetch_add(1, Relaxed);
        let (sender, reply) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever gave up waiting left its place.
            if waiting.len() >= CLUSTER_WAITING_MAX {
                waiting.retain(|_, sender| !sender.is_closed());
            }
            if waiting.len() >= CLUSTER_WAITING_MAX {
                return None;
            }
            waiting.insert(id, sender);
        }
        if !self.post(Some(server), &message(id)) {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            return None;
        }
        reply.await.ok()
    }

    fn reply(&self, id: u64, reply: Reply) {
        if let Some(sender) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            // Nobody waits any more: what was reserved lapses.
            let _ = sender.send(reply);
        }
    }

    /// Says something as soon as it can be said; false where nothing can.
    pub(super) fn post(&self, to: Option<ServerNumber>, message: &Message) -> bool {
        let Some(text) = self.is_up().then(|| serde_json::to_vec(message).ok()).flatten() else { return false };
        let is_taken = self.send_queue.try_send(Post { to, text }).is_ok();
        if !is_taken {
            self.lost.fetch_add(1, Relaxed);
        }
        is_taken
    }

    fn is_known(&self, server: ServerNumber) -> bool {
        self.known().roster.knows(server)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
