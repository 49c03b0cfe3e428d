//! `Ref`: a value, or a part of one, with the section that keeps it.

use std::cell::Cell;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, Waker};
use std::thread;

use urcu::{Domain, Rcu, RcuOption, Ref};

use crate::support::assert_waits;

#[test]
fn a_grace_period_waits_for_a_part_of_a_value() {
    let domain = Domain::new();
    let cell = Rcu::new_in((String::from("old"), 1), &domain);
    let part: Ref<'_, str> = Ref::map(cell.read(), |value| value.0.as_str());
    let part = Ref::map(part, |name| &name[1..]);
    let part = Ref::filter_map(part, |name| name.get(1..)).unwrap();
    cell.store((String::from("new"), 2));
    assert_waits(&domain, || {
        assert_eq!(&*part, "d");
        thread::scope(|scope| _ = scope.spawn(move || drop(part)));
    });
}

#[test]
fn a_part_that_is_not_there_leaves_the_whole() {
    let domain = Domain::new();
    let cell = Rcu::new_in(vec![1, 2], &domain);
    let whole = Ref::filter_map(cell.read(), |list| list.get(2)).unwrap_err();
    cell.store(vec![]);
    assert_waits(&domain, || {
        assert_eq!(*whole, [1, 2]);
        drop(whole);
    });
    let option = RcuOption::new_in(Some(vec![3]), &domain);
    let first = Ref::filter_map(option.read().unwrap(), |list| list.first()).unwrap();
    assert_eq!(*first, 3);
}

#[test]
fn a_panic_on_the_way_to_a_part_ends_the_section() {
    let domain = Domain::new();
    let cell = Rcu::new_in(1, &domain);
    fn bad<T>(_: &i32) -> T {
        resume_unwind(Box::new("on purpose"))
    }
    let mapped = catch_unwind(AssertUnwindSafe(|| {
        let _: Ref<'_, i32> = Ref::map(cell.read(), |value| bad(value));
    }));
    let filtered = catch_unwind(AssertUnwindSafe(|| {
        let _: Result<Ref<'_, i32>, _> = Ref::filter_map(cell.read(), |value| bad(value));
    }));
    assert!(mapped.is_err() && filtered.is_err());
    domain.synchronize();
}

#[test]
fn an_empty_cell_opens_no_section_that_stays() {
    let domain = Domain::new();
    let cell: RcuOption<i32, _> = RcuOption::empty_in(&domain);
    let seen = cell.read();
    assert!(seen.is_none());
    domain.synchronize();
    drop(seen);
    domain.synchronize();
}

#[test]
fn a_part_may_be_sent_where_it_may_be_shared() {
    // The rest of the value may not.
    let cell = Rcu::new((Cell::new(1), 2));
    let part = Ref::map(cell.read(), |value| &value.1);
    thread::scope(|scope| _ = scope.spawn(move || assert_eq!(*part, 2)));
}

#[test]
fn a_part_may_live_across_an_await_that_goes_on_elsewhere() {
    let domain = Domain::new();
    let cell = Rcu::new_in((String::from("old"), 1), &domain);
    let mut reader = Box::pin(async {
        let part = Ref::map(cell.read(), |value| value.0.as_str());
        let mut first = true;
        poll_fn(|_| match std::mem::take(&mut first) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        })
        .await;
        part.to_owned()
    });
    let mut context = Context::from_waker(Waker::noop());
    assert!(reader.as_mut().poll(&mut context).is_pending());
    cell.store((String::from("new"), 2));
    assert_waits(&domain, || {
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut context = Context::from_waker(Waker::noop());
                let seen = reader.as_mut().poll(&mut context);
                assert_eq!(seen, Poll::Ready(String::from("old")));
            });
        });
    });
}

#[test]
fn a_ref_shows_itself_as_its_value_does() {
    let cell = Rcu::new(1.5);
    let any: Ref<'_, dyn Display> = Ref::map(cell.read(), |value| value as &dyn Display);
    assert_eq!(format!("{any:>6.2} {:?}", cell.read()), "  1.50 1.5");
}
