//! CPUs that go off line and come back while readers read and grace periods end.
//!
//! Only where `TEST_CPU_HOTPLUG` is set, because that is nothing to do unasked: threads that other
//! programs pinned to such a CPU are not pinned any more. `.ci/guests` sets it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rseq_ops::percpu::possible_cpus;

use crate::support::{SetOnDrop, skip};
use crate::torture::assert_all_readers_right;

/// Takes a CPU off line, and on line again when it is dropped.
struct Off<'s>(&'s PathBuf);

impl<'s> Off<'s> {
    fn new(switch: &'s PathBuf) -> Self {
        fs::write(switch, "0").expect("the CPU goes off line");
        Off(switch)
    }
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        fs::write(self.0, "1").expect("the CPU comes back");
    }
}

#[test]
fn grace_periods_are_right_and_end_while_cpus_go_off_line_and_come_back() {
    if std::env::var_os("TEST_CPU_HOTPLUG").is_none() {
        return skip("TEST_CPU_HOTPLUG is not set");
    }
    let switches: Vec<_> = (1..possible_cpus())
        .map(|cpu| PathBuf::from(format!("/sys/devices/system/cpu/cpu{cpu}/online")))
        .filter(|path| fs::OpenOptions::new().write(true).open(path).is_ok())
        .take(3)
        .collect();
    if switches.is_empty() {
        return skip("no file /sys/devices/system/cpu/cpuN/online is writable");
    }
    let over = AtomicBool::new(false);
    let rounds = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for switch in &switches {
                    let _off = Off::new(switch);
                    thread::sleep(Duration::from_millis(5));
                }
                // All at once.
                let _off: Vec<_> = switches.iter().map(Off::new).collect();
                thread::sleep(Duration::from_millis(5));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _over = SetOnDrop(&over);
        while rounds.load(Ordering::Relaxed) < 3 {
            assert_all_readers_right(Duration::from_millis(300), "under hotplug");
        }
    });
}
