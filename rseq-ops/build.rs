//! Sets the cfg `sequences` where this crate has restartable sequences in assembly.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(sequences)");
    let target = |what: &str| var(format!("CARGO_CFG_{what}")).unwrap_or_default();
    if ["x86_64", "aarch64", "riscv64"].contains(&target("TARGET_ARCH").as_str())
        && target("TARGET_OS") == "linux"
        && target("TARGET_POINTER_WIDTH") == "64"
        && target("TARGET_ENDIAN") == "little"
        && var("CARGO_CFG_MIRI").is_err()
        && var("CARGO_FEATURE_PORTABLE").is_err()
    {
        println!("cargo::rustc-cfg=sequences");
    }
}
