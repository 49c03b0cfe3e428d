//! What may wait for grace periods is bounded, and nobody waits for ever.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use urcu::{Budget, Domain, Rcu, RcuArc, Runner};

use crate::support::{SetOnDrop, assert_child_passes, length, storm};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns the number of callbacks that the CPUs may hold besides: a chunk for each phase.
pub(crate) fn unsealed() -> u64 {
    (rseq_ops::percpu::possible_cpus() * 2 * 126) as u64
}

/// Resident memory. Bytes.
pub(crate) fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let pages: usize = pages
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number");
    // SAFETY: no arguments that could be wrong.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize
}

/// The most memory that was resident while `body` ran.
pub(crate) fn most_resident(body: impl FnOnce()) -> usize {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut most = resident();
            while !over.load(Ordering::Relaxed) {
                most = most.max(resident());
                thread::sleep(Duration::from_millis(1));
            }
            most
        });
        {
            let _over = SetOnDrop(&over);
            body();
        }
        sampler.join().unwrap()
    })
}

#[test]
fn two_threads_that_replace_values_stay_below_64_mib() {
    assert_child_passes("callbacks::budget::child_that_replaces_values");
}

#[test]
#[ignore = "a child process of two_threads_that_replace_values_stay_below_64_mib"]
fn child_that_replaces_values() {
    let cells = [Rcu::new([0u8; 1024]), Rcu::new([0u8; 1024])];
    let stores = AtomicUsize::new(0);
    let most = most_resident(|| {
        let store = |thread: usize, count| {
            (0..count).for_each(|_| cells[thread].store([1; 1024]));
            stores.fetch_add(count, Ordering::Relaxed);
        };
        // Kept, these would be more than that.
        thread::scope(|scope| {
            (0..2).for_each(|thread| drop(scope.spawn(move || store(thread, 40_000))));
        });
        storm(length(1000), 2, |thread| store(thread, 100));
    });
    println!("{stores:?} stores, {} KiB resident", most >> 10);
    assert!(most < 64 << 20, "{} KiB resident", most >> 10);
    urcu::barrier();
    assert_eq!(urcu::global().stats().callbacks_pending, 0);
}

#[test]
fn with_a_stalled_reader_memory_stays_within_the_budget() {
    assert_child_passes("callbacks::budget::child_with_a_stalled_reader");
}

#[test]
#[ignore = "a child process of with_a_stalled_reader_memory_stays_within_the_budget"]
fn child_with_a_stalled_reader() {
    static DOMAIN: Domain = Domain::named("stalled").with_budget(Budget::new(1 << 20, 8 << 20));
    let cells = [(); 2].map(|()| Rcu::new_in([0u8; 1024], &DOMAIN));
    let store = |thread: usize| cells[thread].store([1; 1024]);
    storm(length(100), 2, store);
    DOMAIN.barrier();
    let begin = resident();
    let excess = || DOMAIN.stats().callbacks_excess;
    let before = excess();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let (stalled, is_stalled) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        let _guard = DOMAIN.read_lock();
        stalled.send(()).unwrap();
        let _ = receiver.recv();
    });
    is_stalled.recv().unwrap();
    let most = most_resident(|| {
        while excess() < before + 10 {
            storm(length(100), 2, store);
        }
    });
    let stats = DOMAIN.stats();
    let budget = (8 << 20) / 1056;
    println!("{} KiB more, {stats:?}", (most - begin) >> 10);
    // The last eighth is for those who have waited long enough.
    assert!(stats.callbacks_pending >= budget - budget / 8, "{stats:?}");
    let most_pending = budget + unsealed() + stats.callbacks_excess;
    assert!(stats.callbacks_pending <= most_pending, "{stats:?}");
    // Each waits 10 ms.
    assert!(
        stats.callbacks_excess > 0 && stats.callbacks_excess < budget,
        "{stats:?}"
    );
    assert!(most - begin < 16 << 20, "{} KiB more", (most - begin) >> 10);
    // And nothing is left after: everybody takes part.
    drop(sender);
    reader.join().unwrap();
    DOMAIN.barrier();
    let after = DOMAIN.stats();
    assert_eq!(after.callbacks_pending, 0);
    (0..100).for_each(|_| cells[0].store([2; 1024]));
    assert_eq!(DOMAIN.stats().callbacks_excess, after.callbacks_excess);
}

#[test]
fn try_call_refuses_what_is_beyond_the_budget() {
    static DOMAIN: Domain =
        Domain::named("refuses").with_budget(Budget::new(500, usize::MAX).patience(HOUR));
    let ran = Arc::new(AtomicUsize::new(0));
    let callback = || {
        let ran = Arc::clone(&ran);
        move || {
            ran.fetch_add(1, Ordering::SeqCst);
        }
    };
    let guard = thread::spawn(|| DOMAIN.read_lock()).join().unwrap();
    let mut taken = 0;
    let refused = loop {
        match DOMAIN.try_call(callback()) {
            Ok(()) => taken += 1,
            Err(callback) => break callback,
        }
        assert!(taken <= 500 + unsealed() as usize, "never refused");
    };
    assert!(taken >= 500 - 500 / 8, "refused after {taken}");
    assert!(DOMAIN.try_call(callback()).is_err());
    drop(guard);
    DOMAIN.barrier();
    assert!(ran.load(Ordering::SeqCst) >= taken);
    let before = ran.load(Ordering::SeqCst);
    assert!(DOMAIN.try_call(refused).is_ok());
    DOMAIN.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), before + 1);
}

/// One value in many versions is counted with each, which may be more than there are addresses.
#[test]
fn what_many_versions_hold_is_counted_beyond_4_gib() {
    const BYTES: usize = 256 << 20;
    let budget = Budget::new(1 << 20, 16 << 20).patience(Duration::ZERO);
    let domain = Domain::new().run_by(Runner::Caller).with_budget(budget);
    // Zeroes that nobody touches take no memory.
    // SAFETY: zeroes are such an array.
    let value = unsafe { Arc::<[u8; BYTES]>::new_zeroed().assume_init() };
    let cell = RcuArc::new_in(Arc::clone(&value), &domain);
    let guard = domain.read_lock();
    assert!(domain.try_call(|| ()).is_ok());
    // On 32 bits their sum is 0 again, and some.
    for _ in 0..(1 << 32) / BYTES as u64 {
        cell.store(Arc::clone(&value));
    }
    assert!(domain.try_call(|| ()).is_err());
    drop(guard);
}

/// Others may fill the budget between its look and the queue.
#[test]
fn try_call_never_waits() {
    static DOMAIN: Domain =
        Domain::named("never waits").with_budget(Budget::new(1, usize::MAX).patience(HOUR));
    let start = Barrier::new(4);
    for _ in 0..50 {
        let guard = thread::spawn(|| DOMAIN.read_lock()).join().unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // Large ones are counted one by one.
                    let large = [0u8; 5000];
                    start.wait();
                    let _ = DOMAIN.try_call(move || assert!(large[4999] == 0));
                });
            }
        });
        drop(guard);
        DOMAIN.barrier();
    }
}

#[test]
fn in_a_section_of_the_same_domain_nobody_waits_for_ever() {
    // In builds that know where sections began, too.
    let patience = Duration::from_micros(100);
    let domain = Domain::new().with_budget(Budget::new(1, usize::MAX).patience(patience));
    let ran = Arc::new(AtomicUsize::new(0));
    let guard = domain.read_lock();
    for _ in 0..1000 {
        let ran = Arc::clone(&ran);
        domain.call(move || {
            ran.fetch_add(1, Ordering::SeqCst);
        });
    }
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    let stats = domain.stats();
    assert!(stats.callbacks_excess > 0, "{stats:?}");
    assert!(stats.callbacks_excess + 1 + unsealed() >= 1000, "{stats:?}");
    assert_eq!(stats.callbacks_held_up, stats.callbacks_excess, "{stats:?}");
    drop(guard);
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 1000);
}

#[test]
fn in_a_callback_nobody_waits() {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    const TINY: Budget = Budget::new(1, usize::MAX).patience(HOUR);
    static SHARED: Domain = Domain::named("shared").with_budget(TINY);
    static OWN: Domain = Domain::named("own")
        .with_budget(TINY)
        .run_by(Runner::OwnThread);
    for domain in [&SHARED, &OWN] {
        RAN.store(0, Ordering::SeqCst);
        domain.call(move || {
            for _ in 0..1000 {
                domain.call(|| {
                    RAN.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        domain.barrier();
        domain.barrier();
        assert_eq!(RAN.load(Ordering::SeqCst), 1000);
    }
}

/// Threads that are past the budget wait until others have made room, and lose nothing.
#[test]
fn threads_beyond_the_budget_go_on_when_there_is_room() {
    static DOMAIN: Domain =
        Domain::named("narrow").with_budget(Budget::new(300, usize::MAX).patience(HOUR));
    let (ran, queued) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    storm(length(200), 3, |_| {
        for _ in 0..500 {
            let ran = Arc::clone(&ran);
            DOMAIN.call(move || {
                ran.fetch_add(1, Ordering::SeqCst);
            });
        }
        queued.fetch_add(500, Ordering::SeqCst);
    });
    DOMAIN.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), queued.into_inner());
    assert_eq!(DOMAIN.stats().callbacks_excess, 0);
}

/// Each for itself, and not when the chunk is full that it is in.
#[test]
fn large_callbacks_are_charged_at_once() {
    let thread = thread::Builder::new().stack_size(64 << 20);
    thread.spawn(queue_large_ones).unwrap().join().unwrap();
}

fn queue_large_ones() {
    let budget = Budget::new(1 << 20, 16 << 20).patience(Duration::ZERO);
    let domain = Domain::new().with_budget(budget);
    let guard = domain.read_lock();
    let mut taken = 0;
    while taken <= 16 {
        let large = vec![0u8; 1 << 20].into_boxed_slice();
        let large: Box<[u8; 1 << 20]> = large.try_into().expect("the length");
        // Captured by value.
        let large = *large;
        if domain.try_call(move || assert_eq!(large[5], 0)).is_err() {
            break;
        }
        taken += 1;
        assert!(domain.stats().callbacks_pending_bytes >= taken << 20);
    }
    assert!((14..=16).contains(&taken), "{taken} MiB");
    drop(guard);
    domain.barrier();
    assert_eq!(domain.stats().callbacks_pending_bytes, 0);
    let excess = domain.stats().callbacks_excess;
    let cell = Rcu::new_in([0u8; 1 << 20], &domain);
    let guard = domain.read_lock();
    (0..20).for_each(|_| cell.store([0; 1 << 20]));
    assert!(domain.stats().callbacks_excess >= excess + 4);
    drop(guard);
}

#[test]
fn a_budget_of_nothing_has_room_when_nothing_waits() {
    let domain = Domain::new().with_budget(Budget::new(0, 0).patience(HOUR));
    for _ in 0..10 {
        assert!(domain.try_call(|| ()).is_ok());
        domain.call(|| ());
        domain.defer_drop([0u8; 5000]);
        domain.barrier();
    }
    assert_eq!(domain.stats().callbacks_excess, 0);
}

#[test]
fn after_a_burst_the_last_callbacks_run_whatever_comes_after() {
    /// More than make a load heavy, each sealed at once.
    const COUNT: usize = 3 * 2000;
    let domain = Domain::new().with_budget(Budget::new(1 << 20, 1 << 30));
    let ran = Arc::new(AtomicUsize::new(0));
    let guard = domain.read_lock();
    for _ in 0..COUNT {
        let ran = Arc::clone(&ran);
        let large = [0u8; 4097];
        domain.call(move || {
            std::hint::black_box(&large);
            ran.fetch_add(1, Ordering::SeqCst);
        });
    }
    drop(guard);
    while ran.load(Ordering::SeqCst) != COUNT {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn who_waits_for_room_has_an_executor_asked_again_that_dropped_its_job() {
    struct Dropping(AtomicUsize);
    impl urcu::Executor for Dropping {
        fn execute(&self, mut job: urcu::Job) {
            // The first ones, of which one is for whoever waits.
            if self.0.fetch_add(1, Ordering::SeqCst) >= 400 {
                thread::spawn(move || {
                    while let Some(pause) = job.run() {
                        thread::sleep(pause);
                    }
                });
            }
        }
    }
    static DROPPING: Dropping = Dropping(AtomicUsize::new(0));
    let domain: &Domain = Box::leak(Box::new(
        Domain::new()
            .with_budget(Budget::new(100, 1 << 30).patience(Duration::MAX))
            .run_by(Runner::Executor(&DROPPING)),
    ));
    for _ in 0..300 {
        let large = [0u8; 4097];
        domain.call(move || _ = std::hint::black_box(large));
    }
    let stats = domain.stats();
    assert!(stats.callbacks_held_up != 0, "nobody waited");
    assert_eq!(stats.callbacks_excess, 0, "out of patience");
}
