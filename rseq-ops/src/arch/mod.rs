//! One file per processor, each the same short list of sequences; `portable` stands beside them.

#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(miri),
    not(feature = "portable")
))]
mod x86_64;
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(miri),
    not(feature = "portable")
))]
pub(crate) use x86_64::*;

#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(miri),
    not(feature = "portable")
)))]
mod portable;
#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(miri),
    not(feature = "portable")
)))]
pub(crate) use portable::*;
