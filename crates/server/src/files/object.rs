//! One piece of stored content, named by its digest, with its pieces.

use std::io;

use bytes::Bytes;
use viral_wire::{Digest, Piece};

/// Stored content: a digest, a length, pieces, and a place to read it from that never changes under the reader.
#[derive(Debug)]
pub struct Object {}

impl Object {
    /// SHA-256 of the content.
    pub fn digest(&self) -> Digest {
        todo!()
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        todo!()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content cut into pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        todo!()
    }

    /// The whole content.
    ///
    /// # Errors
    /// When the object store cannot be read.
    pub async fn read(&self) -> io::Result<Bytes> {
        todo!()
    }
}
