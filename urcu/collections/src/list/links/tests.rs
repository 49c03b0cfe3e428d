//! A forked child finds a list as it was between two stores of a thread that was lost.

use super::*;
use crate::list::node::take;

fn filled() -> Links<u32> {
    let links = Links::new();
    for value in 0..4 {
        let node = Item::first(Item::allocate(value));
        // SAFETY: the node is new, and inserted at the end.
        unsafe { links.lock().insert(node, ptr::null_mut(), To::Front) };
    }
    links
}

/// Returns all values that can be reached in a direction, whether they are in the list or not.
fn values(links: &Links<u32>, to: To) -> Vec<u32> {
    let mut values = Vec::new();
    // SAFETY: nobody else uses the links.
    unsafe {
        let mut node = links.step(ptr::null_mut(), to);
        while let Some(here) = NonNull::new(node) {
            values.push(here.as_ref().item().as_ref().value);
            node = links.step(node, to);
        }
    }
    values
}

fn is_repaired(mut links: Links<u32>, expected: &[u32]) {
    links.lock.abandon();
    drop(links.lock());
    assert_eq!(values(&links, To::Back), expected);
    assert!(values(&links, To::Front).iter().eq(expected.iter().rev()));
    assert_eq!(links.len(), expected.len());
    while let Some(node) = links.take_mut(To::Back) {
        // SAFETY: nobody else has the node.
        unsafe { take(node) };
    }
}

fn third(links: &Links<u32>) -> NonNull<Node<u32>> {
    // SAFETY: nobody else uses the links.
    unsafe {
        let first = links.step(ptr::null_mut(), To::Back);
        NonNull::new(links.step(links.step(first, To::Back), To::Back)).unwrap()
    }
}

#[test]
fn what_was_being_inserted_at_a_fork_is_left_out() {
    for stores in 1..=2 {
        for to in [To::Back, To::Front] {
            for neighbour in [None, Some(())] {
                let links = filled();
                let beside = neighbour.map_or(ptr::null_mut(), |()| third(&links).as_ptr());
                let item = Item::allocate(9);
                let node = Item::first(item);
                // SAFETY: the node is new, and inserted beside one that is in the list, or at an end.
                unsafe {
                    links.lock().put(node, beside, to);
                    if stores == 1 {
                        // The link to the left is not there yet.
                        let behind = node.as_ref().next.load(Ordering::Relaxed);
                        let before = node.as_ref().prev.load(Ordering::Relaxed);
                        links
                            .link(behind, To::Front)
                            .store(before, Ordering::Relaxed);
                    }
                }
                is_repaired(links, &[0, 1, 2, 3]);
                // SAFETY: the node is in no list.
                unsafe { take(node) };
            }
        }
    }
}

#[test]
fn what_was_being_removed_at_a_fork_is_removed() {
    for stores in 1..=2 {
        let links = filled();
        let node = third(&links);
        // SAFETY: the node is in the list.
        unsafe {
            node.as_ref().item().as_ref().leave(node);
            if stores == 2 {
                let next = node.as_ref().next.load(Ordering::Relaxed);
                let prev = node.as_ref().prev.load(Ordering::Relaxed);
                links.link(prev, To::Back).store(next, Ordering::Relaxed);
            }
        }
        is_repaired(links, &[0, 1, 3]);
        // SAFETY: the node is in no list.
        unsafe { take(node) };
    }
}

#[test]
fn what_was_being_moved_at_a_fork_has_one_place() {
    for is_settled in [false, true] {
        let links = filled();
        let old = third(&links);
        // SAFETY: this is the item's new node, linked at the front.
        unsafe {
            let item = old.as_ref().item();
            let new = Item::another(item);
            links.lock().put(new, ptr::null_mut(), To::Back);
            if is_settled {
                item.as_ref().settle(new);
                is_repaired(links, &[2, 0, 1, 3]);
            } else {
                is_repaired(links, &[0, 1, 2, 3]);
                drop(Box::from_raw(new.as_ptr()));
            }
        }
    }
}
