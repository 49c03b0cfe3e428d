//! Values that were replaced and are still visible, and what is published without a copy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;

use urcu::{Domain, Rcu, RcuArc, RcuArcOption, RcuOption};

use crate::cells::values::Counted;
use crate::support::assert_waits;
use crate::support::fork::block_on;

#[test]
fn a_value_that_is_unlinked_is_seen_until_it_is_dropped_once() {
    static DOMAIN: Domain = Domain::new();
    let (alive, domain) = (Arc::new(AtomicUsize::new(0)), &DOMAIN);
    let cell = Rcu::new_in(Counted::new(&alive, 1), domain);
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    let old = cell.unlink(Counted::new(&alive, 2));
    assert_eq!((seen.1, old.1, cell.load(&guard).1), (1, 1, 2));
    assert!(std::ptr::eq(seen, &raw const *old));
    old.retire();
    assert_eq!(seen.1, 1);
    drop(guard);
    domain.barrier();
    assert_eq!(alive.load(SeqCst), 1);
    // Kept, in another cell too.
    let other = Rcu::new_in(Some(cell.unlink(Counted::new(&alive, 3))), domain);
    domain.barrier();
    assert_eq!(other.read().as_ref().expect("kept").1, 2);
    other.store(None);
    domain.barrier();
    domain.barrier();
    assert_eq!(alive.load(SeqCst), 1);
    let last = cell.fetch_update(|old| Counted::new(&alive, old.1 + 1));
    assert_eq!((last.1, last.wait().1), (3, 3));
    assert_eq!(alive.load(SeqCst), 1);
    drop(cell);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn waiting_for_an_unlinked_value_waits_for_its_readers() {
    let domain = Domain::new();
    let cell = Rcu::new_in(1, &domain);
    let guard = domain.read_lock();
    let old = cell.unlink(2);
    thread::scope(|scope| {
        let waits = scope.spawn(|| old.wait());
        assert_waits(&domain, || drop(guard));
        assert_eq!(waits.join().unwrap(), 1);
    });
}

#[test]
fn replacing_without_blocking_gives_the_value_back_when_its_readers_are_over() {
    let domain = Domain::new();
    let cell = Rcu::new_in(vec![1], &domain);
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    let mut replaced = pin!(cell.replace_async(vec![2]));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..20 {
        assert!(replaced.as_mut().poll(&mut context).is_pending());
        thread::yield_now();
    }
    assert_eq!((seen, cell.load(&guard)), (&vec![1], &vec![2]));
    drop(guard);
    assert_eq!(block_on(replaced), [1]);
    assert_eq!(block_on(cell.replace_async(vec![3])), [2]);
}

#[test]
fn a_wait_that_is_given_up_retires_the_value() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = Rcu::new_in(Counted::new(&alive, 1), &domain);
    // Never polled: nothing is published.
    drop(cell.replace_async(Counted::new(&alive, 2)));
    assert_eq!((cell.read().1, alive.load(SeqCst)), (1, 1));
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    {
        let mut replaced = pin!(cell.replace_async(Counted::new(&alive, 3)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(replaced.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!((seen.1, alive.load(SeqCst)), (1, 2));
    drop(guard);
    domain.barrier();
    assert_eq!(alive.load(SeqCst), 1);
}

#[test]
fn nothing_is_not_waited_for() {
    let domain = Domain::new();
    let cell = RcuOption::<u32, _>::empty_in(&domain);
    let _guard = domain.read_lock();
    let nothing = cell.unlink(Some(1));
    assert_eq!(nothing.get(), None);
    assert_eq!(nothing.wait(), None);
    let arcs = RcuArcOption::<u32, _>::empty_in(&domain);
    assert_eq!(block_on(arcs.replace_async(None)), None);
    assert_eq!(block_on(arcs.unlink(Some(Arc::new(2))).wait_async()), None);
}

#[test]
fn what_is_in_a_box_is_published_where_it_is() {
    let domain = Domain::new();
    let cell = Rcu::new_in([1; 100], &domain);
    let new = Box::new([2; 100]);
    let address = &raw const *new;
    cell.store_boxed(new);
    let guard = cell.read_lock();
    assert!(std::ptr::eq(cell.load(&guard), address));
    // Back and forth without another allocation.
    let new = Box::new([3; 100]);
    let address = &raw const *new;
    let error = cell
        .compare_exchange_boxed(&[0; 100], new, &guard)
        .unwrap_err();
    assert_eq!((error.current[0], &raw const *error.new), (2, address));
    let published = cell
        .compare_exchange_boxed(error.current, error.new, &guard)
        .unwrap();
    assert!(std::ptr::eq(published, address) && std::ptr::eq(cell.load(&guard), address));
    let option = RcuOption::new_in(None, &domain);
    option.store_boxed(Some(Box::new(1)));
    assert_eq!(option.load(&guard), Some(&1));
}

#[test]
fn an_exchange_answers_what_it_published_as_long_as_the_guard_lives() {
    let domain = Domain::new();
    let cell = Rcu::new_in(vec![1], &domain);
    let guard = domain.read_lock();
    let mine = cell
        .compare_exchange(cell.load(&guard), vec![2], &guard)
        .unwrap();
    cell.store(vec![3]);
    domain.start_poll();
    assert_eq!((mine, cell.load(&guard)), (&vec![2], &vec![3]));
    let arcs = RcuArc::new_in(Arc::new(1), &domain);
    let two = Arc::new(2);
    let published = arcs.compare_exchange(arcs.load(&guard), Arc::clone(&two), &guard);
    assert!(std::ptr::eq(published.unwrap(), &raw const *two));
}

#[test]
fn an_update_that_panics_or_fails_changes_nothing() {
    let cell = Rcu::new(1);
    let panics = || drop(cell.fetch_update(|_| panic!("on purpose")));
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(
        cell.try_fetch_update(|_| Err::<i32, _>("no")).err(),
        Some("no")
    );
    assert_eq!(cell.snapshot(), 1);
    let old = cell.try_fetch_update(|old| Ok::<_, ()>(old + 1)).unwrap();
    assert_eq!((*old, cell.snapshot()), (1, 2));
    urcu::synchronize();
}
