//! The five cookies of ours: what the visitor decided or its browser cannot do, which version it is looking at, which browser it is for half an hour, which pages it was
//! answered, and that it saves what it asks for.

use http::{HeaderMap, HeaderValue, header};

use crate::{
    admission::CookieState,
    join::JoinTicket,
    limits::{JOIN_TICKET_AGE_S, JOIN_TICKETS_MAX},
};

/// Name of the cookie that holds the visitor's state.
const STATE: &str = "viral";

/// Name of the cookie that pins the version of the assets to that of the document.
const VERSION: &str = "viral-version";

/// Name of the cookie that tells one browser from another while it visits.
const VISIT: &str = "viral-visit";

/// Name of the cookie that holds join tickets, with dots between them.
const JOIN: &str = "viral-join";

/// Name of the cookie by which our script says that the visitor clicked on a link with `download`. It lasts a few seconds, for one path.
const SAVE: &str = "viral-save";

/// All of them: no business of whoever is behind us.
pub const OWN_COOKIES: [&str; 5] = [STATE, VERSION, VISIT, JOIN, SAVE];

/// Opt-outs last a year, in seconds.
const OFF_AGE_S: u64 = 365 * 24 * 3600;

/// What a browser cannot do may change with its next release: a week, in seconds.
const INCAPABLE_AGE_S: u64 = 7 * 24 * 3600;

/// Nobody is followed for longer than a visit, in seconds: half an hour after the last page, which is when analysts say that a visit is over.
const VISIT_AGE_S: u64 = 30 * 60;

/// A document's assets are asked for right after it, in seconds.
const VERSION_AGE_S: u64 = 120;

/// Reads `viral=…`. There may be several, of other paths or of a domain above: an opt-out holds whatever stands beside it, otherwise the first that means something.
pub fn visitor_state(headers: &HeaderMap) -> CookieState {
    let mut states = cookies(headers, STATE).filter_map(|value| match value {
        "off" => Some(CookieState::Off),
        "incapable" => Some(CookieState::Incapable),
        "own-sw" => Some(CookieState::OwnServiceWorker),
        _ => None,
    });
    let first = states.next().unwrap_or(CookieState::None);
    if states.any(|state| state == CookieState::Off) { CookieState::Off } else { first }
}

/// Reads `viral-version=TAG`.
pub fn pinned_version(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, VERSION)
}

/// Reads `viral-save=1`.
pub fn is_saving(headers: &HeaderMap) -> bool {
    cookie(headers, SAVE) == Some("1")
}

/// Reads `viral-visit=HEX16`. Who opted out is nobody.
pub fn browser(headers: &HeaderMap) -> Option<u64> {
    let digits =
        cookie(headers, VISIT).filter(|digits| digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))?;
    u64::from_str_radix(digits, 16).ok().filter(|_| visitor_state(headers) != CookieState::Off)
}

/// Reads `viral-join=TICKET.TICKET`: the tickets of the pages that were opened last.
pub fn join_tickets(headers: &HeaderMap) -> Vec<JoinTicket> {
    let texts = cookie(headers, JOIN).into_iter().flat_map(|value| value.split('.')).take(JOIN_TICKETS_MAX);
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// Where a cookie goes back to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The site's base.
    pub base: &'a str,
    /// Whether the visitor came over TLS: then no other connection may carry the cookie.
    pub tls: bool,
}

/// `Set-Cookie` of a browser, by its number.
pub fn set_browser(browser: u64, scope: Scope<'_>) -> HeaderValue {
    value(&format!("{VISIT}={browser:016x}; Max-Age={VISIT_AGE_S}"), "; HttpOnly", scope)
}

/// `Set-Cookie` that forgets the browser.
pub fn clear_browser(scope: Scope<'_>) -> HeaderValue {
    value(&format!("{VISIT}=; Max-Age=0"), "; HttpOnly", scope)
}

/// `Set-Cookie` of these join tickets.
pub fn set_join(tickets: &[JoinTicket], scope: Scope<'_>) -> HeaderValue {
    let texts: Vec<String> = tickets.iter().map(ToString::to_string).collect();
    value(&format!("{JOIN}={}; Max-Age={JOIN_TICKET_AGE_S}", texts.join(".")), "; HttpOnly", scope)
}

/// `Set-Cookie` that forgets them.
pub fn clear_join(scope: Scope<'_>) -> HeaderValue {
    value(&format!("{JOIN}=; Max-Age=0"), "; HttpOnly", scope)
}

/// `Set-Cookie` of an opt-out.
pub fn set_off(scope: Scope<'_>) -> HeaderValue {
    state_cookie("off", OFF_AGE_S, scope)
}

/// `Set-Cookie` of a browser in which the loader cannot work.
pub fn set_incapable(scope: Scope<'_>) -> HeaderValue {
    state_cookie("incapable", INCAPABLE_AGE_S, scope)
}

/// `Set-Cookie` that forgets the state.
pub fn clear_state(scope: Scope<'_>) -> HeaderValue {
    state_cookie("", 0, scope)
}

/// `Set-Cookie` of the version a document came from.
pub fn set_version(tag: &str, scope: Scope<'_>) -> HeaderValue {
    value(&format!("{VERSION}={tag}; Max-Age={VERSION_AGE_S}"), "; HttpOnly", scope)
}

// The state is readable by our scripts, which set it themselves: not HttpOnly.
fn state_cookie(state: &str, age_s: u64, scope: Scope<'_>) -> HeaderValue {
    value(&format!("{STATE}={state}; Max-Age={age_s}"), "", scope)
}

fn value(text: &str, more: &str, Scope { base, tls }: Scope<'_>) -> HeaderValue {
    let secure = if tls { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{text}; Path={base}; SameSite=Lax{more}{secure}")).expect("cookies of ours are visible ASCII")
}

/// The value of the first cookie of that name.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    cookies(headers, name).next()
}

/// The values of all cookies of that name.
fn cookies<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn the_state_is_found_among_the_cookies_of_the_site() {
        assert_eq!(visitor_state(&with("a=b; viral=off; c=d")), CookieState::Off);
        assert_eq!(visitor_state(&with("viral=incapable")), CookieState::Incapable);
        assert_eq!(visitor_state(&with("viral=own-sw")), CookieState::OwnServiceWorker);
        assert_eq!(visitor_state(&with("notviral=off; viral=nonsense")), CookieState::None);
        assert_eq!(visitor_state(&HeaderMap::new()), CookieState::None);
    }

    #[test]
    fn an_opt_out_holds_whatever_stands_beside_it() {
        assert_eq!(visitor_state(&with("viral=incapable; viral=off")), CookieState::Off);
        assert_eq!(visitor_state(&with("viral=off; viral=own-sw")), CookieState::Off);
        assert_eq!(visitor_state(&with("viral=nonsense; viral=own-sw; viral=incapable")), CookieState::OwnServiceWorker);
        let mut lines = with("viral=incapable");
        lines.append(header::COOKIE, HeaderValue::from_static("viral=off"));
        assert_eq!(visitor_state(&lines), CookieState::Off);
        assert_eq!(browser(&with("viral=x; viral=off; viral-visit=0000000000000abc")), None);
    }

    #[test]
    fn cookies_that_came_over_tls_go_back_over_tls_only() {
        let all = |tls| {
            let at = Scope { base: "/app/", tls };
            [
                set_browser(1, at),
                clear_browser(at),
                set_off(at),
                set_incapable(at),
                clear_state(at),
                set_version("a", at),
                set_join(&[], at),
                clear_join(at),
            ]
        };
        assert!(all(true).iter().all(|cookie| cookie.to_str().unwrap().contains("; Path=/app/; SameSite=Lax")));
        assert!(all(true).iter().all(|cookie| cookie.to_str().unwrap().ends_with("; Secure")));
        assert!(all(false).iter().all(|cookie| !cookie.to_str().unwrap().contains("Secure")));
    }

    #[test]
    fn a_browser_is_named_by_sixteen_hex_digits_and_nothing_else() {
        assert_eq!(
            set_browser(0xabc, Scope { base: "/", tls: false }),
            "viral-visit=0000000000000abc; Max-Age=1800; Path=/; SameSite=Lax; HttpOnly"
        );
        assert_eq!(browser(&with("a=b; viral-visit=0000000000000abc")), Some(0xabc));
        for wrong in ["", "abc", "0000000000000ABC", "00000000000000abc", "+000000000000abc", "0000000000000abg"] {
            assert_eq!(browser(&with(&format!("viral-visit={wrong}"))), None, "{wrong}");
        }
        assert_eq!(browser(&with("viral=off; viral-visit=0000000000000abc")), None, "opted out");
    }

    #[test]
    fn join_tickets_are_read_as_they_are_written_and_nothing_else_is_one() {
        let tickets: Vec<JoinTicket> = ["0", "a", "f"].map(|digit| digit.repeat(32).parse().unwrap()).into();
        let cookie = set_join(&tickets, Scope { base: "/app/", tls: true }).to_str().unwrap().to_owned();
        let (pair, rest) = cookie.split_once("; ").unwrap();
        assert_eq!(rest, "Max-Age=43200; Path=/app/; SameSite=Lax; HttpOnly; Secure");
        assert_eq!(join_tickets(&with(&format!("a=b; {pair}"))), tickets);
        assert_eq!(join_tickets(&with(&format!("viral-join=x..{};", "0".repeat(32)))), tickets[..1]);
        assert_eq!(join_tickets(&with(&format!("viral-join={}", vec!["0".repeat(32); 9].join(".")))).len(), JOIN_TICKETS_MAX);
        assert_eq!(join_tickets(&HeaderMap::new()), []);
    }

    #[test]
    fn a_version_that_is_no_number_pins_nothing() {
        assert_eq!(pinned_version(&with("viral-version=0123456789abcdef")), Some("0123456789abcdef"));
        assert_eq!(pinned_version(&with("viral=off")), None);
    }
}
