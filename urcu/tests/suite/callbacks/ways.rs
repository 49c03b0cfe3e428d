//! Where callbacks come from, what they hold, and what becomes of them when they panic or the
//! program ends.

use std::any::Any;
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Rcu, RcuArc, RcuOption, Runner, set_callback_panic_hook};

use crate::support::{SetOnDrop, child, length, run, skip, storm};

#[test]
fn destructors_of_thread_local_data_may_queue_callbacks() {
    static DOMAIN: Domain = Domain::named("from destructors");
    static RAN: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            RAN.fetch_add(1, Ordering::SeqCst);
        }
    }
    struct Queues;
    impl Drop for Queues {
        fn drop(&mut self) {
            let _guard = DOMAIN.read_lock();
            for _ in 0..300 {
                DOMAIN.call(|| drop(Counted));
                DOMAIN.defer_drop(Box::new(Counted));
            }
            Rcu::new_in(Counted, &DOMAIN).store(Counted);
        }
    }
    thread_local!(static LAST: RefCell<Option<Queues>> = const { RefCell::new(None) });
    for _ in 0..10 {
        thread::spawn(|| LAST.set(Some(Queues))).join().unwrap();
    }
    DOMAIN.barrier();
    assert_eq!(RAN.load(Ordering::SeqCst), 10 * (300 + 300 + 2));
}

#[test]
fn callbacks_of_all_sizes_and_alignments_run_once_with_what_they_hold() {
    #[repr(align(256))]
    struct Aligned([u8; 512]);
    let domain = Domain::new();
    let sum = Arc::new(AtomicUsize::new(0));
    for turn in 0..300_usize {
        let (one, two, three) = (Arc::clone(&sum), Arc::clone(&sum), Arc::clone(&sum));
        domain.call(move || {
            one.fetch_add(turn, Ordering::SeqCst);
        });
        let large = [turn; 1000];
        domain.call(move || {
            assert!(large.iter().all(|word| *word == turn));
            two.fetch_add(turn, Ordering::SeqCst);
        });
        let aligned = Aligned([turn as u8; 512]);
        domain.call(move || {
            let aligned = aligned;
            assert_eq!((&raw const aligned).addr() % 256, 0);
            assert!(aligned.0.iter().all(|byte| *byte == turn as u8));
            three.fetch_add(turn, Ordering::SeqCst);
        });
        domain.call(|| ());
        domain.defer_drop(());
        domain.defer_drop((Arc::clone(&sum), [0u64; 600]));
    }
    domain.barrier();
    assert_eq!(sum.load(Ordering::SeqCst), 3 * (0..300).sum::<usize>());
    assert_eq!(Arc::strong_count(&sum), 1, "something was not dropped");
    let stats = domain.stats();
    assert_eq!((stats.callbacks_queued, stats.callbacks_run), (1800, 1800));
}

#[test]
fn nothing_is_lost_whichever_way_cells_retire_values() {
    let domain = Domain::new();
    let alive = Arc::new(());
    let boxed = Rcu::new_in(Arc::clone(&alive), &domain);
    let option = RcuOption::empty_in(&domain);
    let arc = RcuArc::new_in(Arc::new(Arc::clone(&alive)), &domain);
    storm(length(200), 3, |_| {
        boxed.store(Arc::clone(&alive));
        boxed.update(Arc::clone);
        option.store(Some(Arc::clone(&alive)));
        option.store(None);
        arc.store(Arc::new(Arc::clone(&alive)));
    });
    domain.barrier();
    assert_eq!(Arc::strong_count(&alive), 3);
    let stats = domain.stats();
    assert_eq!(stats.callbacks_pending, 0, "{stats:?}");
}

/// Panics with this are the test's own.
struct Marked(usize);

#[test]
fn panics_are_counted_and_reported_and_the_rest_runs() {
    static SEEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    static REPLACED: AtomicBool = AtomicBool::new(false);
    /// A hook may hold anything: what it holds is dropped when it is replaced.
    struct SetsAHook;
    impl Drop for SetsAHook {
        fn drop(&mut self) {
            set_callback_panic_hook(hook);
            REPLACED.store(true, Ordering::SeqCst);
        }
    }
    fn hook(payload: &(dyn Any + Send)) {
        if let Some(Marked(number)) = payload.downcast_ref() {
            SEEN.lock().unwrap().push(*number);
            if number % 2 == 0 {
                resume_unwind(Box::new("the hook, on purpose"));
            }
        }
    }
    let first = SetsAHook;
    set_callback_panic_hook(move |_| {
        let _ = &first;
    });
    set_callback_panic_hook(|_| ());
    assert!(REPLACED.load(Ordering::SeqCst));
    let domain = Domain::new();
    let ran = Arc::new(AtomicUsize::new(0));
    for number in 0..400 {
        let ran = Arc::clone(&ran);
        domain.call(move || {
            if number % 4 == 0 {
                resume_unwind(Box::new(Marked(number)));
            }
            ran.fetch_add(1, Ordering::SeqCst);
        });
    }
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 300);
    let stats = domain.stats();
    assert_eq!((stats.callbacks_panicked, stats.callbacks_run), (100, 400));
    let mut seen = SEEN.lock().unwrap();
    seen.sort_unstable();
    assert!(seen.iter().copied().eq((0..400).step_by(4)), "{seen:?}");
}

#[test]
fn a_callback_that_queues_itself_for_ever_starves_nobody() {
    static DOMAIN: Domain = Domain::named("for ever");
    static STOP: AtomicBool = AtomicBool::new(false);
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    fn again() {
        TURNS.fetch_add(1, Ordering::SeqCst);
        if !STOP.load(Ordering::SeqCst) {
            DOMAIN.call(again);
            DOMAIN.call(|| ());
        }
    }
    (0..2000).for_each(|_| DOMAIN.call(again));
    let other = Domain::new();
    for domain in [&DOMAIN, &other].into_iter().cycle().take(20) {
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        domain.call(move || flag.store(true, Ordering::SeqCst));
        domain.barrier();
        assert!(ran.load(Ordering::SeqCst));
    }
    let ran = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ran);
    other.call(move || flag.store(true, Ordering::SeqCst));
    while !ran.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    let turns = TURNS.load(Ordering::SeqCst);
    while TURNS.load(Ordering::SeqCst) == turns {
        thread::sleep(Duration::from_millis(1));
    }
    STOP.store(true, Ordering::SeqCst);
    DOMAIN.barrier();
    DOMAIN.barrier();
    assert_eq!(DOMAIN.stats().callbacks_pending, 0);
}

#[test]
fn a_barrier_waits_for_a_batch_in_flight() {
    let domain = Domain::new();
    let (begun, over) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let flags = (Arc::clone(&begun), Arc::clone(&over));
    domain.call(move || {
        flags.0.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(100));
        flags.1.store(true, Ordering::SeqCst);
    });
    while !begun.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                domain.barrier();
                assert!(over.load(Ordering::SeqCst), "a callback runs still");
            });
        }
    });
}

#[test]
fn a_barrier_waits_for_full_chunks_that_others_take_away() {
    let domain = Domain::new();
    storm(length(300), 4, |_| {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..200 {
            let ran = Arc::clone(&ran);
            domain.call(move || {
                ran.fetch_add(1, Ordering::SeqCst);
            });
        }
        domain.barrier();
        assert_eq!(ran.load(Ordering::SeqCst), 200);
    });
}

#[test]
fn a_barrier_ends_while_others_queue_without_end() {
    let domain = Domain::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    domain.defer_drop(Box::new(0));
                }
            });
        }
        let _over = SetOnDrop(&over);
        for _ in 0..20 {
            let ran = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&ran);
            domain.call(move || flag.store(true, Ordering::SeqCst));
            domain.barrier();
            assert!(ran.load(Ordering::SeqCst));
        }
    });
}

/// Also those of the same batch, which would have run after the one that drops the domain.
#[test]
fn who_drops_a_domain_in_a_callback_finds_all_others_done() {
    for callbacks in [2, 4, 7, 300] {
        let domain = Arc::new(Mutex::new(Some(Domain::new())));
        let done = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = std::sync::mpsc::channel();
        let guarded = domain.lock().unwrap();
        for _ in 0..callbacks {
            let (domain, done) = (Arc::clone(&domain), Arc::clone(&done));
            let sender = sender.clone();
            guarded.as_ref().unwrap().call(move || {
                let first = domain.lock().unwrap().take();
                if first.is_some() {
                    drop(first);
                    sender.send(done.load(Ordering::SeqCst)).unwrap();
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        drop(guarded);
        assert_eq!(receiver.recv().unwrap(), callbacks - 1);
    }
}

#[test]
fn domains_may_be_dropped_by_callbacks_in_chains() {
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..20 {
        let mut inner = None::<Arc<Domain>>;
        for _ in 0..5 {
            let domain = Arc::new(Domain::new());
            for number in 0..200 {
                let (ran, kept) = (Arc::clone(&ran), Arc::clone(&domain));
                let inner = if number == 50 { inner.take() } else { None };
                domain.call(move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                    // The last one of these drops the domain, with others queued behind.
                    drop((kept, inner));
                });
            }
            inner = Some(domain);
        }
    }
    while ran.load(Ordering::SeqCst) < 20 * 5 * 200 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_callback_may_synchronize_on_other_domains() {
    static OTHERS: [Domain; 3] = [const { Domain::new() }; 3];
    let domain = Domain::new();
    let ran = Arc::new(AtomicUsize::new(0));
    for number in 0..100 {
        let ran = Arc::clone(&ran);
        domain.call(move || {
            let other = &OTHERS[number % 3];
            drop(other.read_lock());
            other.synchronize();
            other.call(move || {
                ran.fetch_add(1, Ordering::SeqCst);
            });
        });
    }
    domain.barrier();
    OTHERS.iter().for_each(Domain::barrier);
    assert_eq!(ran.load(Ordering::SeqCst), 100);
}

#[test(150)]
fn a_barrier_at_the_end_leaves_nothing_behind() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    if !valgrind.is_ok_and(|output| output.status.success()) {
        return skip("valgrind is not installed");
    }
    let honest = child("callbacks::ways::child_that_is_honest");
    let mut command = Command::new("valgrind");
    command
        .args(["--leak-check=full", "--errors-for-leak-kinds=definite"])
        .args(["--error-exitcode=99", "--fair-sched=yes"])
        .arg(honest.get_program())
        .args(honest.get_args());
    let (code, output) = run(&mut command, Duration::from_secs(120));
    // For 32-bit programs it needs symbols of their C library.
    if output.contains("valgrind:  Fatal error at startup") {
        return skip("valgrind cannot run this program here");
    }
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("1 passed"), "{output}");
    assert!(
        output.contains("definitely lost: 0 bytes") || output.contains("no leaks are possible"),
        "{output}"
    );
}

#[test]
#[ignore = "a child process of a_barrier_at_the_end_leaves_nothing_behind"]
fn child_that_is_honest() {
    // Nobody runs its callbacks but whoever drops it.
    let domain = Domain::new().run_by(Runner::Caller);
    let cell = Rcu::new(vec![0; 100]);
    let own = Rcu::new_in(String::from("a"), &domain);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for number in 0..300 {
                    cell.store(vec![number; 100]);
                    own.store(number.to_string());
                    let large = [Some(Box::new(number)), None, None, None, None];
                    urcu::call(move || drop(large));
                }
            });
        }
    });
    urcu::barrier();
}
