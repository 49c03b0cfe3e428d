//! System calls that fail, by a seccomp filter.

/// Whether valgrind runs this: it ends programs whose system calls are trapped, and maps memory itself.
#[allow(dead_code)]
pub(crate) fn under_valgrind() -> bool {
    std::env::var("LD_PRELOAD").is_ok_and(|objects| objects.contains("vgpreload"))
}

/// Refuses some commands of a call: its first argument. Otherwise as [`refuse`].
#[allow(dead_code)]
pub(crate) fn refuse_commands(
    call: libc::c_long,
    commands: [i32; 2],
    errno: i32,
) -> std::io::Result<()> {
    const COMMAND: u32 = std::mem::offset_of!(libc::seccomp_data, args) as u32;
    install(&mut [
        step(LOAD, 0, 0, NUMBER),
        step(EQUAL, 0, 3, call as u32),
        step(LOAD, 0, 0, COMMAND), // The lower half, on little-endian processors.
        step(EQUAL, 2, 0, commands[0] as u32),
        step(EQUAL, 1, 0, commands[1] as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
    ])
}

/// Refuses a call with this second argument. Otherwise as [`refuse`].
#[allow(dead_code)]
pub(crate) fn refuse_second(call: libc::c_long, second: u32, errno: i32) -> std::io::Result<()> {
    const SECOND: u32 = std::mem::offset_of!(libc::seccomp_data, args) as u32 + 8;
    install(&mut [
        step(LOAD, 0, 0, NUMBER),
        step(EQUAL, 0, 2, call as u32),
        step(LOAD, 0, 0, SECOND), // The lower half, on little-endian processors.
        step(EQUAL, 1, 0, second),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
    ])
}

/// Sends `SIGSYS` in the place of a call. Otherwise as [`refuse`].
#[allow(dead_code)]
pub(crate) fn trap(call: libc::c_long) -> std::io::Result<()> {
    install(&mut [
        step(LOAD, 0, 0, NUMBER),
        step(EQUAL, 0, 1, call as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_TRAP),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ])
}

/// Refuses the calls, at most six, from now on: in this thread, the threads and processes that it
/// starts, and what it executes. Makes system calls alone.
#[allow(dead_code)]
pub(crate) fn refuse(calls: &[libc::c_long], errno: i32) -> std::io::Result<()> {
    let mut filter = [step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW); 10];
    filter[0] = step(LOAD, 0, 0, NUMBER);
    for (n, call) in calls.iter().enumerate() {
        // If it is this call, jump to the last step.
        filter[n + 1] = step(EQUAL, (7 - n) as u8, 0, *call as u32);
    }
    filter[9] = step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32);
    install(&mut filter)
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const NUMBER: u32 = std::mem::offset_of!(libc::seccomp_data, nr) as u32;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn install(filter: &mut [libc::sock_filter]) -> std::io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is valid for the call, which copies it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    };
    if done {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}
