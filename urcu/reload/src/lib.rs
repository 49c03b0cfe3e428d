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
//! // Any thread, any number of them: about a nanosecond, no lock, always a whole version.
//! println!("{} workers", config.read().workers);
//!
//! config.on_change(|change| println!("{:?} -> {:?}", change.old.value(), change.new.value()));
//! config.on_error(|error| eprintln!("{error}")); // service.toml:2:11: workers: there must be a worker
//! # Ok(())
//! # }
//! ```
//!
//! If a file is missing, malformed or refused, the version in force stays. The error is reported once, to the hooks or,
//! if there are none, on standard error. It is also in [`status`](Watched::status).
//!
//! # What do I want?
//! | you want | use |
//! |---|---|
//! | the value, now | [`Watched::read`], or [`load`](Watched::load) for several under one guard |
//! | the value, to keep for a whole request or task | [`Watched::load_full`] |
//! | to do something when it changes | [`Watched::on_change`]; [`Part::on_change`] for a section of it |
//! | to await changes | [`Watched::changes`] |
//! | a component that only knows its own section | [`Watched::part`], [`Access`] |
//! | to refuse values that make no sense, with an error at their line | [`Builder::validate`], [`Invalid::at_key`] |
//! | to refuse changes that must not happen at run time | [`Builder::validate_change`] |
//! | an index, compiled patterns, resolved names | [`Builder::convert`] |
//! | a format of your own | [`Builder::parser`] |
//! | a base file, a `conf.d` and a local file as one version | [`Builder::and`], [`and_optional`](Builder::and_optional) |
//! | environment variables on top | `Builder::env` |
//! | `kill -HUP` | `Builder::reload_on_sighup` |
//! | to reload when an operator asks | [`Watched::reload_now`] |
//! | to start although the file is bad | [`start_or`](Builder::start_or) |
//! | to know what is going on, and which files were read | [`Watched::status`] |
//! | to read files of more than 64 MiB | [`Builder::max_file_size`] |
//!
//! # Every way in which files change
//! | way | what happens |
//! |---|---|
//! | a file is renamed into place: editors, `install`, configuration management | it is read as soon as it is there |
//! | a file is written in place | it is read when its writer has closed it, or when nothing was written for a second |
//! | a file's writer dies in the middle | the file is refused if the format shows that it is cut short: JSON does, and TOML and YAML with an [`end_marker`](Builder::end_marker) |
//! | a symbolic link changes its target: Kubernetes' `..data`, Nix, `current -> release-7` | every link on the path is watched; several files are read from one and the same directory; a file younger than a second is read a second after it was written, because somebody may still be writing to it |
//! | files and directories vanish and come back | the path is watched as far as it leads, and further once it leads further |
//! | several files change, one after the other | they make one version, when nothing has changed for [50 ms](Builder::debounce) |
//! | a mount on the path; NFS, SMB, FUSE and the like; no more inotify watches; other systems than Linux | changes are polled for [four times a second](Builder::poll_every), or every two seconds where only mounts can go unnoticed |
//!
//! A single file that is bind-mounted into a container (`-v service.toml:/etc/service.toml`) is one inode. If the file
//! is replaced by a rename outside, the container never sees the new file. Mount its directory instead.
//!
//! Only the names on the path are watched, so neither readers of the files nor busy neighbours cause any wake-ups.
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
//! YAML is read as YAML 1.2 says: `no` is a text, and there are no merge keys (`<<`). Tags are not interpreted, so a variant
//! with fields is written as a table, `mode: {custom: {level: 3}}`, as in the other formats.
//!
//! Without any of these features you can still use [parsers of your own](Builder::parser). On Linux, `rustix` is always
//! a dependency.
//!
//! # Costs
//! A read is that of [`urcu::Rcu`]: about a nanosecond with restartable sequences. A reload first parses into a tree in
//! which every value knows its place, so that errors can name it, and then into your type. Together that takes about
//! 1.4 times as long as `toml` alone (2.8 ms for 2066 entries in 15,000 lines). A watch has one thread, which sleeps
//! most of the time, and keeps one copy of the files' text to compare with.
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
