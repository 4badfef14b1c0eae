//! What a script refers to: static imports.
//!
//! They are searched for, not parsed: a wrong import is dropped because no such file exists.

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
}
