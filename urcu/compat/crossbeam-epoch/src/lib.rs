//! The interface of `crossbeam-epoch` 0.9 on the per-CPU readers of urcu-percpu.
#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "std"), allow(dead_code))]

#[cfg(feature = "alloc")]
mod atomic;
#[cfg(feature = "alloc")]
mod collector;
#[cfg(feature = "alloc")]
mod fence;
#[cfg(feature = "alloc")]
mod guard;
#[cfg(feature = "alloc")]
mod local;
#[cfg(feature = "alloc")]
mod orderings;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "alloc")]
mod pointable;
#[cfg(feature = "alloc")]
mod shared;
#[cfg(feature = "std")]
mod thread;

#[cfg(feature = "alloc")]
#[allow(deprecated)]
pub use {
    atomic::{Atomic, CompareAndSetError, CompareExchangeError},
    collector::{Collector, LocalHandle},
    guard::{Guard, unprotected},
    orderings::CompareAndSetOrdering,
    owned::{Owned, Pointer},
    pointable::Pointable,
    shared::Shared,
};

#[cfg(feature = "std")]
pub use thread::{default_collector, is_pinned, pin};
