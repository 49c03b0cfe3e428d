//! Per-CPU memory where something is refused or panics: nothing is lost by it, and what was refused
//! once is to be had later.

use std::cell::Cell;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;

use urcu_host::seccomp::{Filter, under_valgrind};

use crate::support::in_child;
use rseq_ops::percpu::{AllocError, Allocator, Area, Fork, PerCpu, possible_cpus};
#[cfg(target_pointer_width = "64")]
use rseq_ops::percpu::{Mode, Ring};

#[test]
fn threads_that_come_first_at_once_are_refused_nothing_within_the_limit() {
    const THREADS: usize = 4;
    for _ in 0..500 {
        // One chunk, which has room for 8192 of these.
        let memory = Allocator::with_limit(Fork::Keep, 64 << 10);
        let begin = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    begin.wait();
                    forget(PerCpu::<AtomicU64>::zeroed(&memory).unwrap());
                });
            }
        });
        assert_eq!(memory.reserved(), 64 << 10);
    }
}

#[test]
fn sizes_that_come_first_at_once_do_not_exceed_the_limit_together() {
    for _ in 0..200 {
        let memory = Allocator::with_limit(Fork::Keep, 128 << 10);
        let begin = Barrier::new(3);
        let had = AtomicUsize::new(0);
        thread::scope(|scope| {
            let take = |object: fn(&Allocator) -> Result<(), AllocError>| {
                let (memory, begin, had) = (&memory, &begin, &had);
                scope.spawn(move || {
                    begin.wait();
                    match object(memory) {
                        Ok(()) => had.fetch_add(1, Relaxed),
                        Err(error) => {
                            assert_eq!(error, AllocError::Limit(128 << 10));
                            0
                        }
                    };
                });
            };
            take(|memory| PerCpu::<AtomicU64>::zeroed(memory).map(forget));
            take(|memory| PerCpu::<[AtomicU64; 2]>::zeroed(memory).map(forget));
            take(|memory| PerCpu::<[AtomicU64; 4]>::zeroed(memory).map(forget));
        });
        assert_eq!(had.into_inner(), 2);
        assert_eq!(memory.reserved(), 128 << 10);
    }
}

/// Sets how much address space this process may have.
fn limit_address_space(bytes: libc::rlim_t) {
    // SAFETY: plain memory, which the calls read and write.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &raw mut limit), 0);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &raw const limit), 0);
    }
}

#[test]
fn a_mapping_that_failed_takes_nothing_of_the_limit() {
    for fork in [Fork::Keep, Fork::Wipe] {
        let status = in_child(|| {
            // As much as the limit allows, so that one failure could use it up.
            let memory = Allocator::with_limit(fork, 64 << 10);
            limit_address_space(4096);
            for _ in 0..10 {
                let refused = PerCpu::<AtomicU64>::zeroed(&memory).map(forget);
                if !matches!(refused, Err(AllocError::Memory(_))) || memory.reserved() != 0 {
                    return 1;
                }
            }
            limit_address_space(libc::RLIM_INFINITY);
            match PerCpu::<AtomicU64>::zeroed(&memory) {
                Ok(object) => i32::from(object.get(0).is_none_or(|word| word.load(Relaxed) != 0)),
                Err(_) => 2,
            }
        });
        assert_eq!(status, 0, "1: not refused as it must be; 2: refused again");
    }
}

/// What `madvise` answers in a thread decides about nothing but that one answer.
#[test]
fn only_the_error_that_says_so_means_that_nothing_can_be_wiped() {
    let answer = |errno| {
        let refused = || {
            Filter::new(&[libc::SYS_madvise], errno).install().unwrap();
            let area = Area::new(4096, 4096).unwrap();
            let memory = Allocator::with_limit(Fork::Wipe, 64 << 10);
            let object = PerCpu::<AtomicU64>::zeroed(&memory).map(forget);
            assert_eq!(memory.reserved(), 0, "an object that no fork wipes");
            (area.wipe_on_fork().unwrap_err(), object.unwrap_err())
        };
        // A filter is the thread's own.
        thread::scope(|scope| scope.spawn(refused).join().unwrap())
    };
    for never in [libc::EINVAL, libc::ENOSYS, libc::EPERM] {
        let (area, object) = answer(never);
        assert!(matches!(area, AllocError::CannotWipe(_)), "{area}");
        assert!(matches!(object, AllocError::CannotWipe(_)), "{object}");
    }
    for not_now in [libc::EAGAIN, libc::ENOMEM] {
        let (area, object) = answer(not_now);
        assert!(matches!(area, AllocError::Memory(_)), "{area}");
        assert!(matches!(object, AllocError::Memory(_)), "{object}");
    }
}

/// Returns the number of this process's mappings, and their bytes.
fn mappings() -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let bytes = |line: &str| {
        let (range, _) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(to)? - number(from)?)
    };
    let all: Vec<usize> = maps.lines().filter_map(bytes).collect();
    (all.len(), all.iter().sum())
}

#[test]
fn what_is_dropped_is_unmapped_whole() {
    type Make = fn();
    let kinds: &[(&str, Make)] = &[
        #[cfg(target_pointer_width = "64")]
        ("a ring", || drop(Ring::new(Mode::Overwrite, 4096).unwrap())),
        ("an area", || drop(Area::new(100, 4096).unwrap())),
        ("an area by its header", || {
            let header = Area::new(5000, 4096).unwrap().into_header();
            // SAFETY: from an area of the same sizes, once.
            drop(unsafe { Area::from_header(header, 5000, 4096) });
        }),
        ("an allocator", || {
            let memory = Allocator::new(Fork::Keep);
            drop(PerCpu::<AtomicU64>::zeroed(&memory).unwrap());
            drop(PerCpu::<[AtomicU64; 100]>::zeroed(&memory).unwrap());
        }),
        ("an allocator of wiped memory", || {
            let memory = Allocator::new(Fork::Wipe);
            drop(PerCpu::<AtomicU64>::zeroed(&memory));
        }),
    ];
    for (kind, make) in kinds {
        assert_unmaps(kind, || (), make);
    }
}

#[test]
fn what_cannot_be_wiped_is_unmapped_whole() {
    let make = || {
        let memory = Allocator::new(Fork::Wipe);
        let object = PerCpu::<AtomicU64>::zeroed(&memory).map(forget);
        assert!(object.is_err());
    };
    for errno in [libc::EINVAL, libc::EAGAIN] {
        let filter = Filter::new(&[libc::SYS_madvise], errno);
        let refuse = || filter.install().unwrap();
        assert_unmaps("a chunk", refuse, make);
    }
}

/// Runs `make` often, in a process of its own: nobody else maps anything meanwhile.
fn assert_unmaps(kind: &str, prepare: impl Fn(), make: impl Fn()) {
    if under_valgrind() {
        return println!("skipped: valgrind maps memory of its own");
    }
    let status = in_child(|| {
        prepare();
        make();
        let before = mappings();
        (0..1000).for_each(|_| make());
        let after = mappings();
        // The reading itself may take a little.
        i32::from(after.0 > before.0 + 4) + 2 * i32::from(after.1 > before.1 + (1 << 20))
    });
    assert_eq!(
        status, 0,
        "{kind}: 1: more mappings, 2: more bytes, 3: both"
    );
}

/// Says when it is dropped, and panics where it is told to.
struct Fragile<'c> {
    drops: &'c Cell<usize>,
    breaks: bool,
}

impl Drop for Fragile<'_> {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        assert!(!self.breaks, "made up");
    }
}

#[test]
fn a_drop_that_panics_costs_neither_the_other_values_nor_the_memory() {
    let cpus = possible_cpus();
    for breaks in 0..cpus {
        // Room for one object of this size.
        let memory = Allocator::with_limit(Fork::Keep, 64 << 10);
        #[repr(align(4096))]
        struct Large<'c>([u64; 4096], #[allow(dead_code)] Fragile<'c>);
        let drops = Cell::new(0);
        let make = |breaks: Option<usize>| {
            let drops = &drops;
            PerCpu::new(&memory, move |cpu| {
                let breaks = breaks == Some(cpu);
                Large([7; 4096], Fragile { drops, breaks })
            })
        };
        let object = make(Some(breaks)).unwrap();
        assert_eq!(object.get(0).unwrap().0[4095], 7);
        let panicked = catch_unwind(AssertUnwindSafe(|| drop(object)));
        assert!(panicked.is_err(), "the panic is the caller's to see");
        assert_eq!(drops.take(), cpus, "each once");
        // The memory came back, or this would be refused.
        drop(make(None).unwrap());
        assert_eq!(drops.take(), cpus);
    }
}

#[test]
fn making_values_that_panics_costs_neither_what_was_made_nor_the_memory() {
    #[repr(align(4096))]
    struct Large<'c>(
        #[allow(dead_code)] [u64; 4096],
        #[allow(dead_code)] Fragile<'c>,
    );
    let memory = Allocator::with_limit(Fork::Keep, 64 << 10);
    let drops = Cell::new(0);
    for fails in 0..possible_cpus() {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            PerCpu::new(&memory, |cpu| {
                assert!(cpu != fails, "made up");
                let drops = &drops;
                Large(
                    [7; 4096],
                    Fragile {
                        drops,
                        breaks: false,
                    },
                )
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(drops.take(), fails);
        // The memory of the value is zeroed again.
        let object = PerCpu::<[AtomicU64; 8192]>::zeroed(&memory).unwrap();
        for words in object.iter() {
            assert!(words.iter().all(|word| word.load(Relaxed) == 0));
        }
    }
}
