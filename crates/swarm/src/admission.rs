//! Which answer a request gets: full, thin, plain, or the bare asset. The first rule that fits wins.

mod admit;
mod foreign;
mod sharing;

use std::fmt;

use crate::{
    locality::SharePolicy,
    pageset::Size,
    rollout::{Lot, Rollout},
};

pub use admit::{Admission, CrowdRole, PageFacts, Swarm, VisitFacts, admit, takes_part};
pub use foreign::{Lack, lacks};
pub use sharing::{ResponseFacts, SharingReason, SharingRule, SharingVerdict, is_by_scripts, judge, says};

/// What the browser's cookies say about this visitor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CookieState {
    /// No cookie of ours.
    #[default]
    None,
    /// `viral=off`: the visitor opted out.
    Off,
    /// `viral=incapable`: the loader found that this browser cannot take part.
    Incapable,
    /// `viral=own-sw`: the addition found a service worker of the site's own.
    OwnServiceWorker,
}

/// Whether the asked document can travel between visitors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PageFitness {
    /// It can.
    #[default]
    Fit,
    /// The asset is no HTML document, or one to be saved: it is served as any asset, whoever asks.
    NotHtml,
    /// The site registers a service worker of its own at a scope that holds this page.
    OwnServiceWorker,
    /// The page's Content-Security-Policy cannot be met by a loader (for example `sandbox` without same origin).
    Csp,
    /// The document is not UTF-8, so `document.write` would change it.
    Encoding,
    /// The document answers an address at which there is nothing (`404.html`).
    NotFound,
    /// The page has no manifest, now or ever: its page set breaks a limit or was not yet read.
    NoManifest,
}

/// All that is known about one request when it is answered.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The method is GET (or HEAD, which is answered with the headers of a GET).
    pub method_get: bool,
    /// `Sec-Fetch-Dest`, if sent.
    pub fetch_dest: Option<String>,
    /// `Sec-Fetch-Mode`, if sent.
    pub fetch_mode: Option<String>,
    /// `Sec-Purpose` or `Purpose` begins with `prefetch`.
    pub purpose_prefetch: bool,
    /// The source is asked for, not the page: Firefox loads what `view-source:` shows at a lower urgency than a visit (`Priority: u=4`).
    pub wants_source: bool,
    /// Any `Sec-Fetch-*` header was sent: a browser of this decade on a secure origin.
    pub has_sec_fetch: bool,
    /// `Save-Data: on`.
    pub save_data: bool,
    /// `Sec-GPC: 1`: the visitor asks for privacy (Global Privacy Control).
    pub gpc: bool,
    /// The cookies.
    pub cookie: CookieState,
    /// `?viral=plain` in the address.
    pub forced_plain: bool,
    /// `?viral=storage` in the address: the loader found that this browser keeps nothing for the site, not even a cookie.
    pub storage_blocked: bool,
    /// The user agent is a known bot.
    pub bot: bool,
    /// A peer connection could raise a permission prompt here; see [`crate::platform::prompts`].
    pub platform_prompts: bool,
    /// The browser is too old for the loader; see [`crate::platform::is_too_old`].
    pub too_old: bool,
    /// How much a visit to the page uses, the document included.
    pub size: Size,
    /// Whether the page can travel.
    pub page_viral: PageFitness,
    /// Somebody could be given to this visitor now; see [`crate::tracker::Tracker::is_anybody_ready`].
    pub is_peer_ready: bool,
    /// The visitor is a native peer: it can take part in a crowd.
    pub is_native_peer: bool,
    /// The visitor's own service worker said that it stores the page as it is now.
    pub stored: bool,
    /// `If-None-Match` names the full answer as it would be sent.
    pub unchanged: bool,
    /// A worker of the site's own, which has ours in it, fetches the page for visitors: it may store it, and what is added to the page works from there as well.
    pub by_own_worker: bool,
    /// What the visitor drew; none where it is always one of those who take part.
    pub lot: Option<Lot>,
    /// Thin answers do not pay for this page in this browser; see [`crate::worth`].
    pub is_not_worth_it: bool,
    /// It is one of the hours in which browsers are asked to give nothing.
    pub is_quiet: bool,
}

/// Whether fetch metadata (`Sec-Fetch-Dest`, `Sec-Fetch-Mode`) says that a service worker passes on a navigation that it was asked: its `fetch(event.request)` keeps the mode, but
/// not what the request is for.
#[must_use]
pub fn is_passed_on(dest: Option<&str>, mode: Option<&str>) -> bool {
    dest == Some("empty") && mode == Some("navigate")
}

impl Evidence {
    /// Whether a service worker passes the visit on; see [`is_passed_on`].
    #[must_use]
    pub fn is_passed_on(&self) -> bool {
        is_passed_on(self.fetch_dest.as_deref(), self.fetch_mode.as_deref())
    }
}

/// What becomes of visitors who ask for privacy by `Sec-GPC: 1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gpc {
    /// They get plain answers, and meet nobody.
    Plain,
    /// They take from others and never give: where nobody has the page, they get a plain answer in place of a full one.
    Leech,
    /// They are visitors like all others.
    #[default]
    Ignore,
}

/// What the operator decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Least bytes used by a visit for which peers can win over the origin; 0 makes every page viral.
    pub app_bytes_min: u64,
    /// Take part also where a peer connection may raise a permission prompt.
    pub prompts_allowed: bool,
    /// Visitors who ask for privacy.
    pub gpc: Gpc,
    /// What is tried out.
    pub rollout: Rollout,
}

impl Policy {
    /// What a visitor gives and takes, by whether it sends `Sec-GPC: 1`.
    #[must_use]
    pub fn share_of(&self, sends_gpc: bool) -> SharePolicy {
        match self.gpc {
            Gpc::Plain if sends_gpc => SharePolicy::Off,
            Gpc::Leech if sends_gpc => SharePolicy::Leech,
            Gpc::Plain | Gpc::Leech | Gpc::Ignore => SharePolicy::On,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { app_bytes_min: crate::limits::APP_BYTES_MIN, prompts_allowed: false, gpc: Gpc::Ignore, rollout: Rollout::default() }
    }
}

/// Which answer to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The page whole, with the viral addition.
    Full(Reason),
    /// The loader, which takes the page from peers or from the visitor's own store.
    Thin(Reason),
    /// The page whole, without anything of ours.
    Plain(Reason),
    /// Not a visit to a page: served as any good static server would, without a `viral-answer` header.
    Asset,
}

/// Why; the token of the `viral-answer` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Full: nobody near has it, is ready and has a free slot.
    NoPeerNear,
    /// Full: too few visits have told how much the page uses.
    Learning,
    /// Full: the visitor has the full answer already; the status is 304.
    Unchanged,
    /// Full: the operator answers only a share of visitors thin yet, and this is none of them.
    Ramp,
    /// Full: thin visits to this page are slower in this browser, or save nothing.
    NotWorthIt,
    /// Full: in these hours browsers neither give nor take.
    QuietHours,
    /// Thin: somebody does.
    PeerNear,
    /// Thin: nobody has it, and those who come now share one copy of the origin's.
    Crowd,
    /// Thin: the visitor stores the page already.
    Stored,
    /// Plain: the address asks for it.
    Requested,
    /// Plain: the browser keeps nothing for the site.
    Storage,
    /// Plain: the visitor opted out.
    OptOut,
    /// Plain: the visitor saves data.
    SaveData,
    /// Plain: the visitor asks for privacy (`Sec-GPC: 1`).
    Gpc,
    /// Plain: no `Sec-Fetch-*`, so an old browser, a tool, or an insecure origin.
    NotABrowser,
    /// Plain: a service worker passed the visit on, whose answer it may keep or change. Full: it is one that has ours in it.
    PassedOn,
    /// Plain: a known bot.
    Bot,
    /// Plain: this browser is too old, or the loader failed in it before.
    Incapable,
    /// Plain: a peer connection would ask the visitor for a permission.
    Prompts,
    /// Plain: the app is so small that peers cannot win.
    SmallApp,
    /// Plain: the site has its own service worker.
    OwnServiceWorker,
    /// Plain: the page's Content-Security-Policy rules a loader out.
    Csp,
    /// Plain: the document is not UTF-8.
    Encoding,
    /// Plain: there is nothing at this address.
    NotFound,
    /// Plain: the page has no manifest.
    NoManifest,
    /// Plain: the page is not the same for everybody, as far as the server in front of which we are tells.
    NotShareable,
    /// Plain: the visitor was drawn to be compared with, and the page tells only when it was there.
    Holdout,
    /// Plain: the operator only counts what would be.
    Shadow,
}

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 28] = [
        Self::NoPeerNear,
        Self::Learning,
        Self::Unchanged,
        Self::Ramp,
        Self::NotWorthIt,
        Self::QuietHours,
        Self::PeerNear,
        Self::Crowd,
        Self::Stored,
        Self::Requested,
        Self::Storage,
        Self::OptOut,
        Self::SaveData,
        Self::Gpc,
        Self::NotABrowser,
        Self::PassedOn,
        Self::Bot,
        Self::Incapable,
        Self::Prompts,
        Self::SmallApp,
        Self::OwnServiceWorker,
        Self::Csp,
        Self::Encoding,
        Self::NotFound,
        Self::NoManifest,
        Self::NotShareable,
        Self::Holdout,
        Self::Shadow,
    ];

    /// The token that stands in the header `viral-answer: full|thin|plain; reason=TOKEN`.
    #[must_use]
    pub const fn as_token(self) -> &'static str {
        match self {
            Self::NoPeerNear => "no-peer-near",
            Self::Learning => "learning",
            Self::Unchanged => "unchanged",
            Self::Ramp => "ramp",
            Self::NotWorthIt => "not-worth-it",
            Self::QuietHours => "quiet-hours",
            Self::PeerNear => "peer-near",
            Self::Crowd => "crowd",
            Self::Stored => "stored",
            Self::Requested => "requested",
            Self::Storage => "storage",
            Self::OptOut => "opt-out",
            Self::SaveData => "save-data",
            Self::Gpc => "gpc",
            Self::NotABrowser => "not-a-browser",
            Self::PassedOn => "passed-on",
            Self::Bot => "bot",
            Self::Incapable => "incapable",
            Self::Prompts => "prompts",
            Self::SmallApp => "small-app",
            Self::OwnServiceWorker => "own-service-worker",
            Self::Csp => "csp",
            Self::Encoding => "encoding",
            Self::NotFound => "not-found",
            Self::NoManifest => "no-manifest",
            Self::NotShareable => "not-shareable",
            Self::Holdout => "holdout",
            Self::Shadow => "shadow",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_token())
    }
}

impl Decision {
    /// The value of the `viral-answer` header; `None` for a bare asset.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        let (answer, reason) = match self {
            Self::Full(reason) => ("full", reason),
            Self::Thin(reason) => ("thin", reason),
            Self::Plain(reason) => ("plain", reason),
            Self::Asset => return None,
        };
        Some(format!("{answer}; reason={reason}"))
    }
}

/// Decides. Rules stand in the order in which they are tried.
#[must_use]
pub fn decide(evidence: &Evidence, policy: &Policy) -> Decision {
    if !is_visit(evidence) {
        return Decision::Asset;
    }
    if let Some(reason) = plain_reason(evidence, policy) {
        return Decision::Plain(reason);
    }
    if let Some(reason) = left_out(evidence, policy) {
        return Decision::Plain(reason);
    }
    let held_back = held_back(evidence, policy);
    // What lies in the visitor's own store is no slower for being there.
    if evidence.stored && held_back != Some(Reason::Ramp) {
        return Decision::Thin(Reason::Stored);
    }
    // Whoever gets the full answer is to give the page to others.
    let full =
        |reason| if policy.share_of(evidence.gpc) == SharePolicy::On { Decision::Full(reason) } else { Decision::Plain(Reason::Gpc) };
    if evidence.unchanged {
        return full(Reason::Unchanged);
    }
    if is_too_little(evidence.size, policy) {
        return full(Reason::Learning);
    }
    if evidence.by_own_worker {
        return Decision::Full(Reason::PassedOn);
    }
    if evidence.is_quiet && !evidence.is_native_peer {
        return full(Reason::QuietHours);
    }
    match (evidence.is_peer_ready, held_back) {
        (true, None) => Decision::Thin(Reason::PeerNear),
        (true, Some(reason)) => full(reason),
        (false, _) => full(Reason::NoPeerNear),
    }
}

/// Why a visitor who could take part gets the page as it is, if it does. Whoever runs a native peer wants to take part.
fn left_out(evidence: &Evidence, policy: &Policy) -> Option<Reason> {
    let Rollout { holdout, shadow, .. } = policy.rollout;
    match evidence.lot {
        _ if evidence.is_native_peer => None,
        _ if shadow => Some(Reason::Shadow),
        Some(lot) if lot.is_held_out(holdout) => Some(Reason::Holdout),
        Some(_) | None => None,
    }
}

/// Why a visitor is not answered thin who could be, if it is not.
fn held_back(evidence: &Evidence, policy: &Policy) -> Option<Reason> {
    match evidence.lot {
        _ if evidence.is_native_peer => None,
        Some(lot) if !lot.is_on_ramp(policy.rollout.ramp) => Some(Reason::Ramp),
        Some(_) | None => evidence.is_not_worth_it.then_some(Reason::NotWorthIt),
    }
}

/// Whether what is known to be used is less than what peers are worth.
fn is_too_little(size: Size, policy: &Policy) -> bool {
    let (Size::Unknown { at_least: bytes } | Size::Known { bytes }) = size;
    bytes < policy.app_bytes_min
}

/// Whether this is somebody coming to a page, as far as the request tells.
///
/// Without `Sec-Fetch-*` a document counts as visited, so that curl sees the reason of its plain answer.
fn is_visit(evidence: &Evidence) -> bool {
    let goes_there = evidence.fetch_dest.as_deref() == Some("document") && evidence.fetch_mode.as_deref() == Some("navigate");
    let navigation = !evidence.has_sec_fetch || goes_there || evidence.by_own_worker || evidence.is_passed_on();
    // A worker's fetches are as little urgent in Firefox as a look at the source.
    let wants_source = evidence.wants_source && !evidence.by_own_worker;
    evidence.method_get && navigation && !evidence.purpose_prefetch && !wants_source && evidence.page_viral != PageFitness::NotHtml
}

/// The first rule, if any, that rules everything but a plain answer out: the visitor's wishes, then the browser, then the page.
fn plain_reason(evidence: &Evidence, policy: &Policy) -> Option<Reason> {
    let rules = [
        (evidence.forced_plain, Reason::Requested),
        (evidence.storage_blocked, Reason::Storage),
        (evidence.cookie == CookieState::Off, Reason::OptOut),
        (evidence.save_data, Reason::SaveData),
        (evidence.gpc && policy.gpc == Gpc::Plain, Reason::Gpc),
        (!evidence.has_sec_fetch, Reason::NotABrowser),
        (evidence.is_passed_on() && !evidence.by_own_worker, Reason::PassedOn),
        (evidence.bot, Reason::Bot),
        (evidence.cookie == CookieState::Incapable, Reason::Incapable),
        (evidence.too_old, Reason::Incapable),
        (evidence.platform_prompts && !policy.prompts_allowed, Reason::Prompts),
        (evidence.page_viral == PageFitness::NotFound, Reason::NotFound),
        (evidence.page_viral == PageFitness::NoManifest, Reason::NoManifest),
        (matches!(evidence.size, Size::Known { .. }) && is_too_little(evidence.size, policy), Reason::SmallApp),
        (evidence.cookie == CookieState::OwnServiceWorker, Reason::OwnServiceWorker),
        (evidence.page_viral == PageFitness::OwnServiceWorker, Reason::OwnServiceWorker),
        (evidence.page_viral == PageFitness::Csp, Reason::Csp),
        (evidence.page_viral == PageFitness::Encoding, Reason::Encoding),
    ];
    rules.into_iter().find_map(|(fits, reason)| fits.then_some(reason))
}

#[cfg(test)]
mod tests;
