//! One visit to a page, decided at once: which answer, whom it is introduced to, and whether it shares a copy with others.

use viral_wire::{Digest, Ticket, limits::OFFERS_PER_LEECHER_MAX, signal::Offer};

use super::{Decision, Evidence, PageFitness, Policy, Reason, decide, held_back};
use crate::{
    coverage::Coverage,
    crowd::{Crowds, Newcomer},
    locality::SharePolicy,
    pageset::Size,
    tracker::{ClientAddr, Seeking, Tracker},
};

/// The manifest of a page as it is now, and what is known of the page.
#[derive(Debug, Clone, Copy)]
pub struct PageFacts<'f> {
    /// Its path.
    pub path: &'f str,
    /// Its manifest.
    pub manifest: Digest,
    /// Bytes of the app: without the viral addition.
    pub app_bytes: u64,
    /// How much a visit uses, the document included.
    pub size: Size,
}

/// Somebody who comes to a document.
#[derive(Debug, Clone)]
pub struct VisitFacts {
    /// What request and document tell. What depends on page and peers is filled in by [`admit`].
    pub evidence: Evidence,
    /// Where the visitor is.
    pub addr: ClientAddr,
    /// Stands for the visit; drawn by the host from a source of secrets.
    pub ticket: Ticket,
    /// How many peers it should get.
    pub peers_wanted: usize,
    /// HEAD: the head of the answer, and nobody is reserved.
    pub is_head: bool,
    /// It was here a moment ago and has most of the page in its cache: it takes next to nothing.
    pub was_here: bool,
    /// A proxy asks for it, whose line is not the visitor's.
    pub is_proxied: bool,
    /// It is answered with a page, so that it can be one of a crowd.
    pub may_share: bool,
    /// Bytes that the origin has sent to all since its start.
    pub origin_sent: u64,
    /// What other servers reserved for it, those of them first that hold most; see [`lacks`](super::lacks).
    pub foreign: Vec<Offer>,
}

/// Where a visit is admitted to.
#[derive(Debug)]
pub struct Swarm<'s, C> {
    /// Who is there.
    pub tracker: &'s mut Tracker,
    /// Whether it pays to share the copies of pages that nobody near has.
    pub crowds: &'s mut Crowds,
    /// What holders of other manifests are worth.
    pub coverage: &'s C,
}

/// What somebody is in the crowd that fetches a page together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CrowdRole {
    /// There is no crowd.
    #[default]
    None,
    /// One of it: the tracker says what to take from the origin.
    Member,
    /// The first of it, who begins with the first pieces before it asks; see [`Tracker::join_crowd`].
    First,
}

/// What becomes of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Not a visit to a page: the bare asset.
    Asset,
    /// The page without anything of ours.
    Plain(Reason),
    /// The page with the viral addition.
    Full {
        /// Why.
        reason: Reason,
        /// Whether the answer names the manifest. A browser's worker may store what the page shares with others. Of native peers only the first hears of it so; the others
        /// hear of it from the tracker, two round trips later.
        names_manifest: bool,
    },
    /// The visitor's own worker answers from its store.
    Stored,
    /// The loader, with whom to begin.
    Thin {
        /// Why.
        reason: Reason,
        /// Reserved offers, nearest first. None for HEAD, and there may be none in a crowd.
        offers: Vec<Offer>,
        /// Whether some fetch this manifest by leases now.
        crowd: CrowdRole,
    },
}

impl Admission {
    /// Answer and reason.
    #[must_use]
    pub fn decision(&self) -> Decision {
        match self {
            Self::Asset => Decision::Asset,
            Self::Plain(reason) => Decision::Plain(*reason),
            Self::Full { reason, .. } => Decision::Full(*reason),
            Self::Stored => Decision::Thin(Reason::Stored),
            Self::Thin { reason, .. } => Decision::Thin(*reason),
        }
    }
}

/// Decides a visit to `page`, which is none where the page cannot have a manifest. `stores`: whether the visitor's worker says that it stores a manifest.
pub fn admit<C: Coverage>(
    now_ms: u64,
    facts: &VisitFacts,
    page: Option<&PageFacts<'_>>,
    stores: impl FnOnce(&Digest) -> bool,
    policy: &Policy,
    swarm: Swarm<'_, C>,
) -> Admission {
    let Swarm { tracker, crowds, coverage } = swarm;
    crowds.note_sent(now_ms, facts.origin_sent);
    let seeking = page.map(|page| seeking_of(facts, page));
    // Who is ready is looked up last and once: where nothing else decides.
    let evidence = Evidence { is_peer_ready: true, ..evidence_of(facts, page, page.is_some_and(|page| stores(&page.manifest))) };
    let mut reason = match decide(&evidence, policy) {
        Decision::Asset => return Admission::Asset,
        Decision::Plain(reason) => return Admission::Plain(reason),
        Decision::Thin(Reason::Stored) => return Admission::Stored,
        Decision::Thin(_) => match seeking.as_ref().and_then(|seeking| introduce(now_ms, facts, seeking, tracker, coverage)) {
            Some(thin) => return thin,
            None if policy.share_of(evidence.gpc) != SharePolicy::On => return Admission::Plain(Reason::Gpc),
            None => Reason::NoPeerNear,
        },
        Decision::Full(reason) if held_back(&evidence, policy) == Some(reason) => {
            let is_ready = seeking.as_ref().is_some_and(|seeking| is_anybody_ready(now_ms, facts, seeking, tracker, coverage));
            if is_ready { reason } else { Reason::NoPeerNear }
        }
        Decision::Full(reason) => reason,
    };
    if let (Reason::NoPeerNear, Some(page), Some(seeking)) = (reason, page, &seeking)
        && !evidence.is_native_peer
        && facts.may_share
        && !facts.was_here
        && facts.addr.share != SharePolicy::Off
    {
        let newcomer = Newcomer {
            manifest: page.manifest,
            bytes: page.app_bytes,
            is_crowded: tracker.is_crowded(&page.manifest),
            is_here: facts.addr.public.is_loopback(),
            is_proxied: facts.is_proxied,
        };
        if crowds.pays(now_ms, &newcomer) {
            match held_back(&evidence, policy) {
                Some(held_back) => reason = held_back,
                None => return share_copy(now_ms, facts, seeking, tracker, coverage),
            }
        }
        if !facts.is_head {
            crowds.note_copy(now_ms, page.manifest);
        }
    }
    let names_manifest = page.is_some_and(|page| {
        let is_native = evidence.is_native_peer;
        !is_native || (!facts.is_head && tracker.take_first_place(now_ms, page.manifest))
    });
    Admission::Full { reason, names_manifest }
}

/// Whether somebody could be given to the visitor; reserves nobody.
fn is_anybody_ready<C: Coverage>(now_ms: u64, facts: &VisitFacts, seeking: &Seeking<'_>, tracker: &Tracker, coverage: &C) -> bool {
    !facts.foreign.is_empty() || tracker.is_anybody_ready(now_ms, seeking, coverage)
}

/// The thin answer, if anybody is ready.
fn introduce<C: Coverage>(
    now_ms: u64,
    facts: &VisitFacts,
    seeking: &Seeking<'_>,
    tracker: &mut Tracker,
    coverage: &C,
) -> Option<Admission> {
    let offers = if facts.is_head {
        if !is_anybody_ready(now_ms, facts, seeking, tracker, coverage) {
            return None;
        }
        Vec::new()
    } else if facts.foreign.is_empty() {
        Some(tracker.offers_for(now_ms, seeking, coverage)).filter(|offers| !offers.is_empty())?
    } else {
        let near = facts.foreign.iter().filter(|offer| !offer.far).count();
        let wanted = seeking.wanted.saturating_sub(near);
        // Also where nobody of its own is wanted: the visit is known from now on.
        let own = tracker.offers_with_foreign_for(now_ms, &Seeking { wanted, ..seeking.clone() }, coverage);
        together(own, &facts.foreign, seeking.wanted)
    };
    let crowd = if tracker.is_crowded(&seeking.manifest) { CrowdRole::Member } else { CrowdRole::None };
    Some(Admission::Thin { reason: Reason::PeerNear, offers, crowd })
}

/// The thin answer of somebody who shares the origin's copy with others.
fn share_copy<C: Coverage>(now_ms: u64, facts: &VisitFacts, seeking: &Seeking<'_>, tracker: &mut Tracker, coverage: &C) -> Admission {
    let (mut offers, mut crowd) = (Vec::new(), CrowdRole::Member);
    if !facts.is_head {
        if tracker.join_crowd(now_ms, seeking, coverage) {
            crowd = CrowdRole::First;
        }
        offers = tracker.neighbours_for(now_ms, seeking, coverage);
    }
    Admission::Thin { reason: Reason::Crowd, offers, crowd }
}

/// Whether what a page loads may travel that is made for this visitor and does so itself never. `page` stands for all such pages; nobody is introduced here.
#[must_use]
pub fn takes_part(facts: &VisitFacts, page: &PageFacts<'_>, policy: &Policy) -> bool {
    let evidence = Evidence { page_viral: fitness(facts, Some(page)), size: page.size, ..facts.evidence.clone() };
    let is_worth_it = matches!(decide(&evidence, policy), Decision::Full(reason) if reason != Reason::Learning);
    is_worth_it && !evidence.is_native_peer
}

/// Own and foreign offers together, those of the visitor's own address first, and own ones first among those.
fn together(own: Vec<Offer>, foreign: &[Offer], wanted: usize) -> Vec<Offer> {
    let mut offers = own;
    offers.extend_from_slice(foreign);
    offers.sort_by_key(|offer| offer.far);
    offers.truncate(wanted.min(OFFERS_PER_LEECHER_MAX));
    offers
}

/// What is known of a visit to a page, but for who is ready.
pub(super) fn evidence_of(facts: &VisitFacts, page: Option<&PageFacts<'_>>, stored: bool) -> Evidence {
    let size = page.map(|page| page.size).unwrap_or_default();
    Evidence { page_viral: fitness(facts, page), size, stored, ..facts.evidence.clone() }
}

/// What the tracker is asked on behalf of a visit.
pub(super) fn seeking_of<'p>(facts: &VisitFacts, page: &PageFacts<'p>) -> Seeking<'p> {
    Seeking { addr: facts.addr, page: page.path, manifest: page.manifest, wanted: facts.peers_wanted, ticket: facts.ticket }
}

/// Whether the page can travel: what the document tells, and what visits have shown.
fn fitness(facts: &VisitFacts, page: Option<&PageFacts<'_>>) -> PageFitness {
    let told = facts.evidence.page_viral;
    if matches!(told, PageFitness::NotHtml | PageFitness::OwnServiceWorker) {
        return told;
    }
    match page {
        Some(_) => told,
        None => PageFitness::NoManifest,
    }
}

#[cfg(test)]
pub(super) mod tests;
