//! A list of `urcu::raw`, popped and pushed at its head by all updaters, whose nodes are retired in every
//! way there is, and followed by readers. Freed memory is poisoned, and each node says whether it is whole.

use std::alloc::{Layout, dealloc};
use std::mem::offset_of;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use urcu::raw::{Atomic, Owned, RcuHead, Shared};
use urcu::{Budget, Domain, ReadGuard};
use urcu_host::poison;

use crate::breaks::Break;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "raw-list",
    "a list of raw links whose nodes are retired in every way",
    run,
);

/// The number of nodes in the list, about.
const LENGTH: u64 = 100;

/// Room for what updaters retire while somebody who is inside a section does not run: they retire inside
/// sections themselves, and if they waited for room there, no grace period would end meanwhile.
const BUDGET: Budget = Budget::new(1 << 20, 64 << 20).patience(Duration::from_millis(1));

/// Words of a node that follow from its number.
const WORDS: usize = 4;

struct Node {
    /// Atomic, because a run that is broken on purpose marks nodes that readers may have.
    words: [AtomicU64; WORDS],
    next: Atomic<Node>,
    head: RcuHead,
    list: &'static List,
}

struct List {
    head: Atomic<Node>,
    domain: &'static Domain,
    run: &'static Run,
    made: AtomicU64,
    freed: AtomicU64,
    length: AtomicU64,
}

/// No two words of a node are the same, as those of freed memory are.
fn word(number: u64, place: usize) -> u64 {
    (number ^ 0x5AFE << 48).wrapping_add(place as u64 * 0x9E37_79B9)
}

impl Node {
    fn new(list: &'static List) -> Owned<Node> {
        let number = list.made.fetch_add(1, Relaxed) + 1;
        Owned::new(Node {
            words: std::array::from_fn(|place| AtomicU64::new(word(number, place))),
            next: Atomic::null(),
            head: RcuHead::new(),
            list,
        })
    }

    /// Returns the number, if the node is whole.
    fn number(&self) -> Option<u64> {
        let number = self.words[0].load(Relaxed) ^ 0x5AFE << 48;
        let whole = |place: usize| self.words[place].load(Relaxed) == word(number, place);
        (0..WORDS).all(whole).then_some(number)
    }

    /// Marks a freed node.
    fn mark(&self) {
        self.words.iter().for_each(|word| word.store(0, Relaxed));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.number().is_none() {
            let what = "a node that is not whole is dropped";
            self.list.run.fault("reclaimer", what);
        }
        self.list.freed.fetch_add(1, SeqCst);
        self.mark();
    }
}

/// # Safety
/// `node` is from an `Owned`, and nobody else has it.
unsafe fn free(node: *mut Node) {
    // SAFETY: by the contract of this function.
    drop(unsafe { Owned::from_raw(node) });
}

/// # Safety
/// `head` is that of a node from an `Owned`, by a pointer that is good for all of it; nobody else has it.
unsafe fn free_by_head(head: *mut RcuHead) {
    // SAFETY: by the contract of this function.
    unsafe { free(head.byte_sub(offset_of!(Node, head)).cast()) };
}

/// # Safety
/// As for [`free_by_head`].
unsafe extern "C" fn free_by_head_in_c(head: *mut RcuHead) {
    // SAFETY: by the contract of this function.
    unsafe { free_by_head(head) };
}

/// Retires a node in one of the ways.
///
/// # Safety
/// The node is unlinked, not null, and retired once.
unsafe fn retire(list: &List, node: Shared<'_, Node>, way: u64) {
    let (domain, raw) = (list.domain, node.as_raw().cast_mut());
    let bytes = size_of::<Node>();
    // SAFETY: nodes are from `Owned`s and unlinked by the caller, who retires each once; what they use is
    // there until the process ends.
    unsafe {
        match way {
            0 => domain.retire_shared(node),
            1 => domain.retire(raw),
            2 => domain.retire_with(raw, free, bytes),
            3 => domain.retire_fn(move || free(raw), bytes),
            4 => domain.retire_head(&raw mut (*raw).head, free_by_head, bytes),
            5 => domain.call_head(&raw mut (*raw).head, free_by_head_in_c, bytes),
            // Memory alone, by a node that is dropped elsewhere than where it is freed.
            6 => domain.retire_fn(
                move || {
                    raw.drop_in_place();
                    dealloc(raw.cast(), Layout::new::<Node>());
                },
                0,
            ),
            _ => domain.retire(raw as *mut dyn Whole),
        }
    }
}

/// A trait object of a node.
trait Whole {}
impl Whole for Node {}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("the program has not the allocator that poisons what is freed".into());
    }
    let list: &'static List = Box::leak(Box::new(List {
        head: Atomic::null(),
        domain: run.domain(Domain::named("list").with_budget(BUDGET)),
        run,
        made: AtomicU64::new(0),
        freed: AtomicU64::new(0),
        length: AtomicU64::new(0),
    }));
    for _ in 0..run.settings.threads.max(2) {
        run.spawn("reader", move |thread| read(thread, list));
    }
    for _ in 0..2 {
        run.spawn("updater", move |thread| update(thread, list));
    }
    run.join();
    let guard = list.domain.read_lock();
    while pop(list, &guard, 0).is_some() {}
    drop(guard);
    list.domain.barrier();
    let (made, freed) = (list.made.load(SeqCst), list.freed.load(SeqCst));
    if made != freed && run.settings.broken.is_none() {
        run.fault("the end", format!("{made} nodes were made, {freed} freed"));
    }
    Ok(())
}

/// Follows the list, and looks at each node twice.
fn read(thread: &mut Thread, list: &'static List) {
    while !thread.over() {
        let mut guard = list.domain.read_lock();
        for _ in 0..=thread.random.skewed(4) {
            let Some(count) = follow(thread, list, &guard) else {
                return;
            };
            thread.counter.read(count);
            guard.refresh();
        }
        drop(guard);
        std::thread::yield_now();
    }
}

/// Returns how many nodes there were; `None` if one was not whole.
fn follow(thread: &mut Thread, list: &List, guard: &ReadGuard<'_>) -> Option<u64> {
    let (mut seen, mut next) = (Vec::new(), list.head.load(Acquire, guard));
    // SAFETY: a node that was reachable in this section is not freed before its end.
    while let Some(node) = unsafe { next.as_ref() } {
        seen.push((node, look(thread, node)?));
        next = node.next.load(Acquire, guard);
    }
    // A few sections last longer.
    if thread.random.one_in(256) {
        std::thread::yield_now();
    }
    // Some were popped meanwhile.
    for (node, number) in &seen {
        if look(thread, node)? != *number {
            thread.run.fault(&thread.name, "a node has become another");
            return None;
        }
    }
    Some(2 * seen.len() as u64)
}

/// Returns the number of a node that a reader has.
fn look(thread: &Thread, node: &Node) -> Option<u64> {
    let number = node.number();
    if number.is_none() {
        let words: Vec<u64> = node.words.iter().map(|word| word.load(Relaxed)).collect();
        let what = format!("a node of the list is {words:x?}");
        thread.run.fault(&thread.name, what);
    }
    number
}

fn update(thread: &mut Thread, list: &'static List) {
    while !thread.over() {
        for _ in 0..64 {
            let guard = list.domain.read_lock();
            // The list is as long as it should be, about, and lives on.
            let long = list.length.load(Relaxed) > LENGTH;
            if !long || thread.random.one_in(2) {
                push(list, &guard);
            }
            let early = thread.breaks(Break::NodeFreedEarly, 16);
            let way = if early { u64::MAX } else { thread.random.below(8) };
            if long && pop(list, &guard, way).is_some() {
                thread.counter.updated();
            }
        }
        // Else sections fill the time, and readers get none of it.
        std::thread::yield_now();
    }
}

fn push(list: &'static List, guard: &ReadGuard<'_>) {
    let mut node = Node::new(list);
    list.length.fetch_add(1, Relaxed);
    loop {
        let head = list.head.load(Relaxed, guard);
        node.next.store(head, Relaxed);
        match list
            .head
            .compare_exchange_weak(head, node, Release, Relaxed, guard)
        {
            Ok(_) => return,
            Err(error) => node = error.new,
        }
    }
}

/// Unlinks the first node and retires it; marks it at once, and keeps it for good, where the way is `MAX`.
fn pop(list: &List, guard: &ReadGuard<'_>, way: u64) -> Option<()> {
    loop {
        let head = list.head.load(Acquire, guard);
        // SAFETY: loaded in the guard's section, which keeps the node until it ends.
        let node = unsafe { head.as_ref() }?;
        let next = node.next.load(Relaxed, guard);
        if list
            .head
            .compare_exchange(head, next, AcqRel, Relaxed, guard)
            .is_ok()
        {
            list.length.fetch_sub(1, Relaxed);
            match way {
                u64::MAX => node.mark(),
                // SAFETY: unlinked by us alone, not null, and retired once.
                way => unsafe { retire(list, head, way) },
            }
            return Some(());
        }
    }
}
