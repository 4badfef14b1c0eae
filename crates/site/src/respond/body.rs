//! Bodies from stored content, read as fast as the client takes them.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum_core::body::Body;
use bytes::Bytes;

use crate::{
    limits::{READ_CHUNK_LEN, READ_CHUNK_LEN_MIN, READ_CHUNKS_LEN_AIM},
    store::Blob,
};

/// Downloads of this process that are not sent whole yet: each may hold a stretch that its client does not read.
static DOWNLOADS: AtomicUsize = AtomicUsize::new(0);

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
    Body::from_stream(futures_util::stream::try_unfold(Download::of(parts.into()), next))
}

/// What is still to be sent.
struct Download(VecDeque<Part>);

impl Download {
    fn of(parts: VecDeque<Part>) -> Self {
        DOWNLOADS.fetch_add(1, Relaxed);
        Self(parts)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        DOWNLOADS.fetch_sub(1, Relaxed);
    }
}

/// How much each of so many downloads reads at once, in bytes.
fn chunk_len(downloads: usize) -> u64 {
    (READ_CHUNKS_LEN_AIM / downloads.max(1)).clamp(READ_CHUNK_LEN_MIN, READ_CHUNK_LEN) as u64
}

async fn next(mut download: Download) -> io::Result<Option<(Bytes, Download)>> {
    loop {
        match download.0.pop_front() {
            None => return Ok(None),
            Some(Part::Given(bytes)) => return Ok(Some((bytes, download))),
            Some(Part::Stored(_, range)) if range.is_empty() => {}
            Some(Part::Stored(blob, range)) => {
                let end = range.end.min(range.start + chunk_len(DOWNLOADS.load(Relaxed)));
                let bytes = read(Arc::clone(&blob), range.start..end).await?;
                download.0.push_front(Part::Stored(blob, end..range.end));
                return Ok(Some((bytes, download)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_downloads_there_are_the_less_each_reads_at_once() {
        let full = READ_CHUNKS_LEN_AIM / READ_CHUNK_LEN;
        assert_eq!((chunk_len(0), chunk_len(1), chunk_len(full)), (65_536, 65_536, 65_536));
        assert!(chunk_len(full + 1) < 65_536);
        assert_eq!(chunk_len(2 * full) * 2 * full as u64, READ_CHUNKS_LEN_AIM as u64);
        assert_eq!(chunk_len(usize::MAX), 16_384);
    }
}
