//! What a script refers to: static imports, and whether it registers a service worker.
//!
//! Both are searched for, not parsed: a wrong import is dropped because no such file exists, and a registration in a string
//! or comment only costs the site its thin answers.

use super::links::{Links, Need};

/// Notes the static imports of a module in `links`: relative and absolute specifiers, not bare ones.
pub(super) fn references(script: &str, links: &mut Links) {
    for keyword in ["import", "from"] {
        for (at, _) in script.match_indices(keyword) {
            let starts = script[..at].chars().next_back().is_none_or(|before| !is_word(before) && before != '.');
            let rest = script[at + keyword.len()..].trim_start();
            if let Some(specifier) = starts.then(|| quoted(rest)).flatten()
                && (specifier.starts_with("./") || specifier.starts_with("../") || specifier.starts_with('/'))
            {
                links.add(specifier, Need::First);
            }
        }
    }
}

/// Whether the text holds `serviceWorker.register(`, whatever white space or `?` stands between.
pub(super) fn registers_service_worker(text: &[u8]) -> bool {
    const CONTAINER: &[u8] = b"serviceWorker";
    let mut from = 0;
    while let Some(at) = find(&text[from..], CONTAINER) {
        from += at + CONTAINER.len();
        if is_registration(&text[from..]) {
            return true;
        }
    }
    false
}

fn is_registration(after: &[u8]) -> bool {
    let mut rest = after.trim_ascii_start();
    // `navigator.serviceWorker!.register` and `navigator["serviceWorker"].register` are the same call.
    while let Some((b'"' | b'\'' | b']' | b'?' | b'!', tail)) = rest.split_first() {
        rest = tail.trim_ascii_start();
    }
    let Some(rest) = rest.strip_prefix(b".") else { return false };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"register") else { return false };
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"?.").map_or(rest, <[u8]>::trim_ascii_start);
    rest.first() == Some(&b'(')
}

/// First place of `needle` in `text`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, _) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| byte == first) {
        if text[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The string literal `text` begins with.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let body = &text[1..];
    let end = body.find([quote, '\n', '\\'])?;
    body[end..].starts_with(quote).then(|| &body[..end])
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_imports_are_found_minified_or_not() {
        let script = r#"import"./a.js";import b from './b.js'
            export * from "../c.js"; import{d}from"/d.js"; const e = import("./dynamic.js"); xfrom "./no.js"; a.from("./no2.js")
            import react from "react"; import "./broken.js
            "#;
        let mut links = Links::of("js/main.js");
        references(script, &mut links);
        let mut targets: Vec<_> = links.into_vec().into_iter().map(|link| link.target).collect();
        targets.sort();
        assert_eq!(targets, ["c.js", "d.js", "js/a.js", "js/b.js"]);
    }

    #[test]
    fn registrations_are_found_however_they_are_written() {
        for text in [
            "navigator.serviceWorker.register('/sw.js')",
            "navigator.serviceWorker?.register(\"x\")",
            "navigator.serviceWorker\n  .register (u)",
            "n['serviceWorker'].register(u)",
            "\"serviceWorker\"in navigator&&navigator.serviceWorker.register(u)",
            "serviceWorker ?. register?.(u)",
        ] {
            assert!(registers_service_worker(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_uses_of_service_workers_are_no_registration() {
        for text in [
            "",
            "serviceWorker",
            "'serviceWorker' in navigator",
            "navigator.serviceWorker.ready",
            "navigator.serviceWorker.getRegistrations()",
            "serviceWorker.register",
            "serviceWorker.registered(",
            "serviceWorkers.register(",
            "navigator.serviceWorker.controller.register(",
        ] {
            assert!(!registers_service_worker(text.as_bytes()), "{text}");
        }
    }
}
