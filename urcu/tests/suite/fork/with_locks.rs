//! A handler forks and returns: the child goes on in the middle of an operation, while threads that it
//! does not have are inside locks, or it waits for them.

use std::fs;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use urcu::{Budget, Domain, Runner};
use urcu_host::affinity::cpus;

use crate::signals::install;
use crate::support::fork::{
    WAYS, assert_child, assert_ends_well, child_does, fork, limit_child, use_by_hand,
    use_everything,
};
use crate::support::{SetOnDrop, assert_child_passes};

/// Which of [`WAYS`] the handler takes.
static WAY: AtomicUsize = AtomicUsize::new(0);
/// The child that the handler made last; -1 in that child; 0: none yet.
static MADE: AtomicI32 = AtomicI32::new(0);

extern "C" fn forks(_: libc::c_int) {
    let process = WAYS[WAY.load(Ordering::SeqCst)].1();
    MADE.store(if process == 0 { -1 } else { process }, Ordering::SeqCst);
    if process == 0 {
        limit_child();
    }
}

/// Returns the address of the futex that a thread sleeps on, if it does: not where it may be inside the heap, of
/// which `fork` takes the locks. How long it has run, and how busy the machine is, would not tell.
pub(crate) fn asleep(thread: libc::pid_t) -> Option<String> {
    let call = fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let mut words = call.split_whitespace();
    let is_futex = words.next() == Some(&libc::SYS_futex.to_string());
    // Not the other arguments: sanitizers move what is on the stack.
    words.next().filter(|_| is_futex).map(str::to_owned)
}

/// Does `act` in a thread of its own, which forks by a signal when it has slept for a while, if `act`
/// is not over then. The child returns from `act`, and does `check`. `let_go` ends what `act` waits for
/// in the parent.
fn fork_inside<'a>(
    act: impl FnOnce() + Send + 'a,
    check: impl FnOnce() + Send + 'a,
    let_go: impl FnOnce() + 'a,
) -> bool {
    MADE.store(0, Ordering::SeqCst);
    let (started, start) = mpsc::channel();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let actor = scope.spawn(|| {
            // SAFETY: no arguments.
            let ids = unsafe { (libc::pthread_self(), libc::gettid()) };
            started.send(ids).unwrap();
            act();
            if MADE.load(Ordering::SeqCst) == -1 {
                child_does(check);
            }
            over.store(true, Ordering::SeqCst);
        });
        let (thread, id) = start.recv().unwrap();
        let waits = loop {
            let before = asleep(id);
            thread::sleep(Duration::from_millis(5));
            if over.load(Ordering::SeqCst) {
                break false;
            }
            if before.is_some() && asleep(id) == before {
                break true;
            }
        };
        if waits {
            // SAFETY: it is not joined yet.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
            while MADE.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            assert_ends_well(MADE.load(Ordering::SeqCst));
        }
        let_go();
        actor.join().unwrap();
        waits
    })
}

/// An action of a thread, with a name.
type Act<S> = (&'static str, fn(S));

/// For all ways to fork, with the handler installed.
fn by_every_way(body: impl Fn()) {
    install(libc::SIGUSR2, forks);
    for (number, (name, _)) in WAYS.into_iter().enumerate() {
        println!("{name}");
        WAY.store(number, Ordering::SeqCst);
        body();
    }
}

fn new(domain: Domain) -> &'static Domain {
    Box::leak(Box::new(domain))
}

#[test]
fn waits_without_a_limit_end_in_the_child() {
    assert_child_passes("fork::with_locks::child_of_waits");
}

#[test]
#[ignore = "a child process"]
fn child_of_waits() {
    let budget = Budget::new(1, 1 << 20).patience(Duration::MAX);
    let acts: [Act<&'static Domain>; 4] = [
        ("a cookie", |domain| {
            domain.start_poll().wait_timeout(Duration::MAX);
        }),
        ("a cookie that blocks", |domain| domain.start_poll().wait()),
        ("a barrier", |domain| {
            domain.call(|| ());
            domain.barrier();
        }),
        ("room in a budget", |domain| {
            // More than find room in a page of each CPU.
            (0..128 * (cpus().len() + 1)).for_each(|_| domain.call(|| ()))
        }),
    ];
    by_every_way(|| {
        for (name, act) in acts {
            println!("{name}");
            let domain = new(Domain::new().with_budget(budget));
            let (done, end) = mpsc::channel::<()>();
            let (began, begin) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(move || {
                    let guard = domain.read_lock();
                    began.send(()).unwrap();
                    let _ = end.recv();
                    drop(guard);
                });
                begin.recv().unwrap();
                let waits = fork_inside(|| act(domain), || use_everything(domain), || drop(done));
                assert!(waits, "{name} did not wait");
            });
        }
        // For a callback that another thread runs.
        let domain = new(Domain::new().run_by(Runner::Caller));
        let (done, end) = mpsc::channel::<()>();
        let (began, begin) = mpsc::channel();
        domain.call(move || {
            began.send(()).unwrap();
            let _ = end.recv();
        });
        thread::scope(|scope| {
            let runner = scope.spawn(|| while domain.run_callbacks(1) == 0 {});
            begin.recv().unwrap();
            let waits = fork_inside(|| domain.barrier(), || use_by_hand(domain), || drop(done));
            assert!(waits, "a barrier did not wait for a callback");
            runner.join().unwrap();
        });
    });
}

#[test]
fn a_child_may_set_hooks_whoever_was_about_to() {
    assert_child_passes("fork::with_locks::child_with_hooks");
}

/// Calls every hook, and sets it.
fn use_hooks(domain: &'static Domain) {
    urcu::set_callback_panic_hook(|_| ());
    // Without the program's own panic hook, whose locks are the standard library's.
    domain.call(|| resume_unwind(Box::new(())));
    domain.barrier();
    urcu::stall::set_hook(|_| ());
    urcu::stall::remove_hook();
    assert_eq!(domain.stats().callbacks_panicked, 1);
}

#[test]
#[ignore = "a child process"]
fn child_with_hooks() {
    let domain = new(Domain::new());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    urcu::set_callback_panic_hook(|_| ());
                }
            });
        }
        for _ in 0..200 {
            assert_child(fork, || use_hooks(domain));
        }
    });
}

#[test]
fn a_child_reports_a_stall_whoever_was_printing() {
    assert_child_passes("fork::with_locks::child_that_reports");
}

#[test]
#[ignore = "a child process"]
fn child_that_reports() {
    urcu::stall::set_timeout(Duration::from_millis(10));
    let domain = new(Domain::named("stalled in a child"));
    let (printing, prints) = mpsc::channel();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        scope.spawn(|| {
            let lock = std::io::stderr().lock();
            printing.send(()).unwrap();
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            drop(lock);
        });
        prints.recv().unwrap();
        assert_child(fork, || {
            let guard = domain.read_lock();
            thread::scope(|scope| {
                scope.spawn(|| domain.synchronize());
                while domain.stats().stalls == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                drop(guard);
            });
        });
    });
}

/// Locks that are held where the test wants.
#[cfg(rseq_ops_delay_injection)]
mod held {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Waker};

    use urcu::{Executor, GracePeriod, Job, testing};

    use super::*;

    /// Polls a future once and drops it.
    fn poll_once(domain: &'static Domain) {
        let mut future = pin!(domain.synchronize_async());
        let _ = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Does `other` in a thread that stops inside the first lock that it takes, the second, and so on;
    /// and meanwhile `act`, in the middle of which a handler forks if it waits. `make` makes what they
    /// share. How often it did wait.
    fn inside_every_lock<S: Sync + Copy + Send>(
        make: impl Fn() -> S,
        other: fn(S),
        act: fn(S),
        check: fn(S),
    ) -> usize {
        /// Without sequences every callback takes one, and a barrier some for every stripe.
        const MOST: u64 = 24;
        let (mut waited, mut locks) = (0, 0);
        for number in 1..=MOST {
            let shared = make();
            let over = AtomicBool::new(false);
            let stopped = thread::scope(|scope| {
                let over = &over;
                scope.spawn(move || {
                    testing::hold(number);
                    other(shared);
                    testing::hold(0);
                    over.store(true, Ordering::SeqCst);
                });
                while !testing::holds() && !over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
                let stopped = testing::holds();
                if stopped {
                    let waits = fork_inside(|| act(shared), || check(shared), testing::let_go);
                    waited += usize::from(waits);
                }
                stopped
            });
            if !stopped {
                break;
            }
            locks = number;
        }
        println!("{locks} locks, of which {waited} were waited for");
        waited
    }

    /// The same, until `act` has waited at all. Which lock is the n-th depends on what the worker does
    /// meanwhile, so that one turn may miss those that both take.
    fn inside_locks<S: Sync + Copy + Send>(
        name: &str,
        make: impl Fn() -> S,
        other: fn(S),
        act: fn(S),
        check: fn(S),
    ) {
        const TURNS: usize = 10;
        let waited = (0..TURNS).any(|_| inside_every_lock(&make, other, act, check) != 0);
        assert!(waited, "{name} waited for no lock");
    }

    #[test]
    fn a_child_takes_locks_that_its_parents_threads_hold() {
        assert_child_passes("fork::with_locks::held::child_with_locks");
    }

    #[test]
    #[ignore = "a child process"]
    fn child_with_locks() {
        let barrier: fn(&'static Domain) = |domain| {
            domain.call(|| ());
            domain.barrier();
        };
        let future: fn(&'static Domain) = |domain| {
            let guard = domain.read_lock();
            poll_once(domain);
            drop(guard);
        };
        let calls: fn(&'static Domain) = |domain| (0..260).for_each(|_| domain.call(|| ()));
        // A barrier takes the locks of all stripes, whichever one the other thread has.
        let acts = [
            ("call", barrier, calls),
            ("barrier", barrier, barrier),
            ("a future", future, future),
        ];
        by_every_way(|| {
            for (name, other, act) in acts {
                println!("{name}");
                let make = || {
                    let domain = new(Domain::new());
                    domain.call(|| ());
                    domain.barrier();
                    domain
                };
                inside_locks(name, make, other, act, use_everything);
            }
        });
    }

    #[test]
    fn a_child_drops_a_domain_that_its_parents_threads_use() {
        assert_child_passes("fork::with_locks::held::child_of_drops");
    }

    static JOBS: Mutex<Vec<Job>> = Mutex::new(Vec::new());
    static COOKIE: Mutex<Option<GracePeriod>> = Mutex::new(None);

    #[derive(Debug)]
    struct Bench;

    impl Executor for Bench {
        fn execute(&self, job: Job) {
            JOBS.lock().unwrap().push(job);
        }
    }

    #[test]
    #[ignore = "a child process"]
    fn child_of_drops() {
        let make = || {
            JOBS.lock().unwrap().clear();
            let domain = Box::new(Domain::new().run_by(Runner::Executor(&Bench)));
            *COOKIE.lock().unwrap() = Some(domain.start_poll());
            domain.call(|| ());
            Box::into_raw(domain).expose_provenance()
        };
        let act = |domain| {
            // SAFETY: from `make`, and the others use its cookies and jobs alone.
            drop(unsafe { Box::<Domain>::from_raw(std::ptr::with_exposed_provenance_mut(domain)) });
        };
        let others: [Act<usize>; 2] = [
            ("a job", |_| {
                let job = JOBS.lock().unwrap().pop();
                let mut job = job.expect("a job");
                (0..4).for_each(|_| _ = job.run());
            }),
            ("a cookie", |_| {
                let cookie = COOKIE.lock().unwrap().take().expect("a cookie");
                cookie.is_over();
                cookie.wait();
            }),
        ];
        by_every_way(|| {
            for (name, other) in others {
                println!("{name}");
                let check = |_| use_everything(urcu::global());
                inside_locks(name, make, other, act, check);
            }
        });
    }

    #[test]
    fn a_child_sets_hooks_that_its_parents_threads_were_setting() {
        assert_child_passes("fork::with_locks::held::child_of_hooks");
    }

    #[test]
    #[ignore = "a child process"]
    fn child_of_hooks() {
        let setters: [fn(); 2] = [
            || urcu::set_callback_panic_hook(|_| ()),
            || urcu::stall::set_hook(|_| ()),
        ];
        for setter in setters {
            thread::scope(|scope| {
                scope.spawn(|| {
                    testing::hold(1);
                    setter();
                });
                while !testing::holds() {
                    thread::sleep(Duration::from_millis(1));
                }
                let domain = new(Domain::new());
                WAYS.into_iter()
                    .for_each(|(_, way)| assert_child(way, || use_hooks(domain)));
                testing::let_go();
            });
        }
    }
}
