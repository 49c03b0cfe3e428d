//! The structures of the page "coming from crossbeam-epoch" as crossbeam's users write them: what holds for
//! ours holds for them, by the same tests.

#![cfg(feature = "compare")]

#[macro_use]
extern crate test_deadline;

#[path = "../../urcu/tests/suite/structures/check.rs"]
mod check;
#[path = "../../urcu/tests/suite/structures/crossbeam/list.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod list;
#[path = "../../urcu/tests/suite/structures/crossbeam/queue.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod queue;
#[path = "../../urcu/tests/suite/structures/crossbeam/stack.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod stack;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use check::{Item, Keyed, Line};
use crossbeam_epoch as epoch;

const TIME: Duration = Duration::from_millis(100);

/// One at a time: nobody else is pinned when one of them waits for all to be dropped.
static TURN: Mutex<()> = Mutex::new(());

/// There is nothing to wait for: a thread hands over what it deferred at its very end, which may come after
/// others know that it has ended.
fn barrier(alive: &AtomicUsize) {
    while alive.load(SeqCst) != 0 {
        epoch::pin().flush();
    }
}

#[test]
fn a_stack_and_a_queue() {
    let _turn = TURN.lock();
    let stack = Line {
        make: stack::Stack::<Item>::new,
        push: stack::Stack::push,
        pop: stack::Stack::pop,
        barrier,
        is_stack: true,
    };
    let queue = Line {
        make: queue::Queue::<Item>::new,
        push: queue::Queue::push,
        pop: queue::Queue::pop,
        barrier,
        is_stack: false,
    };
    stack.histories(TIME);
    stack.nothing_is_lost(TIME);
    queue.histories(TIME);
    queue.nothing_is_lost(TIME);
}

#[test]
fn a_sorted_list_and_a_map() {
    let _turn = TURN.lock();
    let list = Keyed {
        make: list::List::<u64, Item>::new,
        insert: list::List::insert,
        remove: |list, key| list.remove(&key),
        get: |list, key| list.get(&key, &epoch::pin()).map(Item::stamp),
        barrier,
    };
    let map = Keyed {
        make: || list::Map::<u64, Item>::new(4),
        insert: list::Map::insert,
        remove: |map, key| map.remove(&key),
        get: |map, key| map.get(&key, &epoch::pin()).map(Item::stamp),
        barrier,
    };
    list.histories(TIME);
    list.nothing_is_lost(TIME);
    map.histories(TIME);
    map.nothing_is_lost(TIME);
}
