//! A ring of records on each CPU, for tracers: any thread writes, one consumer reads.
//!
//! # Implementation details
//! A ring has eight *parts*. Positions are counts of bytes, which only grow. A record is a header word,
//! a time stamp, and its payload. It never crosses the end of a part: padding fills what is left there.
//!
//! * A writer *reserves* by one restartable sequence, which stores the header, marked busy, and commits
//!   the new end of what is reserved. Whoever loads the end (acquire) sees all headers before it.
//! * It then *writes* to memory that is its own, on whatever CPU it runs by now.
//! * It *commits* by a release store of the header without the mark. This is no sequence.
//!
//! A signal handler that interrupts a writer reserves behind it, and commits first. The consumer waits
//! at the first busy record, so it gets the records in order, and whole.
//!
//! A writer *enters* a part by another sequence, which stores the number of the part's first record.
//! With [`Mode::Discard`] the consumer must have left what the part held before. With
//! [`Mode::Overwrite`] nobody may be writing there any more. The consumer copies each record, and then
//! looks at the end again: the copy is good if the end has not reached the part a second time, because
//! nothing is stored in a part before. By the number it knows how many records it has missed.

mod buffer;
mod consumer;
mod layout;
mod outcome;
mod reservation;
#[cfg(test)]
mod tests;
mod writer;

pub use buffer::Ring;
pub use consumer::Consumer;
pub use layout::Mode;
pub use outcome::{Record, ReserveError, Totals};
pub use reservation::Reservation;
