//! Which of the kernel's two kinds a registration of ours is. From Linux 7.1 on, one of more than 32
//! bytes is of the second: its words are written only when they change, and are the kernel's alone.
//! One of 32 bytes is as ever, and slower.

use std::arch::asm;
use std::time::Duration;

use rseq_ops::{Handle, Owner, abi, process};

use crate::support::again::assert_child_passes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Rewritten at each return from the scheduler.
    Original,
    /// Left alone, or the writer was killed.
    V2,
}

pub(crate) fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register, or the first word of the thread's block, which holds its address.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {}, fs:[0]", out(reg) pointer, options(pure, readonly, nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("mrs {}, tpidr_el0", out(reg) pointer, options(pure, nomem, nostack));
        #[cfg(target_arch = "riscv64")]
        asm!("mv {}, tp", out(reg) pointer, options(pure, nomem, nostack));
    }
    pointer
}

/// Returns how the kernel reacts to a word of its own that somebody else wrote, in a process that may die.
fn kind(handle: Handle) -> Kind {
    const REWRITTEN: i32 = 10;
    let area = thread_pointer().wrapping_add_signed(handle.cs - abi::RSEQ_CS);
    // SAFETY: the child makes system calls and ends.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: `cpu_id_start`, in this thread's area. The set is filled before it is used.
            unsafe {
                let mut here: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(libc::sched_getcpu() as usize, &mut here);
                libc::sched_setaffinity(0, size_of_val(&here), &raw const here);
                let word = std::ptr::with_exposed_provenance_mut::<u32>(area);
                let wrong = word.read_volatile() ^ 1;
                word.write_volatile(wrong);
                for _ in 0..20 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let code = if word.read_volatile() == wrong {
                    0
                } else {
                    REWRITTEN
                };
                libc::_exit(code)
            }
        }
        child => {
            assert!(child > 0, "{}", std::io::Error::last_os_error());
            let mut status = 0;
            // SAFETY: the status is valid for the write.
            while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {}
            let rewritten = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == REWRITTEN;
            println!("the writer's status: {status:#x}");
            if rewritten { Kind::Original } else { Kind::V2 }
        }
    }
}

/// The kernel's version: major and minor.
fn version() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a version");
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let mut next = || {
        numbers
            .next()
            .and_then(|number| number.parse().ok())
            .expect("a number")
    };
    (next(), next())
}

#[test]
fn a_registration_of_ours_is_of_the_newest_kind() {
    assert_child_passes("registration::kinds::child_with_a_registration_of_ours");
}

/// `.ci/guests` runs it for what it prints.
#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_registration_of_ours() {
    let process = process();
    if process.owner != Owner::Own {
        return println!("skipped: the owner is {:?}", process.owner);
    }
    let kind = kind(rseq_ops::current_thread().expect("a registration"));
    println!(
        "feature_size={} registration={kind:?}",
        process.feature_size
    );
    // Some kernels before 7.1 have one kind, which may look like either.
    assert!(kind == Kind::V2 || version() < (7, 1), "{kind:?}");
}
