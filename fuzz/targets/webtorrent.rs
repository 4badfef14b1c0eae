#![doc = include_str!("target.md")]
#![no_main]

libfuzzer_sys::fuzz_target!(init: viral_fuzz::seeds::write_if_asked("webtorrent"), |data: &[u8]| viral_fuzz::webtorrent(data));
