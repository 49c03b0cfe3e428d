//! The system call.

use crate::abi;
use crate::auxiliary::auxiliary;

/// The size and alignment of an area: more than any kernel asks for yet. Bytes.
pub(super) const ROOM: usize = 192;
pub(super) const ALIGNMENT: usize = 256;

/// Returns the lengths to register with: all bytes that the kernel fills, else the original length.
pub(super) fn lengths() -> [usize; 2] {
    lengths_for(
        auxiliary(abi::AT_RSEQ_FEATURE_SIZE),
        auxiliary(abi::AT_RSEQ_ALIGN),
    )
}

/// From Linux 7.1 on a registration of the original length takes slower ways in the kernel than a
/// longer one, and one of fewer bytes than the kernel fills is refused. A kernel that wants more
/// than an area has room for gets the original.
pub(super) fn lengths_for(size: usize, alignment: usize) -> [usize; 2] {
    let wanted = size.max(64);
    if wanted <= ROOM && alignment <= ALIGNMENT {
        [wanted, abi::ORIGINAL_SIZE]
    } else {
        [abi::ORIGINAL_SIZE; 2]
    }
}

pub(super) fn rseq(area: usize, length: usize, flags: i32) -> Result<(), i32> {
    // SAFETY: `area` is null (a probe that must fail) or a slot's, which is the calling thread's
    // until the registration has ended. errno is put back: signal handlers come here too.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let answer = libc::syscall(libc::SYS_rseq, area, length, flags, abi::SIGNATURE as usize);
        let result = if answer == 0 { Ok(()) } else { Err(*errno) };
        *errno = before;
        result
    }
}

/// Returns whether the kernel registers areas.
pub(super) fn available() -> bool {
    // A call that must fail tells "no such call" and "not allowed" from "wrong arguments".
    !matches!(
        rseq(0, 0, 0),
        Err(libc::ENOSYS | libc::EPERM | libc::EACCES) | Ok(())
    )
}
