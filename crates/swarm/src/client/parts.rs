//! Puts the parts of one manifest blob together, as one peer sends them; the Rust twin of `browser/src/core/parts.ts`.

use viral_wire::limits::MANIFEST_LEN_MAX;

/// What came of one part.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Parts are missing.
    Missing,
    /// The blob is whole.
    Whole(Vec<u8>),
    /// Out of order: the sender is at fault.
    Fault,
}

/// Takes parts; they come in order and without gap. One per connection.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: Vec<u8>,
    total: usize,
}

impl Parts {
    /// Takes one part. The one at offset 0 starts over.
    pub fn handle(&mut self, offset: u32, total: u32, body: &[u8]) -> Part {
        let (offset, total) = (offset as usize, total as usize);
        if offset == 0 && total <= MANIFEST_LEN_MAX {
            self.bytes = Vec::new();
            self.total = total;
        }
        if offset != self.bytes.len() || total != self.total || offset + body.len() > total {
            return Part::Fault;
        }
        self.bytes.extend_from_slice(body);
        if self.bytes.len() == total { Part::Whole(std::mem::take(&mut self.bytes)) } else { Part::Missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_order_make_the_blob() {
        let mut parts = Parts::default();
        assert_eq!(parts.handle(0, 5, b"abc"), Part::Missing);
        assert_eq!(parts.handle(3, 5, b"de"), Part::Whole(b"abcde".to_vec()));
    }

    #[test]
    fn a_gap_a_change_of_length_or_too_much_is_the_senders_fault() {
        let started = || {
            let mut parts = Parts::default();
            parts.handle(0, 5, b"abc");
            parts
        };
        assert_eq!(started().handle(4, 5, b"e"), Part::Fault);
        assert_eq!(started().handle(3, 6, b"d"), Part::Fault);
        assert_eq!(started().handle(3, 5, b"def"), Part::Fault);
        assert_eq!(started().handle(0, 4, b"abcd"), Part::Whole(b"abcd".to_vec()), "offset 0 starts over");
    }
}
