//! `_headers`: paths, and below each the headers of what is there.

use http::{HeaderName, HeaderValue};

use super::{
    fault::{RuleFault, RuleFaultKind},
    lines::{HEADERS_FILE, lines},
    pattern::{Pattern, names_in},
};
use crate::{
    asset::Headers,
    limits::{HEADER_LINE_LEN_MAX, HEADER_LINES_MAX, HEADER_RULES_MAX},
    operator_headers::check_header,
};

/// All rules, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct HeaderRules(Vec<HeaderRule>);

#[derive(Debug)]
struct HeaderRule {
    pattern: Pattern,
    /// With their lines.
    steps: Vec<(usize, Step)>,
}

#[derive(Debug)]
enum Step {
    Add(HeaderName, HeaderValue),
    Detach(HeaderName),
}

impl HeaderRules {
    /// # Errors
    /// At the first line that cannot be followed.
    pub(super) fn parse(text: &[u8]) -> Result<Self, RuleFault> {
        let mut rules: Vec<HeaderRule> = Vec::new();
        for (line, text) in lines(HEADERS_FILE, text, HEADER_LINE_LEN_MAX)? {
            let fault = |kind| RuleFault { file: HEADERS_FILE, line, kind };
            if text.starts_with([' ', '\t']) {
                let rule = rules.last_mut().ok_or_else(|| fault(RuleFaultKind::NoPath))?;
                if rule.steps.len() >= HEADER_LINES_MAX {
                    return Err(fault(RuleFaultKind::TooManyRules { what: "headers of one path", max: HEADER_LINES_MAX }));
                }
                rule.steps.push((line, step(text.trim(), &rule.pattern).map_err(fault)?));
                continue;
            }
            if rules.len() >= HEADER_RULES_MAX {
                return Err(fault(RuleFaultKind::TooManyRules { what: "paths", max: HEADER_RULES_MAX }));
            }
            if !text.starts_with('/') && !text.contains("://") {
                return Err(fault(RuleFaultKind::Neither));
            }
            rules.push(HeaderRule { pattern: Pattern::parse(&text).map_err(fault)?, steps: Vec::new() });
        }
        Ok(Self(rules))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `given` and what the rules say of a path, or of what it is also called; none where they say nothing.
    ///
    /// # Errors
    /// When they are more than `max`, at the line that is too much.
    pub(super) fn of(&self, (path, also): (&str, Option<&str>), given: &Headers, max: usize) -> Result<Option<Headers>, RuleFault> {
        let is_of =
            |rule: &&HeaderRule| rule.pattern.captures(path).is_some() || also.is_some_and(|also| rule.pattern.captures(also).is_some());
        let mut matching = self.0.iter().filter(is_of).peekable();
        if matching.peek().is_none() {
            return Ok(None);
        }
        let (mut given, mut ruled) = (given.clone(), Headers::new());
        for (line, step) in matching.flat_map(|rule| &rule.steps) {
            match step {
                Step::Detach(name) => {
                    given.retain(|(given, _)| given != name);
                    ruled.retain(|(ruled, _)| ruled != name);
                }
                Step::Add(name, value) => {
                    given.retain(|(given, _)| given != name);
                    let header = (name.clone(), value.clone());
                    if !ruled.contains(&header) {
                        ruled.push(header);
                    }
                }
            }
            if given.len() + ruled.len() > max {
                let kind = RuleFaultKind::TooManyHeaders { path: path.to_owned(), max };
                return Err(RuleFault { file: HEADERS_FILE, line: *line, kind });
            }
        }
        given.append(&mut ruled);
        Ok(Some(given))
    }
}

/// What an indented line says, without its indent.
fn step(text: &str, pattern: &Pattern) -> Result<Step, RuleFaultKind> {
    let fault = || RuleFaultKind::Header(text.to_owned());
    if let Some(name) = text.strip_prefix('!') {
        return name.trim().parse().map(Step::Detach).map_err(|_| fault());
    }
    let (name, value) = text.split_once(':').ok_or_else(fault)?;
    let name: HeaderName = name.trim().parse().map_err(|_| fault())?;
    let value = value.trim();
    if name == "basic-auth" {
        return Err(RuleFaultKind::BasicAuth);
    }
    if value.is_empty() {
        return Err(fault());
    }
    if let Some(taken) = names_in(value).find(|taken| pattern.names(taken)) {
        return Err(RuleFaultKind::ValuePlaceholder(taken.to_owned()));
    }
    let value = HeaderValue::from_str(value).map_err(|_| fault())?;
    check_header(&name, &value).map_err(|error| RuleFaultKind::RefusedHeader(error.to_string()))?;
    Ok(Step::Add(name, value))
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;
    use crate::operator_headers::HEADERS_MAX;

    fn of(rules: &str, path: &str, given: &[(&str, &str)]) -> Option<Vec<String>> {
        let given = given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let headers = HeaderRules::parse(rules.as_bytes()).unwrap().of((path, None), &given, HEADERS_MAX).unwrap();
        headers.map(|headers| headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect())
    }

    fn fault(rules: &str) -> String {
        HeaderRules::parse(rules.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn rules_add_up_and_take_away_in_the_order_of_the_file() {
        let rules = "/*\n  X-Frame-Options: DENY\n  Content-Security-Policy: default-src 'self'\n\n# pictures\n/*.jpg\n\t! Content-Security-Policy\n\
                     /a/:b/c.jpg\n  Link: </x>; rel=preload\n  link: </y>\n  Link: </y>";
        assert_eq!(of(rules, "/a", &[]).unwrap(), ["x-frame-options=DENY", "content-security-policy=default-src 'self'"]);
        assert_eq!(of(rules, "/a/b/c.jpg", &[]).unwrap(), ["x-frame-options=DENY", "link=</x>; rel=preload", "link=</y>"]);
        assert_eq!(of("/b\n A: 1", "/a", &[]), None);
    }

    #[test]
    fn a_rule_stands_in_place_of_what_holds_everywhere() {
        let given = [("a", "0"), ("b", "0"), ("c", "0")];
        assert_eq!(of("/x\n A: 1\n A: 2\n ! B", "/x", &given).unwrap(), ["c=0", "a=1", "a=2"]);
        assert_eq!(of("/x\n ! A\n A: 3", "/x", &given).unwrap(), ["b=0", "c=0", "a=3"]);
    }

    #[test]
    fn a_faulty_line_is_named() {
        for (rules, said) in [
            ("  A: b", "_headers line 1: a header stands before the first path"),
            ("/a\n\nA: b", "_headers line 3: it is neither a path"),
            ("https://a.example/*", "_headers line 1: `https://a.example/*` is no path of this site"),
            ("/a\n  A", "_headers line 2: `A` is not a header"),
            ("/a\n  A:", "_headers line 2: `A:` is not a header"),
            ("/a\n  a b: c", "_headers line 2: `a b: c` is not a header"),
            ("/a\n  A: \u{1}b", "_headers line 2"),
            ("/a\n  A: ü", "_headers line 2: the value of header a must be"),
            ("/a\n  ETag: x", "_headers line 2: header etag is set by the server"),
            ("/a\n  Basic-Auth: a:b", "_headers line 2: Basic-Auth is not supported"),
            ("/:a\n  X: is :a", "_headers line 2: `:a` in the value"),
            ("/*/*", "_headers line 1: `/*/*` cannot be matched"),
        ] {
            let fault = fault(rules);
            assert!(fault.starts_with(said), "{fault}");
        }
    }

    #[test]
    fn there_are_at_most_so_many_rules_and_headers() {
        let rules = |paths: usize| (0..paths).map(|path| format!("/{path}\n A: b\n")).collect::<String>();
        assert!(HeaderRules::parse(rules(HEADER_RULES_MAX).as_bytes()).is_ok());
        assert!(fault(&rules(HEADER_RULES_MAX + 1)).starts_with("_headers line 201: at most 100 paths"));
        let steps = |steps: usize| format!("/a\n{}", " A: b\n".repeat(steps));
        assert!(HeaderRules::parse(steps(HEADER_LINES_MAX).as_bytes()).is_ok());
        assert!(HeaderRules::parse(steps(HEADER_LINES_MAX + 1).as_bytes()).is_err());
        let headers = |headers: usize| format!("/a\n{}", (0..headers).map(|name| format!(" x-{name}: b\n")).collect::<String>());
        assert_eq!(of(&headers(HEADERS_MAX), "/a", &[]).unwrap().len(), HEADERS_MAX);
        let rules = HeaderRules::parse(headers(HEADERS_MAX + 1).as_bytes()).unwrap();
        assert!(
            rules
                .of(("/a", None), &Headers::new(), HEADERS_MAX)
                .unwrap_err()
                .to_string()
                .starts_with("_headers line 16: /a has more than 14 headers")
        );
    }

    #[test]
    fn a_line_is_at_most_so_long() {
        let line = |len: usize| format!("/a\n A: {}", "b".repeat(len - 4));
        let rules = HeaderRules::parse(line(HEADER_LINE_LEN_MAX).as_bytes()).unwrap();
        let headers = rules.of(("/a", None), &vec![(header::VIA, HeaderValue::from_static("x"))], HEADERS_MAX).unwrap().unwrap();
        assert_eq!(headers.len(), 2);
        assert!(fault(&line(HEADER_LINE_LEN_MAX + 1)).contains("it has 2001 bytes"));
    }
}
