//! Which TypeScript file imports which. An import of types alone counts, too: it says what its file has to know.

use std::collections::BTreeMap;

use super::graph::Graph;

/// The imports between these files, by path; tests are left out.
pub(super) fn read(files: &BTreeMap<String, String>) -> Graph {
    let mut graph = Graph::default();
    for (file, text) in files.iter().filter(|(file, _)| !file.ends_with(".test.ts")) {
        for (name, line) in specifiers(text) {
            if let Some(target) = resolve(files, file, &name) {
                graph.add(file, &target, line);
            }
        }
    }
    graph
}

/// The file that an import names, if it is one of these.
fn resolve(files: &BTreeMap<String, String>, from: &str, name: &str) -> Option<String> {
    if !name.starts_with('.') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    [path.clone(), format!("{path}.ts"), format!("{path}/index.ts")].into_iter().find(|path| files.contains_key(path))
}

/// What a text imports or passes on from elsewhere, with the line: each string after `from`, `import` or `import(`, outside comments.
fn specifiers(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // The code so far without spaces, as far as it matters.
    let mut before = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if matches!(char, '\'' | '"' | '`') {
            let end = end_of_string(rest, char);
            if char != '`' && ["from", "import", "import("].iter().any(|word| is_last_word(&before, word)) {
                let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
                found.push((rest[1..end].trim_end_matches(char).to_owned(), line));
            }
            before.clear();
            end
        } else {
            if !char.is_whitespace() {
                before.push(char);
            } else if before.ends_with(|last: char| last.is_alphanumeric()) {
                before.push(' ');
            }
            char.len_utf8()
        };
        rest = &rest[len..];
    }
    found
}

/// Where a string that begins here ends, its quotes included. Only one in backticks goes over several lines.
fn end_of_string(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if char == '\\' {
            is_escaped = true;
        } else if char == quote {
            return at + char.len_utf8();
        } else if char == '\n' && quote != '`' {
            return at;
        }
    }
    rest.len()
}

fn is_last_word(before: &str, word: &str) -> bool {
    let before = before.trim_end().strip_suffix(word);
    before.is_some_and(|before| !before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        read(&files).arrows()
    }

    #[test]
    fn imports_of_values_of_types_and_for_their_effect_count() {
        let a = "import { x } from './b';\nimport type {\n  Y,\n} from \"./c/d\";\nimport '../e';\nexport type { Z } from './f.ts';\nlet g: import('./g').G;\n";
        let files = [("m/a.ts", a), ("m/b.ts", ""), ("m/c/d.ts", ""), ("e.ts", ""), ("m/f.ts", ""), ("m/g.ts", "import { h } from 'h';")];
        assert_eq!(arrows(&files), ["m/a.ts -> e.ts", "m/a.ts -> m/b.ts", "m/a.ts -> m/c/d.ts", "m/a.ts -> m/f.ts", "m/a.ts -> m/g.ts"]);
    }

    #[test]
    fn comments_strings_and_tests_are_no_imports() {
        let a =
            "// import './b';\n/** from './b' */\nconst s = 'import \"./b\"', t = `from './b'`;\nArray.from('./b');\nx.import('./b');\n";
        assert!(arrows(&[("a.ts", a), ("b.ts", ""), ("a.test.ts", "import { b } from './b';")]).is_empty());
    }

    #[test]
    fn a_circle_of_types_is_a_circle() {
        let files = [("a.ts", "\nimport type { B } from './b';"), ("b.ts", "import type { A } from './a';")];
        let files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        let circles = read(&files).circles();
        assert_eq!(circles[0].show("s"), "a circle of 2 files in s: a.ts, b.ts\n    s/a.ts:2 uses b.ts\n    s/b.ts:1 uses a.ts");
    }
}
