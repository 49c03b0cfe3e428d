//! The structures of the page "coming from crossbeam-epoch", which shows these very files.

pub(crate) mod check;
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod list;
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod queue;
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod stack;

use std::sync::atomic::AtomicUsize;

use check::{Item, Keyed, Line};

use crate::support::length;

fn barrier(_: &AtomicUsize) {
    // Twice: what is dropped may retire something in turn.
    urcu::barrier();
    urcu::barrier();
}

const STACK: Line<stack::Stack<Item>> = Line {
    make: stack::Stack::new,
    push: stack::Stack::push,
    pop: stack::Stack::pop,
    barrier,
    is_stack: true,
};
const QUEUE: Line<queue::Queue<Item>> = Line {
    make: queue::Queue::new,
    push: queue::Queue::push,
    pop: queue::Queue::pop,
    barrier,
    is_stack: false,
};
const LIST: Keyed<list::List<u64, Item>> = Keyed {
    make: list::List::new,
    insert: list::List::insert,
    remove: |list, key| list.remove(&key),
    get: |list, key| list.get(&key, &urcu::read_lock()).map(Item::stamp),
    barrier,
};
const MAP: Keyed<list::Map<u64, Item>> = Keyed {
    make: || list::Map::new(4),
    insert: list::Map::insert,
    remove: |map, key| map.remove(&key),
    get: |map, key| map.get(&key, &urcu::read_lock()).map(Item::stamp),
    barrier,
};

#[test]
fn histories_of_a_stack_are_linearizable() {
    STACK.histories(length(300));
}

#[test]
fn what_goes_onto_a_stack_comes_off_once() {
    STACK.nothing_is_lost(length(300));
}

#[test]
fn histories_of_a_queue_are_linearizable() {
    QUEUE.histories(length(300));
}

#[test]
fn what_goes_into_a_queue_comes_out_once_and_in_order() {
    QUEUE.nothing_is_lost(length(300));
}

#[test]
fn histories_of_a_sorted_list_are_linearizable() {
    LIST.histories(length(300));
}

#[test]
fn a_sorted_list_holds_what_was_inserted_and_not_removed() {
    LIST.nothing_is_lost(length(300));
}

#[test]
fn histories_of_a_map_are_linearizable() {
    MAP.histories(length(300));
}

#[test]
fn a_map_holds_what_was_inserted_and_not_removed() {
    MAP.nothing_is_lost(length(300));
}
