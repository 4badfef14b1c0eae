//! Files that outlive the process: for this user alone, each replaced as a whole.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A name for what is kept of this: the first 16 hex digits of its SHA-256.
pub(crate) fn name_of(of: &[u8]) -> String {
    Sha256::digest(of)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether files can be made in a folder: better known at the start than when there is something to keep.
///
/// # Errors
/// When none can be.
pub(crate) fn try_folder(dir: &Path) -> io::Result<()> {
    tempfile::NamedTempFile::new_in(dir).map(drop)
}

/// Puts a new file in the place of the old one: whoever reads finds one or the other, whole, after a crash as well. A temporary file is for this user alone.
///
/// # Errors
/// When it cannot be written or put in place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}
