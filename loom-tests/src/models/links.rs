//! Lists without `unsafe`, and values that were unlinked: who sees what, and who frees it.

use std::cell::Cell;
use std::sync::Arc;

use loom::thread;

use super::domains::{Owned, on_cpu};
use super::witness;
use crate::cell::link::Link;
use crate::cell::{Rcu, RcuCell};
use crate::domain::{Domain, DomainType, GuardOf};
use crate::kernel::{ALL_THREADS, Value, run_on, step};

/// The domain of the model that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lists;

std::thread_local! {
    // Loom runs all threads of a model on one thread of the system.
    static DOMAIN: Cell<Option<&'static Domain>> = const { Cell::new(None) };
}

// SAFETY: there is one at a time, for as long as a model runs.
unsafe impl DomainType for Lists {
    const THIS: Self = Lists;

    fn domain() -> &'static Domain {
        DOMAIN.get().expect("a domain")
    }
}

type List = Arc<Link<Value, Lists>>;

fn domain() -> Owned {
    let domain = Owned::new(ALL_THREADS);
    DOMAIN.set(Some(domain.get()));
    domain
}

/// Returns a list of these numbers.
fn list(numbers: impl DoubleEndedIterator<Item = u32>) -> List {
    let list = Arc::new(Link::empty_in(Lists));
    for number in numbers.rev() {
        list.push(Value::new(number)).expect("a root");
    }
    list
}

/// Goes from node to node.
fn walk(list: &List) -> Vec<u32> {
    let guard = Lists.begin();
    let mut seen = Vec::new();
    let mut next = list.load(&guard);
    while let Some(node) = next {
        step();
        seen.push(node.read());
        next = node.next().load(&guard);
    }
    seen
}

trait Begin {
    fn begin(self) -> crate::domain::GuardOf<Lists>;
}

impl Begin for Lists {
    fn begin(self) -> crate::domain::GuardOf<Lists> {
        crate::domain::GuardOf::new()
    }
}

/// Whoever stands on a node that is taken out goes on to what followed it, though that is taken out too.
pub(super) fn a_reader_goes_on_from_what_was_taken_out() {
    let _domain = domain();
    let list = list(1..=2);
    let theirs = Arc::clone(&list);
    let reader = on_cpu(0, move || {
        let seen = walk(&theirs);
        witness(0, seen == [1, 2]);
        witness(1, seen == [2]);
        witness(2, seen.is_empty());
        assert_ne!(seen, [1]);
    });
    for number in 1..=2 {
        let running = run_on(1);
        let guard = Lists.begin();
        let popped = list.pop(&guard).expect("a node");
        drop(guard);
        drop(running);
        assert_eq!(popped.wait().read(), number);
    }
    reader.join().expect("the reader");
}

/// A new node is whole for a reader, and so is what it has taken over.
pub(super) fn a_reader_meets_a_push() {
    let _domain = domain();
    let list = list(2..=2);
    let theirs = Arc::clone(&list);
    let reader = on_cpu(0, move || {
        let seen = walk(&theirs);
        witness(0, seen == [1, 2]);
        witness(1, seen == [2]);
    });
    list.push(Value::new(1)).expect("a root");
    reader.join().expect("the reader");
}

/// A node that moves up into the place of a removed one is whole for whoever finds it there.
pub(super) fn a_reader_meets_what_moves_up() {
    let _domain = domain();
    let list = list(1..=1);
    let theirs = Arc::clone(&list);
    let reader = on_cpu(0, move || {
        let seen = walk(&theirs);
        witness(0, seen == [1]);
        witness(1, seen == [1, 2]);
        witness(2, seen == [2]);
    });
    let running = run_on(1);
    let guard = Lists.begin();
    let node = list.load(&guard).expect("a node");
    node.next().push(Value::new(2)).expect("unmarked");
    list.pop(&guard).expect("a node").retire();
    drop(guard);
    drop(running);
    reader.join().expect("the reader");
    Lists::domain().barrier();
}

/// Two take the same nodes out: each gets one of its own.
pub(super) fn two_take_nodes_out() {
    let _domain = domain();
    let list = list(1..=2);
    let pop = |cpu| {
        let list = Arc::clone(&list);
        on_cpu(cpu, move || {
            let guard = Lists.begin();
            let popped = list.pop(&guard).expect("a node");
            popped.read()
        })
    };
    let [one, other] = [pop(0), pop(1)].map(|thread| thread.join().expect("a thread"));
    assert_eq!(one + other, 3, "one node for two");
    witness(0, one == 1);
    witness(1, other == 1);
    Lists::domain().barrier();
}

/// A thread that takes out a node sees it as its pusher made it.
pub(super) fn who_takes_a_node_out_sees_it_whole() {
    let _domain = domain();
    let list = list(3..=3);
    let theirs = Arc::clone(&list);
    let pusher = thread::spawn(move || theirs.push(Value::new(2)).expect("a root"));
    let running = run_on(0);
    let guard = Lists.begin();
    let first = list.pop(&guard).map(|popped| popped.read());
    let second = list.load(&guard).map(|node| node.read());
    drop(guard);
    drop(running);
    pusher.join().expect("the pusher");
    witness(0, first == Some(2) && second == Some(3));
    witness(1, first == Some(3) && second.is_none());
    witness(2, first == Some(3) && second == Some(2));
    Lists::domain().barrier();
}

/// A node is inserted after one that is taken out: it is in the list, or refused.
pub(super) fn an_insertion_meets_a_removal() {
    let _domain = domain();
    let list = list(1..=1);
    let theirs = Arc::clone(&list);
    let inserter = on_cpu(0, move || {
        let guard = Lists.begin();
        let node = theirs.load(&guard)?;
        step();
        Some(node.next().push(Value::new(2)).is_ok())
    });
    let running = run_on(1);
    let guard = Lists.begin();
    let popped = list.pop(&guard).expect("a node");
    let moved_up = list.load(&guard).map(|node| node.read());
    drop(guard);
    popped.retire();
    drop(running);
    let inserted = inserter.join().expect("the inserter");
    Lists::domain().barrier();
    let running = run_on(0);
    let left = walk(&list);
    drop(running);
    drop(list);
    assert_eq!(
        !left.is_empty(),
        inserted == Some(true),
        "lost, or there twice"
    );
    witness(0, moved_up == Some(2));
    witness(1, inserted == Some(false));
}

/// A chain that was cut off and put into another list outlives that list as long as a reader of the first one
/// is there.
pub(super) fn what_is_put_elsewhere_waits_for_its_first_readers() {
    let _domain = domain();
    let [from, to] = [list(1..=2), list(0..0)];
    let theirs = Arc::clone(&from);
    let reader = on_cpu(0, move || {
        let seen = walk(&theirs);
        witness(0, seen == [1, 2]);
        witness(1, seen.is_empty());
    });
    let running = run_on(1);
    to.put(from.take().expect("all")).expect("a root");
    let guard = Lists.begin();
    let popped = to.pop(&guard).expect("a node");
    drop(guard);
    // Nobody reads this one: what is left in it goes with it.
    drop(to);
    popped.retire();
    drop(running);
    reader.join().expect("the reader");
    Lists::domain().barrier();
}

/// A chain that is moved away and back while somebody is about to take out its first node outlives the list
/// as long as a reader is there who found it away.
pub(super) fn what_comes_back_in_the_middle_of_a_removal() {
    moved_and_back(|_| (), |_, _| ());
}

/// The same, if it comes back behind another node, which is then taken out, too.
pub(super) fn what_comes_back_behind_another_in_the_middle_of_a_removal() {
    moved_and_back(
        |away| away.push(Value::new(0)).expect("a root"),
        |home, guard| drop(home.pop(guard)),
    );
}

fn moved_and_back(
    before: impl Fn(&Link<Value, Lists>),
    after: impl Fn(&Link<Value, Lists>, &GuardOf<Lists>),
) {
    let _domain = domain();
    let [home, away] = [list(1..=2), list(0..0)];
    let theirs = Arc::clone(&home);
    let popper = on_cpu(0, move || {
        let guard = Lists.begin();
        theirs.pop(&guard).map(|popped| popped.read())
    });
    let running = run_on(1);
    let guard = Lists.begin();
    let cut = home.take();
    let all_was_cut = cut.is_some();
    drop(cut.map(|cut| away.put(cut)));
    let seen: Vec<_> = away.iter(&guard).collect();
    before(&away);
    drop(away.take().map(|cut| home.put(cut)));
    after(&home, &guard);
    drop(running);
    let popped = popper.join().expect("the popper");
    let running = run_on(1);
    // Nobody reads this one: what is left in it goes with it.
    drop(home);
    assert!(seen.iter().all(|value| matches!(value.read(), 1 | 2)));
    witness(0, all_was_cut && seen.len() == 2 && popped == Some(1));
    witness(1, seen.len() == 1 && popped == Some(1));
    drop(guard);
    drop((away, running));
    Lists::domain().barrier();
}

/// Whoever gets a chain that another has put there may look at it.
pub(super) fn a_chain_goes_from_hand_to_hand() {
    let _domain = domain();
    let list = list(1..=1);
    let theirs = Arc::clone(&list);
    let other = on_cpu(1, move || {
        let new = Link::empty_in(Lists);
        new.push(Value::new(2)).expect("a root");
        let new = new.take().expect("all");
        theirs.put(new).expect("a root").is_some()
    });
    let running = run_on(0);
    let guard = Lists.begin();
    let cut = list.take();
    let number = cut.as_ref().map(|cut| cut.first(&guard).read());
    drop(guard);
    drop((cut, running));
    witness(0, number == Some(1));
    witness(1, number == Some(2));
    other.join().expect("the other");
    let running = run_on(0);
    drop(list);
    drop(running);
    Lists::domain().barrier();
}

/// A value that a cell has given up is kept by its owner, and after that for its sections.
pub(super) fn an_unlinked_value() {
    let domain = domain();
    let cell: Arc<Rcu<Value, &'static Domain>> =
        Arc::new(RcuCell::new_in(Value::new(0), domain.get()));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        let seen = theirs.read_owned();
        // At once: behind the step what the barrier's fence has published is seen in any case.
        let number = seen.read();
        step();
        assert_eq!(seen.read(), number);
        witness(0, number == 0);
        witness(1, number == 1);
    });
    let running = run_on(1);
    let old = cell.unlink(Value::new(1));
    drop(running);
    assert_eq!(old.read(), 0);
    assert_eq!(old.wait().read(), 0);
    let running = run_on(1);
    let old = cell.fetch_update(|old| Value::new(old.read() + 1));
    assert_eq!(old.read(), 1);
    old.retire();
    drop(running);
    domain.get().barrier();
    reader.join().expect("the reader");
}
