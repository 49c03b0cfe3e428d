//! Links, nodes and pointers of `urcu::raw`, and guards that are checked and refreshed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use urcu::raw::{Atomic, Owned, Shared};
use urcu::{Domain, ReadGuard};
use urcu_host::poison::SMALL;
use urcu_host::stamped::Stamped;

use crate::cells::values::Counted;
use crate::support::{length, storm};

#[test]
fn tags_are_the_bits_that_the_alignment_leaves_free() {
    #[repr(align(64))]
    struct Aligned(u8);
    let guard = urcu::read_lock();
    let node = Owned::new(Aligned(7)).with_tag(usize::MAX);
    assert_eq!((node.tag(), node.0), (63, 7));
    let shared = node.into_shared(&guard);
    assert_eq!(shared.with_tag(5).tag(), 5);
    assert_eq!(shared.as_raw(), shared.with_tag(1).as_raw());
    assert_ne!(shared, shared.with_tag(1));
    // SAFETY: made here, and never published.
    assert_eq!(unsafe { shared.into_owned() }.into_inner().0, 7);
    assert_eq!(Owned::new(1u8).with_tag(1).tag(), 0);
    assert_eq!(
        Owned::<str>::from("a").with_tag(usize::MAX).tag(),
        align_of::<usize>() - 1
    );
    let null = Shared::<u64>::null().with_tag(3);
    assert!(null.is_null() && null.tag() == 3);
    // SAFETY: null.
    assert_eq!(unsafe { null.as_ref() }, None);
}

#[test]
fn nodes_of_every_size_are_dropped_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counted = |number| Counted::new(&alive, number);
    drop(Owned::new(counted(1)));
    assert_eq!(Owned::new(counted(2)).into_inner().1, 2);
    let boxed = Owned::new(counted(3)).into_box();
    drop(Owned::from(boxed));
    let many: Owned<[Counted]> = (0..10).map(counted).collect();
    assert_eq!(
        (many.len(), many[9].1, size_of_val(&many)),
        (10, 9, size_of::<usize>())
    );
    assert_eq!(alive.load(SeqCst), 10);
    drop(many);
    assert_eq!(alive.load(SeqCst), 0);
    drop(Owned::<[Counted]>::from(Vec::new()));
    assert_eq!(&*Owned::<[()]>::from(vec![(); 3]), [(); 3]);
    #[repr(align(128))]
    #[derive(Debug, PartialEq)]
    struct Wide(u8);
    let wide = Owned::<[Wide]>::from(vec![Wide(1), Wide(2)]);
    assert_eq!((&raw const wide[0]).addr() % 128, 0);
    assert_eq!(*wide, [Wide(1), Wide(2)]);
}

#[test]
fn an_element_whose_drop_panics_leaks_neither_the_others_nor_the_memory() {
    struct Bomb(bool, Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.1.fetch_add(1, SeqCst);
            assert!(!self.0, "on purpose");
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let bombs = |armed: usize| (0..5).map(move |n| n == armed);
    let node: Owned<[Bomb]> = bombs(2)
        .map(|armed| Bomb(armed, Arc::clone(&dropped)))
        .collect();
    catch_unwind(AssertUnwindSafe(|| drop(node))).unwrap_err();
    assert_eq!(dropped.load(SeqCst), 5);
}

#[test]
fn an_exchange_answers_what_it_published_or_hands_the_node_back() {
    let alive = Arc::new(AtomicUsize::new(0));
    let link = Atomic::null();
    let guard = urcu::read_lock();
    let node = Owned::new(Counted::new(&alive, 1));
    let address = &raw const *node;
    let published = link
        .compare_exchange(Shared::null(), node, AcqRel, Acquire, &guard)
        .unwrap();
    assert_eq!(published.as_raw(), address);
    assert_eq!(link.load(Acquire, &guard), published);
    let node = Owned::new(Counted::new(&alive, 2)).with_tag(1);
    let address = &raw const *node;
    let error = link
        .compare_exchange_weak(Shared::null(), node, AcqRel, Acquire, &guard)
        .unwrap_err();
    assert_eq!(
        (error.current, &raw const *error.new, error.new.tag()),
        (published, address, 1)
    );
    // The tag is a part of what is compared.
    let other = published.with_tag(1);
    assert!(
        link.compare_exchange(other, Shared::null(), AcqRel, Acquire, &guard)
            .is_err()
    );
    assert_eq!(link.fetch_or_tag(6, AcqRel, &guard), published);
    assert_eq!(link.fetch_and_tag(3, AcqRel, &guard), published.with_tag(6));
    assert_eq!(link.fetch_xor_tag(3, AcqRel, &guard), published.with_tag(2));
    let set = link.fetch_update(AcqRel, Acquire, &guard, |seen| Some(seen.with_tag(0)));
    assert_eq!(set.unwrap(), published.with_tag(1));
    assert_eq!(
        link.fetch_update(AcqRel, Acquire, &guard, |_| None)
            .unwrap_err(),
        published
    );
    assert_eq!(link.swap(error.new, AcqRel, &guard), published);
    // SAFETY: unlinked above, and nobody else looks at it.
    drop(unsafe { published.into_owned() });
    drop(guard);
    // SAFETY: nobody else knows the node.
    let left = unsafe { link.into_owned() };
    assert_eq!(left.map(|node| (node.1, node.tag())), Some((2, 1)));
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn a_guard_of_another_domain_is_refused_with_both_names() {
    static NODES: Domain = Domain::named("nodes");
    static OTHERS: Domain = Domain::named("others");
    NODES.check(&NODES.read_lock());
    assert!(OTHERS.read_lock().is_of(&OTHERS));
    let payload = catch_unwind(|| NODES.check(&OTHERS.read_lock())).unwrap_err();
    let message = payload.downcast_ref::<String>().expect("a message");
    assert!(
        message.contains("\"nodes\"") && message.contains("\"others\""),
        "{message}"
    );
}

#[test]
fn a_guard_that_is_refreshed_holds_nobody_up() {
    let domain = Domain::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut guard = domain.read_lock();
        scope.spawn(|| {
            (0..100).for_each(|_| domain.synchronize());
            over.store(true, SeqCst);
        });
        while !over.load(SeqCst) {
            guard.refresh();
        }
        // And it is one section, still.
        let late = domain.start_poll();
        assert!(!domain.poll(&late));
        drop(guard);
        late.wait();
    });
}

/// A node that is whole and alive as long as anybody may see it.
struct Node {
    value: Stamped<SMALL>,
    next: Atomic<Node>,
}

struct Stack {
    head: Atomic<Node>,
    domain: Domain,
}

/// An unlinked node on its way to its end.
struct Unlinked(*mut Node);
// SAFETY: whoever has unlinked it owns it; the value may be sent.
unsafe impl Send for Unlinked {}

impl Stack {
    fn push(&self, stamp: u64) {
        let guard = self.domain.read_lock();
        let mut node = Owned::new(Node {
            value: Stamped::new(stamp),
            next: Atomic::null(),
        });
        loop {
            let head = self.head.load(Relaxed, &guard);
            node.next.store(head, Relaxed);
            match self
                .head
                .compare_exchange_weak(head, node, Release, Relaxed, &guard)
            {
                Ok(_) => return,
                Err(error) => node = error.new,
            }
        }
    }

    fn pop(&self) -> Option<u64> {
        let guard = self.domain.read_lock();
        loop {
            let head = self.head.load(Acquire, &guard);
            // SAFETY: reachable in this section, and freed a grace period after it was unlinked.
            let node = unsafe { head.as_ref() }?;
            let next = node.next.load(Relaxed, &guard);
            if self
                .head
                .compare_exchange_weak(head, next, AcqRel, Acquire, &guard)
                .is_ok()
            {
                let unlinked = Unlinked(head.as_raw().cast_mut());
                self.domain.call(move || {
                    let Unlinked(node) = { unlinked };
                    // SAFETY: from `Owned::new`, unlinked by this thread alone, a grace period ago.
                    drop(unsafe { Owned::from_raw(node) });
                });
                return Some(node.value.check().expect("a node that was freed"));
            }
        }
    }

    /// Returns how many nodes there are, each of them whole.
    fn length(&self, guard: &ReadGuard<'_>) -> usize {
        self.domain.check(guard);
        let (mut next, mut length) = (self.head.load(Acquire, guard), 0);
        // SAFETY: loaded in the guard's section, which the check has shown to be one of this domain.
        while let Some(node) = unsafe { next.as_ref() } {
            assert!(node.value.check().is_some(), "a node that was freed");
            length += 1;
            next = node.next.load(Acquire, guard);
        }
        length
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut head = std::mem::replace(&mut self.head, Atomic::null());
        // SAFETY: `&mut self`: nobody else reaches the nodes, and each is owned by one link.
        while let Some(node) = unsafe { head.into_owned() } {
            head = node.into_inner().next;
        }
    }
}

#[test]
fn a_stack_gives_back_all_that_was_pushed_and_shows_nothing_that_was_freed() {
    let stack = Stack {
        head: Atomic::null(),
        domain: Domain::new(),
    };
    let (pushed, popped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    storm(length(300), 3, |number| {
        if number == 2 {
            let mut guard = stack.domain.read_lock();
            for _ in 0..20 {
                stack.length(&guard);
                guard.refresh();
            }
            return;
        }
        for stamp in 1..20 {
            stack.push(stamp);
            pushed.fetch_add(stamp as usize, Relaxed);
            if stamp % 5 != 0 {
                popped.fetch_add(stack.pop().map_or(0, |stamp| stamp as usize), Relaxed);
            }
        }
        while stack.length(&stack.domain.read_lock()) > 50 {
            popped.fetch_add(stack.pop().map_or(0, |stamp| stamp as usize), Relaxed);
        }
    });
    let left: u64 = std::iter::from_fn(|| stack.pop()).sum();
    assert_eq!(pushed.into_inner(), popped.into_inner() + left as usize);
}
