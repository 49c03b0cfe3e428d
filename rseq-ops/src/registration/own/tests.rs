use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec::Vec;

use super::slots::{PAGES, SLOTS};
use super::*;
use crate::registration::call::ALIGNMENT;
use crate::registration::{Owner, process};

/// A lock that each test holds while it takes slots, or counts the slots of the whole process.
static SLOTS_IN_USE: Mutex<()> = Mutex::new(());

/// Returns how many slots are in use. Pages that others have begun to use are counted too.
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
    /// The number of slots in three pages.
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
        // The next thread does not find what this one leaves behind.
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

    // This thread's registration cannot be ended, because the kernel knows of none.
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
