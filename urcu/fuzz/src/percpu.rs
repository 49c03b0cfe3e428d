//! The steps that are about `rseq_ops::percpu`.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rseq_ops::percpu::{
    Allocator, Counter, Fork, Mode, Node, PerCpu, Pool, PoolBox, Reservation, ReserveError, Ring,
    Stack, possible_cpus,
};

use crate::check::check;
use crate::input::Step;
use crate::ledger::{Ledger, Value};

type Words = [AtomicU64; 3];

/// Is there across runs, so that memory is used again. Small, so that it runs out.
static KEPT: Allocator = Allocator::with_limit(Fork::Keep, 128 << 10);
static WIPED: Allocator = Allocator::with_limit(Fork::Wipe, 64 << 10);

/// The state that the threads share. Made when it is first used, which is seldom.
pub struct Shared {
    /// True if one thread runs at a time.
    exclusive: bool,
    ledger: Arc<Ledger>,
    counter: OnceLock<Counter<'static>>,
    counted: AtomicI64,
    stack: OnceLock<Stack<'static, u32>>,
    /// Nodes that are in the stack, or about to be.
    stacked: Mutex<BTreeMap<u32, ()>>,
    next: AtomicU32,
    pool: OnceLock<Pool<Value>>,
    ring: OnceLock<Ring>,
    overwrites: bool,
    /// Records that are committed, or about to be, and how long they are.
    written: Mutex<BTreeMap<u32, usize>>,
    reserved: AtomicUsize,
    dropped: AtomicUsize,
    /// Of those reserved, what the consumer is to get, and what it got.
    committed: AtomicUsize,
    delivered: AtomicUsize,
    /// The last record that came out of each ring.
    last: Mutex<BTreeMap<usize, u32>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn byte(id: u32, at: usize) -> u8 {
    (id as usize)
        .wrapping_mul(31)
        .wrapping_add(at.wrapping_mul(7)) as u8
}

impl Shared {
    pub fn new(ring: u8, exclusive: bool, ledger: &Arc<Ledger>) -> Self {
        Shared {
            exclusive,
            ledger: Arc::clone(ledger),
            counter: OnceLock::new(),
            counted: AtomicI64::new(0),
            stack: OnceLock::new(),
            stacked: Mutex::default(),
            next: AtomicU32::new(1),
            pool: OnceLock::new(),
            ring: OnceLock::new(),
            overwrites: ring % 2 == 1,
            written: Mutex::default(),
            reserved: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            committed: AtomicUsize::new(0),
            delivered: AtomicUsize::new(0),
            last: Mutex::default(),
        }
    }

    fn counter(&self) -> &Counter<'static> {
        self.counter.get_or_init(|| Counter::new().expect("memory"))
    }

    fn stack(&self) -> &Stack<'static, u32> {
        self.stack.get_or_init(|| Stack::new().expect("memory"))
    }

    fn pool(&self) -> &Pool<Value> {
        self.pool
            .get_or_init(|| Pool::with_capacity_per_cpu(5).expect("memory"))
    }

    fn ring(&self) -> &Ring {
        let mode = if self.overwrites {
            Mode::Overwrite
        } else {
            Mode::Discard
        };
        self.ring
            .get_or_init(|| Ring::new(mode, 4096).expect("memory"))
    }

    fn popped(&self, node: &Node<u32>) {
        let was = locked(&self.stacked).remove(&node.value);
        check!(
            was.is_some(),
            "node {} comes out of the stack again",
            node.value
        );
    }

    fn poll(&self, writes: bool) {
        let Some(mut consumer) = self.ring().consumer() else {
            return check!(!self.exclusive, "a consumer that nobody has cannot be had");
        };
        let mut write = writes;
        consumer.poll(|record| {
            self.delivered.fetch_add(1, SeqCst);
            let head = record.bytes.first_chunk::<4>();
            let Some(id) = head.map(|head| u32::from_ne_bytes(*head)) else {
                return; // Too short to tell.
            };
            let length = locked(&self.written).remove(&id);
            check!(
                length == Some(record.bytes.len()),
                "record {id} is not {length:?} long"
            );
            let rest = record.bytes.iter().enumerate().skip(4);
            for (at, found) in rest {
                check!(*found == byte(id, at), "record {id} is wrong at {at}");
            }
            let before = locked(&self.last).insert(record.ring, id).unwrap_or(0);
            check!(
                !self.exclusive || before < id,
                "record {id} comes after {before}"
            );
            if mem::take(&mut write) {
                // Writers do not wait for the consumer.
                self.write(40, 40, false);
            }
        });
    }

    fn reserve(&self, length: usize) -> Option<Reservation<'static>> {
        match self.ring().reserve(length) {
            Ok(reservation) => {
                self.reserved.fetch_add(1, SeqCst);
                // SAFETY: gone before the ring is.
                Some(unsafe {
                    mem::transmute::<Reservation<'_>, Reservation<'static>>(reservation)
                })
            }
            Err(ReserveError::Dropped) => {
                self.dropped.fetch_add(1, SeqCst);
                None
            }
            Err(ReserveError::TooLong { asked, most }) => {
                check!(
                    asked == length && length > most,
                    "{length} is refused as {asked} > {most}"
                );
                None
            }
        }
    }

    /// Writes a record, in two pieces.
    fn write(&self, length: usize, cut: usize, whole: bool) {
        let id = self.next.fetch_add(1, SeqCst);
        let bytes: Vec<u8> = id
            .to_ne_bytes()
            .into_iter()
            .chain((4..length.max(4)).map(|at| byte(id, at)))
            .collect();
        let bytes = &bytes[..length];
        if length >= 4 {
            locked(&self.written).insert(id, length);
        }
        if whole && self.exclusive {
            match self.ring().write(bytes) {
                Ok(()) => {
                    self.committed.fetch_add(1, SeqCst);
                    self.reserved.fetch_add(1, SeqCst)
                }
                Err(_) if length > self.ring().max_record_len() => 0,
                Err(_) => self.dropped.fetch_add(1, SeqCst),
            };
            return;
        }
        let Some(mut reservation) = self.reserve(length) else {
            locked(&self.written).remove(&id);
            return;
        };
        let (first, second) = bytes.split_at(cut % (length + 1));
        reservation.write(first);
        reservation.write(second);
        self.commit(reservation);
    }

    fn commit(&self, reservation: Reservation<'_>) {
        self.committed.fetch_add(1, SeqCst);
        reservation.commit();
    }

    /// Nobody else uses any of it any more.
    pub fn end(mut self) {
        if let Some(counter) = self.counter.take() {
            let (sum, counted) = (counter.sum(), self.counted.load(SeqCst));
            check!(sum == counted, "a counter says {sum}, not {counted}");
        }
        if let Some(stack) = self.stack.take() {
            for node in stack.take_all().expect("a barrier") {
                self.popped(node);
                // SAFETY: leaked when it was made, and in nobody's hand.
                drop(unsafe { Box::from_raw(node) });
            }
            let left = locked(&self.stacked).len();
            check!(left == 0, "{left} nodes are lost");
        }
        if let Some(pool) = self.pool.take() {
            pool.release().expect("a barrier");
            let again = pool.release().expect("a barrier");
            check!(again == 0, "{again} objects are given back twice");
        }
        if self.ring.get().is_some() {
            self.poll(false);
            let ring = self.ring.take().expect("a ring");
            let totals = ring.totals();
            let reserved = self.reserved.load(SeqCst);
            check!(
                totals.consumed + totals.overwritten == reserved,
                "{totals:?} of {reserved} records"
            );
            check!(
                totals.dropped == self.dropped.load(SeqCst),
                "{totals:?} were dropped"
            );
            let (committed, delivered) = (&self.committed, &self.delivered);
            let lost = committed.load(SeqCst).checked_sub(delivered.load(SeqCst));
            check!(
                lost.is_some_and(|lost| lost <= totals.overwritten),
                "{delivered:?} of {committed:?} records came, {totals:?}"
            );
            check!(
                self.overwrites || totals.overwritten == 0,
                "{totals:?} were overwritten"
            );
        }
    }
}

enum Object {
    /// Words that hold this number in each CPU's place.
    Words(PerCpu<'static, Words>, u64),
    Values(PerCpu<'static, Value>),
}

/// The state of one thread.
#[derive(Default)]
pub struct Shelf {
    nodes: Vec<&'static mut Node<u32>>,
    boxes: Vec<(PoolBox<'static, Value>, u32)>,
    reservations: Vec<(Reservation<'static>, u32)>,
    objects: Vec<Object>,
}

impl Shelf {
    pub fn step(&mut self, shared: &Shared, thread: usize, what: u8, step: &Step) {
        let Step { a, b, c, .. } = *step;
        match what {
            0 => self.count(shared, a, b),
            1 => self.push(shared, a),
            2 => self.pop(shared),
            3 => self.take_all(shared),
            4 | 5 => self.pool(shared, a, b),
            6 => self.objects(shared, thread, a, b),
            7 => shared.poll(a % 8 == 7),
            _ => self.write(shared, a, b, c),
        }
    }

    fn count(&self, shared: &Shared, a: u8, b: u8) {
        let delta = i64::from(a.cast_signed()) << (b % 56);
        shared.counter().add(delta);
        shared.counted.fetch_add(delta, SeqCst);
        if shared.exclusive {
            let (sum, counted) = (shared.counter().sum(), shared.counted.load(SeqCst));
            check!(sum == counted, "a counter says {sum}, not {counted}");
        }
    }

    fn push(&mut self, shared: &Shared, many: u8) {
        for _ in 0..=many % 4 {
            let node = self.nodes.pop().unwrap_or_else(|| {
                Box::leak(Box::new(Node::new(shared.next.fetch_add(1, SeqCst))))
            });
            locked(&shared.stacked).insert(node.value, ());
            shared.stack().push(node);
        }
    }

    fn pop(&mut self, shared: &Shared) {
        if let Some(node) = shared.stack().pop() {
            shared.popped(node);
            self.nodes.push(node);
        }
    }

    fn take_all(&mut self, shared: &Shared) {
        for node in shared.stack().take_all().expect("a barrier") {
            shared.popped(node);
            self.nodes.push(node);
        }
        let left = locked(&shared.stacked).len();
        check!(!shared.exclusive || left == 0, "{left} nodes are left");
        check!(
            !shared.exclusive || shared.stack().pop().is_none(),
            "one is left"
        );
    }

    fn pool(&mut self, shared: &Shared, what: u8, choice: u8) {
        let pool = shared.pool();
        match what % 8 {
            0..=3 => {
                let value = shared.ledger.value();
                let id = value.id;
                // SAFETY: gone before the pool is.
                let made = unsafe {
                    mem::transmute::<PoolBox<'_, Value>, PoolBox<'static, Value>>(pool.alloc(value))
                };
                self.boxes.push((made, id));
            }
            4..=6 if !self.boxes.is_empty() => {
                let (made, id) = self
                    .boxes
                    .swap_remove(usize::from(choice) % self.boxes.len());
                made.look();
                check!(
                    made.id == id,
                    "the pool gave one place to {id} and {}",
                    made.id
                );
                if what & 8 != 0 {
                    drop(made.into_inner());
                }
            }
            4..=6 => drop(pool.release().expect("a barrier")),
            _ => drop(pool.release_idle().expect("a barrier")),
        }
        self.boxes.iter().for_each(|(made, _)| made.look());
    }

    fn objects(&mut self, shared: &Shared, thread: usize, what: u8, choice: u8) {
        let number = (u64::from(choice) + 1) << 32 | u64::from(what) << 1 | thread as u64;
        match what % 4 {
            0 | 1 => {
                let memory = if what % 8 < 4 { &KEPT } else { &WIPED };
                let Ok(words) = PerCpu::<Words>::zeroed(memory) else {
                    return;
                };
                for word in words.iter().flatten() {
                    let before = word.swap(number, Relaxed);
                    check!(before == 0, "new memory holds {before:#x}");
                }
                self.objects.push(Object::Words(words, number));
            }
            2 => {
                if let Ok(values) = PerCpu::new(&KEPT, |_| shared.ledger.value()) {
                    self.objects.push(Object::Values(values));
                }
            }
            _ if !self.objects.is_empty() => {
                let at = usize::from(choice) % self.objects.len();
                drop(self.objects.swap_remove(at));
            }
            _ => {}
        }
        for object in &self.objects {
            match object {
                Object::Words(words, number) => {
                    for word in words.iter().flatten() {
                        let found = word.load(Relaxed);
                        check!(found == *number, "memory of {number:#x} holds {found:#x}");
                    }
                }
                Object::Values(values) => {
                    values.iter().for_each(Value::look);
                    check!(
                        values.iter().count() == possible_cpus(),
                        "not one for each CPU"
                    );
                }
            }
        }
    }

    fn write(&mut self, shared: &Shared, what: u8, length: u8, cut: u8) {
        let length = usize::from(length) << (what >> 6);
        match what % 4 {
            0 | 1 => shared.write(length, usize::from(cut), what.is_multiple_of(4)),
            2 if self.reservations.len() < 4 => {
                // The number is known when the record comes after those before it in its ring.
                let id = shared.next.fetch_add(1, SeqCst);
                if let Some(reservation) = shared.reserve(length.max(4)) {
                    self.reservations.push((reservation, id));
                }
            }
            _ if !self.reservations.is_empty() => {
                let at = usize::from(cut) % self.reservations.len();
                let (reservation, id) = self.reservations.swap_remove(at);
                finish(shared, reservation, id, what & 8 != 0);
            }
            _ => {}
        }
    }

    /// Gives everything back.
    pub fn end(&mut self, shared: &Shared) {
        for (reservation, id) in self.reservations.drain(..) {
            finish(shared, reservation, id, true);
        }
        for node in self.nodes.drain(..) {
            // SAFETY: leaked when it was made, and ours alone.
            drop(unsafe { Box::from_raw(node) });
        }
        self.boxes.clear();
        self.objects.clear();
    }
}

fn finish(shared: &Shared, mut reservation: Reservation<'static>, id: u32, commit: bool) {
    let length = reservation.length();
    if !commit {
        return reservation.write(&[7; 3]); // Not delivered.
    }
    locked(&shared.written).insert(id, length);
    reservation.write(&id.to_ne_bytes());
    for at in 4..length {
        reservation.write(&[byte(id, at)]);
    }
    shared.commit(reservation);
}
