//! What threads do.

pub(crate) use std::thread::sleep;
