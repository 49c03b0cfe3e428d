//! How the shared object is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    // The restartable sequences must stay where they are: see `rseq-ops`, "In shared objects".
    for argument in ["-soname,liburcu-percpu.so.0", "-z,nodelete"] {
        println!("cargo::rustc-cdylib-link-arg=-Wl,{argument}");
    }
}
