//! The outcomes of records.

use core::fmt;

/// The reason why a record could not be reserved.
///
/// ```
/// use rseq_ops::percpu::{Mode, ReserveError, Ring};
///
/// let ring = Ring::new(Mode::Discard, 4096).unwrap();
/// let most = ring.max_record_len();
/// let asked = most + 1;
/// assert_eq!(ring.reserve(asked).unwrap_err(), ReserveError::TooLong { asked, most });
/// while ring.write(b"on and on").is_ok() {}
/// assert!(ring.totals().dropped > 0); // ReserveError::Dropped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveError {
    /// The record is larger than the ring allows.
    TooLong {
        /// The length that was asked for, in bytes.
        asked: usize,
        /// The largest possible length, in bytes.
        most: usize,
    },
    /// The record was dropped, and counted. With [`Mode::Discard`](super::Mode::Discard) the ring is full. With
    /// [`Mode::Overwrite`](super::Mode::Overwrite) the part to overwrite has a record that is still being
    /// written.
    Dropped,
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReserveError::TooLong { asked, most } => {
                write!(f, "a record of {asked} bytes: {most} is the most")
            }
            ReserveError::Dropped => write!(f, "the ring is full, the record was dropped"),
        }
    }
}

impl core::error::Error for ReserveError {}

/// Counts of what became of records, over all rings.
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
    /// Records that were handed to the consumer, or reserved and then discarded.
    pub consumed: usize,
    /// Records that were overwritten before the consumer got to them, as far as the consumer knows by now.
    pub overwritten: usize,
    /// Records that were dropped, because there was no room for them.
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
    /// The number of the ring: the CPU where the record was reserved or, for threads without restartable
    /// sequences, a number that is not below [`possible_cpus`](crate::percpu::possible_cpus).
    pub ring: usize,
    /// The time of the reservation, by the ring's clock. In one ring it never goes back.
    pub time: u64,
    /// The payload.
    pub bytes: &'c [u8],
}
