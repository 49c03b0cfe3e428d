//! A ring of records on each CPU, for tracers: any thread writes, one consumer reads.
//!
//! # Implementation
//! A ring is cut into eight *parts*. Positions count bytes and only grow. A record is a header
//! word, a time stamp and the payload; it never crosses into the next part: padding fills the rest.
//!
//! *Reserving* is one restartable sequence: it stores the header, marked busy, and commits the new
//! end of what is reserved. So whoever sees the end (acquire) sees the headers before it.
//! *Writing* goes to memory that is the writer's alone, wherever it runs by now. *Committing* is a
//! release store of the header without the mark: no sequence, no CPU to return to. A signal handler
//! that comes between these reserves behind, and commits first; the consumer waits at the
//! first busy record, so it delivers in order and only what is whole.
//!
//! *Entering* a part stores, in one sequence too, the number of the record that comes next. With
//! [`Mode::Discard`] it needs the consumer to have left what the part held before; with
//! [`Mode::Overwrite`] it needs nobody to be still writing there. The consumer then finds out by
//! the position whether a copy it made is good (nothing is stored in a part before the position
//! has reached it), and by the number how many records it has missed.

mod consumer;
mod reservation;
#[cfg(test)]
mod tests;

pub use consumer::Consumer;
pub use reservation::Reservation;

use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::area::{Area, Error};
use super::lock::Lock;
use super::machine::stripe;
use crate::handle::Handle;
use crate::ops::{self, ATTEMPTS};
use crate::outcome::{Outcome, Release};

/// Rings for threads that cannot use sequences.
const SHARED: usize = 4;
/// Parts of a ring.
const PARTS: usize = 8;
/// Bytes before a record's payload.
const HEAD: usize = 16;
/// The smallest ring. Bytes.
const SMALLEST: usize = 4096;
/// The largest ring. Bytes.
const LARGEST: usize = 64 << 20;

/// In a header: being written. The low 32 bits are the bytes of the record.
const BUSY: usize = 1 << 32;
/// In a header: nothing but a distance.
const PADDING: usize = 1 << 33;
/// In a header: a part begins; the next word is the number of its first record.
const START: usize = 1 << 34;
/// In a header: a record that was reserved and not wanted.
const UNWANTED: usize = 1 << 35;
/// In a header: where the bytes of the payload are, from here up.
const PAYLOAD: u32 = 36;

/// What happens to records that find the ring full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The new one is dropped, and counted.
    Discard,
    /// The oldest ones are overwritten; the consumer counts those it did not get.
    Overwrite,
}

/// Why there is no reservation.
///
/// ```
/// use rseq_ops::percpu::{Mode, NotReserved, Ring};
///
/// let ring = Ring::new(Mode::Discard, 4096).unwrap();
/// let most = ring.longest();
/// let asked = most + 1;
/// assert_eq!(ring.reserve(asked).unwrap_err(), NotReserved::TooLong { asked, most });
/// while ring.write(b"on and on").is_ok() {}
/// assert!(ring.totals().dropped > 0); // NotReserved::Dropped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReserved {
    /// The record is larger than any can be.
    TooLong {
        /// Bytes asked for.
        asked: usize,
        /// Bytes that there can be.
        most: usize,
    },
    /// Dropped, and counted: the ring is full ([`Mode::Discard`]), or the part to overwrite has a
    /// record that is still being written ([`Mode::Overwrite`]).
    Dropped,
}

impl fmt::Display for NotReserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReserved::TooLong { asked, most } => {
                write!(f, "a record of {asked} bytes: {most} is the most")
            }
            NotReserved::Dropped => write!(f, "the ring is full, the record was dropped"),
        }
    }
}

impl core::error::Error for NotReserved {}

/// What has become of records, over all rings.
///
/// ```
/// use rseq_ops::percpu::{Mode, Ring, Totals};
///
/// let ring = Ring::new(Mode::Overwrite, 4096).unwrap();
/// (0..1000).for_each(|_| ring.write(b"on and on").unwrap());
/// let got = ring.consumer().unwrap().poll(|_| ());
/// let Totals { consumed, overwritten, dropped } = ring.totals();
/// assert_eq!((consumed, consumed + overwritten, dropped), (got, 1000, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Handed to the consumer, or reserved and then not wanted.
    pub consumed: usize,
    /// Overwritten before the consumer got there, as far as it has found out.
    pub overwritten: usize,
    /// Never reserved.
    pub dropped: usize,
}

/// A record as the consumer gets it.
///
/// ```
/// use rseq_ops::percpu::{Mode, Record, Ring, possible_cpus};
///
/// fn show(record: Record<'_>) {
///     let place = if record.ring < possible_cpus() { "CPU" } else { "stripe" };
///     println!("{:>12} ns {place} {}: {:x?}", record.time, record.ring, record.bytes);
/// }
/// let ring = Ring::new(Mode::Discard, 4096).unwrap();
/// ring.write(&[1, 2, 3]).unwrap();
/// assert_eq!(ring.consumer().unwrap().poll(show), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Record<'c> {
    /// The ring: the CPU where the record was reserved, or a number from
    /// [`possible_cpus`](super::possible_cpus) on for threads without restartable sequences.
    pub ring: usize,
    /// What the clock said. In one ring it never goes back.
    pub time: u64,
    /// The payload.
    pub bytes: &'c [u8],
}

/// The start of a ring; its bytes come after.
#[repr(C, align(128))]
struct Control {
    /// Position of the end of what is reserved. Written by sequences on this ring's CPU (or under
    /// the lock, for the shared rings).
    reserved: AtomicUsize,
    lock: Lock,
    dropped: AtomicUsize,
    /// The consumer's, which alone writes them: a cache line of its own.
    reader: Reader,
}

#[repr(C, align(64))]
struct Reader {
    /// Position up to which the consumer has what it wants.
    position: AtomicUsize,
    /// The number of the record there.
    number: AtomicUsize,
    consumed: AtomicUsize,
    overwritten: AtomicUsize,
}

/// Rings of records of any length, one for each possible CPU.
///
/// [`Ring::write`] and [`Ring::reserve`] take no lock, allocate nothing, and are async-signal-safe
/// (as far as the clock is: the default one is); a handler may write while the code it interrupted
/// has a reservation. A record that was reserved is delivered, or counted as
/// overwritten; one that was not is counted as dropped.
///
/// A reservation that is leaked, or whose thread never runs again, stops its ring: the consumer
/// waits there for ever. In the child of a `fork` by a process with several threads, what other
/// threads were doing is half done, as in all memory: do not use the parent's rings there.
///
/// ```
/// use rseq_ops::percpu::{Mode, Ring};
///
/// let ring = Ring::new(Mode::Discard, 1 << 16).unwrap();
/// ring.write(b"hello").unwrap();
/// let mut consumer = ring.consumer().unwrap();
/// let count = consumer.poll(|record| {
///     println!("{} on {}: {:?}", record.time, record.ring, record.bytes);
///     assert_eq!(record.bytes, b"hello");
/// });
/// assert_eq!(count, 1);
/// ```
pub struct Ring {
    area: Area,
    mode: Mode,
    /// Bytes of a ring, a power of two.
    size: usize,
    /// Bytes of a part.
    part: usize,
    clock: fn() -> u64,
    consumer: Lock,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("mode", &self.mode)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// What to do at a position.
enum Plan {
    /// Store this header and go on from there to the second position.
    Record(usize, usize),
    /// The same, and it is no record: plan again.
    Padding(usize, usize),
    /// A part begins: these two words.
    Start([usize; 2]),
    /// No room.
    Full,
    /// The ring has moved on while it was looked at.
    Stale,
}

impl Ring {
    /// Creates rings of at least `size` bytes each (rounded up to a power of two), whose pages become real
    /// as they are written to. Time stamps are nanoseconds of `CLOCK_MONOTONIC`.
    ///
    /// # Errors
    /// [`Error::Object`] for more than 64 MiB, [`Error::Memory`] where the system has none.
    pub fn new(mode: Mode, size: usize) -> Result<Self, Error> {
        Ring::with_clock(mode, size, monotonic)
    }

    /// Creates rings as [`Ring::new`] does, with a clock of the caller's: it should never go back, and be
    /// async-signal-safe if records are written in signal handlers.
    ///
    /// # Errors
    /// As for [`Ring::new`].
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use rseq_ops::percpu::{Mode, Ring};
    ///
    /// /// Counts instead of timing.
    /// fn ticks() -> u64 {
    ///     static TICKS: AtomicU64 = AtomicU64::new(0);
    ///     TICKS.fetch_add(1, Relaxed)
    /// }
    /// let ring = Ring::with_clock(Mode::Discard, 4096, ticks).unwrap();
    /// ring.write(b"first").unwrap();
    /// let before = ticks();
    /// ring.consumer().unwrap().poll(|record| assert!(record.time < before));
    /// ```
    pub fn with_clock(mode: Mode, size: usize, clock: fn() -> u64) -> Result<Self, Error> {
        if size > LARGEST {
            return Err(Error::Object {
                asked: size,
                most: LARGEST,
            });
        }
        let size = size.max(SMALLEST).next_power_of_two();
        let stride = (size + size_of::<Control>()).next_power_of_two();
        Ok(Ring {
            // In the header: the shared rings, and the consumer's copy of a record.
            area: Area::new((SHARED + 1) * stride, stride)?,
            mode,
            size,
            part: size / PARTS,
            clock,
            consumer: Lock::new(),
        })
    }

    /// Returns the largest number of bytes that a record can have: an eighth of the ring's size, less 32.
    #[inline]
    pub fn longest(&self) -> usize {
        self.part - 2 * HEAD
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`NotReserved`], which is counted.
    #[inline]
    pub fn write(&self, bytes: &[u8]) -> Result<(), NotReserved> {
        let mut reservation = self.reserve(bytes.len())?;
        reservation.write(bytes);
        reservation.commit();
        Ok(())
    }

    /// Reserves a record of `length` bytes: zeroes, until they are written.
    ///
    /// # Errors
    /// [`NotReserved`]; what is dropped is counted.
    ///
    /// ```
    /// use rseq_ops::percpu::{Mode, Ring};
    ///
    /// let ring = Ring::new(Mode::Discard, 4096).unwrap();
    /// let mut record = ring.reserve(8).unwrap();
    /// record.write(&7u32.to_ne_bytes());
    /// record.write(&8u32.to_ne_bytes());
    /// record.commit();
    /// drop(ring.reserve(100).unwrap()); // Thought better of it: not delivered.
    /// assert_eq!(ring.consumer().unwrap().poll(|record| assert_eq!(record.bytes.len(), 8)), 1);
    /// ```
    #[inline]
    pub fn reserve(&self, length: usize) -> Result<Reservation<'_>, NotReserved> {
        let most = self.longest();
        if length > most {
            let asked = length;
            return Err(NotReserved::TooLong { asked, most });
        }
        match self.claim(length) {
            Some(record) => Ok(Reservation::new(record, busy_header(length))),
            None => Err(NotReserved::Dropped),
        }
    }

    /// Room for a record, with its header and its time; `None` where it was dropped and counted.
    /// An address and nothing else, so that the rest of a reservation stays in registers.
    fn claim(&self, length: usize) -> Option<NonNull<usize>> {
        if let Some(handle) = Handle::by_cpu() {
            for _ in 0..ATTEMPTS {
                // SAFETY: this thread's handle.
                let Some(cpu) = (unsafe { handle.current_index() }) else {
                    break;
                };
                let control = self.control(cpu as usize);
                let result = self.claim_at(control, length, |end, at, words, new| {
                    // SAFETY: this thread's handle; the words are this CPU's, written by such
                    // sequences alone as long as the end is what it was; nobody reads what is
                    // behind the end. (`copy` is as long as `words`.)
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

    /// Where there are no sequences: under the lock of one of some rings. A lock that is held,
    /// perhaps by the code that this signal interrupted, is not waited for.
    #[cold]
    fn claim_shared(&self, length: usize) -> Option<NonNull<usize>> {
        let first = stripe(SHARED);
        for n in 0..SHARED {
            let control = self.control(self.area.cpus() + (first + n) % SHARED);
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
        let control = self.control(self.area.cpus() + first);
        control.dropped.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// [`Ring::claim`] in one ring, by `commit(end, address, words to store there, new end)`. `None`
    /// where an attempt was given up.
    #[inline(always)]
    fn claim_at(
        &self,
        control: &Control,
        length: usize,
        commit: impl Fn(usize, *mut usize, &[usize], usize) -> Outcome,
    ) -> Option<Option<NonNull<usize>>> {
        // At most: padding, the start of a part, the record.
        for _ in 0..3 {
            let end = control.reserved.load(Ordering::Acquire);
            // Between the load of the end and the comparison with it: so time goes as positions.
            let time = (self.clock)();
            let at = self.at(control, end);
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
                // Unless it looks full because somebody is far ahead by now.
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
        let offset = end & (self.part - 1);
        let whole = whole(length);
        if offset == 0 {
            self.plan_start(control, end)
        } else if offset + whole <= self.part {
            Plan::Record(busy_header(length), end + whole)
        } else {
            let rest = self.part - offset;
            Plan::Padding(PADDING | rest, end + rest)
        }
    }

    #[cold]
    fn plan_start(&self, control: &Control, end: usize) -> Plan {
        let free = match self.mode {
            // Acquire: the consumer has read what was there. It may be far ahead of an `end` that
            // is not the end any more; then the sequence will find out.
            Mode::Discard => {
                end + self.part <= control.reader.position.load(Ordering::Acquire) + self.size
            }
            Mode::Overwrite if end < self.size => true,
            Mode::Overwrite => match self.survey(control, end - self.size) {
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
            let before = end - self.part;
            let Some((records, _)) = self.survey(control, before) else {
                return Plan::Stale;
            };
            // SAFETY: within the ring: the second word of the part before.
            let number = unsafe { word(self.at(control, before).wrapping_add(1)) };
            number.load(Ordering::Relaxed).wrapping_add(records)
        };
        Plan::Start([START | HEAD, number])
    }

    /// How many records a whole part has, and whether one is being written. `None` if this is not
    /// a part any more: somebody is overwriting it.
    fn survey(&self, control: &Control, start: usize) -> Option<(usize, bool)> {
        let (mut offset, mut records, mut busy) = (0, 0, false);
        while offset < self.part {
            // SAFETY: within the ring.
            let header = unsafe { word(self.at(control, start + offset)) }.load(Ordering::Acquire);
            let whole = header & 0xFFFF_FFFF;
            if whole == 0 || whole % size_of::<usize>() != 0 {
                return None;
            }
            records += usize::from(header & (PADDING | START) == 0);
            busy |= header & BUSY != 0;
            offset += whole;
        }
        (offset == self.part).then_some((records, busy))
    }

    /// Returns the one consumer, if nobody else has it. Does not wait; async-signal-safe, and so is
    /// [`Consumer::poll`] if its closure is.
    pub fn consumer(&self) -> Option<Consumer<'_>> {
        let locked = self.consumer.try_lock()?;
        Some(Consumer {
            ring: self,
            _locked: locked,
        })
    }

    /// Returns what has become of records so far. Some loads for each ring; async-signal-safe.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for ring in 0..self.rings() {
            let control = self.control(ring);
            totals.consumed += control.reader.consumed.load(Ordering::Relaxed);
            totals.overwritten += control.reader.overwritten.load(Ordering::Relaxed);
            totals.dropped += control.dropped.load(Ordering::Relaxed);
        }
        totals
    }

    fn rings(&self) -> usize {
        self.area.cpus() + SHARED
    }

    fn control(&self, ring: usize) -> &Control {
        let cpus = self.area.cpus();
        let (start, n) = if ring < cpus {
            (self.area.base(), ring)
        } else {
            (self.area.header(), ring - cpus)
        };
        // SAFETY: within the area, which lives as long as `self`; zeroes are a valid ring, and all
        // of its words are atomics.
        unsafe { start.add(n * self.area.stride()).cast().as_ref() }
    }

    /// The address of a position.
    fn at(&self, control: &Control, position: usize) -> *mut usize {
        let bytes = ptr::from_ref(control).expose_provenance() + size_of::<Control>();
        ptr::with_exposed_provenance_mut(bytes + (position & (self.size - 1)))
    }
}

/// Bytes of a record with a payload of `length`.
#[inline]
fn whole(length: usize) -> usize {
    HEAD + length.next_multiple_of(size_of::<usize>())
}

/// The header of such a record while it is written.
#[inline]
fn busy_header(length: usize) -> usize {
    BUSY | whole(length) | length << PAYLOAD
}

/// # Safety
/// `at` is an aligned word of a ring that is alive during 'a.
#[inline(always)]
unsafe fn word<'a>(at: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the caller's; all accesses are atomic, or by sequences while nobody reads.
    unsafe { AtomicUsize::from_ptr(at) }
}

#[cfg(unix)]
fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: valid for the write. This clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(not(unix))]
fn monotonic() -> u64 {
    static TICKS: AtomicUsize = AtomicUsize::new(0);
    TICKS.fetch_add(1, Ordering::Relaxed) as u64
}
