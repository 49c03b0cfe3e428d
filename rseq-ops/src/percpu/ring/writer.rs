//! Reserving: choosing the place of the next record, and the sequence that takes it.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use super::layout::{
    BUSY, Control, HEAD, Mode, PADDING, Rings, SHARED, START, busy_header, whole, word,
};
use crate::handle::Handle;
use crate::ops::{self, ATTEMPTS};
use crate::outcome::{Outcome, Release};
use crate::percpu::sys::stripe;

/// What a writer has to do at the end of what is reserved.
enum Plan {
    /// Reserve the record: store this header, and move the end to this position.
    Record(usize, usize),
    /// Fill the part up: store this header, move the end to this position, and plan again.
    Padding(usize, usize),
    /// Enter a part: store these two words at its start, and plan again.
    Start([usize; 2]),
    /// There is no room.
    Full,
    /// The ring has moved on since its end was loaded.
    Stale,
}

/// A writer to these rings.
pub(super) struct Writer<'r>(pub(super) &'r Rings);

impl Writer<'_> {
    /// Reserves room for a record, and stores its header and its time. Returns the record's address, or `None`
    /// if the record was dropped and counted. Returns nothing but an address, so that the rest of a
    /// reservation stays in registers.
    pub(super) fn claim(&self, length: usize) -> Option<NonNull<usize>> {
        if let Some(handle) = Handle::by_cpu() {
            for _ in 0..ATTEMPTS {
                // SAFETY: this thread's handle.
                let Some(cpu) = (unsafe { handle.current_index() }) else {
                    break;
                };
                let control = self.0.control(cpu as usize);
                let result = self.claim_at(control, length, |end, at, words, new| {
                    // SAFETY: this thread's handle. The words are this CPU's: as long as the end is what it
                    // was, only such sequences write them. Nobody reads behind the end. `copy` is as
                    // long as `words`.
                    unsafe {
                        let word = (control.reserved.as_ptr(), end);
                        if let [header] = *words {
                            let first = (at, header);
                            ops::compare_store_store(handle, cpu, word, first, new, Release)
                        } else {
                            let copy = (words.as_ptr().cast(), at.cast(), size_of_val(words));
                            ops::compare_copy_store(handle, cpu, word, copy, new, Release)
                        }
                    }
                });
                if let Some(result) = result {
                    return result;
                }
            }
        }
        self.claim_shared(length)
    }

    /// Claims room without sequences, under the lock of one of the shared rings. Does not wait for a lock that
    /// is held, because the holder may be the code that a signal handler has interrupted.
    #[cold]
    pub(super) fn claim_shared(&self, length: usize) -> Option<NonNull<usize>> {
        let first = stripe(SHARED);
        for n in 0..SHARED {
            let control = self.0.control(self.0.area.cpus() + (first + n) % SHARED);
            let Some(_locked) = control.lock.try_lock() else {
                continue;
            };
            for _ in 0..ATTEMPTS {
                let result = self.claim_at(control, length, |_, at, words, new| {
                    for (n, word) in words.iter().enumerate() {
                        // SAFETY: within the ring, which is ours while we hold its lock.
                        unsafe { self::word(at.wrapping_add(n)) }.store(*word, Ordering::Relaxed);
                    }
                    control.reserved.store(new, Ordering::Release);
                    Outcome::Committed
                });
                if let Some(result) = result {
                    return result;
                }
            }
        }
        let control = self.0.control(self.0.area.cpus() + first);
        control.dropped.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Makes one attempt at [`Writer::claim`] in one ring. Stores words by a call of
    /// `commit(end, address, words to store there, new end)`. Returns `None` if the attempt was given up.
    #[inline(always)]
    fn claim_at(
        &self,
        control: &Control,
        length: usize,
        commit: impl Fn(usize, *mut usize, &[usize], usize) -> Outcome,
    ) -> Option<Option<NonNull<usize>>> {
        // At most three steps: padding, the start of a part, the record.
        for _ in 0..3 {
            let end = control.reserved.load(Ordering::Acquire);
            // Read between the load of the end and the commit, which compares the end: so the times in a ring
            // are in the order of the positions.
            let time = (self.0.clock)();
            let at = self.0.at(control, end);
            let outcome = match self.plan(control, end, length) {
                Plan::Record(header, new) => {
                    if commit(end, at, &[header], new) != Outcome::Committed {
                        return None;
                    }
                    // SAFETY: the record's second word, which is ours now.
                    unsafe { word(at.wrapping_add(1)) }.store(time as usize, Ordering::Relaxed);
                    return Some(NonNull::new(at));
                }
                Plan::Padding(header, new) => commit(end, at, &[header], new),
                Plan::Start(words) => commit(end, at, &words, end + HEAD),
                // The ring may only look full, because other writers have moved the end on meanwhile.
                Plan::Full if control.reserved.load(Ordering::Relaxed) != end => return None,
                Plan::Full => {
                    control.dropped.fetch_add(1, Ordering::Relaxed);
                    return Some(None);
                }
                Plan::Stale => return None,
            };
            if outcome != Outcome::Committed {
                return None;
            }
        }
        None
    }

    #[inline(always)]
    fn plan(&self, control: &Control, end: usize, length: usize) -> Plan {
        let offset = end & (self.0.part - 1);
        let whole = whole(length);
        if offset == 0 {
            self.plan_start(control, end)
        } else if offset + whole <= self.0.part {
            Plan::Record(busy_header(length), end + whole)
        } else {
            let rest = self.0.part - offset;
            Plan::Padding(PADDING | rest, end + rest)
        }
    }

    #[cold]
    fn plan_start(&self, control: &Control, end: usize) -> Plan {
        let free = match self.0.mode {
            // Acquire: the consumer has read what was there. If `end` is stale, the consumer may be far ahead
            // of it; then the commit fails, because it compares the end.
            Mode::Discard => {
                end + self.0.part <= control.reader.position.load(Ordering::Acquire) + self.0.size
            }
            Mode::Overwrite if end < self.0.size => true,
            Mode::Overwrite => match self.survey(control, end - self.0.size) {
                Some((_, busy)) => !busy,
                None => return Plan::Stale,
            },
        };
        if !free {
            return Plan::Full;
        }
        let number = if end == 0 {
            0
        } else {
            let before = end - self.0.part;
            let Some((records, _)) = self.survey(control, before) else {
                return Plan::Stale;
            };
            // SAFETY: within the ring: the second word of the part before.
            let number = unsafe { word(self.0.at(control, before).wrapping_add(1)) };
            number.load(Ordering::Relaxed).wrapping_add(records)
        };
        Plan::Start([START | HEAD, number])
    }

    /// Returns how many records a complete part has, and whether one of them is being written. Returns `None`
    /// if somebody is overwriting the part.
    fn survey(&self, control: &Control, start: usize) -> Option<(usize, bool)> {
        let (mut offset, mut records, mut busy) = (0, 0, false);
        while offset < self.0.part {
            // SAFETY: within the ring.
            let header =
                unsafe { word(self.0.at(control, start + offset)) }.load(Ordering::Acquire);
            let whole = header & 0xFFFF_FFFF;
            if whole == 0 || whole % size_of::<usize>() != 0 {
                return None;
            }
            records += usize::from(header & (PADDING | START) == 0);
            busy |= header & BUSY != 0;
            offset += whole;
        }
        (offset == self.0.part).then_some((records, busy))
    }
}
