//! What scenarios ask of the system.

use std::io;
use std::time::Duration;

/// As many CPUs as Linux can have. A `cpu_set_t` has 1024, which some machines exceed.
type Mask = [u64; 128];

/// The CPUs that the calling thread may use.
///
/// # Panics
/// If the kernel does not say.
pub fn cpus() -> Vec<usize> {
    let mut mask: Mask = [0; _];
    // SAFETY: a mask of the size that the call is told.
    let known = unsafe { libc::sched_getaffinity(0, size_of_val(&mask), (&raw mut mask).cast()) };
    let error = io::Error::last_os_error();
    assert_eq!(known, 0, "sched_getaffinity: {error}");
    (0..size_of_val(&mask) * 8)
        .filter(|cpu| mask[cpu / 64] >> (cpu % 64) & 1 != 0)
        .collect()
}

/// Moves a thread (0: the calling one) to these CPUs alone. The kernel may refuse, if they went
/// away.
pub fn run_on(thread: libc::pid_t, cpus: &[usize]) -> bool {
    let mut mask: Mask = [0; _];
    cpus.iter()
        .for_each(|cpu| mask[cpu / 64] |= 1 << (cpu % 64));
    // SAFETY: a mask of the size that the call is told.
    unsafe { libc::sched_setaffinity(thread, size_of_val(&mask), (&raw const mask).cast()) == 0 }
}

/// The calling thread's number.
pub fn gettid() -> libc::pid_t {
    // SAFETY: no arguments.
    unsafe { libc::syscall(libc::SYS_gettid) as libc::pid_t }
}

/// Sets a thread's (0: the calling one's) scheduling policy.
///
/// # Errors
/// The kernel's.
pub fn schedule(thread: libc::pid_t, policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    // SAFETY: the parameter is valid during the call; zeroed ones are.
    let result = unsafe {
        let mut parameter: libc::sched_param = std::mem::zeroed();
        parameter.sched_priority = priority;
        libc::sched_setscheduler(thread, policy, &raw const parameter)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What the threads of a process (its number, or `self`) are at, in a line each: name, state, and
/// the system call that the thread is in, as the kernel tells it. For the report of a hang.
pub fn threads(process: impl std::fmt::Display) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten();
    tasks
        .flatten()
        .map(|task| {
            let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let (name, stat, call) = (read("comm"), read("stat"), read("syscall"));
            // The name, in parentheses, may hold anything; the state follows it.
            let state = stat.rsplit(')').next().unwrap_or_default();
            let state = state.split_whitespace().next().unwrap_or("?");
            format!("{} ({state}) {}", name.trim(), call.trim())
        })
        .collect()
}

/// Whether the process may do what root may.
pub fn is_root() -> bool {
    // SAFETY: no arguments.
    unsafe { libc::geteuid() == 0 }
}

/// Installs a handler for the whole process.
pub fn install(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: a zeroed `sigaction` is valid; the handler is async-signal-safe, as its scenario says.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// A timer of the kernel's that sends the calling thread a signal at every period, until dropped.
#[derive(Debug)]
pub struct Timer(libc::timer_t);

impl Timer {
    /// For the calling thread, which drops it before it ends.
    ///
    /// # Errors
    /// The kernel's.
    pub fn start(signal: libc::c_int, period: Duration) -> io::Result<Self> {
        // SAFETY: zeroed structures are valid, the others are filled by the calls.
        unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = gettid();
            let mut timer: libc::timer_t = std::mem::zeroed();
            if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) != 0 {
                return Err(io::Error::last_os_error());
            }
            let timer = Timer(timer);
            timer.set(period);
            Ok(timer)
        }
    }

    /// Another period.
    pub fn set(&self, period: Duration) {
        // SAFETY: the timer is there until `self` is dropped; the times are valid during the call.
        unsafe {
            let mut time: libc::itimerspec = std::mem::zeroed();
            time.it_interval.tv_sec = period.as_secs() as _;
            time.it_interval.tv_nsec = period.subsec_nanos() as _;
            time.it_value = time.it_interval;
            libc::timer_settime(self.0, 0, &raw const time, std::ptr::null_mut());
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: made by `start`, and not used again.
        unsafe { libc::timer_delete(self.0) };
    }
}

/// A seccomp filter that makes system calls fail.
#[derive(Debug)]
pub struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// The calls fail with `errno`; all others are allowed.
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

    /// For the calling thread from now on, and what it starts. Two system calls, nothing else.
    ///
    /// # Errors
    /// The kernel's.
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
