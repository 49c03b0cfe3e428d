//! The library's own threads: whoever drives is not inside a user's code, and that runs as it would on
//! a thread of the program's.

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Executor, Job, Runner, Threads};
use urcu_host::affinity::{cpus, run_on};
use urcu_host::seccomp::Filter;

use crate::forked::{assert_child, block_on, fork};
use crate::support::{SetOnDrop, assert_child_passes, child, run, skip};

/// Runs each job on a thread of its own.
struct Spawning;

impl Executor for Spawning {
    fn execute(&self, mut job: Job) {
        thread::spawn(move || {
            while let Some(pause) = job.run() {
                thread::sleep(pause);
            }
        });
    }
}

/// Runs all jobs on one thread, one after the other, which is not there for others while a callback
/// blocks.
struct OneThread(Mutex<Option<mpsc::Sender<Job>>>);

impl Executor for OneThread {
    fn execute(&self, job: Job) {
        let mut sender = self.0.lock().unwrap();
        let sender = sender.get_or_insert_with(|| {
            let (sender, jobs) = mpsc::channel::<Job>();
            thread::spawn(move || {
                for mut job in jobs {
                    while let Some(pause) = job.run() {
                        thread::sleep(pause);
                    }
                }
            });
            sender
        });
        sender.send(job).unwrap();
    }
}

static SPAWNING: Spawning = Spawning;
static ONE_THREAD: OneThread = OneThread(Mutex::new(None));

/// A domain of each runner under which callbacks run without anybody's doing.
fn domains() -> [&'static Domain; 4] {
    let runners = [
        Runner::Shared,
        Runner::OwnThread,
        Runner::Executor(&SPAWNING),
        Runner::Executor(&ONE_THREAD),
    ];
    runners.map(|runner| &*Box::leak(Box::new(Domain::new().run_by(runner))))
}

/// The same, and one whose callers do everything.
fn all_domains() -> Vec<&'static Domain> {
    let caller = Box::leak(Box::new(Domain::new().run_by(Runner::Caller)));
    domains().into_iter().chain([&*caller]).collect()
}

#[test]
fn a_callback_may_await_a_grace_period_of_any_domain() {
    for called in domains() {
        for awaited in all_domains().into_iter().chain([called]) {
            let (sender, done) = mpsc::channel();
            let guard = awaited.read_lock();
            let (begun, inside) = mpsc::channel();
            called.call(move || {
                begun.send(()).unwrap();
                block_on(awaited.synchronize_async());
                sender.send(()).unwrap();
            });
            if std::ptr::eq(called, awaited) {
                drop(guard);
                done.recv().unwrap();
            } else {
                inside.recv().unwrap();
                thread::sleep(Duration::from_millis(5));
                assert!(done.try_recv().is_err(), "over too early");
                drop(guard);
                done.recv().unwrap();
            }
        }
    }
}

#[test]
fn what_was_awaited_before_a_callback_blocks_is_driven_too() {
    static HELD: Domain = Domain::named("held");
    for (number, called) in domains().into_iter().enumerate() {
        // Not those of one executor that has no thread left for the other's job.
        let others = all_domains().into_iter().enumerate();
        let others = others.filter(|(other, _)| (number, *other) != (3, 3));
        for awaited in others.map(|(_, other)| other).chain([called]) {
            let section = awaited.read_lock();
            let (waits, waiting) = mpsc::channel();
            // Awaits with a guard for which the callback waits.
            let waiter = thread::spawn(move || {
                let guard = HELD.read_lock();
                let mut future = pin!(awaited.synchronize_async());
                let mut context = Context::from_waker(Waker::noop());
                assert!(future.as_mut().poll(&mut context).is_pending());
                waits.send(()).unwrap();
                block_on(future);
                drop(guard);
            });
            waiting.recv().unwrap();
            let (begun, inside) = mpsc::channel();
            let (sender, done) = mpsc::channel();
            called.call(move || {
                begun.send(()).unwrap();
                HELD.synchronize();
                sender.send(()).unwrap();
            });
            if std::ptr::eq(called, awaited) {
                drop(section);
            } else {
                inside.recv().unwrap();
                drop(section);
            }
            waiter.join().unwrap();
            done.recv().unwrap();
        }
    }
}

/// A waker that says so.
struct Says(Mutex<mpsc::Sender<()>>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().send(()).unwrap();
    }
}

/// A callback waits for a grace period that others ask for all the time. The longest time in which
/// nobody did.
fn longest_pause_between_questions() -> Duration {
    let [called, awaited] = [(); 2].map(|()| &*Box::leak(Box::new(Domain::new())));
    let section = awaited.read_lock();
    let (waits, waiting) = mpsc::channel();
    let (sender, woken) = mpsc::channel();
    let (returns, done) = mpsc::channel();
    called.call(move || {
        let waker = Waker::from(Arc::new(Says(Mutex::new(sender))));
        let mut future = pin!(awaited.synchronize_async());
        let mut context = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
        waits.send(()).unwrap();
        woken.recv().unwrap();
        returns.send(()).unwrap();
    });
    waiting.recv().unwrap();
    let over = AtomicBool::new(false);
    let pauses = Mutex::new((Instant::now(), Duration::ZERO));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = awaited.start_poll();
                    let (last, longest) = &mut *pauses.lock().unwrap();
                    *longest = last.elapsed().max(*longest);
                    *last = Instant::now();
                }
            });
        }
        drop(section);
        let answer = done.recv_timeout(Duration::from_secs(30));
        over.store(true, Ordering::Relaxed);
        answer.expect("nobody drives while a callback waits");
    });
    pauses.into_inner().unwrap().1
}

#[test]
fn who_asks_again_and_again_does_not_keep_others_from_driving() {
    // On a busy machine all those who ask may have paused: then nothing was seen.
    let seen = (0..40).any(|_| longest_pause_between_questions() < Duration::from_millis(5));
    assert!(seen, "nobody drives unless the others pause");
}

/// A waker that awaits something itself.
struct Blocking(&'static Domain, mpsc::Sender<()>);

impl Wake for Blocking {
    fn wake(self: Arc<Self>) {
        block_on(self.0.synchronize_async());
        self.1.send(()).unwrap();
    }
}

#[test]
fn wakers_and_callbacks_that_block_do_not_stop_one_another() {
    let domain = || -> &'static Domain { Box::leak(Box::new(Domain::new())) };
    let (awaited, called) = (domain(), domain());
    let (sender, done) = mpsc::channel();
    let guard = awaited.read_lock();
    let waker = Waker::from(Arc::new(Blocking(domain(), sender.clone())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(awaited.synchronize_async());
    assert!(future.as_mut().poll(&mut context).is_pending());
    called.call(move || {
        // Whose waker blocks in turn, and the one after it.
        let (inner, woken) = mpsc::channel();
        let mut futures: Vec<_> = (0..3)
            .map(|_| Box::pin(awaited.synchronize_async()))
            .collect();
        for future in &mut futures {
            let waker = Waker::from(Arc::new(Blocking(domain(), inner.clone())));
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        sender.send(()).unwrap();
        futures.iter().for_each(|_| woken.recv().unwrap());
        sender.send(()).unwrap();
    });
    done.recv().unwrap();
    drop(guard);
    (0..2).for_each(|_| done.recv().unwrap());
}

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("/proc").count()
}

#[test]
fn where_callers_or_executors_drive_no_thread_is_started() {
    assert_child_passes("threads::child_without_shared_domains");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_without_shared_domains() {
    /// Drops all jobs.
    struct Never;
    impl Executor for Never {
        fn execute(&self, _: Job) {}
    }
    static NEVER: Never = Never;
    let before = threads();
    for runner in [Runner::Caller, Runner::Executor(&NEVER)] {
        let domain = Domain::new().run_by(runner);
        let guard = domain.read_lock();
        let cookie = domain.start_poll();
        assert!(!domain.poll(&cookie));
        assert!(!cookie.wait_timeout(Duration::from_millis(3)));
        let mut future = pin!(domain.synchronize_async());
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(guard);
        block_on(future);
        assert!(domain.poll(&cookie));
        domain.call(|| ());
        domain.barrier();
        assert_eq!(threads(), before, "{runner:?}");
    }
}

#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn whoever_waits_wakes_those_who_await_the_same_domain() {
    static DOMAIN: Domain = Domain::named("awaited by one").run_by(Runner::Caller);
    let ways: [fn(); 4] = [
        || DOMAIN.start_poll().wait(),
        || assert!(DOMAIN.start_poll().wait_timeout(Duration::MAX)),
        || DOMAIN.synchronize(),
        || {
            DOMAIN.call(|| ());
            DOMAIN.barrier();
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let count = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let guard = DOMAIN.read_lock();
        let mut future = pin!(DOMAIN.synchronize_async());
        assert!(future.as_mut().poll(&mut context).is_pending());
        // Nobody drives yet, so it asks to be polled again.
        let asked = count.0.load(Ordering::SeqCst);
        assert_eq!(asked, 1, "way {number}");
        drop(guard);
        way();
        assert_eq!(count.0.load(Ordering::SeqCst), 2, "way {number}");
        assert!(future.as_mut().poll(&mut context).is_ready());
    }
}

#[test]
fn while_another_waits_who_awaits_does_not_ask_to_be_polled_again() {
    static DOMAIN: Domain = Domain::named("driven by a waiter").run_by(Runner::Caller);
    let count = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let guard = DOMAIN.read_lock();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    let mut future = pin!(DOMAIN.synchronize_async());
    // Until the other one waits.
    loop {
        let before = count.0.load(Ordering::SeqCst);
        assert!(future.as_mut().poll(&mut context).is_pending());
        if count.0.load(Ordering::SeqCst) == before {
            break;
        }
        thread::yield_now();
    }
    let before = count.0.load(Ordering::SeqCst);
    drop(guard);
    waiter.join().unwrap();
    // At the latest when the last waiter has left.
    assert_eq!(count.0.load(Ordering::SeqCst), before + 1);
    block_on(future);
}

/// A waker that takes a lock.
struct Locking(Arc<Mutex<()>>, mpsc::Sender<()>);

impl Wake for Locking {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap());
        self.1.send(()).unwrap();
    }
}

#[test]
fn nobody_is_woken_by_a_thread_of_the_programs() {
    for runner in [Runner::Shared, Runner::OwnThread] {
        let lock = Arc::new(Mutex::new(()));
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Locking(Arc::clone(&lock), sender)));
        let mut context = Context::from_waker(&waker);
        let domain: &Domain = Box::leak(Box::new(Domain::new().run_by(runner)));
        let ways: [&dyn Fn(); 5] = [
            &|| domain.synchronize(),
            &|| domain.start_poll().wait(),
            &|| while !domain.poll(&domain.start_poll()) {},
            &|| domain.barrier(),
            // As many as begin a grace period.
            &|| (0..10_000).for_each(|number| domain.defer_drop(number)),
        ];
        for way in ways {
            let guard = domain.read_lock();
            let mut future = pin!(domain.synchronize_async());
            assert!(future.as_mut().poll(&mut context).is_pending());
            let locked = lock.lock().unwrap();
            drop(guard);
            way();
            drop(locked);
            woken.recv().unwrap();
        }
    }
}

/// Queues ten callbacks with `call` where no thread can be started.
fn call_in_vain(domain: &'static Domain, sender: &mpsc::Sender<i32>) {
    let sender = sender.clone();
    let filtered = thread::spawn(move || {
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
        for number in 0..10 {
            let sender = sender.clone();
            domain.call(move || sender.send(number).unwrap());
        }
    });
    filtered.join().unwrap();
}

#[test]
fn the_next_callback_starts_the_worker_that_could_not_be_started() {
    assert_child_passes("threads::child_without_threads_at_first");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_without_threads_at_first() {
    // On one CPU, or another one's first callback would start it in any case.
    run_on(&cpus()[..1]);
    for runner in [Runner::Shared, Runner::OwnThread] {
        let domain: &Domain = Box::leak(Box::new(Domain::new().run_by(runner)));
        let (sender, ran) = mpsc::channel();
        call_in_vain(domain, &sender);
        if let Runner::Shared = runner {
            // An attempt that fails is not repeated at once.
            thread::sleep(Duration::from_millis(50));
            assert!(ran.try_recv().is_err(), "somebody ran it");
            domain.call(move || sender.send(10).unwrap());
            assert_eq!(ran.iter().take(11).sum::<i32>(), 55);
        } else {
            // The worker tries again, whatever the program does.
            assert_eq!(ran.iter().take(10).sum::<i32>(), 45);
        }
    }
}

#[test]
fn whatever_waits_starts_the_thread_that_could_not_be_started() {
    assert_child_passes("threads::child_that_waits_later");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_waits_later() {
    static DOMAIN: Domain = Domain::named("waited for later");
    let (sender, ran) = mpsc::channel();
    let filtered = thread::spawn(move || {
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
        DOMAIN.call(move || sender.send(()).unwrap());
    });
    filtered.join().unwrap();
    thread::sleep(Duration::from_millis(50));
    assert!(ran.try_recv().is_err(), "somebody ran it");
    DOMAIN.synchronize();
    ran.recv().unwrap();
}

#[test]
fn without_a_thread_of_its_own_a_domain_is_driven_all_the_same() {
    // The worker is there.
    urcu::call(|| ());
    urcu::barrier();
    let filtered = thread::spawn(|| {
        let domain = Domain::new().run_by(Runner::OwnThread);
        let (sender, guards) = mpsc::channel();
        let guard: urcu::ReadGuard<'_> = domain.read_lock();
        sender.send(guard).unwrap();
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
        domain.call(|| ());
        let mut future = pin!(domain.synchronize_async());
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        drop(guards.recv().unwrap());
        block_on(future);
    });
    filtered.join().unwrap();
}

/// The calling thread's mask: signals from 1 to 64, as bits.
fn mask() -> u64 {
    // SAFETY: the set is valid for the write, and filled before it is read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
        (1..=64)
            .filter(|signal| libc::sigismember(&raw const set, *signal) == 1)
            .fold(0, |mask, signal| mask | 1 << (signal - 1))
    }
}

/// What a thread's own instructions raise.
const SYNCHRONOUS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

struct SendsMask(mpsc::Sender<u64>);

impl Drop for SendsMask {
    fn drop(&mut self) {
        self.0.send(mask()).unwrap();
    }
}

impl Wake for SendsMask {
    fn wake(self: Arc<Self>) {
        // Dropped here.
    }
}

#[test]
fn a_users_code_has_the_mask_of_the_programs_threads() {
    assert_child_passes("threads::child_with_a_mask");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_mask() {
    // SAFETY: the set is filled before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGUSR2);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
    let expected = mask();
    assert_eq!(expected, 1 << (libc::SIGUSR2 - 1));
    let (sender, masks) = mpsc::channel();
    let start = sender.clone();
    urcu::set_threads(Threads::new().on_start(move || {
        start.send(mask()).unwrap();
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert_eq!(mask(), expected, "after a hook was set");
    let of_callbacks = sender.clone();
    urcu::set_callback_panic_hook(move |_| of_callbacks.send(mask()).unwrap());
    for runner in [Runner::Shared, Runner::OwnThread] {
        let domain: &Domain = Box::leak(Box::new(Domain::named("masks").run_by(runner)));
        let more = sender.clone();
        domain.call(move || {
            more.send(mask()).unwrap();
            // What is started inside a callback is as if the program had started it.
            let theirs = more.clone();
            let spawned = thread::spawn(move || theirs.send(mask()).unwrap());
            spawned.join().unwrap();
            let other: &Domain = Box::leak(Box::new(Domain::new().run_by(Runner::OwnThread)));
            other.call(move || more.send(mask()).unwrap());
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        domain.defer_drop(SendsMask(sender.clone()));
        // One start at least, three callbacks and threads, a panic and a drop.
        for number in 0..6 {
            assert_eq!(masks.recv().unwrap(), expected, "{runner:?}: {number}");
        }
        let guard = domain.read_lock();
        let mut future = pin!(domain.synchronize_async());
        let waker = Waker::from(Arc::new(SendsMask(sender.clone())));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop((waker, guard));
        assert_eq!(masks.recv().unwrap(), expected, "{runner:?}: a waker");
    }
    assert_eq!(mask(), expected, "where threads were started");
    // Asleep, all is blocked that the program sends, and nothing that the thread raises itself.
    let blocked = || blocked_by("urcu-callbacks");
    // In the end, before the deadline: while libc creates a thread it blocks all of them itself.
    let is_shielded = |mask: &u64| {
        mask & 1 << (libc::SIGTERM - 1) != 0
            && SYNCHRONOUS
                .iter()
                .all(|signal| mask & 1 << (signal - 1) == 0)
    };
    while !blocked().iter().all(is_shielded) {
        thread::yield_now();
    }
    std::mem::forget(masks); // Threads that start later send too.
}

#[test]
fn a_hook_for_stalls_has_the_mask_of_the_programs_threads() {
    assert_child_passes("threads::child_with_a_stall");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_stall() {
    static DOMAIN: Domain = Domain::named("stalled");
    let (sender, masks) = mpsc::channel();
    urcu::stall::set_timeout(Duration::from_millis(5));
    urcu::stall::set_hook(move |_| {
        let sender = sender.clone();
        sender.send(mask()).unwrap();
        let spawned = thread::spawn(move || sender.send(mask()).unwrap());
        spawned.join().unwrap();
    });
    let expected = mask();
    let guard = DOMAIN.read_lock();
    // The worker's to report.
    drop(DOMAIN.start_poll());
    for _ in 0..2 {
        assert_eq!(masks.recv().unwrap(), expected);
    }
    std::mem::forget(masks);
    drop(guard);
}

#[test]
fn destructors_of_thread_local_data_have_the_mask_of_the_programs_threads() {
    thread_local! {
        static LAST: RefCell<Option<SendsMask>> = const { RefCell::new(None) };
    }
    let domain = Domain::new().run_by(Runner::OwnThread);
    let (sender, masks) = mpsc::channel();
    let (says, set) = mpsc::channel();
    domain.call(move || {
        LAST.set(Some(SendsMask(sender)));
        says.send(()).unwrap();
    });
    set.recv().unwrap();
    drop(domain);
    assert_eq!(masks.recv().unwrap(), mask());
}

#[test]
fn a_hook_for_stalls_does_not_keep_whoever_drives_where_no_thread_can_be_started() {
    assert_child_passes("threads::child_with_a_stall_and_without_threads");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_a_stall_and_without_threads() {
    static STALLED: Domain = Domain::named("stalled");
    static AWAITED: Domain = Domain::named("awaited");
    let (says, refused) = mpsc::channel();
    let refuse = || Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN).install();
    STALLED.call(move || {
        refuse().unwrap();
        says.send(()).unwrap();
    });
    refused.recv().unwrap();
    // From here on nobody can start a thread.
    refuse().unwrap();
    let (waits, waiting) = mpsc::channel();
    let (over, done) = mpsc::channel();
    urcu::stall::set_timeout(Duration::from_millis(5));
    urcu::stall::set_hook(move |_| {
        let mut future = pin!(AWAITED.synchronize_async());
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Says(Mutex::new(sender))));
        while future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            waits.send(()).unwrap();
            woken.recv().unwrap();
        }
        over.send(()).unwrap();
    });
    let (stalled, awaited) = (STALLED.read_lock(), AWAITED.read_lock());
    // The worker's to report.
    let _ = STALLED.start_poll();
    waiting.recv().unwrap();
    drop(awaited);
    done.recv().unwrap();
    std::mem::forget((waiting, done)); // It may be reported again.
    drop(stalled);
}

/// Panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

#[test]
fn hooks_that_are_replaced_while_they_run_may_panic_when_they_are_dropped() {
    assert_child_passes("threads::child_with_hooks_that_panic_when_dropped");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_hooks_that_panic_when_dropped() {
    static CALLED: Domain = Domain::named("called").run_by(Runner::Caller);
    let panics = Panics;
    urcu::set_callback_panic_hook(move |_| {
        let _ = &panics;
        urcu::set_callback_panic_hook(|_| ());
    });
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    CALLED.call(|| std::panic::resume_unwind(Box::new("on purpose")));
    CALLED.call(move || _ = count.fetch_add(1, Ordering::Relaxed));
    while CALLED.run_callbacks(10) == 0 {}
    assert_eq!(ran.load(Ordering::Relaxed), 1, "the next one did not run");
    CALLED.barrier(); // Panics inside a callback.

    // The same for what a thread begins with: it is there all the same.
    let panics = Panics;
    urcu::set_threads(Threads::new().on_start(move || {
        let _ = &panics;
        urcu::set_threads(Threads::new());
    }));
    let (sender, done) = mpsc::channel();
    urcu::call(move || sender.send(()).unwrap());
    done.recv().unwrap();

    // And for stalls.
    let panics = Panics;
    urcu::stall::set_timeout(Duration::from_millis(5));
    let (sender, reported) = mpsc::channel();
    urcu::stall::set_hook(move |_| {
        let _ = &panics;
        urcu::stall::set_hook(|_| ());
        sender.send(()).unwrap();
    });
    static STALLED: Domain = Domain::named("stalled");
    let guard = STALLED.read_lock();
    thread::scope(|scope| {
        let waits = scope.spawn(|| STALLED.synchronize());
        reported.recv().unwrap();
        drop(guard);
        waits.join().unwrap();
    });
}

/// What threads of that name block.
fn blocked_by(name: &str) -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter(|status| status.starts_with(&format!("Name:\t{name}\n")))
        .map(|status| {
            let line = status.lines().find(|line| line.starts_with("SigBlk:"));
            let mask = line.expect("a mask").split_whitespace().nth(1).unwrap();
            u64::from_str_radix(mask, 16).unwrap()
        })
        .collect()
}

#[test]
fn beside_a_pinned_caller_of_real_time_priority_the_worker_runs() {
    assert_child_passes("threads::child_of_real_time");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_of_real_time() {
    let all = cpus();
    if all.len() < 2 {
        return skip("one CPU");
    }
    // SAFETY: numbers and a valid set of parameters; 0 is the calling thread.
    let caller = thread::spawn(move || unsafe {
        run_on(&all[..1]);
        let parameters = libc::sched_param { sched_priority: 10 };
        if libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) != 0 {
            return skip("no real-time priority for this user");
        }
        for runner in [Runner::Shared, Runner::OwnThread] {
            let domain: &Domain = Box::leak(Box::new(Domain::new().run_by(runner)));
            let (sender, seen) = mpsc::channel();
            domain.call(move || {
                let policy = libc::sched_getscheduler(0);
                let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
                sender.send((policy, nice, cpus())).unwrap();
            });
            // It does not let go of its CPU.
            let seen = loop {
                if let Ok(seen) = seen.try_recv() {
                    break seen;
                }
            };
            assert_eq!(seen, (libc::SCHED_OTHER, 0, all.clone()));
        }
    });
    caller.join().unwrap();
}

#[test]
fn the_worker_has_the_nice_value_of_the_process() {
    assert_child_passes("threads::child_of_a_nice_thread");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_of_a_nice_thread() {
    // SAFETY: numbers alone.
    let nice = |thread| unsafe { libc::getpriority(libc::PRIO_PROCESS, thread) };
    let main = nice(std::process::id());
    let caller = thread::spawn(move || {
        // SAFETY: as above.
        let lowered = |to| unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, to) == 0 };
        if !lowered(19) || !lowered(main) || !lowered(19) {
            return skip("this user may not raise priorities");
        }
        let (sender, seen) = mpsc::channel();
        urcu::call(move || sender.send(nice(0)).unwrap());
        assert_eq!(seen.recv().unwrap(), main);
    });
    caller.join().unwrap();
}

/// A list that is dropped by recursion, with so many bytes of stack for each node at least.
struct Node(Option<Box<Node>>);

impl Drop for Node {
    fn drop(&mut self) {
        let room = [0u8; 1024];
        drop(self.0.take());
        std::hint::black_box(&room);
    }
}

fn list(length: usize) -> Node {
    (0..length).fold(Node(None), |node, _| Node(Some(Box::new(node))))
}

/// Needs more than the usual 2 MiB.
const DEEP: usize = 8 << 10;

#[test]
fn the_stacks_size_is_chosen_by_the_program_or_the_environment() {
    for (variable, value) in [("", ""), ("URCU_MIN_STACK", "67108864")] {
        let mut command = child("threads::child_with_deep_lists");
        if !variable.is_empty() {
            command.env(variable, value);
        }
        let (code, output) = run(&mut command, Duration::from_secs(60));
        assert_eq!(code, Some(0), "{variable}={value}:\n{output}");
    }
    // Else it is too small, which is said (SIGSEGV is not blocked).
    let mut command = child("threads::child_with_deep_lists");
    command.env("URCU_MIN_STACK", "1048576");
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, None, "{output}");
    assert!(output.contains("has overflowed its stack"), "{output}");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_deep_lists() {
    if std::env::var_os("URCU_MIN_STACK").is_none() {
        urcu::set_threads(Threads::new().stack_size(64 << 20));
    }
    for runner in [Runner::Shared, Runner::OwnThread] {
        let domain: &Domain = Box::leak(Box::new(Domain::named("deep").run_by(runner)));
        let (sender, done) = mpsc::channel();
        let list = list(DEEP);
        domain.call(move || {
            drop(list);
            sender.send(()).unwrap();
        });
        done.recv().unwrap();
    }
    // The main thread of the test would not drop it.
}

#[cfg(not(any(feature = "log", feature = "tracing")))]
#[test]
fn a_stack_size_that_is_none_is_told_once_and_only_where_it_is_asked_for() {
    let told = |value: &str, test| {
        let mut command = child(test);
        command.env("URCU_MIN_STACK", value);
        let (code, output) = run(&mut command, Duration::from_secs(60));
        assert_eq!(code, Some(0), "{output}");
        let line = format!(
            "urcu: URCU_MIN_STACK is not a number of bytes, in decimal digits: {value:?}; "
        );
        output.matches(&line).count()
    };
    for bad in ["64M", "", "-1", "99999999999999999999"] {
        assert_eq!(told(bad, "threads::child_with_two_threads"), 1, "{bad:?}");
    }
    for good in ["4194304", " 4194304\n", "0"] {
        assert_eq!(told(good, "threads::child_with_two_threads"), 0, "{good:?}");
    }
    assert_eq!(told("64M", "threads::child_that_chose_a_stack_size"), 0);
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_two_threads() {
    for runner in [Runner::Shared, Runner::OwnThread] {
        let domain: &Domain = Box::leak(Box::new(Domain::new().run_by(runner)));
        let (sender, done) = mpsc::channel();
        // Whatever the thread has to tell is told before.
        domain.call(move || sender.send(()).unwrap());
        done.recv().unwrap();
    }
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_chose_a_stack_size() {
    urcu::set_threads(Threads::new().stack_size(4 << 20));
    child_with_two_threads();
}

#[test]
fn a_forked_child_starts_its_threads_though_a_thread_was_changing_the_environment() {
    assert_child_passes("threads::child_that_forks_beside_set_var");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_forks_beside_set_var() {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // The standard library's lock is held nearly all the time.
            let value = "x".repeat(1 << 20);
            while !over.load(Ordering::Relaxed) {
                // SAFETY: nobody else in this process reads or changes the environment but through
                // the standard library, which takes the same lock.
                unsafe { std::env::set_var("URCU_TEST_LONG_VALUE", &value) };
            }
        });
        let over = SetOnDrop(&over);
        for _ in 0..30 {
            assert_child(fork, || {
                let (sender, done) = mpsc::channel();
                urcu::call(move || sender.send(()).unwrap());
                done.recv().unwrap();
            });
        }
        drop(over);
    });
}

#[test]
fn a_name_with_a_nul_byte_is_refused_at_once() {
    let payload = catch_unwind(|| Domain::named("a\0b").run_by(Runner::OwnThread)).unwrap_err();
    let message = payload.downcast_ref::<&str>().expect("a message");
    assert!(message.contains("has a NUL byte"), "{message}");
    drop(Domain::named("no NUL byte: \u{1} \u{ff}"));
}

/// How often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn while_no_thread_can_relieve_the_worker_those_who_await_drive() {
    assert_child_passes("threads::child_without_relief");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_without_relief() {
    static AWAITED: Domain = Domain::named("awaited");
    let (sender, done) = mpsc::channel();
    // The worker starts none from the beginning.
    urcu::set_threads(Threads::new().on_start(|| {
        Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
            .install()
            .unwrap();
    }));
    let first = sender.clone();
    urcu::call(move || first.send(1).unwrap());
    done.recv().unwrap();
    // Until it drives again, this thread would start another.
    let rest = || thread::sleep(Duration::from_millis(50));
    let guard = AWAITED.read_lock();
    // Again, after it was tried in vain.
    for _ in 0..3 {
        rest();
        let sender = sender.clone();
        urcu::call(move || {
            let count = Arc::new(Count::default());
            let waker = Waker::from(Arc::clone(&count));
            let mut future = pin!(AWAITED.synchronize_async());
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            sender.send(count.0.load(Ordering::SeqCst)).unwrap();
        });
        assert_ne!(
            done.recv().unwrap(),
            0,
            "left to a thread that there is not"
        );
    }
    assert_eq!(blocked_by("urcu-callbacks").len(), 1, "another was started");
    // Whoever had left it to the worker is told.
    rest();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut future = pin!(AWAITED.synchronize_async());
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    assert_eq!(count.0.load(Ordering::SeqCst), 0, "the worker drives");
    let woken = Arc::clone(&count);
    urcu::call(move || {
        while woken.0.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        sender.send(1).unwrap();
    });
    done.recv().unwrap();
    drop(guard);
    block_on(future);
}

#[test]
fn while_a_callback_keeps_an_executor_busy_those_who_await_its_domain_drive() {
    let domain: &Domain = Box::leak(Box::new(
        Domain::new().run_by(Runner::Executor(&ONE_THREAD)),
    ));
    let (begun, inside) = mpsc::channel();
    let (done, end) = mpsc::channel::<()>();
    domain.call(move || {
        begun.send(()).unwrap();
        let _ = end.recv();
    });
    inside.recv().unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let guard = domain.read_lock();
    let mut future = pin!(domain.synchronize_async());
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    assert_ne!(count.0.load(Ordering::SeqCst), 0, "left to the executor");
    drop(guard);
    block_on(future);
    drop(done);
}
