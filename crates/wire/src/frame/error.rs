//! Why a data-channel message is refused.

use crate::{limits::MESSAGE_LEN_MAX, reader::Truncated};

/// Why bytes from a remote are not a [`Frame`](super::Frame). Always the sender's fault: close, never retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Over [`MESSAGE_LEN_MAX`].
    #[error("message is {len} bytes, limit {max}", max = MESSAGE_LEN_MAX)]
    TooLong {
        /// Bytes of the message.
        len: usize,
    },
    /// The message ends before its content does.
    #[error("message is cut short")]
    Truncated,
    /// Bytes follow the frame.
    #[error("{len} bytes after the frame")]
    Trailing {
        /// How many.
        len: usize,
    },
    /// No frame has this number.
    #[error("unknown frame type {0:#04x}")]
    UnknownType(u8),
    /// The frame came on the channel of the other kind.
    #[error("frame type {0:#04x} on the wrong channel")]
    WrongChannel(u8),
    /// `hello` of another version.
    #[error("frame version {0} is not supported")]
    Version(u8),
    /// A list is empty or longer than its limit.
    #[error("a list of {count} entries is outside its limits")]
    Count {
        /// Entries announced.
        count: usize,
    },
    /// No reason has this number.
    #[error("unknown reason {0}")]
    Reason(u8),
    /// No encoding has this number.
    #[error("unknown encoding {0}")]
    Encoding(u8),
    /// A body is empty or longer than its limit.
    #[error("a body of {len} bytes is outside its limits")]
    BodyLen {
        /// Bytes of the body.
        len: usize,
    },
    /// A manifest part lies outside the blob, or the blob is over its limit.
    #[error("manifest part at {offset} of {total} bytes does not fit")]
    Part {
        /// Where the part begins.
        offset: u32,
        /// Announced length of the blob.
        total: u32,
    },
}

impl FrameError {
    /// The name of the error in the vectors and in the browser.
    pub fn token(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too-long",
            Self::Truncated => "truncated",
            Self::Trailing { .. } => "trailing",
            Self::UnknownType(_) => "unknown-type",
            Self::WrongChannel(_) => "wrong-channel",
            Self::Version(_) => "version",
            Self::Count { .. } => "count",
            Self::Reason(_) => "reason",
            Self::Encoding(_) => "encoding",
            Self::BodyLen { .. } => "body-len",
            Self::Part { .. } => "part",
        }
    }
}

impl From<Truncated> for FrameError {
    fn from(Truncated: Truncated) -> Self {
        Self::Truncated
    }
}
