//! Seccomp filters that make system calls fail.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const NUMBER: u32 = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
const ARCHITECTURE: u32 = std::mem::offset_of!(libc::seccomp_data, arch) as u32;

/// `AUDIT_ARCH_*` of this processor. The filters allow calls of other ABIs, whose numbers differ.
const OWN_ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") {
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

/// Returns the offset of an argument's lower half on little-endian processors.
const fn argument(place: usize) -> u32 {
    (std::mem::offset_of!(libc::seccomp_data, args) + place * 8) as u32
}

const fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

const ALLOW: libc::sock_filter = step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);

/// Returns an instruction that skips the next one unless the loaded word is `value`.
const fn only_if(value: u32) -> libc::sock_filter {
    step(JUMP_IF_EQUAL, 0, 1, value)
}

const fn fail(errno: i32) -> libc::sock_filter {
    step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32)
}

/// A seccomp filter that makes system calls fail. Making and installing it are two steps, so that it can be
/// installed where nothing may be allocated: between `fork` and `exec`, in a forked child, in a signal
/// handler.
#[derive(Clone, Debug)]
pub struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Returns a filter that makes `calls` fail with `errno` and allows all others.
    #[must_use]
    pub fn new(calls: &[libc::c_long], errno: i32) -> Self {
        let mut filter = Filter::of_this_abi();
        for call in calls {
            filter.0.extend([only_if(*call as u32), fail(errno)]);
        }
        filter.otherwise(ALLOW)
    }

    /// Returns a filter that makes a call fail with `errno` if its argument `place` (the first is 0) is one of
    /// `values`. It compares only the lower 32 bits of the argument.
    #[must_use]
    pub fn of_argument(call: libc::c_long, place: usize, values: &[u32], errno: i32) -> Self {
        let mut filter = Filter::of_call(call);
        filter.0.push(step(LOAD, 0, 0, argument(place)));
        for value in values {
            filter.0.extend([only_if(*value), fail(errno)]);
        }
        filter.otherwise(ALLOW)
    }

    /// Returns a filter that sends `SIGSYS` instead of making a call, unless its argument `place` is `pass`.
    /// With that argument the handler can still make the call.
    #[must_use]
    pub fn trapping(call: libc::c_long, place: usize, pass: u32) -> Self {
        let mut filter = Filter::of_call(call);
        filter.0.push(step(LOAD, 0, 0, argument(place)));
        filter.0.extend([only_if(pass), ALLOW]);
        filter.otherwise(step(RETURN, 0, 0, libc::SECCOMP_RET_TRAP))
    }

    /// Returns the beginning of each filter, which loads the number of the call.
    fn of_this_abi() -> Self {
        Filter(vec![
            step(LOAD, 0, 0, ARCHITECTURE),
            step(JUMP_IF_EQUAL, 1, 0, OWN_ARCHITECTURE),
            ALLOW,
            step(LOAD, 0, 0, NUMBER),
        ])
    }

    /// Returns the beginning of a filter that allows all other calls.
    fn of_call(call: libc::c_long) -> Self {
        let mut filter = Filter::of_this_abi();
        filter.0.push(step(JUMP_IF_EQUAL, 1, 0, call as u32));
        filter.0.push(ALLOW);
        filter
    }

    fn otherwise(mut self, last: libc::sock_filter) -> Self {
        self.0.push(last);
        self
    }

    /// Installs the filter for the calling thread, and for the threads and processes that it starts from now
    /// on. Makes two system calls and does nothing else.
    ///
    /// # Errors
    /// Returns the kernel's error.
    pub fn install(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: self.0.len() as u16,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the filter program is valid during the calls, which touch no other memory.
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

    /// Has a child process install the filter before its program begins.
    pub fn install_in(self, child: &mut Command) -> &mut Command {
        // SAFETY: between `fork` and `exec` this makes two system calls and allocates nothing.
        unsafe { child.pre_exec(move || self.install()) }
    }
}

/// Returns whether valgrind runs this process. It ends programs whose system calls are trapped, and
/// maps memory itself.
#[must_use]
pub fn under_valgrind() -> bool {
    std::env::var("LD_PRELOAD").is_ok_and(|objects| objects.contains("vgpreload"))
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use libc::c_long;
    use std::io::Error;
    use std::process::Command;

    /// Returns the results of calls under the filter, on a thread of its own, because a filter cannot be
    /// removed. Returns `None` if this machine allows no filter.
    fn under<const N: usize>(filter: Filter, calls: [fn() -> c_long; N]) -> Option<[c_long; N]> {
        let answers = move || {
            filter.install().ok()?;
            Some(calls.map(|call| call()))
        };
        std::thread::spawn(answers).join().unwrap()
    }

    /// Returns the call's result, or the error, negative.
    fn call(number: c_long, first: usize, second: usize) -> c_long {
        // SAFETY: the calls of these tests take integers, and change nothing.
        match unsafe { libc::syscall(number, first, second) } {
            -1 => -c_long::from(Error::last_os_error().raw_os_error().unwrap()),
            value => value,
        }
    }

    #[test]
    fn the_calls_of_a_filter_fail_and_others_do_not() {
        let filter = Filter::new(&[libc::SYS_getppid, libc::SYS_getpgid], libc::EXDEV);
        let all: [fn() -> c_long; 3] = [
            || call(libc::SYS_getppid, 0, 0),
            || call(libc::SYS_getpgid, 0, 0),
            || call(libc::SYS_getpid, 0, 0),
        ];
        let error = -c_long::from(libc::EXDEV);
        if let Some([ppid, pgid, pid]) = under(filter, all) {
            assert_eq!((ppid, pgid), (error, error));
            assert!(pid > 0, "{pid}");
        }
    }

    #[test]
    fn a_call_fails_with_the_arguments_of_a_filter_alone() {
        // `getpriority(which, who)` asks about this process, or about its group.
        let first = Filter::of_argument(libc::SYS_getpriority, 0, &[7, 1], libc::EXDEV);
        let second = Filter::of_argument(libc::SYS_getpriority, 1, &[0x7FFF_FFFF], libc::EXDEV);
        let all: [fn() -> c_long; 3] = [
            || call(libc::SYS_getpriority, 0, 0),
            || call(libc::SYS_getpriority, 1, 0),
            || call(libc::SYS_getpriority, 0, 0x7FFF_FFFF),
        ];
        let error = -c_long::from(libc::EXDEV);
        if let Some([process, group, nobody]) = under(first, all) {
            assert!(process > 0, "{process}");
            assert_eq!((group, nobody), (error, -c_long::from(libc::ESRCH)));
        }
        if let Some([process, group, nobody]) = under(second, all) {
            assert!(process > 0 && group > 0, "{process} {group}");
            assert_eq!(nobody, error);
        }
    }

    #[test]
    fn a_child_has_the_filter_from_its_first_instruction_on() {
        let mut child = Command::new("true");
        // The program's loader needs this call.
        let filter = Filter::new(&[libc::SYS_openat, libc::SYS_mmap], libc::EXDEV);
        if let Ok(status) = filter.install_in(&mut child).status() {
            assert!(!status.success());
        }
    }
}
