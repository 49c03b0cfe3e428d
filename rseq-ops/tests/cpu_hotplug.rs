//! CPUs that go off line and come back while threads count, push and pop on them.
//!
//! Only where `TEST_CPU_HOTPLUG` is set, because that is nothing to do unasked: threads that other
//! programs pinned to such a CPU are not pinned any more. `.ci/guests` sets it.
#![cfg(all(target_os = "linux", not(miri)))]

#[macro_use]
extern crate test_deadline;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::*};
use std::thread;
use std::time::Duration;

use rseq_ops::percpu::{Counter, Node, Stack, possible_cpus};

/// The switches of some CPUs that can go off line, or why there are none to use.
fn switches() -> Result<Vec<PathBuf>, &'static str> {
    if std::env::var_os("TEST_CPU_HOTPLUG").is_none() {
        return Err("TEST_CPU_HOTPLUG is not set");
    }
    let switch = |cpu| PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}/online"));
    let writable = |path: &PathBuf| fs::OpenOptions::new().write(true).open(path).is_ok();
    // Not `possible_cpus`, which is to be asked first when a CPU is off line.
    let found: Vec<_> = (1..1024).map(switch).filter(writable).take(3).collect();
    if found.is_empty() {
        return Err("no file /sys/devices/system/cpu/cpuN/online is writable");
    }
    Ok(found)
}

/// A CPU that is off line until this is dropped.
struct Off<'s>(&'s PathBuf);

impl<'s> Off<'s> {
    fn new(switch: &'s PathBuf) -> Self {
        fs::write(switch, "0").unwrap();
        assert_eq!(fs::read_to_string(switch).unwrap().trim(), "0");
        Off(switch)
    }
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        fs::write(self.0, "1").unwrap();
    }
}

/// Says that the others may stop, also at a panic.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn sums_stay_exact_and_restarts_end_under_hotplug() {
    let switches = match switches() {
        Ok(switches) => switches,
        Err(reason) => return println!("skipped: {reason}"),
    };
    // Memory is for CPUs, too, that come later.
    let late = switches.last().map(Off::new);
    const NODES: usize = 64;
    const THREADS: usize = 6;
    let mut nodes = [const { Node::new(()) }; NODES];
    let (counter, stack) = (Counter::new().unwrap(), Stack::new().unwrap());
    let expected = AtomicI64::new(0);
    let restarts = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    for node in &mut nodes {
        stack.push(node);
    }
    drop(late);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut added = 0;
                while !stop.load(Relaxed) {
                    counter.add(1);
                    added += 1;
                    if let Some(node) = stack.pop() {
                        stack.push(node);
                    }
                    if let Some(handle) = rseq_ops::current_thread() {
                        // SAFETY: this thread's handle.
                        let index = unsafe { handle.current_index() };
                        assert!(index.is_some_and(|index| (index as usize) < possible_cpus()));
                    }
                }
                expected.fetch_add(added, Relaxed);
            });
        }
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                // A flip, a membarrier that restarts, and the nodes on other CPUs' stacks.
                let taken: Vec<_> = stack.take_all().unwrap().collect();
                assert!(taken.len() <= NODES);
                for node in taken {
                    stack.push(node);
                }
                restarts.fetch_add(1, Relaxed);
            }
        });
        for _ in 0..3 {
            for switch in &switches {
                let _off = Off::new(switch);
                let before = restarts.load(Relaxed);
                while restarts.load(Relaxed) < before + 2 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            // All at once.
            let _off: Vec<_> = switches.iter().map(Off::new).collect();
            let before = restarts.load(Relaxed);
            while restarts.load(Relaxed) < before + 2 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    assert_eq!(counter.sum(), expected.load(Relaxed));
    let left = stack.take_all().unwrap().count() + stack.take_all().unwrap().count();
    assert_eq!(left, NODES);
    println!("{} switches, {restarts:?} restarts", switches.len());
}
