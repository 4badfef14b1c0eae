//! Small bodies in a coding, all in memory: what is made for one request, and what is made once and kept.

use std::io::{self, Write as _};

use crate::compress::Coding;
#[cfg(not(all(feature = "brotli", feature = "zstd")))]
use crate::compress::not_built_in;

/// Brotli quality for bodies made per request. On the loader, measured: 5 gives 10,307 B, 9 gives 10,274 B for six times the time, 11 gives
/// 9,609 B for ten times the time; the whole thin answer fits its 14,600 B with 5.
const QUICK: Levels = Levels { brotli: 5, zstd: 6, gzip: 6 };

/// The highest that browsers take.
const BEST: Levels = Levels { brotli: 11, zstd: 19, gzip: 9 };

/// How hard each coding tries.
#[cfg_attr(not(all(feature = "brotli", feature = "zstd")), expect(dead_code, reason = "of codings that are not built in"))]
struct Levels {
    brotli: u32,
    zstd: i32,
    gzip: u32,
}

/// A body made for one request: a millisecond, not the last percent.
///
/// # Errors
/// When the coding is not one of [`Coding::OFFERED`].
pub fn encode_quick(coding: Coding, body: &[u8]) -> io::Result<Vec<u8>> {
    encode(coding, body, &QUICK)
}

/// A body that is kept: as small as the coding gets.
///
/// # Errors
/// When the coding is not one of [`Coding::OFFERED`].
pub fn encode_best(coding: Coding, body: &[u8]) -> io::Result<Vec<u8>> {
    encode(coding, body, &BEST)
}

fn encode(coding: Coding, body: &[u8], levels: &Levels) -> io::Result<Vec<u8>> {
    match coding {
        #[cfg(feature = "brotli")]
        Coding::Brotli => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 32 * 1024, levels.brotli, 20);
            writer.write_all(body)?;
            Ok(writer.into_inner())
        }
        #[cfg(feature = "zstd")]
        Coding::Zstd => zstd::encode_all(body, levels.zstd),
        #[cfg(not(feature = "brotli"))]
        Coding::Brotli => Err(not_built_in()),
        #[cfg(not(feature = "zstd"))]
        Coding::Zstd => Err(not_built_in()),
        Coding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(levels.gzip));
            writer.write_all(body)?;
            writer.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use crate::compress::decode;

    use super::*;

    #[test]
    fn every_coding_decodes_to_what_went_in() {
        let body = b"the same words, the same words, the same words".repeat(20);
        for &coding in Coding::OFFERED {
            for encode in [encode_quick, encode_best] {
                let mut plain = Vec::new();
                decode(coding, &encode(coding, &body).unwrap()[..]).unwrap().read_to_end(&mut plain).unwrap();
                assert_eq!(plain, body, "{coding:?}");
            }
        }
    }
}
