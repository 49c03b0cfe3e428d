//! What is wrong ends the process.

/// Says what is wrong and ends the process, on whatever thread, in whatever drop.
macro_rules! fail {
    ($($message:tt)*) => {{
        eprintln!("urcu-fuzz: {}", format_args!($($message)*));
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
        std::process::abort()
    }};
}

/// [`fail`] unless it holds.
macro_rules! check {
    ($holds:expr, $($message:tt)*) => { if !$holds { $crate::check::fail!($($message)*) } };
}

pub(crate) use {check, fail};
