//! What keeps a value, or reads it again and again: owned references, caches, accesses to parts.

use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

use urcu::link::Link;
use urcu::{
    Access, Cache, CloneCache, Constant, Domain, OwnedRef, Part, Rcu, RcuArc, RcuArcOption,
    RcuOption, ReadGuard, Ref,
};

use crate::cells::values::Counted;
use crate::support::{length, storm};

#[test]
fn an_owned_reference_keeps_its_cell_and_its_domain_and_is_a_section() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Arc::new(Domain::new());
    let cell = Arc::new(Rcu::new_in(Counted::new(&alive, 1), Arc::clone(&domain)));
    let seen = cell.read_owned();
    assert!(Arc::ptr_eq(OwnedRef::cell(&seen), &cell));
    cell.store(Counted::new(&alive, 2));
    let over = domain.start_poll();
    assert!(!domain.poll(&over));
    drop((cell, domain));
    // Through a queue, to another thread; a part of it, too.
    let (sender, queue) = mpsc::channel();
    sender.send(seen).unwrap();
    let number = thread::spawn(move || OwnedRef::map(queue.recv().unwrap(), |seen| &seen.1));
    let number = number.join().unwrap();
    assert_eq!((*number, alive.load(SeqCst)), (1, 2));
    // The last owner of the cell, and of the domain.
    drop(number);
    over.wait();
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn an_owned_reference_to_nothing_is_none_and_no_section() {
    let cell = Arc::new(RcuOption::<u32, _>::empty_in(Arc::new(Domain::new())));
    assert!(cell.read_owned().is_none());
    cell.domain().synchronize();
    cell.store(Some(1));
    assert_eq!(cell.read_owned().map(|seen| *seen), Some(1));
    let arcs = Arc::new(RcuArcOption::new(Some(Arc::new(2))));
    assert_eq!(format!("{:?}", arcs.read_owned()), "Some(2)");
}

#[test]
fn a_section_that_is_doubled_protects_what_the_first_one_saw() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Arc::new(Domain::new());
    let cell = Arc::new(Rcu::new_in(Counted::new(&alive, 1), Arc::clone(&domain)));
    let (seen, owned) = (cell.read(), cell.read_owned());
    cell.store(Counted::new(&alive, 2));
    let over = domain.start_poll();
    // The grace period has begun, and waits for the first ones.
    assert!(!domain.poll(&over));
    let (other, guard) = (Ref::clone(&seen), Ref::guard(&seen).clone());
    let again = OwnedRef::clone(&owned);
    drop((seen, owned));
    assert!(!domain.poll(&over));
    thread::scope(|scope| {
        let ended = scope.spawn(|| (other.1, drop(other)).0);
        assert_eq!(ended.join().unwrap(), 1);
    });
    drop(guard);
    assert!(!domain.poll(&over));
    assert_eq!(again.1, 1);
    drop(again);
    over.wait();
    domain.barrier();
    assert_eq!(alive.load(SeqCst), 1);
}

/// Sections that are handed on by doubling them, from thread to thread, while grace periods come and go.
#[test]
fn a_value_is_kept_by_whoever_doubles_its_section() {
    let alive = Arc::new(AtomicUsize::new(0));
    let cell = Arc::new(Rcu::new_in(
        Counted::new(&alive, 0),
        Arc::new(Domain::new()),
    ));
    let next = AtomicUsize::new(1);
    storm(length(200), 3, |number| {
        if number == 0 {
            let next = next.fetch_add(1, SeqCst) as u64;
            return drop(cell.replace(Counted::new(&alive, next)));
        }
        let mut seen = cell.read_owned();
        let stamp = seen.1;
        for _ in 0..20 {
            seen = OwnedRef::clone(&seen);
            assert_eq!(seen.1, stamp);
        }
    });
    drop(cell);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn one_guard_goes_from_cell_to_cell() {
    let domain = Domain::new();
    let (one, two) = (Rcu::new_in(1, &domain), RcuOption::new_in(Some(2), &domain));
    let seen = one.read();
    assert!(Ref::guard(&seen).is_of(&domain));
    assert_eq!(two.load(Ref::guard(&seen)), Some(&2));
    let over = domain.start_poll();
    let seen = two.read_with(Ref::into_guard(seen)).unwrap();
    assert!(!domain.poll(&over));
    assert_eq!(*seen, 2);
    drop(seen);
    over.wait();
    let other = catch_unwind(|| *one.read_with(urcu::read_lock()));
    assert!(other.is_err());
    urcu::synchronize();
}

#[test]
fn a_cache_follows_its_cell_and_gives_up_what_it_kept() {
    let first = Arc::new(1);
    let cell = Arc::new(RcuArc::new(Arc::clone(&first)));
    let mut cached = Cache::new(Arc::clone(&cell));
    let mut other = cached.clone();
    assert_eq!((cached.load(), Arc::strong_count(&first)), (&1, 4));
    cell.replace(Arc::new(2));
    assert_eq!((cached.load(), Arc::strong_count(&first)), (&2, 2));
    assert_eq!((other.load(), Arc::strong_count(&first)), (&2, 1));
    // No section is open.
    urcu::synchronize();
    let option = RcuArcOption::empty();
    let mut cached = Cache::new(&option);
    assert_eq!(cached.load(), None);
    option.store(Some(first));
    assert_eq!(cached.load(), Some(&1));
    option.store(None);
    assert_eq!(cached.load(), None);
    assert_eq!(cached.into_kept(), None);
}

/// Also where another value is at the address of the one that was cloned.
#[test]
fn a_cache_of_clones_mistakes_no_other_value_for_its_own() {
    let domain = Domain::new();
    let cell = Rcu::new_in([0_u64; 7], &domain);
    let mut cached = CloneCache::new(&cell);
    let mut recycled = 0;
    for number in 1..200 {
        let before = std::ptr::from_ref(&*cell.read()).addr();
        cell.replace([number; 7]);
        cell.replace([number + 1000; 7]);
        recycled += usize::from(before == std::ptr::from_ref(&*cell.read()).addr());
        assert_eq!(*cached.load(), [number + 1000; 7]);
        assert_eq!(*cached.load(), [number + 1000; 7]);
    }
    println!("{recycled} at the same address");
    let mut other = cached.clone();
    assert_eq!(*other.load(), [1199; 7]);
}

#[test]
fn caches_never_go_back() {
    let arcs = RcuArc::new(Arc::new(0_u64));
    let values = Rcu::new(0_u64);
    storm(length(200), 3, |number| {
        if number == 0 {
            for _ in 0..100 {
                arcs.update(|old| Arc::new(*old + 1));
                values.update(|old| old + 1);
            }
            return;
        }
        let (mut cached, mut clones) = (Cache::new(&arcs), CloneCache::new(&values));
        let mut last = (0, 0);
        for _ in 0..500 {
            let now = (*cached.load(), *clones.load());
            assert!(
                last.0 <= now.0 && last.1 <= now.1,
                "{last:?} before {now:?}"
            );
            last = now;
        }
    });
    let (mut cached, mut clones) = (Cache::new(&arcs), CloneCache::new(&values));
    assert_eq!(
        (*cached.load(), *clones.load()),
        (arcs.snapshot(), values.snapshot())
    );
}

#[test]
fn a_part_is_read_whoever_owns_the_whole() {
    struct Config {
        limits: (u32, u32),
        name: String,
    }
    fn limit(access: &dyn Access<u32>) -> u32 {
        *access.read()
    }
    let config = |limit| Config {
        limits: (0, limit),
        name: limit.to_string(),
    };
    let cell = Arc::new(RcuArc::new(Arc::new(config(1))));
    let limits = Part::of(Arc::clone(&cell), |config: &Config| &config.limits);
    let second = Part::of(&limits, |limits: &(u32, u32)| &limits.1);
    let name = Part::of(&*cell, |config: &Config| config.name.as_str());
    let seen = name.read();
    cell.store(Arc::new(config(2)));
    assert_eq!((limit(&second), limit(&Constant(7)), &*seen), (2, 7, "1"));
    // The section of the whole.
    assert!(Ref::guard(&seen).is_of(urcu::global()));
    drop(seen);
    assert_eq!(&*name.read(), "2");
    let panics = Part::of(&limits, |_: &(u32, u32)| -> &u32 { panic!("on purpose") });
    assert!(catch_unwind(std::panic::AssertUnwindSafe(|| *panics.read())).is_err());
    urcu::synchronize();
}

#[test]
fn a_panic_leaves_nothing_half_done() {
    fn safe<T: UnwindSafe + RefUnwindSafe>() {}
    safe::<Domain>();
    safe::<ReadGuard<'_>>();
    safe::<Rcu<String>>();
    safe::<RcuArcOption<String, Arc<Domain>>>();
    safe::<Ref<'_, str>>();
    safe::<Link<u32>>();
    safe::<OwnedRef<Rcu<u32>, u32>>();
    let cell = Rcu::new(1);
    catch_unwind(|| cell.update(|_| panic!("on purpose"))).unwrap_err();
    assert_eq!(cell.snapshot(), 1);
}
