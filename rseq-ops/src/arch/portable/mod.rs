//! Stand-ins for the sequences, for builds without sequences. No thread is ever registered there, so none of
//! these functions is ever called. They exist so that callers need no `cfg`.

mod append;
mod copy;
mod indexed;
mod lookup;
mod stride;
mod structures;
mod thread;

pub(crate) use append::*;
pub(crate) use copy::*;
pub(crate) use indexed::*;
pub(crate) use lookup::*;
pub(crate) use stride::*;
pub(crate) use structures::*;
pub(crate) use thread::*;
