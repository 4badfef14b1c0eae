//! Preconditions (RFC 9110 section 13), judged in the order of section 13.2.2.
//!
//! A date says less than a tag: releases may carry equal dates, and one that is taken back leaves an older file. So a date must be the very one that
//! was told, and never joins parts of a body (docs/adr/0051). Browsers send the tag, which then decides alone.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use httpdate::HttpDate;
use viral_wire::Digest;

use crate::asset::entity_tag;
use crate::compress::{Coding, Effort};

/// What the preconditions say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Go on.
    Send,
    /// The client has it, under this entity tag.
    NotModified(HeaderValue),
    /// Status 412.
    Failed,
}

/// The entity tags of one object: half its digest, and how it is coded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags {
    pub(super) digest: Digest,
    /// Suffix of the representation that would be sent.
    pub(super) selected: &'static str,
}

/// Suffixes of entity tags. Two efforts of one coding are different bytes, so a strong tag must tell them apart.
pub(super) fn suffix(coding: Coding, effort: Effort) -> &'static str {
    match (coding, effort) {
        (Coding::Brotli, Effort::Thorough) => "-br",
        (Coding::Zstd, Effort::Thorough) => "-zstd",
        (Coding::Gzip, Effort::Thorough) => "-gzip",
        (Coding::Brotli, Effort::Quick) => "-br-q",
        (Coding::Zstd, Effort::Quick) => "-zstd-q",
        (Coding::Gzip, Effort::Quick) => "-gzip-q",
        (Coding::Brotli, Effort::Given) => "-br-g",
        (Coding::Zstd, Effort::Given) => "-zstd-g",
        (Coding::Gzip, Effort::Given) => "-gzip-g",
    }
}

const SUFFIXES: [&str; 10] = ["", "-br", "-zstd", "-gzip", "-br-q", "-zstd-q", "-gzip-q", "-br-g", "-zstd-g", "-gzip-g"];

impl Tags {
    /// The tag of the representation that would be sent, with its quotes.
    pub(super) fn of_selected(&self) -> String {
        self.with(self.selected)
    }

    fn with(&self, suffix: &str) -> String {
        entity_tag(self.digest, suffix)
    }

    /// Whether a tag names this content in any coding: what a client that decoded it holds is the same.
    fn is_ours(&self, tag: &str) -> bool {
        let ours = self.with("");
        let suffix = tag.strip_prefix(ours.trim_end_matches('"')).and_then(|rest| rest.strip_suffix('"'));
        suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix))
    }
}

/// Judges the preconditions of a GET or HEAD.
pub(super) fn judge(headers: &HeaderMap, tags: &Tags, modified: Option<HttpDate>) -> Outcome {
    if headers.contains_key(header::IF_MATCH) {
        let matches = |listed: &Listed<'_>| listed.tag == "*" || (!listed.weak && tags.is_ours(listed.tag));
        if !listed(headers, &header::IF_MATCH).any(|listed| matches(&listed)) {
            return Outcome::Failed;
        }
    } else if let (Some(since), Some(modified)) = (date(headers, &header::IF_UNMODIFIED_SINCE), modified)
        && modified > since
    {
        return Outcome::Failed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        let known = listed(headers, &header::IF_NONE_MATCH).find(|listed| listed.tag == "*" || tags.is_ours(listed.tag));
        let tag = known.map(|listed| if listed.tag == "*" { tags.of_selected() } else { listed.tag.to_owned() });
        return tag.and_then(|tag| HeaderValue::try_from(tag).ok()).map_or(Outcome::Send, Outcome::NotModified);
    }
    let since = date(headers, &header::IF_MODIFIED_SINCE);
    let unmodified = since.zip(modified).is_some_and(|(since, modified)| modified == since);
    let tag = unmodified.then(|| HeaderValue::try_from(tags.of_selected()).ok()).flatten();
    tag.map_or(Outcome::Send, Outcome::NotModified)
}

/// Whether `If-None-Match` names this content itself; `*` names nothing.
pub(super) fn is_named(headers: &HeaderMap, digest: Digest) -> bool {
    let tags = Tags { digest, selected: "" };
    listed(headers, &header::IF_NONE_MATCH).any(|listed| tags.is_ours(listed.tag))
}

/// Whether a `Range` is to be honoured: no `If-Range`, or one that names exactly what would be sent. A date is no strong validator (RFC 9110
/// section 13.1.5).
pub(super) fn range_applies(headers: &HeaderMap, tags: &Tags) -> bool {
    headers.get(header::IF_RANGE).is_none_or(|value| value.to_str().is_ok_and(|value| value.trim() == tags.of_selected()))
}

/// One entity tag of a list, with its quotes, or `*`.
struct Listed<'h> {
    weak: bool,
    tag: &'h str,
}

fn listed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Listed<'h>> {
    // Our tags hold no commas, so splitting at them cannot cut one of ours.
    let items = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    items.map(str::trim).map(|item| match item.strip_prefix("W/") {
        Some(tag) => Listed { weak: true, tag },
        None => Listed { weak: false, tag: item },
    })
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<HttpDate> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const TAGS: Tags = Tags { digest: Digest([0xab; 32]), selected: "-br" };
    const OURS: &str = "\"abababababababababababababababab\"";
    const OURS_BR: &str = "\"abababababababababababababababab-br\"";

    fn modified() -> Option<HttpDate> {
        Some((SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).into())
    }

    fn judged(pairs: &[(&'static str, &str)]) -> Outcome {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap()));
        judge(&pairs.collect(), &TAGS, modified())
    }

    fn not_modified(tag: &str) -> Outcome {
        Outcome::NotModified(HeaderValue::try_from(tag).unwrap())
    }

    #[test]
    fn client_that_has_the_content_in_any_coding_is_told_so() {
        assert_eq!(judged(&[("if-none-match", OURS_BR)]), not_modified(OURS_BR));
        assert_eq!(judged(&[("if-none-match", &format!("\"x\", W/{OURS}"))]), not_modified(OURS));
        assert_eq!(judged(&[("if-none-match", "*")]), not_modified(OURS_BR));
        assert_eq!(judged(&[("if-none-match", "\"other\"")]), Outcome::Send);
    }

    #[test]
    fn dates_count_only_without_tags_and_where_they_are_the_very_one_told() {
        let (earlier, same, later) = ("Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:21 GMT");
        assert_eq!(judged(&[("if-modified-since", same)]), not_modified(OURS_BR));
        assert_eq!(judged(&[("if-modified-since", later)]), Outcome::Send, "a release taken back is older");
        assert_eq!(judged(&[("if-modified-since", earlier)]), Outcome::Send);
        assert_eq!(judged(&[("if-modified-since", "yesterday")]), Outcome::Send);
        assert_eq!(judged(&[("if-modified-since", same), ("if-none-match", "\"other\"")]), Outcome::Send);
    }

    #[test]
    fn changed_content_fails_a_match() {
        assert_eq!(judged(&[("if-match", "\"other\"")]), Outcome::Failed);
        assert_eq!(judged(&[("if-match", &format!("W/{OURS}"))]), Outcome::Failed, "a weak tag never matches strongly");
        assert_eq!(judged(&[("if-match", OURS)]), Outcome::Send);
        assert_eq!(judged(&[("if-match", "*")]), Outcome::Send);
        assert_eq!(judged(&[("if-unmodified-since", "Tue, 14 Nov 2023 22:13:19 GMT")]), Outcome::Failed);
        assert_eq!(judged(&[("if-unmodified-since", "Tue, 14 Nov 2023 22:13:20 GMT")]), Outcome::Send);
    }

    #[test]
    fn range_applies_only_to_exactly_what_would_be_sent() {
        let applies =
            |value: &str| range_applies(&HeaderMap::from_iter([(header::IF_RANGE, HeaderValue::try_from(value).unwrap())]), &TAGS);
        assert!(range_applies(&HeaderMap::new(), &TAGS) && applies(OURS_BR));
        assert!(!applies(OURS) && !applies(&format!("W/{OURS_BR}")) && !applies("Tue, 14 Nov 2023 22:13:20 GMT"));
    }
}
