//! The kernel's words: offsets instead of a `struct`, because the area grows (Linux 7.0: 33 bytes).
//!
//! Source: `include/uapi/linux/rseq.h`, `include/uapi/linux/membarrier.h`.
//!
//! This example reads by hand the words that [`crate::registration`] and [`mod@crate::features`] read:
//! ```
//! # #[cfg(all(target_os = "linux", not(miri)))]
//! # fn by_hand() {
//! use rseq_ops::abi;
//!
//! // SAFETY: reads the auxiliary vector.
//! let filled = unsafe { libc::getauxval(abi::AT_RSEQ_FEATURE_SIZE) } as usize;
//! for (word, offset, since) in [
//!     ("cpu_id", abi::CPU_ID, abi::ORIGINAL_FEATURE_SIZE),
//!     ("rseq_cs", abi::RSEQ_CS, abi::ORIGINAL_FEATURE_SIZE),
//!     ("flags", abi::FLAGS, abi::ORIGINAL_FEATURE_SIZE),
//!     ("node_id", abi::NODE_ID, abi::NODE_ID_FEATURE_SIZE),
//!     ("mm_cid", abi::MM_CID, abi::MM_CID_FEATURE_SIZE),
//!     ("slice_ctrl", abi::SLICE_CONTROL, abi::SLICE_CONTROL_FEATURE_SIZE),
//! ] {
//!     let there = filled.max(abi::ORIGINAL_FEATURE_SIZE) >= since;
//!     println!("{word} at {offset}: {there}");
//! }
//!
//! /// Aligned as `AT_RSEQ_ALIGN` may ask: at least as `ORIGINAL_ALIGNMENT`.
//! #[repr(align(64))]
//! struct Area([u32; 16]);
//! let mut area = Area([0; 16]);
//! area.0[abi::CPU_ID as usize / 4] = abi::CPU_ID_UNINITIALIZED as u32;
//! let mut rseq = |flags: i32| {
//!     let (size, signature) = (abi::ORIGINAL_SIZE, abi::SIGNATURE);
//!     // SAFETY: the area outlives the registration, which ends below.
//!     unsafe { libc::syscall(libc::SYS_rseq, &raw mut area, size, flags, signature) }
//! };
//! // Refused where somebody, libc usually, has registered this thread.
//! if rseq(0) == 0 {
//!     assert_eq!(rseq(abi::FLAG_UNREGISTER), 0);
//! } else {
//!     area.0[abi::CPU_ID as usize / 4] = abi::CPU_ID_REGISTRATION_FAILED as u32;
//! }
//! let flags = area.0[abi::FLAGS as usize / 4];
//! for (what, bit) in [
//!     ("available", abi::SLICE_EXTENSION_AVAILABLE),
//!     ("enabled", abi::SLICE_EXTENSION_ENABLED),
//! ] {
//!     println!("longer time slices {what}: {}", flags & bit != 0);
//! }
//! let signatures = [abi::SIGNATURE_X86, abi::SIGNATURE_AARCH64, abi::SIGNATURE_RISCV];
//! assert!(signatures.contains(&abi::SIGNATURE));
//!
//! // SAFETY: takes three integers.
//! let known = unsafe { libc::syscall(libc::SYS_membarrier, abi::MEMBARRIER_QUERY, 0, 0) };
//! for (name, command, registration) in [
//!     (
//!         "a barrier",
//!         abi::MEMBARRIER_PRIVATE_EXPEDITED,
//!         abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED,
//!     ),
//!     (
//!         "a restart",
//!         abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ,
//!         abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ,
//!     ),
//! ] {
//!     println!("{name}: {}", known.max(0) as i32 & (command | registration) == command | registration);
//! }
//! # }
//! # #[cfg(all(target_os = "linux", not(miri)))]
//! # by_hand();
//! ```

/// Offset of `cpu_id`: the CPU, or one of the `CPU_ID_*` values below. Bytes.
pub const CPU_ID: isize = 4;
/// Offset of the pointer to the descriptor of the sequence that is armed. Bytes.
pub const RSEQ_CS: isize = 8;
/// Offset of `flags`, whose bits 4 and 5 the kernel writes (`SLICE_EXTENSION_*`). Bytes.
pub const FLAGS: isize = 16;
/// Offset of `node_id`, the NUMA node (Linux 6.3). Bytes.
pub const NODE_ID: isize = 20;
/// Offset of `mm_cid`, the concurrency id (Linux 6.3). Bytes.
pub const MM_CID: isize = 24;
/// Offset of `slice_ctrl`, the request for a longer time slice (Linux 7.0): a byte `request` that
/// the thread sets, a byte `granted` that the kernel sets, and two reserved ones. Bytes.
pub const SLICE_CONTROL: isize = 28;

/// Size of the area that every kernel with rseq accepts. Bytes.
pub const ORIGINAL_SIZE: usize = 32;
/// The number of bytes of the original area that are in use if the kernel does not say.
pub const ORIGINAL_FEATURE_SIZE: usize = 20;
/// Feature size from which `node_id` exists. Bytes.
pub const NODE_ID_FEATURE_SIZE: usize = 24;
/// Feature size from which `mm_cid` exists. Bytes.
pub const MM_CID_FEATURE_SIZE: usize = 28;
/// Feature size from which `slice_ctrl` exists. Bytes.
pub const SLICE_CONTROL_FEATURE_SIZE: usize = 32;
/// Alignment that is required if the kernel does not say. Bytes.
pub const ORIGINAL_ALIGNMENT: usize = 32;

/// Bit of `flags`: the kernel can extend this thread's time slices (Linux 7.0).
pub const SLICE_EXTENSION_AVAILABLE: u32 = 1 << 4;
/// Bit of `flags`: this thread has switched time slice extensions on, with `prctl`.
pub const SLICE_EXTENSION_ENABLED: u32 = 1 << 5;

/// `cpu_id` of a thread that is not registered.
pub const CPU_ID_UNINITIALIZED: i32 = -1;
/// `cpu_id` of a thread whose registration was refused (a convention of early adopters).
pub const CPU_ID_REGISTRATION_FAILED: i32 = -2;

/// Auxiliary vector entry: bytes of the area that the kernel uses.
pub const AT_RSEQ_FEATURE_SIZE: u64 = 27;
/// Auxiliary vector entry: alignment that the kernel asks for. Bytes.
pub const AT_RSEQ_ALIGN: u64 = 28;

/// `rseq(2)` flag: end the registration.
pub const FLAG_UNREGISTER: i32 = 1;

/// The four bytes before every abort handler on x86-64: the operand of an `ud1`.
pub const SIGNATURE_X86: u32 = 0x5305_3053;
/// The four bytes before every abort handler on AArch64: a `brk`.
pub const SIGNATURE_AARCH64: u32 = 0xd428_bc00;
/// The four bytes before every abort handler on RISC-V: a `csrw` that is never allowed.
pub const SIGNATURE_RISCV: u32 = 0xf140_1073;
/// The four bytes before every abort handler of this processor: the same as libc's and
/// librseq's, because one registration serves all of a thread's sequences.
pub const SIGNATURE: u32 = if cfg!(target_arch = "aarch64") {
    SIGNATURE_AARCH64
} else if cfg!(any(target_arch = "riscv64", target_arch = "riscv32")) {
    SIGNATURE_RISCV
} else {
    SIGNATURE_X86
};

/// `membarrier(2)`: asks which commands there are.
pub const MEMBARRIER_QUERY: i32 = 0;
/// `membarrier(2)`: a full barrier on every CPU that runs this process (Linux 4.14).
pub const MEMBARRIER_PRIVATE_EXPEDITED: i32 = 1 << 3;
/// `membarrier(2)`: registration for the command above.
pub const MEMBARRIER_REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;
/// `membarrier(2)`: a full barrier on every CPU that runs this process, which also restarts every sequence
/// in flight (Linux 5.10).
pub const MEMBARRIER_PRIVATE_EXPEDITED_RSEQ: i32 = 1 << 7;
/// `membarrier(2)`: registration for the command above.
pub const MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ: i32 = 1 << 8;
