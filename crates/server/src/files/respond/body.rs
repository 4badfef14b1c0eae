//! Bodies from stored content, read as fast as the client takes them.

use std::{collections::VecDeque, io, ops::Range, sync::Arc};

use axum::body::Body;
use bytes::Bytes;

use crate::files::{limits::READ_CHUNK_LEN, store::Blob};

/// A stretch of a body.
#[derive(Debug)]
pub(super) enum Part {
    /// These bytes.
    Given(Bytes),
    /// This range of stored bytes.
    Stored(Arc<Blob>, Range<u64>),
}

impl Part {
    /// All of the stored bytes.
    pub(super) fn whole(blob: Arc<Blob>) -> Self {
        let len = blob.len();
        Self::Stored(blob, 0..len)
    }

    /// A body of this part alone.
    pub(super) fn into_body(self) -> Body {
        match self {
            Self::Stored(blob, range) if blob.memory().is_some() => match blob.read_blocking(range) {
                Ok(bytes) => Body::from(bytes),
                Err(error) => Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(error)])),
            },
            part @ (Self::Given(_) | Self::Stored(..)) => body_of([part]),
        }
    }
}

/// A body of these parts, one after the other. A fault of the store ends the connection, as the length is already said.
pub(super) fn body_of(parts: impl Into<VecDeque<Part>>) -> Body {
    Body::from_stream(futures_util::stream::try_unfold(parts.into(), next))
}

async fn next(mut parts: VecDeque<Part>) -> io::Result<Option<(Bytes, VecDeque<Part>)>> {
    loop {
        match parts.pop_front() {
            None => return Ok(None),
            Some(Part::Given(bytes)) => return Ok(Some((bytes, parts))),
            Some(Part::Stored(_, range)) if range.is_empty() => {}
            Some(Part::Stored(blob, range)) => {
                let end = range.end.min(range.start + READ_CHUNK_LEN as u64);
                let bytes = read(Arc::clone(&blob), range.start..end).await?;
                parts.push_front(Part::Stored(blob, end..range.end));
                return Ok(Some((bytes, parts)));
            }
        }
    }
}

async fn read(blob: Arc<Blob>, range: Range<u64>) -> io::Result<Bytes> {
    if blob.memory().is_some() {
        return blob.read_blocking(range);
    }
    let read = tokio::task::spawn_blocking(move || blob.read_blocking(range)).await.map_err(io::Error::other)?;
    read.inspect_err(|error| tracing::error!(%error, "object store cannot be read"))
}
