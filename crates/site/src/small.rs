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

/// Brotli quality for what stands before an end that was encoded before. Of a boot block with four offers, 1,686 B, measured: 1 gives 792 B in 26 µs, 5 gives 691 B in 200 µs.
#[cfg(feature = "brotli")]
const BROTLI_BEGINNING: u32 = 1;

/// The window of Brotli, as a power of two: more than any small body.
#[cfg(feature = "brotli")]
const BROTLI_WINDOW: u32 = 20;

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

/// The end that many bodies have in common, encoded once: what is made for one request is then only what differs.
#[derive(Debug, Clone)]
pub struct Ending {
    plain: Vec<u8>,
    #[cfg(feature = "brotli")]
    brotli: Vec<u8>,
}

impl Ending {
    /// Encodes this end as small as the coding gets.
    #[must_use]
    pub fn new(plain: Vec<u8>) -> Self {
        Self {
            #[cfg(feature = "brotli")]
            brotli: brotli_ending(&plain),
            plain,
        }
    }

    /// It as it is.
    #[must_use]
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }
}

/// As [`encode_quick`] a body that begins and ends so.
///
/// # Errors
/// When the coding is not one of [`Coding::OFFERED`].
pub fn encode_quick_before(coding: Coding, beginning: &[u8], ending: &Ending) -> io::Result<Vec<u8>> {
    match coding {
        #[cfg(feature = "brotli")]
        Coding::Brotli => brotli_before(beginning, &ending.brotli),
        _ => encode_quick(coding, &[beginning, &ending.plain].concat()),
    }
}

/// Ends a stream of Brotli at a byte: a last block that is empty (RFC 7932 section 9.2).
#[cfg(feature = "brotli")]
const BROTLI_END: u8 = 0b11;

/// Blocks that may follow those of any stream with the same window: they refer to nothing before them, neither by distance nor by a dictionary's word, whose distance depends
/// on the place in the stream.
#[cfg(feature = "brotli")]
fn brotli_ending(plain: &[u8]) -> Vec<u8> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: i32::try_from(BEST.brotli).unwrap_or_default(),
        lgwin: i32::try_from(BROTLI_WINDOW).unwrap_or_default(),
        catable: true,
        appendable: true,
        bare_stream: true,
        byte_align: true,
        use_dictionary: false,
        size_hint: plain.len(),
        ..brotli::enc::BrotliEncoderParams::default()
    };
    let mut coded = Vec::new();
    brotli::BrotliCompress(&mut &*plain, &mut coded, &params).expect("memory is read and written without fail");
    coded.push(BROTLI_END);
    coded
}

/// The blocks of a body that goes on so, up to a byte.
#[cfg(feature = "brotli")]
fn brotli_before(beginning: &[u8], ending: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4 * 1024, BROTLI_BEGINNING, BROTLI_WINDOW);
    writer.write_all(beginning)?;
    writer.flush()?;
    Ok([writer.get_ref(), ending].concat())
}

fn encode(coding: Coding, body: &[u8], levels: &Levels) -> io::Result<Vec<u8>> {
    match coding {
        #[cfg(feature = "brotli")]
        Coding::Brotli => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 32 * 1024, levels.brotli, BROTLI_WINDOW);
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
    fn a_body_whose_end_was_encoded_before_decodes_to_both() {
        let script = include_str!("../../server/scripts/loader.js").as_bytes();
        for ending in [&b""[..], b"x", b"</script>", script] {
            let made = Ending::new(ending.to_vec());
            for beginning in
                [&b""[..], b"y", b"<html>the same words the same words", &script[..2_000], &script[1..70_000.min(script.len())]]
            {
                for &coding in Coding::OFFERED {
                    let mut plain = Vec::new();
                    let coded = encode_quick_before(coding, beginning, &made).unwrap();
                    decode(coding, &coded[..]).unwrap().read_to_end(&mut plain).unwrap();
                    assert!(plain == [beginning, ending].concat(), "{coding:?} {} {}", beginning.len(), ending.len());
                }
            }
        }
    }

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
