//! The list, in one thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use urcu::Domain;
use urcu_collections::List;
use urcu_collections::list::{ListRef, NotInList, Position};

use crate::support::Random;

/// Both directions, the number, and what is beside each element.
fn check(list: &ListRef<'_, u64>, model: &[u64]) {
    assert_eq!(
        (list.len(), list.is_empty()),
        (model.len(), model.is_empty())
    );
    assert!(list.iter().eq(model));
    assert!(list.iter().rev().eq(model.iter().rev()));
    let mut before = None;
    for at in list.positions() {
        assert_eq!(at.prev(), before);
        assert!(
            at.is_linked()
                && before.is_none_or(|before: Position<'_, _>| before.next() == Some(at))
        );
        before = Some(at);
    }
    assert_eq!(
        (list.front().map(|at| *at), list.back()),
        (model.first().copied(), before)
    );
}

/// A walk from both ends, in any order.
fn meet(list: &ListRef<'_, u64>, model: &[u64], random: &mut Random) {
    let mut values = list.iter();
    let mut model = model.iter();
    loop {
        let (value, expected) = match random.below(2) {
            0 => (values.next(), model.next()),
            _ => (values.next_back(), model.next_back()),
        };
        assert_eq!(value, expected);
        if value.is_none() {
            assert_eq!((values.next(), values.next_back()), (None, None));
            return;
        }
    }
}

fn step<'g>(
    list: &'g ListRef<'_, u64>,
    model: &mut Vec<u64>,
    random: &mut Random,
    gone: &mut Vec<Position<'g, u64>>,
) {
    let value = random.next();
    let place =
        |random: &mut Random, len: usize| (len > 0).then(|| random.below(len as u64) as usize);
    let at = |index: usize| list.positions().nth(index).unwrap();
    let (one, other) = (place(random, model.len()), place(random, model.len()));
    match (random.below(13), one.zip(other)) {
        (0 | 1, _) => {
            assert_eq!(list.push_back(value).get(), &value);
            model.push(value);
        }
        (2, _) => {
            list.push_front(value);
            model.insert(0, value);
        }
        (3, Some((one, _))) => {
            list.insert_before(at(one), value).unwrap();
            model.insert(one, value);
        }
        (4, Some((one, _))) => {
            list.insert_after(at(one), value).unwrap();
            model.insert(one + 1, value);
        }
        (5, Some((one, _))) => {
            let removed = at(one);
            assert_eq!(list.remove(removed), Some(&model.remove(one)));
            gone.push(removed);
        }
        (6, _) => assert_eq!(
            list.pop_front().copied(),
            (!model.is_empty()).then(|| model.remove(0))
        ),
        (7, _) => assert_eq!(list.pop_back().copied(), model.pop()),
        (8, Some((one, _))) => {
            assert!(list.move_to_front(at(one)));
            model[..=one].rotate_right(1);
        }
        (9, Some((one, _))) => {
            assert!(list.move_to_back(at(one)));
            model[one..].rotate_left(1);
        }
        (kind @ 10..12, Some((one, other))) => {
            let (element, neighbour) = (at(one), at(other));
            let value = model[other];
            assert!(if kind == 10 {
                list.move_before(element, neighbour)
            } else {
                list.move_after(element, neighbour)
            });
            if one != other {
                let moved = model.remove(one);
                let at = model.iter().position(|other| *other == value).unwrap();
                model.insert(at + kind as usize - 10, moved);
            }
        }
        (12, _) if random.below(40) == 0 => {
            list.retain(|value| value % 3 != 0);
            model.retain(|value| value % 3 != 0);
        }
        (12, _) if random.below(60) == 0 => {
            list.clear();
            model.clear();
        }
        _ => {}
    }
}

#[test(120)]
fn a_list_answers_as_a_vector_does() {
    let (list, mut model) = (List::new(), Vec::new());
    let mut random = Random::new(1);
    for _ in 0..300 {
        let pinned = list.pin();
        let mut gone = Vec::new();
        for _ in 0..20 {
            step(&pinned, &mut model, &mut random, &mut gone);
            check(&pinned, &model);
            meet(&pinned, &model, &mut random);
        }
        for at in gone {
            refuses(&pinned, at);
        }
        check(&pinned, &model);
    }
    let mut left = list.into_iter();
    assert_eq!(left.len(), model.len());
    let mut model = model.into_iter();
    while let Some(value) = left.next_back() {
        assert_eq!(
            (Some(value), left.next()),
            (model.next_back(), model.next())
        );
    }
    assert_eq!(model.next(), None);
}

/// Nothing can be done with what was removed, but to read it and to go on from there.
fn refuses(list: &ListRef<'_, u64>, at: Position<'_, u64>) {
    let len = list.len();
    let _ = at.get();
    assert!(!at.is_linked());
    assert_eq!(list.list().remove(at), None);
    assert_eq!(list.list().insert_before(at, 7), Err(NotInList(7)));
    assert_eq!(list.list().insert_after(at, 8), Err(NotInList(8)));
    assert!(!list.move_to_front(at) && !list.move_to_back(at));
    if let Some(front) = list.front() {
        assert!(!list.move_before(at, front) && !list.move_after(front, at));
        assert!(list.move_before(front, front));
    }
    assert!(at.next().is_none_or(Position::is_linked) && at.prev().is_none_or(Position::is_linked));
    let (mut on, mut back) = (list.list().cursor_at(at), list.list().cursor_at(at));
    assert_eq!(on.current(), Some(at));
    assert_eq!((on.move_next(), back.move_prev()), (at.next(), at.prev()));
    assert_eq!(list.len(), len);
}

#[test]
fn who_stands_on_an_element_that_is_moved_or_removed_goes_on_from_its_old_place() {
    let list = List::from([0, 1, 2, 3, 4, 5]);
    let list = list.pin();
    let mut cursor = list.cursor();
    let two = (0..3).map(|_| cursor.move_next()).last().unwrap().unwrap();
    let mut walk = list.iter();
    assert_eq!(walk.nth(2), Some(&2));
    list.move_to_front(two);
    assert_eq!((cursor.current(), walk.next()), (Some(two), Some(&3)));
    assert_eq!(cursor.clone().move_prev().as_deref(), Some(&1));
    assert_eq!(cursor.move_next().as_deref(), Some(&3));
    // The position is where the element is.
    assert_eq!((two.prev(), two.next().as_deref()), (None, Some(&0)));
    let three = cursor.current().unwrap();
    list.remove(three);
    list.remove(three.next().unwrap());
    list.insert_after(three.prev().unwrap(), 9).unwrap();
    assert_eq!(cursor.clone().move_next().as_deref(), Some(&5));
    assert_eq!(
        (cursor.move_prev().as_deref(), cursor.move_next().as_deref()),
        (Some(&1), Some(&9))
    );
    assert_eq!(walk.next(), Some(&5));
    assert_eq!(walk.next(), None);
    assert!(list.iter().eq(&[2, 0, 1, 9, 5]));
}

/// Everything around both ends of a walk is removed, and put in again.
#[test]
fn a_walk_from_both_ends_yields_nothing_twice() {
    let list = List::from(['a', 'f', 'b', 'z']);
    let list = list.pin();
    let find = |wanted| list.positions().find(|at| **at == wanted).unwrap();
    let mut walk = list.iter();
    assert_eq!((walk.nth(1), walk.nth_back(1)), (Some(&'f'), Some(&'b')));
    // Before the walk's ends, where it has been.
    list.remove(find('f'));
    list.insert_after(find('a'), 'x').unwrap();
    list.remove(find('b'));
    list.insert_before(find('z'), 'y').unwrap();
    let rest: Vec<_> = walk.clone().collect();
    assert_eq!(rest, [&'x', &'y']);
    assert!(walk.clone().rev().eq(rest.iter().rev().copied()));
    assert_eq!(
        (walk.next_back(), walk.next(), walk.next_back()),
        (Some(&'y'), Some(&'x'), None)
    );
}

#[test]
fn guards_and_positions_of_others_are_refused() {
    let (list, other) = (List::from([1]), List::from([2]));
    let guard = urcu::read_lock();
    let at = other.front(&guard).unwrap();
    let panics = |work: &dyn Fn()| catch_unwind(AssertUnwindSafe(work)).is_err();
    assert!(panics(&|| _ = list.remove(at)));
    assert!(panics(&|| _ = list.insert_before(at, 3)));
    assert!(panics(&|| _ = list.insert_after(at, 3)));
    assert!(panics(&|| _ = list.move_to_front(at)));
    assert!(panics(
        &|| _ = list.move_before(list.front(&guard).unwrap(), at)
    ));
    assert!(panics(&|| _ = list.cursor_at(at)));
    let domain = Domain::new();
    let list = List::new_in(&domain);
    assert!(panics(&|| _ = list.push_back(3, &guard)));
    assert!(panics(&|| _ = list.push_front(3, &guard)));
    assert!(panics(&|| _ = list.iter(&guard)));
    assert!(panics(&|| _ = list.positions(&guard)));
    assert!(panics(&|| _ = list.front(&guard)));
    assert!(panics(&|| _ = list.back(&guard)));
    assert!(panics(&|| _ = list.cursor(&guard)));
    assert!(panics(&|| _ = list.pop_front(&guard)));
    assert!(panics(&|| _ = list.pop_back(&guard)));
    assert!(panics(&|| list.clear(&guard)));
    assert!(list.is_empty());
}

#[test]
fn what_is_never_removed_need_neither_be_send_nor_static_nor_have_a_size() {
    let text = String::from("borrowed");
    let list = List::new();
    list.pin().push_back(std::rc::Rc::new(text.as_str()));
    let first = list
        .pin()
        .push_front(std::rc::Rc::new("front"))
        .get()
        .clone();
    assert!(list.pin().move_to_back(list.pin().front().unwrap()));
    assert!(
        list.into_iter()
            .map(|value| *value)
            .eq(["borrowed", *first])
    );
    let nothing: List<()> = std::iter::repeat_n((), 1000).collect();
    nothing.pin().pop_back();
    assert_eq!((nothing.len(), nothing.into_iter().count()), (999, 999));
    #[repr(align(256))]
    struct Aligned(u8);
    let aligned: List<_> = (0..100).map(Aligned).collect();
    let pinned = aligned.pin();
    assert!(
        pinned
            .iter()
            .all(|value| std::ptr::from_ref(value).addr().is_multiple_of(256))
    );
    assert!(pinned.move_to_back(pinned.front().unwrap()) && pinned.pop_front().unwrap().0 == 1);
    static LIST: List<u8> = List::new();
    LIST.pin().push_back(1);
    assert_eq!(format!("{LIST:?} {:?}", LIST.pin().iter()), "[1] [1]");
}

#[test]
fn what_may_be_sent_or_shared_is() {
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::sync::{MutexGuard, RwLockReadGuard};
    use urcu_collections::WfcQueue;
    use urcu_collections::list::{Cursor, IntoIter, Iter, Positions};
    use urcu_collections::wfcqueue::{Batch, Consumer};

    fn sent<T: Send>() {}
    fn shared<T: Sync>() {}
    // Of what cannot be shared.
    sent::<List<Cell<u8>>>();
    sent::<IntoIter<Cell<u8>>>();
    sent::<WfcQueue<Cell<u8>>>();
    shared::<WfcQueue<Cell<u8>>>();
    sent::<Consumer<'_, Cell<u8>>>();
    sent::<Batch<Cell<u8>>>();
    // Of what cannot be sent.
    sent::<Position<'_, MutexGuard<'_, u8>>>();
    sent::<Iter<'_, RwLockReadGuard<'_, u8>>>();
    sent::<Positions<'_, MutexGuard<'_, u8>>>();
    sent::<Cursor<'_, MutexGuard<'_, u8>>>();
    shared::<Position<'_, MutexGuard<'_, u8>>>();
    shared::<List<PhantomData<u8>>>();
    sent::<ListRef<'_, u64>>();
}
