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
