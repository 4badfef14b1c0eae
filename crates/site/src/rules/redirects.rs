//! `_redirects`: what is done at a path, one rule a line.

use http::StatusCode;

use super::{
    fault::{RuleFault, RuleFaultKind},
    lines::{REDIRECTS_FILE, lines},
    pattern::{Pattern, names_in},
};
use crate::limits::{REDIRECT_LINE_LEN_MAX, REDIRECTS_DYNAMIC_MAX, REDIRECTS_STATIC_MAX};

/// Where a request is sent instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// A path from its first slash, or a whole `http` or `https` address.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
}

impl Redirect {
    /// To a path of the same site, for good.
    pub(crate) fn moved(to: String) -> Self {
        Self { to, status: StatusCode::PERMANENT_REDIRECT }
    }

    /// The value of `Location`: the destination with the query of the request, unless it has one of its own.
    #[must_use]
    pub fn location(&self, query: Option<&str>) -> String {
        let Some(query) = query.filter(|_| !self.to.contains('?')) else { return self.to.clone() };
        match self.to.split_once('#') {
            Some((before, fragment)) => format!("{before}?{query}#{fragment}"),
            None => format!("{}?{query}", self.to),
        }
    }
}

/// What a rule says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Go there.
    Redirect(Redirect),
    /// The file at this URL path is answered, with status 200.
    Rewrite(String),
    /// There is nothing, and the file at this URL path says so.
    NotFound(String),
}

/// All rules, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    /// Those that hold whatever is there.
    forced: Vec<RedirectRule>,
    /// Those for where there is nothing.
    others: Vec<RedirectRule>,
}

#[derive(Debug)]
struct RedirectRule {
    from: Pattern,
    to: String,
    status: StatusCode,
}

impl Redirects {
    /// # Errors
    /// At the first line that cannot be followed.
    pub(super) fn parse(text: &[u8]) -> Result<Self, RuleFault> {
        let (mut rules, mut statics, mut dynamics) = (Self::default(), 0, 0);
        for (line, text) in lines(REDIRECTS_FILE, text, REDIRECT_LINE_LEN_MAX)? {
            let fault = |kind| RuleFault { file: REDIRECTS_FILE, line, kind };
            let (rule, is_forced) = rule(&text).map_err(fault)?;
            let (count, what, max) = if rule.from.is_static() {
                (&mut statics, "rules without `*` and `:name`", REDIRECTS_STATIC_MAX)
            } else {
                (&mut dynamics, "rules with `*` or `:name`", REDIRECTS_DYNAMIC_MAX)
            };
            *count += 1;
            if *count > max {
                return Err(fault(RuleFaultKind::TooManyRules { what, max }));
            }
            if is_forced { rules.forced.push(rule) } else { rules.others.push(rule) }
        }
        Ok(rules)
    }

    /// Whether there is no such rule.
    pub(super) fn is_empty(&self, forced: bool) -> bool {
        self.of(forced).is_empty()
    }

    /// What the first rule of a path says that does not lead to this path itself.
    pub(super) fn outcome(&self, path: &str, forced: bool) -> Option<Outcome> {
        self.of(forced).iter().find_map(|rule| rule.outcome(path))
    }

    fn of(&self, forced: bool) -> &[RedirectRule] {
        if forced { &self.forced } else { &self.others }
    }
}

impl RedirectRule {
    fn outcome(&self, path: &str) -> Option<Outcome> {
        let to = within(self.from.captures(path)?.fill(&self.to));
        let file = to.split(['?', '#']).next().unwrap_or_default();
        if file == path && self.status != StatusCode::NOT_FOUND {
            return None;
        }
        Some(match self.status {
            StatusCode::OK => Outcome::Rewrite(file.to_owned()),
            StatusCode::NOT_FOUND => Outcome::NotFound(file.to_owned()),
            status => Outcome::Redirect(Redirect { to, status }),
        })
    }
}

/// A path that stays one whatever stands in it: browsers take `//host` and `/\host` for another site.
fn within(to: String) -> String {
    match to.strip_prefix('/') {
        Some(rest) if rest.starts_with(['/', '\\']) => format!("/{}", rest.trim_start_matches(['/', '\\'])),
        Some(_) | None => to,
    }
}

/// The rule of a line, and whether it holds whatever is there.
fn rule(line: &str) -> Result<(RedirectRule, bool), RuleFaultKind> {
    let mut words = line.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
    let from = Pattern::parse(words.next().unwrap_or_default())?;
    let to = words.next().ok_or(RuleFaultKind::NoDestination)?;
    if !is_destination(to) {
        let is_condition = to.contains('=') && !to.starts_with('/');
        let kind = if is_condition { RuleFaultKind::QueryCondition } else { RuleFaultKind::Destination };
        return Err(kind(to.to_owned()));
    }
    let (status, is_forced) = match words.next() {
        Some(word) if word.contains('=') => return Err(RuleFaultKind::VisitorCondition(word.to_owned())),
        Some(word) => status(word)?,
        None => (StatusCode::MOVED_PERMANENTLY, false),
    };
    if let Some(word) = words.next() {
        let kind = if word.contains('=') { RuleFaultKind::VisitorCondition } else { RuleFaultKind::TooMuch };
        return Err(kind(word.to_owned()));
    }
    if let Some((_, after)) = to.split_once("://") {
        let host = after.split(['/', '?', '#']).next().unwrap_or_default();
        if names_in(host).any(|name| from.names(name)) {
            return Err(RuleFaultKind::DestinationHost(to.to_owned()));
        }
        if matches!(status, StatusCode::OK | StatusCode::NOT_FOUND) {
            return Err(RuleFaultKind::Elsewhere { status: status.as_u16(), to: to.to_owned() });
        }
    }
    Ok((RedirectRule { from, to: escaped(to), status }, is_forced))
}

/// Whether a rule can lead there: to a path of this site or to an address with a host.
fn is_destination(to: &str) -> bool {
    let host = ["http://", "https://"].iter().find_map(|scheme| to.strip_prefix(scheme));
    match host {
        Some(host) => !host.is_empty() && !host.starts_with(['/', '?', '#', ':', '\\']),
        None => to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"),
    }
}

fn status(word: &str) -> Result<(StatusCode, bool), RuleFaultKind> {
    let (digits, is_forced) = word.strip_suffix('!').map_or((word, false), |digits| (digits, true));
    let status = match digits {
        "301" => StatusCode::MOVED_PERMANENTLY,
        "302" => StatusCode::FOUND,
        "303" => StatusCode::SEE_OTHER,
        "307" => StatusCode::TEMPORARY_REDIRECT,
        "308" => StatusCode::PERMANENT_REDIRECT,
        "200" => StatusCode::OK,
        "404" => StatusCode::NOT_FOUND,
        _ => return Err(RuleFaultKind::Status(word.to_owned())),
    };
    Ok((status, is_forced))
}

/// A destination as a header can carry it: what is not ASCII is escaped.
fn escaped(to: &str) -> String {
    percent_encoding::utf8_percent_encode(to, percent_encoding::CONTROLS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rules: &str, path: &str, forced: bool) -> Option<Outcome> {
        Redirects::parse(rules.as_bytes()).unwrap().outcome(path, forced)
    }

    fn location(rules: &str, path: &str, query: Option<&str>) -> Option<(u16, String)> {
        match outcome(rules, path, false) {
            Some(Outcome::Redirect(redirect)) => Some((redirect.status.as_u16(), redirect.location(query))),
            Some(Outcome::Rewrite(_) | Outcome::NotFound(_)) | None => None,
        }
    }

    #[test]
    fn a_rule_leads_on_with_what_its_names_stand_for() {
        for (rules, path, to) in [
            ("/old /new", "/old", Some((301, "/new"))),
            ("/old /new 302 # for now", "/old", Some((302, "/new"))),
            ("/old https://a.example:8080/x 303", "/old", Some((303, "https://a.example:8080/x"))),
            ("/news/* /blog/:splat 307", "/news/a/b", Some((307, "/blog/a/b"))),
            ("/:y/:m/:d/* /articles/:d-:m-:y/:splat 308", "/2024/05/01/x", Some((308, "/articles/01-05-2024/x"))),
            ("/a /1\n/a /2\n/* /3", "/a", Some((301, "/1"))),
            ("/a /ü", "/a", Some((301, "/%C3%BC"))),
            ("/a /b", "/c", None),
        ] {
            assert_eq!(location(rules, path, None), to.map(|(status, to)| (status, to.to_owned())), "{rules}");
        }
    }

    #[test]
    fn the_query_is_kept_unless_the_destination_has_one() {
        assert_eq!(location("/a /b", "/a", Some("x=1")).unwrap().1, "/b?x=1");
        assert_eq!(location("/a /b#c", "/a", Some("x=1")).unwrap().1, "/b?x=1#c");
        assert_eq!(location("/a /b?y=2", "/a", Some("x=1")).unwrap().1, "/b?y=2");
        assert_eq!(location("/p/:id /b?id=:id", "/p/7", None).unwrap().1, "/b?id=7");
    }

    #[test]
    fn no_path_leads_to_another_site_or_in_a_circle() {
        assert_eq!(location("/go/* /:splat", "/go//evil.example", None).unwrap().1, "/evil.example");
        assert_eq!(location("/go/* /:splat", "/go/\\/evil.example", None).unwrap().1, "/evil.example");
        assert_eq!(location("/a /a\n/a /b", "/a", None).unwrap().1, "/b");
        assert_eq!(outcome("/* /index.html 200!", "/index.html", true), None);
    }

    #[test]
    fn rewrites_and_forced_rules_are_told_apart() {
        let rules = "/app/* /app/index.html?x 200\n/gone/* /sorry.html 404\n/b /c 302!";
        assert_eq!(outcome(rules, "/app/x", false), Some(Outcome::Rewrite("/app/index.html".to_owned())));
        assert_eq!(outcome(rules, "/gone/x", false), Some(Outcome::NotFound("/sorry.html".to_owned())));
        assert_eq!(outcome(rules, "/b", false), None);
        assert!(matches!(outcome(rules, "/b", true), Some(Outcome::Redirect(_))));
    }

    #[test]
    fn a_faulty_line_is_named() {
        for (rules, said) in [
            ("# x\n/a", "_redirects line 2: it has no destination"),
            ("/a # /b", "_redirects line 1: it has no destination"),
            ("/a b", "_redirects line 1: `b` is no destination"),
            ("/a //b.example", "_redirects line 1: `//b.example` is no destination"),
            ("/a ftp://b.example", "_redirects line 1: `ftp://b.example` is no destination"),
            ("/a https://", "_redirects line 1: `https://` is no destination"),
            ("/a javascript:alert(1)", "_redirects line 1"),
            ("a /b", "_redirects line 1: `a` is no path of this site"),
            ("https://a.example/* /b", "_redirects line 1: `https://a.example/*` is no path of this site"),
            ("/a id=:id /b 301", "_redirects line 1: a condition on the query (`id=:id`) is not supported"),
            ("/a /b 302 Country=at,de", "_redirects line 1: a condition on the visitor (`Country=at,de`) is not supported"),
            ("/a /b Language=de", "_redirects line 1: a condition on the visitor"),
            ("/a /b 302 x", "_redirects line 1: `x` follows"),
            ("/a /b 410", "_redirects line 1: status `410` is not supported"),
            ("/a /b 302!!", "_redirects line 1: status `302!!` is not supported"),
            ("/a https://b.example/ 200", "_redirects line 1: status 200 leads to a file of this site"),
            ("/* https://a.example:splat", "_redirects line 1: the host of"),
            ("/:h/* https://:h/:splat", "_redirects line 1: `https://:h/:splat` is no destination"),
            ("/:h/* https://x.:h/:splat", "_redirects line 1: the host of"),
        ] {
            let fault = Redirects::parse(rules.as_bytes()).unwrap_err().to_string();
            assert!(fault.starts_with(said), "{fault}");
        }
    }

    #[test]
    fn there_are_at_most_so_many_rules() {
        for (max, from) in [(REDIRECTS_STATIC_MAX, "/"), (REDIRECTS_DYNAMIC_MAX, "/*")] {
            let rules = |count: usize| (0..count).map(|number| format!("{from}{number} /x\n")).collect::<String>();
            assert!(Redirects::parse(rules(max).as_bytes()).is_ok());
            let fault = Redirects::parse(rules(max + 1).as_bytes()).unwrap_err();
            assert_eq!(fault.line, max + 1);
        }
        let line = |len: usize| format!("/a /{}", "b".repeat(len - 4));
        assert!(Redirects::parse(line(REDIRECT_LINE_LEN_MAX).as_bytes()).is_ok());
        assert!(Redirects::parse(line(REDIRECT_LINE_LEN_MAX + 1).as_bytes()).is_err());
    }
}
