//! The features that the kernel and libc offer, decoded in one place.

use crate::auxiliary::auxiliary;
use crate::registration::{Owner, process};
use crate::{abi, cpu, membarrier};

/// The features of `rseq(2)` and `membarrier(2)` that this process can use. This is for decisions at start-up and for
/// reports.
///
/// ```
/// let features: rseq_ops::Features = rseq_ops::features();
/// let by = if features.mm_cid { "concurrency id" } else { "CPU number" };
/// println!("slots by {by}; the kernel fills {} bytes", features.size);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// The registrar of the threads.
    pub owner: Owner,
    /// The number of bytes of this process's areas that the kernel fills, or 0 without an owner. The same as
    /// [`Process::feature_size`](crate::Process::feature_size).
    pub size: u32,
    /// The number of bytes that the kernel would fill in a long enough area (`AT_RSEQ_FEATURE_SIZE`), or 0 if it does
    /// not say (before Linux 6.3). It can be more than `size`, because libc's area may have only the original 32 bytes.
    pub kernel_size: u32,
    /// The alignment that the kernel asks for (`AT_RSEQ_ALIGN`), else the original 32, in bytes.
    pub alignment: u32,
    /// True if [`current_cpu`](crate::current_cpu) needs no system call.
    pub cpu_id: bool,
    /// True if [`numa_node`](crate::numa_node) needs no system call (Linux 6.3).
    pub node_id: bool,
    /// True if [`concurrency_id`](crate::concurrency_id) returns an id (Linux 6.3).
    pub mm_cid: bool,
    /// True if the word `slice_ctrl` is in the area (Linux 7.0), at [`abi::SLICE_CONTROL`].
    pub slice_control: bool,
    /// True if the kernel can extend the calling thread's time slices, as its area says
    /// ([`abi::SLICE_EXTENSION_AVAILABLE`]). Never true without `slice_control`, and not always with it: the
    /// kernel may be built without extensions, or have them switched off.
    pub slice_extension: bool,
    /// The commands of `membarrier(2)`.
    pub membarrier: Commands,
}

/// The commands of `membarrier(2)` that the kernel knows, a bit set of [`abi`]'s `MEMBARRIER_*`;
/// empty where the call is missing or denied.
///
/// ```
/// use rseq_ops::{abi, features, features::Commands, membarrier};
///
/// let commands: Commands = features().membarrier;
/// assert_eq!(commands.restart(), membarrier::register().is_ok());
/// assert!(commands.barrier() || !commands.restart());
/// if commands.has(abi::MEMBARRIER_PRIVATE_EXPEDITED) {
///     println!("Linux 4.14 or newer");
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commands(pub i32);

impl Commands {
    /// Returns whether [`membarrier::barrier`] can work (Linux 4.14).
    pub fn barrier(self) -> bool {
        self.has(abi::MEMBARRIER_PRIVATE_EXPEDITED | abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED)
    }

    /// Returns whether [`membarrier::restart`] can work (Linux 5.10).
    pub fn restart(self) -> bool {
        self.has(
            abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ
                | abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ,
        )
    }

    /// Returns whether the kernel knows all these commands.
    pub fn has(self, commands: i32) -> bool {
        self.0 & commands == commands
    }
}

/// Returns the features that this process can use. Async-signal-safe.
///
/// # Cost
/// A system call and some loads.
///
/// ```
/// let features = rseq_ops::features();
/// println!("{features:#?}");
/// assert!(features.mm_cid <= features.cpu_id);
/// assert_eq!(rseq_ops::concurrency_id().is_some(), features.mm_cid);
/// ```
pub fn features() -> Features {
    let process = process();
    let (kernel_size, alignment) = kernel();
    let fills = |size| process.feature_size as usize >= size;
    Features {
        owner: process.owner,
        size: process.feature_size,
        kernel_size,
        alignment,
        cpu_id: fills(abi::ORIGINAL_FEATURE_SIZE),
        node_id: fills(abi::NODE_ID_FEATURE_SIZE),
        mm_cid: fills(abi::MM_CID_FEATURE_SIZE),
        slice_control: fills(abi::SLICE_CONTROL_FEATURE_SIZE),
        slice_extension: cpu::flags() & abi::SLICE_EXTENSION_AVAILABLE != 0,
        membarrier: Commands(membarrier::query().unwrap_or(0)),
    }
}

/// Returns the feature size (0 if there is none) and the alignment from the auxiliary vector.
fn kernel() -> (u32, u32) {
    let (size, alignment) = (
        auxiliary(abi::AT_RSEQ_FEATURE_SIZE),
        auxiliary(abi::AT_RSEQ_ALIGN),
    );
    (size as u32, alignment_of(alignment as u32))
}

/// Returns the alignment of an area, from the word of the auxiliary vector, which is 0 before Linux 6.3.
fn alignment_of(word: u32) -> u32 {
    match word {
        0 => abi::ORIGINAL_ALIGNMENT as u32,
        bytes => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sets() {
        assert!(!Commands(0).barrier());
        // Linux 4.14: without registration for anything, and with the plain one.
        assert!(!Commands(1 << 3).barrier());
        assert!(Commands(0x1f).barrier());
        assert!(!Commands(0x7f).restart());
        assert!(Commands(0x1ff).restart()); // Linux 5.10
        assert!(Commands(0x3ff).restart()); // Linux 6.12
    }

    #[test]
    fn a_kernel_that_asks_for_no_alignment_wants_the_original_one() {
        assert_eq!([0, 32, 64, 256].map(alignment_of), [32, 32, 64, 256]);
    }

    /// By the file, and by the numbers of `linux/auxvec.h`.
    #[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]
    #[test]
    fn size_and_alignment_are_those_of_the_auxiliary_vector() {
        let vector = std::fs::read("/proc/self/auxv").unwrap();
        let (words, _) = vector.as_chunks::<8>();
        let (pairs, _) = words.as_chunks::<2>();
        let tagged = |tag: u64| {
            let found = pairs.iter().find(|pair| u64::from_ne_bytes(pair[0]) == tag);
            found.map_or(0, |pair| u64::from_ne_bytes(pair[1]) as u32)
        };
        let features = features();
        assert_eq!(features.kernel_size, tagged(27));
        assert_eq!(features.alignment, alignment_of(tagged(28)));
    }

    #[test]
    fn features_agree_with_the_registration() {
        let features = features();
        assert_eq!(features.owner == Owner::Nobody, features.size == 0);
        assert_eq!(features.cpu_id, features.owner != Owner::Nobody);
        assert!(features.alignment.is_power_of_two());
        assert!(!features.slice_extension || features.slice_control);
        assert_eq!(
            features.membarrier.restart(),
            membarrier::register().is_ok()
        );
    }
}
