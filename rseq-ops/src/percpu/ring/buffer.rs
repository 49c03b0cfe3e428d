//! [`Ring`]: what users of rings see.

use core::fmt;
use core::sync::atomic::Ordering;

use super::consumer::Consumer;
use super::layout::{HEAD, Mode, Rings, busy_header};
use super::outcome::{ReserveError, Totals};
use super::reservation::Reservation;
use super::writer::Writer;
use crate::percpu::area::AllocError;
use crate::percpu::lock::Lock;

/// Rings of records of any length, one for each possible CPU.
///
/// [`Ring::write`] and [`Ring::reserve`] wait for no lock, allocate nothing, and are async-signal-safe if the
/// clock is (the default one is). A signal handler may write while the code that it interrupted has a
/// reservation. A record that was reserved is delivered, or counted as overwritten. A record that could not be
/// reserved is counted as dropped.
///
/// A reservation that is leaked, or whose thread never runs again, stops its ring: the consumer
/// never gets past it. After a `fork` of a process with several threads, the child has what the other threads
/// were writing half done: do not use the parent's rings there.
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
    pub(super) rings: Rings,
    consumer: Lock,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("mode", &self.rings.mode)
            .field("size", &self.rings.size)
            .finish_non_exhaustive()
    }
}

impl Ring {
    /// Creates rings of at least `size` bytes each, rounded up to a power of two. A page takes memory only
    /// once it is written to. Time stamps are nanoseconds of `CLOCK_MONOTONIC`.
    ///
    /// # Errors
    /// [`AllocError::Object`] for more than 64 MiB, [`AllocError::Memory`] where the system has no memory.
    pub fn new(mode: Mode, size: usize) -> Result<Self, AllocError> {
        Ring::with_clock(mode, size, monotonic)
    }

    /// Creates rings as [`Ring::new`] does, with the caller's own clock. The clock should never go back, and
    /// should be async-signal-safe if records are written in signal handlers.
    ///
    /// # Errors
    /// The same as for [`Ring::new`].
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
    pub fn with_clock(mode: Mode, size: usize, clock: fn() -> u64) -> Result<Self, AllocError> {
        Ok(Ring {
            rings: Rings::new(mode, size, clock)?,
            consumer: Lock::new(),
        })
    }

    /// Returns the largest number of bytes that a record can have: an eighth of the ring's size, less 32.
    ///
    /// ```
    /// use rseq_ops::percpu::{Mode, Ring};
    ///
    /// assert_eq!(Ring::new(Mode::Discard, 4096).unwrap().max_record_len(), 480);
    /// ```
    #[inline]
    pub fn max_record_len(&self) -> usize {
        self.rings.part - 2 * HEAD
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`ReserveError`], if there is no room for the record. A dropped record is counted.
    #[inline]
    pub fn write(&self, bytes: &[u8]) -> Result<(), ReserveError> {
        let mut reservation = self.reserve(bytes.len())?;
        reservation.write(bytes);
        reservation.commit();
        Ok(())
    }

    /// Reserves a record of `length` bytes. Bytes that are never written are zero.
    ///
    /// # Errors
    /// [`ReserveError`], if there is no room for the record. A dropped record is counted.
    ///
    /// ```
    /// use rseq_ops::percpu::{Mode, Ring};
    ///
    /// let ring = Ring::new(Mode::Discard, 4096).unwrap();
    /// let mut record = ring.reserve(8).unwrap();
    /// record.write(&7u32.to_ne_bytes());
    /// record.write(&8u32.to_ne_bytes());
    /// record.commit();
    /// drop(ring.reserve(100).unwrap()); // Not committed, so not delivered.
    /// assert_eq!(ring.consumer().unwrap().poll(|record| assert_eq!(record.bytes.len(), 8)), 1);
    /// ```
    #[inline]
    pub fn reserve(&self, length: usize) -> Result<Reservation<'_>, ReserveError> {
        let most = self.max_record_len();
        if length > most {
            let asked = length;
            return Err(ReserveError::TooLong { asked, most });
        }
        match self.writer().claim(length) {
            Some(record) => Ok(Reservation::new(record, busy_header(length))),
            None => Err(ReserveError::Dropped),
        }
    }

    /// Returns the consumer, or `None` while somebody else has it. Does not wait. Async-signal-safe, as
    /// [`Consumer::poll`] is if its closure is.
    pub fn consumer(&self) -> Option<Consumer<'_>> {
        let locked = self.consumer.try_lock()?;
        Some(Consumer::new(&self.rings, locked))
    }

    /// Returns what has become of all records so far. Async-signal-safe.
    ///
    /// # Cost
    /// Some loads for each ring.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for ring in 0..self.rings.count() {
            let control = self.rings.control(ring);
            totals.consumed += control.reader.consumed.load(Ordering::Relaxed);
            totals.overwritten += control.reader.overwritten.load(Ordering::Relaxed);
            totals.dropped += control.dropped.load(Ordering::Relaxed);
        }
        totals
    }

    #[inline(always)]
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer(&self.rings)
    }
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
