#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| urcu_fuzz::run(data));
