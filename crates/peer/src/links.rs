//! All connections of one peer behind its sockets: datagrams and time in, datagrams and events out. Performs no I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Candidate, CandidateKind, Input};
use viral_swarm::client::config::LINKS_MAX;
use viral_swarm::fetch::PeerKey;
use viral_swarm::ice_candidates;
use viral_swarm::upload::{FairScheduler, Waiting};
use viral_wire::frame::ByeReason;
use viral_wire::limits::OFFERS_PER_PEER_MAX;
use viral_wire::signal::PeerNumber;
use viral_wire::{Description, Frame};

use crate::limits::{LINE_LEN_MIN, STUCK};
use crate::link::{Link, LinkConfig, LinkError, LinkEvent};

/// Drive it: call one `handle_*` or verb, drain [`poll_event`](Self::poll_event) and [`poll_transmit`](Self::poll_transmit), then sleep until
/// [`poll_timeout`](Self::poll_timeout).
pub(crate) struct Links {
    config: LinkConfig,
    /// The addresses of the sockets.
    own: Vec<IpAddr>,
    links: BTreeMap<PeerKey, Link>,
    /// Where datagrams of a remote address went last: a hint, checked each time.
    by_source: HashMap<SocketAddr, PeerKey>,
    next_key: PeerKey,
    next_offer: u32,
    /// Connections with frames that are not datagrams yet.
    unsent: BTreeSet<PeerKey>,
    scheduler: FairScheduler,
    /// When to look again whether a piece may be sent, if nothing comes before.
    serve_at: Option<Instant>,
    events: VecDeque<(PeerKey, LinkEvent)>,
    transmits: VecDeque<Transmit>,
}

impl Links {
    /// No connections yet; `addresses` are those of the sockets.
    pub(crate) fn new(addresses: &[SocketAddr]) -> Result<Self, LinkError> {
        Ok(Self {
            config: LinkConfig::new(addresses)?,
            own: addresses.iter().map(SocketAddr::ip).collect(),
            links: BTreeMap::new(),
            by_source: HashMap::new(),
            next_key: 1,
            next_offer: 1,
            unsent: BTreeSet::new(),
            scheduler: FairScheduler::default(),
            serve_at: None,
            events: VecDeque::new(),
            transmits: VecDeque::new(),
        })
    }

    /// The world sees these sockets at these addresses: connections made from now on tell others so. True if that is news.
    pub(crate) fn set_reflexive(&mut self, mapped: &[(SocketAddr, SocketAddr)]) -> bool {
        let reflexive = |(base, mapped): &(SocketAddr, SocketAddr)| Candidate::server_reflexive(*mapped, *base, "udp").ok();
        let hosts = self.config.candidates.iter().filter(|candidate| candidate.kind() == CandidateKind::Host);
        let candidates: Vec<Candidate> = hosts.cloned().chain(mapped.iter().filter_map(reflexive)).collect();
        let is_news = candidates != self.config.candidates;
        self.config.candidates = candidates;
        is_news
    }

    /// Makes the offers that nobody answered anew, under their numbers: those of before name addresses that lead nowhere any more.
    pub(crate) fn renew_offers(&mut self, now: Instant) -> Vec<(u32, Description)> {
        let waiting: Vec<(PeerKey, u32)> =
            self.links.values().filter(|link| link.is_waiting()).map(|link| (link.key, link.offer)).collect();
        let mut renewed = Vec::new();
        for (old, number) in waiting {
            self.links.remove(&old);
            let key = self.fresh_key();
            match Link::offering(&self.config, now, key, number) {
                Ok((link, description)) => {
                    self.links.insert(key, link);
                    renewed.push((number, description));
                }
                Err(error) => tracing::warn!(%error, "an offer cannot be renewed"),
            }
        }
        renewed
    }

    /// Makes a ready-made offer. The oldest that nobody answered is withdrawn when there are too many.
    pub(crate) fn offer(&mut self, now: Instant) -> Result<(u32, Description), LinkError> {
        let waiting: Vec<PeerKey> = self.links.values().filter(|link| link.is_waiting()).map(|link| link.key).collect();
        if waiting.len() >= OFFERS_PER_PEER_MAX {
            self.close(now, waiting[0], None);
        }
        let (key, number) = (self.fresh_key(), self.next_offer);
        self.next_offer += 1;
        let (link, description) = Link::offering(&self.config, now, key, number)?;
        self.links.insert(key, link);
        Ok((number, description))
    }

    /// Answers somebody's offer.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        from: (PeerNumber, u32),
        description: &Description,
    ) -> Result<(PeerKey, Description), LinkError> {
        if !self.has_room() {
            return Err(LinkError::Full);
        }
        let key = self.fresh_key();
        let (link, answer) = Link::answering(&self.config, now, key, from, &self.dialable(description))?;
        self.links.insert(key, link);
        self.settle(now, key);
        Ok((key, answer))
    }

    /// Somebody answered one of our offers; the link it became, unless it is gone or of no use.
    pub(crate) fn accept(&mut self, now: Instant, offer: u32, peer: PeerNumber, answer: &Description) -> Option<PeerKey> {
        let answer = self.dialable(answer);
        let link = self.links.values_mut().find(|link| link.offer == offer && link.is_waiting())?;
        let key = link.key;
        match link.accept(now, peer, &answer) {
            Ok(()) => {
                self.settle(now, key);
                Some(key)
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "answer is of no use");
                self.links.remove(&key);
                None
            }
        }
    }

    /// The other end of a connection has our answer: it is looked for at these addresses, too.
    pub(crate) fn reach(&mut self, now: Instant, key: PeerKey, candidates: &[viral_wire::description::Candidate]) {
        let candidates = ice_candidates::dialled(candidates, &self.own);
        if let Some(link) = self.links.get_mut(&key) {
            match link.reach(now, &candidates) {
                Ok(()) => self.settle(now, key),
                Err(error) => self.broken(key, &error),
            }
        }
    }

    /// Withdraws every offer that nobody answered.
    pub(crate) fn withdraw_offers(&mut self) {
        self.links.retain(|_, link| !link.is_waiting());
    }

    /// Whether there is room for one more connection.
    pub(crate) fn has_room(&self) -> bool {
        self.links.values().filter(|link| !link.is_waiting()).count() < LINKS_MAX
    }

    /// The connection of this name.
    pub(crate) fn get(&mut self, key: PeerKey) -> Option<&mut Link> {
        self.links.get_mut(&key)
    }

    /// Sends a frame; false if there is no such connection or it cannot take it.
    #[cfg(any(test, feature = "rogue"))]
    pub(crate) fn send(&mut self, key: PeerKey, frame: &Frame) -> bool {
        self.send_urgent(key, frame, 0)
    }

    /// Sends a frame before what waits and is less urgent; false if there is no such connection or it cannot take it. Its datagrams leave with the next
    /// [`Self::flush`].
    pub(crate) fn send_urgent(&mut self, key: PeerKey, frame: &Frame, urgency: u64) -> bool {
        let sent = self.links.get_mut(&key).is_some_and(|link| link.send(frame, urgency));
        if sent {
            self.unsent.insert(key);
        }
        sent
    }

    /// Turns what was sent into datagrams.
    pub(crate) fn flush(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.unsent) {
            self.settle(now, key);
        }
    }

    /// Sends pieces of one connection after the other, as long as their line has room. One line carries them all: were all sent at once, each would take as long as
    /// all of them, and nobody could pass on the first meanwhile. [`FairScheduler`] says whose goes next.
    fn serve(&mut self, now: Instant) {
        let mut waiting: Vec<Waiting> = self.links.values().filter_map(|link| link.next_piece(now)).collect();
        if waiting.is_empty() {
            self.serve_at = self.next_stall(now);
            return;
        }
        // Whose oldest piece is older than a full queue explains waits for a slow line of its own, or for nothing: that is no matter of ours.
        let due = |link: &Link| link.oldest().map(|since| since + STUCK).filter(|due| now < *due);
        let is_used = |link: &&Link| link.in_flight() > 0 || link.next_piece(now).is_some();
        let mut in_flight: usize = self.links.values().filter(|link| due(link).is_some()).map(Link::in_flight).sum();
        let room = LINE_LEN_MIN + self.links.values().filter(is_used).map(Link::path_len).sum::<usize>();
        while let Some((key, turn)) = self.scheduler.next(&waiting, in_flight < room) {
            let link = self.links.get_mut(&key);
            let (len, more) = link.map_or((0, None), |link| (link.write_piece(now, turn), link.next_piece(now)));
            in_flight += len;
            if let Ok(place) = waiting.binary_search_by_key(&key, |one| one.peer) {
                match more.filter(|_| len > 0) {
                    Some(more) => waiting[place] = more,
                    None => drop(waiting.remove(place)),
                }
            }
            self.drain(now, key);
        }
        let held_until = if waiting.is_empty() { None } else { self.links.values().filter_map(due).min() };
        self.serve_at = self.next_stall(now).into_iter().chain(held_until).min();
    }

    /// When the next connection with a piece that waits counts as stalled.
    fn next_stall(&self, now: Instant) -> Option<Instant> {
        self.links.values().filter_map(Link::stalls_at).filter(|at| now < *at).min()
    }

    /// Ends a connection; nothing is heard of it any more.
    pub(crate) fn close(&mut self, now: Instant, key: PeerKey, reason: Option<ByeReason>) {
        if let Some(link) = self.links.remove(&key) {
            link.close(now, reason, &mut self.transmits);
            self.serve(now);
        }
    }

    /// A datagram came. What is for nobody is dropped.
    pub(crate) fn handle_datagram(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, bytes) else { return };
        let input = Input::Receive(now, receive);
        let hinted = self.by_source.get(&source).copied();
        let hinted = hinted.filter(|key| self.links.get(key).is_some_and(|link| link.accepts(&input)));
        let Some(key) = hinted.or_else(|| self.links.values().find(|link| link.accepts(&input)).map(|link| link.key)) else { return };
        if hinted.is_none() {
            if self.by_source.len() >= 4 * LINKS_MAX {
                self.by_source.clear();
            }
            self.by_source.insert(source, key);
        }
        let Some(link) = self.links.get_mut(&key) else { return };
        match link.handle_input(input) {
            Ok(()) => self.settle(now, key),
            Err(error) => self.broken(key, &error),
        }
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<PeerKey> = self.links.values().filter(|link| link.due <= now).map(|link| link.key).collect();
        for key in due {
            let Some(link) = self.links.get_mut(&key) else { continue };
            match link.handle_input(Input::Timeout(now)) {
                Ok(()) => self.settle(now, key),
                Err(error) => self.broken(key, &error),
            }
        }
        let silent: Vec<PeerKey> =
            self.links.values().filter(|link| link.silent_at().is_some_and(|at| at <= now)).map(|link| link.key).collect();
        for key in silent {
            if let Some(link) = self.links.get_mut(&key) {
                link.span.in_scope(|| tracing::debug!("nothing was heard from the other end"));
                link.give_up();
            }
            self.events.push_back((key, LinkEvent::Closed));
        }
        if self.serve_at.is_some_and(|at| at <= now) {
            self.serve(now);
        }
    }

    /// What was told of another peer, without addresses that no peer has.
    fn dialable(&self, description: &Description) -> Description {
        let mut description = description.clone();
        description.set_candidates(ice_candidates::dialled(description.candidates(), &self.own));
        description
    }

    /// When to call [`Self::handle_timeout`]; none while there are no connections.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.links.values().flat_map(|link| [Some(link.due), link.silent_at()]).flatten().chain(self.serve_at).min()
    }

    /// What happened, in order.
    pub(crate) fn poll_event(&mut self) -> Option<(PeerKey, LinkEvent)> {
        self.events.pop_front()
    }

    /// What to send, in order.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Puts back what could not be sent now.
    pub(crate) fn push_back(&mut self, transmit: Transmit) {
        self.transmits.push_front(transmit);
    }

    /// From where the next datagram is to leave, if one waits.
    pub(crate) fn peek_transmit_source(&self) -> Option<SocketAddr> {
        self.transmits.front().map(|transmit| transmit.source)
    }

    fn fresh_key(&mut self) -> PeerKey {
        let key = self.next_key;
        self.next_key += 1;
        key
    }

    /// Takes out what a connection has to say.
    fn settle(&mut self, now: Instant, key: PeerKey) {
        self.drain(now, key);
        self.serve(now);
    }

    fn drain(&mut self, now: Instant, key: PeerKey) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let events = &mut self.events;
        if let Err(error) = link.drain(now, &mut self.transmits, |event| events.push_back((key, event))) {
            self.broken(key, &error);
        }
    }

    fn broken(&mut self, key: PeerKey, error: &LinkError) {
        let Some(link) = self.links.get(&key) else { return };
        link.span.in_scope(|| tracing::debug!(%error, "connection broke"));
        // A datagram that anybody may forge does not end an offer that waits.
        if !link.is_waiting() {
            self.events.push_back((key, LinkEvent::Closed));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::ICE_SILENCE;

    fn links(port: u16) -> Links {
        Links::new(&[SocketAddr::from(([127, 0, 0, 1], port))]).unwrap()
    }

    /// Lets time pass and throws away what is sent; what happened, and how many datagrams left.
    fn pass(links: &mut Links, until: Instant) -> (Vec<PeerKey>, usize) {
        let (mut closed, mut sent) = (Vec::new(), 0);
        while let Some(at) = links.poll_timeout().filter(|at| *at <= until) {
            links.handle_timeout(at);
            sent += std::iter::from_fn(|| links.poll_transmit()).count();
            while let Some((key, event)) = links.poll_event() {
                assert!(matches!(event, LinkEvent::Closed), "{event:?}");
                links.close(at, key, None);
                closed.push(key);
            }
        }
        (closed, sent)
    }

    #[test]
    fn whoever_is_never_heard_of_is_sent_nothing_after_five_seconds() {
        let (mut asked, mut asking) = (links(5_001), links(5_002));
        let start = Instant::now();
        let (offer, description) = asked.offer(start).unwrap();
        let peer = PeerNumber::from_bits(7);
        let (dialled, answer) = asking.answer(start, (peer, offer), &description).unwrap();
        let accepted = asked.accept(start, offer, peer, &answer).unwrap();
        let millisecond = Duration::from_millis(1);
        for (links, key) in [(&mut asking, dialled), (&mut asked, accepted)] {
            let (closed, sent) = pass(links, start + ICE_SILENCE - millisecond);
            assert!(closed.is_empty(), "it may be late");
            assert!(sent > 0, "it is looked for");
            assert_eq!(pass(links, start + ICE_SILENCE).0, [key]);
            assert_eq!(pass(links, start + 20 * ICE_SILENCE), (Vec::new(), 0));
        }
    }

    #[test]
    fn an_offer_that_nobody_answered_is_not_given_up() {
        let mut links = links(5_003);
        let start = Instant::now();
        links.offer(start).unwrap();
        assert!(pass(&mut links, start + 20 * ICE_SILENCE).0.is_empty());
    }

    #[test]
    fn nothing_is_sent_to_an_address_that_no_peer_has() {
        let (mut asked, mut asking) = (links(5_004), links(5_005));
        let start = Instant::now();
        let (offer, mut description) = asked.offer(start).unwrap();
        let named = ["u|224.0.0.251|5353|z|h", "u|255.255.255.255|9|y|h", "u|0.0.0.0|9|x|h", "u|192.0.43.8|9|w|r", "t|192.0.43.8|9|v|h"];
        description.set_candidates(named.iter().map(|text| text.parse().unwrap()).collect());
        asking.answer(start, (PeerNumber::from_bits(7), offer), &description).unwrap();
        assert_eq!(pass(&mut asking, start + ICE_SILENCE).1, 0);
    }
}
