//! Lists without `unsafe`: what hostile callers, and many of them at once, can do to them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use urcu::link::{Link, Node, NodeBox};
use urcu::{Global, GuardOf, ReadGuard};
use urcu_host::stamped::Stamped;

use crate::cells::values::Counted;
use crate::support::fork::block_on;
use crate::support::{length, storm};

urcu::domain!(Lists = "lists");

fn values<T: Copy + Send + Sync>(list: &Link<T>) -> Vec<T> {
    list.iter(&urcu::read_lock()).copied().collect()
}

fn listed<T: Copy + Send + Sync>(of: impl DoubleEndedIterator<Item = T>) -> Link<T> {
    let list = Link::empty();
    for value in of.rev() {
        assert!(list.push(value).is_ok());
    }
    list
}

#[test]
fn a_link_is_one_word_and_a_node_two_more_than_its_value() {
    assert_eq!(size_of::<Link<[u64; 9], Lists>>(), size_of::<usize>());
    assert_eq!(size_of::<NodeBox<[u64; 9], Lists>>(), size_of::<usize>());
    // The number of a grace period, which has 64 bits everywhere.
    let words = (size_of::<usize>() + 16).next_multiple_of(align_of::<AtomicU64>());
    assert_eq!(size_of::<Node<u64>>(), words);
}

#[test]
fn nodes_take_over_what_was_there_and_give_it_up_again() {
    let list = listed(1..=3);
    let guard = urcu::read_lock();
    let first = list.load(&guard).unwrap();
    let top = list.pop(&guard).unwrap();
    // A reader on a node that was taken out goes on.
    assert_eq!((**first, *top), (1, 1));
    assert_eq!(first.next().load(&guard).map(|node| **node), Some(2));
    assert!(first.is_marked() && first.next().push(9).is_err());
    assert!(first.next().pop(&guard).is_none() && first.next().take().is_none());
    let put = listed(5..6).take().unwrap();
    assert!(first.next().put(put).is_err());
    assert_eq!(values(&list), [2, 3]);
    drop(guard);
    assert_eq!(top.wait(), 1);
    assert_eq!(values(&list), [2, 3]);
    assert!(values(&listed::<u8>(0..0)).is_empty());
}

#[test]
fn what_is_inserted_stands_in_front_of_what_it_was_told() {
    let list = listed([1, 4].into_iter());
    let guard = urcu::read_lock();
    let one = list.load(&guard).unwrap();
    let four = one.next().load(&guard).unwrap();
    one.next().insert(Some(four), 3).unwrap();
    let back = one.next().insert(Some(four), NodeBox::new(2)).unwrap_err();
    let three = one.next().load(&guard);
    one.next().insert(three, back).unwrap();
    four.next().insert(None, 5).unwrap();
    assert!(four.next().insert(None, 6).is_err());
    assert_eq!(values(&list), [1, 2, 3, 4, 5]);
    // From the middle, by whoever marks it first.
    let three = three.unwrap();
    assert!(three.mark() && !three.mark());
    let two = one.next().load(&guard).unwrap();
    assert!(list.remove(three, &guard).is_none(), "it is not the first");
    let removed = two.next().remove(three, &guard).unwrap();
    assert!(two.next().remove(three, &guard).is_none());
    assert_eq!((*removed, values(&list)), (3, vec![1, 2, 4, 5]));
    assert!(three.next().insert(Some(four), 9).is_err());
}

#[test]
fn every_value_is_dropped_once_whatever_becomes_of_it() {
    let alive = Arc::new(AtomicUsize::new(0));
    let list: Link<Counted, Lists> = Link::empty_in(Lists);
    let fill = |list: &Link<Counted, Lists>| {
        for value in 0..10 {
            list.push(Counted::new(&alive, value)).unwrap();
        }
    };
    let left = |count| {
        Lists.barrier();
        assert_eq!(alive.load(SeqCst), count);
    };
    fill(&list);
    let guard = Lists.read_lock();
    list.pop(&guard).unwrap().retire();
    let kept = list.pop(&guard).unwrap();
    drop(list.pop(&guard));
    drop(guard);
    left(8);
    assert_eq!(kept.wait().1, 8);
    left(7);
    drop(list.take());
    left(0);
    fill(&list);
    assert_eq!(list.take().unwrap().wait().len(), 10);
    left(0);
    fill(&list);
    assert_eq!(block_on(list.take().unwrap().wait_async()).len(), 10);
    left(0);
    fill(&list);
    let other = Link::empty_in(Lists);
    fill(&other);
    other.put(list.take().unwrap()).unwrap().unwrap().retire();
    left(10);
    drop(other);
    left(0);
    drop(NodeBox::<_, Lists>::new(Counted::new(&alive, 1)));
    assert_eq!(
        NodeBox::<_, Lists>::new(Counted::new(&alive, 2))
            .into_inner()
            .1,
        2
    );
    // A node that is popped and marked with what follows it, and dropped with its list.
    fill(&list);
    let guard = Lists.read_lock();
    assert!(list.load(&guard).unwrap().mark());
    drop(guard);
    drop(list);
    left(0);
}

#[test]
fn a_long_list_is_dropped_on_a_short_stack() {
    let drop_it = |list: Link<u32>| {
        let thread = thread::Builder::new().stack_size(128 << 10);
        thread.spawn(move || drop(list)).unwrap().join().unwrap();
    };
    drop_it(listed(0..100_000));
    let list = listed(0..100_000);
    drop(list.take());
    urcu::barrier();
    drop_it(list);
}

#[test]
fn a_value_whose_drop_panics_takes_no_other_with_it() {
    struct Bomb(Counted);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(self.0.1 != 5, "on purpose");
        }
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let list: Link<Bomb> = Link::empty();
    for value in 0..10 {
        list.push(Bomb(Counted::new(&alive, value))).unwrap();
    }
    catch_unwind(AssertUnwindSafe(|| drop(list))).unwrap_err();
    assert_eq!(alive.load(SeqCst), 0);
}

/// Readers who found a node in one list keep it alive in the other, where nobody waits for them.
#[test]
fn what_is_put_elsewhere_waits_for_those_who_found_it_before() {
    let alive = Arc::new(AtomicUsize::new(0));
    let [from, to] = [const { Link::<Counted, Lists>::empty_in(Lists) }; 2];
    for value in [2, 1] {
        from.push(Counted::new(&alive, value)).unwrap();
    }
    let guard = Lists.read_lock();
    let [one, two] = {
        let mut seen = from.iter(&guard);
        [seen.next().unwrap(), seen.next().unwrap()]
    };
    to.put(from.take().unwrap()).unwrap();
    // The second node inherits what the first one needs.
    let first = to.pop(&Lists.read_lock()).unwrap();
    drop(to);
    drop(first);
    assert_eq!((one.1, two.1, alive.load(SeqCst)), (1, 2, 2));
    drop(guard);
    Lists.barrier();
    Lists.barrier();
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn what_is_put_into_a_list_that_is_waited_for_is_waited_for_too() {
    let [from, to] = [const { Link::<u32, Lists>::empty_in(Lists) }; 2];
    to.push(1).unwrap();
    from.push(2).unwrap();
    let guard = Lists.read_lock();
    let seen = from.iter(&guard).next().unwrap();
    let one = to.load(&guard).unwrap();
    let cut = to.take().unwrap();
    // After the cut, by one who stood on the node.
    one.next().put(from.take().unwrap()).unwrap();
    let waits = thread::spawn(move || cut.wait());
    thread::sleep(Duration::from_millis(30));
    let early = waits.is_finished();
    assert_eq!(*seen, 2);
    drop(guard);
    assert_eq!(waits.join().unwrap(), [1, 2]);
    assert!(!early, "a value was given away that a section sees");
}

#[test]
fn a_list_may_hold_lists_and_what_was_taken_out() {
    struct Tree {
        name: &'static str,
        children: Link<Tree>,
    }
    let tree = |name| Tree {
        name,
        children: Link::empty(),
    };
    let root: Link<Tree> = Link::empty();
    let mut top = NodeBox::<Tree>::new(tree("a"));
    assert!(top.children.push(tree("c")).is_ok());
    top.name = "root";
    assert!(root.push(top).is_ok());
    let guard = urcu::read_lock();
    let top = root.load(&guard).unwrap();
    assert!(top.children.push(tree("b")).is_ok());
    let names = |of: &Link<Tree>, guard: &ReadGuard<'_>| -> Vec<_> {
        of.iter(guard).map(|tree| tree.name).collect()
    };
    assert_eq!(names(&top.children, &guard), ["b", "c"]);
    let old = root.pop(&guard).unwrap();
    drop(guard);
    // Without a section; and what is in it can be changed and read with one.
    assert_eq!(old.name, "root");
    let guard = urcu::read_lock();
    old.children.pop(&guard).unwrap().retire();
    assert_eq!(names(&old.children, &guard), ["c"]);
    drop(guard);
    let kept = Link::empty();
    assert!(kept.push(old).is_ok());
    let inner = kept.pop(&urcu::read_lock()).unwrap();
    assert_eq!(inner.wait().wait().name, "root");
}

#[test]
fn links_refuse_guards_of_other_domains() {
    let domain = urcu::Domain::named("others");
    let list: Link<u32, Global> = Link::default();
    list.push(1).unwrap();
    let guard = domain.read_lock();
    let refused = |f: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        let text = payload.downcast_ref::<String>().expect("a message");
        assert!(
            text.contains("\"global\"") && text.contains("\"others\""),
            "{text}"
        );
    };
    refused(&|| assert!(list.load(&guard).is_none()));
    refused(&|| drop(list.pop(&guard)));
    refused(&|| assert!(list.iter(&guard).next().is_none()));
    let cut = list.take().unwrap();
    refused(&|| assert!(cut.iter(&guard).next().is_none()));
    list.push(2).unwrap();
    let global = urcu::read_lock();
    let node = list.load(&global).unwrap();
    refused(&|| drop(list.remove(node, &guard)));
    assert!(!node.is_marked());
}

/// A value that shows whether it is whole, and counts its end.
struct Item(Stamped<4>, Counted);

impl Item {
    fn new(alive: &Arc<AtomicUsize>, stamp: u64) -> Self {
        Item(Stamped::new(stamp), Counted::new(alive, stamp))
    }

    fn stamp(&self) -> u64 {
        let stamp = self.0.check().expect("a value that was freed");
        assert_eq!(stamp, self.1.1, "a value that was dropped");
        stamp
    }
}

#[test]
fn a_stack_gives_back_what_was_pushed_each_once_and_the_last_of_each_thread_first() {
    let alive = Arc::new(AtomicUsize::new(0));
    let stack: Link<Item, Lists> = Link::empty_in(Lists);
    let (sender, popped) = mpsc::channel();
    let next = AtomicUsize::new(0);
    storm(length(300), 3, |number| {
        let guard = Lists.read_lock();
        if number == 2 {
            // Of each thread the greater ones are on top.
            let mut last = BTreeMap::new();
            for item in stack.iter(&guard) {
                let (turn, thread) = (item.stamp() >> 1, item.stamp() & 1);
                assert!(*last.get(&thread).unwrap_or(&u64::MAX) > turn);
                last.insert(thread, turn);
            }
            return;
        }
        drop(guard);
        for turn in 0..20 {
            let stamp = (next.fetch_add(1, SeqCst) as u64) << 1 | number as u64;
            stack
                .push(Item::new(&alive, stamp))
                .unwrap_or_else(|_| panic!("a marked root"));
            let guard = Lists.read_lock();
            if turn % 3 != 0
                && let Some(item) = stack.pop(&guard)
            {
                sender.send(item.stamp()).unwrap();
            }
        }
        if number == 0
            && let Some(cut) = stack.take()
        {
            for item in cut.iter(&Lists.read_lock()) {
                sender.send(item.stamp()).unwrap();
            }
        }
    });
    drop(sender);
    let mut all: Vec<u64> = popped.into_iter().collect();
    all.extend(stack.iter(&Lists.read_lock()).map(Item::stamp));
    all.sort_unstable();
    let numbers: Vec<u64> = all.iter().map(|stamp| stamp >> 1).collect();
    assert_eq!(numbers, (0..next.into_inner() as u64).collect::<Vec<_>>());
    drop(stack);
    Lists.barrier();
    Lists.barrier();
    assert_eq!(alive.load(SeqCst), 0);
}

/// The sorted list of the module's documentation.
struct Set {
    first: Link<Item, Lists>,
}

type Found<'g> = (&'g Link<Item, Lists>, Option<&'g Node<Item, Lists>>);

impl Set {
    fn find<'g>(&'g self, key: u64, guard: &'g GuardOf<Lists>) -> Found<'g> {
        'anew: loop {
            let mut link = &self.first;
            while let Some(node) = link.load(guard) {
                if node.is_marked() {
                    if link.remove(node, guard).is_none() {
                        continue 'anew;
                    }
                } else if node.stamp() >= key {
                    return (link, Some(node));
                } else {
                    link = node.next();
                }
            }
            return (link, None);
        }
    }

    fn insert(&self, item: Item) -> bool {
        let guard = Lists.read_lock();
        let mut new = NodeBox::new(item);
        loop {
            let (link, node) = self.find(new.stamp(), &guard);
            if node.is_some_and(|node| node.stamp() == new.stamp()) {
                return false;
            }
            match link.insert(node, new) {
                Ok(()) => return true,
                Err(back) => new = back,
            }
        }
    }

    fn remove(&self, key: u64) -> bool {
        let guard = Lists.read_lock();
        while let (link, Some(node)) = self.find(key, &guard)
            && node.stamp() == key
        {
            if node.mark() {
                drop(link.remove(node, &guard));
                return true;
            }
        }
        false
    }
}

#[test]
fn of_a_sorted_list_each_key_is_removed_as_often_as_it_was_inserted() {
    const KEYS: u64 = 16;
    let alive = Arc::new(AtomicUsize::new(0));
    let set = Set {
        first: Link::empty_in(Lists),
    };
    let counts: [AtomicUsize; KEYS as usize] = Default::default();
    storm(length(300), 3, |number| {
        for turn in 0..50 {
            let key = (turn * 7 + number as u64 * 5) % KEYS;
            match (turn + number as u64) % 3 {
                0 | 1 if set.insert(Item::new(&alive, key)) => {
                    counts[key as usize].fetch_add(1, SeqCst);
                }
                2 if set.remove(key) => {
                    counts[key as usize].fetch_sub(1, SeqCst);
                }
                _ => {}
            }
        }
        let guard = Lists.read_lock();
        let mut last = None;
        for item in set.first.iter(&guard) {
            assert!(last < Some(item.stamp()), "out of order");
            last = Some(item.stamp());
        }
    });
    let guard = Lists.read_lock();
    // Marked nodes were removed, though they are still there.
    let mut next = set.first.load(&guard);
    let mut left = vec![];
    while let Some(node) = next {
        if !node.is_marked() {
            left.push(node.stamp() as usize);
        }
        next = node.next().load(&guard);
    }
    let counted: Vec<usize> = (0..KEYS as usize)
        .flat_map(|key| vec![key; counts[key].load(SeqCst)])
        .collect();
    assert_eq!(left, counted);
    drop(guard);
    drop(set);
    Lists.barrier();
    Lists.barrier();
    assert_eq!(alive.load(SeqCst), 0);
}

/// Chains go round between lists, with readers in all of them.
#[test]
fn what_goes_from_list_to_list_is_whole_for_whoever_meets_it() {
    let alive = Arc::new(AtomicUsize::new(0));
    let lists = [const { Link::<Item, Lists>::empty_in(Lists) }; 3];
    let next = AtomicUsize::new(0);
    storm(length(300), 3, |number| {
        for turn in 0..30 {
            let list = &lists[(turn + number) % 3];
            let stamp = next.fetch_add(1, SeqCst) as u64;
            list.push(Item::new(&alive, stamp))
                .unwrap_or_else(|_| panic!("a marked root"));
            if let Some(cut) = list.take() {
                // The old content is retired, or dropped with a list of its own.
                if let Some(old) = lists[turn % 3].put(cut).unwrap() {
                    let own = Link::empty_in(Lists);
                    own.put(old).unwrap();
                    drop(own.pop(&Lists.read_lock()));
                }
            }
        }
        let guard = Lists.read_lock();
        lists
            .iter()
            .flat_map(|list| list.iter(&guard))
            .for_each(|item| {
                item.stamp();
            });
    });
    drop(lists);
    Lists.barrier();
    Lists.barrier();
    assert_eq!(alive.load(SeqCst), 0);
}
