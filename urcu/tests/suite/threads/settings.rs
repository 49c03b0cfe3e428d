//! Priorities, stack sizes and names of the library's threads.

use std::panic::catch_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use urcu::{Domain, Runner, Threads};
use urcu_host::affinity::{cpus, run_on};

use crate::support::{assert_child_passes, child, run, skip};

#[test]
fn beside_a_pinned_caller_of_real_time_priority_the_worker_runs() {
    assert_child_passes("threads::settings::child_of_real_time");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_of_real_time() {
    let all = cpus();
    if all.len() < 2 {
        return skip("one CPU");
    }
    // SAFETY: numbers alone.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, std::process::id()) };
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
            assert_eq!(seen, (libc::SCHED_OTHER, nice, all.clone()));
        }
    });
    caller.join().unwrap();
}

#[test]
fn the_worker_has_the_nice_value_of_the_process() {
    assert_child_passes("threads::settings::child_of_a_nice_thread");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_of_a_nice_thread() {
    // SAFETY: numbers alone.
    let nice = |thread| unsafe { libc::getpriority(libc::PRIO_PROCESS, thread) };
    let main = nice(std::process::id());
    let caller = thread::spawn(move || {
        // SAFETY: numbers alone.
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
        let mut command = child("threads::settings::child_with_deep_lists");
        if !variable.is_empty() {
            command.env(variable, value);
        }
        let (code, output) = run(&mut command, Duration::from_secs(60));
        assert_eq!(code, Some(0), "{variable}={value}:\n{output}");
    }
    // Else it is too small, which is said (SIGSEGV is not blocked).
    let mut command = child("threads::settings::child_with_deep_lists");
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
        assert_eq!(
            told(bad, "threads::settings::child_with_two_threads"),
            1,
            "{bad:?}"
        );
    }
    for good in ["4194304", " 4194304\n", "0"] {
        assert_eq!(
            told(good, "threads::settings::child_with_two_threads"),
            0,
            "{good:?}"
        );
    }
    assert_eq!(
        told("64M", "threads::settings::child_that_chose_a_stack_size"),
        0
    );
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
fn a_name_with_a_nul_byte_is_refused_at_once() {
    let payload = catch_unwind(|| Domain::named("a\0b").run_by(Runner::OwnThread)).unwrap_err();
    let message = payload.downcast_ref::<&str>().expect("a message");
    assert!(message.contains("has a NUL byte"), "{message}");
    drop(Domain::named("no NUL byte: \u{1} \u{ff}"));
}
