#!/usr/bin/env bash
# Run: the crate brotli 8.0.4 (`brotli::Decompressor`, crates.io), the zlib of Node 20 or newer, and the
#   package Brotli 1.1.0 (PyPI). Each decodes one stream that Node made with BROTLI_PARAM_LARGE_WINDOW and
#   a window of 26 bits, as `brotli --large_window=26` writes it: 3,000 bytes of text.
# Expected: an error, unless large windows were asked for. RFC 7932 (section 9.1) has windows of 10 to 24
#   bits; the pattern that begins this stream is reserved there, and the reference decoder takes it only
#   with BROTLI_DECODER_PARAM_LARGE_WINDOW.
# Seen:
#   node refuses (ERR__ERROR_FORMAT_WINDOW_BITS), with the parameter 3000 bytes
#   python refuses (BrotliDecompress failed)
#   rust decodes 3000 bytes, with nothing asked for
# Means for us: that a `.br` beside an asset unpacks to the asset's bytes does not prove that a browser
#   unpacks it. The server looks at the first byte, and sends such a file as the bytes that it is
#   (`files/compress.rs`).
set -euo pipefail
for need in node cargo python3; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
cat >make.cjs <<'JS'
const { constants: c, brotliCompressSync, brotliDecompressSync } = require('node:zlib');
const params = { [c.BROTLI_PARAM_LARGE_WINDOW]: 1, [c.BROTLI_PARAM_LGWIN]: 26 };
const coded = brotliCompressSync(Buffer.alloc(3000, 'the quick brown fox '), { params });
require('node:fs').writeFileSync('text.br', coded);
let said = 'decodes';
try {
  brotliDecompressSync(coded);
} catch (error) {
  said = `refuses (${error.code})`;
}
const whole = brotliDecompressSync(coded, { params: { [c.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 1 } }).length;
console.log(`node ${said}, with the parameter ${whole} bytes`);
JS
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages Brotli==1.1.0
cat >read.py <<'PY'
import brotli
try:
    print('python decodes', len(brotli.decompress(open('text.br', 'rb').read())), 'bytes')
except brotli.error as error:
    print(f'python refuses ({str(error).split(":")[-1].strip()})')
PY
mkdir -p rust/src
cat >rust/Cargo.toml <<'TOML'
[package]
name = "reads"
version = "0.0.0"
edition = "2021"
[dependencies]
brotli = "=8.0.4"
[workspace]
TOML
cat >rust/src/main.rs <<'RS'
use std::io::Read;
fn main() {
    let coded = std::fs::read("text.br").unwrap();
    let mut text = Vec::new();
    match brotli::Decompressor::new(coded.as_slice(), 4096).read_to_end(&mut text) {
        Ok(len) => println!("rust decodes {len} bytes, with nothing asked for"),
        Err(error) => println!("rust refuses ({error})"),
    }
}
RS
{
  node make.cjs
  PYTHONPATH=packages python3 read.py
  CARGO_TARGET_DIR="$work/target" cargo run --quiet --manifest-path rust/Cargo.toml
} | tee seen
cat >expected <<'TXT'
node refuses (ERR__ERROR_FORMAT_WINDOW_BITS), with the parameter 3000 bytes
python refuses (BrotliDecompress failed)
rust decodes 3000 bytes, with nothing asked for
TXT
diff expected seen && echo "as it was seen"
