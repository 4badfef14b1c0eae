//! Operations as bytes: what a script of a machine is read from, and how a seed is written.

/// A script being read. Where it ends, everything is 0.
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A byte below `end`, as an index.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// A number of up to five bytes, seven bits in each, the lowest first.
    pub(crate) fn number(&mut self) -> u32 {
        let mut number = 0_u64;
        for place in 0..5 {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    /// At most `max` numbers, after how many there are.
    pub(crate) fn numbers(&mut self, max: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        for _ in 0..self.number() {
            if self.is_empty() {
                break;
            }
            // Those that are too many are read all the same, so that what follows them keeps its place.
            let number = self.number();
            if numbers.len() < max {
                numbers.push(number);
            }
        }
        numbers
    }
}

/// Writes what [`Bytes::number`] reads.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes what [`Bytes::numbers`] reads.
pub(crate) fn put_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    put_number(out, u32::try_from(numbers.len()).unwrap_or(u32::MAX));
    numbers.iter().for_each(|number| put_number(out, *number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        put_numbers(&mut out, &[0, 127, 128, u32::MAX]);
        let mut bytes = Bytes::new(&out);
        assert_eq!(bytes.numbers(9), [0, 127, 128, u32::MAX]);
        assert!(bytes.is_empty());
        let mut some = Bytes::new(&out);
        assert_eq!(some.numbers(2), [0, 127]);
        assert!(some.is_empty(), "what follows keeps its place");
        assert_eq!((bytes.byte(), bytes.number(), bytes.below(0)), (0, 0, 0));
    }
}
