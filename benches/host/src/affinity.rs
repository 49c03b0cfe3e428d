//! The CPUs that threads run on.

/// The greatest number of CPUs that Linux supports. A `cpu_set_t` has 1024, which some machines exceed.
#[cfg(target_os = "linux")]
type Mask = [u64; 128];

/// Returns the CPUs that the calling thread may use.
///
/// # Panics
/// If the kernel does not say.
#[cfg(target_os = "linux")]
pub fn cpus() -> Vec<usize> {
    let mut mask: Mask = [0; _];
    // SAFETY: the mask has the size that the call is given.
    let known = unsafe { libc::sched_getaffinity(0, size_of_val(&mask), (&raw mut mask).cast()) };
    let error = std::io::Error::last_os_error();
    assert_eq!(known, 0, "sched_getaffinity: {error}");
    (0..size_of_val(&mask) * 8)
        .filter(|cpu| mask[cpu / 64] >> (cpu % 64) & 1 != 0)
        .collect()
}

/// Restricts the calling thread to these CPUs. Returns false if the kernel refuses, because none of them
/// is on line. Makes one system call and allocates nothing.
pub fn run_on(cpus: &[usize]) -> bool {
    move_to(0, cpus)
}

/// Restricts a thread of this process to these CPUs. Returns false if the kernel refuses, because the
/// thread has ended or none of the CPUs is on line.
#[cfg(target_os = "linux")]
pub fn move_to(thread: libc::pid_t, cpus: &[usize]) -> bool {
    let mut mask: Mask = [0; _];
    cpus.iter()
        .for_each(|cpu| mask[cpu / 64] |= 1 << (cpu % 64));
    // SAFETY: the mask has the size that the call is given.
    unsafe { libc::sched_setaffinity(thread, size_of_val(&mask), (&raw const mask).cast()) == 0 }
}

/// Returns numbers for as many CPUs as the process may use: this system does not say which they are.
#[cfg(not(target_os = "linux"))]
pub fn cpus() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
}

/// Returns false: this system cannot move threads.
#[cfg(not(target_os = "linux"))]
pub fn move_to(_thread: i32, _cpus: &[usize]) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn threads_run_where_they_were_moved() {
        use super::{cpus, run_on};
        std::thread::spawn(|| {
            let all = cpus();
            let last = all[all.len() - 1];
            assert!(run_on(&[last]));
            assert_eq!(cpus(), [last]);
            assert!(run_on(&all));
            assert_eq!(cpus(), all);
        })
        .join()
        .unwrap();
    }
}
