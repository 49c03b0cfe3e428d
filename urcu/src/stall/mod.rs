//! Reports of grace periods that take too long, and of threads that may wait for themselves.
//!
//! A grace period ends when the sections that were open have ended. If one of them does not end (it
//! blocks, its guard was forgotten, its thread does not get to run), memory grows and callers hang. A
//! grace period that takes longer than the [`timeout`] (ten seconds unless [set](set_timeout)) is
//! reported through the [hook](set_hook), again at twice that age, and so on. Without a hook a report is a
//! line on standard error, or a warning of `log` or `tracing` if that feature is on.
//!
//! ```
//! use std::time::Duration;
//!
//! urcu::stall::set_timeout(Duration::from_millis(20));
//! urcu::stall::set_hook(|report| println!("{report}"));
//! # let (sender, receiver) = std::sync::mpsc::channel();
//! # urcu::stall::set_hook(move |report| { let _ = sender.send(report.to_string()); });
//!
//! static JOBS: urcu::Domain = urcu::Domain::named("jobs");
//! let guard = JOBS.read_lock();
//! std::thread::spawn(|| JOBS.synchronize());
//! // urcu: grace period 1 of RCU domain "jobs" has waited 20 ms for 1 open read-side section ...
//! # let line = receiver.recv().unwrap();
//! # assert!(line.starts_with("grace period 1 of RCU domain \"jobs\" has waited "), "{line}");
//! # drop(guard);
//! ```
//!
//! A thread that has to wait because its domain is over its [budget](crate::Budget) is reported through
//! the same hook, and the first time at once: see [`Report::over_budget`].
//!
//! # With `stall-trace`
//! With the feature `stall-trace`, and in builds with debug assertions, reports also say where the
//! sections began. And a thread that waits for a grace period while a section is open that it began
//! itself is reported after three seconds, or after the timeout if that is shorter, once for each wait:
//! see [`Report::deadlock`]. This costs some tens of nanoseconds for each section.
//!
//! The idea is that of the stall detector of the Linux kernel (`kernel/rcu/tree_stall.h`).

mod clock;
mod detector;
mod hook;
mod report;
pub(crate) mod trace;

pub(crate) use clock::Clock;
pub(crate) use detector::{Detector, Subject, report_held_up};
pub(crate) use hook::is_in_hook;
pub use hook::{remove_hook, set_hook, set_timeout, timeout};
pub use report::{Deadlock, OverBudget, Report};
pub use trace::Site;
