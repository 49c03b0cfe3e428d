//! A stretch of memory for each possible CPU.

use core::fmt;
use core::ptr::NonNull;

use crate::possible_cpus::possible_cpus;

/// The reason why an [`Area`] could not be reserved, or an object could not be allocated.
///
/// ```
/// use rseq_ops::percpu::{Area, AllocError};
///
/// let error = Area::new(0, 100).unwrap_err();
/// assert_eq!(error, AllocError::Stride(100));
/// assert_eq!(error.to_string(), "a stride of 100 bytes: it must be a power of two, at least 8");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocError {
    /// The stride is not a power of two of at least 8 bytes. Holds the stride that was asked for.
    Stride(usize),
    /// The system has no memory to map. Holds the number of bytes that were asked for.
    Memory(usize),
    /// No chunk can hold the object. Holds its size or alignment and the largest possible one, in bytes.
    Object {
        /// The size or alignment that was asked for, in bytes.
        asked: usize,
        /// The largest possible one, in bytes.
        most: usize,
    },
    /// The allocator's own limit is reached. Holds the limit, in bytes for each CPU.
    Limit(usize),
    /// The objects need initialisation, but a fork wipes the allocator's memory.
    Wiped,
    /// The kernel cannot wipe memory at a fork (before Linux 4.14). Holds the number of bytes.
    CannotWipe(usize),
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllocError::Stride(stride) => {
                write!(
                    f,
                    "a stride of {stride} bytes: it must be a power of two, at least 8"
                )
            }
            AllocError::Memory(size) => write!(f, "the system refused to map {size} bytes"),
            AllocError::Object { asked, most } => write!(
                f,
                "an object with a size or alignment of {asked} bytes: {most} is the most"
            ),
            AllocError::Limit(limit) => {
                write!(f, "the limit of {limit} bytes for each CPU is reached")
            }
            AllocError::Wiped => write!(
                f,
                "memory that a fork wipes holds only objects for which zeroes are valid"
            ),
            AllocError::CannotWipe(size) => {
                write!(f, "the kernel refused to wipe {size} bytes at a fork")
            }
        }
    }
}

impl core::error::Error for AllocError {}

/// Zeroed memory in equal strides, one for each possible CPU, after a header.
///
/// The memory is reserved as a whole, and never moves. The kernel provides a page only once a CPU writes to
/// it: other pages cost nothing. Huge pages are switched off, because the first write would allocate all of
/// one. Creating an area takes no lock and uses no heap, so it is async-signal-safe.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use rseq_ops::percpu::{Area, possible_cpus};
///
/// let area = Area::new(8, 128).unwrap();
/// assert_eq!((area.cpus(), area.stride()), (possible_cpus(), 128));
/// // The header takes as many strides as it needs: one.
/// assert_eq!(area.base().addr().get() - area.header().addr().get(), 128);
/// for cpu in 0..area.cpus() {
///     // SAFETY: within the area, aligned, and atomic for all.
///     let word: &AtomicU64 = unsafe { area.base().add(cpu * area.stride()).cast().as_ref() };
///     assert_eq!(word.fetch_add(1, Ordering::Relaxed), 0);
/// }
/// ```
#[derive(Debug)]
pub struct Area {
    base: NonNull<u8>,
    header: usize,
    stride: usize,
    cpus: usize,
}

// SAFETY: the area owns its memory and gives out nothing but addresses.
unsafe impl Send for Area {}
// SAFETY: the area owns its memory and gives out nothing but addresses.
unsafe impl Sync for Area {}

impl Area {
    /// Reserves a header of at least `header` bytes (rounded up to the stride) and `stride` bytes
    /// for each of the possible CPUs.
    ///
    /// # Errors
    /// [`AllocError::Stride`] for a stride that is not a power of two of at least 8 bytes.
    /// [`AllocError::Memory`] if the system has no memory.
    pub fn new(header: usize, stride: usize) -> Result<Self, AllocError> {
        if !stride.is_power_of_two() || stride < 8 {
            return Err(AllocError::Stride(stride));
        }
        let cpus = possible_cpus();
        let too_much = AllocError::Memory(usize::MAX);
        let header = header.checked_next_multiple_of(stride).ok_or(too_much)?;
        let size = cpus.checked_mul(stride).ok_or(too_much)?;
        let size = size.checked_add(header).ok_or(too_much)?;
        let base = memory::map(size).ok_or(AllocError::Memory(size))?;
        Ok(Area {
            base,
            header,
            stride,
            cpus,
        })
    }

    /// Returns the start of the header. It is aligned to a page, or to 4096 bytes where there are no pages.
    pub fn header(&self) -> NonNull<u8> {
        self.base
    }

    /// Returns the start of the memory of index 0, aligned to the stride (up to a page).
    pub fn base(&self) -> NonNull<u8> {
        // SAFETY: the header is part of the mapping.
        unsafe { self.base.add(self.header) }
    }

    /// Returns the stride: the distance from one index to the next, in bytes.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Returns the number of indexes, which is that of the possible CPUs.
    pub fn cpus(&self) -> usize {
        self.cpus
    }

    /// Makes the memory behind the header zero again in every forked child, whoever forks.
    ///
    /// # Errors
    /// [`AllocError::CannotWipe`] before Linux 4.14, or where the header does not fill whole pages;
    /// [`AllocError::Memory`] if the kernel has no memory for this at the moment.
    ///
    /// ```
    /// use rseq_ops::percpu::{Area, AllocError};
    ///
    /// match Area::new(4096, 4096).unwrap().wipe_on_fork() {
    ///     Ok(()) => println!("a child finds zeroes"),
    ///     Err(AllocError::CannotWipe(bytes)) => println!("a child finds a copy of {bytes} bytes"),
    ///     Err(error) => unreachable!("{error}"),
    /// }
    /// ```
    pub fn wipe_on_fork(&self) -> Result<(), AllocError> {
        let size = self.cpus * self.stride;
        match memory::wipe_on_fork(self.base(), size) {
            Advised::Done => Ok(()),
            Advised::Never => Err(AllocError::CannotWipe(size)),
            Advised::NotNow => Err(AllocError::Memory(size)),
        }
    }

    /// Gives up ownership of the memory, and returns its header. A later owner takes it over by
    /// [`Area::from_header`].
    ///
    /// ```
    /// use rseq_ops::percpu::Area;
    ///
    /// let area = Area::new(64, 128).unwrap();
    /// let base = area.base();
    /// let header = area.into_header(); // One word, which can be kept in an atomic.
    /// // SAFETY: the header is that of an area of the same sizes, and is used once.
    /// let area = unsafe { Area::from_header(header, 64, 128) };
    /// assert_eq!(area.base(), base);
    /// ```
    pub fn into_header(self) -> NonNull<u8> {
        core::mem::ManuallyDrop::new(self).base
    }

    /// Takes over the area whose header [`Area::into_header`] returned.
    ///
    /// # Safety
    /// `header` comes from an area of the same `header_size` and `stride`, and is used once.
    pub unsafe fn from_header(header: NonNull<u8>, header_size: usize, stride: usize) -> Self {
        let header_size = header_size.next_multiple_of(stride);
        Area {
            base: header,
            header: header_size,
            stride,
            cpus: possible_cpus(),
        }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping is this area's, of this size, and nobody may use it any more.
        unsafe { memory::unmap(self.base, self.header + self.cpus * self.stride) };
    }
}

/// The outcome of a request to the kernel.
#[cfg_attr(not(all(target_os = "linux", not(miri))), allow(dead_code))]
enum Advised {
    Done,
    /// The kernel cannot do it, and never will.
    Never,
    /// The kernel could not do it this time.
    NotNow,
}

#[cfg(all(target_os = "linux", not(miri)))]
mod memory {
    use core::ptr::{self, NonNull};

    use super::Advised;

    pub(super) fn map(size: usize) -> Option<NonNull<u8>> {
        // SAFETY: a new private mapping at an address that the kernel chooses. Advice about it may fail
        // without harm. errno is restored, because this also runs in signal handlers.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let base = libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            );
            let mapped = base != libc::MAP_FAILED;
            if mapped {
                libc::madvise(base, size, libc::MADV_NOHUGEPAGE);
            }
            *errno = before;
            if mapped {
                NonNull::new(base.cast())
            } else {
                None
            }
        }
    }

    pub(super) fn wipe_on_fork(base: NonNull<u8>, size: usize) -> Advised {
        // SAFETY: advice about a mapping of ours, which the kernel checks. errno is put back.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let done = libc::madvise(base.as_ptr().cast(), size, libc::MADV_WIPEONFORK) == 0;
            let advised = match *errno {
                _ if done => Advised::Done,
                // The kernel splits its record of the mapping in two for this.
                libc::EAGAIN | libc::ENOMEM | libc::EINTR => Advised::NotNow,
                _ => Advised::Never,
            };
            *errno = before;
            advised
        }
    }

    /// # Safety
    /// A mapping of [`map`], which nobody uses any more.
    pub(super) unsafe fn unmap(base: NonNull<u8>, size: usize) {
        // SAFETY: the caller promises a whole mapping of `map` that nobody uses any more.
        unsafe { libc::munmap(base.as_ptr().cast(), size) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod memory {
    extern crate alloc;

    use alloc::alloc::{Layout, alloc_zeroed, dealloc};
    use core::ptr::NonNull;

    use super::Advised;

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size.max(1), 4096).ok()
    }

    pub(super) fn map(size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the layout's size is not 0.
        NonNull::new(unsafe { alloc_zeroed(layout(size)?) })
    }

    pub(super) fn wipe_on_fork(_: NonNull<u8>, _: usize) -> Advised {
        Advised::Never
    }

    /// # Safety
    /// Memory of [`map`], of this size, which nobody uses any more.
    pub(super) unsafe fn unmap(base: NonNull<u8>, size: usize) {
        if let Some(layout) = layout(size) {
            // SAFETY: the caller promises memory of `map`, which had this layout, and that nobody uses it.
            unsafe { dealloc(base.as_ptr(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_strides_are_refused_with_the_number() {
        for stride in [0, 1, 4, 24, 100] {
            assert_eq!(
                Area::new(0, stride).unwrap_err(),
                AllocError::Stride(stride)
            );
        }
    }

    #[test]
    fn what_no_memory_can_hold_is_refused() {
        for (header, stride) in [
            (usize::MAX, 4096),
            (usize::MAX & !7, 8),
            (8, 1 << (usize::BITS - 1)),
        ] {
            assert_eq!(
                Area::new(header, stride).unwrap_err(),
                AllocError::Memory(usize::MAX)
            );
        }
    }

    #[test]
    fn an_area_is_zeroed_and_covers_every_possible_cpu() {
        let area = Area::new(100, 128).unwrap();
        assert_eq!(area.base().as_ptr() as usize % 128, 0);
        assert_eq!(
            area.base().as_ptr() as usize - area.header().as_ptr() as usize,
            128
        );
        for i in 0..area.cpus() {
            // SAFETY: within the area, which is zeroed and ours.
            let word = unsafe { area.base().add(i * area.stride()).cast::<u64>().read() };
            assert_eq!(word, 0);
        }
    }
}
