//! The messages peers exchange on the two data channels of a connection.

use crate::{
    digest::{Digest, PieceId},
    limits::{
        FRAME_VERSION, HELLO_MANIFESTS_MAX, MANIFEST_LEN_MAX, MANIFEST_PART_LEN_MAX, MESSAGE_LEN_MAX, PIECE_LEN_MAX, QUERY_IDS_MAX,
        WANT_IDS_MAX,
    },
    reader::Reader,
};

pub use error::FrameError;

mod error;

/// The two negotiated channels of a connection, with their SCTP stream ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Channel {
    /// Short messages, never behind bulk.
    Control = 0,
    /// Pieces and manifest parts.
    Pieces = 1,
}

/// Every frame type, so that no number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Type {
    Hello = 0x01,
    Want = 0x02,
    Cancel = 0x03,
    Query = 0x04,
    Have = 0x05,
    Refuse = 0x06,
    WantManifest = 0x07,
    Bye = 0x08,
    Piece = 0x20,
    ManifestPart = 0x21,
}

impl Type {
    const ALL: [Self; 10] = [
        Self::Hello,
        Self::Want,
        Self::Cancel,
        Self::Query,
        Self::Have,
        Self::Refuse,
        Self::WantManifest,
        Self::Bye,
        Self::Piece,
        Self::ManifestPart,
    ];

    fn channel(self) -> Channel {
        if matches!(self, Self::Piece | Self::ManifestPart) { Channel::Pieces } else { Channel::Control }
    }
}

/// Why wanted pieces are not coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RefuseReason {
    /// The sender does not hold them.
    NotHeld = 1,
    /// The sender serves others first; ask again later or elsewhere.
    Busy = 2,
    /// The sender reached its volume cap.
    Capped = 3,
}

/// Why a connection is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ByeReason {
    /// The page goes away.
    Leaving = 1,
    /// The receiver of this frame broke the protocol.
    Fault = 2,
    /// Nothing was asked for long enough.
    Idle = 3,
    /// The visitor opted out.
    OptedOut = 4,
}

/// How the body of a piece is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// The raw bytes.
    Raw = 0,
    /// A `deflate-raw` stream that inflates to exactly the piece's known length.
    DeflateRaw = 1,
}

/// One message on a data channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Manifests of which the sender holds every piece; the first frame of each side.
    Hello {
        /// At most [`HELLO_MANIFESTS_MAX`].
        manifests: Vec<Digest>,
    },
    /// Send me these.
    Want {
        /// 1..=[`WANT_IDS_MAX`].
        ids: Vec<PieceId>,
    },
    /// No longer needed, if not sent yet.
    Cancel {
        /// 1..=[`WANT_IDS_MAX`].
        ids: Vec<PieceId>,
    },
    /// Which of these do you hold?
    Query {
        /// 1..=[`QUERY_IDS_MAX`].
        ids: Vec<PieceId>,
    },
    /// I hold these: a reply to `Query`, or later news about queried ids.
    Have {
        /// At most [`QUERY_IDS_MAX`].
        ids: Vec<PieceId>,
    },
    /// These are not coming.
    Refuse {
        /// Why.
        reason: RefuseReason,
        /// 1..=[`WANT_IDS_MAX`].
        ids: Vec<PieceId>,
    },
    /// Send me the manifest with this digest.
    WantManifest {
        /// Its name.
        manifest: Digest,
    },
    /// The connection ends.
    Bye {
        /// Why.
        reason: ByeReason,
    },
    /// One piece.
    Piece {
        /// Which.
        id: PieceId,
        /// How `body` is packed.
        encoding: Encoding,
        /// 1..=[`PIECE_LEN_MAX`] bytes, not yet inflated or verified.
        body: Vec<u8>,
    },
    /// A stretch of a manifest blob; parts come in order without gap.
    ManifestPart {
        /// Which manifest.
        manifest: Digest,
        /// Where `body` begins in the blob.
        offset: u32,
        /// Length of the whole blob, at most [`MANIFEST_LEN_MAX`].
        total: u32,
        /// 1..=[`MANIFEST_PART_LEN_MAX`] bytes.
        body: Vec<u8>,
    },
}

impl Frame {
    /// The channel this frame belongs on.
    pub fn channel(&self) -> Channel {
        self.kind().channel()
    }

    /// The message for this frame. Lists and bodies within the limits of their variant give a message that
    /// [`decode`](Self::decode) accepts; a longer one is the caller's bug and comes back as an error.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut out = vec![self.kind() as u8];
        match self {
            Self::Hello { manifests } => {
                let count = check_count(manifests.len(), 0, HELLO_MANIFESTS_MAX)?;
                out.extend([FRAME_VERSION, count as u8]);
                manifests.iter().for_each(|digest| out.extend(digest.as_bytes()));
            }
            Self::Want { ids } | Self::Cancel { ids } => put_ids(&mut out, ids, 1, WANT_IDS_MAX)?,
            Self::Query { ids } => put_ids(&mut out, ids, 1, QUERY_IDS_MAX)?,
            Self::Have { ids } => put_ids(&mut out, ids, 0, QUERY_IDS_MAX)?,
            Self::Refuse { reason, ids } => {
                out.push(*reason as u8);
                put_ids(&mut out, ids, 1, WANT_IDS_MAX)?;
            }
            Self::WantManifest { manifest } => out.extend(manifest.as_bytes()),
            Self::Bye { reason } => out.push(*reason as u8),
            Self::Piece { id, encoding, body } => {
                check_body(body.len(), PIECE_LEN_MAX)?;
                out.extend(id.as_bytes());
                out.push(*encoding as u8);
                out.extend(body);
            }
            Self::ManifestPart { manifest, offset, total, body } => {
                check_part(*offset, *total, body.len())?;
                out.extend(manifest.as_bytes());
                out.extend(offset.to_be_bytes());
                out.extend(total.to_be_bytes());
                out.extend(body);
            }
        }
        Ok(out)
    }

    /// Reads one message that arrived on `channel`. Every error is the sender's fault.
    pub fn decode(channel: Channel, message: &[u8]) -> Result<Self, FrameError> {
        if message.len() > MESSAGE_LEN_MAX {
            return Err(FrameError::TooLong { len: message.len() });
        }
        let mut reader = Reader::new(message);
        let byte = reader.u8()?;
        let kind = Type::ALL.into_iter().find(|kind| *kind as u8 == byte).ok_or(FrameError::UnknownType(byte))?;
        if kind.channel() != channel {
            return Err(FrameError::WrongChannel(byte));
        }
        let frame = take_frame(kind, &mut reader)?;
        match reader.left() {
            0 => Ok(frame),
            len => Err(FrameError::Trailing { len }),
        }
    }

    fn kind(&self) -> Type {
        match self {
            Self::Hello { .. } => Type::Hello,
            Self::Want { .. } => Type::Want,
            Self::Cancel { .. } => Type::Cancel,
            Self::Query { .. } => Type::Query,
            Self::Have { .. } => Type::Have,
            Self::Refuse { .. } => Type::Refuse,
            Self::WantManifest { .. } => Type::WantManifest,
            Self::Bye { .. } => Type::Bye,
            Self::Piece { .. } => Type::Piece,
            Self::ManifestPart { .. } => Type::ManifestPart,
        }
    }
}

fn take_frame(kind: Type, reader: &mut Reader<'_>) -> Result<Frame, FrameError> {
    Ok(match kind {
        Type::Hello => {
            let version = reader.u8()?;
            if version != FRAME_VERSION {
                return Err(FrameError::Version(version));
            }
            let count = check_count(usize::from(reader.u8()?), 0, HELLO_MANIFESTS_MAX)?;
            let digests = (0..count).map(|_| Ok(Digest(reader.array()?)));
            Frame::Hello { manifests: digests.collect::<Result<_, FrameError>>()? }
        }
        Type::Want => Frame::Want { ids: take_ids(reader, 1, WANT_IDS_MAX)? },
        Type::Cancel => Frame::Cancel { ids: take_ids(reader, 1, WANT_IDS_MAX)? },
        Type::Query => Frame::Query { ids: take_ids(reader, 1, QUERY_IDS_MAX)? },
        Type::Have => Frame::Have { ids: take_ids(reader, 0, QUERY_IDS_MAX)? },
        Type::Refuse => {
            let byte = reader.u8()?;
            let reasons = [RefuseReason::NotHeld, RefuseReason::Busy, RefuseReason::Capped];
            let reason = reasons.into_iter().find(|reason| *reason as u8 == byte).ok_or(FrameError::Reason(byte))?;
            Frame::Refuse { reason, ids: take_ids(reader, 1, WANT_IDS_MAX)? }
        }
        Type::WantManifest => Frame::WantManifest { manifest: Digest(reader.array()?) },
        Type::Bye => {
            let byte = reader.u8()?;
            let reasons = [ByeReason::Leaving, ByeReason::Fault, ByeReason::Idle, ByeReason::OptedOut];
            let reason = reasons.into_iter().find(|reason| *reason as u8 == byte).ok_or(FrameError::Reason(byte))?;
            Frame::Bye { reason }
        }
        Type::Piece => {
            let id = PieceId(reader.array()?);
            let encoding = match reader.u8()? {
                0 => Encoding::Raw,
                1 => Encoding::DeflateRaw,
                other => return Err(FrameError::Encoding(other)),
            };
            check_body(reader.left(), PIECE_LEN_MAX)?;
            Frame::Piece { id, encoding, body: reader.bytes(reader.left())?.to_vec() }
        }
        Type::ManifestPart => {
            let manifest = Digest(reader.array()?);
            let (offset, total) = (reader.u32()?, reader.u32()?);
            check_part(offset, total, reader.left())?;
            Frame::ManifestPart { manifest, offset, total, body: reader.bytes(reader.left())?.to_vec() }
        }
    })
}

fn put_ids(out: &mut Vec<u8>, ids: &[PieceId], min: usize, max: usize) -> Result<(), FrameError> {
    let count = check_count(ids.len(), min, max)?;
    out.extend((count as u16).to_be_bytes());
    ids.iter().for_each(|id| out.extend(id.as_bytes()));
    Ok(())
}

fn take_ids(reader: &mut Reader<'_>, min: usize, max: usize) -> Result<Vec<PieceId>, FrameError> {
    let count = check_count(usize::from(reader.u16()?), min, max)?;
    (0..count).map(|_| Ok(PieceId(reader.array()?))).collect()
}

fn check_count(count: usize, min: usize, max: usize) -> Result<usize, FrameError> {
    if (min..=max).contains(&count) { Ok(count) } else { Err(FrameError::Count { count }) }
}

fn check_body(len: usize, max: usize) -> Result<(), FrameError> {
    if (1..=max).contains(&len) { Ok(()) } else { Err(FrameError::BodyLen { len }) }
}

fn check_part(offset: u32, total: u32, len: usize) -> Result<(), FrameError> {
    check_body(len, MANIFEST_PART_LEN_MAX)?;
    let end = u64::from(offset) + len as u64;
    let fits = total as usize <= MANIFEST_LEN_MAX && end <= u64::from(total);
    if fits { Ok(()) } else { Err(FrameError::Part { offset, total }) }
}
