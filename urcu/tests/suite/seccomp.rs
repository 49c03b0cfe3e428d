//! System calls that fail, by a seccomp filter.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

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

/// In the place of a sixth argument, which `membarrier` does not have: this call is not trapped.
const PASS: u32 = 0x7061_7373;

/// How often the trapped call fails still, and how.
static FAILS: AtomicUsize = AtomicUsize::new(0);
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// From now on `membarrier` fails so many times in this thread, and then does not.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn refuse_membarrier_for_a_while(times: usize, errno: i32) -> io::Result<()> {
    FAILS.store(times, Ordering::SeqCst);
    ERRNO.store(errno, Ordering::SeqCst);
    // SAFETY: a zeroed action is valid; the handler makes a system call and uses atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = trapped as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
    }
    install(&[
        step(LOAD, 0, 0, 4),
        step(JUMP_IF_EQUAL, 0, 4, ARCHITECTURE),
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 2, libc::SYS_membarrier as u32),
        step(LOAD, 0, 0, 16 + 5 * 8), // struct seccomp_data: the low half of args[5]
        step(JUMP_IF_EQUAL, 0, 1, PASS),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, libc::SECCOMP_RET_TRAP),
    ])
}

/// How often it fails still.
pub(crate) fn refusals_left() -> usize {
    FAILS.load(Ordering::SeqCst)
}

/// It fails no more. Returns how often it would have.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn forgo_refusals() -> usize {
    FAILS.swap(0, Ordering::SeqCst)
}

/// Makes the call that was trapped, or fails in its place.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
extern "C" fn trapped(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: what the kernel gives to a handler.
    let context = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    let command = context.gregs[libc::REG_RDI as usize];
    #[cfg(target_arch = "aarch64")]
    let command = context.regs[0];
    let fails = FAILS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    let answer = if fails.is_ok() {
        -i64::from(ERRNO.load(Ordering::SeqCst))
    } else {
        // SAFETY: the call takes integers. errno is what it was: the caller reads its own.
        unsafe {
            libc::syscall(
                libc::SYS_membarrier,
                command,
                0,
                0,
                0,
                0,
                PASS as libc::c_ulong,
            )
        }
    };
    #[cfg(target_arch = "x86_64")]
    {
        context.gregs[libc::REG_RAX as usize] = answer;
    }
    #[cfg(target_arch = "aarch64")]
    {
        context.regs[0] = answer as u64;
    }
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

/// Some commands of a call, which are its first argument, fail in the child.
pub(crate) fn refuse_commands_in_child<'a>(
    child: &'a mut Command,
    call: libc::c_long,
    commands: &[i32],
    errno: i32,
) -> &'a mut Command {
    let allow = step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    let mut steps = vec![
        step(LOAD, 0, 0, 4), // struct seccomp_data: arch
        step(JUMP_IF_EQUAL, 1, 0, ARCHITECTURE),
        allow,
        step(LOAD, 0, 0, 0), // struct seccomp_data: nr
        step(JUMP_IF_EQUAL, 1, 0, call as u32),
        allow,
        step(LOAD, 0, 0, 16), // struct seccomp_data: the first argument's lower half
    ];
    for &command in commands {
        steps.push(step(JUMP_IF_EQUAL, 0, 1, command as u32));
        steps.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    }
    steps.push(allow);
    // SAFETY: between fork and exec this makes two system calls and allocates nothing.
    unsafe { child.pre_exec(move || install(&steps)) }
}
