//! The personal-data firewall: whether a response of another server may be given to anybody, and so may travel between visitors.
//!
//! The host fetches a response twice without cookies or credentials and tells what it saw. The first rule that fits decides; what no rule allows stays where it is.

use std::fmt;

/// What was seen of a response that was fetched without cookies or credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResponseFacts<'r> {
    /// Its status.
    pub status: u16,
    /// All values of `Cache-Control`, joined by commas, in lower case.
    pub cache_control: &'r str,
    /// All values of `Vary`, joined by commas.
    pub vary: &'r str,
    /// It is HTML.
    pub is_page: bool,
    /// It has a `Set-Cookie`.
    pub sets_cookie: bool,
    /// The address has a query: what it leads to may depend on who made it up.
    pub has_query: bool,
    /// A shared cache may store it (RFC 9111 section 3), as a library of the host judges.
    pub may_be_stored: bool,
    /// It says for how long it is fresh: `s-maxage`, `max-age`, `public`, `immutable` or `Expires`.
    pub is_explicit: bool,
    /// It has a `Last-Modified`, as files have.
    pub is_dated: bool,
    /// It is in a content coding that the host cannot undo.
    pub is_coded: bool,
    /// It is larger than the host keeps, or breaks a limit of asset records.
    pub is_beyond_limits: bool,
}

/// What the operator says of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SharingRule {
    /// Nothing.
    #[default]
    None,
    /// It may travel, though the response does not say for how long it is fresh.
    Share,
    /// It never travels.
    Never,
}

/// Whether a response may travel, and which rule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharingVerdict {
    /// It may.
    Shared(SharingReason),
    /// It may not.
    NotShared(SharingReason),
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SharingReason {
    /// The operator says that it never travels.
    NeverRule,
    /// The address has a query.
    Query,
    /// The status is not 200.
    Status,
    /// It sets a cookie.
    SetCookie,
    /// `Cache-Control: no-store`.
    NoStore,
    /// `Cache-Control: private`.
    Private,
    /// It depends on a header of the request other than the accepted codings and the origin of the page.
    Vary,
    /// A shared cache may not store it for another reason.
    NotStorable,
    /// It is in a coding that cannot be undone.
    Coding,
    /// It is too large, or has too many headers.
    Limits,
    /// Two requests without cookies brought different content.
    Differs,
    /// It could not be fetched to be looked at.
    Unreachable,
    /// The operator says that it may travel.
    ShareRule,
    /// It says that caches may keep it.
    Explicit,
    /// It has a date, as files have: a cache may keep it by a guess (RFC 9111 section 4.2.2).
    Dated,
    /// Nothing says that it is the same for everybody.
    NoFreshness,
}

impl SharingReason {
    /// The token that stands for it in reports.
    #[must_use]
    pub const fn as_token(self) -> &'static str {
        match self {
            Self::NeverRule => "never-rule",
            Self::Query => "query",
            Self::Status => "status",
            Self::SetCookie => "set-cookie",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Vary => "vary",
            Self::NotStorable => "not-storable",
            Self::Coding => "coding",
            Self::Limits => "limits",
            Self::Differs => "differs",
            Self::Unreachable => "unreachable",
            Self::ShareRule => "share-rule",
            Self::Explicit => "explicit",
            Self::Dated => "dated",
            Self::NoFreshness => "no-freshness",
        }
    }
}

impl fmt::Display for SharingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_token())
    }
}

impl SharingVerdict {
    /// Whether it may travel.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// The rule that decided.
    #[must_use]
    pub const fn reason(self) -> SharingReason {
        match self {
            Self::Shared(reason) | Self::NotShared(reason) => reason,
        }
    }
}

/// Headers of a request on which a response may depend and still be the same for everybody whom the host answers with it: it is stored without a coding, and
/// requests that name an origin are never answered with it.
const VARY_HARMLESS: [&str; 2] = ["accept-encoding", "origin"];

/// Headers that scripts of a page send when they ask for a part of another page, and a browser that goes to the page never does: of Next.js, Inertia, htmx, Turbo, pjax, Livewire and jQuery.
const BY_SCRIPTS: [&str; 14] = [
    "rsc",
    "next-router-state-tree",
    "next-router-prefetch",
    "next-router-segment-prefetch",
    "next-url",
    "x-inertia",
    "x-inertia-version",
    "hx-request",
    "hx-boosted",
    "hx-target",
    "turbo-frame",
    "x-pjax",
    "x-livewire",
    "x-requested-with",
];

/// Whether a request header says that a script asks for a part of a page. The host answers such a request with no page that may travel. Browsers in other apps send
/// `X-Requested-With` with the name of the app, also when somebody goes to a page.
#[must_use]
pub fn is_by_scripts(name: &str, value: &[u8]) -> bool {
    may_be_by_scripts(name) && (!name.eq_ignore_ascii_case("x-requested-with") || value.eq_ignore_ascii_case(b"xmlhttprequest"))
}

fn may_be_by_scripts(name: &str) -> bool {
    BY_SCRIPTS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether everybody whom the host answers with it would get the same.
fn varies(facts: &ResponseFacts<'_>) -> bool {
    let is_harmless =
        |name: &str| VARY_HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless)) || (facts.is_page && may_be_by_scripts(name));
    !items(facts.vary).all(is_harmless)
}

/// Judges one response by what it says of itself. That two of them are alike is the host's to see.
#[must_use]
pub fn judge(facts: &ResponseFacts<'_>, rule: SharingRule) -> SharingVerdict {
    let against = [
        (rule == SharingRule::Never, SharingReason::NeverRule),
        (facts.has_query, SharingReason::Query),
        (facts.status != 200, SharingReason::Status),
        (facts.sets_cookie, SharingReason::SetCookie),
        (says(facts.cache_control, "no-store"), SharingReason::NoStore),
        (says(facts.cache_control, "private"), SharingReason::Private),
        (varies(facts), SharingReason::Vary),
        (!facts.may_be_stored, SharingReason::NotStorable),
        (facts.is_coded, SharingReason::Coding),
        (facts.is_beyond_limits, SharingReason::Limits),
    ];
    if let Some((_, reason)) = against.into_iter().find(|(fits, _)| *fits) {
        return SharingVerdict::NotShared(reason);
    }
    let allowing = [
        (rule == SharingRule::Share, SharingReason::ShareRule),
        (facts.is_explicit, SharingReason::Explicit),
        (facts.is_dated, SharingReason::Dated),
    ];
    match allowing.into_iter().find(|(fits, _)| *fits) {
        Some((_, reason)) => SharingVerdict::Shared(reason),
        None => SharingVerdict::NotShared(SharingReason::NoFreshness),
    }
}

/// Whether a `Cache-Control` has this directive, with an argument or without: `private="x-name"` is taken for the whole response.
#[must_use]
pub fn says(cache_control: &str, directive: &str) -> bool {
    items(cache_control).any(|item| item.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case(directive))
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a plain web server.
    const FILE: ResponseFacts<'static> = ResponseFacts {
        status: 200,
        is_page: false,
        cache_control: "",
        vary: "Accept-Encoding",
        sets_cookie: false,
        has_query: false,
        may_be_stored: true,
        is_explicit: false,
        is_dated: true,
        is_coded: false,
        is_beyond_limits: false,
    };

    type Change = fn(&mut ResponseFacts<'static>);

    /// What differs from [`FILE`], and the rule that keeps it where it is. In the order of the rules.
    const AGAINST: &[(Change, SharingReason)] = &[
        (|facts| facts.has_query = true, SharingReason::Query),
        (|facts| facts.status = 404, SharingReason::Status),
        (|facts| facts.sets_cookie = true, SharingReason::SetCookie),
        (|facts| facts.cache_control = "public, no-store", SharingReason::NoStore),
        (|facts| facts.cache_control = "max-age=60, private", SharingReason::Private),
        (|facts| facts.vary = "accept-encoding, cookie", SharingReason::Vary),
        (|facts| facts.may_be_stored = false, SharingReason::NotStorable),
        (|facts| facts.is_coded = true, SharingReason::Coding),
        (|facts| facts.is_beyond_limits = true, SharingReason::Limits),
    ];

    #[test]
    fn each_rule_keeps_a_response_where_it_is_whatever_the_operator_shares() {
        for (change, reason) in AGAINST {
            for rule in [SharingRule::None, SharingRule::Share] {
                let mut facts = ResponseFacts { is_explicit: true, ..FILE };
                change(&mut facts);
                assert_eq!(judge(&facts, rule), SharingVerdict::NotShared(*reason), "{rule:?}");
            }
        }
    }

    #[test]
    fn an_earlier_rule_wins_over_every_later_one() {
        for (index, (change, reason)) in AGAINST.iter().enumerate() {
            for (later, _) in &AGAINST[index..] {
                let mut facts = FILE;
                later(&mut facts);
                change(&mut facts);
                assert_eq!(judge(&facts, SharingRule::None), SharingVerdict::NotShared(*reason));
            }
        }
    }

    #[test]
    fn only_what_says_that_caches_may_keep_it_is_shared() {
        let judged = |facts, rule| judge(&facts, rule);
        let silent = ResponseFacts { is_dated: false, ..FILE };
        assert_eq!(judged(FILE, SharingRule::None), SharingVerdict::Shared(SharingReason::Dated));
        assert_eq!(judged(silent, SharingRule::None), SharingVerdict::NotShared(SharingReason::NoFreshness));
        assert_eq!(judged(silent, SharingRule::Share), SharingVerdict::Shared(SharingReason::ShareRule));
        let explicit = ResponseFacts { is_explicit: true, ..silent };
        assert_eq!(judged(explicit, SharingRule::None), SharingVerdict::Shared(SharingReason::Explicit));
        assert_eq!(judged(explicit, SharingRule::Never), SharingVerdict::NotShared(SharingReason::NeverRule));
    }

    #[test]
    fn directives_are_read_however_they_are_written() {
        assert!(says("Public , PRIVATE=\"set-cookie\"", "private"));
        assert!(says("max-age=0", "max-age"));
        assert!(!says("x-private, notprivate", "private") && !says("", "private"));
        for vary in ["*", "Cookie", "accept-encoding,Accept-Language", "User-Agent"] {
            assert!(!judge(&ResponseFacts { vary, ..FILE }, SharingRule::Share).is_shared(), "{vary}");
        }
        assert!(judge(&ResponseFacts { vary: "Origin, ,ACCEPT-ENCODING", ..FILE }, SharingRule::None).is_shared());
        let by_scripts = ResponseFacts { vary: "RSC, Next-Router-State-Tree, accept-encoding", ..FILE };
        assert!(!judge(&by_scripts, SharingRule::None).is_shared(), "a script may ask for a file with it");
        assert!(judge(&ResponseFacts { is_page: true, ..by_scripts }, SharingRule::None).is_shared());
        assert!(!judge(&ResponseFacts { is_page: true, vary: "rsc, cookie", ..FILE }, SharingRule::None).is_shared());
    }

    #[test]
    fn every_reason_has_a_token_of_its_own() {
        let mut tokens: Vec<_> = AGAINST.iter().map(|(_, reason)| reason.as_token()).collect();
        tokens.extend(["never-rule", "differs", "unreachable", "share-rule", "explicit", "dated", "no-freshness"]);
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 16);
    }
}
