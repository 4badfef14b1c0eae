//! Parsing of serialised policies into directives (CSP level 3, section 2.2).

use std::fmt;

/// One policy: directives by lower-case name; of a repeated name only the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy<'a>(Vec<Directive<'a>>);

/// One directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive<'a> {
    pub(super) name: String,
    pub(super) sources: Vec<&'a str>,
}

/// The policies of one header value: they are separated by commas.
pub(super) fn parse_list(value: &str) -> impl Iterator<Item = Policy<'_>> {
    value.split(',').map(parse).filter(|policy| !policy.0.is_empty())
}

fn parse(text: &str) -> Policy<'_> {
    let mut directives = Vec::<Directive<'_>>::new();
    for part in text.split(';') {
        let mut tokens = part.split_ascii_whitespace();
        let Some(name) = tokens.next().map(str::to_ascii_lowercase) else { continue };
        if directives.iter().all(|known| known.name != name) {
            directives.push(Directive { name, sources: tokens.collect() });
        }
    }
    Policy(directives)
}

impl<'a> Policy<'a> {
    pub(super) fn directives(&self) -> &[Directive<'a>] {
        &self.0
    }

    pub(super) fn get(&self, name: &str) -> Option<&Directive<'a>> {
        self.0.iter().find(|directive| directive.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The directive that governs, given the fallback order.
    pub(super) fn first_of(&self, names: &[&str]) -> Option<&Directive<'a>> {
        names.iter().find_map(|name| self.get(name))
    }
}

impl Directive<'_> {
    /// Is `token` one of the values? Keywords are case-insensitive.
    pub(super) fn lists(&self, token: &str) -> bool {
        self.sources.iter().any(|source| source.eq_ignore_ascii_case(token))
    }
}

impl fmt::Display for Directive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.sources.iter().try_for_each(|source| write!(f, " {source}"))
    }
}
