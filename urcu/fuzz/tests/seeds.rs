//! The seeds, and some random programs, without a fuzzer: for toolchains that have none.

#[macro_use]
extern crate test_deadline;

use std::fs;
use std::path::Path;

/// A generator that needs no crate.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test(600)]
fn programs_run_as_the_model_says() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut count = 0;
    for seed in fs::read_dir(seeds).expect("a folder of seeds") {
        urcu_fuzz::run(&fs::read(seed.expect("a file").path()).expect("a file"));
        count += 1;
    }
    assert!(count >= 6);
    let programs = std::env::var("PROGRAMS").map_or(300, |count| count.parse().expect("a number"));
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..programs {
        let length = 12 + next(&mut state) as usize % 600;
        let bytes: Vec<u8> = (0..length).map(|_| next(&mut state) as u8).collect();
        urcu_fuzz::run(&bytes);
    }
}
