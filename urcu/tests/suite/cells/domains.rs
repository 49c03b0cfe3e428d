//! Domains as types, and structures that own their domain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use urcu::{Budget, Domain, GuardOf, Rcu, RcuArc, RcuOption, Runner};

use crate::cells::values::Counted;

urcu::domain!(Requests = "requests");
urcu::domain! {
    /// With settings, and another visibility.
    pub(crate) Jobs = "jobs", run_by: Runner::Caller, with_budget: Budget::new(7, 1 << 20),
}

#[test]
fn a_type_is_one_domain_with_its_name_and_settings() {
    assert_eq!(Requests.to_string(), "RCU domain \"requests\"");
    assert!(std::ptr::eq(&raw const *Requests, &raw const *Requests));
    assert!(!Requests.read_lock().is_of(&Jobs));
    assert_eq!(size_of::<Requests>(), 0);
    Jobs.call(|| ());
    assert_eq!(Jobs.stats().callbacks_pending, 1);
    while Jobs.run_callbacks(1) == 0 {}
    assert_eq!(Jobs.budget(), Budget::new(7, 1 << 20));
}

#[test]
fn what_belongs_to_a_type_is_one_word() {
    assert_eq!(size_of::<Rcu<u64, Requests>>(), size_of::<usize>());
    assert_eq!(size_of::<RcuOption<u64, Requests>>(), size_of::<usize>());
    assert_eq!(size_of::<RcuArc<u64, Requests>>(), size_of::<usize>());
    assert_eq!(
        size_of::<GuardOf<Requests>>(),
        size_of::<urcu::ReadGuard<'_>>()
    );
    static EMPTY: RcuOption<u64, Requests> = RcuOption::empty_in(Requests);
    assert!(EMPTY.load(&Requests.read_lock()).is_none());
}

#[test]
fn a_guard_of_the_type_is_one_of_its_domain_and_holds_it_up() {
    let cell = Rcu::new_in(1, Requests);
    let guard = Requests.read_lock();
    assert!(guard.is_of(&Requests) && !guard.is_of(urcu::global()));
    let seen = cell.load(&guard);
    let old = cell.unlink(2);
    assert_eq!((*seen, *old, *cell.load(&guard)), (1, 1, 2));
    let over = Requests.start_poll();
    assert!(!Requests.poll(&over));
    // Whatever becomes of it, it is the same section.
    let guard = guard.into_guard();
    assert!(!Requests.poll(&over));
    let guard = GuardOf::<Jobs>::try_from(guard).expect_err("another domain's");
    let guard = GuardOf::<Requests>::try_from(guard).expect("its own");
    assert!(!Requests.poll(&over));
    drop(guard);
    over.wait();
    assert_eq!(old.wait(), 1);
}

#[test]
fn cells_own_their_domain_whichever_goes_last() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counted = |value| Counted::new(&alive, value);
    for order in 0..3 {
        let domain = Arc::new(Domain::new());
        let one = Rcu::new_in(counted(1), Arc::clone(&domain));
        let other = RcuOption::new_in(Some(counted(2)), Arc::clone(&domain));
        assert_eq!(Arc::strong_count(&domain), 3);
        one.store(counted(3));
        other.store(None);
        let seen = one.read();
        let guard = other.read_lock();
        assert!(guard.is_of(&domain) && other.load(&guard).is_none());
        drop((guard, seen));
        match order {
            0 => drop((domain, one, other)),
            1 => drop((one, other, domain)),
            _ => {
                let unlinked = one.unlink(counted(4));
                drop(domain);
                let value = one.into_inner();
                drop(other);
                // The last owner of the domain, which waits for its own callbacks.
                assert_eq!((value.1, unlinked.wait().1), (4, 3));
                drop(value);
            }
        }
        assert_eq!(alive.load(SeqCst), 0, "order {order}");
    }
}

/// A retired value may own the domain in which it waits, and be the last that does.
#[test]
fn a_domain_that_its_own_retired_value_owns_goes_with_it() {
    struct Owner(
        #[expect(dead_code, reason = "owned")] Arc<Domain>,
        Arc<AtomicBool>,
    );
    impl Drop for Owner {
        fn drop(&mut self) {
            self.1.store(true, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let domain = Arc::new(Domain::new());
    let owner = Some(Owner(Arc::clone(&domain), Arc::clone(&dropped)));
    let cell = Rcu::new_in(owner, Arc::clone(&domain));
    cell.store(None);
    drop((domain, cell));
    while !dropped.load(SeqCst) {
        thread::yield_now();
    }
    // The same with a whole cell.
    let domain = Arc::new(Domain::new());
    dropped.store(false, SeqCst);
    let inner = Rcu::new_in(Owner(Arc::clone(&domain), Arc::clone(&dropped)), domain);
    urcu::defer_drop(inner);
    while !dropped.load(SeqCst) {
        thread::yield_now();
    }
}

#[test]
fn updaters_of_typed_and_owned_domains_lose_nothing() {
    let typed = Rcu::new_in(0_u64, Requests);
    let owned = Rcu::new_in(0_u64, Arc::new(Domain::new()));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..300 {
                    typed.update(|value| value + 1);
                    owned.fetch_update(|value| value + 1).retire();
                    assert!(typed.snapshot() >= 1 && owned.snapshot() >= 1);
                }
            });
        }
    });
    assert_eq!((typed.snapshot(), owned.snapshot()), (900, 900));
}

#[test]
fn a_raw_link_of_a_domain_that_is_a_type_is_one_word_and_takes_its_guards() {
    use std::sync::atomic::Ordering::{AcqRel, Acquire};
    use urcu::raw::{Atomic, Owned, Shared};

    urcu::domain!(Nodes = "nodes");
    static HEAD: Atomic<(u64, String), Nodes> = Atomic::null_in(Nodes);
    const { assert!(size_of::<Atomic<u64, Nodes>>() == size_of::<usize>()) };
    let guard = Nodes.read_lock();
    assert!(HEAD.load(Acquire, &guard).is_null());
    let new = Owned::new((1, String::from("a")));
    let node = HEAD.compare_exchange(Shared::null(), new, AcqRel, Acquire, &guard);
    let node = node.unwrap();
    // A link of any domain takes them, too.
    let any = Atomic::from(node);
    assert_eq!(any.load(Acquire, &guard), node);
    let second = Atomic::from_in(node.with_tag(1), Nodes);
    assert_eq!(second.swap(Shared::null(), AcqRel, &guard).tag(), 1);
    assert_eq!(HEAD.swap(Shared::null(), AcqRel, &guard), node);
    // SAFETY: unlinked, and retired once; whoever had it has a guard of this domain.
    unsafe { Nodes.retire_shared(node) };
    // SAFETY: the section is open.
    let value = unsafe { node.as_ref() };
    assert_eq!(value.map(|node| node.1.as_str()), Some("a"));
    drop(guard);
    Nodes.barrier();
}
