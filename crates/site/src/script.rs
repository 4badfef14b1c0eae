//! What a script refers to: static imports, and whether it can be nothing but a module.
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

/// Whether the first statement is an `import` declaration, which only a module may have. One that has its imports further down runs them before ours.
#[must_use]
pub fn begins_with_import(script: &[u8]) -> bool {
    let mut rest = script.strip_prefix(b"\xef\xbb\xbf").unwrap_or(script).trim_ascii_start();
    loop {
        let end = if rest.starts_with(b"//") {
            rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'))
        } else if rest.starts_with(b"/*") {
            rest.windows(2).skip(2).position(|two| two == b"*/").map(|at| at + 4)
        } else if [&b"'use strict'"[..], b"\"use strict\""].iter().any(|directive| rest.starts_with(directive)) {
            Some("'use strict'".len())
        } else if rest.starts_with(b";") {
            Some(1)
        } else {
            break;
        };
        let Some(end) = end else { return false };
        rest = rest[end..].trim_ascii_start();
    }
    let Some(after) = rest.strip_prefix(b"import") else { return false };
    let after_space = after.trim_ascii_start();
    match after_space.first() {
        Some(b'"' | b'\'' | b'{' | b'*') => true,
        // A name of its own: `import a from "b"`.
        Some(byte) => after_space.len() < after.len() && (byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$')),
        None => false,
    }
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
    fn only_what_can_be_nothing_but_a_module_is_taken_for_one() {
        for module in [
            "import'a.js'",
            "import \"a.js\"",
            "import{a}from'a.js'",
            "import * as a from 'a.js'",
            "import a from 'a.js'",
            "import _a, { b } from 'a.js'",
            "\u{feff}// why\n/* import */ 'use strict';\n import a from 'a.js'",
        ] {
            assert!(begins_with_import(module.as_bytes()), "{module}");
        }
        for classic in [
            "",
            "import",
            "importScripts('a.js')",
            "import('a.js')",
            "import.meta",
            "important = 1",
            "imports\n{}",
            "/* import 'a.js'",
            "// import 'a.js'",
            "self.a = `\nimport 'a.js'`",
            "\"use strictly\"; import",
        ] {
            assert!(!begins_with_import(classic.as_bytes()), "{classic}");
        }
    }
}
