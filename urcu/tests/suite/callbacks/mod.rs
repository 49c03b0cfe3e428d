//! Callbacks: what runs when, who runs it, and how much may wait.

pub(crate) mod budget;
mod calls;
mod rules;
mod runners;
mod stress;
mod ways;
