//! Barriers that are granted, and refused.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod passing;
mod unregistered;
