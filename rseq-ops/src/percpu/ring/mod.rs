//! A ring of records for each CPU, for tracers: any thread writes, and one consumer reads.
//!
//! # Implementation details
//! A ring has eight *parts*. Positions are counts of bytes, which only grow. A record is a header word,
//! a time stamp, and a payload. It never crosses the end of a part: padding fills the rest of the part.
//!
//! * A writer *reserves* a record by one restartable sequence. The sequence stores the record's header,
//!   marked busy, and commits the new end of what is reserved. A thread that loads the end (acquire) sees all
//!   headers before it.
//! * The writer then *writes* the record, whose memory is the writer's own, on whatever CPU it runs by now.
//! * It *commits* the record by a release store of the header without the mark. No sequence is needed here.
//!
//! A signal handler that interrupts a writer reserves behind the writer's record, and commits first. The
//! consumer stops at the first busy record, so it gets complete records, in order.
//!
//! A writer *enters* a part by another sequence, which stores the number of the part's first record.
//! With [`Mode::Discard`] the consumer must have left what the part held before. With
//! [`Mode::Overwrite`] no other writer may still be writing there.
//!
//! The consumer copies each record, and then loads the end again. The copy is valid if the end has not
//! reached the part a second time, because nothing new is stored in a part before that. From the number in
//! the next part it knows how many records it has missed.

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
