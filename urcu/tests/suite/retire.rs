//! Every way of retiring: what is retired is freed once, not before readers are done with it, and counts
//! in the budget with the bytes that it stands for.

use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::mem::offset_of;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use Ordering::{AcqRel, SeqCst};
use urcu::raw::{Atomic, Owned, RcuHead, Shared};
use urcu::{Budget, Domain, Rcu, Runner};

use crate::callbacks::budget::{most_resident, resident, unsealed};
use crate::cells::values::Counted;
use crate::support::fork::{assert_child, fork};
use crate::support::{assert_child_passes, length, storm};

/// The bytes behind a pointer in the tests of budgets.
const BEHIND: usize = 1024;

/// A node of a structure in C's style.
struct Node {
    value: Counted,
    head: RcuHead,
    room: [u8; BEHIND],
}

/// # Safety
/// `head` is that of a `Node` from a `Box`, which nobody else has.
unsafe fn free_node(head: *mut RcuHead) {
    // SAFETY: by the contract of this function; the pointer is good for the whole node.
    drop(unsafe { Box::from_raw(head.byte_sub(offset_of!(Node, head)).cast::<Node>()) });
}

unsafe extern "C" fn free_node_in_c(head: *mut RcuHead) {
    // SAFETY: by the contract of the other function.
    unsafe { free_node(head) };
}

/// # Safety
/// `value` is from a `Box`, and nobody else has it.
unsafe fn free_box<T>(value: *mut T) {
    // SAFETY: by the contract of this function.
    drop(unsafe { Box::from_raw(value) });
}

/// Something that is counted, with 1 KiB behind it.
type Value = (Counted, Box<[u8]>);

fn value(alive: &Arc<AtomicUsize>) -> Value {
    (Counted::new(alive, 1), vec![1; BEHIND].into())
}

fn node(alive: &Arc<AtomicUsize>) -> *mut RcuHead {
    let node = Box::into_raw(Box::new(Node {
        value: Counted::new(alive, 1),
        head: RcuHead::new(),
        room: [1; BEHIND],
    }));
    // SAFETY: alive; no reference is made, so the pointer is good for the node.
    unsafe { &raw mut (*node).head }
}

/// A way to retire something of about [`BEHIND`] bytes.
type Way = fn(&Domain, &Arc<AtomicUsize>);

/// Retires a counted value in every way there is. Never published, or unlinked: so nobody reaches it.
const WAYS: [(&str, Way); 12] = [
    ("retire", |domain, alive| {
        let sized = Box::into_raw(Box::new((Counted::new(alive, 1), [1_u8; BEHIND])));
        // SAFETY: from a box, retired once, and good on every thread.
        unsafe { domain.retire(sized) };
    }),
    ("retire a slice", |domain, alive| {
        let many = [(); 1].map(|()| (Counted::new(alive, 1), [1_u8; BEHIND]));
        let many: *mut [(Counted, [u8; BEHIND])] = Box::into_raw(Box::new(many));
        // SAFETY: from a box, retired once, and good on every thread.
        unsafe { domain.retire(many) };
    }),
    ("retire a trait object", |domain, alive| {
        let object = (Counted::new(alive, 1), [1_u8; BEHIND]);
        let object: *mut dyn Sync = Box::into_raw(Box::new(object));
        // SAFETY: from a box, retired once, and good on every thread.
        unsafe { domain.retire(object) };
    }),
    ("retire_with", |domain, alive| {
        let value = Box::into_raw(Box::new(value(alive)));
        // SAFETY: from a box, which `free_box` frees, retired once, and good on every thread.
        unsafe { domain.retire_with(value, free_box, BEHIND) };
    }),
    ("retire_fn", |domain, alive| {
        let value = Box::new(value(alive));
        // SAFETY: nobody else has it, and it is good on every thread.
        unsafe { domain.retire_fn(move || drop(value), BEHIND) };
    }),
    ("retire_fn of a large closure", |domain, alive| {
        let value = value(alive);
        // SAFETY: nobody else has the value, and it is good on every thread.
        unsafe { domain.retire_fn(move || drop(value), BEHIND) };
    }),
    ("retire_shared", |domain, alive| {
        let guard = domain.read_lock();
        let node = Owned::new((Counted::new(alive, 1), [1_u8; BEHIND])).with_tag(1);
        let link = Atomic::from(node);
        let node = link.swap(Shared::null(), AcqRel, &guard);
        // SAFETY: unlinked; retired once.
        unsafe { domain.retire_shared(node) };
    }),
    ("retire_shared of a slice", |domain, alive| {
        let guard = domain.read_lock();
        let many: Owned<[_]> = [(); 1]
            .map(|()| (Counted::new(alive, 1), [1_u8; BEHIND]))
            .into_iter()
            .collect();
        // SAFETY: never published; retired once.
        unsafe { domain.retire_shared(many.into_shared(&guard)) };
    }),
    ("retire_head", |domain, alive| {
        // SAFETY: never published; retired once; of a node from a box.
        unsafe { domain.retire_head(node(alive), free_node, size_of::<Node>()) };
    }),
    ("call_head", |domain, alive| {
        // SAFETY: never published; queued once; of a node from a box, which `free_node_in_c` frees.
        unsafe { domain.call_head(node(alive), free_node_in_c, size_of::<Node>()) };
    }),
    ("defer_drop_sized", |domain, alive| {
        domain.defer_drop_sized(Box::new(value(alive)), BEHIND);
    }),
    ("defer_drop_sized of a large value", |domain, alive| {
        domain.defer_drop_sized(value(alive), BEHIND);
    }),
];

/// A guard of another thread's, so that this one may wait.
fn guard_of(domain: &'static Domain) -> urcu::ReadGuard<'static> {
    thread::spawn(|| domain.read_lock()).join().unwrap()
}

#[test]
fn each_way_frees_what_it_was_given_once_and_after_the_readers() {
    static DOMAIN: Domain = Domain::named("each way").run_by(Runner::Caller);
    for (way, retire) in WAYS {
        let alive = Arc::new(AtomicUsize::new(0));
        let guard = guard_of(&DOMAIN);
        (0..300).for_each(|_| retire(&DOMAIN, &alive));
        // Whatever drives grace periods.
        for _ in 0..10 {
            DOMAIN.run_callbacks(usize::MAX);
            retire(&DOMAIN, &alive);
        }
        assert_eq!(alive.load(SeqCst), 310, "{way}: freed under a reader");
        drop(guard);
        DOMAIN.barrier();
        assert_eq!(alive.load(SeqCst), 0, "{way}: not freed");
    }
}

/// Readers look at poisoned memory if it is freed too soon.
#[test]
fn values_are_whole_as_long_as_a_reader_sees_them_whichever_way_they_are_retired() {
    static DOMAIN: Domain = Domain::named("whole values");
    let alive = Arc::new(AtomicUsize::new(0));
    let link = Atomic::<(Counted, u64)>::new((Counted::new(&alive, 7), 7));
    storm(length(300), 3, |thread| {
        let guard = DOMAIN.read_lock();
        if thread == 0 {
            let seen = link.load(Ordering::Acquire, &guard);
            // SAFETY: reachable in this section.
            let seen = unsafe { seen.deref() };
            for _ in 0..10 {
                assert_eq!((seen.0.1, seen.1), (7, 7));
                std::hint::spin_loop();
            }
            return;
        }
        for way in 0..4 {
            let old = link.swap(Owned::new((Counted::new(&alive, 7), 7)), AcqRel, &guard);
            let raw = old.as_raw().cast_mut();
            // SAFETY: unlinked; each is retired once, by one of the ways.
            unsafe {
                match way {
                    0 => DOMAIN.retire(raw),
                    1 => DOMAIN.retire_with(raw, free_box, 0),
                    2 => DOMAIN.retire_shared(old),
                    _ => DOMAIN.retire_fn(move || free_box(raw), 0),
                }
            }
        }
    });
    // SAFETY: nobody else has it.
    drop(unsafe { link.into_owned() });
    DOMAIN.barrier();
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn memory_and_strings_are_given_back() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    for number in 0..200_usize {
        let layout = Layout::from_size_align(number * 7, 1 << (number % 9)).unwrap();
        let memory = match layout.size() {
            0 => std::ptr::null_mut(),
            // SAFETY: not of size 0.
            _ => unsafe { alloc(layout) },
        };
        let text: Box<str> = "x".repeat(number).into();
        let text = Box::into_raw(text);
        let name = Owned::from("a name").with_tag(number).into_shared(&guard);
        // SAFETY: allocated with this layout, or of size 0; from boxes and an `Owned`; each retired
        // once, never published.
        unsafe {
            domain.retire_layout(memory, layout);
            domain.retire(text);
            domain.retire_shared(name);
            domain.retire(Box::into_raw(Box::new(())));
            domain.retire_shared(Shared::<u64>::null().with_tag(number));
        }
    }
    assert_eq!(domain.stats().callbacks_queued, 199 + 3 * 200);
    drop(guard);
    domain.barrier();
    assert_eq!(domain.stats().callbacks_pending, 0);
}

#[test]
fn the_budget_counts_what_each_way_stands_for() {
    for (way, retire) in WAYS {
        let alive = Arc::new(AtomicUsize::new(0));
        let domain = Domain::new().run_by(Runner::Caller);
        let guard = domain.read_lock();
        // Large enough for several chunks.
        (0..1000).for_each(|_| retire(&domain, &alive));
        let bytes = domain.stats().callbacks_pending_bytes;
        let sealed = 1000 - unsealed().min(1000);
        assert!(bytes >= sealed * BEHIND as u64, "{way}: {bytes} bytes");
        assert!(bytes <= 1000 * 2 * BEHIND as u64, "{way}: {bytes} bytes");
        drop(guard);
        domain.barrier();
        assert_eq!(domain.stats().callbacks_pending_bytes, 0, "{way}");
    }
}

#[test]
fn a_budget_of_16_mib_holds_whichever_way_values_of_1_kib_are_retired() {
    static DOMAIN: Domain = Domain::named("16 MiB");
    const BUDGET: u64 = 16 << 20;
    let patience = Duration::from_millis(1);
    DOMAIN.set_budget(Budget::new(u64::MAX, BUDGET as usize).patience(patience));
    for (way, retire) in WAYS {
        let alive = Arc::new(AtomicUsize::new(0));
        let guard = guard_of(&DOMAIN);
        let excess = || DOMAIN.stats().callbacks_excess;
        let before = excess();
        // That many would be the budget and more, if the bytes were not counted.
        let most = BUDGET / BEHIND as u64 + unsealed() + 10;
        let retired = (0..most)
            .take_while(|_| {
                retire(&DOMAIN, &alive);
                excess() < before + 5
            })
            .count();
        assert!(excess() >= before + 5, "{way}: {retired} were taken");
        let held = alive.load(SeqCst) as u64 * BEHIND as u64;
        assert!(held >= BUDGET / 2, "{way}: held up at {held} bytes");
        drop(guard);
        DOMAIN.barrier();
        assert_eq!(alive.load(SeqCst), 0, "{way}");
    }
}

#[test]
fn with_a_section_that_stays_open_memory_stays_bounded_whichever_way_is_used() {
    assert_child_passes("retire::child_that_retires_while_a_section_stays_open");
}

#[test]
#[ignore = "a child process of with_a_section_that_stays_open_memory_stays_bounded_whichever_way_is_used"]
fn child_that_retires_while_a_section_stays_open() {
    static DOMAIN: Domain = Domain::named("stays open");
    DOMAIN.set_budget(Budget::new(u64::MAX, 16 << 20));
    let alive = Arc::new(AtomicUsize::new(0));
    for (way, retire) in WAYS {
        let begin = resident();
        let guard = guard_of(&DOMAIN);
        let most = most_resident(|| storm(length(300), 2, |_| retire(&DOMAIN, &alive)));
        println!("{way}: {} KiB more", most.saturating_sub(begin) >> 10);
        // The allocator adds to each value.
        assert!(most.saturating_sub(begin) < 32 << 20, "{way}: {most}");
        drop(guard);
        DOMAIN.barrier();
    }
}

/// Large ones are counted one by one.
#[test]
fn what_stands_for_much_is_counted_at_once() {
    let domain = Domain::new().run_by(Runner::Caller);
    domain.set_budget(Budget::new(1000, 1 << 20).patience(Duration::ZERO));
    let guard = domain.read_lock();
    assert!(domain.try_defer_drop_sized(1_u8, 2 << 20).is_ok());
    assert_eq!(domain.stats().callbacks_pending_bytes, (2 << 20) + 32);
    let refused = domain.try_defer_drop_sized(String::from("a"), 0);
    assert_eq!(refused, Err(String::from("a")));
    let refused = domain.try_defer_drop(String::from("b"));
    assert_eq!(refused, Err(String::from("b")));
    assert!(!domain.has_room());
    drop(guard);
    domain.barrier();
    assert!(domain.has_room());
    assert_eq!(domain.try_defer_drop(refused.unwrap_err()), Ok(()));
    assert_eq!(domain.try_defer_drop_sized([1; 100], usize::MAX), Ok(()));
    domain.barrier();
    assert_eq!(domain.stats().callbacks_pending_bytes, 0);
}

/// Closures of `retire_fn` and retired values may borrow what is not `'static`.
#[test]
fn what_is_retired_may_borrow_what_outlives_the_domain() {
    struct Adds<'a>(&'a RefCell<Vec<u32>>, u32);
    impl Drop for Adds<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    let dropped = RefCell::new(Vec::new());
    let domain = Domain::new().run_by(Runner::Caller);
    let guard = domain.read_lock();
    // SAFETY: the list outlives the domain, which nobody but this thread drives.
    unsafe {
        domain.retire(Box::into_raw(Box::new(Adds(&dropped, 1))));
        domain.retire_fn(|| dropped.borrow_mut().push(2), 0);
        let shared = Owned::new(Adds(&dropped, 3)).into_shared(&guard);
        domain.retire_shared(shared);
    }
    drop(guard);
    assert!(dropped.borrow().is_empty());
    drop(domain);
    assert_eq!(dropped.into_inner(), [1, 2, 3]);
}

/// And a grace period wakes nobody for whom it is too early.
#[test]
fn each_way_works_inside_of_callbacks_and_of_destructors() {
    static DOMAIN: Domain = Domain::named("inside");
    /// Retires another when it is dropped, so many times.
    struct Again(u32, Way, Arc<AtomicUsize>);
    impl Drop for Again {
        fn drop(&mut self) {
            (self.1)(&DOMAIN, &self.2);
            if self.0 > 0 {
                let next = Again(self.0 - 1, self.1, Arc::clone(&self.2));
                // SAFETY: from a box, retired once, good on every thread.
                unsafe { DOMAIN.retire(Box::into_raw(Box::new(next))) };
            }
        }
    }
    let alive = Arc::new(AtomicUsize::new(0));
    // When the budget is exceeded, callbacks do not wait for what they themselves hold up.
    DOMAIN.set_budget(Budget::new(1, 1).patience(Duration::from_millis(1)));
    for (_, retire) in WAYS {
        DOMAIN.defer_drop(Again(5, retire, Arc::clone(&alive)));
        let theirs = Arc::clone(&alive);
        DOMAIN.call(move || retire(&DOMAIN, &theirs));
    }
    // Callbacks that callbacks queue are queued when those have run.
    while DOMAIN.stats().callbacks_pending != 0 {
        DOMAIN.barrier();
    }
    assert_eq!(alive.load(SeqCst), 0);
    assert_eq!(DOMAIN.stats().callbacks_run, 12 * (1 + 6 + 5 + 2));
}

#[test]
fn each_way_works_in_destructors_of_thread_local_data() {
    static DOMAIN: Domain = Domain::named("at the end of threads");
    struct Retires(Arc<AtomicUsize>);
    impl Drop for Retires {
        fn drop(&mut self) {
            for (_, retire) in WAYS {
                (0..30).for_each(|_| retire(&DOMAIN, &self.0));
            }
        }
    }
    thread_local!(static LAST: RefCell<Option<Retires>> = const { RefCell::new(None) });
    let alive = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let theirs = Arc::clone(&alive);
        thread::spawn(|| LAST.set(Some(Retires(theirs))))
            .join()
            .unwrap();
    }
    DOMAIN.barrier();
    assert_eq!(alive.load(SeqCst), 0);
    assert_eq!(DOMAIN.stats().callbacks_run, 3 * 12 * 30);
}

#[test]
fn each_way_works_in_a_forked_child() {
    assert_child_passes("retire::child_that_forks");
}

#[test]
#[ignore = "a child process of each_way_works_in_a_forked_child"]
fn child_that_forks() {
    static DOMAIN: Domain = Domain::named("forked while retiring");
    let alive = Arc::new(AtomicUsize::new(0));
    let all = || WAYS.iter().for_each(|(_, retire)| retire(&DOMAIN, &alive));
    (0..20).for_each(|_| all());
    let guard = guard_of(&DOMAIN);
    let before = alive.load(SeqCst);
    assert_child(fork, || {
        // Values retired before the fork are the parent's to free, and their reader is not here.
        let before = alive.load(SeqCst);
        (0..20).for_each(|_| all());
        DOMAIN.barrier();
        assert_eq!(alive.load(SeqCst), before);
    });
    assert!(before <= 20 * WAYS.len());
    drop(guard);
    DOMAIN.barrier();
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn a_destructor_that_panics_frees_its_memory_and_the_others_run() {
    struct Panics(#[expect(dead_code, reason = "is dropped")] Counted);
    impl Drop for Panics {
        fn drop(&mut self) {
            resume_unwind(Box::new("on purpose"));
        }
    }
    let domain = Domain::new();
    let alive = Arc::new(AtomicUsize::new(0));
    for _ in 0..50 {
        let panics = || Panics(Counted::new(&alive, 1));
        let guard = domain.read_lock();
        // SAFETY: never published; each retired once; good on every thread.
        unsafe {
            domain.retire(Box::into_raw(Box::new(panics())));
            domain.retire_shared(Owned::new(panics()).into_shared(&guard));
            domain.retire_with(Box::into_raw(Box::new(panics())), free_box, 1);
        }
        domain.defer_drop_sized(panics(), 1);
        drop(guard);
        WAYS.iter().for_each(|(_, retire)| retire(&domain, &alive));
    }
    domain.barrier();
    assert_eq!(alive.load(SeqCst), 0);
    assert_eq!(domain.stats().callbacks_panicked, 50 * 4);
}

/// Other threads than the one that retires run what counts as a destructor; `call_head` is no such.
#[test]
fn what_call_head_runs_does_not_run_where_something_is_retired() {
    static DOMAIN: Domain = Domain::named("call_head");
    static HERE: AtomicUsize = AtomicUsize::new(0);
    static RAN: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static RETIRES: RefCell<bool> = const { RefCell::new(false) });
    unsafe extern "C" fn notes(head: *mut RcuHead) {
        HERE.fetch_add(usize::from(RETIRES.with_borrow(|here| *here)), SeqCst);
        RAN.fetch_add(1, SeqCst);
        // SAFETY: of a node from `node`, which nobody else has.
        unsafe { free_node(head) };
    }
    let alive = Arc::new(AtomicUsize::new(0));
    RETIRES.set(true);
    let cell = Rcu::new_in(0_u64, &DOMAIN);
    for number in 0..20_000 {
        // SAFETY: never published; retired once; of a node from a box.
        unsafe { DOMAIN.call_head(node(&alive), notes, size_of::<Node>()) };
        cell.store(number);
    }
    assert_eq!(HERE.load(SeqCst), 0);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        DOMAIN.barrier();
        sender.send(()).unwrap();
    });
    receiver.recv().unwrap();
    assert_eq!((RAN.load(SeqCst), alive.load(SeqCst)), (20_000, 0));
}

#[test]
fn nodes_and_their_heads_can_be_sent_and_copied() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    let alive = Arc::new(AtomicUsize::new(0));
    let head = node(&alive);
    // SAFETY: alive, and nobody else's.
    let node = unsafe { Box::from_raw(head.byte_sub(offset_of!(Node, head)).cast::<Node>()) };
    is_send_and_sync(&node.head);
    assert_eq!((node.value.1, node.room[7]), (1, 1));
    assert_eq!(size_of::<RcuHead>(), 2 * size_of::<usize>());
    assert_eq!(format!("{:?}", node.head.clone()), "RcuHead { .. }");
}
