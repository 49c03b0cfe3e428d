//! Runs a program in which system calls fail with ENOSYS, as a container's filter may have it: how
//! does yours fare without `rseq` and `membarrier`?
//!
//! ```text
//! cargo run -p rseq-ops --example refused -- rseq,membarrier PROGRAM [ARGUMENT...]
//! ```

#[cfg(target_os = "linux")]
fn main() {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, exit};

    use urcu_host::seccomp::Filter;

    let mut arguments = std::env::args_os().skip(1);
    let (Some(names), Some(program)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: refused rseq,membarrier,getcpu PROGRAM [ARGUMENT...]");
        exit(2);
    };
    let names = names.to_string_lossy().into_owned();
    let calls: Vec<_> = names
        .split(',')
        .map(|name| match name {
            "rseq" => libc::SYS_rseq,
            "membarrier" => libc::SYS_membarrier,
            "getcpu" => libc::SYS_getcpu,
            other => {
                eprintln!("{other}: not one of rseq, membarrier, getcpu");
                exit(2);
            }
        })
        .collect();
    let error = match Filter::new(&calls, libc::ENOSYS).install() {
        Ok(()) => Command::new(&program).args(arguments).exec(),
        Err(error) => error,
    };
    eprintln!("{}: {error}", program.display());
    exit(1);
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("seccomp is of Linux");
}
