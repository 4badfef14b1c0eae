//! Path patterns: `*` for anything, `:name` for one segment.

use super::fault::RuleFaultKind;
use crate::path;

/// The name of what `*` stands for.
const SPLAT: &str = "splat";

/// A path with at most one `*`, before which each `:name` stands for one segment.
#[derive(Debug)]
pub(super) struct Pattern {
    head: Vec<Part>,
    /// What must follow `*`, if there is one.
    tail: Option<String>,
}

#[derive(Debug)]
enum Part {
    /// As URLs spell it.
    Text(String),
    /// Anything but a slash, not empty.
    Name(String),
}

/// What a pattern's names stand for in a path that it matches.
#[derive(Debug)]
pub(super) struct Captures<'c>(Vec<(&'c str, &'c str)>);

impl Pattern {
    /// # Errors
    /// When it is no path of a site, or says what cannot be matched.
    pub(super) fn parse(text: &str) -> Result<Self, RuleFaultKind> {
        let fault = |why| RuleFaultKind::Pattern { path: text.to_owned(), why };
        let Some(below) = text.strip_prefix('/') else { return Err(RuleFaultKind::Path(text.to_owned())) };
        if text.contains(['?', '#']) {
            return Err(fault("a path has neither query nor fragment"));
        }
        let (head, tail) = below.split_once('*').map_or((below, None), |(head, tail)| (head, Some(tail)));
        if tail.is_some_and(|tail| tail.contains('*')) {
            return Err(fault("it has more than one `*`"));
        }
        if tail.is_some_and(|tail| tail.split('/').skip(1).any(|segment| name_of(segment).is_some())) {
            return Err(fault("a `:name` stands before `*`, not after it"));
        }
        let spelt = |text: &str| path::spelt(text).ok_or_else(|| fault("its escapes are not of UTF-8 text"));
        let (mut parts, mut literal) = (Vec::new(), String::new());
        let mut segments = head.split('/').peekable();
        while let Some(segment) = segments.next() {
            literal.push('/');
            match name_of(segment) {
                Some(_) if tail.is_some() && segments.peek().is_none() => return Err(fault("`:name` must be a whole segment")),
                Some(SPLAT) => return Err(fault("`:splat` is the name of what `*` stands for")),
                Some(name) if parts.iter().any(|part| matches!(part, Part::Name(other) if other == name)) => {
                    return Err(fault("a name stands in it twice"));
                }
                Some(name) => {
                    parts.extend([Part::Text(spelt(&literal)?), Part::Name(name.to_owned())]);
                    literal.clear();
                }
                None => literal.push_str(segment),
            }
        }
        parts.push(Part::Text(spelt(&literal)?));
        Ok(Self { head: parts, tail: tail.map(spelt).transpose()? })
    }

    /// Whether it matches one path only.
    pub(super) fn is_static(&self) -> bool {
        self.tail.is_none() && self.head.len() == 1
    }

    /// Whether something by this name stands in it.
    pub(super) fn names(&self, name: &str) -> bool {
        (name == SPLAT && self.tail.is_some()) || self.head.iter().any(|part| matches!(part, Part::Name(own) if own == name))
    }

    /// What its names stand for in this path, if it matches.
    pub(super) fn captures<'c>(&'c self, path: &'c str) -> Option<Captures<'c>> {
        let (mut rest, mut captures) = (path, Vec::new());
        for part in &self.head {
            match part {
                Part::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Name(name) => {
                    let (value, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                    if value.is_empty() {
                        return None;
                    }
                    captures.push((name.as_str(), value));
                    rest = after;
                }
            }
        }
        match &self.tail {
            Some(tail) => captures.push((SPLAT, rest.strip_suffix(tail.as_str())?)),
            None if rest.is_empty() => {}
            None => return None,
        }
        Some(Captures(captures))
    }
}

impl Captures<'_> {
    /// `template` with what its names stand for. What looks like a name and is none stays.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once(':') {
            filled.push_str(before);
            let name = leading_name(after);
            match self.0.iter().find(|(own, _)| *own == name) {
                Some((_, value)) => filled.push_str(value),
                None => filled.extend([":", name]),
            }
            rest = after.get(name.len()..).unwrap_or_default();
        }
        filled.push_str(rest);
        filled
    }
}

/// The names that a text could take something by.
pub(super) fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(':').skip(1).map(leading_name).filter(|name| !name.is_empty())
}

/// The name that a whole segment is.
fn name_of(segment: &str) -> Option<&str> {
    segment.strip_prefix(':').filter(|name| !name.is_empty() && leading_name(name) == *name)
}

/// The name that a text begins with: a letter, then letters, digits and `_`.
fn leading_name(text: &str) -> &str {
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_')).unwrap_or(text.len());
    let (name, _) = text.split_at(end);
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) { name } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything_and_a_name_one_segment() {
        for (pattern, path, filled) in [
            ("/a", "/a", Some("")),
            ("/a", "/a/", None),
            ("/a", "/ab", None),
            ("/*", "/", Some("")),
            ("/*", "/a/b", Some("a/b")),
            ("/blog/*", "/blog/a/b", Some("a/b")),
            ("/blog/*", "/blog", None),
            ("/*.jpg", "/a/b.jpg", Some("a/b")),
            ("/a*a", "/a", None),
            ("/:y/:m", "/2024/05", Some("2024-05")),
            ("/:y/:m", "/2024/", None),
            ("/:y/:m", "/2024/05/01", None),
            ("/:y/x/*", "/1/x/z", Some("1z")),
            ("/ü/:1", "/%C3%BC/:1", Some("")),
            ("/a b", "/a%20b", Some("")),
            ("/a%20b", "/a%20b", Some("")),
        ] {
            let template = match pattern {
                "/:y/:m" => ":y-:m",
                "/:y/x/*" => ":y:splat",
                _ if pattern.contains('*') => ":splat",
                _ => "",
            };
            let matcher = Pattern::parse(pattern).unwrap();
            assert_eq!(matcher.captures(path).map(|captures| captures.fill(template)).as_deref(), filled, "{pattern} {path}");
        }
    }

    #[test]
    fn what_cannot_be_matched_is_refused_with_the_reason() {
        for (pattern, reason) in [
            ("a", "no path"),
            ("https://a.example/*", "no path"),
            ("/*/*", "more than one"),
            ("/*/:a", "before `*`"),
            ("/:a*", "whole segment"),
            ("/:a/:a", "twice"),
            ("/:splat", "what `*` stands for"),
            ("/a?b=c", "neither query"),
            ("/%zz", "escapes"),
            ("/%ff", "escapes"),
        ] {
            let fault = Pattern::parse(pattern).unwrap_err().to_string();
            assert!(fault.contains(reason), "{pattern}: {fault}");
        }
    }

    #[test]
    fn what_is_no_name_of_the_pattern_stays() {
        let pattern = Pattern::parse("/:id").unwrap();
        let filled = pattern.captures("/7").unwrap().fill("https://a.example:8080/:id/:ids/:/x:id");
        assert_eq!(filled, "https://a.example:8080/7/:ids/:/x7");
        assert!(pattern.names("id") && !pattern.names("splat"));
        assert_eq!(names_in("a:b:8 :c_d").collect::<Vec<_>>(), ["b", "c_d"]);
    }
}
