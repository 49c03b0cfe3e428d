//! The memory of the areas: pages of slots, one slot for each thread.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::registration::call::{ALIGNMENT, ROOM, rseq};
use crate::{abi, arch};

/// The first state of a [`Slot`]: the kernel has not been asked to register it.
pub(super) const NEW: u32 = 0;
/// Registered with the length that `REGISTERED + n` stands for: [`lengths`](crate::registration::call::lengths)`()[n]`.
pub(super) const REGISTERED: u32 = 1;
/// The thread is not registered, and must not be registered again: the kernel has refused, or the thread is
/// ending.
pub(super) const OVER: u32 = u32::MAX;
/// The same, but the kernel still uses the area: no other thread may ever have it.
pub(super) const KEPT: u32 = u32::MAX - 1;
/// A thread's area, and the state of its registration.
#[repr(C, align(256))]
pub(super) struct Slot {
    /// The area, which the kernel writes while it is registered.
    pub(super) area: UnsafeCell<[u32; ROOM / 4]>,
    pub(super) state: AtomicU32,
    /// The number of times that the key's destructor has run for the thread.
    pub(super) passes: AtomicU32,
}

// SAFETY: only the kernel and the area's thread write the area. The other fields are atomic.
unsafe impl Sync for Slot {}

/// As many slots as fit into a page of memory.
#[repr(C, align(4096))]
pub(super) struct Page {
    /// Set before the page is published.
    pub(super) next: *mut Page,
    /// A bit for each slot that is in use.
    pub(super) used: AtomicU32,
    slots: [Slot; SLOTS],
}

pub(super) const SLOTS: usize = 15;
const _: () = assert!(size_of::<Page>() == 4096 && size_of::<Slot>() == 256);
const _: () = assert!(align_of::<Slot>() == ALIGNMENT);

/// The newest page. Pages are never unmapped, because a stale value of the key may still lead to one.
pub(super) static PAGES: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());

/// The contents of an area after [`Slot::renew`].
const UNREGISTERED: [u32; ROOM / 4] = {
    let mut words = [0; ROOM / 4];
    words[abi::CPU_ID as usize / 4] = abi::CPU_ID_UNINITIALIZED as u32;
    words[abi::MM_CID as usize / 4] = u32::MAX;
    words
};

/// The slot of threads that gave their own slot back.
pub(super) static GONE: Slot = Slot {
    area: UnsafeCell::new(UNREGISTERED),
    state: AtomicU32::new(OVER),
    passes: AtomicU32::new(0),
};

impl Slot {
    /// Puts the slot into the state in which a thread gets it.
    fn renew(&self) {
        // What an unregistered thread must read: the same as the kernel leaves, except that `mm_cid` is not 0.
        self.write(abi::CPU_ID, abi::CPU_ID_UNINITIALIZED);
        self.write(abi::MM_CID, -1);
        self.write(abi::RSEQ_CS, 0);
        self.write(abi::RSEQ_CS + 4, 0);
        self.state.store(NEW, Ordering::Relaxed);
        self.passes.store(0, Ordering::Relaxed);
    }

    pub(super) fn address(&self) -> usize {
        self.area.get().expose_provenance()
    }

    /// Returns the area's offset from the calling thread's thread pointer.
    #[inline]
    pub(super) fn offset(&self) -> isize {
        self.address().wrapping_sub(arch::thread_pointer()) as isize
    }

    #[inline]
    pub(super) fn registered(&self) -> Option<isize> {
        // The state is `NEW` here if this is a handler that interrupted the registration before its system
        // call.
        match self.state.load(Ordering::Relaxed) {
            NEW | OVER | KEPT => None,
            _ => Some(self.offset()),
        }
    }

    /// Writes a word that the kernel does not own now.
    pub(super) fn write(&self, offset: isize, value: i32) {
        let word = self.area.get().cast::<u8>().wrapping_offset(offset);
        // SAFETY: an aligned word of the area, which the caller alone uses while it is not registered.
        unsafe { word.cast::<i32>().write_volatile(value) };
    }

    pub(super) fn rseq(&self, length: usize, flags: i32) -> Result<(), i32> {
        rseq(self.address(), length, flags)
    }
}

/// Returns a free slot, renewed. `None` where the system has no memory. Async-signal-safe.
pub(super) fn take() -> Option<&'static Slot> {
    // Acquire: pairs with the release below.
    let mut next = PAGES.load(Ordering::Acquire);
    // SAFETY: null or a published page, which stays.
    while let Some(page) = unsafe { next.as_ref() } {
        let mut used = page.used.load(Ordering::Relaxed);
        while used.trailing_ones() < SLOTS as u32 {
            let taken = used | 1 << used.trailing_ones();
            // Acquire: pairs with the release in `give`: the thread that had the slot is done with it.
            match page
                .used
                .compare_exchange(used, taken, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => {
                    let slot = &page.slots[used.trailing_ones() as usize];
                    slot.renew();
                    return Some(slot);
                }
                Err(other) => used = other,
            }
        }
        next = page.next;
    }
    let mut page = map()?;
    // SAFETY: zeroed memory of that size, ours alone until it is published.
    let page = unsafe { page.as_mut() };
    *page.used.get_mut() = 1;
    page.next = PAGES.load(Ordering::Relaxed);
    // Release: a thread that sees the page sees the older pages behind it, and which of its slots are in use.
    while let Err(other) =
        PAGES.compare_exchange(page.next, page, Ordering::Release, Ordering::Relaxed)
    {
        page.next = other;
    }
    page.slots[0].renew();
    Some(&page.slots[0])
}

fn map() -> Option<NonNull<Page>> {
    // SAFETY: a new private mapping at an address of the kernel's choice. errno is put back, because
    // this also runs in signal handlers.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let page = libc::mmap(
            ptr::null_mut(),
            size_of::<Page>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        *errno = before;
        if page == libc::MAP_FAILED {
            None
        } else {
            NonNull::new(page.cast())
        }
    }
}

/// Gives a slot back. Nobody may use it any more, and its area must not be registered.
pub(super) fn give(slot: &'static Slot) {
    let address = slot.address();
    let page = ptr::with_exposed_provenance::<Page>(address & !(size_of::<Page>() - 1));
    let number = address % size_of::<Page>() / size_of::<Slot>() - 1;
    // SAFETY: slots lie in pages, which are aligned to their size and are never unmapped.
    // Release: pairs with `take`.
    unsafe { &(*page).used }.fetch_and(!(1 << number), Ordering::Release);
}
