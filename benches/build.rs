//! Finds out whether liburcu can be compared with, and builds the loops that do; and those of our own C face.
//!
//! Without a C compiler, liburcu's headers or its library, and for static executables, nothing is
//! built, the cfg `have_liburcu_memb` stays unset, and the benchmarks leave that peer out.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const SOURCE: &str = "c/memb.c";

/// One value under any flavour.
const FLAVOUR_SOURCE: &str = "c/flavour.c";

/// The flavours beside memb.
const FLAVOURS: [&str; 3] = ["bp", "mb", "qsbr"];

/// Structures of liburcu's.
const CDS_SOURCE: &str = "c/cds.c";

/// The headers of our own C face.
const C_FACE: &str = "../urcu/capi/include";

/// Uses each symbol that the benchmarks link, so that linking it proves they are all there.
const PROBE: &str = "\
#include <stdint.h>
#include <urcu/urcu-memb.h>
uint64_t urcu_benches_memb_sections(uint64_t **slot, uint64_t count);
void urcu_benches_memb_swaps(void **slot, uint64_t count);
int main(void)
{
\tuint64_t value = 42, *slot = &value, sum;
\tvoid *node = 0;
\turcu_memb_register_thread();
\turcu_benches_memb_swaps(&node, 1);
\tsum = urcu_benches_memb_sections(&slot, 1);
\turcu_memb_read_lock();
\turcu_memb_read_unlock();
\turcu_memb_barrier();
\turcu_memb_synchronize_rcu();
\turcu_memb_unregister_thread();
\treturn sum != 42;
}
";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(have_liburcu_memb)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(have_liburcu_flavours)");
    println!("cargo::rustc-check-cfg=cfg(have_liburcu_cds)");
    println!("cargo::rustc-check-cfg=cfg(have_c_face)");
    println!("cargo::rerun-if-changed={CDS_SOURCE}");
    println!("cargo::rerun-if-changed={C_FACE}");
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed={FLAVOUR_SOURCE}");
    println!("cargo::rerun-if-env-changed=CC");
    // Changes when Debian's liburcu-dev comes or goes.
    let packages = Path::new("/var/lib/dpkg/status");
    if packages.exists() {
        println!("cargo::rerun-if-changed={}", packages.display());
    }
    if env::var_os("CARGO_FEATURE_COMPARE").is_none() {
        return;
    }
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    // A static executable cannot use the shared library, and the linker does not say so.
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        return;
    }
    // The loops go to the executable itself, where code that is compiled for one reaches
    // liburcu's data directly, as a C program's does. Elsewhere than on x86-64 that need
    // not link with a shared library's data.
    let direct = env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64");
    build_c_face(if direct { "-fPIE" } else { "-fPIC" });
    let built = (direct && build("-fPIE")) || build("-fPIC");
    if built {
        println!("cargo::rustc-cfg=have_liburcu_memb");
        let code_model = if direct { "-fPIE" } else { "-fPIC" };
        if FLAVOURS
            .iter()
            .all(|flavour| build_flavour(flavour, code_model))
        {
            for flavour in FLAVOURS {
                println!("cargo::rustc-link-lib=static=urcu_benches_flavour_{flavour}");
                println!("cargo::rustc-link-lib=dylib=urcu-{flavour}");
            }
            println!("cargo::rustc-cfg=have_liburcu_flavours");
        }
        let cds = source(CDS_SOURCE, code_model).try_compile("urcu_benches_cds");
        if cds.is_ok() {
            println!("cargo::rustc-link-lib=static=urcu_benches_cds");
            println!("cargo::rustc-link-lib=dylib=urcu-cds");
            println!("cargo::rustc-cfg=have_liburcu_cds");
        }
    }
}

/// Starts the build of one of the sources, for code of this model.
fn source(file: &str, code_model: &str) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .file(file)
        .opt_level(2)
        .debug(false)
        .pic(false)
        .flag(code_model)
        .warnings(false)
        .cargo_metadata(false)
        .cargo_warnings(false)
        .cargo_output(false);
    if code_model == "-fPIE" {
        // Gcc does this of itself.
        build.flag_if_supported("-fdirect-access-external-data");
    }
    build
}

/// Builds the value under our own C face, which is linked whatever liburcu is there.
fn build_c_face(code_model: &str) {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut build = source(FLAVOUR_SOURCE, code_model);
    build
        .define("FLAVOUR", "percpu")
        .define("HEADER", "<urcu-percpu.h>")
        .define("REGISTERED", None)
        .define("URCU_PERCPU_NO_API_MAP", None)
        .include(C_FACE);
    if build.try_compile("urcu_benches_flavour_percpu").is_ok() {
        println!("cargo::rustc-link-search=native={out}");
        println!("cargo::rustc-link-lib=static=urcu_benches_flavour_percpu");
        println!("cargo::rustc-cfg=have_c_face");
    }
}

/// Builds the value of one flavour; true if it compiles.
fn build_flavour(flavour: &str, code_model: &str) -> bool {
    let mut build = source(FLAVOUR_SOURCE, code_model);
    let header = format!("<urcu/urcu-{flavour}.h>");
    build.define("FLAVOUR", flavour).define("HEADER", &*header);
    match flavour {
        "memb" => build.define("REGISTERED", None),
        "qsbr" => build.define("QUIESCENT", None),
        _ => &mut build,
    };
    build
        .try_compile(&format!("urcu_benches_flavour_{flavour}"))
        .is_ok()
}

/// Builds the loops and their static library; true if an executable with it can be linked.
fn build(code_model: &str) -> bool {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let build = source(SOURCE, code_model);
    if build.try_compile("urcu_benches_memb").is_err() || !links(&build, &out) {
        return false;
    }
    if !build_flavour("memb", code_model) {
        return false;
    }
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=urcu_benches_memb");
    println!("cargo::rustc-link-lib=static=urcu_benches_flavour_memb");
    println!("cargo::rustc-link-lib=dylib=urcu-memb");
    true
}

/// True if a position-independent executable of the loops and liburcu-memb links.
fn links(build: &cc::Build, out: &Path) -> bool {
    let probe = out.join("probe.c");
    if std::fs::write(&probe, PROBE).is_err() {
        return false;
    }
    let Ok(compiler) = build.try_get_compiler() else {
        return false;
    };
    let object = out.join("probe.o");
    let mut compile = compiler.to_command();
    compile.arg("-c").arg(&probe).arg("-o").arg(&object);
    let mut link = std::process::Command::new(compiler.path());
    let mut library: OsString = "-L".into();
    library.push(out);
    link.arg("-pie")
        .arg(&object)
        .arg(library)
        .args(["-lurcu_benches_memb", "-lurcu-memb"]);
    link.arg("-o").arg(out.join("probe"));
    [compile, link].iter_mut().all(|command| {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}
