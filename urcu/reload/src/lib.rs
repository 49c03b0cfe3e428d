//! Configuration that reloads itself: watched, parsed, validated, and published to readers that never wait.
//!
//! ```toml
//! [dependencies]
//! urcu-reload = { path = "../urcu-percpu/urcu/reload" } # the checkout beside your package
//! serde = { version = "1", features = ["derive"] }
//! ```
//!
//! ```no_run
//! #[derive(Debug, serde::Deserialize)]
//! struct Config {
//!     listen: String,
//!     workers: u32,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = urcu_reload::watch::<Config>("service.toml")
//!     .validate(|config| match config.workers {
//!         0 => Err(urcu_reload::Invalid::new("there must be a worker").at_key("workers")),
//!         _ => Ok(()),
//!     })
//!     .start()?;
//!
//! // Any thread, any number of them: a few nanoseconds, no lock, always a whole version.
//! println!("{} workers", config.read().workers);
//!
//! config.on_change(|change| println!("{:?} -> {:?}", change.old.value(), change.new.value()));
//! config.on_error(|error| eprintln!("{error}")); // service.toml:2:11: workers: there must be a worker
//! # Ok(())
//! # }
//! ```
//!
//! A file that is missing, malformed or refused leaves the version in force as it is, and is told once: to
//! the hooks, or else on standard error, and in [`status`](Watched::status).
//!
//! # What do I want?
//! | you want | use |
//! |---|---|
//! | the value, now | [`Watched::read`], or [`load`](Watched::load) for several under one guard |
//! | the value, to keep across a whole request or task | [`Watched::load_full`] |
//! | to do something when it changes | [`Watched::on_change`]; [`Part::on_change`] for a section of it |
//! | to await changes | [`Watched::changes`] |
//! | a component that knows its own section only | [`Watched::part`], [`Access`] |
//! | to refuse what makes no sense, at its line | [`Builder::validate`], [`Invalid::at_key`] |
//! | to refuse what must not change at run time | [`Builder::validate_change`] |
//! | an index, compiled patterns, resolved names | [`Builder::convert`] |
//! | a format of your own | [`Builder::parser`] |
//! | a base file, a `conf.d` and a local file as one version | [`Builder::and`], [`and_optional`](Builder::and_optional) |
//! | environment variables on top | `Builder::env` |
//! | `kill -HUP` | `Builder::reload_on_sighup` |
//! | to reload when an operator asks | [`Watched::reload_now`] |
//! | to start although the file is bad | [`start_or`](Builder::start_or) |
//! | to know what is going on | [`Watched::status`] |
//!
//! # Every way in which files change
//! | way | what happens |
//! |---|---|
//! | renamed into place: editors, `install`, configuration management | read as soon as it is there |
//! | written in place | read when its writer has closed it, or not written for a second |
//! | written by somebody who dies in the middle | refused, if the format shows it: JSON does, and TOML and YAML with an [`end_marker`](Builder::end_marker) |
//! | symbolic links that lead elsewhere: Kubernetes' `..data`, Nix, `current -> release-7` | every link on the way is watched; several files are read from one and the same directory; files younger than a second are given that time, since somebody may still be writing to them |
//! | files and directories that go and come back | watched as far as the path leads, and on from there |
//! | several files, one after the other | one version, when nothing has changed for [50 ms](Builder::debounce) |
//! | mounts over it; NFS, SMB, FUSE and the like; no more inotify watches; other systems than Linux | looked for, [four times a second](Builder::poll_every), or every two seconds where only mounts can go unnoticed |
//!
//! A single file that is bind-mounted into a container (`-v service.toml:/etc/service.toml`) is one inode: if
//! it is replaced by a rename outside, the container never sees that. Mount its directory.
//!
//! The kernel is asked about the names on the way alone, so that neither readers of the files nor busy
//! neighbours wake anybody.
//!
//! # Features
//! | feature | what it adds | packages |
//! |---|---|---|
//! | `toml` (default) | files named `*.toml` | `toml`, `serde` |
//! | `signal` (default) | `reload_on_sighup` | `signal-hook` |
//! | `json` | files named `*.json` | `serde_json`, `serde` |
//! | `yaml` | files named `*.yaml`, `*.yml` | `saphyr`, `serde` |
//! | `stream` | `Stream` for [`Changes`] | `futures-core` |
//!
//! Without any of them: [parsers of your own](Builder::parser). On Linux, `rustix` in any case.
//!
//! # Costs
//! A read is one of [`urcu::Rcu`]: about a nanosecond where restartable sequences are there. A reload parses
//! into a tree in which every value knows its place, so that errors can name it, and then into your type: in all
//! about 1.4 times what `toml` takes alone (2.8 ms for 2066 entries in 15,000 lines). One thread, which sleeps; one copy of the files' text, to compare.
#![forbid(unsafe_code)]

// So that its examples are compiled.
#[cfg(all(doctest, feature = "toml", feature = "signal"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod builder;
mod changes;
mod error;
mod part;
mod shared;
mod sources;
mod status;
#[cfg(feature = "serde")]
mod tree;
mod version;
mod watch;
mod watched;

pub use builder::{Builder, Custom, Formats, watch};
pub use changes::Changes;
pub use error::{Error, ErrorKind, Invalid};
pub use part::{Access, Part};
pub use shared::HookId;
pub use sources::SourceFile;
pub use status::{Counts, Polling, Status};
pub use version::{Change, Reload, Version};
pub use watched::Watched;
