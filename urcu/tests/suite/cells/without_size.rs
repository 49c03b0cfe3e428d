//! Cells of strings, slices and trait objects: one word, dropped once, counted with all their bytes.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use urcu::{Access, Budget, Domain, Part, RcuBox, Ref, Runner, Thin};

use super::values::Counted;
use crate::callbacks::budget::unsealed;
use crate::support::{length, storm};

#[test]
fn a_cell_of_a_value_without_a_size_is_one_word_and_takes_the_box_as_it_is() {
    const { assert!(size_of::<RcuBox<str>>() == size_of::<usize>()) };
    const { assert!(size_of::<RcuBox<dyn Debug>>() == size_of::<usize>()) };
    let name: Box<str> = "name".into();
    let address = name.as_ptr();
    let cell = RcuBox::from(name);
    assert_eq!(cell.read().as_ptr(), address);
    assert_eq!(cell.load(&urcu::read_lock()).as_ptr(), address);
    let name = cell.into_inner();
    assert_eq!(name.as_ptr(), address);
}

#[test]
fn strings_slices_and_objects_come_from_what_people_have() {
    assert_eq!(&*RcuBox::from("a").read(), "a");
    assert_eq!(&*RcuBox::from(String::from("b")).read(), "b");
    assert_eq!(*RcuBox::from(vec![1, 2]).read(), [1, 2]);
    assert_eq!(RcuBox::<str>::default().read().len(), 0);
    assert_eq!(RcuBox::<[u8]>::default().read().len(), 0);
    let object: RcuBox<dyn Debug> = RcuBox::new(Box::new(3));
    assert_eq!(format!("{object:?} {:?}", object.read()), "Rcu(3) 3");
    let sized: RcuBox<u32> = RcuBox::new(Box::new(4));
    assert_eq!(*sized.read(), 4);
    // Neither a size nor a place on the heap.
    let empty: RcuBox<[()]> = RcuBox::from(vec![(); 3]);
    assert_eq!(empty.read().len(), 3);
    let boxed: RcuBox<str> = Thin::<str>::from(Box::from("c")).into();
    assert_eq!(&*boxed.read(), "c");
}

#[test]
fn every_way_to_replace_a_slice_drops_its_elements_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let some = |values: &[u64]| -> Box<[Counted]> {
        let counted = values.iter().map(|value| Counted::new(&alive, *value));
        counted.collect()
    };
    let domain = Domain::new();
    let mut cell = RcuBox::new_in(some(&[1]), &domain);
    cell.store(some(&[2, 3]));
    let seen = cell.read();
    cell.store_boxed(Thin::from(some(&[4, 5, 6])));
    assert_eq!((seen[0].1, seen[1].1, seen.len()), (2, 3, 2));
    drop(seen);
    assert_eq!(cell.replace(some(&[7])).len(), 3);
    cell.update(|old| some(&[old[0].1 + 1]));
    let old = cell.unlink(some(&[]));
    assert_eq!(old.get()[0].1, 8);
    old.retire();
    assert_eq!(cell.unlink(some(&[9])).wait().len(), 0);
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    let published = cell.compare_exchange(seen, some(&[10]), &guard).unwrap();
    assert_eq!(published[0].1, 10);
    let refused = cell.compare_exchange(seen, some(&[11]), &guard);
    let refused = refused.unwrap_err();
    assert_eq!((refused.current[0].1, refused.new[0].1), (10, 11));
    drop(refused);
    drop(guard);
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    cell.get_mut()[0] = Counted::new(&alive, 12);
    assert_eq!(cell.take()[0].1, 12);
    drop(cell);
    drop(RcuBox::new(some(&[13])));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn readers_see_whole_slices_while_they_are_replaced() {
    let cell = RcuBox::from(vec![0_u64; 3]);
    let next = AtomicUsize::new(1);
    thread::scope(|scope| {
        let done = scope.spawn(|| {
            storm(length(200), 1, |_| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                cell.store(vec![number as u64; number % 50 + 1].into());
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
    let cell = Arc::new(RcuBox::<str>::from("ab"));
    let whole: &dyn Access<str> = &cell;
    assert_eq!(&*whole.read(), "ab");
    let first = Part::of(Arc::clone(&cell), |text: &str| &text[..1]);
    cell.store("cd".into());
    assert_eq!(&*first.read(), "c");
    let seen = Ref::map(cell.read(), |text| &text[1..]);
    cell.store("ef".into());
    assert_eq!(&*seen, "d");
}

#[test]
fn the_budget_counts_all_bytes_of_a_value_without_a_size() {
    const EACH: usize = 1024;
    let domain = Domain::new().run_by(Runner::Caller);
    domain.set_budget(Budget::new(u64::MAX, usize::MAX).patience(Duration::ZERO));
    let cell = RcuBox::<[u8], _>::new_in(Box::default(), &domain);
    let guard = domain.read_lock();
    (0..1000).for_each(|_| cell.store(vec![1; EACH].into()));
    let bytes = domain.stats().callbacks_pending_bytes;
    let sealed = 999 - unsealed().min(999);
    assert!(bytes >= sealed * EACH as u64, "{bytes} bytes");
    // One that is not counted by its type alone, by each of the other ways.
    let before = domain.stats().callbacks_pending_bytes;
    cell.store(vec![1; 1 << 20].into());
    drop(cell.unlink(Box::default()));
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
    let cell: RcuBox<dyn Object, _> = RcuBox::new_in(Box::new(Bad), &domain);
    cell.store(Box::new(Counted::new(&alive, 1)));
    cell.store(Box::new(Bad));
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(cell))).is_err());
}
