//! The system call.

use crate::abi;
use crate::auxiliary::auxiliary;

/// The size and alignment of an area, in bytes: more than any kernel asks for yet.
pub(super) const ROOM: usize = 192;
pub(super) const ALIGNMENT: usize = 256;

/// Returns the lengths to try to register with: all bytes that the kernel fills, then the original length.
pub(super) fn lengths() -> [usize; 2] {
    lengths_for(
        auxiliary(abi::AT_RSEQ_FEATURE_SIZE),
        auxiliary(abi::AT_RSEQ_ALIGN),
    )
}

/// From Linux 7.1 on, the kernel handles a registration of the original length more slowly than a longer one,
/// and refuses a longer one that is shorter than what it fills. If the kernel wants more than an area has room
/// for, only the original length is left.
pub(super) fn lengths_for(size: usize, alignment: usize) -> [usize; 2] {
    let wanted = size.max(64);
    if wanted <= ROOM && alignment <= ALIGNMENT {
        [wanted, abi::ORIGINAL_SIZE]
    } else {
        [abi::ORIGINAL_SIZE; 2]
    }
}

pub(super) fn rseq(area: usize, length: usize, flags: i32) -> Result<(), i32> {
    // SAFETY: `area` is null (a probe that must fail), or the area of a slot that is the calling thread's
    // until the registration has ended. errno is restored, because this also runs in signal handlers.
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
    // This call must fail. Its error tells "no such call" and "not allowed" from "wrong arguments".
    !matches!(
        rseq(0, 0, 0),
        Err(libc::ENOSYS | libc::EPERM | libc::EACCES) | Ok(())
    )
}
