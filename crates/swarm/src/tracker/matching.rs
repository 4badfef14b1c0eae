//! Who is introduced to whom: the tiers of locality, the order within a tier, the push plan.

use std::collections::BTreeSet;

use viral_wire::{
    Digest,
    limits::OFFERS_PER_LEECHER_MAX,
    signal::{Offer, PeerNumber, Push},
};

use super::{
    Tracker,
    candidates::Who,
    choice::{Choice, Seen},
    leecher::{Match, MatchState, Told},
    offers::Reservation,
    search::{Crossing, Search},
    session::Session,
    timers::Timer,
    types::{Answerer, GuestWish, Seeking},
};
use crate::{
    address::ClientAddr,
    coverage::Coverage,
    ice_candidates,
    limits::{COVERAGE_MIN_PERMILLE, MANIFEST_SCAN_MAX, TIER_SCAN_ENOUGH, TIER_SCAN_MAX, TIER_SCAN_PROVEN_MAX},
    locality::{self, SharePolicy, Tier},
    random::Random,
};

/// Sessions looked up one right after the other before the first is judged: a processor fetches several from memory at once, which a million of them need.
const LOOKED_UP_AT_ONCE: usize = 8;

/// Whom somebody asks for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    manifest: Digest,
    count: usize,
    /// They are to send it something unasked, at once.
    push: bool,
    /// See [`Search::covered_min`].
    covered_min: u16,
    /// See [`Search::near_only`].
    near_only: bool,
}

/// To whom offers are given.
#[derive(Debug, Clone, Copy)]
struct Taker {
    leecher: u64,
    addr: ClientAddr,
    /// Its session, if it has one.
    own: Option<PeerNumber>,
}

/// Whether a tier is a part of the world, whose people do not share a line.
const fn is_island(tier: Tier) -> bool {
    matches!(tier, Tier::SameNetwork | Tier::SameCountry | Tier::SameContinent)
}

impl Tracker {
    /// How many peers [`Self::offers_for`] would give now; reserves nothing. Nobody counts as a peer of his own.
    #[must_use]
    pub fn ready(&self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> usize {
        self.search_for(now_ms, seeking, coverage).map_or(0, |search| self.choose(&search, &mut self.random.clone()).len())
    }

    /// How many of those are of the seeker's address, site or prefix, and how many they are together.
    #[must_use]
    pub fn ready_nearby(&self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> (usize, usize) {
        let Some(search) = self.search_for(now_ms, seeking, coverage) else { return (0, 0) };
        let chosen = self.choose(&search, &mut self.random.clone());
        (chosen.iter().filter(|choice| choice.is_own).count(), chosen.len())
    }

    /// Whether [`Self::offers_for`] would give anybody now: looks no further than to the first.
    #[must_use]
    pub fn is_anybody_ready(&self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> bool {
        let Some(search) = self.search_for(now_ms, seeking, coverage).filter(|search| search.count_max > 0 && self.candidates.len() > 0)
        else {
            return false;
        };
        let random = &mut self.random.clone();
        let sources = self.sources(&search, random);
        self.tiers(&search).any(|tier| !self.choices(&search, tier, (&sources, &[]), 1, random).is_empty())
    }

    /// How near others may be, nearest first: what is not known of the searcher's place is not looked for.
    fn tiers(&self, search: &Search<'_>) -> impl Iterator<Item = Tier> + use<> {
        let (place, farthest) = (search.place, if search.near_only { Tier::SamePrefix } else { Tier::Anyone });
        self.config.ladder.tiers().filter(move |tier| *tier <= farthest && (*tier == Tier::Anyone || place.key(*tier).is_some()))
    }

    /// The search for a visit that may not be known yet; none if there is no place for it.
    fn search_for<'s>(&'s self, now_ms: u64, seeking: &Seeking<'_>, coverage: &'s dyn Coverage) -> Option<Search<'s>> {
        if seeking.addr.share == SharePolicy::Off {
            return None;
        }
        let is_new = !self.members.visits.contains(&seeking.ticket);
        if is_new && self.members.visits.len() >= self.config.tickets_max && self.members.visits.in_the_way(seeking.addr.public).is_none() {
            return None;
        }
        let (now_ms, place) = (self.now_ms.max(now_ms), seeking.addr.place());
        Some(Search {
            now_ms,
            addr: seeking.addr,
            place,
            network: locality::network_key(seeking.addr.public),
            nat: None,
            names_ipv6: false,
            manifest: seeking.manifest,
            count_max: seeking.wanted.min(OFFERS_PER_LEECHER_MAX),
            excluded: &|_| false,
            covered_min: COVERAGE_MIN_PERMILLE,
            is_thin: true,
            near_only: false,
            crossing: Crossing::Free,
            learned: self.learned_locality.of(now_ms, &place),
            coverage,
        })
    }

    /// Reserves ready-made offers of distinct peers for a thin visit, nearest first, with what each will push.
    ///
    /// Nobody is offered where too many visits are remembered already, and a new visit is remembered only if somebody is offered.
    pub fn offers_for(&mut self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> Vec<Offer> {
        if self.members.visits.contains(&seeking.ticket) {
            return self.offers_with_foreign_for(now_ms, seeking, coverage);
        }
        self.advance(now_ms);
        let before = self.random.clone();
        let number = self.fresh_number();
        let mut random = self.random.clone();
        let chosen = self.search_for(now_ms, seeking, coverage).map(|search| self.choose(&search, &mut random)).unwrap_or_default();
        if chosen.is_empty() || !self.open_new_visit(seeking, number) {
            self.random = before;
            return Vec::new();
        }
        self.random = random;
        let in_crowd = self.leases.is_crowded(self.now_ms, &seeking.manifest);
        self.hand_out(Answerer::Ticket(seeking.ticket), chosen, Some(seeking.manifest), in_crowd)
    }

    /// As [`Self::offers_for`] where others reserve offers for the same visit, too: it is remembered in any case, so that its answers come through.
    pub fn offers_with_foreign_for(&mut self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> Vec<Offer> {
        let wish = GuestWish { near_only: false, push: true, takes_parts: false };
        self.offers_for_guest(now_ms, seeking, wish, coverage)
    }

    /// Reserves ready-made offers of others who fetch the same manifest now, whatever they hold of it.
    pub fn neighbours_for(&mut self, now_ms: u64, seeking: &Seeking<'_>, coverage: &dyn Coverage) -> Vec<Offer> {
        let wish = GuestWish { near_only: false, push: false, takes_parts: true };
        self.offers_for_guest(now_ms, seeking, wish, coverage)
    }

    /// Reserves ready-made offers for a visitor of another server, or one of this server's own. Its answers come with the ticket, by whatever server.
    pub fn offers_for_guest(&mut self, now_ms: u64, seeking: &Seeking<'_>, wish: GuestWish, coverage: &dyn Coverage) -> Vec<Offer> {
        let GuestWish { near_only, push, takes_parts } = wish;
        self.advance(now_ms);
        if !self.open_visit(seeking) {
            return Vec::new();
        }
        let covered_min = if takes_parts { 0 } else { COVERAGE_MIN_PERMILLE };
        let asked = Asked { manifest: seeking.manifest, count: seeking.wanted, push, covered_min, near_only };
        self.give(Answerer::Ticket(seeking.ticket), seeking.addr, asked, coverage)
    }

    /// More peers for a session. Nothing is pushed to it, since it may hold anything by now.
    pub(super) fn find(&mut self, peer: PeerNumber, manifest: Option<Digest>, count: usize, coverage: &dyn Coverage) -> Vec<Offer> {
        let Some(session) = self.members.sessions.get(&peer) else { return Vec::new() };
        let current = session.page.as_ref().and_then(|page| self.pages.get(page)).and_then(|page| page.manifest);
        let Some(manifest) = manifest.or(current) else { return Vec::new() };
        // A session can ask again and serves others meanwhile: another one that holds nothing yet is a neighbour like any.
        self.give(Answerer::Peer(peer), session.addr, Asked { manifest, count, push: false, covered_min: 0, near_only: false }, coverage)
    }

    fn give(&mut self, who: Answerer, addr: ClientAddr, asked: Asked, coverage: &dyn Coverage) -> Vec<Offer> {
        let Asked { manifest, count, push, covered_min, near_only } = asked;
        if addr.share == SharePolicy::Off {
            return Vec::new();
        }
        let (now_ms, reserve_ms) = (self.now_ms, self.config.reserve_ms);
        let Some(leecher) = self.members.leecher_mut(who) else { return Vec::new() };
        let room = leecher.make_room(now_ms, reserve_ms);
        let Some(leecher) = self.members.leecher(who) else { return Vec::new() };
        let uploads: BTreeSet<PeerNumber> = match who {
            Answerer::Peer(own) => self.engaged_uploads(own),
            Answerer::Ticket(_) => BTreeSet::new(),
        };
        let excluded = |peer| Answerer::Peer(peer) == who || leecher.is_engaged_with(peer) || uploads.contains(&peer);
        let count_max = count.min(OFFERS_PER_LEECHER_MAX).min(room);
        let mut random = self.random.clone();
        let is_thin = matches!(who, Answerer::Ticket(_));
        let own = self.members.session_of(who);
        let session = own.and_then(|own| self.members.sessions.get(&own));
        let (nat, names_ipv6) = session.map_or((None, false), |own| (own.nat, own.names_ipv6));
        let place = addr.place();
        let in_crowd = self.leases.is_crowded(now_ms, &manifest);
        // Who is connected beyond the line takes over it what others took, too: few of those who share it are.
        let is_shared = in_crowd && covered_min == 0 && !self.has_missed_neighbour(who, &addr);
        // A visit without a session is not counted among those behind its line.
        let may_cross = || own.map_or_else(|| self.lines.is_alone(manifest, &addr), |own| self.lines.may_cross(now_ms, own));
        let crossing = match is_shared.then(may_cross) {
            None => Crossing::Free,
            Some(true) => Crossing::Few,
            Some(false) => Crossing::Never,
        };
        let learned = self.learned_locality.of(now_ms, &place);
        let excluded = &excluded;
        let mut search = Search {
            now_ms,
            addr,
            place,
            network: locality::network_key(addr.public),
            nat,
            names_ipv6,
            manifest,
            count_max,
            excluded,
            covered_min,
            is_thin,
            near_only,
            crossing,
            learned,
            coverage,
        };
        let mut chosen = self.choose(&search, &mut random);
        if crossing == Crossing::Few && chosen.len() < count_max && chosen.iter().all(|choice| choice.is_own) {
            search.crossing = Crossing::Own;
            chosen = self.choose(&search, &mut random);
        }
        self.random = random;
        self.hand_out(who, chosen, push.then_some(manifest), in_crowd)
    }

    /// Reserves an offer of each that was chosen; they push `pushed`, if that is some.
    fn hand_out(&mut self, who: Answerer, chosen: Vec<Choice>, pushed: Option<Digest>, in_crowd: bool) -> Vec<Offer> {
        let stripes = chosen.iter().filter(|choice| choice.can_push).count();
        let mut stripe = 0;
        let (mut offers, mut matches) = (Vec::with_capacity(chosen.len()), Vec::with_capacity(chosen.len()));
        let Some((leecher, addr)) = self.members.leecher(who).map(|leecher| leecher.id).zip(self.members.addr_of(who)) else {
            return offers;
        };
        let taker = Taker { leecher, addr, own: self.members.session_of(who) };
        for choice in chosen {
            let mut plan = None;
            if let Some(manifest) = pushed.filter(|_| choice.can_push) {
                plan = self.push_plan(manifest, stripe, stripes);
                stripe += 1;
            }
            let crosses = in_crowd && !choice.is_own;
            if let Some((offer, found)) = self.reserve(&taker, choice.peer, plan, crosses) {
                matches.push(((offer.peer, offer.offer), found));
                offers.push(offer);
            }
        }
        if let Some(leecher) = self.members.leecher_mut(who) {
            leecher.matches.extend(matches);
        }
        offers
    }

    /// Whether somebody was introduced to a neighbour in vain: where one provider has many behind one address, those may not reach each other.
    fn has_missed_neighbour(&self, who: Answerer, addr: &ClientAddr) -> bool {
        let own = locality::network_key(addr.public);
        let matches = self.members.leecher(who).into_iter().flat_map(|leecher| &leecher.matches);
        let mut missed = matches.filter(|(_, found)| found.state == MatchState::Closed && found.told == Told::default());
        missed.any(|((peer, _), _)| {
            let session = self.members.sessions.get(peer);
            session.is_some_and(|session| locality::network_key(session.addr.public) == own)
        })
    }

    fn push_plan(&self, manifest: Digest, stripe: usize, stripes: usize) -> Option<Push> {
        let (stripe, stripes) = (u8::try_from(stripe).ok()?, u8::try_from(stripes).ok()?);
        Some(Push { manifest, stripe, stripes, budget: self.config.push_bytes_max })
    }

    /// The sessions that a session serves now, under the numbers of their sessions.
    fn engaged_uploads(&self, peer: PeerNumber) -> BTreeSet<PeerNumber> {
        let uploads = self.members.sessions.get(&peer).map(|session| session.book.uploads.values());
        uploads.into_iter().flatten().filter_map(|upload| self.members.session_behind(upload.number)).collect()
    }

    /// Picks distinct ready seeders: nearest tier first, within it the best ones and a share of random ones, of each foreign network one. Only who can ask again gets more of one
    /// network, where there are no others.
    fn choose(&self, search: &Search<'_>, random: &mut Random) -> Vec<Choice> {
        let (mut chosen, mut spare, mut hard): (Vec<Choice>, Vec<Choice>, Vec<Choice>) = (Vec::new(), Vec::new(), Vec::new());
        if search.count_max == 0 || self.candidates.len() == 0 {
            return chosen;
        }
        let sources = self.sources(search, random);
        let among_own = search.count_max - self.picks_from_afar(search, random);
        for tier in self.tiers(search) {
            let count_max = if is_island(tier) { among_own } else { search.count_max };
            if chosen.len() >= count_max {
                continue;
            }
            let mut choices = self.choices(search, tier, (&sources, &chosen), TIER_SCAN_MAX, random);
            choices.sort_unstable();
            while chosen.len() < count_max && !choices.is_empty() {
                let at_random = random.next_u64() % 1000 < u64::from(self.config.random_share_permille);
                let equal = choices.iter().take_while(|choice| choice.is_as_good_as(&choices[0])).count();
                let index = if at_random { random.next_u64() % equal as u64 } else { 0 };
                let choice = choices.remove(usize::try_from(index).unwrap_or(0));
                let is_known = !choice.is_own && chosen.iter().any(|other| other.network == choice.network);
                if choice.rank.is_hard_to_reach() {
                    // Somebody farther away who can be reached is worth more.
                    if hard.iter().all(|other| other.peer != choice.peer) {
                        hard.push(choice);
                    }
                } else if !is_known {
                    chosen.push(choice);
                } else if spare.iter().all(|other| other.peer != choice.peer) {
                    // Whoever was found here is found on every farther tier, too.
                    spare.push(choice);
                }
            }
        }
        for choice in hard {
            let is_known = !choice.is_own && chosen.iter().any(|other| other.network == choice.network);
            let list = if is_known || chosen.len() >= search.count_max { &mut spare } else { &mut chosen };
            list.push(choice);
        }
        let missing = if search.is_thin { 0 } else { search.count_max - chosen.len() };
        chosen.extend(spare.into_iter().take(missing));
        chosen
    }

    /// So many picks of a session are made among everybody, however many there are in its part of the world: so that what one part has reaches the others. A thin visit takes
    /// from whoever has much, and that may be near.
    fn picks_from_afar(&self, search: &Search<'_>, random: &mut Random) -> usize {
        if search.is_thin || self.config.ladder.policy(Tier::Anyone) == SharePolicy::Off || !self.tiers(search).any(is_island) {
            return 0;
        }
        (0..search.count_max).filter(|_| random.next_u64() % 1000 < u64::from(self.config.random_share_permille)).count()
    }

    /// Manifests that hold enough of the wanted one: each with its share in permille and its bytes.
    fn sources(&self, search: &Search<'_>, random: &mut Random) -> Vec<(Digest, u16, u64)> {
        let mut start = [0; 32];
        start[..8].copy_from_slice(&random.next_u64().to_be_bytes());
        let manifests = self.candidates.manifests(search.manifest, Digest(start), MANIFEST_SCAN_MAX);
        let source = |manifest: Digest| {
            let share = if manifest == search.manifest { 1000 } else { search.coverage.share(&manifest, &search.manifest) };
            let bytes = search.coverage.bytes(&manifest)?;
            (share >= COVERAGE_MIN_PERMILLE).then_some((manifest, share, bytes))
        };
        manifests.into_iter().filter_map(source).collect()
    }

    /// At most `count_max` of those that could be picked on a tier.
    fn choices(
        &self,
        search: &Search<'_>,
        tier: Tier,
        (sources, chosen): (&[(Digest, u16, u64)], &[Choice]),
        count_max: usize,
        random: &mut Random,
    ) -> Vec<Choice> {
        let (mut choices, mut seen) = (Vec::new(), Seen::default());
        let who = if self.config.ladder.policy(tier) == SharePolicy::Leech { Who::Natives } else { Who::Everybody };
        let mut nearest = if tier == Tier::Anyone { search.learned.best() } else { Vec::new() };
        nearest.truncate(search.count_max.div_ceil(2));
        let (mut numbers, mut batch) = (Vec::new(), Vec::new());
        for is_proven in [true, false] {
            for source in sources {
                let scan_max = if is_proven { TIER_SCAN_PROVEN_MAX } else { TIER_SCAN_MAX };
                let left = scan_max.saturating_sub(choices.len());
                let start = random.next_u64();
                // Those of whose networks this one got most come first; the others follow, so that there may be somebody better.
                let known = nearest.iter().flat_map(|network| self.candidates.of_network(who, source.0, *network, (is_proven, start)));
                let mut peers =
                    known.chain(self.candidates.holders(who, source.0, (&search.place, tier), (is_proven, start), left)).peekable();
                // Others would be no better: nobody who follows is proven, but for neighbours of whom only neighbours know it.
                let is_enough = |choices: &[Choice], seen: &Seen| {
                    let best = if is_proven || tier <= Tier::SamePrefix { seen.good.len() } else { seen.fine.len() };
                    choices.len() >= count_max || (best >= search.count_max && choices.len() >= TIER_SCAN_ENOUGH)
                };
                while peers.peek().is_some() {
                    // Before they are looked up, too: most of a look is the wait for memory.
                    if is_enough(&choices, &seen) {
                        return choices;
                    }
                    choices.reserve(LOOKED_UP_AT_ONCE);
                    numbers.reserve(LOOKED_UP_AT_ONCE);
                    batch.reserve(LOOKED_UP_AT_ONCE);
                    // Each step for all of them before the next one: what one needs from memory does not wait for what another does.
                    numbers.extend(peers.by_ref().take(LOOKED_UP_AT_ONCE.min(count_max)));
                    batch.extend(numbers.drain(..).filter_map(|peer| Some((peer, self.members.sessions.get(&peer)?.as_ref()))));
                    batch.retain(|(_, session): &(_, &Session)| !session.addr.is_same_browser(&search.addr));
                    for (peer, session) in batch.drain(..) {
                        if is_enough(&choices, &seen) {
                            return choices;
                        }
                        let is_known = |others: &[Choice]| others.iter().any(|choice| choice.peer == peer);
                        if is_known(chosen) || (!nearest.is_empty() && is_known(&choices)) {
                            continue;
                        }
                        if let Some(choice) = search.judged((&self.config.ladder, &self.lines), (peer, session), source, random) {
                            seen.note(&choice, search.count_max);
                            choices.push(choice);
                        }
                    }
                }
            }
        }
        choices
    }

    /// Keeps the oldest free offer of a seeder for a leecher, which is to note that the two were matched.
    fn reserve(&mut self, taker: &Taker, peer: PeerNumber, push: Option<Push>, crosses: bool) -> Option<(Offer, Match)> {
        let &Taker { leecher, addr, own } = taker;
        let to = addr.public;
        let until_ms = self.now_ms.saturating_add(self.config.reserve_ms);
        let session = self.members.sessions.get_mut(&peer)?;
        let from = session.addr;
        let tier = addr.place().tier_to(&from.place());
        self.learned_locality.note_tried(self.now_ms, &from.place(), &addr.place());
        let number = session.book.reserve(Reservation { leecher, network: locality::network_key(to), until_ms })?;
        let offer = session.book.offers.get(&number)?;
        let found = Match {
            serial: offer.serial,
            state: MatchState::Given,
            given_ms: self.now_ms,
            push,
            ordinal: session.leecher.ordinal,
            crosses,
            told: Told::default(),
        };
        let candidates = offer.description.candidates();
        let candidates = ice_candidates::relayed(candidates, &from, to, self.config.ladder.is_for_neighbours_alone());
        let description = offer.description.with_candidates(candidates);
        for end in own.into_iter().chain([peer]).filter(|_| crosses) {
            self.lines.cross(self.now_ms, end);
        }
        let beyond = crosses.then(|| self.lines.stripe_of(own));
        let far = !locality::are_neighbours(from.public, to);
        self.timers.set(until_ms, Timer::Reservation(peer, number));
        self.totals.matches.offered += 1;
        self.totals.matches_by_tier.note(tier);
        self.refresh(peer);
        self.top_up(peer);
        Some((Offer { peer, offer: number, description, push, far, beyond }, found))
    }
}
