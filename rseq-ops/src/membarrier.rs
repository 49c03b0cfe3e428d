//! `membarrier(2)`: a barrier that is expensive for its caller and free for all other threads.
//!
//! [`barrier`] interrupts every CPU that runs a thread of this process, and each of these CPUs executes a
//! full memory barrier. Threads that are not running went through one when they were descheduled. So a
//! *compiler* barrier on a frequent path pairs with a call of [`barrier`] on a rare one.
//!
//! [`restart`] does the same, and also restarts every restartable sequence in flight. Once it has returned,
//! each sequence of this process has either committed before, and its commit is visible, or starts after.
//!
//! Neither function reaches other processes. Both need a registration of the process: the first call makes it,
//! if [`register`] was not called before. The registration survives `fork`, and ends at `execve`.
//!
//! Each function makes one or two system calls, leaves errno alone, and is async-signal-safe. While the kernel
//! lacks memory for a call, the call is repeated for about ten milliseconds.

use crate::abi;

/// The error of a refused `membarrier(2)` call. Holds the errno value.
///
/// ```
/// use rseq_ops::membarrier::{self, MembarrierError};
///
/// if let Err(MembarrierError(errno)) = membarrier::query() {
///     println!("no membarrier: {}", std::io::Error::from_raw_os_error(errno));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembarrierError(pub i32);

impl core::fmt::Display for MembarrierError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "membarrier(2) refused with errno {}", self.0)
    }
}

impl MembarrierError {
    /// Returns whether the same call may succeed later. That is so if the kernel had no memory for it
    /// (`ENOMEM`) or was busy (`EAGAIN`, `EINTR`). Other refusals are permanent: they come from a filter, or
    /// from a kernel that does not know the call.
    ///
    /// ```
    /// use rseq_ops::membarrier::MembarrierError;
    ///
    /// const ENOMEM: i32 = 12;
    /// const EPERM: i32 = 1;
    /// assert!(MembarrierError(ENOMEM).is_passing());
    /// assert!(!MembarrierError(EPERM).is_passing());
    /// ```
    pub const fn is_passing(self) -> bool {
        // Linux's numbers, and not libc's constants, because this is compiled for other systems too.
        matches!(self.0, 4 | 11 | 12)
    }
}

impl core::error::Error for MembarrierError {}

#[cfg(all(target_os = "linux", not(miri), not(rseq_ops_portable)))]
fn call(command: i32) -> Result<i32, MembarrierError> {
    // SAFETY: membarrier takes three integers and touches no memory of ours. errno is the calling thread's
    // own. It is restored, because this also runs in signal handlers.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let answer = libc::syscall(libc::SYS_membarrier, command, 0, 0);
        let result = if answer < 0 {
            Err(MembarrierError(*errno))
        } else {
            Ok(answer as i32)
        };
        *errno = before;
        result
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(rseq_ops_portable))))]
fn call(_command: i32) -> Result<i32, MembarrierError> {
    /// Linux's `ENOSYS`: there is no such call.
    const NO_SUCH_CALL: i32 = 38;
    Err(MembarrierError(NO_SUCH_CALL))
}

/// Makes a call, and repeats it after pauses while it is refused for a temporary reason. A barrier usually
/// takes microseconds, but ten milliseconds more are better for the caller than a refusal.
fn patiently(command: i32) -> Result<i32, MembarrierError> {
    const FIRST_PAUSE: u32 = 10_000;
    const TRIES: u32 = 10;
    let mut answer = call(command);
    for doubled in 0..TRIES {
        match answer {
            Err(refused) if refused.is_passing() => pause(FIRST_PAUSE << doubled),
            _ => break,
        }
        answer = call(command);
    }
    answer
}

/// Sleeps for `nanoseconds`, which are less than a second. A signal ends the sleep early.
#[cfg(all(target_os = "linux", not(miri), not(rseq_ops_portable)))]
fn pause(nanoseconds: u32) {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: nanoseconds as libc::c_long,
    };
    // SAFETY: the time is valid during the call, which writes nothing. errno is restored, as in `call`.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::nanosleep(&raw const time, core::ptr::null_mut());
        *errno = before;
    }
}

/// Does nothing: where there is no such call, no refusal is temporary.
#[cfg(not(all(target_os = "linux", not(miri), not(rseq_ops_portable))))]
fn pause(_nanoseconds: u32) {}

/// Returns the commands that this kernel knows, as a bit set of [`abi`]'s `MEMBARRIER_*`.
///
/// # Errors
/// [`MembarrierError`] where the call does not exist or a filter denies it.
///
/// ```
/// use rseq_ops::{abi, membarrier};
///
/// let known = membarrier::query().unwrap_or(0);
/// if known & abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ == 0 {
///     println!("nothing here restarts sequences");
/// }
/// ```
pub fn query() -> Result<i32, MembarrierError> {
    call(abi::MEMBARRIER_QUERY)
}

/// Registers this process for [`barrier`] and [`restart`], and issues one of each to learn whether they
/// work: a filter may allow the registrations and deny the commands. Later calls repeat all this without harm.
/// In a process with many threads the kernel may take some milliseconds for it.
///
/// # Errors
/// [`MembarrierError`] before Linux 5.10, if a filter denies one of the calls, or while the kernel lacks memory
/// for one ([`MembarrierError::is_passing`]).
///
/// ```
/// match rseq_ops::membarrier::register() {
///     Ok(()) => rseq_ops::membarrier::restart().unwrap(),
///     Err(refused) => println!("no asymmetric barrier here: {refused}"),
/// }
/// ```
pub fn register() -> Result<(), MembarrierError> {
    [
        abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED,
        abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ,
        abi::MEMBARRIER_PRIVATE_EXPEDITED,
        abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ,
    ]
    .into_iter()
    .try_for_each(|command| patiently(command).map(drop))
}

/// Issues a full memory barrier on every CPU that runs a thread of this process, the caller's included.
///
/// # Cost
/// One system call, and an interrupt on each such CPU: some microseconds.
///
/// # Errors
/// [`MembarrierError`] if the call is missing or denied, or while the kernel lacks memory for it
/// ([`MembarrierError::is_passing`]).
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering::Relaxed, compiler_fence, fence};
/// use rseq_ops::membarrier;
///
/// static READING: AtomicBool = AtomicBool::new(false);
/// static CLOSED: AtomicBool = AtomicBool::new(false);
///
/// // The frequent side. Without membarriers its fence would have to be `fence(SeqCst)`.
/// fn enter() -> bool {
///     READING.store(true, Relaxed);
///     compiler_fence(std::sync::atomic::Ordering::SeqCst);
///     !CLOSED.load(Relaxed)
/// }
///
/// // The rare side: either it sees that somebody is reading, or the reader sees that it has closed.
/// if membarrier::register().is_ok() {
///     CLOSED.store(true, Relaxed);
///     membarrier::barrier().unwrap();
///     assert!(!READING.load(Relaxed));
///     assert!(!enter());
/// }
/// ```
pub fn barrier() -> Result<(), MembarrierError> {
    registered(
        abi::MEMBARRIER_PRIVATE_EXPEDITED,
        abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED,
    )
}

/// Issues a [`barrier`], and restarts every restartable sequence of this process that is in flight.
///
/// # Errors
/// [`MembarrierError`] if the call is missing or denied, or while the kernel lacks memory for it
/// ([`MembarrierError::is_passing`]).
///
/// # Cost
/// The same as [`barrier`].
///
/// ```
/// use rseq_ops::membarrier;
///
/// if membarrier::register().is_ok() {
///     // Store what sequences look at; then:
///     membarrier::restart().unwrap();
///     // Every sequence from here on sees it.
/// }
/// ```
pub fn restart() -> Result<(), MembarrierError> {
    registered(
        abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ,
        abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ,
    )
}

/// Issues a command that needs the registration that `register` makes.
///
/// The registration may be missing although the process's memory says that it was made. `fork` copies the
/// registration first and the memory later, and other threads go on to write in between. So a child that was
/// forked while another thread registered may have to register here.
fn registered(command: i32, register: i32) -> Result<(), MembarrierError> {
    match patiently(command) {
        Err(MembarrierError(NOT_REGISTERED)) => {
            patiently(register)?;
            patiently(command).map(drop)
        }
        answer => answer.map(drop),
    }
}

/// Linux's `EPERM`.
const NOT_REGISTERED: i32 = 1;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::MembarrierError;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for errno in [libc::EINTR, libc::EAGAIN, libc::ENOMEM] {
            assert!(MembarrierError(errno).is_passing(), "{errno}");
        }
        for errno in [libc::EPERM, libc::EINVAL, libc::EACCES, libc::ENOSYS] {
            assert!(!MembarrierError(errno).is_passing(), "{errno}");
        }
        assert_eq!(super::NOT_REGISTERED, libc::EPERM);
    }
}
