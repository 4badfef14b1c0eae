//! Watching a whole directory although some of what is in it cannot be watched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use notify::{Error, ErrorKind, RecursiveMode};

use crate::limits::DEPTH_MAX;

/// Watches `root` and all that is in it by `watch`. Of what this user may not read it tells the first, and watches the rest.
///
/// # Errors
/// When `root` itself cannot be watched, or the system has no more watches to give.
pub(super) fn watch(root: &Path, watch: &mut dyn FnMut(&Path, RecursiveMode) -> notify::Result<()>) -> notify::Result<Option<PathBuf>> {
    match watch(root, RecursiveMode::Recursive) {
        Ok(()) => return Ok(None),
        Err(error) if is_of_one_directory(&error) => {}
        Err(error) => return Err(error),
    }
    watch(root, RecursiveMode::NonRecursive)?;
    let mut refused = None;
    below(root, 1, watch, &mut refused)?;
    Ok(refused)
}

fn below(
    dir: &Path,
    depth: usize,
    watch: &mut dyn FnMut(&Path, RecursiveMode) -> notify::Result<()>,
    refused: &mut Option<PathBuf>,
) -> notify::Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let path = entry.path();
        match watch(&path, RecursiveMode::Recursive) {
            Ok(()) => {}
            Err(error) if !is_of_one_directory(&error) => return Err(error),
            // Something in it is refused, or it is.
            Err(_) if depth < DEPTH_MAX && watch(&path, RecursiveMode::NonRecursive).is_ok() => below(&path, depth + 1, watch, refused)?,
            Err(_) if path.exists() => drop(refused.get_or_insert(path)),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Whether an error is about one directory, and no other is concerned.
fn is_of_one_directory(error: &Error) -> bool {
    match &error.kind {
        ErrorKind::Io(error) => matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound),
        ErrorKind::PathNotFound => true,
        ErrorKind::Generic(_) | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) | ErrorKind::MaxFilesWatch => false,
    }
}

/// What to do about it.
pub(super) fn advice(error: &Error) -> &'static str {
    match &error.kind {
        ErrorKind::MaxFilesWatch => "raise fs.inotify.max_user_watches",
        ErrorKind::Io(error) if crate::scan::is_exhausted(error) => {
            "raise fs.inotify.max_user_instances, or let this program open more files (`ulimit -n`)"
        }
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => "let this user read the directory",
        ErrorKind::Generic(_) | ErrorKind::Io(_) | ErrorKind::PathNotFound | ErrorKind::WatchNotFound | ErrorKind::InvalidConfig(_) => {
            "none"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn denied() -> Error {
        Error::io(io::ErrorKind::PermissionDenied.into())
    }

    /// What is watched, by path below the root, where nobody may read `secret`. A recursive watch fails with anything in it, as on Linux.
    fn watched(dirs: &[&str], secret: &str) -> (BTreeSet<String>, Option<String>) {
        let root = tempfile::tempdir().unwrap();
        dirs.iter().for_each(|dir| fs::create_dir_all(root.path().join(dir)).unwrap());
        let secret = root.path().join(secret);
        let mut watched = BTreeSet::new();
        let name = |path: &Path| path.strip_prefix(root.path()).unwrap().display().to_string();
        let refused = watch(root.path(), &mut |path, mode| {
            let whole = mode == RecursiveMode::Recursive;
            if path == secret || (whole && secret.starts_with(path)) {
                return Err(denied());
            }
            watched.insert(format!("{}{}", name(path), if whole { "/**" } else { "" }));
            Ok(())
        });
        let refused = refused.unwrap().map(|path| name(&path));
        (watched, refused)
    }

    #[test]
    fn one_directory_that_may_not_be_read_leaves_the_others_watched() {
        let (all, refused) = watched(&["a/b/secret", "a/b/c", "a/d", "e/f"], "a/b/secret");
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), ["", "a", "a/b", "a/b/c/**", "a/d/**", "e/**"]);
        assert_eq!(refused.as_deref(), Some("a/b/secret"));
        assert_eq!(watched(&["a"], "/none"), (BTreeSet::from(["/**".to_owned()]), None));
    }

    #[test]
    fn a_system_without_watches_to_give_is_an_error_with_its_own_advice() {
        let root = tempfile::tempdir().unwrap();
        let error = watch(root.path(), &mut |_, _| Err(Error::new(ErrorKind::MaxFilesWatch))).unwrap_err();
        assert_eq!(advice(&error), "raise fs.inotify.max_user_watches");
        assert_eq!(advice(&denied()), "let this user read the directory");
        assert!(watch(root.path(), &mut |_, _| Err(denied())).is_err(), "the root itself");
    }
}
