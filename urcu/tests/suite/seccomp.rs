//! System calls that fail, by a seccomp filter.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// `AUDIT_ARCH_*` of this processor: a filter sees calls of other ABIs too.
const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") {
    0xC000_003E
} else if cfg!(target_arch = "aarch64") {
    0xC000_00B7
} else if cfg!(target_arch = "riscv64") {
    0xC000_00F3
} else if cfg!(target_arch = "x86") {
    0x4000_0003
} else {
    panic!("the number of this processor is missing here: nothing would be refused")
};

/// The numbers of `linux/filter.h`.
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// A program that answers `errno` to the calls.
fn program(calls: &[libc::c_long], errno: i32) -> Vec<libc::sock_filter> {
    let allow = step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    let mut steps = vec![
        step(LOAD, 0, 0, 4), // struct seccomp_data: arch
        step(JUMP_IF_EQUAL, 1, 0, ARCHITECTURE),
        allow,
        step(LOAD, 0, 0, 0), // struct seccomp_data: nr
    ];
    for &call in calls {
        steps.push(step(JUMP_IF_EQUAL, 0, 1, call as u32));
        steps.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    }
    steps.push(allow);
    steps
}

fn install(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the program is valid during the calls; they change nothing else.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) != 0
    };
    if refused {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The calls fail in the child from its first instruction on.
pub(crate) fn refuse_in_child<'a>(
    command: &'a mut Command,
    calls: &[libc::c_long],
    errno: i32,
) -> &'a mut Command {
    let program = program(calls, errno);
    // SAFETY: between fork and exec this makes two system calls and allocates nothing.
    unsafe { command.pre_exec(move || install(&program)) }
}

/// The calls fail from now on in this thread, and in threads and processes that it starts.
pub(crate) fn refuse_in_this_thread(calls: &[libc::c_long], errno: i32) -> io::Result<()> {
    install(&program(calls, errno))
}
