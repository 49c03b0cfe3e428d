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

#[test(300)]
fn collections_answer_as_the_standard_ones_do() {
    let programs = std::env::var("PROGRAMS").map_or(300, |count| count.parse().expect("a number"));
    let mut state = 0x2545_F491_4F6C_DD1D;
    for _ in 0..programs {
        let length = 1 + 4 * (next(&mut state) as usize % 600);
        let mut bytes: Vec<u8> = (0..length).map(|_| next(&mut state) as u8).collect();
        // Few kinds of steps in one program: long chains of each.
        let kinds = 1 << (next(&mut state) % 6 + 1);
        let first = next(&mut state) as u8;
        for step in bytes[1..].chunks_exact_mut(4) {
            step[0] = first.wrapping_add(step[0] % kinds);
        }
        urcu_fuzz::collections::run(&bytes);
    }
}
