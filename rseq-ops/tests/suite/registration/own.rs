//! Threads that this crate registers, because libc does not. Those that others registered are in
//! `owners`, and in `ops_environments`.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rseq_ops::ops::Outcome;
use rseq_ops::{Handle, Owner, abi, cpu, current_thread, process, registration};

use crate::support::again::assert_child_passes;

/// Returns whether this process is one in which the crate registers threads.
fn ours() -> bool {
    let ours = process().owner == Owner::Own;
    if !ours {
        // The kernel may have no rseq at all, and musl's processes need no tunable.
        println!("skipped: the owner is {:?}", process().owner);
    }
    ours
}

#[test]
fn every_thread_is_registered_at_its_first_call_and_no_more_at_its_end() {
    assert_child_passes("registration::own::child_with_many_threads");
}

#[test]
#[ignore = "a child process"]
fn child_with_many_threads() {
    if !ours() {
        return;
    }
    for _ in 0..50 {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| {
                    assert_eq!(registration::handle(), None, "no two threads have the same");
                    let handle = current_thread().expect("a registration");
                    assert_eq!(current_thread(), Some(handle));
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
    }
}

static SEEN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// Puts its value back once, so that the second call comes after all destructors' first ones.
extern "C" fn destructor(round: *mut c_void) {
    let round = round.addr();
    let word = 0usize;
    // A thread that is not registered any more must not get through with the handle that it had.
    let handle = HANDLE.get().expect("the thread was registered");
    // SAFETY: the word never holds the expected value: a mismatch at worst.
    let aborts = || unsafe {
        rseq_ops::ops::sub_if_current::<7>(handle, &raw const word, 1, 1) == Outcome::Aborted
            && cpu::cpu_id() == abi::CPU_ID_UNINITIALIZED
    };
    if current_thread().is_some() == (round == 1) && (round == 1 || aborts()) {
        SEEN[round - 1].fetch_add(1, Ordering::SeqCst);
    }
    if round == 1 {
        let key = KEY.load(Ordering::SeqCst) as libc::pthread_key_t;
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(2)) };
    }
}

static KEY: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Without a destructor: it is there as long as the thread is.
    static HANDLE: Cell<Option<Handle>> = const { Cell::new(None) };
}

#[test]
fn destructors_that_run_after_ours_find_no_registration_and_no_harm() {
    assert_child_passes("registration::own::child_with_destructors");
}

#[test]
#[ignore = "a child process"]
fn child_with_destructors() {
    // The key is older than the crate's, so its destructor comes first.
    let mut key = 0;
    // SAFETY: the key is valid for the write, the destructor of the right type.
    let refused = unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) };
    assert_eq!(refused, 0);
    KEY.store(key as usize, Ordering::SeqCst);
    if !ours() {
        return;
    }
    for _ in 0..20 {
        thread::spawn(move || {
            HANDLE.set(current_thread());
            // SAFETY: the key exists.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) };
        })
        .join()
        .unwrap();
    }
    let seen = SEEN.each_ref().map(|seen| seen.load(Ordering::SeqCst));
    assert_eq!(seen, [20, 20], "registered before ours ran, not so after");
}

/// The address of a thread's area, and how far the two threads are.
#[cfg(sequences)]
static AREA: AtomicUsize = AtomicUsize::new(0);
#[cfg(sequences)]
static STAGE: AtomicUsize = AtomicUsize::new(0);

/// The area of the calling thread, which is registered.
#[cfg(sequences)]
fn area() -> usize {
    let handle = current_thread().expect("a registration");
    super::kinds::thread_pointer().wrapping_add_signed(handle.cs)
}

/// After ours in each of libc's passes.
#[cfg(sequences)]
extern "C" fn late_destructor(pass: *mut c_void) {
    let pass = pass.addr();
    let unregistered =
        current_thread().is_none() && cpu::cpu_id() == abi::CPU_ID_UNINITIALIZED && {
            let (cpu, cpus) = (rseq_ops::current_cpu(), rseq_ops::percpu::possible_cpus());
            (cpu as usize) < cpus
        };
    // The index that stale handles of the other kind find, as long as the area is this thread's.
    let id = || {
        let distance = (abi::MM_CID - abi::RSEQ_CS) as usize;
        let word = AREA.load(Ordering::SeqCst) + distance;
        // SAFETY: a word of the area, which is never unmapped.
        unsafe { std::ptr::with_exposed_provenance::<u32>(word).read_volatile() }
    };
    if unregistered && (pass == 4 || id() == u32::MAX) {
        SEEN[0].fetch_add(1, Ordering::SeqCst);
    }
    if pass == 3 {
        // Another thread begins: see below.
        STAGE.store(1, Ordering::SeqCst);
        while STAGE.load(Ordering::SeqCst) == 1 {
            thread::yield_now();
        }
    }
    if pass < 4 {
        let key = KEY.load(Ordering::SeqCst) as libc::pthread_key_t;
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(pass + 1)) };
    }
}

#[cfg(sequences)]
#[test]
fn to_its_last_destructor_a_thread_keeps_its_area_and_is_not_registered() {
    assert_child_passes("registration::own::child_with_late_destructors");
}

#[cfg(sequences)]
#[test]
#[ignore = "a child process"]
fn child_with_late_destructors() {
    if !ours() {
        return;
    }
    assert!(current_thread().is_some());
    let mut key = 0;
    // SAFETY: the key is valid for the write, the destructor of the right type.
    let refused = unsafe { libc::pthread_key_create(&raw mut key, Some(late_destructor)) };
    assert_eq!(refused, 0);
    KEY.store(key as usize, Ordering::SeqCst);
    let ends = thread::spawn(move || {
        AREA.store(area(), Ordering::SeqCst);
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) };
    });
    while STAGE.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    // In its third pass of four the thread may still use the handle that it had.
    let other = thread::spawn(area).join().unwrap();
    STAGE.store(2, Ordering::SeqCst);
    assert_ne!(other, AREA.load(Ordering::SeqCst), "two threads' area");
    ends.join().unwrap();
    assert_eq!(
        SEEN[0].load(Ordering::SeqCst),
        4,
        "not registered, each time"
    );
    assert_eq!(
        thread::spawn(area).join().unwrap(),
        AREA.load(Ordering::SeqCst),
        "given back"
    );
}

#[cfg(target_env = "gnu")]
#[test]
fn a_key_whose_values_would_be_allocated_is_given_back_and_another_tried_later() {
    assert_child_passes("registration::own::child_with_many_keys");
}

#[cfg(target_env = "gnu")]
fn new_key() -> libc::pthread_key_t {
    let mut key = 0;
    // SAFETY: valid for the write.
    let refused = unsafe { libc::pthread_key_create(&raw mut key, None) };
    assert_eq!(refused, 0, "a key");
    key
}

#[cfg(target_env = "gnu")]
#[test]
#[ignore = "a child process"]
fn child_with_many_keys() {
    /// glibc keeps the values of so many in the thread; for others it allocates.
    const WITHOUT_ALLOCATION: libc::pthread_key_t = 32;
    if process().owner != Owner::Own {
        return println!("skipped: the owner is {:?}", process().owner);
    }
    // The lowest number that is free is the next key's.
    let mut last = new_key();
    while last + 1 < WITHOUT_ALLOCATION {
        last = new_key();
    }
    assert_eq!(last + 1, WITHOUT_ALLOCATION, "nobody has more yet");
    for _ in 0..3 {
        assert_eq!(thread::spawn(current_thread).join().unwrap(), None);
    }
    let next = new_key();
    assert_eq!(next, WITHOUT_ALLOCATION, "one was made and not given back");
    // SAFETY: keys of ours, for which no thread has a value.
    unsafe {
        libc::pthread_key_delete(next);
        libc::pthread_key_delete(last);
    }
    let registered = thread::spawn(|| current_thread().is_some()).join().unwrap();
    assert!(registered, "by the key that is free now");
    assert_eq!(new_key(), WITHOUT_ALLOCATION, "it took one key");
}

#[test]
fn the_last_error_of_the_thread_is_kept() {
    // SAFETY: errno is the calling thread's.
    let errno = || unsafe { &mut *libc::__errno_location() };
    *errno() = 1234;
    thread::spawn(current_thread).join().unwrap();
    let _ = current_thread();
    let _ = rseq_ops::membarrier::register();
    let _ = rseq_ops::percpu::possible_cpus();
    drop(rseq_ops::percpu::Area::new(0, 64));
    let _ = rseq_ops::membarrier::query();
    assert_eq!(*errno(), 1234);
}
