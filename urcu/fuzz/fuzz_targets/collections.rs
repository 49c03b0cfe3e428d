//! For `cargo fuzz`. Built by itself it runs the programs in the files that it is given.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| urcu_fuzz::collections::run(data));

#[cfg(not(fuzzing))]
fn main() {
    for file in std::env::args_os().skip(1) {
        urcu_fuzz::collections::run(&std::fs::read(file).expect("a file"));
    }
}
