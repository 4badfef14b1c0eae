//! What is in the archive.

use std::path::Path;

use anyhow::Context as _;

use super::archive::Entry;
use crate::shell::root;

/// Files and folders of the repository, and where they lie in the archive.
const FROM_REPOSITORY: &[(&str, &str)] = &[
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("docs/guide/install.md", "INSTALL.md"),
    ("packaging/systemd", "systemd"),
    ("packaging/viral.toml", "etc/viral.toml"),
    ("packaging/seed.env", "etc/seed.env"),
    ("examples/config", "examples"),
];

/// All files, those that were put together in `stage` among them.
pub(super) fn of(stage: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (from, to) in FROM_REPOSITORY {
        add(&mut entries, &root().join(from), to)?;
    }
    for part in ["man", "completions", "viral"] {
        add(&mut entries, &stage.join(part), part)?;
    }
    Ok(entries)
}

/// A file, or all files of a folder.
fn add(entries: &mut Vec<Entry>, from: &Path, to: &str) -> anyhow::Result<()> {
    if from.is_dir() {
        for child in std::fs::read_dir(from)? {
            let child = child?;
            add(entries, &child.path(), &format!("{to}/{}", child.file_name().to_string_lossy()))?;
        }
        return Ok(());
    }
    let bytes = std::fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    entries.push(Entry { path: to.to_owned(), bytes, is_program: to == "viral" });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::archive;
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive() {
        let stage = tempfile::tempdir().expect("a folder");
        for (path, text) in [("viral", "program"), ("man/viral.1", "manual"), ("completions/viral.fish", "complete")] {
            let path = stage.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let packed = || archive::pack("viral-1", of(stage.path()).expect("files"), 7).expect("packed");
        let first = packed();
        std::fs::write(stage.path().join("viral"), "program").expect("the same file, newer");
        assert_eq!(first, packed());
        let entries = of(stage.path()).expect("files");
        let programs: Vec<_> = entries.iter().filter(|entry| entry.is_program).map(|entry| entry.path.as_str()).collect();
        assert_eq!(programs, ["viral"]);
        for path in ["LICENSE-MIT", "man/viral.1", "completions/viral.fish", "systemd/viral.service", "examples/behind-nginx/nginx.conf"] {
            assert!(entries.iter().any(|entry| entry.path == path), "{path}");
        }
    }

    #[test]
    fn what_was_not_put_together_is_missed() {
        let stage = tempfile::tempdir().expect("a folder");
        assert!(of(stage.path()).is_err_and(|error| error.to_string().contains("man")));
    }
}
