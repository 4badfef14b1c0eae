//! The two cookies of ours: what the visitor decided or its browser cannot do, and which version it is looking at.

use http::{HeaderMap, HeaderValue, header};

/// Name of the cookie that holds the visitor's state.
const STATE: &str = "viral";

/// Name of the cookie that pins the version of the assets to that of the document.
const VERSION: &str = "viral-version";

/// Opt-outs last a year, in seconds.
const OFF_AGE_S: u64 = 365 * 24 * 3600;

/// What a browser cannot do may change with its next release: a week, in seconds.
const INCAPABLE_AGE_S: u64 = 7 * 24 * 3600;

/// A document's assets are asked for right after it, in seconds.
const VERSION_AGE_S: u64 = 120;

/// The visitor's state as the cookie says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VisitorState {
    /// Nothing known.
    Unknown,
    /// Opted out.
    Off,
    /// The loader found that it cannot work in this browser.
    Incapable,
    /// The loader found a service worker of the site's own.
    OwnServiceWorker,
}

/// Reads `viral=…`.
pub(crate) fn visitor_state(headers: &HeaderMap) -> VisitorState {
    match cookie(headers, STATE) {
        Some("off") => VisitorState::Off,
        Some("incapable") => VisitorState::Incapable,
        Some("own-sw") => VisitorState::OwnServiceWorker,
        Some(_) | None => VisitorState::Unknown,
    }
}

/// Reads `viral-version=TAG`.
pub(crate) fn pinned_version(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, VERSION)
}

/// `Set-Cookie` of an opt-out.
pub(crate) fn set_off() -> HeaderValue {
    state_cookie("off", OFF_AGE_S)
}

/// `Set-Cookie` of a browser in which the loader cannot work.
pub(crate) fn set_incapable() -> HeaderValue {
    state_cookie("incapable", INCAPABLE_AGE_S)
}

/// `Set-Cookie` that forgets the state.
pub(crate) fn clear_state() -> HeaderValue {
    state_cookie("", 0)
}

/// `Set-Cookie` of the version a document came from.
pub(crate) fn set_version(tag: &str) -> HeaderValue {
    value(&format!("{VERSION}={tag}; Max-Age={VERSION_AGE_S}; Path=/; SameSite=Lax; HttpOnly"))
}

// The state is readable by our scripts, which set it themselves: not HttpOnly.
fn state_cookie(state: &str, age_s: u64) -> HeaderValue {
    value(&format!("{STATE}={state}; Max-Age={age_s}; Path=/; SameSite=Lax"))
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("cookies of ours are visible ASCII")
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn the_state_is_found_among_the_cookies_of_the_site() {
        assert_eq!(visitor_state(&with("a=b; viral=off; c=d")), VisitorState::Off);
        assert_eq!(visitor_state(&with("viral=incapable")), VisitorState::Incapable);
        assert_eq!(visitor_state(&with("viral=own-sw")), VisitorState::OwnServiceWorker);
        assert_eq!(visitor_state(&with("notviral=off; viral=nonsense")), VisitorState::Unknown);
        assert_eq!(visitor_state(&HeaderMap::new()), VisitorState::Unknown);
    }

    #[test]
    fn a_version_that_is_no_number_pins_nothing() {
        assert_eq!(pinned_version(&with("viral-version=0123456789abcdef")), Some("0123456789abcdef"));
        assert_eq!(pinned_version(&with("viral=off")), None);
    }
}
