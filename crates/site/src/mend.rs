//! Making anew what somebody removed from the object store: from the site's own file, if that still is the same.

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    path::PathBuf,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use viral_wire::Digest;

use super::{
    compress::{Coding, decode},
    store::StoreFile,
};

/// How stored content was made.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Real path of the site's file.
    pub(super) path: PathBuf,
    /// What was done with it.
    pub(super) made: Made,
    /// Digest of the content.
    pub(super) digest: Digest,
}

/// What was done with a file.
#[derive(Debug, Clone)]
pub(super) enum Made {
    /// Nothing.
    Copied,
    /// It was unpacked.
    Unpacked(Coding),
    /// This markup was inserted at this place.
    Inserted(u64, Arc<str>),
}

impl Source {
    /// Makes the content of `len` bytes anew in the place of `file`. Blocks.
    ///
    /// # Errors
    /// When the site's file cannot be read or is another one by now, or the store cannot be written.
    pub(super) fn mend(&self, file: &StoreFile, len: u64) -> io::Result<()> {
        let (mut copy, unnamed) = file.store.create()?;
        let mended = self.copy(&mut copy, len).and_then(|()| fs::rename(&unnamed, &file.path));
        match &mended {
            Ok(()) => tracing::warn!(path = %self.path.display(), "its copy in the object store was gone and is made anew"),
            Err(_) => drop(fs::remove_file(&unnamed)),
        }
        mended
    }

    fn copy(&self, copy: &mut File, len: u64) -> io::Result<()> {
        let mut hasher = Sha256::new();
        let mut from = self.reader()?.take(len + 1);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            hasher.update(bytes);
            copy.write_all(bytes)?;
        }
        if Digest(hasher.finalize().into()) == self.digest {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "its copy in the object store is gone, and the site's file is another one by now"))
    }

    fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.path)?;
        Ok(match &self.made {
            Made::Copied => Box::new(file),
            Made::Unpacked(coding) => decode(*coding, file)?,
            Made::Inserted(at, markup) => {
                let mut head = Vec::new();
                (&mut file).take(*at).read_to_end(&mut head)?;
                head.extend_from_slice(markup.as_bytes());
                Box::new(io::Cursor::new(head).chain(file))
            }
        })
    }
}
