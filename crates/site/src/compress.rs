//! The content codings and how hard each tries.

use std::io::{self, Read, Write};

#[cfg(feature = "brotli")]
use brotli::enc::BrotliEncoderParams;

use super::limits::UNPACKED_LEN_MAX;

/// The first seven bits of a Brotli stream with a large window, where RFC 7932 section 9.1 has the size of the window and calls this value invalid.
#[cfg(feature = "brotli")]
const LARGE_WINDOW: u8 = 0x11;

const MIB: u64 = 1024 * 1024;

/// A content coding other than identity. Each has its name in every build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with the window limit of RFC 9659.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// The codings that this build makes and offers, the one that makes web text smallest first. The features `brotli` and `zstd` add theirs.
    pub const OFFERED: &'static [Self] = &[
        #[cfg(feature = "brotli")]
        Self::Brotli,
        #[cfg(feature = "zstd")]
        Self::Zstd,
        Self::Gzip,
    ];

    /// The coding that a file name ends in, and the name without that: `app.js.br`. None for a coding that is not offered: nobody could tell what is in it.
    pub(super) fn of_name(name: &str) -> Option<(&str, Self)> {
        let (plain, ending) = name.rsplit_once('.')?;
        let coding = match ending.to_ascii_lowercase().as_str() {
            "br" => Self::Brotli,
            "zst" => Self::Zstd,
            "gz" => Self::Gzip,
            _ => return None,
        };
        Self::OFFERED.contains(&coding).then_some((plain, coding))
    }

    /// The token in `Content-Encoding`.
    pub fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// How much time a coded form may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Somebody waits for it.
    Quick,
    /// Made once, sent for as long as the content lives.
    Thorough,
    /// None: the site came with it.
    Given,
}

/// Writes what `reader` gives, `len` bytes, to `out` in its coded form. Blocks.
///
/// # Errors
/// When reading or writing does, or the coding is not offered.
pub(super) fn compress(coding: Coding, effort: Effort, len: u64, reader: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    let level = level(coding, effort, len);
    match coding {
        #[cfg(feature = "brotli")]
        Coding::Brotli => brotli(level, len, reader, out),
        #[cfg(feature = "zstd")]
        Coding::Zstd => {
            let mut encoder = zstd::Encoder::new(out, level)?;
            encoder.set_pledged_src_size(Some(len))?;
            io::copy(reader, &mut encoder)?;
            encoder.finish().map(drop)
        }
        #[cfg(not(feature = "brotli"))]
        Coding::Brotli => Err(not_built_in()),
        #[cfg(not(feature = "zstd"))]
        Coding::Zstd => Err(not_built_in()),
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level.unsigned_abs()));
            io::copy(reader, &mut encoder)?;
            encoder.finish().map(drop)
        }
    }
}

/// What `coded` holds. Errs, or reading does, where it is not in this coding, or in a way that browsers do not take: large windows of Brotli, which are
/// none of RFC 7932, and windows of Zstandard over 8 MB (RFC 9659).
pub(super) fn decode<'r>(coding: Coding, coded: impl Read + Send + 'r) -> io::Result<Box<dyn Read + Send + 'r>> {
    Ok(match coding {
        #[cfg(feature = "brotli")]
        Coding::Brotli => {
            let (mut coded, mut first) = (coded, Vec::with_capacity(1));
            (&mut coded).take(1).read_to_end(&mut first)?;
            if first.iter().any(|first| first & 0x7f == LARGE_WINDOW) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it was compressed with --large_window, which no browser takes"));
            }
            Box::new(brotli::Decompressor::new(io::Cursor::new(first).chain(coded), 64 * 1024))
        }
        #[cfg(feature = "zstd")]
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::new(coded)?;
            decoder.window_log_max(23)?;
            Box::new(decoder)
        }
        #[cfg(not(feature = "brotli"))]
        Coding::Brotli => return Err(not_built_in()),
        #[cfg(not(feature = "zstd"))]
        Coding::Zstd => return Err(not_built_in()),
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(coded)),
    })
}

/// What is not offered is not made.
#[cfg(not(all(feature = "brotli", feature = "zstd")))]
pub(super) fn not_built_in() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this build is without the coding")
}

/// Bytes that `coded` holds. Blocks while all of it is decoded.
///
/// # Errors
/// As [`decode`], and when it is empty or holds more than `UNPACKED_LEN_MAX`.
pub(super) fn unpacked_len(coding: Coding, coded: impl Read + Send) -> io::Result<u64> {
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut coded = Counted { reader: coded, len: 0 };
    let len = io::copy(&mut decode(coding, &mut coded)?.take(UNPACKED_LEN_MAX + 1), &mut io::sink())?;
    match len {
        _ if coded.len == 0 => Err(invalid("it is empty")),
        _ if len > UNPACKED_LEN_MAX => Err(invalid("it holds too much")),
        len => Ok(len),
    }
}

/// A reader that counts.
struct Counted<R> {
    reader: R,
    len: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.len += read as u64;
        Ok(read)
    }
}

/// Brotli at 11 takes one to two seconds for 1 MB, at 9 a fifth of that, at 6 a tenth; below 9 Zstandard beats it on large content. Zstandard stays at or below 19, whose window is
/// 8 MB, the most that browsers must accept (RFC 9659).
fn level(coding: Coding, effort: Effort, len: u64) -> i32 {
    let (small, medium, large) = match (coding, effort) {
        (Coding::Brotli, Effort::Quick) => (3, 2, 1),
        (Coding::Zstd, Effort::Quick) => (3, 1, 1),
        (Coding::Gzip, Effort::Quick) => (4, 1, 1),
        (Coding::Brotli, Effort::Thorough | Effort::Given) => (11, 9, 6),
        (Coding::Zstd, Effort::Thorough | Effort::Given) => (19, 17, 9),
        (Coding::Gzip, Effort::Thorough | Effort::Given) => (9, 8, 6),
    };
    match len {
        _ if len <= MIB / 4 => small,
        _ if len <= 16 * MIB => medium,
        _ => large,
    }
}

#[cfg(feature = "brotli")]
fn brotli(quality: i32, len: u64, reader: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    let params =
        BrotliEncoderParams { quality, lgwin: 22, size_hint: usize::try_from(len).unwrap_or(usize::MAX), ..BrotliEncoderParams::default() };
    let (mut reader, mut out) = (reader, out);
    brotli::BrotliCompress(&mut reader, &mut out, &params).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coding: Coding, body: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        decode(coding, body).unwrap().read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn every_coding_and_effort_decodes_to_the_original() {
        let plain = "the quick brown fox ".repeat(20_000).into_bytes();
        for &coding in Coding::OFFERED {
            for effort in [Effort::Quick, Effort::Thorough] {
                let mut coded = Vec::new();
                compress(coding, effort, plain.len() as u64, &mut &plain[..], &mut coded).unwrap();
                assert!(coded.len() < plain.len() / 20, "{coding:?} {effort:?}");
                assert_eq!(decoded(coding, &coded), plain, "{coding:?} {effort:?}");
                assert_eq!(unpacked_len(coding, &coded[..]).unwrap(), plain.len() as u64);
            }
            assert!(unpacked_len(coding, &b""[..]).is_err() && unpacked_len(coding, &b"no such coding"[..]).is_err(), "{coding:?}");
        }
    }

    #[cfg(feature = "brotli")]
    #[test]
    fn windows_that_browsers_do_not_take_are_refused() {
        let plain = b"the quick brown fox ".repeat(1000);
        for (lgwin, large_window, fits) in [(10, false, true), (16, false, true), (24, false, true), (24, true, false), (30, true, false)] {
            let params = BrotliEncoderParams { lgwin, large_window, ..BrotliEncoderParams::default() };
            let mut coded = Vec::new();
            brotli::BrotliCompress(&mut &plain[..], &mut coded, &params).unwrap();
            assert_eq!(unpacked_len(Coding::Brotli, &coded[..]).is_ok(), fits, "{lgwin} {large_window}");
        }
    }
}
