//! The threads of a process, and what they are doing.

/// Returns the calling thread's number.
pub fn gettid() -> libc::pid_t {
    // SAFETY: no arguments.
    unsafe { libc::syscall(libc::SYS_gettid) as libc::pid_t }
}

/// Returns a line for each thread of a process (given by number, or `self`): its name, its state and its
/// current system call, as the kernel tells them. For reports of hangs.
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

/// Returns whether the process may do what root may.
pub fn is_root() -> bool {
    // SAFETY: no arguments.
    unsafe { libc::geteuid() == 0 }
}
