//! Lists of `urcu::link`, without `unsafe`. Updaters push, pop, insert and remove in the middle, and move
//! whole lists from one link to the other; they retire what they take out, or wait for it. Readers walk
//! both lists. Freed memory is poisoned, and each value shows whether it is whole.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use urcu::link::{Chain, Link, Removed};
use urcu::{Budget, GuardOf};
use urcu_host::poison;

use crate::breaks::Break;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "links",
    "lists of safe links, changed in every place and moved as a whole",
    run,
);

/// The approximate number of values in each list.
const LENGTH: u64 = 100;

/// The budget, chosen as that of `raw-list`.
const BUDGET: Budget = Budget::new(1 << 20, 64 << 20).patience(Duration::from_millis(1));

urcu::domain!(Listed = "links", with_budget: BUDGET);

/// The number of words in a value. All follow from its number.
const WORDS: usize = 4;

/// A value of a list.
struct Item {
    /// Atomic, because a run that is broken on purpose marks values that readers may hold.
    words: [AtomicU64; WORDS],
    /// True once the value has left the lists: one thread may take it out while another cuts its list off.
    left: AtomicBool,
    lists: &'static Lists,
}

struct Lists {
    links: [Link<Item, Listed>; 2],
    run: &'static Run,
    made: AtomicU64,
    freed: AtomicU64,
    length: AtomicU64,
    /// True once somebody has waited for a value, and for a list.
    waited: [AtomicBool; 2],
}

/// Returns a word of a value. No two are the same, unlike the words of freed memory.
fn word(number: u64, place: usize) -> u64 {
    (number ^ 0x11AF << 48).wrapping_add(place as u64 * 0x9E37_79B9)
}

impl Item {
    fn new(lists: &'static Lists) -> Item {
        let number = lists.made.fetch_add(1, Relaxed) + 1;
        lists.length.fetch_add(1, Relaxed);
        Item {
            words: std::array::from_fn(|place| AtomicU64::new(word(number, place))),
            left: AtomicBool::new(false),
            lists,
        }
    }

    /// Returns the number, if the value is whole.
    fn number(&self) -> Option<u64> {
        let number = self.words[0].load(Relaxed) ^ 0x11AF << 48;
        let whole = |place: usize| self.words[place].load(Relaxed) == word(number, place);
        (0..WORDS).all(whole).then_some(number)
    }

    /// Counts the value among those that have left.
    fn leave(&self) {
        if !self.left.swap(true, Relaxed) {
            self.lists.length.fetch_sub(1, Relaxed);
        }
    }

    /// Marks a freed value.
    fn mark(&self) {
        self.words.iter().for_each(|word| word.store(0, Relaxed));
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if self.number().is_none() {
            let what = "a value was not whole when it was dropped";
            self.lists.run.fault("reclaimer", what);
        }
        self.lists.freed.fetch_add(1, SeqCst);
        self.mark();
    }
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let lists: &'static Lists = Box::leak(Box::new(Lists {
        links: [Link::empty_in(Listed), Link::empty_in(Listed)],
        run,
        made: AtomicU64::new(0),
        freed: AtomicU64::new(0),
        length: AtomicU64::new(0),
        waited: [AtomicBool::new(false), AtomicBool::new(false)],
    }));
    for _ in 0..run.settings.threads.max(2) {
        run.spawn("reader", move |thread| read(thread, lists));
    }
    for _ in 0..2 {
        run.spawn("updater", move |thread| update(thread, lists));
    }
    run.join();
    for link in &lists.links {
        drop(link.take());
    }
    Listed.barrier();
    run.add_stats(&Listed.stats());
    let (made, freed) = (lists.made.load(SeqCst), lists.freed.load(SeqCst));
    if made != freed && run.settings.broken.is_none() {
        run.fault("the end", format!("{made} values were made but {freed} freed"));
    }
    Ok(())
}

/// Walks the lists, and looks at each value twice.
fn read(thread: &mut Thread, lists: &'static Lists) {
    while !thread.over() {
        let mut guard = Listed.read_lock();
        for turn in 0..=thread.random.skewed(4) {
            let Some(count) = follow(thread, &lists.links[turn as usize % 2], &guard) else {
                return;
            };
            thread.counter.read(count);
            guard.refresh();
        }
        drop(guard);
        std::thread::yield_now();
    }
}

/// Returns the number of values, or `None` if one was not whole.
fn follow(thread: &mut Thread, link: &Link<Item, Listed>, guard: &GuardOf<Listed>) -> Option<u64> {
    let mut seen = Vec::new();
    // More values than there are, in case updaters are faster than this walk or make a circle.
    for item in link.iter(guard).take(10 * LENGTH as usize) {
        seen.push((item, look(thread, item)?));
    }
    // A few sections wait before their second look.
    if thread.random.one_in(256) {
        std::thread::yield_now();
    }
    // Look again: some values were taken out meanwhile.
    for (item, number) in &seen {
        if look(thread, item)? != *number {
            thread.run.fault(&thread.name, "a value changed into another inside a section");
            return None;
        }
    }
    Some(2 * seen.len() as u64)
}

/// Returns the number of a value that a reader holds, or reports a fault.
fn look(thread: &Thread, item: &Item) -> Option<u64> {
    let number = item.number();
    if number.is_none() {
        let words: Vec<u64> = item.words.iter().map(|word| word.load(Relaxed)).collect();
        let what = format!("a value of the list is not whole: {words:x?}");
        thread.run.fault(&thread.name, what);
    }
    number
}

fn update(thread: &mut Thread, lists: &'static Lists) {
    while !thread.over() {
        for _ in 0..64 {
            let link = &lists.links[thread.random.below(2) as usize];
            // This keeps the lists near their length.
            let long = lists.length.load(Relaxed) > 2 * LENGTH;
            if !long || thread.random.one_in(2) {
                add(thread, lists, link);
            }
            if long && let Some(removed) = take_out(thread, link) {
                dispose(thread, lists, removed);
            }
        }
        if thread.random.one_in(16) {
            move_all(thread, lists);
        }
        // Without this pause readers would get no CPU time.
        std::thread::yield_now();
    }
}

/// Returns the link in front of the node at this place, or in front of the last node.
fn nth<'g>(
    link: &'g Link<Item, Listed>,
    place: u64,
    guard: &'g GuardOf<Listed>,
) -> &'g Link<Item, Listed> {
    let mut link = link;
    for _ in 0..place {
        match link.load(guard) {
            Some(node) if !node.next().is_empty() => link = node.next(),
            _ => break,
        }
    }
    link
}

/// Inserts a new value, at the head or elsewhere.
fn add(thread: &mut Thread, lists: &'static Lists, link: &Link<Item, Listed>) {
    let guard = Listed.read_lock();
    let there = nth(link, thread.random.skewed(6), &guard);
    // The node in front may be on its way out; the first link belongs to no node.
    if let Err(back) = there.push(Item::new(lists)) {
        let pushed = link.push(back);
        assert!(pushed.is_ok(), "the first link is marked as removed");
    }
}

/// Takes out the first value or another one.
fn take_out(thread: &mut Thread, link: &Link<Item, Listed>) -> Option<Removed<Item, Listed>> {
    let guard = Listed.read_lock();
    let there = nth(link, thread.random.skewed(6), &guard);
    match there.load(&guard) {
        Some(node) if thread.random.one_in(2) => there.remove(node, &guard),
        _ => there.pop(&guard),
    }
}

/// Retires what was taken out, or waits for it. In a run that is broken on purpose, marks it at once and
/// never frees it.
fn dispose(thread: &mut Thread, lists: &Lists, removed: Removed<Item, Listed>) {
    thread.counter.updated();
    removed.get().leave();
    if thread.breaks(Break::ItemFreedEarly, 16) {
        removed.get().mark();
        std::mem::forget(removed);
    } else if thread.random.one_in(256) || !lists.waited[0].swap(true, Relaxed) {
        drop(removed.wait());
    } else {
        removed.retire();
    }
}

/// Cuts one list off, and moves it to the other link or disposes of it.
fn move_all(thread: &mut Thread, lists: &Lists) {
    let from = thread.random.below(2) as usize;
    let Some(chain) = lists.links[from].take() else {
        return;
    };
    match lists.links[1 - from].put(chain) {
        Ok(Some(old)) => give_up(thread, lists, old),
        Ok(None) => {}
        Err(_) => thread.run.fault(&thread.name, "the first link is marked as removed"),
    }
}

fn give_up(thread: &mut Thread, lists: &Lists, chain: Chain<Item, Listed>) {
    chain.iter(&Listed.read_lock()).for_each(Item::leave);
    if thread.random.one_in(4) || !lists.waited[1].swap(true, Relaxed) {
        drop(chain.wait());
    } else {
        chain.retire();
    }
}
