//! Where messages of WebSockets begin and end among the bytes that came (RFC 6455 section 5.2). It reads heads of frames and nothing else; what is wrong with them others say.

/// The longest head without its mask: two bytes, and a length of eight.
const HEAD_LEN_MAX: usize = 10;

/// Follows the bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    head: [u8; HEAD_LEN_MAX],
    head_len: u8,
    /// A message whose last frame did not begin yet.
    is_unfinished: bool,
    /// Bytes of the frame that are still to come, its mask among them.
    left: u64,
}

impl Boundary {
    /// Whether the last byte was the last one of a message, or none came.
    pub(super) fn is_between_messages(&self) -> bool {
        self.head_len == 0 && self.left == 0 && !self.is_unfinished
    }

    /// These came.
    pub(super) fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[usize::from(self.head_len)] = bytes[0];
            self.head_len += 1;
            bytes = &bytes[1..];
            self.end_head();
        }
    }

    fn end_head(&mut self) {
        let [first, second, ..] = self.head;
        let payload = match (second & 0x7f, self.head_len) {
            (_, 1) => return,
            (len @ 0..=125, 2) => u64::from(len),
            (126, 4) => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            (127, 10) => self.head[2..].iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
            _ => return,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        self.left = payload.saturating_add(mask);
        self.head_len = 0;
        // Frames of control stand between those of a message.
        if first & 0x08 == 0 {
            self.is_unfinished = first & 0x80 == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;

    fn bytes_of(mut frame: Frame, mask: Option<[u8; 4]>) -> Vec<u8> {
        frame.header_mut().mask = mask;
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    proptest! {
        #[test]
        fn it_knows_the_end_of_each_message_however_its_bytes_come(
            lens in proptest::collection::vec(prop_oneof![0_usize..300, Just(125), Just(126), 65_530_usize..65_540], 1..4),
            masked: bool, pinged: bool, cut in 1_usize..5_000,
        ) {
            let mask = masked.then_some([1, 2, 3, 4]);
            let mut bytes = Vec::new();
            let last = lens.len() - 1;
            for (at, len) in lens.into_iter().enumerate() {
                let opcode = if at == 0 { Data::Text } else { Data::Continue };
                bytes.extend(bytes_of(Frame::message(vec![0x81; len], OpCode::Data(opcode), at == last), mask));
                if pinged && at < last {
                    bytes.extend(bytes_of(Frame::ping(vec![0x81; 3]), mask));
                }
            }
            let mut boundary = Boundary::default();
            prop_assert!(boundary.is_between_messages());
            let mut came = 0;
            for part in bytes.chunks(cut) {
                boundary.note(part);
                came += part.len();
                prop_assert_eq!(boundary.is_between_messages(), came == bytes.len(), "{} of {}", came, bytes.len());
            }
        }
    }
}
