//! A cursor over untrusted bytes: every read is checked, nothing is allocated.

/// Bytes ended before the value did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truncated;

/// Why bytes are not a varint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarintError {
    Truncated,
    /// Longer than eight bytes, or not the shortest form.
    Form,
}

/// Longest varint, in bytes: 56 bits, more than any length needs.
const VARINT_LEN_MAX: usize = 8;

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Truncated> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// An unsigned LEB128 varint in its shortest form.
    pub(crate) fn varint(&mut self) -> Result<u64, VarintError> {
        let mut value = 0u64;
        for index in 0..VARINT_LEN_MAX {
            let byte = self.u8().map_err(|Truncated| VarintError::Truncated)?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                let shortest = index == 0 || byte != 0;
                return if shortest { Ok(value) } else { Err(VarintError::Form) };
            }
        }
        Err(VarintError::Form)
    }
}

/// Appends `value` as a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_survive_the_round_trip_up_to_56_bits() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), (1 << 56) - 1] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).varint(), Ok(value));
        }
    }

    #[test]
    fn long_or_padded_varints_are_refused() {
        assert_eq!(Reader::new(&[0x80, 0]).varint(), Err(VarintError::Form));
        assert_eq!(Reader::new(&[0x80; 8]).varint(), Err(VarintError::Form));
        assert_eq!(Reader::new(&[0x80; 7]).varint(), Err(VarintError::Truncated));
    }
}
