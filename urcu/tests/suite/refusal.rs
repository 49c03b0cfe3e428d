//! What happens when the kernel grants membarrier first and refuses it later.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use urcu::Domain;
use urcu_host::seccomp::Filter;

use crate::support::{assert_child_passes, sequences, skip};

#[test]
fn a_refused_grace_period_panics_and_says_what_to_do() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    let domain = Domain::new();
    domain.synchronize(); // The process decides here that it has membarrier.
    let message = thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            Filter::new(&[libc::SYS_membarrier], libc::EPERM)
                .install()
                .unwrap();
            // Unless the barrier of another test's thread comes in time each time.
            loop {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| domain.synchronize())) {
                    return payload;
                }
            }
        });
        let payload = filtered.join().unwrap();
        payload.downcast_ref::<String>().expect("a message").clone()
    });
    assert!(
        message.contains("membarrier(2) refused with errno 1"),
        "{message}"
    );
    assert!(message.contains("before the first use of RCU"), "{message}");
}

#[test]
fn a_refusal_for_want_of_memory_passes() {
    assert_child_passes("refusal::child_without_memory_for_a_while");
}

/// Ten tries are made within some milliseconds by `rseq_ops`, more after pauses by whoever waits or
/// comes again. Nobody panics, and whoever else waits returns too.
#[test]
#[ignore = "a child process"]
fn child_without_memory_for_a_while() {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        use urcu::Runner;
        use urcu_host::transient::{refusals_left, refuse_membarrier, trap_membarrier};

        if !sequences() {
            return skip("nothing to refuse: no sequences in this process");
        }
        static DOMAIN: Domain = Domain::named("refused").run_by(Runner::Caller);
        DOMAIN.synchronize();
        let waits: [fn(); 5] = [
            || DOMAIN.synchronize(),
            || DOMAIN.start_poll().wait(),
            || {
                let grace_period = DOMAIN.start_poll();
                while !DOMAIN.poll(&grace_period) {}
            },
            || {
                DOMAIN.call(|| ());
                DOMAIN.barrier();
            },
            || {
                DOMAIN.call(|| ());
                while DOMAIN.run_callbacks(1) == 0 {}
            },
        ];
        for errno in [libc::ENOMEM, libc::EAGAIN, libc::EINTR] {
            for wait in waits {
                let filtered = thread::spawn(move || {
                    trap_membarrier().unwrap();
                    refuse_membarrier(35, errno);
                    // Others may lead each time.
                    while refusals_left() != 0 {
                        wait();
                    }
                });
                let others = [(); 2].map(|()| thread::spawn(|| DOMAIN.synchronize()));
                filtered.join().expect("no panic");
                for other in others {
                    other.join().expect("no panic");
                }
            }
        }
    }
}

#[test]
fn a_refusal_that_lasts_names_its_cause() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    let domain = Domain::new();
    domain.synchronize();
    let message = thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            Filter::new(&[libc::SYS_membarrier], libc::ENOMEM)
                .install()
                .unwrap();
            // Unless others lead each time.
            loop {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| domain.synchronize())) {
                    return payload;
                }
            }
        });
        // Whoever has the barrier does not wait for those who have not.
        (0..100).for_each(|_| domain.synchronize());
        let payload = filtered.join().unwrap();
        payload.downcast_ref::<String>().expect("a message").clone()
    });
    assert!(message.contains("refused with errno 12"), "{message}");
    assert!(message.contains("lacks memory"), "{message}");
    assert!(!message.contains("filter"), "{message}");
}

#[test]
fn a_panic_hook_may_wait_while_barriers_are_refused() {
    assert_child_passes("refusal::child_with_a_panic_hook");
}

/// The program's panic hook waits, on the thread that is refused and through one that is not: neither
/// the domain's lead nor that of the process's barriers is held.
#[test]
#[ignore = "a child process of the test above, which sets the panic hook"]
fn child_with_a_panic_hook() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    static DOMAIN: Domain = Domain::named("refused");
    static OTHER: Domain = Domain::named("another");
    static WAITED: AtomicBool = AtomicBool::new(false);
    DOMAIN.synchronize();
    OTHER.synchronize();
    let (ask, asked) = mpsc::channel::<mpsc::Sender<()>>();
    // A thread without a filter.
    thread::spawn(move || {
        for answer in asked {
            DOMAIN.synchronize();
            OTHER.synchronize();
            answer.send(()).unwrap();
        }
    });
    let ask = Mutex::new(ask);
    std::panic::set_hook(Box::new(move |_| {
        let (answer, answered) = mpsc::channel();
        ask.lock().unwrap().send(answer).unwrap();
        answered.recv().unwrap();
        // The other thread's grace period is over for this one too.
        DOMAIN.start_poll();
        WAITED.store(true, Ordering::SeqCst);
    }));
    let waits: [fn(); 4] = [
        || DOMAIN.synchronize(),
        || DOMAIN.start_poll().wait(),
        || assert_eq!(urcu::Rcu::new_in(1, &DOMAIN).replace(2), 1),
        || while !DOMAIN.start_poll().is_over() {},
    ];
    for wait in waits {
        let filtered = thread::spawn(move || {
            Filter::new(&[libc::SYS_membarrier], libc::EPERM)
                .install()
                .unwrap();
            // Unless others lead each time.
            while catch_unwind(wait).is_ok() {}
        });
        filtered.join().unwrap();
        assert!(WAITED.swap(false, Ordering::SeqCst));
    }
    let _ = std::panic::take_hook();
    OTHER.synchronize();
}

#[test]
fn after_a_refused_grace_period_none_ends_before_the_sections_of_its_time() {
    assert_child_passes("refusal::child_with_one_filtered_thread");
}

/// A filter may be on one thread only, and `membarrier` may lack memory for once: the next grace
/// period, elsewhere, must not believe that the refused one has drained its phase.
#[test]
#[ignore = "a child process of the test above, because a domain may stay unusable"]
fn child_with_one_filtered_thread() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    static DOMAIN: Domain = Domain::named("refused");
    static RETURNED: AtomicBool = AtomicBool::new(false);
    let guard = DOMAIN.read_lock();
    let filtered = thread::spawn(|| {
        Filter::new(&[libc::SYS_membarrier], libc::EPERM)
            .install()
            .unwrap();
        assert!(catch_unwind(|| DOMAIN.synchronize()).is_err());
    });
    filtered.join().unwrap();
    // It may panic, and it may wait; it must not return.
    thread::spawn(|| {
        if catch_unwind(|| DOMAIN.synchronize()).is_ok() {
            RETURNED.store(true, Ordering::SeqCst);
        }
    });
    thread::sleep(Duration::from_millis(100));
    assert!(
        !RETURNED.load(Ordering::SeqCst),
        "a grace period ended although a section that began before it is open"
    );
    drop(guard);
}

#[test]
fn a_grace_period_whose_barrier_is_refused_for_a_while_is_not_over() {
    if !sequences() {
        return skip("nothing to refuse: no sequences in this process");
    }
    let domain = Domain::new().run_by(urcu::Runner::Caller);
    domain.synchronize();
    let guard = domain.read_lock();
    thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            Filter::new(&[libc::SYS_membarrier], libc::ENOMEM)
                .install()
                .unwrap();
            let grace_period = domain.start_poll();
            (0..3).any(|_| domain.poll(&grace_period))
        });
        assert!(!filtered.join().unwrap(), "over in the middle of a section");
    });
    drop(guard);
}

#[test]
fn the_worker_tells_once_of_each_time_that_its_barriers_are_refused() {
    assert_child_passes("refusal::child_with_a_refused_worker");
}

#[test]
#[ignore = "a child process of the test above, which sets the panic hook"]
fn child_with_a_refused_worker() {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        use urcu_host::transient::{forgo_refusals, refuse_membarrier, trap_membarrier};

        if !sequences() {
            return skip("nothing to refuse: no sequences in this process");
        }
        let (told, tells) = mpsc::channel();
        let told = Mutex::new(told);
        std::panic::set_hook(Box::new(move |info| {
            told.lock().unwrap().send(info.to_string()).unwrap();
        }));
        // A filter is one thread's. On a slow machine the thread that stands by may drive instead, which
        // has none, or one from an earlier round: then not everything was refused, and each of the two
        // tells, or neither, because one has told of an earlier round what goes on for it. Never is each
        // refusal told.
        let (mut rounds, mut whole) = (0, true);
        let mut wrong = None;
        for _ in 0..20 {
            let (sender, done) = mpsc::channel();
            let filtered = sender.clone();
            urcu::call(move || {
                trap_membarrier().unwrap();
                refuse_membarrier(4, libc::EPERM);
                filtered.send(()).unwrap();
            });
            done.recv().unwrap();
            urcu::call(move || sender.send(()).unwrap());
            done.recv().unwrap();
            let before = std::mem::replace(&mut whole, forgo_refusals() == 0);
            let told: Vec<_> = tells.try_iter().collect();
            if told.len() > 2 || !told.iter().all(|text| text.contains("refused")) {
                wrong = Some(told);
                break;
            }
            rounds += usize::from(before && whole && !told.is_empty());
            if rounds == 3 {
                break;
            }
        }
        // Before anything panics here.
        let _ = std::panic::take_hook();
        assert_eq!(wrong, None, "told");
        assert!(
            rounds > 0,
            "nothing was refused to the end, and told, in 20 attempts"
        );
    }
}
