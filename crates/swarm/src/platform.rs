//! What is known of a browser from its headers alone: whether a peer connection may raise a permission prompt there, and whether it is too old.
//!
//! From macOS 26 on, the system asks "find devices on local networks" when Chromium or Firefox open a peer connection, because of multicast
//! DNS (w3c/webrtc-pc#3109); Safari is exempt (Apple TN3179). The version is frozen at 10.15 in every user agent, so it is known only from
//! the client hint `Sec-CH-UA-Platform-Version`, which a server must first ask for (`Accept-CH`) and Firefox never sends.

/// The first macOS that asks.
pub const PROMPTING_MACOS_MIN: u32 = 26;

/// macOS 26 as it calls itself to programs built for an older one.
const MACOS_26_COMPATIBLE: u32 = 16;

/// The first Chromium, Firefox and Safari with `DecompressionStream('deflate-raw')`, the newest thing that the loader needs (MDN browser-compat-data).
/// A browser that cannot even read the loader's syntax could not leave it by itself.
const CAPABLE_MIN: [(&str, (u32, u32)); 3] = [("Chrome/", (103, 0)), ("Firefox/", (113, 0)), ("Version/", (16, 4))];

/// The request headers this looks at, as sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// `User-Agent`.
    pub user_agent: &'a str,
    /// `Sec-CH-UA-Platform`, quotes included.
    pub platform: Option<&'a str>,
    /// `Sec-CH-UA-Platform-Version`, quotes included.
    pub platform_version: Option<&'a str>,
}

/// Engines as far as prompts differ between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// Chrome, Edge, Opera, Brave and their kin.
    Chromium,
    /// Firefox and its kin.
    Firefox,
    /// Safari and every other browser.
    Other,
}

impl Engine {
    /// Its name in numbers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Other => "other",
        }
    }
}

/// Which engine a user agent names. Browsers on iOS (`CriOS`, `FxiOS`) are WebKit.
#[must_use]
pub fn engine(user_agent: &str) -> Engine {
    let names = |product: &str| user_agent.contains(product);
    if names("Chrome/") || names("Chromium/") {
        Engine::Chromium
    } else if names("Firefox/") {
        Engine::Firefox
    } else {
        Engine::Other
    }
}

/// Whether a browser is too old to run the loader. What names no version that we know is given the benefit of the doubt: the loader looks for itself.
#[must_use]
pub fn is_too_old(user_agent: &str) -> bool {
    let version = |product: &str| {
        let (_, rest) = user_agent.split_once(product)?;
        let mut numbers = rest.split(|char: char| !char.is_ascii_digit()).map(|digits| digits.parse::<u32>().unwrap_or(0));
        Some((numbers.next()?, numbers.next().unwrap_or(0)))
    };
    let named = CAPABLE_MIN.iter().find_map(|(product, least)| version(product).map(|found| (found, *least)));
    named.is_some_and(|(found, least)| found < least)
}

/// Whether a peer connection may raise a prompt. On a Mac whose version is unknown it may: never a prompt is worth more than one more peer.
#[must_use]
pub fn prompts(hints: &Hints<'_>) -> bool {
    if engine(hints.user_agent) == Engine::Other || !is_mac(hints) {
        return false;
    }
    let Some(version) = hints.platform_version.and_then(major_version) else { return true };
    version >= PROMPTING_MACOS_MIN || version == MACOS_26_COMPATIBLE
}

fn is_mac(hints: &Hints<'_>) -> bool {
    match hints.platform.map(unquoted) {
        Some(platform) => platform == "macOS" || platform == "Mac OS X",
        None => hints.user_agent.contains("(Macintosh;"),
    }
}

fn major_version(value: &str) -> Option<u32> {
    unquoted(value).split('.').next()?.parse().ok()
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME_MAC: &str =
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
    const FIREFOX_MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:153.0) Gecko/20100101 Firefox/153.0";
    const SAFARI_MAC: &str =
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.4 Safari/605.1.15";
    const FIREFOX_LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0";
    const CHROME_ANDROID: &str =
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36";
    const CHROME_LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
    const CHROME_IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0.0.0 Mobile/15E148 Safari/604.1";

    fn on_mac(version: &str) -> bool {
        prompts(&Hints { user_agent: CHROME_MAC, platform: Some("\"macOS\""), platform_version: Some(version) })
    }

    fn by_agent(user_agent: &str) -> bool {
        prompts(&Hints { user_agent, ..Hints::default() })
    }

    #[test]
    fn chromium_prompts_on_macos_26_and_not_before() {
        assert!(on_mac("\"26.0.0\""));
        assert!(on_mac("\"27.1.0\""));
        assert!(on_mac("\"16.0.0\""), "26 under its compatible name");
        assert!(!on_mac("\"15.6.1\""));
    }

    #[test]
    fn a_mac_of_unknown_version_may_prompt() {
        assert!(by_agent(CHROME_MAC));
        assert!(by_agent(FIREFOX_MAC));
        assert!(on_mac("\"\""));
        assert!(on_mac("nonsense"));
    }

    #[test]
    fn safari_and_every_other_system_never_prompt() {
        assert!(!by_agent(SAFARI_MAC));
        assert!(!by_agent(CHROME_LINUX));
        assert!(!by_agent(CHROME_IPHONE));
        assert!(!by_agent(""));
    }

    /// The rows of the administrators' guide: browser, system, and what is done there.
    #[test]
    fn the_guide_says_who_is_kept_out() {
        let guide = include_str!("../../../docs/guide/administrators.md");
        let rows =
            guide.lines().skip_while(|line| !line.starts_with("| browser | system |")).skip(2).take_while(|line| line.starts_with('|'));
        let mut seen = 0;
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [browser, systems, _, _, _, does] = cells[..] else { panic!("{row}") };
            for hints in hints_of(browser, systems) {
                assert_eq!(prompts(&hints), does == "plain", "{row}: {hints:?}");
                seen += 1;
            }
        }
        assert!(seen >= 14, "{seen}");
    }

    /// What such browsers send on the systems that a row names.
    fn hints_of(browser: &str, systems: &'static str) -> Vec<Hints<'static>> {
        let versioned = |version| Hints { user_agent: CHROME_MAC, platform: Some("\"macOS\""), platform_version: Some(version) };
        let by_agent = |user_agent| Hints { user_agent, ..Hints::default() };
        let of = |system: &str| match (browser.split(' ').next(), system) {
            (Some("Chromium"), "Windows" | "Linux") => by_agent(CHROME_LINUX),
            (Some("Chromium"), "Android") => by_agent(CHROME_ANDROID),
            (Some("Chromium"), "macOS 15") => versioned("\"15.6.1\""),
            (Some("Chromium"), "macOS 26") => versioned("\"26.0.0\""),
            (Some("Chromium"), "macOS version unknown") => by_agent(CHROME_MAC),
            (Some("Firefox"), "Windows" | "Linux") => by_agent(FIREFOX_LINUX),
            (Some("Firefox"), "macOS version unknown") => by_agent(FIREFOX_MAC),
            (Some("Safari"), "macOS" | "iOS") => by_agent(if system == "iOS" { CHROME_IPHONE } else { SAFARI_MAC }),
            other => panic!("the guide names {other:?}"),
        };
        if systems == "macOS, version unknown" { vec![of("macOS version unknown")] } else { systems.split(", ").map(of).collect() }
    }

    #[test]
    fn browsers_without_deflate_raw_are_too_old() {
        assert!(is_too_old("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/102.0.5005.61 Safari/537.36"));
        assert!(!is_too_old("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/103.0.0.0 Safari/537.36"));
        assert!(is_too_old("Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/102.0"));
        assert!(is_too_old("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Safari/605.1.15"));
        for capable in [CHROME_LINUX, FIREFOX_MAC, SAFARI_MAC, CHROME_IPHONE, ""] {
            assert!(!is_too_old(capable), "{capable}");
        }
    }

    #[test]
    fn the_hint_wins_over_the_user_agent() {
        let hints = Hints { user_agent: CHROME_MAC, platform: Some("\"Linux\""), platform_version: None };
        assert!(!prompts(&hints));
    }
}
