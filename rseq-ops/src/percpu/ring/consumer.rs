//! [`Consumer`]: the reading end.

use core::fmt;
use core::sync::atomic::{Ordering, fence};

use super::layout::{BUSY, Control, Mode, PADDING, PAYLOAD, Rings, SHARED, START, UNWANTED, word};
use super::outcome::Record;
use crate::percpu::lock::Locked;

/// The reading end of a [`Ring`](super::Ring). There is one at a time.
///
/// ```
/// use rseq_ops::percpu::{Consumer, Mode, Ring};
///
/// let ring = Ring::new(Mode::Discard, 4096).unwrap();
/// let mut consumer: Consumer<'_> = ring.consumer().unwrap();
/// assert!(ring.consumer().is_none());
/// ring.write(b"one").unwrap();
/// let mut lengths = 0;
/// while consumer.poll(|record| lengths += record.bytes.len()) > 0 {}
/// assert_eq!(lengths, 3);
/// ```
pub struct Consumer<'r> {
    rings: &'r Rings,
    _locked: Locked<'r>,
}

impl fmt::Debug for Consumer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

/// What the consumer finds at its position.
enum Found {
    Nothing,
    Overtaken,
    /// A record or another item: its header and its second word.
    Item(usize, usize),
}

impl<'r> Consumer<'r> {
    pub(super) fn new(rings: &'r Rings, locked: Locked<'r>) -> Self {
        Consumer {
            rings,
            _locked: locked,
        }
    }

    /// Hands all complete records to `f`, ring by ring. In each ring they come in the order in which they were
    /// reserved. Returns how many there were. A record counts as consumed when `f` returns: if `f` panics, the
    /// next call hands out the same record again.
    pub fn poll(&mut self, mut f: impl FnMut(Record<'_>)) -> usize {
        (0..self.rings.count())
            .map(|ring| self.poll_ring(ring, &mut f))
            .sum()
    }

    fn poll_ring(&mut self, ring: usize, f: &mut impl FnMut(Record<'_>)) -> usize {
        let control = self.rings.control(ring);
        let reader = &control.reader;
        let mut delivered = 0;
        // Records reserved from now on are for the next call, so that this one ends.
        let until = control.reserved.load(Ordering::Acquire);
        loop {
            let position = reader.position.load(Ordering::Relaxed);
            if position >= until {
                return delivered;
            }
            let (header, second) = match self.look(control, position) {
                Found::Nothing => return delivered,
                Found::Overtaken => {
                    // Go on at the oldest part that no writer can be entering yet.
                    let end = control.reserved.load(Ordering::Acquire);
                    let oldest =
                        end / self.rings.part * self.rings.part + self.rings.part - self.rings.size;
                    reader.position.store(oldest, Ordering::Release);
                    continue;
                }
                Found::Item(header, second) => (header, second),
            };
            let next = position + (header & 0xFFFF_FFFF);
            let number = reader.number.load(Ordering::Relaxed);
            if header & START != 0 {
                let missed = second.wrapping_sub(number);
                reader.overwritten.fetch_add(missed, Ordering::Relaxed);
                reader.number.store(second, Ordering::Relaxed);
            } else if header & PADDING == 0 {
                if header & UNWANTED == 0 {
                    delivered += 1;
                    f(Record {
                        ring,
                        time: second as u64,
                        bytes: self.copy(header >> PAYLOAD),
                    });
                }
                reader.consumed.fetch_add(1, Ordering::Relaxed);
                reader
                    .number
                    .store(number.wrapping_add(1), Ordering::Relaxed);
            }
            // Release: pairs with the acquire in `plan_start`. The record may be overwritten from now on.
            reader.position.store(next, Ordering::Release);
        }
    }

    /// Looks at the item at `position`. If that is a record, copies its payload.
    fn look(&mut self, control: &Control, position: usize) -> Found {
        let rings = self.rings;
        let at = rings.at(control, position);
        // SAFETY: within the ring. Acquire: pairs with the commit.
        let header = unsafe { word(at) }.load(Ordering::Acquire);
        if !self.still_there(control, position) {
            return Found::Overtaken;
        }
        if header & BUSY != 0 {
            return Found::Nothing;
        }
        let mut second = 0;
        if header & PADDING == 0 {
            // SAFETY: within the ring: the header is valid, so a second word follows.
            second = unsafe { word(at.wrapping_add(1)) }.load(Ordering::Relaxed);
        }
        if header & (PADDING | START | UNWANTED) == 0 {
            let words = (header >> PAYLOAD).div_ceil(8);
            let target = self.scratch();
            for n in 0..words {
                // SAFETY: within the ring, and within the scratch memory, which is as large as a ring and
                // is this consumer's alone.
                unsafe {
                    let value = word(at.wrapping_add(2 + n)).load(Ordering::Relaxed);
                    target.add(n).write(value);
                }
            }
        }
        if !self.still_there(control, position) {
            return Found::Overtaken;
        }
        Found::Item(header, second)
    }

    /// Returns whether everything that was read so far from the part of `position` is still valid: no writer
    /// has begun to overwrite the part.
    fn still_there(&self, control: &Control, position: usize) -> bool {
        if self.rings.mode == Mode::Discard {
            return true;
        }
        // Pairs with the release of the end: if we have read anything that was stored in the part later on,
        // we see an end that is at the new start of the part, or behind it.
        fence(Ordering::Acquire);
        let start = position / self.rings.part * self.rings.part;
        control.reserved.load(Ordering::Relaxed) < start + self.rings.size
    }

    fn scratch(&self) -> *mut usize {
        let offset = SHARED * self.rings.area.stride();
        // SAFETY: within the area's header.
        unsafe { self.rings.area.header().add(offset).cast().as_ptr() }
    }

    fn copy(&self, length: usize) -> &[u8] {
        // SAFETY: the scratch memory is as large as a ring. Only this consumer writes it, and not while it
        // is borrowed.
        unsafe { core::slice::from_raw_parts(self.scratch().cast(), length) }
    }
}
