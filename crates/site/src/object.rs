//! Stored content named by its digest, with its pieces and its coded forms.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Write as _},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use viral_wire::{Digest, Piece};

use super::{
    chunking::{Chunked, chunk},
    compress::{Coding, decode, unpacked_len},
    encodings::Encodings,
    mend::{Made, Source},
    store::{Blob, BlobWriter, Store},
};

/// Why a file could not be taken into the store.
#[derive(Debug)]
pub(super) enum TakeError {
    /// It cannot be read.
    File(io::Error),
    /// The store cannot be written, which is no fault of the file's.
    Store(io::Error),
}

/// Where objects are: one of each content while somebody holds it.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<Store>,
    known: Mutex<HashMap<Digest, Weak<Object>>>,
}

impl Objects {
    /// No object yet; their content will live in `store`.
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The directory large content is in.
    pub(super) fn path(&self) -> &Path {
        self.store.path()
    }

    /// The object with this digest, made by `make` if it is not there yet.
    fn intern(&self, digest: Digest, make: impl FnOnce() -> Object) -> Arc<Object> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(object) = known.get(&digest).and_then(Weak::upgrade) {
            return object;
        }
        let object = Arc::new(make());
        known.insert(digest, Arc::downgrade(&object));
        object
    }

    /// Forgets the names of objects that are gone.
    pub(super) fn tidy(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, object| object.strong_count() > 0);
    }
}

/// A file that remembers whether it could be read.
struct Watched<'f> {
    file: &'f File,
    failed: bool,
}

impl io::Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer);
        self.failed |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

/// Stored content: a digest, a length, pieces, and bytes that never change under the reader.
#[derive(Debug)]
pub struct Object {
    digest: Digest,
    pieces: Vec<Piece>,
    blob: Arc<Blob>,
    encodings: Arc<Encodings>,
}

impl Object {
    /// SHA-256 of the content.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.blob.len()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content cut into pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The whole content. Meant for documents and other small content; large content takes that much memory.
    ///
    /// # Errors
    /// When the object store cannot be read.
    pub async fn read(&self) -> io::Result<Bytes> {
        self.read_range(0..self.len()).await
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    /// When the object store cannot be read, or the range reaches over the end.
    pub async fn read_range(&self, range: Range<u64>) -> io::Result<Bytes> {
        if self.blob.memory().is_some() {
            return self.blob.read_blocking(range);
        }
        let blob = Arc::clone(&self.blob);
        tokio::task::spawn_blocking(move || blob.read_blocking(range)).await.map_err(io::Error::other)?
    }

    /// The stored bytes.
    pub(super) fn blob(&self) -> &Arc<Blob> {
        &self.blob
    }

    /// Says which file of the site it was made of, so that it can be made anew.
    pub(super) fn come_from(&self, real: &Path, made: Made) {
        self.blob.come_from(Source { path: real.to_owned(), made, digest: self.digest });
    }

    /// The coded forms made so far.
    pub(super) fn encodings(&self) -> &Arc<Encodings> {
        &self.encodings
    }

    /// Takes the content of a file into the store. `len` as in [`from_reader`](Self::from_reader). Blocks.
    pub(super) fn from_file(objects: &Objects, file: &File, len: u64) -> Result<Arc<Self>, TakeError> {
        let mut file = Watched { file, failed: false };
        let taken = Self::from_reader(objects, &mut file, len);
        taken.map_err(|error| if file.failed { TakeError::File(error) } else { TakeError::Store(error) })
    }

    /// Takes content from a reader into the store. `len` is what the content is expected to be; more is not read. Blocks.
    pub(super) fn from_reader(objects: &Objects, reader: impl io::Read, len: u64) -> io::Result<Arc<Self>> {
        let mut writer = BlobWriter::new(&objects.store);
        let chunked = chunk(reader.take(len), len, |piece| writer.write_all(piece))?;
        let blob = writer.finish()?;
        Ok(Self::intern(objects, chunked, blob))
    }

    /// Takes what `coded` holds into the store, which then has it in both forms. Blocks.
    ///
    /// # Errors
    /// [`TakeError::File`] as [`unpacked_len`].
    pub(super) fn unpacked(objects: &Objects, coded: &Self, coding: Coding) -> Result<Arc<Self>, TakeError> {
        let reader = || coded.blob.reader(0).map_err(TakeError::Store);
        // The length decides about the size of pieces, so it must be known before.
        let len = unpacked_len(coding, reader()?).map_err(TakeError::File)?;
        let unpacked = decode(coding, reader()?).map_err(TakeError::File)?;
        let object = Self::from_reader(objects, unpacked, len).map_err(TakeError::Store)?;
        object.encodings.give(coding, Arc::clone(&coded.blob));
        Ok(object)
    }

    /// Takes `coded` for this content in a coding, if that is what it holds. Tells whether it is. Blocks.
    ///
    /// # Errors
    /// When no browser could undo the coding.
    pub(super) fn take_form(&self, coded: &Self, coding: Coding) -> io::Result<bool> {
        if coded.len() >= self.len() {
            return Ok(false);
        }
        let mut hasher = Sha256::new();
        let unpacked = decode(coding, coded.blob.reader(0)?)?;
        io::copy(&mut unpacked.take(self.len() + 1), &mut hasher)?;
        let is_ours = Digest(hasher.finalize().into()) == self.digest;
        if is_ours {
            self.encodings.give(coding, Arc::clone(&coded.blob));
        }
        Ok(is_ours)
    }

    /// Takes content the program holds anyway. Blocks while it is hashed.
    pub(super) fn from_bytes(objects: &Objects, bytes: Bytes) -> io::Result<Arc<Self>> {
        let chunked = chunk(&bytes[..], bytes.len() as u64, |_| Ok(()))?;
        Ok(Self::intern(objects, chunked, Blob::given(bytes)))
    }

    fn intern(objects: &Objects, Chunked { digest, pieces, .. }: Chunked, blob: Blob) -> Arc<Self> {
        objects.intern(digest, || {
            let blob = Arc::new(blob);
            let encodings = Arc::new(Encodings::new(&objects.store, digest, Arc::clone(&blob)));
            Self { digest, pieces, blob, encodings }
        })
    }
}
