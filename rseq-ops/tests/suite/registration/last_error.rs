//! Signal handlers call what this crate has, so nothing of it changes the interrupted code's `errno`,
//! least of all where the kernel refuses something; and what was opened is closed.
//!
//! What is asked once in a process is asked in one of its own: each test runs this program again.

use std::mem::forget;
use std::sync::atomic::AtomicU64;
use std::thread;

use urcu_host::seccomp::Filter;

use crate::support::again::{inside, run_again, run_again_with};
use rseq_ops::percpu::{AllocError, Allocator, Area, Fork, PerCpu, possible_cpus};
use rseq_ops::{Owner, cpu, current_thread, membarrier, process};

/// Not an error of any system.
const MARK: i32 = 12_345;

/// Makes the call, after which `errno` must be what it was.
fn keeps<T>(what: &str, call: impl FnOnce() -> T) -> T {
    // SAFETY: errno is the calling thread's.
    let errno = unsafe { &mut *libc::__errno_location() };
    *errno = MARK;
    let answer = call();
    let after = *errno;
    assert_eq!(after, MARK, "{what} changed errno");
    answer
}

/// Runs `body` in a thread in which these system calls fail.
fn where_refused(calls: &[libc::c_long], errno: i32, body: impl FnOnce() + Send) {
    let refused = || {
        Filter::new(calls, errno).install().unwrap();
        body();
    };
    thread::scope(|scope| scope.spawn(refused).join().unwrap());
}

/// System calls that open and look for files.
const FILES: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    libc::SYS_sched_getaffinity,
];

#[test]
fn to_ask_for_the_cpus_where_no_file_can_be_read_changes_no_errno() {
    const NAME: &str = concat!(
        module_path!(),
        "::to_ask_for_the_cpus_where_no_file_can_be_read_changes_no_errno"
    );
    if !inside(NAME) {
        return run_again(NAME, || Ok(()));
    }
    where_refused(FILES, libc::EACCES, || {
        keeps("possible_cpus", possible_cpus);
    });
}

#[test]
fn to_ask_for_the_cpus_leaves_nothing_open() {
    const NAME: &str = concat!(module_path!(), "::to_ask_for_the_cpus_leaves_nothing_open");
    if !inside(NAME) {
        return run_again(NAME, || Ok(()));
    }
    // The lowest that is free: a descriptor that was left open takes it.
    let lowest = || {
        // SAFETY: makes a copy of a descriptor, which is closed again.
        unsafe {
            let copy = libc::dup(0);
            libc::close(copy);
            copy
        }
    };
    let before = lowest();
    assert!(before > 0, "there is no standard input");
    keeps("possible_cpus", possible_cpus);
    assert_eq!(lowest(), before, "a descriptor was left open");
}

/// System calls that map memory.
const MAPPINGS: &[libc::c_long] = &[
    libc::SYS_mmap,
    #[cfg(target_pointer_width = "32")]
    libc::SYS_mmap2,
];

#[test]
fn memory_that_is_refused_changes_no_errno() {
    where_refused(MAPPINGS, libc::ENOMEM, || {
        let area = keeps("an area", || Area::new(0, 4096).map(forget));
        assert!(matches!(area, Err(AllocError::Memory(_))));
    });
    for errno in [libc::EINVAL, libc::EAGAIN] {
        where_refused(&[libc::SYS_madvise], errno, || {
            let area = keeps("an area", || Area::new(4096, 4096).unwrap());
            let wiped = keeps("to have it wiped", || area.wipe_on_fork());
            assert!(wiped.is_err());
            let memory = Allocator::new(Fork::Wipe);
            let object = keeps("an object", || {
                PerCpu::<AtomicU64>::zeroed(&memory).map(forget)
            });
            assert!(object.is_err());
        });
    }
}

#[test]
fn barriers_that_are_refused_change_no_errno() {
    // Those that pass are waited for, which may be interrupted.
    const CALLS: &[libc::c_long] = &[
        libc::SYS_membarrier,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
    ];
    for errno in [libc::ENOSYS, libc::EPERM, libc::ENOMEM, libc::EINTR] {
        where_refused(CALLS, errno, || {
            let refused = Err(membarrier::MembarrierError(errno));
            assert_eq!(keeps("query", membarrier::query).map(drop), refused);
            assert_eq!(keeps("register", membarrier::register), refused);
            assert_eq!(keeps("barrier", membarrier::barrier), refused);
            assert_eq!(keeps("restart", membarrier::restart), refused);
            keeps("features", rseq_ops::features);
        });
    }
}

#[test]
fn registrations_that_are_refused_change_no_errno() {
    const NAME: &str = concat!(
        module_path!(),
        "::registrations_that_are_refused_change_no_errno"
    );
    if !inside(NAME) {
        let off = [("GLIBC_TUNABLES", "glibc.pthread.rseq=0")];
        return run_again_with(&off, NAME, || Ok(()));
    }
    keeps("process", process);
    if process().owner != Owner::Own {
        return println!("no registration of our own here");
    }
    // No area yet, and none to be had.
    where_refused(MAPPINGS, libc::ENOMEM, || {
        assert_eq!(keeps("a thread without an area", current_thread), None);
    });
    where_refused(&[libc::SYS_rseq], libc::EBUSY, || {
        assert_eq!(keeps("a refused thread", current_thread), None);
    });
    // A refusal for one thread says nothing about another.
    thread::spawn(|| assert!(keeps("a registered thread", current_thread).is_some()))
        .join()
        .unwrap();
}

#[test]
fn where_nobody_registers_to_ask_for_the_cpu_changes_no_errno() {
    const NAME: &str = concat!(
        module_path!(),
        "::where_nobody_registers_to_ask_for_the_cpu_changes_no_errno"
    );
    if inside(NAME) {
        assert_eq!(keeps("process", process).owner, Owner::Nobody);
        keeps("current_cpu", cpu::current_cpu);
        assert_eq!(keeps("numa_node", cpu::numa_node), None);
        return;
    }
    let filter = Filter::new(&[libc::SYS_rseq, libc::SYS_getcpu], libc::ENOSYS);
    run_again(NAME, move || filter.install());
}
