//! The content codings and how hard each tries.

use std::io::{self, Read, Write};

use brotli::enc::BrotliEncoderParams;

const MIB: u64 = 1024 * 1024;

/// A content coding other than identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878, with the window limit of RFC 9659.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All codings, the one that makes web text smallest first.
    pub(super) const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The coding that a file name ends in, and the name without that: `app.js.br`.
    pub(super) fn of_name(name: &str) -> Option<(&str, Self)> {
        let (plain, ending) = name.rsplit_once('.')?;
        let coding = match ending.to_ascii_lowercase().as_str() {
            "br" => Self::Brotli,
            "zst" => Self::Zstd,
            "gz" => Self::Gzip,
            _ => return None,
        };
        Some((plain, coding))
    }

    /// The token in `Content-Encoding`.
    pub(super) fn token(self) -> &'static str {
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
pub(super) fn compress(coding: Coding, effort: Effort, len: u64, reader: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
    let level = level(coding, effort, len);
    match coding {
        Coding::Brotli => brotli(level, len, reader, out),
        Coding::Zstd => {
            let mut encoder = zstd::Encoder::new(out, level)?;
            encoder.set_pledged_src_size(Some(len))?;
            io::copy(reader, &mut encoder)?;
            encoder.finish().map(drop)
        }
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(level.unsigned_abs()));
            io::copy(reader, &mut encoder)?;
            encoder.finish().map(drop)
        }
    }
}

/// What `coded` holds. Reading errs where it is not in this coding, or in a way that browsers do not take: windows of Zstandard over 8 MB (RFC 9659).
pub(super) fn decode<'r>(coding: Coding, coded: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match coding {
        Coding::Brotli => Box::new(brotli::Decompressor::new(coded, 64 * 1024)),
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::new(coded)?;
            decoder.window_log_max(23)?;
            Box::new(decoder)
        }
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(coded)),
    })
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
        for coding in Coding::ALL {
            for effort in [Effort::Quick, Effort::Thorough] {
                let mut coded = Vec::new();
                compress(coding, effort, plain.len() as u64, &mut &plain[..], &mut coded).unwrap();
                assert!(coded.len() < plain.len() / 20, "{coding:?} {effort:?}");
                assert_eq!(decoded(coding, &coded), plain, "{coding:?} {effort:?}");
            }
        }
    }
}
