#![doc = include_str!("target.md")]
#![no_main]

libfuzzer_sys::fuzz_target!(init: viral_fuzz::seeds::write_if_asked("session_ops"), |data: &[u8]| viral_fuzz::session_ops(data));
