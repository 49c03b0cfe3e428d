//! Sets the cfg `sequences` where this crate has restartable sequences in assembly.

use std::env::var;

/// Sanitizers that follow every load and store, and see none of those in assembly: what a sequence
/// has stored would never be initialised, and what orders it unknown. With them this crate does
/// without, as under Miri. (AddressSanitizer misses the sequences' accesses, and reports nothing
/// that is not so.)
const BLIND: [&str; 2] = ["thread", "memory"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(sequences)");
    let target = |what: &str| var(format!("CARGO_CFG_{what}")).unwrap_or_default();
    if ["x86_64", "aarch64", "riscv64"].contains(&target("TARGET_ARCH").as_str())
        && target("TARGET_OS") == "linux"
        && target("TARGET_POINTER_WIDTH") == "64"
        && target("TARGET_ENDIAN") == "little"
        && var("CARGO_CFG_MIRI").is_err()
        && var("CARGO_CFG_RSEQ_OPS_PORTABLE").is_err()
        && !sanitizers().any(|sanitizer| BLIND.contains(&sanitizer.as_str()))
    {
        println!("cargo::rustc-cfg=sequences");
    }
}

/// Returns the sanitizers that this is built with. The compiler says so (`cfg(sanitize)`) where it is one
/// that takes unstable options, or is told to be (`RUSTC_BOOTSTRAP`), as it must be for a sanitizer; the
/// options themselves are for build systems that hand on no more than those.
fn sanitizers() -> impl Iterator<Item = String> {
    let told = var("CARGO_CFG_SANITIZE").unwrap_or_default();
    let options = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    // `-Zsanitizer=a,b`, `-Z sanitizer=a`, and what they may be called when they are stable.
    let asked = options.split('\u{1f}').filter_map(|option| {
        let option = option.trim_start_matches("-Z").trim_start_matches("-C");
        let (name, values) = option.split_once('=')?;
        ["sanitizer", "sanitize"]
            .contains(&name.trim())
            .then_some(values)
    });
    let all: Vec<String> = asked
        .chain([told.as_str()])
        .flat_map(|values| values.split(','))
        .map(|value| value.trim().to_owned())
        .collect();
    all.into_iter()
}
