//! Refusals that pass decide about nothing but the one call.

use std::panic::catch_unwind;
use std::thread;

use urcu::Domain;
use urcu_host::seccomp::Filter;

use crate::support::fork::{assert_child, fork, use_everything};
use crate::support::{assert_child_passes, skip};

#[test]
fn a_kernel_that_could_not_wipe_memory_once_wipes_it_in_children_later() {
    assert_child_passes("passing::child_without_memory_for_wiping");
}

#[test]
#[ignore = "a child process of the test above, which has not used the library yet"]
fn child_without_memory_for_wiping() {
    static DOMAIN: Domain = Domain::named("passing");
    // A filter is the thread's own; it goes with it.
    let first_use = |errno, begin: fn(), expected| {
        let first_use = move || {
            Filter::new(&[libc::SYS_madvise], errno).install().unwrap();
            let panicked = catch_unwind(begin);
            let message = panicked.expect_err("there was no memory");
            let message = message.downcast_ref::<String>();
            let message = message.map_or("no text", |message| message);
            assert!(message.contains(expected), "{message}");
        };
        thread::spawn(first_use).join().unwrap();
    };
    // The process's state, in which the global domain's is; then that of other domains.
    let [of_all, of_one] = [
        "no memory for the state of RCU",
        "no memory for an RCU domain",
    ];
    first_use(libc::EAGAIN, || drop(urcu::read_lock()), of_all);
    first_use(libc::EINTR, || drop(urcu::read_lock()), of_all);
    first_use(libc::ENOMEM, || drop(urcu::read_lock()), of_all);
    first_use(libc::EAGAIN, || drop(DOMAIN.read_lock()), of_one);
    first_use(libc::ENOMEM, || drop(DOMAIN.read_lock()), of_one);
    use_everything(&DOMAIN);
    // All of it is wiped: neither these sections nor the worker's state are in the child.
    let _sections = (DOMAIN.read_lock(), urcu::read_lock());
    assert_child(fork, || {
        DOMAIN.synchronize();
        urcu::synchronize();
        use_everything(&DOMAIN);
    });
}

#[test]
fn a_kernel_that_cannot_wipe_memory_is_asked_once() {
    assert_child_passes("passing::child_that_cannot_wipe");
}

#[test]
#[ignore = "a child process of the test above, which has not used the library yet"]
fn child_that_cannot_wipe() {
    static DOMAIN: Domain = Domain::named("kept");
    // As Linux before 4.14 answers.
    let first_use = || {
        Filter::new(&[libc::SYS_madvise], libc::EINVAL)
            .install()
            .unwrap();
        // It may be in a signal handler, and so leaves alone what the refusals would change.
        // SAFETY: errno is the calling thread's.
        let errno = unsafe { &mut *libc::__errno_location() };
        *errno = 12_345;
        drop(urcu::read_lock());
        let after_all = *errno;
        drop(DOMAIN.read_lock());
        assert_eq!((after_all, *errno), (12_345, 12_345), "errno was changed");
        use_everything(&DOMAIN);
    };
    thread::spawn(first_use).join().unwrap();
    // Other memory than before would not be found again when the domain is dropped.
    for _ in 0..3 {
        let domain = Domain::new();
        drop(domain.read_lock());
        domain.synchronize();
    }
    use_everything(&DOMAIN);
}

#[test]
fn a_process_that_locks_its_memory_locks_little_at_the_first_use() {
    assert_child_passes("passing::child_that_locks_its_memory");
}

/// The kernel's number for this process. Bytes.
fn locked() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("VmLck").parse::<usize>().expect("a number") << 10
}

#[test]
#[ignore = "a child process of the test above, which has not used the library yet"]
fn child_that_locks_its_memory() {
    // An arena of glibc's for one thread more would count for 64 MiB.
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a parameter of the allocator.
    unsafe {
        const M_ARENA_MAX: libc::c_int = -8;
        libc::mallopt(M_ARENA_MAX, 1);
    }
    // SAFETY: locks what is mapped from now on; a refusal does no harm.
    if unsafe { libc::mlockall(libc::MCL_FUTURE) } != 0 {
        return skip("this process may not lock memory");
    }
    let before = locked();
    drop(urcu::read_lock());
    urcu::synchronize();
    let grown = locked() - before;
    println!("locked at the first use: {grown} bytes");
    // Memory for objects of one size, that of a CPU's counters: 64 KiB for each CPU, and a header. And
    // what this thread allocated meanwhile.
    let cpus = rseq_ops::percpu::possible_cpus();
    let chunk = (cpus + 1) * (64 << 10);
    assert!(grown <= chunk + (64 << 10), "{grown} bytes, {cpus} CPUs");
}
