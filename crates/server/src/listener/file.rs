//! The file of a Unix socket: made where nobody listens, and taken away by whoever made it.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

use crate::limits::{SOCKET_LOCK_ATTEMPTS_MAX, SOCKET_LOCK_PAUSE};

/// Its user and its group connect, which is how a proxy of another user is let in.
const MODE: u32 = 0o660;

/// The file of a socket that this program listens on; removed when dropped, if it is still the same one.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
    /// A successor has it.
    is_left: Arc<AtomicBool>,
}

impl SocketFile {
    /// Listens at `path`, see [`super::Listener::bind_unix`].
    pub(super) async fn bind(path: &Path) -> io::Result<(Self, UnixListener)> {
        // Of two programs that find the same dead socket one would remove the file that the other has just made.
        let _turn = turn(path).await?;
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                remove_dead(path).await?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        let file = Self::there(path)?;
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        Ok((file, listener))
    }

    /// The file that is there, on whose socket this program listens.
    pub(super) fn there(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), id: (metadata.dev(), metadata.ino()), is_left: Arc::default() })
    }

    /// To be set when a successor has the file.
    pub(super) fn is_left(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_left)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_left.load(Relaxed) {
            return;
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.id) {
            // Whoever starts next finds it dead and replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The lock of the folder that the socket is in. It ends with the file, and nothing of it stays on disk.
async fn turn(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder)?;
    for _ in 0..SOCKET_LOCK_ATTEMPTS_MAX {
        match folder.try_lock() {
            Ok(()) => return Ok(folder),
            Err(TryLockError::WouldBlock) => sleep(SOCKET_LOCK_PAUSE).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::AddrInUse, "another program is about to listen there"))
}

/// Removes a socket file on which nobody listens.
async fn remove_dead(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    match UnixStream::connect(path).await {
        // Anything else may be somebody who is only busy.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) | Err(_) => Err(ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_its_user_and_group_and_its_file_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.sock");
        let (file, listener) = SocketFile::bind(&path).await.unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o777, 0o660);
        UnixStream::connect(&path).await.unwrap();
        drop((file, listener));
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_one_that_is_listened_on_or_none_at_all_never() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a killed program leaves it");
        let (file, listener) = SocketFile::bind(&path).await.unwrap();
        assert_eq!(SocketFile::bind(&path).await.err().unwrap().kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).await.unwrap();
        drop((file, listener));
        fs::write(&path, "mine").unwrap();
        assert_eq!(SocketFile::bind(&path).await.err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn the_file_of_somebody_else_is_left_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.sock");
        let (file, listener) = SocketFile::bind(&path).await.unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        let (_other, _listening) = SocketFile::bind(&path).await.unwrap();
        drop((file, listener));
        UnixStream::connect(&path).await.unwrap();
    }

    #[tokio::test]
    async fn of_several_that_find_a_dead_socket_one_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (one, other) = tokio::join!(SocketFile::bind(&path), SocketFile::bind(&path));
        assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|listens| **listens).count(), 1);
        UnixStream::connect(&path).await.unwrap();
    }
}
