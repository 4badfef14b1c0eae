//! What nobody but the server's own user may look into.

use std::{fs, io, path::Path};

/// Makes a directory for this user alone, if there is none.
///
/// # Errors
/// When the system does not let it be made.
#[cfg(unix)]
pub fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes a directory, if there is none.
#[cfg(not(unix))]
pub fn make_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}
