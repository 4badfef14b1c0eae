//! What a script refers to: static imports, and whether it registers a service worker.
//!
//! Both are searched for, not parsed: a wrong import is dropped because no such file exists, and a registration in a string
//! or comment only costs the site its thin answers.

use super::references::{Need, References};

/// Notes the static imports of a module in `links`: relative and absolute specifiers, not bare ones.
pub(super) fn references(script: &str, links: &mut References) {
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

/// Whether the text registers a service worker, as far as can be seen: on `serviceWorker` itself, on a variable that holds it, or, where the text mentions it, by a
/// call of `register` whose arguments look like it.
pub(super) fn registers_service_worker(text: &[u8]) -> bool {
    const CONTAINER: &[u8] = b"serviceWorker";
    let mut from = 0;
    let mut is_mentioned = false;
    while let Some(at) = find(&text[from..], CONTAINER) {
        let (begin, end) = (from + at, from + at + CONTAINER.len());
        from = end;
        is_mentioned = true;
        let aliases = [renamed(&text[end..]), assigned(&text[..begin])];
        if names_register(&text[end..]) || aliases.into_iter().flatten().any(|alias| is_registered_on(text, alias)) {
            return true;
        }
    }
    is_mentioned && registers_script(text)
}

/// Whether `.register` or `["register"]` comes next, whatever white space, quotes, brackets, `?` or `!` stand between.
fn names_register(after: &[u8]) -> bool {
    const METHOD: &[u8] = b"register";
    let between = after.iter().take_while(|byte| byte.is_ascii_whitespace() || b"\"'`[]?!.".contains(byte)).count();
    let Some(rest) = after[between..].strip_prefix(METHOD) else { return false };
    let is_member = after[..between].iter().any(|byte| b".[".contains(byte));
    is_member && !rest.first().is_some_and(|byte| is_word_byte(*byte))
}

/// The variable of `{serviceWorker: NAME}`.
fn renamed(after: &[u8]) -> Option<&[u8]> {
    let rest = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let len = rest.iter().take_while(|byte| is_word_byte(**byte)).count();
    (len > 0).then(|| &rest[..len])
}

/// The variable of `NAME = navigator.serviceWorker`.
fn assigned(before: &[u8]) -> Option<&[u8]> {
    let path = before.iter().rev().take_while(|byte| is_word_byte(**byte) || b".?!".contains(byte)).count();
    let rest = before[..before.len() - path].trim_ascii_end().strip_suffix(b"=")?.trim_ascii_end();
    let len = rest.iter().rev().take_while(|byte| is_word_byte(**byte)).count();
    (len > 0).then(|| &rest[rest.len() - len..])
}

fn is_registered_on(text: &[u8], variable: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = find(&text[from..], variable) {
        let (begin, end) = (from + at, from + at + variable.len());
        from = end;
        let is_whole = begin == 0 || !(is_word_byte(text[begin - 1]) || text[begin - 1] == b'.');
        if is_whole && names_register(&text[end..]) {
            return true;
        }
    }
    false
}

/// Whether something is registered that looks like a worker's script: named by a literal, or with a worker's options.
fn registers_script(text: &[u8]) -> bool {
    const CALL: &[u8] = b".register(";
    const OPTIONS: [&[u8]; 2] = [b"scope:", b"updateViaCache"];
    let mut from = 0;
    while let Some(at) = find(&text[from..], CALL) {
        from += at + CALL.len();
        let rest = &text[from..];
        let arguments = &rest[..rest.iter().take(ARGUMENTS_LEN_MAX).position(|byte| *byte == b')').unwrap_or(0)];
        let first = String::from_utf8_lossy(arguments.trim_ascii_start());
        let names_script = quoted(&first).is_some_and(|url| {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            path.ends_with(".js") || path.ends_with(".mjs")
        });
        if names_script || OPTIONS.iter().any(|option| find(arguments, option).is_some()) {
            return true;
        }
    }
    false
}

/// How far the end of a call's arguments is looked for, in bytes.
const ARGUMENTS_LEN_MAX: usize = 256;

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
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
        let mut links = References::of("js/main.js");
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
            "navigator['serviceWorker']['register'](u)",
            "const add = navigator.serviceWorker.register.bind(navigator.serviceWorker)",
            "const{serviceWorker:t}=navigator;await t.register(e)",
            "const { serviceWorker: container } = window.navigator;\n container\n.register(url)",
            "const { serviceWorker } = navigator; serviceWorker.register(e)",
            "let sw = window.navigator.serviceWorker; if (sw) sw?.register(u)",
            "const sw='serviceWorker'in navigator?navigator.serviceWorker:null;sw&&sw.register('/sw.js?v=1')",
            "f(navigator.serviceWorker); function f(t){t.register(u,{scope:'/'})}",
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
            "const{serviceWorker:t}=navigator;other.register(t)",
            "let sw = navigator.serviceWorker; asw.register(u); a.sw.register(u)",
            "navigator.serviceWorker.controller; registry.register(this, 'held.value'); plugins.register('name')",
            "serviceWorker.registered(",
            "serviceWorkers.register(",
            "navigator.serviceWorker.controller.register(",
        ] {
            assert!(!registers_service_worker(text.as_bytes()), "{text}");
        }
    }
}
