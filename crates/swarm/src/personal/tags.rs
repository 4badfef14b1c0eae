//! Entity tags of pages that something of ours was put into: whoever has such a page has what the tag without our suffix names.

use http::{HeaderMap, HeaderValue, header};

/// Makes a request ask for the whole of what something of ours is put into, and compare it only with what it was put into before.
pub fn ask_for_whole(headers: &mut HeaderMap, suffix: &str) {
    let known = theirs(headers, suffix);
    for name in [header::RANGE, header::IF_RANGE, header::IF_MODIFIED_SINCE, header::IF_NONE_MATCH] {
        headers.remove(name);
    }
    for tag in known {
        headers.append(header::IF_NONE_MATCH, tag);
    }
}

/// The tags of `If-None-Match` that are ours, as the service gave them.
fn theirs(headers: &HeaderMap, suffix: &str) -> Vec<HeaderValue> {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags = values.flat_map(|value| value.split(',')).map(str::trim);
    let stripped = tags.filter_map(|tag| {
        let weak = tag.strip_prefix("W/").unwrap_or(tag);
        let name = weak.strip_prefix('"')?.strip_suffix('"')?.strip_suffix(suffix)?;
        let name = name.strip_suffix('w').map_or_else(|| format!("\"{name}\""), |name| format!("W/\"{name}\""));
        HeaderValue::try_from(name).ok()
    });
    stripped.collect()
}

/// Makes the tag of an answer ours: a weak one, for our codings differ. Whether it was weak before is told by a letter.
pub fn make_ours(headers: &mut HeaderMap, suffix: &str) {
    let Some(tag) = headers.remove(header::ETAG) else { return };
    let Ok(text) = tag.to_str() else { return };
    let (was_weak, name) = text.strip_prefix("W/").map_or(("", text), |name| ("w", name));
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    // One whose name ends in our letter could not be told from another, and one with a comma not from two.
    let Some(name) = name.filter(|name| !name.contains(',') && (!was_weak.is_empty() || !name.ends_with('w'))) else { return };
    if let Ok(ours) = HeaderValue::try_from(format!("W/\"{name}{was_weak}{suffix}\"")) {
        headers.insert(header::ETAG, ours);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(tag: &str) -> Option<String> {
        let mut headers = HeaderMap::from_iter([(header::ETAG, HeaderValue::try_from(tag).unwrap())]);
        make_ours(&mut headers, "-v1");
        headers.get(header::ETAG).map(|tag| tag.to_str().unwrap().to_owned())
    }

    fn back(tags: &str) -> Vec<String> {
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::try_from(tags).unwrap())]);
        theirs(&headers, "-v1").iter().map(|tag| tag.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_tag_that_was_made_ours_leads_back_to_theirs_and_no_other_does() {
        for tag in ["\"a\"", "W/\"a\"", "\"\"", "W/\"63-EhE/+=\""] {
            assert_eq!(back(&ours(tag).unwrap()), [tag]);
        }
        assert_eq!(back("\"a\", W/\"b\", *, W/\"c-v1\", \"dw-v1\", \"e-v2\""), ["\"c\"", "W/\"d\""]);
        assert_eq!((ours("\"aw\""), ours("\"a,b\""), ours("a")), (None, None, None), "what could be taken for another has none");
    }
}
