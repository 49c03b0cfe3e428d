//! Readers check values whose memory is poisoned when it is reclaimed, while writers retire them by
//! callbacks alone. With `--cfg rseq_ops_delay_injection`, with delays inside the sequences.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu};
use urcu_host::affinity::{cpus, run_on};
use urcu_host::poison::{LARGE, SMALL};
use urcu_host::stamped::Stamped;

use crate::support::{SetOnDrop, length};

struct World<'d> {
    domain: &'d Domain,
    cell: Rcu<Stamped<LARGE>, &'d Domain>,
    /// Unpublished by a plain store, not by an exchange.
    plain: AtomicPtr<Stamped<SMALL>>,
}

fn read(world: &World<'_>, turn: u64) -> bool {
    let guard = world.domain.read_lock();
    let large = world.cell.load(&guard);
    // SAFETY: retired a grace period after it was replaced.
    let small = unsafe { &*world.plain.load(Ordering::Acquire) };
    // For a time that differs from turn to turn, up to some grace periods.
    let looks = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57;
    (0..=looks).all(|_| large.check().is_some() && small.check().is_some())
}

fn write(world: &World<'_>, owner: bool, stamp: u64) {
    world.cell.store(Stamped::new(stamp));
    if owner {
        let old = world.plain.load(Ordering::Relaxed);
        let new = Box::into_raw(Box::new(Stamped::new(stamp)));
        world.plain.store(new, Ordering::Release);
        // SAFETY: from a box, and unpublished; dropped after a grace period. Its word is what
        // readers still look at, so it is not a box before.
        let retired = Retired(old);
        world.domain.defer_drop(retired);
    }
}

struct Retired(*mut Stamped<SMALL>);

// SAFETY: it owns what it points to.
unsafe impl Send for Retired {}

impl Drop for Retired {
    fn drop(&mut self) {
        // SAFETY: from a box; a grace period has passed.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// Counts reads and stores, and panics at the first error.
fn stress(time: Duration, readers: usize, writers: usize) {
    let domain = Domain::named("callbacks");
    let world = World {
        domain: &domain,
        cell: Rcu::new_in(Stamped::new(0), &domain),
        plain: AtomicPtr::new(Box::into_raw(Box::new(Stamped::new(0)))),
    };
    let (reads, errors, stores) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let end = Instant::now() + time;
    thread::scope(|scope| {
        let (world, over, reads, errors, stores) = (&world, &over, &reads, &errors, &stores);
        for _ in 0..readers {
            scope.spawn(move || {
                let _over = SetOnDrop(over);
                let mut turn = 0;
                // Once at least, however late the thread starts.
                while turn == 0 || (!over.load(Ordering::Relaxed) && Instant::now() < end) {
                    for _ in 0..64 {
                        turn += 1;
                        if !read(world, turn) {
                            errors.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                    }
                }
                reads.fetch_add(turn, Ordering::Relaxed);
            });
        }
        for number in 0..writers {
            scope.spawn(move || {
                let cpus = cpus();
                let mut stamp = 0;
                while !over.load(Ordering::Relaxed) {
                    stamp += 1;
                    write(world, number == 0, stamp);
                    if stamp % 4096 == 0 {
                        // Elsewhere from now on.
                        run_on(&[cpus[stamp as usize / 4096 % cpus.len()]]);
                    }
                }
                stores.fetch_add(stamp, Ordering::Relaxed);
            });
        }
    });
    domain.barrier();
    let stats = domain.stats();
    println!(
        "{reads:?} reads, {stores:?} stores, {} grace periods",
        stats.grace_periods
    );
    // SAFETY: nobody else is left.
    drop(unsafe { Box::from_raw(world.plain.load(Ordering::Relaxed)) });
    assert_eq!(errors.into_inner(), 0, "reclaimed memory was seen");
    assert_eq!(stats.callbacks_pending, 0, "{stats:?}");
    assert!(reads.into_inner() > 0 && stores.into_inner() > 0);
}

#[test]
fn readers_never_see_what_callbacks_have_freed() {
    stress(length(500), 1, 1);
    stress(length(500), 3, 3);
}

#[cfg(rseq_ops_delay_injection)]
#[test]
fn readers_never_see_what_callbacks_have_freed_with_delays() {
    use crate::torture::with_delays::delay;
    use urcu::testing::{Point, set_delay};
    for point in [
        Point::AppendCommit,
        Point::ReplaceCommit,
        Point::AddThroughCommit,
    ] {
        let _delayed = delay(point, 1);
        stress(length(150), 2, 2);
        assert!(set_delay(point, 200));
        stress(length(150), 2, 2);
    }
}
