//! System calls that fail.

use std::io;

/// A seccomp filter that makes system calls fail.
#[derive(Debug)]
pub struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Returns a filter by which `calls` fail with `errno`; all others are allowed.
    pub fn new(calls: &[libc::c_long], errno: i32) -> Self {
        // Of `linux/filter.h`, and the offsets of `struct seccomp_data`.
        const LOAD: u16 = 0x20;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        const NUMBER: u32 = 0;
        const ARCHITECTURE: u32 = 4;
        // `AUDIT_ARCH_*`: calls of other ABIs have other numbers, and are let through.
        let own = if cfg!(target_arch = "x86_64") {
            0xC000_003E
        } else if cfg!(target_arch = "aarch64") {
            0xC000_00B7
        } else if cfg!(target_arch = "x86") {
            0x4000_0003
        } else {
            0xC000_00F3
        };
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let allow = step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
        let mut steps = vec![
            step(LOAD, 0, 0, ARCHITECTURE),
            step(JUMP_IF_EQUAL, 1, 0, own),
            allow,
            step(LOAD, 0, 0, NUMBER),
        ];
        for call in calls {
            steps.push(step(JUMP_IF_EQUAL, 0, 1, *call as u32));
            steps.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
        }
        steps.push(allow);
        Filter(steps)
    }

    /// Installs the filter for the calling thread, and for what it starts from now on. Makes two system
    /// calls and does nothing else.
    ///
    /// # Errors
    /// Returns the kernel's.
    pub fn install(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: self.0.len() as u16,
            filter: self.0.as_ptr().cast_mut(),
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
}
#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn the_calls_of_a_filter_fail_and_others_do_not() {
        let filter = Filter::new(&[libc::SYS_getppid], libc::EXDEV);
        let look = move || {
            filter.install().map(|()| {
                // SAFETY: the calls take no arguments.
                let call = |number| unsafe { libc::syscall(number) };
                let refused = call(libc::SYS_getppid);
                let error = std::io::Error::last_os_error().raw_os_error();
                (refused, error, call(libc::SYS_getpid))
            })
        };
        // On a thread of its own: a filter stays. Some machines allow none.
        if let Ok((refused, error, allowed)) = std::thread::spawn(look).join().unwrap() {
            assert_eq!((refused, error), (-1, Some(libc::EXDEV)));
            assert!(allowed > 0);
        }
    }
}
