//! The stack: every node is in one place at a time, whoever pops, takes, migrates or interrupts.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

use urcu_host::affinity::{cpus, run_on};
use urcu_host::seccomp::Filter;

use crate::support::alone;
use crate::support::disturbed::disturbed;
use rseq_ops::percpu::{Node, Stack};

#[test]
fn the_last_one_in_is_the_first_one_out() {
    let mut nodes: Vec<Node<usize>> = (0..100).map(Node::new).collect();
    run_on(&cpus()[..1]);
    let stack = Stack::new().unwrap();
    assert!(stack.pop().is_none());
    for node in &mut nodes {
        stack.push(node);
    }
    for n in (0..100).rev() {
        assert_eq!(stack.pop().unwrap().value, n);
    }
    assert_eq!(stack.take_all().unwrap().count(), 0);
}

/// A node's value: how many hold it. More than one is an error.
type Held = AtomicUsize;

fn hold(node: &Node<Held>) {
    assert_eq!(node.value.fetch_add(1, Relaxed), 0, "two own one node");
    for _ in 0..3 {
        std::hint::spin_loop();
    }
    assert_eq!(node.value.fetch_sub(1, Relaxed), 1, "two own one node");
}

#[test]
fn no_node_is_lost_or_owned_twice() {
    static STACK: OnceLock<Stack<'static, Held>> = OnceLock::new();
    static POPS: AtomicUsize = AtomicUsize::new(0);
    const NODES: usize = 64;
    let _alone = alone();
    let stack = STACK.get_or_init(|| Stack::new().unwrap());
    for _ in 0..NODES {
        stack.push(Box::leak(Box::new(Node::new(Held::new(0)))));
    }
    fn pop_and_push() {
        let Some(stack) = STACK.get() else { return };
        let taken = [stack.pop(), stack.pop(), stack.pop()];
        for node in taken.into_iter().flatten() {
            hold(node);
            POPS.fetch_add(1, Relaxed);
            stack.push(node);
        }
    }
    // Nodes that were taken go to the other threads: on its own CPU's stack, the taker would mostly find
    // it again before anybody else comes by.
    let taken = Mutex::new(Vec::new());
    disturbed(4, Some(pop_and_push), |thread, running| {
        while running() {
            if thread == 0 {
                for node in stack.take_all().unwrap().take(NODES + 1) {
                    hold(node);
                    taken.lock().unwrap().push(node);
                }
                assert!(taken.lock().unwrap().len() <= NODES);
                std::thread::yield_now();
            } else {
                pop_and_push();
                let spare = taken.lock().unwrap().pop();
                if let Some(node) = spare {
                    hold(node);
                    stack.push(node);
                }
            }
        }
    });
    taken
        .into_inner()
        .unwrap()
        .into_iter()
        .for_each(|node| stack.push(node));
    assert!(POPS.load(Relaxed) > 0);
    let mut left: Vec<_> = stack.take_all().unwrap().map(std::ptr::from_mut).collect();
    left.sort_unstable();
    left.dedup();
    assert_eq!(left.len(), NODES);
}

#[test]
fn a_taker_may_free_what_it_took() {
    let _alone = alone();
    let stack: Stack<'static, [u64; 6]> = Stack::new().unwrap();
    let (made, freed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let free = |node: &'static mut Node<[u64; 6]>| {
        assert!(node.value.iter().all(|word| *word == 0x5151));
        node.value = [0; 6];
        freed.fetch_add(1, Relaxed);
        // SAFETY: every node is a leaked box.
        drop(unsafe { Box::from_raw(node) });
    };
    disturbed(4, None, |thread, running| {
        while running() {
            if thread == 0 {
                stack.take_all().unwrap().for_each(free);
            } else {
                made.fetch_add(1, Relaxed);
                stack.push(Box::leak(Box::new(Node::new([0x5151; 6]))));
                if made.load(Relaxed) % 3 == 0 {
                    stack.pop().into_iter().for_each(free);
                }
            }
        }
    });
    // Twice: the banks.
    for _ in 0..2 {
        stack.take_all().unwrap().for_each(free);
    }
    assert_eq!(made.load(Relaxed), freed.load(Relaxed));
    assert!(made.load(Relaxed) > 100);
}

#[test]
fn nodes_outlive_a_stack_that_is_dropped_or_leaked() {
    let mut nodes = [Node::new(1), Node::new(2)];
    let stack = Stack::new().unwrap();
    let [first, second] = &mut nodes;
    stack.push(first);
    stack.push(second);
    drop(stack);
    assert_eq!(nodes[0].value + nodes[1].value, 3);
    let stack = Stack::new().unwrap();
    stack.push(&mut nodes[0]);
    let _not_iterated = stack.take_all().unwrap();
    std::mem::forget(stack);
    assert_eq!(nodes[0].value, 1);
}

#[test]
fn one_who_is_refused_leaves_all_to_the_next() {
    let _alone = alone();
    let stack: Stack<'static, usize> = Stack::new().unwrap();
    if rseq_ops::membarrier::register().is_err() || rseq_ops::current_thread().is_none() {
        return println!("skipped: nothing to refuse in this process");
    }
    // Nodes pushed here are popped here.
    let (allowed, here) = (
        urcu_host::affinity::cpus(),
        rseq_ops::current_cpu() as usize,
    );
    urcu_host::affinity::run_on(&[here]);
    for n in 0..10 {
        stack.push(Box::leak(Box::new(Node::new(n))));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // For this thread alone, and for good.
            Filter::new(&[libc::SYS_membarrier], libc::EPERM)
                .install()
                .unwrap();
            for _ in 0..3 {
                assert!(stack.take_all().is_err());
            }
        });
    });
    assert_eq!(stack.pop().map(|node| node.value), Some(9), "it is in use");
    urcu_host::affinity::run_on(&allowed);
    assert_eq!(stack.take_all().unwrap().count(), 9);
    assert_eq!(stack.take_all().unwrap().count(), 0);
}
