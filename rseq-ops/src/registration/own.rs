//! Our own registrations, thread by thread, where libc makes none.
//!
//! # Where the areas are
//! Not in thread-local data. The kernel needs an area that stays where it is, and sequences reach it
//! from any code of ours, so such data would have to be of the model `initial-exec`; and one word of
//! that model takes *all* thread-local data of a shared object from libc's small reserve, in every
//! program that loads it, also where libc registers and nobody needs an area. The other models may
//! allocate at the first access of a thread, which may be in a signal handler.
//!
//! So areas are in memory of our own, mapped when the first thread is registered, and a `pthread` key
//! leads to them: reading its value is two loads, without a lock, in glibc and musl.
//!
//! # The end of a thread
//! The key's destructor ends the registration, and keeps the area until libc calls it for the last
//! time, so that other destructors of the thread, which may come later, find an area that says
//! "not registered (any more)". Then another thread may have it. In a forked child those of
//! its parent's other threads are in use for ever: some hundred bytes for each.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::auxiliary::auxiliary;
use crate::{abi, arch};

/// What a [`Slot`]'s state begins as: the kernel was not asked.
const NEW: u32 = 0;
/// Registered with the length that `REGISTERED + n` stands for: [`lengths`]`()[n]`.
const REGISTERED: u32 = 1;
/// Never again: refused, or ended before the thread is.
const OVER: u32 = u32::MAX;
/// The same, and the kernel still has the area: no other thread may ever have it.
const KEPT: u32 = u32::MAX - 1;
/// How often libc calls a key's destructor for a thread, as long as there is a value:
/// `PTHREAD_DESTRUCTOR_ITERATIONS` of glibc and musl.
const PASSES: u32 = 4;

/// What an area has room for, and how it is aligned: more than any kernel asks for yet. Bytes.
const ROOM: usize = 192;
const ALIGNMENT: usize = align_of::<Slot>();

/// A thread's area, and what is known of it.
#[repr(C, align(256))]
struct Slot {
    /// The kernel's, as long as it is registered.
    area: UnsafeCell<[u32; ROOM / 4]>,
    state: AtomicU32,
    /// How often the key's destructor ran.
    passes: AtomicU32,
}

// SAFETY: the area is written by the kernel and by its thread alone, the rest is atomic.
unsafe impl Sync for Slot {}

/// Slots of as many threads as fit.
#[repr(C, align(4096))]
struct Page {
    /// Set before the page is published.
    next: *mut Page,
    /// A bit for each slot.
    used: AtomicU32,
    slots: [Slot; SLOTS],
}

const SLOTS: usize = 15;
const _: () = assert!(size_of::<Page>() == 4096 && size_of::<Slot>() == 256);

/// The newest page. Pages stay: a stale value of the key must not lead to what is not there.
static PAGES: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());

/// An area as [`Slot::renew`] leaves it.
const UNREGISTERED: [u32; ROOM / 4] = {
    let mut words = [0; ROOM / 4];
    words[abi::CPU_ID as usize / 4] = abi::CPU_ID_UNINITIALIZED as u32;
    words[abi::MM_CID as usize / 4] = u32::MAX;
    words
};

/// What threads have whose slot was given back.
static GONE: Slot = Slot {
    area: UnsafeCell::new(UNREGISTERED),
    state: AtomicU32::new(OVER),
    passes: AtomicU32::new(0),
};

/// The key, plus 1; 0 is none yet.
static KEY: AtomicU32 = AtomicU32::new(0);

impl Slot {
    /// The state in which a thread gets it.
    fn renew(&self) {
        // What an unregistered thread must read: as the kernel leaves it, but that `mm_cid` is not 0.
        self.write(abi::CPU_ID, abi::CPU_ID_UNINITIALIZED);
        self.write(abi::MM_CID, -1);
        self.write(abi::RSEQ_CS, 0);
        self.write(abi::RSEQ_CS + 4, 0);
        self.state.store(NEW, Ordering::Relaxed);
        self.passes.store(0, Ordering::Relaxed);
    }

    fn address(&self) -> usize {
        self.area.get().expose_provenance()
    }

    /// The area's offset from the calling thread's thread pointer.
    #[inline]
    fn offset(&self) -> isize {
        self.address().wrapping_sub(arch::thread_pointer()) as isize
    }

    #[inline]
    fn registered(&self) -> Option<isize> {
        // `NEW` here: in a handler that interrupted the registration before the kernel was asked.
        match self.state.load(Ordering::Relaxed) {
            NEW | OVER | KEPT => None,
            _ => Some(self.offset()),
        }
    }

    /// Writes a word that the kernel does not own now.
    fn write(&self, offset: isize, value: i32) {
        let word = self.area.get().cast::<u8>().wrapping_offset(offset);
        // SAFETY: an aligned word of the area, which the caller alone uses while it is not registered.
        unsafe { word.cast::<i32>().write_volatile(value) };
    }

    fn rseq(&self, length: usize, flags: i32) -> Result<(), i32> {
        rseq(self.address(), length, flags)
    }
}

/// A free slot, renewed. `None` where the system has no memory. Async-signal-safe.
fn take() -> Option<&'static Slot> {
    // Acquire: pairs with the release below.
    let mut next = PAGES.load(Ordering::Acquire);
    // SAFETY: null or a published page, which stays.
    while let Some(page) = unsafe { next.as_ref() } {
        let mut used = page.used.load(Ordering::Relaxed);
        while used.trailing_ones() < SLOTS as u32 {
            let taken = used | 1 << used.trailing_ones();
            // Acquire: pairs with the release in `give`: the thread before is done with the slot.
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
    // Release: who sees the page sees what is behind it, and what it has in use.
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

/// Gives a slot back, which nobody uses any more and no kernel knows.
fn give(slot: &'static Slot) {
    let address = slot.address();
    let page = ptr::with_exposed_provenance::<Page>(address & !(size_of::<Page>() - 1));
    let number = address % size_of::<Page>() / size_of::<Slot>() - 1;
    // SAFETY: slots are in pages, which are aligned to their size and stay.
    // Release: pairs with `take`.
    unsafe { &(*page).used }.fetch_and(!(1 << number), Ordering::Release);
}

/// Lengths to register with: all that the kernel fills, else the original.
fn lengths() -> [usize; 2] {
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

fn rseq(area: usize, length: usize, flags: i32) -> Result<(), i32> {
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

/// Whether the kernel registers areas.
pub(super) fn available() -> bool {
    // A call that must fail tells "no such call" and "not allowed" from "wrong arguments".
    !matches!(
        rseq(0, 0, 0),
        Err(libc::ENOSYS | libc::EPERM | libc::EACCES) | Ok(())
    )
}

/// The process's key, made at the first call. `None` where there is none to be had now.
fn key() -> Option<libc::pthread_key_t> {
    /// glibc keeps the values of this many keys in the thread itself; beyond, setting one
    /// allocates, which a signal handler may not do.
    const WITHOUT_ALLOCATION: u32 = if cfg!(target_env = "gnu") {
        32
    } else {
        u32::MAX
    };
    // Acquire: pairs with the release below; whoever uses the key finds it made.
    let known = KEY.load(Ordering::Acquire);
    if known != 0 {
        return Some(known - 1);
    }
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: `key` is valid for the write, `at_exit` is of the right type.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(at_exit)) } != 0 {
        return None;
    }
    let published = if key < WITHOUT_ALLOCATION {
        KEY.compare_exchange(0, key + 1, Ordering::AcqRel, Ordering::Acquire)
    } else {
        Err(0)
    };
    match published {
        Ok(_) => Some(key),
        Err(other) => {
            // SAFETY: the key is ours and no thread has a value for it.
            unsafe { libc::pthread_key_delete(key) };
            other.checked_sub(1)
        }
    }
}

/// The calling thread's slot.
#[inline]
fn mine() -> Option<&'static Slot> {
    let key = KEY.load(Ordering::Acquire).checked_sub(1)?;
    // SAFETY: the key is never deleted; its values are null or slots, which stay.
    unsafe { libc::pthread_getspecific(key).cast::<Slot>().as_ref() }
}

fn set_mine(key: libc::pthread_key_t, slot: &'static Slot) -> bool {
    // SAFETY: the key exists.
    unsafe { libc::pthread_setspecific(key, ptr::from_ref(slot).cast()) == 0 }
}

/// The offset of the calling thread's area from its thread pointer, if it is registered; registers
/// it at its first call.
#[inline]
pub(super) fn current_thread() -> Option<isize> {
    match mine() {
        Some(slot) => slot.registered(),
        None => register(),
    }
}

/// `cpu_id` of a thread that is not registered.
pub(super) fn cpu_id() -> i32 {
    mine().map_or(abi::CPU_ID_UNINITIALIZED, |slot| {
        let word = slot.area.get().cast::<u8>().wrapping_offset(abi::CPU_ID);
        // SAFETY: an aligned word of the area; the kernel may write it.
        unsafe { word.cast::<i32>().read_volatile() }
    })
}

#[cold]
fn register() -> Option<isize> {
    let mut registered = None;
    // Signals wait: a handler must not find the thread registered and the state not yet so.
    with_signals_blocked(|| registered = register_with_signals_blocked());
    registered
}

fn register_with_signals_blocked() -> Option<isize> {
    if let Some(slot) = mine() {
        return slot.registered(); // A handler was here before the signals were blocked.
    }
    let key = key()?;
    let slot = take()?;
    // First, so that no thread ends registered without `at_exit`.
    if !set_mine(key, slot) {
        give(slot);
        return None;
    }
    let registers = |length: &usize| slot.rseq(*length, 0).is_ok();
    match lengths().iter().position(registers) {
        Some(n) => {
            slot.state.store(REGISTERED + n as u32, Ordering::Relaxed);
            Some(slot.offset())
        }
        None => {
            // The early adopters' convention: `cpu_id` says so.
            slot.write(abi::CPU_ID, abi::CPU_ID_REGISTRATION_FAILED);
            slot.state.store(OVER, Ordering::Relaxed);
            None
        }
    }
}

fn end(slot: &Slot) {
    let state = slot.state.swap(OVER, Ordering::Relaxed);
    let length = state
        .checked_sub(REGISTERED)
        .and_then(|n| lengths().get(n as usize).copied());
    let Some(length) = length else {
        return;
    };
    if slot.rseq(length, abi::FLAG_UNREGISTER).is_ok() {
        // The kernel leaves `cpu_id` at -1 and `mm_cid` at 0; now the area is ours, and both say that
        // the thread is not registered.
        slot.write(abi::MM_CID, -1);
    } else {
        // A filter forbids it, perhaps. The kernel goes on writing here for as long as this thread
        // lives: it would take another's sequences for over.
        slot.state.store(KEPT, Ordering::Relaxed);
    }
}

/// The key's destructor. Destructors that run later find a thread that is not registered any more, and
/// use their fallback.
extern "C" fn at_exit(value: *mut c_void) {
    // SAFETY: the key's values are slots, which stay.
    let slot: &'static Slot = unsafe { &*value.cast::<Slot>() };
    let Some(key) = KEY.load(Ordering::Acquire).checked_sub(1) else {
        return;
    };
    if ptr::eq(slot, &GONE) {
        set_mine(key, &GONE);
        return;
    }
    let passes = slot.passes.fetch_add(1, Ordering::Relaxed) + 1;
    if passes == 1 {
        with_signals_blocked(|| end(slot));
    }
    // libc has taken the value away. As long as there is one, it calls again.
    if passes < PASSES {
        set_mine(key, slot);
    } else if set_mine(key, &GONE) && slot.state.load(Ordering::Relaxed) != KEPT {
        give(slot);
    }
}

fn with_signals_blocked(f: impl FnOnce()) {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are valid for writes, and `all` is filled before it is read. If the
    // first call fails, `before` is not used.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let blocked =
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0;
        f();
        if blocked {
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Mutex, PoisonError};
    use std::thread;
    use std::vec::Vec;

    use super::*;
    use crate::registration::{Owner, process};

    /// Held by each test that takes slots, or counts those of the whole process.
    static SLOTS_IN_USE: Mutex<()> = Mutex::new(());

    /// How many slots are in use. Pages that others have begun to use are counted too.
    fn in_use() -> u32 {
        let (mut next, mut slots) = (PAGES.load(Ordering::Acquire), 0);
        // SAFETY: null or a published page, which stays.
        while let Some(page) = unsafe { next.as_ref() } {
            slots += page.used.load(Ordering::Relaxed).count_ones();
            next = page.next;
        }
        slots
    }

    fn blocked() -> Vec<bool> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is filled before it is read.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr());
            let is_in = |signal| libc::sigismember(set.as_ptr(), signal) == 1;
            (1..32).map(is_in).collect()
        }
    }

    #[test]
    fn signals_wait_during_a_registration_and_no_longer() {
        let signals = || {
            let mut one = MaybeUninit::<libc::sigset_t>::uninit();
            // SAFETY: filled before it is read.
            unsafe {
                libc::sigemptyset(one.as_mut_ptr());
                libc::sigaddset(one.as_mut_ptr(), libc::SIGUSR2);
                libc::pthread_sigmask(libc::SIG_BLOCK, one.as_ptr(), ptr::null_mut());
            }
            let before = blocked();
            assert_eq!(before.iter().filter(|blocked| **blocked).count(), 1);
            with_signals_blocked(|| {
                let waits = |signal: i32| blocked()[signal as usize - 1];
                assert!([libc::SIGUSR1, libc::SIGALRM, libc::SIGTERM].map(waits) == [true; 3]);
            });
            assert_eq!(blocked(), before);
            let _ = register();
            assert_eq!(blocked(), before, "after a registration");
        };
        let _alone = SLOTS_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        thread::spawn(signals).join().unwrap();
    }

    #[test]
    fn who_gave_its_slot_back_is_not_registered() {
        let word = |offset: isize| {
            let area = GONE.area.get().cast::<i32>();
            // SAFETY: nobody writes there.
            unsafe { *area.wrapping_offset(offset / 4) }
        };
        assert_eq!(GONE.registered(), None);
        assert_eq!((word(abi::CPU_ID), word(abi::MM_CID)), (-1, -1));
    }

    #[test]
    fn a_slot_has_one_owner_at_a_time_and_then_another() {
        /// All of three pages.
        const ALL: usize = 3 * SLOTS;
        if process().owner == Owner::Own {
            return; // The other tests' threads have slots.
        }
        let _alone = SLOTS_IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(in_use(), 0);
        let slots: Vec<_> = (0..ALL).filter_map(|_| take()).collect();
        assert_eq!(in_use(), ALL as u32);
        let addresses: BTreeSet<_> = slots.iter().map(|slot| slot.address()).collect();
        assert_eq!(addresses.len(), ALL);
        for slot in slots {
            assert!(slot.address().is_multiple_of(ALIGNMENT));
            assert_eq!(slot.registered(), None);
            let words = slot.area.get().cast::<i32>();
            // SAFETY: the area is ours.
            let word = |offset: isize| unsafe { *words.wrapping_offset(offset / 4) };
            assert_eq!((word(abi::CPU_ID), word(abi::MM_CID)), (-1, -1));
            // What a thread leaves behind, the next does not find.
            slot.write(abi::CPU_ID, 7);
            slot.write(abi::RSEQ_CS, 7);
            slot.state.store(REGISTERED, Ordering::Relaxed);
            give(slot);
        }
        let again: Vec<_> = (0..ALL).filter_map(|_| take()).collect();
        assert!(again.iter().all(|slot| addresses.contains(&slot.address())));
        assert!(again.iter().all(|slot| slot.registered().is_none()));
        again.into_iter().for_each(give);

        // Threads that the kernel refuses, because libc has registered them, or it knows no rseq.
        for _ in 0..100 {
            let refused = || {
                assert_eq!(current_thread(), None);
                assert_eq!(cpu_id(), abi::CPU_ID_REGISTRATION_FAILED);
                assert!(in_use() > 0);
            };
            thread::spawn(refused).join().unwrap();
        }
        assert_eq!(in_use(), 0, "a thread that ended gives its slot back");

        // A thread whose registration the kernel does not end: it is none.
        let kept = || {
            let slot = take().unwrap();
            slot.state.store(REGISTERED, Ordering::Relaxed);
            assert!(set_mine(key().unwrap(), slot));
        };
        thread::spawn(kept).join().unwrap();
        assert_eq!(
            in_use(),
            1,
            "another could have what the kernel still writes to"
        );
    }
}
