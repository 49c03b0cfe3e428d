//! Containers made of the operations that compare before they store.

use std::mem::offset_of;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use rseq_ops::ops::{self, Commit};

use super::items::{COUNT, Container};
use super::slots::{Slots, dawdle};
use crate::random::Random;

#[derive(Default)]
struct Node {
    _other: usize,
    next: AtomicUsize,
}

/// `compare_store` pushes, `pop` pops. Word 0 is the head.
pub(super) struct Lists<C> {
    slots: Slots<C>,
    nodes: Box<[Node; COUNT]>,
}

impl<C> Lists<C> {
    pub(super) fn new(slots: Slots<C>) -> Self {
        Lists {
            slots,
            nodes: Box::default(),
        }
    }

    fn address(&self, item: usize) -> usize {
        (&raw const self.nodes[item]).expose_provenance()
    }

    /// Returns the item of a node, or a number that is no item if the address is that of no node.
    fn item(&self, address: usize) -> usize {
        address.wrapping_sub(self.address(0)) / size_of::<Node>()
    }
}

impl<C: Commit + Send + Sync> Container for Lists<C> {
    fn name(&self) -> &'static str {
        "compare_store and pop"
    }

    fn push(&self, item: usize, random: &mut Random) -> bool {
        let Some(here) = self.slots.here() else {
            return false;
        };
        let word = &here.words[0];
        let head = word.load(SeqCst);
        self.nodes[item].next.store(head, SeqCst);
        dawdle(random);
        let new = self.address(item);
        // SAFETY: the handle is this thread's; only these sequences change heads.
        self.slots.done(unsafe {
            let (handle, index) = (here.handle, here.index);
            ops::compare_store(handle, index, word.as_ptr(), head, new, self.slots.commit)
        })
    }

    fn pop(&self, _: &mut Random) -> Option<usize> {
        let here = self.slots.here()?;
        let (word, offset) = (here.words[0].as_ptr(), offset_of!(Node, next));
        // SAFETY: the handle is this thread's; only these sequences change heads, which point to nodes that
        // live as long as `self`.
        let popped = self.slots.popped(unsafe {
            let (handle, index) = (here.handle, here.index);
            ops::pop(handle, index, word, 0, offset, self.slots.commit)
        });
        Some(self.item(popped?))
    }

    fn contents(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for words in self.slots.all() {
            let mut address = words[0].load(SeqCst);
            while address != 0 && found.len() <= COUNT {
                let item = self.item(address);
                found.push(item);
                let node = self.nodes.get(item);
                address = node.map_or(0, |node| node.next.load(SeqCst));
            }
        }
        found
    }

    fn aborts(&self) -> u64 {
        self.slots.aborts()
    }
}

/// `compare_store_store` pushes, `compare_two_store` pops. Word 0 is the length, word `n` the `n`th
/// item.
pub(super) struct Arrays<C>(pub(super) Slots<C>);

impl<C: Commit + Send + Sync> Container for Arrays<C> {
    fn name(&self) -> &'static str {
        "compare_store_store and compare_two_store"
    }

    fn push(&self, item: usize, random: &mut Random) -> bool {
        let Some(here) = self.0.here() else {
            return false;
        };
        let word = &here.words[0];
        let length = word.load(SeqCst);
        let Some(place) = here.words.get(length + 1) else {
            return false;
        };
        dawdle(random);
        // SAFETY: the handle is this thread's; only these sequences change the words, and a word behind the
        // last item does not count.
        self.0.done(unsafe {
            ops::compare_store_store(
                here.handle,
                here.index,
                (word.as_ptr(), length),
                (place.as_ptr(), item),
                length + 1,
                self.0.commit,
            )
        })
    }

    fn pop(&self, random: &mut Random) -> Option<usize> {
        let here = self.0.here()?;
        let word = &here.words[0];
        let length = word.load(SeqCst);
        let last = here.words.get(length).filter(|_| length != 0)?;
        let item = last.load(SeqCst);
        dawdle(random);
        // SAFETY: the handle is this thread's; only these sequences change the words.
        let popped = self.0.done(unsafe {
            ops::compare_two_store(
                here.handle,
                here.index,
                (word.as_ptr(), length),
                (last.as_ptr(), item),
                length - 1,
                self.0.commit,
            )
        });
        popped.then_some(item)
    }

    fn contents(&self) -> Vec<usize> {
        let all = self.0.all().map(|words| {
            let length = words[0].load(SeqCst);
            words[1..].iter().take(length)
        });
        all.flatten().map(|word| word.load(SeqCst)).collect()
    }

    fn aborts(&self) -> u64 {
        self.0.aborts()
    }
}

/// The bytes of a record: no whole number of words.
const SIZE: usize = 29;

/// `compare_copy_store` pushes and pops. Word 0 is the length; the records are in the other words.
pub(super) struct Records<C>(pub(super) Slots<C>);

fn record(item: usize) -> [u8; SIZE] {
    std::array::from_fn(|n| (item * 19 + n) as u8)
}

/// Returns the item of a record, or a number that is no item if the record is torn.
fn read(bytes: &[u8]) -> usize {
    let found = (0..COUNT).find(|item| record(*item) == *bytes);
    found.unwrap_or(usize::MAX)
}

impl<C: Commit + Send + Sync> Container for Records<C> {
    fn name(&self) -> &'static str {
        "compare_copy_store"
    }

    fn push(&self, item: usize, random: &mut Random) -> bool {
        let Some(here) = self.0.here() else {
            return false;
        };
        let word = &here.words[0];
        let length = word.load(SeqCst);
        if length >= COUNT {
            return false;
        }
        let target = here.words[1..].as_ptr().cast::<u8>().cast_mut();
        let record = record(item);
        dawdle(random);
        // SAFETY: the handle is this thread's; only these sequences change the words, which have room for
        // all records, and what is behind the last record does not count.
        self.0.done(unsafe {
            let copy = (record.as_ptr(), target.add(length * SIZE), SIZE);
            let word = (word.as_ptr(), length);
            let (handle, index) = (here.handle, here.index);
            ops::compare_copy_store(handle, index, word, copy, length + 1, self.0.commit)
        })
    }

    fn pop(&self, random: &mut Random) -> Option<usize> {
        let here = self.0.here()?;
        let word = &here.words[0];
        let length = word.load(SeqCst);
        if !(1..=COUNT).contains(&length) {
            return None;
        }
        let source = here.words[1..].as_ptr().cast::<u8>();
        let mut popped = [0; SIZE];
        dawdle(random);
        // SAFETY: the handle is this thread's; only these sequences change the words; `popped` has room for
        // the record.
        let done = self.0.done(unsafe {
            let copy = (source.add((length - 1) * SIZE), popped.as_mut_ptr(), SIZE);
            let word = (word.as_ptr(), length);
            let (handle, index) = (here.handle, here.index);
            ops::compare_copy_store(handle, index, word, copy, length - 1, self.0.commit)
        });
        done.then(|| read(&popped))
    }

    fn contents(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for words in self.0.all() {
            let bytes = words[1..].iter();
            let bytes: Vec<u8> = bytes
                .flat_map(|word| word.load(SeqCst).to_ne_bytes())
                .collect();
            let records = bytes.chunks_exact(SIZE).map(read);
            found.extend(records.take(words[0].load(SeqCst)));
        }
        found
    }

    fn aborts(&self) -> u64 {
        self.0.aborts()
    }
}
