//! Operations of threads that the models replace.

pub(crate) use std::thread::sleep;
