//! Cells of strings, slices and trait objects: one word, dropped once, counted with all their bytes.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use urcu::{Access, Budget, Domain, OwnedRef, Part, Rcu, RcuOption, Ref, Runner};

use super::values::Counted;
use crate::callbacks::budget::unsealed;
use crate::support::fork::block_on;
use crate::support::{length, storm};

#[test]
fn a_cell_of_a_value_without_a_size_is_one_word_and_takes_the_box_as_it_is() {
    const { assert!(size_of::<Rcu<str>>() == size_of::<usize>()) };
    const { assert!(size_of::<Rcu<dyn Debug>>() == size_of::<usize>()) };
    let name: Box<str> = "name".into();
    let address = name.as_ptr();
    let cell = Rcu::new_boxed(name);
    assert_eq!(cell.read().as_ptr(), address);
    assert_eq!(cell.load(&urcu::read_lock()).as_ptr(), address);
    let name = cell.into_boxed();
    assert_eq!(name.as_ptr(), address);
}

#[test]
fn strings_slices_and_objects_come_from_what_people_have() {
    assert_eq!(&*Rcu::<str>::new_boxed("a".into()).read(), "a");
    let name: Rcu<str> = Rcu::from(String::from("b").into_boxed_str());
    assert_eq!(&*name.read(), "b");
    assert_eq!(*Rcu::<[_]>::new_boxed(vec![1, 2].into()).read(), [1, 2]);
    assert_eq!(Rcu::<str>::default().read().len(), 0);
    assert_eq!(Rcu::<[u8]>::default().read().len(), 0);
    let object: Rcu<dyn Debug> = Rcu::new_boxed(Box::new(3));
    assert_eq!(format!("{object:?} {:?}", object.read()), "Rcu(3) 3");
    let sized: Rcu<u32> = Rcu::new_boxed(Box::new(4));
    assert_eq!(*sized.read(), 4);
    // Neither a size nor a place on the heap.
    let empty: Rcu<[()]> = Rcu::new_boxed(vec![(); 3].into());
    assert_eq!(empty.read().len(), 3);
}

#[test]
fn an_optional_value_without_a_size_may_be_missing() {
    static NAME: RcuOption<str> = RcuOption::empty();
    assert!(NAME.read().is_none());
    NAME.store_boxed(Some("a".into()));
    assert_eq!(NAME.load(&urcu::read_lock()), Some("a"));
    let guard = urcu::read_lock();
    let seen = NAME.load(&guard);
    let refused = NAME.compare_exchange_boxed(None, Some("b".into()), &guard);
    assert_eq!(refused.unwrap_err().current, Some("a"));
    let published = NAME.compare_exchange_boxed(seen, None, &guard).unwrap();
    assert_eq!(published, None);
    let published = NAME.compare_exchange_boxed(None, Some("c".into()), &guard);
    assert_eq!(published.unwrap(), Some("c"));
    drop(guard);
    assert_eq!(NAME.replace_boxed(None).as_deref(), Some("c"));
    assert_eq!(NAME.unlink_boxed(None).wait_boxed(), None);
}

#[test]
fn every_way_to_replace_a_slice_drops_its_elements_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let some = |values: &[u64]| -> Box<[Counted]> {
        let counted = values.iter().map(|value| Counted::new(&alive, *value));
        counted.collect()
    };
    let domain = Domain::new();
    let mut cell = Rcu::new_boxed_in(some(&[1]), &domain);
    cell.store_boxed(some(&[2, 3]));
    let seen = cell.read();
    cell.store_boxed(some(&[4, 5, 6]));
    assert_eq!((seen[0].1, seen[1].1, seen.len()), (2, 3, 2));
    drop(seen);
    assert_eq!(cell.replace_boxed(some(&[7])).len(), 3);
    cell.update_boxed(|old| some(&[old[0].1 + 1]));
    assert_eq!(cell.try_update_boxed(|_| Err(3)), Err(3));
    let old = cell.fetch_update_boxed(|_| some(&[]));
    assert_eq!(old[0].1, 8);
    old.retire();
    assert_eq!(cell.unlink_boxed(some(&[9])).wait_boxed().len(), 0);
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    let exchange = |seen, new| cell.compare_exchange_boxed(seen, new, &guard);
    assert_eq!(exchange(seen, some(&[10])).unwrap()[0].1, 10);
    let refused = exchange(seen, some(&[11])).unwrap_err();
    assert_eq!((refused.current[0].1, refused.new[0].1), (10, 11));
    // Equal is not the same; and what was never in a cell is not there.
    let other = some(&[10]);
    assert!(exchange(&other, some(&[12])).is_err());
    drop((refused, other));
    drop(guard);
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    cell.get_mut()[0] = Counted::new(&alive, 12);
    assert_eq!(cell.replace_boxed(Box::default())[0].1, 12);
    drop(cell);
    drop(Rcu::new_boxed(some(&[13])));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_value_without_a_size_is_awaited_and_owned() {
    let name = Arc::new(Rcu::<str>::new_boxed("a".into()));
    let kept: OwnedRef<_, str> = name.read_owned();
    let old = name.unlink_boxed("b".into());
    assert_eq!((&*kept, &*old), ("a", "a"));
    drop(kept);
    assert_eq!(&*block_on(old.wait_boxed_async()), "a");
    assert_eq!(&*block_on(name.replace_boxed_async("c".into())), "b");
    // One that is given up before it is polled, or ready, retires its value.
    drop(name.unlink_boxed("d".into()).wait_boxed_async());
    assert_eq!(&*name.read(), "d");
}

#[test]
fn readers_see_whole_slices_while_they_are_replaced() {
    let cell = Rcu::<[u64]>::new_boxed(vec![0; 3].into());
    let next = AtomicUsize::new(1);
    thread::scope(|scope| {
        let done = scope.spawn(|| {
            storm(length(200), 1, |_| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                cell.store_boxed(vec![number as u64; number % 50 + 1].into());
            });
        });
        while !done.is_finished() {
            let seen = cell.read();
            let first = seen[0];
            assert!(seen.iter().all(|value| *value == first));
            assert!(first == 0 || seen.len() == first as usize % 50 + 1);
        }
    });
    urcu::barrier();
}

#[test]
fn a_part_of_a_value_without_a_size_is_read_by_whoever_owns_it() {
    let cell = Arc::new(Rcu::<str>::new_boxed("ab".into()));
    let whole: &dyn Access<str> = &cell;
    assert_eq!(&*whole.read(), "ab");
    let first = Part::of(Arc::clone(&cell), |text: &str| &text[..1]);
    cell.store_boxed("cd".into());
    assert_eq!(&*first.read(), "c");
    let seen = Ref::map(cell.read(), |text| &text[1..]);
    cell.store_boxed("ef".into());
    assert_eq!(&*seen, "d");
}

#[test]
fn the_budget_counts_all_bytes_of_a_value_without_a_size() {
    const EACH: usize = 1024;
    let domain = Domain::new().run_by(Runner::Caller);
    domain.set_budget(Budget::new(u64::MAX, usize::MAX).patience(Duration::ZERO));
    let cell = Rcu::<[u8], _>::new_boxed_in(Box::default(), &domain);
    let guard = domain.read_lock();
    (0..1000).for_each(|_| cell.store_boxed(vec![1; EACH].into()));
    let bytes = domain.stats().callbacks_pending_bytes;
    let sealed = 999 - unsealed().min(999);
    assert!(bytes >= sealed * EACH as u64, "{bytes} bytes");
    // One that is not counted by its type alone, by each of the other ways.
    let before = domain.stats().callbacks_pending_bytes;
    cell.store_boxed(vec![1; 1 << 20].into());
    drop(cell.unlink_boxed(Box::default()));
    let more = domain.stats().callbacks_pending_bytes - before;
    assert!(more >= 1 << 20, "{more} bytes");
    drop(guard);
    domain.barrier();
    assert_eq!(domain.stats().callbacks_pending_bytes, 0);
}

#[test]
fn an_object_whose_drop_panics_gives_its_memory_back_and_stops_nobody() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
    trait Object: Send + Sync {}
    impl Object for Bad {}
    impl Object for Counted {}
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell: Rcu<dyn Object, _> = Rcu::new_boxed_in(Box::new(Bad), &domain);
    cell.store_boxed(Box::new(Counted::new(&alive, 1)));
    cell.store_boxed(Box::new(Bad));
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(cell))).is_err());
}
