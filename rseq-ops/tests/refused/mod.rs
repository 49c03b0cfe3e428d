//! System calls that fail, by a seccomp filter.

/// Refuses the calls, at most six, from now on: in this thread, the threads and processes that it
/// starts, and what it executes. Makes system calls alone.
pub(crate) fn refuse(calls: &[libc::c_long], errno: i32) -> std::io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const NUMBER: u32 = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    let mut filter = [step(ANSWER, 0, libc::SECCOMP_RET_ALLOW); 10];
    filter[0] = step(LOAD, 0, NUMBER);
    for (n, call) in calls.iter().enumerate() {
        // If it is this call, jump to the last step.
        filter[n + 1] = step(EQUAL, (7 - n) as u8, *call as u32);
    }
    filter[9] = step(ANSWER, 0, libc::SECCOMP_RET_ERRNO | errno as u32);
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
