//! The CPU and the NUMA node of the calling thread, read from its rseq area: two loads and a test of the sign instead
//! of a call.
//!
//! Every answer may be out of date when it arrives, because the thread can be moved at any instruction. It is a good
//! guess, for example of which stripe or which node's memory to use. Where the answer must hold, use one of the
//! sequences of [`crate::ops`], which compare the index themselves.
//!
//! All of these functions register the thread where libc does not ([`crate::registration`]). They take no
//! lock, allocate nothing, leave errno alone, and are async-signal-safe.

use crate::{abi, arch, registration};

/// Returns the CPU that the calling thread runs on, less than [`crate::percpu::possible_cpus`] (on Linux).
///
/// Without a registration, asks `sched_getcpu`, or else the `getcpu` system call. Returns 0 if there is neither (on
/// another system, under Miri).
///
/// ```
/// let cpu = rseq_ops::current_cpu() as usize;
/// assert!(cpu < rseq_ops::percpu::possible_cpus());
/// ```
#[inline]
pub fn current_cpu() -> u32 {
    match registered() {
        Some((_, cpu)) => cpu,
        None => fallback::current_cpu(),
    }
}

/// Returns the calling thread's concurrency id (`mm_cid`): a small number that no other *running* thread
/// of this process has, dense from 0, so that few threads on a large machine use few slots.
///
/// `None` before Linux 6.3 and without a registration. No system call tells the id. Where it is missing,
/// use [`current_cpu`], whose numbers have the same upper bound. Never mix the two in one structure, and
/// never pass a concurrency id to a call that wants a CPU.
///
/// ```
/// let index = rseq_ops::concurrency_id().unwrap_or_else(rseq_ops::current_cpu) as usize;
/// assert!(index < rseq_ops::percpu::possible_cpus());
/// ```
#[inline]
pub fn concurrency_id() -> Option<u32> {
    field(abi::MM_CID, abi::MM_CID_FEATURE_SIZE)
}

/// Returns whether this processor is known to rename memory: to pass a value that was just stored in a word to the next
/// instruction that adds to that word, at no cost.
///
/// On such a processor [`crate::ops::increment_through`] is the faster way to count; on others
/// [`crate::ops::add_through`] is, which guesses what is in the word. True for AMD's families from 19h on
/// (Zen 3). False for Intel's processors: an Ice Lake was measured, and does not rename memory. True on architectures
/// for which both operations are the same.
///
/// # Cost
/// A load; the first call in a process executes the `cpuid` instruction. Async-signal-safe.
///
/// ```
/// let way = if rseq_ops::cpu::renames_memory() { "increments" } else { "guesses" };
/// println!("counted by {way}");
/// ```
#[inline]
pub fn renames_memory() -> bool {
    #[cfg(all(sequences, target_arch = "x86_64"))]
    {
        vendor::renames_memory()
    }
    #[cfg(not(all(sequences, target_arch = "x86_64")))]
    {
        true
    }
}

#[cfg(all(sequences, target_arch = "x86_64"))]
mod vendor {
    use core::arch::x86_64::{__cpuid, CpuidResult};
    use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

    pub(super) fn renames_memory() -> bool {
        /// 0 until somebody has asked, then 1 for no and 2 for yes. Relaxed: nothing else is published with
        /// this word.
        static KNOWN: AtomicU8 = AtomicU8::new(0);
        match KNOWN.load(Relaxed) {
            0 => {
                let renames = is_amd() && family() >= 0x19;
                KNOWN.store(1 + u8::from(renames), Relaxed);
                renames
            }
            known => known == 2,
        }
    }

    /// Returns the processor's own description of itself.
    #[allow(unused_unsafe)] // Safe from Rust 1.94 on.
    fn cpuid(leaf: u32) -> CpuidResult {
        // SAFETY: all processors of this architecture have the instruction.
        unsafe { __cpuid(leaf) }
    }

    fn is_amd() -> bool {
        let leaf = cpuid(0);
        let name = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes);
        name.as_flattened() == b"AuthenticAMD"
    }

    fn family() -> u32 {
        let version = cpuid(1).eax;
        match version >> 8 & 0xF {
            0xF => 0xF + (version >> 20 & 0xFF),
            family => family,
        }
    }
}

/// Returns the NUMA node of the CPU that the calling thread runs on.
///
/// Before Linux 6.3 and without a registration, asks the `getcpu` system call. Returns `None` if there is no such call.
///
/// ```
/// match rseq_ops::numa_node() {
///     Some(node) => println!("on node {node}"),
///     None => println!("nobody knows"),
/// }
/// ```
#[inline]
pub fn numa_node() -> Option<u32> {
    field(abi::NODE_ID, abi::NODE_ID_FEATURE_SIZE).or_else(fallback::numa_node)
}

/// Returns the `cpu_id` word of the calling thread, with the meaning that the kernel and the early adopters of rseq
/// give it. It is the CPU, or [`abi::CPU_ID_UNINITIALIZED`] (-1: the thread is not registered, or no longer), or
/// [`abi::CPU_ID_REGISTRATION_FAILED`] (-2: the registration was refused, or nobody registers in this process).
///
/// ```
/// use rseq_ops::{Owner, abi, cpu, process};
///
/// if process().owner == Owner::Nobody {
///     assert_eq!(cpu::cpu_id(), abi::CPU_ID_REGISTRATION_FAILED);
/// }
/// ```
pub fn cpu_id() -> i32 {
    if let Some((_, cpu)) = registered() {
        return cpu as i32;
    }
    registration::cpu_id_unregistered()
}

/// Returns the calling thread's area and CPU, if it is registered.
#[inline]
fn registered() -> Option<(isize, u32)> {
    look().or_else(registration::registered)
}

/// Returns the area and the CPU in the usual case: libc registers threads, and this is not the process's first call.
#[inline]
fn look() -> Option<(isize, u32)> {
    let area = registration::area()?;
    // SAFETY: every thread has an area there, registered or not.
    let cpu = unsafe { arch::thread_word(area + abi::CPU_ID) };
    // Negative: not registered.
    ((cpu as i32) >= 0).then_some((area, cpu))
}

/// Returns the word at `offset` of the calling thread's area, if the kernel fills `size` bytes of it.
#[inline]
fn field(offset: isize, size: usize) -> Option<u32> {
    let (area, _) = registered()?;
    if registration::feature_size() < size {
        return None;
    }
    // SAFETY: the thread is registered, and the kernel fills this word.
    Some(unsafe { arch::thread_word(area + offset) })
}

/// Returns `flags` of the calling thread's area, or 0 without a registration.
pub(crate) fn flags() -> u32 {
    field(abi::FLAGS, abi::SLICE_CONTROL_FEATURE_SIZE).unwrap_or(0)
}

#[cfg(all(target_os = "linux", not(miri)))]
mod fallback {
    use core::ptr;

    #[cold]
    pub(super) fn current_cpu() -> u32 {
        // SAFETY: takes no arguments and touches only errno, which is restored, because this also runs in
        // signal handlers.
        let cpu = unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let cpu = libc::sched_getcpu();
            *errno = before;
            cpu
        };
        u32::try_from(cpu)
            .ok()
            .or_else(|| getcpu().map(|(cpu, _)| cpu))
            .unwrap_or(0)
    }

    #[cold]
    pub(super) fn numa_node() -> Option<u32> {
        getcpu().map(|(_, node)| node)
    }

    fn getcpu() -> Option<(u32, u32)> {
        let (mut cpu, mut node) = (0u32, 0u32);
        // SAFETY: both pointers are valid for writes. errno is restored.
        let answer = unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let answer = libc::syscall(
                libc::SYS_getcpu,
                &raw mut cpu,
                &raw mut node,
                ptr::null_mut::<u8>(),
            );
            *errno = before;
            answer
        };
        (answer == 0).then_some((cpu, node))
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn the_fallbacks_answer_by_themselves() {
            let cpus = crate::percpu::possible_cpus();
            assert!((super::current_cpu() as usize) < cpus);
            assert!((super::getcpu().unwrap().0 as usize) < cpus);
            assert_eq!(super::numa_node().is_some(), super::getcpu().is_some());
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod fallback {
    pub(super) fn current_cpu() -> u32 {
        0
    }

    pub(super) fn numa_node() -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::{Owner, process};

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_pinned_thread_knows_its_cpu_and_node() {
        for cpu in 0..crate::percpu::possible_cpus().min(1024) {
            // SAFETY: a set of CPUs is plain memory; the call reads it.
            let pinned = unsafe {
                let mut set: libc::cpu_set_t = core::mem::zeroed();
                libc::CPU_SET(cpu, &mut set);
                libc::sched_setaffinity(0, size_of_val(&set), &raw const set) == 0
            };
            if !pinned {
                continue; // Not on line, or not allowed.
            }
            assert_eq!(current_cpu() as usize, cpu);
            assert_eq!(fallback::current_cpu() as usize, cpu);
            assert_eq!(numa_node(), fallback::numa_node());
        }
    }

    #[test]
    fn the_cpu_id_word_follows_the_convention() {
        match process().owner {
            Owner::Nobody => assert_eq!(cpu_id(), abi::CPU_ID_REGISTRATION_FAILED),
            _ => assert!((cpu_id() as usize) < crate::percpu::possible_cpus()),
        }
    }

    #[test]
    fn the_concurrency_id_is_there_from_its_feature_size_on() {
        let size = process().feature_size as usize;
        assert_eq!(concurrency_id().is_some(), size >= abi::MM_CID_FEATURE_SIZE);
        if let Some(id) = concurrency_id() {
            assert!((id as usize) < crate::percpu::possible_cpus());
        }
    }
}
