//! The per-CPU stack of `rseq-ops`: every node is in one place at a time, and what was done with it in one place comes
//! before what is done with it in the next.

use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::witness;
use crate::kernel::lists::{ATTEMPTS, preempt, refuse_barriers, was_preempted};
use crate::kernel::{self, ALL_THREADS, Mode, abort_next, leave_unregistered, run_on};
use crate::percpu;

/// A node's number, in a cell, so that loom notices if two threads have the node.
type Node = percpu::Node<UnsafeCell<usize>>;
type Stack = percpu::Stack<'static, UnsafeCell<usize>>;

/// Returns a stack of an emulated kernel of its own.
fn stack(mode: Mode) -> Rc<Stack> {
    kernel::boot(mode);
    Rc::new(Stack::new().expect("memory"))
}

/// Makes a node, writes to it, and pushes it.
fn push(stack: &Stack, number: usize) {
    let node = Box::leak(Box::new(Node::new(UnsafeCell::new(0))));
    // SAFETY: loom checks that nobody else has it.
    node.value.with_mut(|value| unsafe { *value = number });
    stack.push(node);
}

/// Returns the number of a node, which the caller has alone.
fn number(node: &Node) -> usize {
    // SAFETY: loom checks that nobody else has it.
    node.value.with_mut(|value| unsafe { *value })
}

fn pop(stack: &Stack) -> Option<usize> {
    stack.pop().map(|node| number(node))
}

/// Takes all nodes. Stops after more nodes than there can be.
fn take_all(stack: &Stack) -> Vec<usize> {
    let all = stack.take_all().expect("a barrier");
    all.take(9).map(|node| number(node)).collect()
}

/// Checks that each of the nodes 1 to `count` was found exactly once: by one thread or another, or still in the stack.
fn each_once(stack: &Stack, count: usize, found: impl IntoIterator<Item = usize>) {
    let mut found: Vec<usize> = found.into_iter().collect();
    found.extend(take_all(stack));
    found.sort_unstable();
    let all: Vec<usize> = (1..=count).collect();
    assert_eq!(found, all, "nodes that were lost, or that two have");
}

/// Starts a thread.
fn start<R: 'static>(
    stack: &Rc<Stack>,
    program: impl FnOnce(&Stack) -> R + 'static,
) -> thread::JoinHandle<R> {
    let stack = Rc::clone(stack);
    thread::spawn(move || program(&stack))
}

fn join<R>(thread: thread::JoinHandle<R>) -> R {
    thread.join().expect("a thread")
}

/// Two threads push, and change places. A CPU's stack returns nodes in the reverse order, with all that was done before.
pub(super) fn two_threads_change_places() {
    let stack = stack(ALL_THREADS);
    let thread = |cpu: usize| {
        start(&stack, move |stack| {
            let running = run_on(cpu);
            push(stack, 10 * cpu + 1);
            push(stack, 10 * cpu + 2);
            running.migrate(1 - cpu);
            [pop(stack), pop(stack)]
        })
    };
    let threads = [thread(0), thread(1)];
    let [first, second] = threads.map(join);
    let swapped = (first, second) == ([Some(12), Some(11)], [Some(2), Some(1)]);
    witness(0, swapped);
    // Or one thread found the other's stack empty, and the other found both nodes.
    let all = first.into_iter().chain(second).flatten();
    let mut all: Vec<usize> = all.chain(take_all(&stack)).collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 11, 12]);
    for (popped, before) in [(first, 10), (second, 0)] {
        assert!(
            popped == [None, None] || popped == [Some(before + 2), Some(before + 1)],
            "last in, first out: {popped:?}"
        );
    }
}

/// A pop is preempted; meanwhile another thread pops both nodes and pushes the first one again. The
/// head is the same then, and its link is not.
pub(super) fn a_preempted_pop_starts_over() {
    let stack = stack(ALL_THREADS);
    let running = run_on(0);
    push(&stack, 2);
    push(&stack, 1);
    drop(running);
    let popper = start(&stack, |stack| {
        let _running = run_on(0);
        (pop(stack), was_preempted())
    });
    let running = preempt(0);
    let first = stack.pop();
    let second = pop(&stack);
    first.into_iter().for_each(|node| stack.push(node));
    drop(running);
    let (popped, preempted) = join(popper);
    witness(0, preempted && popped == Some(1) && second == Some(2));
    witness(1, !preempted && popped == Some(1));
    each_once(&stack, 2, popped.into_iter().chain(second));
}

/// A push is preempted; meanwhile another thread pops the node that is linked to, and pushes one.
pub(super) fn a_preempted_push_starts_over() {
    let stack = stack(ALL_THREADS);
    let running = run_on(0);
    push(&stack, 1);
    drop(running);
    let pusher = start(&stack, |stack| {
        let _running = run_on(0);
        push(stack, 2);
        was_preempted()
    });
    let running = preempt(0);
    let popped = pop(&stack);
    push(&stack, 3);
    drop(running);
    let preempted = join(pusher);
    witness(0, preempted && popped == Some(1));
    witness(1, !preempted && popped == Some(2));
    each_once(&stack, 3, popped);
}

/// A thread pushes and pops while another takes all nodes twice, so that the second time returns to the first bank.
pub(super) fn all_is_taken_beside_its_owner() {
    let stack = stack(ALL_THREADS);
    let running = run_on(0);
    push(&stack, 1);
    drop(running);
    let owner = start(&stack, |stack| {
        let _running = run_on(0);
        push(stack, 2);
        let popped = pop(stack);
        push(stack, 3);
        popped
    });
    let first = take_all(&stack);
    let second = take_all(&stack);
    let popped = join(owner);
    assert!(
        first.contains(&1) || popped == Some(1),
        "it was there before"
    );
    witness(0, first.contains(&2));
    witness(1, second.contains(&3));
    each_once(&stack, 3, first.into_iter().chain(second).chain(popped));
}

/// Two threads take all while a third one pushes and pops.
pub(super) fn two_takers() {
    let stack = stack(ALL_THREADS);
    let running = run_on(0);
    push(&stack, 1);
    drop(running);
    let taker = start(&stack, take_all);
    let owner = start(&stack, |stack| {
        let _running = run_on(0);
        push(stack, 2);
        pop(stack)
    });
    let taken = take_all(&stack);
    let (others, popped) = (join(taker), join(owner));
    witness(0, taken.contains(&1));
    witness(1, others.contains(&1));
    each_once(&stack, 2, taken.into_iter().chain(others).chain(popped));
}

/// The kernel refuses barriers to a thread that takes all nodes. The nodes stay, also those that are pushed meanwhile,
/// and the next thread that takes all gets all of them.
fn after_refusals(barriers: u32, takes: u32) {
    let stack = stack(Mode::EachThread);
    let running = run_on(0);
    push(&stack, 1);
    drop(running);
    // The thread puts back what it took without a registration: a thread that waits for barriers has no CPU here.
    leave_unregistered();
    let pusher = start(&stack, |stack| {
        let _running = run_on(0);
        push(stack, 2);
    });
    refuse_barriers(barriers);
    for _ in 0..takes {
        assert!(stack.take_all().is_err());
    }
    join(pusher);
    let popped = join(start(&stack, |stack| {
        let _running = run_on(0);
        pop(stack)
    }));
    assert!(popped.is_some(), "the nodes stay");
    let mut found: Vec<usize> = take_all(&stack).into_iter().chain(popped).collect();
    found.sort_unstable();
    assert_eq!(found, [1, 2], "all that was pushed before");
}

pub(super) fn what_is_refused_stays() {
    after_refusals(0b1, 1);
}

/// On the second time, the nodes that the first time left behind are taken before the refused barrier.
pub(super) fn what_is_refused_twice_stays() {
    after_refusals(0b101, 2);
}

/// A thread that was refused a barrier takes all nodes while others still push to the bank that they found before.
pub(super) fn a_refusal_beside_pushes() {
    let stack = stack(ALL_THREADS);
    let pusher = start(&stack, |stack| {
        let _running = run_on(0);
        push(stack, 1);
        push(stack, 2);
    });
    refuse_barriers(0b1);
    assert!(stack.take_all().is_err());
    let taken = take_all(&stack);
    join(pusher);
    witness(0, taken.len() == 2);
    witness(1, taken == [1]);
    each_once(&stack, 2, taken);
}

/// A thread that cannot use sequences, and one that can.
pub(super) fn with_sequences_and_without() {
    let stack = stack(Mode::EachThread);
    let without = start(&stack, |stack| {
        leave_unregistered();
        push(stack, 1);
        [pop(stack), pop(stack)]
    });
    let with = start(&stack, |stack| {
        let _running = run_on(0);
        push(stack, 2);
        // The other thread takes the slow path, after too many aborts.
        abort_next(ATTEMPTS);
        push(stack, 3);
        [pop(stack), pop(stack), pop(stack)]
    });
    let (one, two) = (join(without), join(with));
    witness(0, one.contains(&Some(3)));
    witness(1, two.contains(&Some(1)));
    assert_eq!(two[0], Some(2), "what is the CPU's own comes first");
    each_once(&stack, 3, one.into_iter().chain(two).flatten());
}

/// Two threads without sequences; one pops both nodes and pushes the first one again.
pub(super) fn two_without_sequences() {
    let stack = stack(Mode::Atomics);
    push(&stack, 2);
    push(&stack, 1);
    let popper = start(&stack, pop);
    let first = stack.pop();
    let second = pop(&stack);
    first.into_iter().for_each(|node| stack.push(node));
    let popped = join(popper);
    witness(0, popped == Some(1) && second == Some(2));
    witness(1, popped == Some(2));
    // So that wrong counts are checked too.
    push(&stack, 3);
    each_once(&stack, 3, popped.into_iter().chain(second));
}

/// One thread takes all nodes and pushes one again while another pops, both without sequences.
pub(super) fn all_is_taken_where_others_pop() {
    let stack = stack(Mode::Atomics);
    push(&stack, 2);
    push(&stack, 1);
    let popper = start(&stack, pop);
    let mut all = stack.take_all().expect("nothing to refuse");
    let again = all.next();
    let rest: Vec<usize> = all.take(9).map(|node| number(node)).collect();
    again.into_iter().for_each(|node| stack.push(node));
    let popped = join(popper);
    witness(0, popped == Some(1) && rest == [2]);
    witness(1, popped.is_none());
    // So that wrong counts are checked too.
    push(&stack, 3);
    each_once(&stack, 3, popped.into_iter().chain(rest));
}

/// Nodes that were pushed before are taken, whatever others push and pop at the time.
pub(super) fn what_was_pushed_before_is_taken() {
    let stack = stack(Mode::Atomics);
    push(&stack, 1);
    let pusher = start(&stack, |stack| push(stack, 2));
    let popper = start(&stack, pop);
    let taken = take_all(&stack);
    join(pusher);
    let popped = join(popper);
    assert!(
        taken.contains(&1) || popped == Some(1),
        "it was there before"
    );
    witness(0, popped == Some(2));
    witness(1, taken.contains(&2));
    // So that wrong counts are checked too.
    push(&stack, 3);
    each_once(&stack, 3, taken.into_iter().chain(popped));
}
