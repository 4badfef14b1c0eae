//! Stored content named by its digest, with its pieces and its coded forms.

use std::{
    io::{self, Write as _},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use viral_wire::{Digest, Piece};

use super::{
    carve::{Carved, carve},
    encodings::Encodings,
    store::{Blob, BlobWriter, Store},
};

/// Stored content: a digest, a length, pieces, and bytes that never change under the reader.
#[derive(Debug)]
pub struct Object {
    digest: Digest,
    pieces: Vec<Piece>,
    blob: Arc<Blob>,
    encodings: Encodings,
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

    /// The coded forms made so far.
    pub(super) fn encodings(&self) -> &Encodings {
        &self.encodings
    }

    /// Takes content from a reader into the store. `len` is what the content is expected to be; more is not read. Blocks.
    pub(super) fn from_reader(store: &Arc<Store>, reader: impl io::Read, len: u64) -> io::Result<Arc<Self>> {
        let mut writer = BlobWriter::new(store);
        let carved = carve(reader.take(len), len, |piece| writer.write_all(piece))?;
        let blob = writer.finish()?;
        Ok(Self::intern(store, carved, blob))
    }

    /// Takes content the program holds anyway. Blocks while it is hashed.
    pub(super) fn from_bytes(store: &Arc<Store>, bytes: Bytes) -> io::Result<Arc<Self>> {
        let carved = carve(&bytes[..], bytes.len() as u64, |_| Ok(()))?;
        Ok(Self::intern(store, carved, Blob::given(bytes)))
    }

    fn intern(store: &Arc<Store>, carved: Carved, blob: Blob) -> Arc<Self> {
        store.intern(carved.digest, || Self {
            digest: carved.digest,
            pieces: carved.pieces,
            blob: Arc::new(blob),
            encodings: Encodings::new(store),
        })
    }
}
