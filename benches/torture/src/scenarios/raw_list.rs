//! A list of `urcu::raw` pointers. All updaters push and pop at its head and retire nodes in every possible
//! way; readers walk it. Freed memory is poisoned, and each node shows whether it is whole.

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

/// The approximate number of nodes in the list.
const LENGTH: u64 = 100;

/// A budget with room for what updaters retire while a reader is preempted inside a section. Updaters
/// retire inside sections: if they waited for room there, no grace period could end meanwhile.
const BUDGET: Budget = Budget::new(1 << 20, 64 << 20).patience(Duration::from_millis(1));

/// The number of words in a node that follow from its number.
const WORDS: usize = 4;

struct Node {
    /// Atomic, because a run that is broken on purpose marks nodes that readers may hold.
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

/// Returns a word of a node. No two are the same, unlike the words of freed memory.
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
            let what = "a node was not whole when it was dropped";
            self.list.run.fault("reclaimer", what);
        }
        self.list.freed.fetch_add(1, SeqCst);
        self.mark();
    }
}

/// # Safety
/// `node` must be from an `Owned`, and nobody else may use it.
unsafe fn free(node: *mut Node) {
    // SAFETY: by the contract of this function.
    drop(unsafe { Owned::from_raw(node) });
}

/// # Safety
/// `head` must be that of a node from an `Owned`, with provenance for the whole node, and nobody else may
/// use the node.
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
/// The node must be unlinked and not null, and must be retired once.
unsafe fn retire(list: &List, node: Shared<'_, Node>, way: u64) {
    let (domain, raw) = (list.domain, node.as_raw().cast_mut());
    let bytes = size_of::<Node>();
    // SAFETY: nodes are from `Owned`s, and the caller unlinks each and retires it once; what their
    // destructors use lives until the process ends.
    unsafe {
        match way {
            0 => domain.retire_shared(node),
            1 => domain.retire(raw),
            2 => domain.retire_with(raw, free, bytes),
            3 => domain.retire_fn(move || free(raw), bytes),
            4 => domain.retire_head(&raw mut (*raw).head, free_by_head, bytes),
            5 => domain.call_head(&raw mut (*raw).head, free_by_head_in_c, bytes),
            // The node is dropped and its memory freed in two steps.
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
        return Err("this program lacks the allocator that poisons freed memory".into());
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
        run.fault("the end", format!("{made} nodes were made but {freed} freed"));
    }
    Ok(())
}

/// Walks the list, and looks at each node twice.
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

/// Returns the number of nodes, or `None` if one was not whole.
fn follow(thread: &mut Thread, list: &List, guard: &ReadGuard<'_>) -> Option<u64> {
    let (mut seen, mut next) = (Vec::new(), list.head.load(Acquire, guard));
    // SAFETY: a node that was reachable in this section is not freed before its end.
    while let Some(node) = unsafe { next.as_ref() } {
        seen.push((node, look(thread, node)?));
        next = node.next.load(Acquire, guard);
    }
    // A few sections wait before their second look.
    if thread.random.one_in(256) {
        std::thread::yield_now();
    }
    // Look again: some nodes were popped meanwhile.
    for (node, number) in &seen {
        if look(thread, node)? != *number {
            thread.run.fault(&thread.name, "a node changed into another inside a section");
            return None;
        }
    }
    Some(2 * seen.len() as u64)
}

/// Returns the number of a node that a reader holds, or reports a fault.
fn look(thread: &Thread, node: &Node) -> Option<u64> {
    let number = node.number();
    if number.is_none() {
        let words: Vec<u64> = node.words.iter().map(|word| word.load(Relaxed)).collect();
        let what = format!("a node of the list is not whole: {words:x?}");
        thread.run.fault(&thread.name, what);
    }
    number
}

fn update(thread: &mut Thread, list: &'static List) {
    while !thread.over() {
        for _ in 0..64 {
            let guard = list.domain.read_lock();
            // This keeps the list near its length.
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
        // Without this pause readers would get no CPU time.
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

/// Unlinks the first node and retires it in this way. With the way `u64::MAX`, marks it at once and never
/// frees it.
fn pop(list: &List, guard: &ReadGuard<'_>, way: u64) -> Option<()> {
    loop {
        let head = list.head.load(Acquire, guard);
        // SAFETY: the guard's section loaded the node, and keeps it until the section ends.
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
                // SAFETY: this thread alone has unlinked the node, which is not null and is retired once.
                way => unsafe { retire(list, head, way) },
            }
            return Some(());
        }
    }
}
