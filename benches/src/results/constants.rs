//! The constants of the model of scale: what an interrupt of a barrier, the transfer of a line and the scan of a
//! slot cost on this machine. Here threads are pinned: one measures on the first CPU, the other does its part on the
//! second, where there is one.

use std::hint::{black_box, spin_loop};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use urcu_host::affinity::{cpus, run_on};

use crate::measure::{Effort, median};
use crate::membarrier;
use crate::record::Record;
use crate::results::figures::Situation;
use crate::window::Background;

/// The name of the bench.
pub const BENCH: &str = "scale";

/// The subject of all figures, which describe the machine.
pub const MACHINE: &str = "machine";

/// Bytes from one CPU's slot to the next, as in `urcu`.
const STRIDE: usize = 1 << 16;

/// Numbers of slots that are scanned.
pub const SLOTS: [usize; 4] = [2, 8, 64, 512];

/// Measures all constants.
///
/// # Panics
///
/// Panics if a thread cannot be created, or if there is no memory.
#[must_use]
pub fn measure(effort: &Effort) -> Vec<Record> {
    let cpus = cpus();
    thread::scope(|scope| {
        let pinned = scope.spawn(|| {
            run_on(&cpus[..1]);
            measure_here(effort, &cpus[cpus.len().min(2) - 1..][..1])
        });
        pinned.join().expect("measuring does not panic")
    })
}

fn measure_here(effort: &Effort, other: &[usize]) -> Vec<Record> {
    let rounds = effort.grace_rounds * 2 + 1;
    let figure = |situation: &Situation, measure: &dyn Fn() -> f64| {
        let all: Vec<f64> = (0..rounds).map(|_| measure()).collect();
        situation.figure(MACHINE, &all)
    };
    let ns = |what: &str| Situation::new(BENCH, what, "ns");
    let transfers = effort.grace_samples as u64 * 20;
    let mut records = vec![figure(&ns("transfer of a line"), &|| {
        transfer(transfers, other)
    })];
    if membarrier::available() {
        records.push(figure(&ns("barrier, nobody runs"), &barrier));
        let elsewhere = other.to_vec();
        let company = Background::start(move || {
            run_on(&elsewhere);
            (0..100_000).for_each(|step| {
                black_box(step);
            });
        });
        records.push(figure(&ns("barrier, one other runs"), &barrier));
        drop(company);
    }
    for slots in SLOTS {
        let area = Area::new(slots);
        let scan = |state: &str| {
            ns("scan of a slot")
                .with("slots", slots)
                .with("state", state)
        };
        records.push(figure(&scan("never written"), &|| area.scan()));
        area.write();
        records.push(figure(&scan("written here"), &|| area.scan()));
        let written_elsewhere = || {
            thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    run_on(other);
                    area.write();
                });
                writer.join().expect("writing does not panic");
            });
            area.scan_once()
        };
        records.push(figure(&scan("written elsewhere"), &written_elsewhere));
    }
    records
}

/// Returns the nanoseconds of a line's transfer from one CPU to another, from two threads that answer each other.
fn transfer(rounds: u64, other: &[usize]) -> f64 {
    let word = AtomicU64::new(0);
    let wait = |value: u64| {
        let mut looks = 0u32;
        while word.load(Ordering::Acquire) != value {
            looks += 1;
            // Yield, in case there is no second CPU at the moment.
            if looks.is_multiple_of(1000) {
                thread::yield_now();
            }
            spin_loop();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            run_on(other);
            for round in 0..rounds {
                wait(2 * round + 1);
                word.store(2 * round + 2, Ordering::Release);
            }
        });
        let start = Instant::now();
        for round in 0..rounds {
            word.store(2 * round + 1, Ordering::Release);
            wait(2 * round + 2);
        }
        start.elapsed().as_nanos() as f64 / (2 * rounds) as f64
    })
}

/// Returns the nanoseconds of a call of membarrier: the median of many.
fn barrier() -> f64 {
    let times: Vec<f64> = (0..400)
        .map(|_| {
            let start = Instant::now();
            membarrier::barrier();
            start.elapsed().as_nanos() as f64
        })
        .collect();
    median(&times)
}

/// Memory like that of a domain's slots: a line for each CPU, on pages of its own.
struct Area {
    base: NonNull<u8>,
    slots: usize,
}

// SAFETY: all access is by atomic words.
unsafe impl Sync for Area {}

impl Area {
    fn new(slots: usize) -> Self {
        // SAFETY: maps new memory of our own, which no other address refers to.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                slots * STRIDE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED, "no memory for {slots} slots");
        // As the library's: no large page for a line of each.
        #[cfg(target_os = "linux")]
        // SAFETY: advice on the mapping above, which changes no contents.
        unsafe {
            libc::madvise(base, slots * STRIDE, libc::MADV_NOHUGEPAGE);
        }
        let base = NonNull::new(base.cast()).expect("not a mapping at null");
        Self { base, slots }
    }

    fn word(&self, slot: usize) -> &AtomicU64 {
        assert!(slot < self.slots);
        // SAFETY: within the mapping, which lives as long as `self`, and aligned; all access is atomic, and zero is
        // a number.
        unsafe {
            self.base
                .byte_add(slot * STRIDE)
                .cast::<AtomicU64>()
                .as_ref()
        }
    }

    fn write(&self) {
        for slot in 0..self.slots {
            self.word(slot).fetch_add(1, Ordering::Relaxed);
        }
    }

    fn sum(&self) -> u64 {
        let words = (0..self.slots).map(|slot| self.word(slot).load(Ordering::Acquire));
        words.fold(0, u64::wrapping_add)
    }

    /// Returns the nanoseconds for each slot in scans that follow one another.
    fn scan(&self) -> f64 {
        let scans = (20_000 / self.slots).max(10);
        black_box(self.sum());
        let start = Instant::now();
        for _ in 0..scans {
            black_box(self.sum());
        }
        start.elapsed().as_nanos() as f64 / (scans * self.slots) as f64
    }

    /// Returns the nanoseconds for each slot in one scan, without the cost of the clock.
    fn scan_once(&self) -> f64 {
        let timed = |work: &dyn Fn()| {
            let start = Instant::now();
            work();
            start.elapsed().as_nanos() as f64
        };
        let clock: Vec<f64> = (0..9).map(|_| timed(&|| ())).collect();
        let scan = timed(&|| {
            black_box(self.sum());
        });
        (scan - median(&clock)).max(0.01) / self.slots as f64
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nobody refers to any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.slots * STRIDE) };
    }
}

#[cfg(test)]
mod tests {
    use super::{SLOTS, measure};
    use crate::measure::Effort;

    #[test]
    fn every_constant_is_there() {
        let records = measure(&Effort::TEST);
        assert!(records.len() > 3 * SLOTS.len());
        for record in &records {
            assert!(record.value.is_some_and(|value| value > 0.0), "{record:?}");
        }
    }
}
