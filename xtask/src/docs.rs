//! Links between documents: each leads to a file of the repository and, if it names one, to a heading of it. A path of the repository that stands in backticks is there, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::shell::root;

/// Fails with each link in a Markdown file that leads nowhere. Links to other hosts are not looked at: there may be no network.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut dead = Vec::new();
    for file in markdown()? {
        let text = std::fs::read_to_string(root().join(&file)).with_context(|| format!("reading {}", file.display()))?;
        for link in links(&text) {
            if let Err(why) = follow(&file, &text, &link) {
                dead.push(format!("{}: {link} {why}", file.display()));
            }
        }
        // A record tells what was where when it was made.
        if !file.starts_with("docs/adr") && !file.ends_with("CHANGELOG.md") {
            let gone = paths(&text).into_iter().filter(|path| !root().join(path).exists());
            dead.extend(gone.map(|path| format!("{}: `{path}` is not there", file.display())));
        }
    }
    if dead.is_empty() { Ok(()) } else { bail!("links that lead nowhere:\n{}", dead.join("\n")) }
}

/// Markdown files that git knows or that are new.
fn markdown() -> anyhow::Result<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"])
        .current_dir(root())
        .output()
        .context("git ls-files")?;
    let names = String::from_utf8(listed.stdout)?;
    Ok(names.lines().map(PathBuf::from).filter(|path| root().join(path).exists()).collect())
}

/// Targets of inline links, outside code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        // Every second stretch between backticks is code.
        for prose in line.split('`').step_by(2) {
            let mut rest = prose;
            while let Some(start) = rest.find("](") {
                rest = &rest[start + 2..];
                let end = rest.find(')').unwrap_or(rest.len());
                found.push(rest[..end].to_owned());
            }
        }
    }
    found
}

/// Folders of the repository in which a path in backticks is looked for.
const FOLDERS: [&str; 11] =
    ["crates/", "browser/src/", "docs/", "examples/", "findings/", "lab/", "packaging/", "vectors/", "xtask/", "fuzz/", ".github/"];

/// Paths of the repository that stand in backticks, without what is meant for several (`*`, `{a,b}`) or has a name to be filled in.
fn paths(text: &str) -> BTreeSet<String> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let named = spans.filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)));
    let plain = |span: &&str| span.chars().all(|char| char.is_ascii_alphanumeric() || "/._-".contains(char));
    let is_filled_in = |span: &&str| !span.split(['/', '.']).any(|part| ["NAME", "NNNN-title", "TARGET"].contains(&part));
    named.filter(plain).filter(is_filled_in).map(str::to_owned).collect()
}

fn follow(from: &Path, text: &str, link: &str) -> Result<(), &'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let target = if path.is_empty() { from.to_owned() } else { from.parent().unwrap_or(Path::new("")).join(path) };
    let target = root().join(target);
    if !target.exists() {
        return Err("is not there");
    }
    let Some(heading) = heading else { return Ok(()) };
    let there = if path.is_empty() { text.to_owned() } else { std::fs::read_to_string(target).map_err(|_| "has no headings")? };
    if headings(&there).contains(heading) { Ok(()) } else { Err("has no such heading") }
}

/// Headings as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let named = |title: String| title.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char)).collect::<String>();
    titles.map(|title| named(title).replace(' ', "-")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_repository_are_found_in_backticks() {
        let text = "in `crates/wire/src/lib.rs` and `browser/src/core`; not crates/wire, `vectors/*.json`, `crates/NAME/src`, `docs/GLOSSARY.md`, `cargo xtask`, `other/file.rs`";
        assert_eq!(paths(text), ["browser/src/core", "crates/wire/src/lib.rs", "docs/GLOSSARY.md"].map(str::to_owned).into());
    }

    #[test]
    fn links_are_found_outside_code() {
        let text = "[a](b.md) and [c](d.md#e-f)\n```\n[x](y.md)\n```\n`[x](y.md)` [g](#h)";
        assert_eq!(links(text), ["b.md", "d.md#e-f", "#h"]);
    }

    #[test]
    fn headings_are_named_as_links_name_them() {
        assert_eq!(headings("# One, two\n## `viral get`: files\ntext"), ["one-two", "viral-get-files"].map(str::to_owned).into());
    }
}
