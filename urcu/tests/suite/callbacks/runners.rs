//! Who runs callbacks: the caller, a thread of the domain's own, an executor.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Executor, Job, Runner};
use urcu_host::affinity::{cpus, run_on};
use urcu_host::seccomp::Filter;

use crate::support::fork::block_on;

#[path = "../../../examples/tokio_executor.rs"]
mod tokio_executor;

/// A callback that counts.
fn one(ran: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let ran = Arc::clone(ran);
    move || {
        ran.fetch_add(1, Ordering::SeqCst);
    }
}

fn until(done: impl Fn() -> bool) {
    while !done() {
        thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn who_waits_with_a_time_limit_drives_a_domain_that_nobody_else_does() {
    static DOMAIN: Domain = Domain::named("caller").run_by(Runner::Caller);
    let guard = DOMAIN.read_lock();
    let grace_period = DOMAIN.start_poll();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| grace_period.wait_timeout(Duration::MAX));
        thread::sleep(Duration::from_millis(50));
        drop(guard);
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_caller_drives_its_domain_alone() {
    let domain = Domain::new().run_by(Runner::Caller);
    assert_eq!(domain.run_callbacks(1), 0);
    let ran = Arc::new(AtomicUsize::new(0));
    (0..300).for_each(|_| domain.call(one(&ran)));
    thread::sleep(Duration::from_millis(20));
    assert_eq!(ran.load(Ordering::SeqCst), 0, "somebody else ran callbacks");
    let mut sum = 0;
    while sum < 300 {
        let now = domain.run_callbacks(10);
        // In batches of seven, of which the last may begin one short of ten.
        assert!(
            now < 10 + 7,
            "{now}: more than asked for, in batches of seven"
        );
        sum += now;
        assert_eq!(ran.load(Ordering::SeqCst), sum);
    }
    assert_eq!(domain.run_callbacks(10), 0);
}

/// A chunk is collected by one grace period and waits for the next one.
#[test]
fn a_caller_may_take_the_steps_and_leave_the_callbacks() {
    let domain = Domain::new().run_by(Runner::Caller);
    let ran = Arc::new(AtomicUsize::new(0));
    domain.call(one(&ran));
    for _ in 0..3 {
        assert_eq!(domain.run_callbacks(0), 0);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    assert!(domain.stats().grace_periods >= 2);
    assert_eq!(domain.run_callbacks(1), 1);
}

/// Callbacks that were ready before and callbacks that became ready in the call count together.
#[test]
fn a_caller_gets_about_as_many_as_it_asked_for() {
    // On one CPU, so that one chunk fills.
    run_on(&cpus()[..1]);
    let domain = Domain::new().run_by(Runner::Caller);
    let ran = Arc::new(AtomicUsize::new(0));
    (0..18).for_each(|_| domain.call(one(&ran)));
    (0..2).for_each(|_| domain.synchronize());
    (0..600).for_each(|_| domain.call(one(&ran)));
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    let now = domain.run_callbacks(30);
    assert!((30..36).contains(&now), "{now}");
    assert_eq!(ran.load(Ordering::SeqCst), now);
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 618);
}

#[test]
fn a_caller_that_came_while_a_section_was_open_gets_its_callbacks_later() {
    let domain = Domain::new().run_by(Runner::Caller);
    for runner in [Runner::Caller, Runner::Shared] {
        let domain = Domain::new().run_by(runner.clone());
        let ran = Arc::new(AtomicUsize::new(0));
        let guard = domain.read_lock();
        domain.call(one(&ran));
        for _ in 0..3 {
            assert_eq!(domain.run_callbacks(100), 0);
        }
        drop(guard);
        let mut turns = 0;
        while ran.load(Ordering::SeqCst) == 0 {
            domain.run_callbacks(100);
            turns += 1;
            assert!(turns < 10_000 || matches!(runner, Runner::Shared), "lost");
        }
    }
    drop(domain);
}

#[test]
fn a_caller_drives_grace_periods_that_are_awaited() {
    static DOMAIN: Domain = Domain::named("awaited").run_by(Runner::Caller);
    let guard = DOMAIN.read_lock();
    let waiting = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            block_on(DOMAIN.synchronize_async());
            waiting.store(false, Ordering::SeqCst);
        });
        thread::sleep(Duration::from_millis(20));
        assert!(waiting.load(Ordering::SeqCst));
        drop(guard);
        until(|| {
            DOMAIN.run_callbacks(1);
            !waiting.load(Ordering::SeqCst)
        });
    });
}

#[test]
fn in_a_callback_run_callbacks_does_nothing() {
    static DOMAIN: Domain = Domain::named("nested").run_by(Runner::Caller);
    let (sender, receiver) = mpsc::channel();
    for _ in 0..20 {
        let sender = sender.clone();
        DOMAIN.call(move || sender.send(DOMAIN.run_callbacks(100)).unwrap());
    }
    drop(sender);
    let mut sum = 0;
    while sum < 20 {
        sum += DOMAIN.run_callbacks(100);
    }
    assert!(receiver.iter().eq([0; 20]));
}

#[test]
fn without_a_caller_barrier_and_drop_run_what_is_left() {
    static LAZY: Lazy = Lazy;
    for runner in [Runner::Caller, Runner::Executor(&LAZY)] {
        let domain = Domain::new().run_by(runner.clone());
        let ran = Arc::new(AtomicUsize::new(0));
        (0..300).for_each(|_| domain.call(one(&ran)));
        domain.barrier();
        assert_eq!(ran.load(Ordering::SeqCst), 300, "{runner:?}");
        (0..300).for_each(|_| domain.call(one(&ran)));
        drop(domain);
        assert_eq!(ran.load(Ordering::SeqCst), 600, "{runner:?}");
    }
}

/// Threads of this process with that name.
fn threads(name: &str) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("/proc");
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

#[test]
fn a_thread_of_its_own_works_for_the_domain_and_ends_with_it() {
    let domain = Domain::named("own thread").run_by(Runner::OwnThread);
    assert_eq!(threads("urcu-own thread"), 0, "before there is work");
    for _ in 0..3 {
        let (sender, receiver) = mpsc::channel();
        domain.call(move || {
            let name = thread::current().name().map(String::from);
            sender.send(name).unwrap();
        });
        let name = receiver.recv().unwrap();
        assert_eq!(name.as_deref(), Some("urcu-own thread"));
        // Let it fall asleep.
        thread::sleep(Duration::from_millis(10));
    }
    let ran = Arc::new(AtomicUsize::new(0));
    let guard = domain.read_lock();
    (0..300).for_each(|_| domain.call(one(&ran)));
    thread::sleep(Duration::from_millis(10));
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    drop(guard);
    until(|| ran.load(Ordering::SeqCst) == 300);
    assert_eq!(threads("urcu-own thread"), 1);
    drop(domain);
    until(|| threads("urcu-own thread") == 0);
}

#[test]
fn a_thread_that_could_not_start_is_started_later() {
    static DOMAIN: Domain = Domain::named("late start").run_by(Runner::OwnThread);
    let ran = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            // Thread creation fails in this thread alone.
            Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
                .install()
                .unwrap();
            thread::Builder::new().spawn(|| ()).unwrap_err();
            DOMAIN.call(one(&ran));
        });
    });
    // The worker may have started it meanwhile. Else: as many as it takes until somebody looks whether
    // there is a thread.
    (0..200).for_each(|_| DOMAIN.call(one(&ran)));
    until(|| ran.load(Ordering::SeqCst) == 201);
}

/// Never runs anything.
struct Lazy;

impl Executor for Lazy {
    fn execute(&self, job: Job) {
        std::mem::forget(job);
    }
}

/// Hands jobs to a thread, except that it drops some, and panics over others.
struct Unreliable {
    sender: Mutex<Option<Sender<Job>>>,
    turn: AtomicUsize,
}

impl Executor for Unreliable {
    fn execute(&self, mut job: Job) {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        match turn % 4 {
            0 => drop(job),
            1 => std::panic::resume_unwind(Box::new("on purpose")),
            2 => {
                // Begun, and then dropped.
                thread::spawn(move || {
                    job.run();
                });
            }
            _ => {
                if let Some(sender) = &*self.sender.lock().unwrap() {
                    let _ = sender.send(job);
                }
            }
        }
    }
}

#[test]
fn an_executor_may_drop_jobs_and_panic() {
    static EXECUTOR: Unreliable = Unreliable {
        sender: Mutex::new(None),
        turn: AtomicUsize::new(0),
    };
    let (sender, receiver) = mpsc::channel::<Job>();
    *EXECUTOR.sender.lock().unwrap() = Some(sender);
    let worker = thread::spawn(move || {
        for mut job in receiver {
            while let Some(pause) = job.run() {
                thread::sleep(pause);
            }
        }
    });
    let domain = Domain::new().run_by(Runner::Executor(&EXECUTOR));
    let ran = Arc::new(AtomicUsize::new(0));
    let mut queued = 0;
    // Without `barrier`: jobs alone get them done, at the latest with what fills a chunk.
    while EXECUTOR.turn.load(Ordering::SeqCst) < 12 {
        (0..150).for_each(|_| domain.call(one(&ran)));
        queued += 150;
        thread::sleep(Duration::from_millis(2));
    }
    let before = ran.load(Ordering::SeqCst);
    assert!(before > 0, "no job ever ran");
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), queued);
    drop(domain);
    EXECUTOR.sender.lock().unwrap().take();
    worker.join().unwrap();
}

/// Drops every job.
struct Forgetful(AtomicUsize);

impl Executor for Forgetful {
    fn execute(&self, _: Job) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_job_that_was_dropped_is_followed_by_another_before_long() {
    static EXECUTOR: Forgetful = Forgetful(AtomicUsize::new(0));
    // On one CPU, or the first callback on each would ask for one.
    run_on(&cpus()[..1]);
    let domain = Domain::new().run_by(Runner::Executor(&EXECUTOR));
    (0..1000).for_each(|_| domain.call(|| ()));
    let jobs = EXECUTOR.0.load(Ordering::SeqCst);
    assert!(jobs >= 5, "{jobs} jobs for 1000 callbacks");
}

/// Hands jobs to whoever has the receiver, and says when it ends.
struct Ending(Sender<Job>, Arc<AtomicUsize>);

impl Executor for Ending {
    fn execute(&self, job: Job) {
        let _ = self.0.send(job);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_executor_that_a_domain_owns_runs_its_jobs_and_ends_with_the_last() {
    let (sender, jobs) = mpsc::channel();
    let (ran, ended) = (Arc::default(), Arc::default());
    let executor = Arc::new(Ending(sender, Arc::clone(&ended)));
    let [first, second] = [0; 2].map(|_| {
        let runner = Runner::SharedExecutor(Arc::clone(&executor) as Arc<_>);
        assert_eq!(format!("{runner:?}"), "SharedExecutor");
        Domain::new().run_by(runner)
    });
    let count = Arc::downgrade(&executor);
    drop(executor);
    first.call(one(&ran));
    let mut job: Job = jobs.recv().unwrap();
    while let Some(pause) = job.run() {
        thread::sleep(pause);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    second.call(one(&ran));
    let left: Job = jobs.recv().unwrap();
    drop(second);
    drop(first);
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    // A job's share is the last one.
    assert_eq!((count.strong_count(), ended.load(Ordering::SeqCst)), (1, 0));
    drop(left);
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    assert!(jobs.recv().is_err(), "a sender is left");
}

#[test]
fn the_runner_that_is_set_last_counts() {
    let (sender, jobs) = mpsc::channel();
    let (ran, ended) = (Arc::default(), Arc::default());
    let executor = Runner::SharedExecutor(Arc::new(Ending(sender, ended)));
    let domain = Domain::new()
        .run_by(Runner::Caller)
        .run_by(executor.clone());
    domain.call(one(&ran));
    drop(jobs.recv().unwrap());
    let domain = Domain::new().run_by(executor).run_by(Runner::Caller);
    domain.call(one(&ran));
    assert!(jobs.try_recv().is_err());
}

#[test]
fn the_example_on_tokio_runs() {
    tokio_executor::main();
}
