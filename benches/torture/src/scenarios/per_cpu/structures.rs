//! The structures of `rseq_ops::percpu`, through their safe interfaces.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError, TryLockError};

use rseq_ops::percpu::{Counter, Mode, Node, Pool, PoolBox, Record, Ring, Stack};
use urcu_host::poison::{Pooled, pooled};

use super::items::{COUNT, Items};
use super::slots::dawdle;
use super::subject::Subject;
use crate::random::Random;

/// A [`Counter`], whose sum at rest is exact.
pub(super) struct Counting {
    counter: Counter<'static>,
    added: AtomicI64,
}

impl Counting {
    pub(super) fn new() -> Self {
        Counting {
            counter: Counter::new().expect("memory"),
            added: AtomicI64::new(0),
        }
    }
}

impl Subject for Counting {
    fn name(&self) -> &'static str {
        "Counter"
    }

    fn work(&self, random: &mut Random) {
        let delta = random.below(7) as i64 - 2;
        self.counter.add(delta);
        self.added.fetch_add(delta, SeqCst);
    }

    fn audit(&self) -> Result<(), String> {
        let (sum, added) = (self.counter.sum(), self.added.load(SeqCst));
        if sum == added {
            Ok(())
        } else {
            Err(format!("the sum is {sum} after {added} were added"))
        }
    }
}

/// A [`Stack`], whose nodes are popped, pushed again in the wrong order, and all taken at once.
pub(super) struct Stacking {
    stack: Stack<'static, usize>,
    items: Items,
    refused: AtomicU64,
}

impl Stacking {
    pub(super) fn new() -> Self {
        let stacking = Stacking {
            stack: Stack::new().expect("memory"),
            items: Items::default(),
            refused: AtomicU64::new(0),
        };
        let nodes = (0..COUNT).map(|item| Box::leak(Box::new(Node::new(item))));
        nodes.for_each(|node| stacking.push(node));
        stacking
    }

    fn push(&self, node: &'static mut Node<usize>) {
        self.items.goes_in(node.value);
        self.stack.push(node);
    }

    fn pop(&self) -> Option<&'static mut Node<usize>> {
        let node = self.stack.pop()?;
        self.items.came_out(node.value).map(|_| node)
    }

    /// Takes all nodes, and pushes them again. Returns their numbers.
    fn take_all(&self) -> Vec<usize> {
        let Ok(all) = self.stack.take_all() else {
            self.refused.fetch_add(1, SeqCst);
            return Vec::new();
        };
        // More nodes than there are mean a list without end.
        let all = all.take(2 * COUNT);
        let out: Vec<_> = all
            .filter(|node| self.items.came_out(node.value).is_some())
            .collect();
        let items = out.iter().map(|node| node.value).collect();
        out.into_iter().for_each(|node| self.push(node));
        items
    }
}

impl Subject for Stacking {
    fn name(&self) -> &'static str {
        "Stack"
    }

    fn work(&self, random: &mut Random) {
        let held = [self.pop(), self.pop()];
        dawdle(random);
        held.into_iter().flatten().for_each(|node| self.push(node));
    }

    fn take(&self, _: &mut Random) {
        self.take_all();
    }

    fn audit(&self) -> Result<(), String> {
        let found = self.take_all();
        match self.refused.load(SeqCst) {
            0 => self.items.audit(found),
            refused => Err(format!("the kernel refused {refused} membarriers")),
        }
    }
}

/// A [`Pool`]: no other thread may write to an allocated object, and no object may be lost.
pub(super) struct Pooling {
    pool: &'static Pool<Pooled>,
    stamps: AtomicU64,
    /// Objects that one thread allocated and another will free.
    shelves: [Mutex<Option<PoolBox<'static, Pooled>>>; 16],
    wrong: AtomicU64,
}

impl Pooling {
    pub(super) fn new() -> Self {
        Pooling {
            pool: Box::leak(Box::new(Pool::with_capacity_per_cpu(8).expect("memory"))),
            stamps: AtomicU64::new(1),
            shelves: Default::default(),
            wrong: AtomicU64::new(0),
        }
    }

    fn object(&self) -> PoolBox<'static, Pooled> {
        let stamp = self.stamps.fetch_add(1, Relaxed);
        let words = std::array::from_fn(|n| mix(stamp, n as u64));
        self.pool.alloc(Pooled(words))
    }

    /// Checks that an object is unchanged.
    fn check(&self, object: &Pooled) {
        let stamp = object.0[0];
        let whole = (0..).zip(&object.0).all(|(n, word)| *word == mix(stamp, n));
        self.wrong.fetch_add(u64::from(!whole), SeqCst);
    }
}

/// Returns word `n` of the object with a stamp. Word 0 is the stamp itself.
fn mix(stamp: u64, n: u64) -> u64 {
    stamp.wrapping_add(n).wrapping_mul(2 * n + 1)
}

impl Subject for Pooling {
    fn name(&self) -> &'static str {
        "Pool"
    }

    fn work(&self, random: &mut Random) {
        let (one, two) = (self.object(), self.object());
        dawdle(random);
        self.check(&one);
        self.check(&two);
        let shelf = match random.pick(&self.shelves).try_lock() {
            Ok(shelf) => Some(shelf),
            Err(TryLockError::Poisoned(shelf)) => Some(shelf.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let before = shelf.and_then(|mut shelf| shelf.replace(one));
        before.iter().for_each(|object| self.check(object));
        if random.one_in(2) {
            self.check(&two.into_inner());
        }
    }

    /// Handlers may not work: the pool calls the global allocator.
    fn in_handlers(&self) -> bool {
        false
    }

    fn take(&self, _: &mut Random) {
        self.wrong
            .fetch_add(u64::from(self.pool.release().is_err()), SeqCst);
    }

    fn audit(&self) -> Result<(), String> {
        for shelf in &self.shelves {
            let object = shelf.lock().unwrap_or_else(PoisonError::into_inner).take();
            object.iter().for_each(|object| self.check(object));
        }
        let released = self.pool.release();
        let (wrong, left) = (self.wrong.load(SeqCst), pooled());
        if wrong == 0 && left == 0 && released.is_ok() {
            Ok(())
        } else {
            Err(format!(
                "{wrong} objects were written to by others, {left} were lost; released: {released:?}"
            ))
        }
    }
}

/// A [`Ring`]: each record must arrive once and whole, and in each ring in the order of time.
pub(super) struct Tracing {
    ring: Ring,
    stamps: AtomicU64,
    written: AtomicUsize,
    unwanted: AtomicUsize,
    dropped: AtomicUsize,
    /// The sum of the weights of the stamps that were written and not yet read.
    balance: AtomicU64,
    wrong: AtomicU64,
    /// For the consumer: the time of the last record of each ring.
    times: Mutex<Vec<u64>>,
}

impl Tracing {
    pub(super) fn new() -> Self {
        Tracing {
            ring: Ring::new(Mode::Discard, 1 << 16).expect("memory"),
            stamps: AtomicU64::new(1),
            written: AtomicUsize::new(0),
            unwanted: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            balance: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            times: Mutex::default(),
        }
    }

    fn read(&self, record: Record<'_>, times: &mut Vec<u64>) {
        let (words, rest) = record.bytes.as_chunks::<8>();
        let mut words = (0..).zip(words.iter().copied().map(u64::from_ne_bytes));
        let stamp = words.next().map_or(0, |(_, stamp)| stamp);
        let whole = rest.is_empty() && words.all(|(n, word)| word == mix(stamp, n));
        if times.len() <= record.ring {
            times.resize(record.ring + 1, 0);
        }
        let in_order = times[record.ring] <= record.time;
        times[record.ring] = record.time;
        self.balance.fetch_sub(weight(stamp), SeqCst);
        self.wrong
            .fetch_add(u64::from(!(whole && in_order)), SeqCst);
    }

    fn poll(&self) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut consumer) = self.ring.consumer() {
            while consumer.poll(|record| self.read(record, &mut times)) != 0 {}
        }
    }
}

/// Returns a weight. Two sums of weights are equal only for the same stamps, except by accident.
fn weight(stamp: u64) -> u64 {
    Random::new(stamp, 1).throw()
}

impl Subject for Tracing {
    fn name(&self) -> &'static str {
        "Ring"
    }

    fn work(&self, random: &mut Random) {
        let stamp = self.stamps.fetch_add(1, Relaxed);
        let words = 1 + random.skewed(7);
        let Ok(mut record) = self.ring.reserve(8 * words as usize) else {
            self.dropped.fetch_add(1, SeqCst);
            return;
        };
        for n in 0..words {
            record.write(&mix(stamp, n).to_ne_bytes());
        }
        dawdle(random);
        if random.one_in(16) {
            self.unwanted.fetch_add(1, SeqCst);
            drop(record);
        } else {
            self.balance.fetch_add(weight(stamp), SeqCst);
            self.written.fetch_add(1, SeqCst);
            record.commit();
        }
    }

    fn take(&self, _: &mut Random) {
        self.poll();
    }

    fn audit(&self) -> Result<(), String> {
        self.poll();
        let (balance, wrong) = (self.balance.load(SeqCst), self.wrong.load(SeqCst));
        let [written, unwanted, dropped] =
            [&self.written, &self.unwanted, &self.dropped].map(|count| count.load(SeqCst));
        let totals = self.ring.totals();
        let counted = (totals.consumed, totals.dropped, totals.overwritten);
        if (balance, wrong) == (0, 0) && counted == (written + unwanted, dropped, 0) {
            Ok(())
        } else {
            Err(format!(
                "{wrong} records were torn or out of order; {written} written, {unwanted} abandoned and \
                 {dropped} dropped are counted as {totals:?}; the sums differ by {balance}"
            ))
        }
    }
}
