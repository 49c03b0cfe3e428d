//! Structures of one's own: links, and how their nodes are retired.

use core::mem::offset_of;
use std::sync::Arc;

use super::domains::{Owned as OwnedDomain, on_cpu};
use super::witness;
use crate::domain::Domain;
use crate::kernel::{
    ALL_THREADS,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    Value, run_on, step,
};
use crate::raw::{Atomic, CompareExchangeError, Owned, RcuHead, Shared};

struct Node {
    value: Value,
    next: Atomic<Node>,
    head: RcuHead,
}

fn node(number: u32) -> Owned<Node> {
    Owned::new(Node {
        value: Value::new(number),
        next: Atomic::null(),
        head: RcuHead::new(),
    })
}

type Link = Arc<Atomic<Node>>;

/// Returns a link to a node with the number 0.
fn link() -> Link {
    Arc::new(Atomic::from(node(0)))
}

/// Frees what the link points to at the end, and what that points to.
fn free(link: Link) {
    let mut link = Arc::into_inner(link).expect("no other thread has it");
    // SAFETY: all threads that used the nodes have ended; each belongs to one link.
    while let Some(node) = unsafe { link.into_owned() } {
        link = node.into_inner().next;
    }
}

/// A section that follows the link twice.
fn two_looks(domain: &Domain, link: &Atomic<Node>) {
    let guard = domain.read_lock();
    // SAFETY: never null, and reachable in this section.
    let look = || unsafe { link.load(Acquire, &guard).deref() };
    let seen = look();
    step();
    let first = seen.value.read();
    let second = look().value.read();
    assert!(first <= second, "an older node after a newer one");
    assert_eq!(seen.value.read(), first);
}

/// Retires a node that the link pointed to.
type Retire = unsafe fn(&Domain, Shared<'_, Node>);

/// A node that is retired is freed, once, and after the sections that may have it.
fn outlives_its_sections(retire: Retire) {
    let domain = OwnedDomain::new(ALL_THREADS);
    let there = domain.get();
    let link = link();
    let theirs = Arc::clone(&link);
    let reader = on_cpu(0, move || two_looks(there, &theirs));
    let running = run_on(1);
    let guard = there.read_lock();
    let old = link.swap(node(1), AcqRel, &guard);
    // SAFETY: unlinked; retired once.
    unsafe { retire(there, old) };
    drop(guard);
    drop(running);
    there.barrier();
    reader.join().expect("the reader");
    free(link);
}

pub(super) fn a_retired_node_outlives_its_sections() {
    outlives_its_sections(|domain, old| {
        // SAFETY: by the contract of `Retire`: from an `Owned`, unlinked, retired once.
        unsafe { domain.retire_shared(old) };
    });
}

pub(super) fn a_retired_box_outlives_its_sections() {
    outlives_its_sections(|domain, old| {
        // SAFETY: by the contract of `Retire`: unlinked, retired once; a sized node of an `Owned` lies in a
        // `Box`.
        unsafe { domain.retire(old.as_raw().cast_mut()) };
    });
}

/// The same with a head in the node, and a function.
pub(super) fn an_intrusive_node_outlives_its_sections() {
    unsafe fn free(head: *mut RcuHead) {
        // SAFETY: the head of a node from an `Owned`, by a pointer that is good for all of it; nobody
        // else has it any more.
        drop(unsafe { Owned::from_raw(head.byte_sub(offset_of!(Node, head)).cast::<Node>()) });
    }
    outlives_its_sections(|domain, old| {
        let node = old.as_raw().cast_mut();
        // SAFETY: by the contract of `Retire`: unlinked, retired once.
        unsafe { domain.retire_head(&raw mut (*node).head, free, size_of::<Node>()) };
    });
}

/// And with a closure.
pub(super) fn a_node_retired_by_a_closure_outlives_its_sections() {
    outlives_its_sections(|domain, old| {
        let node = old.as_raw().cast_mut();
        // SAFETY: by the contract of `Retire`: from an `Owned`, unlinked, retired once.
        unsafe { domain.retire_fn(move || drop(Owned::from_raw(node)), 0) };
    });
}

fn push(domain: &Domain, head: &Atomic<Node>, number: u32) {
    let guard = domain.read_lock();
    let mut new = node(number);
    loop {
        let seen = head.load(Relaxed, &guard);
        new.next.store(seen, Relaxed);
        match head.compare_exchange(seen, new, Release, Relaxed, &guard) {
            Ok(_) => return,
            Err(error) => new = error.new,
        }
    }
}

fn pop(domain: &Domain, head: &Atomic<Node>) -> Option<u32> {
    let guard = domain.read_lock();
    loop {
        let seen = head.load(Acquire, &guard);
        // SAFETY: reachable in this section.
        let node = unsafe { seen.as_ref() }?;
        let next = node.next.load(Relaxed, &guard);
        if head
            .compare_exchange(seen, next, Relaxed, Relaxed, &guard)
            .is_ok()
        {
            // SAFETY: from an `Owned`, unlinked, and retired by who has unlinked it.
            unsafe { domain.retire_shared(seen) };
            return Some(node.value.read());
        }
    }
}

/// A Treiber stack: what is popped was pushed, whole and once, and is there until the popping ends.
pub(super) fn a_stack_of_retired_nodes() {
    let domain = OwnedDomain::new(ALL_THREADS);
    let there = domain.get();
    let head = link();
    let theirs = Arc::clone(&head);
    let other = on_cpu(0, move || {
        push(there, &theirs, 1);
        pop(there, &theirs)
    });
    let running = run_on(1);
    let mine = pop(there, &head);
    drop(running);
    let other = other.join().expect("the other");
    witness(0, (mine, other) == (Some(0), Some(1)));
    witness(1, (mine, other) == (Some(1), Some(0)));
    assert!(mine.is_some() && other.is_some() && mine != other);
    there.barrier();
    free(head);
}

/// A node is whole that a plain store has published, or that a failing exchange finds.
pub(super) fn a_node_is_whole_however_it_is_published() {
    let domain = OwnedDomain::new(ALL_THREADS);
    let there = domain.get();
    let link: Link = Arc::new(Atomic::null());
    let theirs = Arc::clone(&link);
    let writer = on_cpu(0, move || {
        theirs.store(node(5), Release);
        // Loom tries to put the exchange before this, and so before the fence of leaving the CPU.
        // SAFETY: is not followed.
        let _ = unsafe { theirs.load_unguarded(Relaxed) };
    });
    let running = run_on(1);
    let guard = there.read_lock();
    let found = link.compare_exchange(Shared::null(), node(6), AcqRel, Acquire, &guard);
    writer_is_met(&found);
    writer.join().expect("the writer");
    if let Ok(mine) = found {
        // SAFETY: the other one's store came after it, so nobody reaches it any more.
        drop(unsafe { mine.into_owned() });
    }
    drop(guard);
    drop(running);
    free(link);
}

fn writer_is_met(found: &Result<Shared<'_, Node>, CompareExchangeError<'_, Node, Owned<Node>>>) {
    match found {
        Ok(_) => witness(1, true),
        Err(error) => {
            // SAFETY: published, and not freed before the end.
            assert_eq!(unsafe { error.current.deref() }.value.read(), 5);
            witness(0, true);
        }
    }
}
