//! [`Builder`]: describes what is watched, and starts the watch.

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Watched;
use crate::error::{Error, ErrorKind, Invalid};
use crate::shared::{Build, Shared, run};
use crate::sources::{SourceFile, Sources};
#[cfg(feature = "serde")]
use crate::tree::{self, Lists, Mismatch, Node, Overlay};
use crate::version::Version;
use crate::watch::{Bell, Timing, Watcher};

/// Marks a [`Builder`] that parses the built-in formats.
#[derive(Clone, Copy, Debug)]
pub struct Formats;

/// Marks a [`Builder`] with a [parser](Builder::parser) or a [conversion](Builder::convert) of its own.
#[derive(Clone, Copy, Debug)]
pub struct Custom;

type Validate<T> = Box<dyn Fn(&T, Option<&T>) -> Result<(), Invalid> + Send + Sync>;
type Parse<T> = Box<dyn Fn(&[SourceFile]) -> Result<T, Invalid> + Send + Sync>;
#[cfg(feature = "serde")]
type Convert<T> = Box<dyn Fn(&Node) -> Result<T, Refusal> + Send + Sync>;

#[cfg(feature = "serde")]
enum Refusal {
    Mismatch(Mismatch),
    Invalid(Invalid),
}

/// The way from files to a value.
enum Parser<T> {
    None,
    Own(Parse<T>),
    #[cfg(feature = "serde")]
    Tree(Convert<T>),
}

/// Starts the description of a watched configuration. `path` is a file, or a directory whose files together make one
/// version.
///
/// See the [first page](crate) for examples. The files of a directory are read in the order of their names, except
/// hidden ones. A later file overrides an earlier one key by key.
pub fn watch<T>(path: impl AsRef<Path>) -> Builder<T> {
    let mut sources = Sources::new();
    sources.add(path.as_ref(), false);
    Builder {
        sources,
        timing: Timing {
            debounce: Duration::from_millis(50),
            poll: Duration::from_millis(250),
            poll_only: false,
        },
        parser: Parser::None,
        validations: Vec::new(),
        on_sighup: false,
        #[cfg(feature = "serde")]
        lists: Lists::Replace,
        #[cfg(feature = "serde")]
        overlay: Overlay::default(),
        marker: PhantomData,
    }
}

/// A description of what is watched, and how. [`watch`] creates it, and [`start`](Builder::start) starts the watch.
///
/// [`start`](Builder::start) needs a `T` that is `serde::Deserialize` without borrowing from the file (`String`, not
/// `&str`), unless [`convert`](Builder::convert) or [`parser`](Builder::parser) makes it, and that threads can share
/// (`Send + Sync + 'static`).
#[must_use = "nothing is watched before `start`"]
pub struct Builder<T, P = Formats> {
    sources: Sources,
    timing: Timing,
    parser: Parser<T>,
    validations: Vec<Validate<T>>,
    on_sighup: bool,
    #[cfg(feature = "serde")]
    lists: Lists,
    #[cfg(feature = "serde")]
    overlay: Overlay,
    marker: PhantomData<fn() -> P>,
}

impl<T, P> Builder<T, P> {
    /// Adds a file, or a directory of files, that overrides those added before.
    ///
    /// In a directory, files with other [extensions](Self::extensions) are passed over in silence.
    /// [`Status::files`](crate::Status::files) names those that are read.
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.sources.add(path.as_ref(), false);
        self
    }

    /// Adds a file or directory that need not exist.
    pub fn and_optional(mut self, path: impl AsRef<Path>) -> Self {
        self.sources.add(path.as_ref(), true);
        self
    }

    /// Sets which files are read in directories, by their extensions without a dot. The default is the extensions of
    /// the built-in formats.
    pub fn extensions(mut self, extensions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let extensions = extensions.into_iter().map(Into::into).collect();
        self.sources.set_extensions(extensions);
        self
    }

    /// Refuses files that do not end with `marker`. White space after it is ignored.
    ///
    /// If a writer is killed in the middle, or the disk is full, a file is cut short. JSON that is cut short is always
    /// malformed, but TOML and YAML can be cut between any two lines unnoticed. A last line such as `# end` prevents
    /// that.
    pub fn end_marker(mut self, marker: impl Into<String>) -> Self {
        self.sources.set_end_marker(marker.into());
        self
    }

    /// Sets how large a file may be, in bytes. A larger one is refused unread, so that a wrong file or link cannot use up
    /// the memory of the process. The default is 64 MiB.
    pub fn max_file_size(mut self, bytes: u64) -> Self {
        self.sources.set_max_file_size(bytes);
        self
    }

    /// Refuses values for which `check` returns a reason.
    ///
    /// ```
    /// # use urcu_reload::{Invalid, watch};
    /// # struct Config { workers: u32 }
    /// # let _ =
    /// watch::<Config>("service.toml").validate(|config| match config.workers {
    ///     0 => Err(Invalid::new("there must be a worker").at_key("workers")),
    ///     _ => Ok(()),
    /// })
    /// # ;
    /// ```
    pub fn validate(
        mut self,
        check: impl Fn(&T) -> Result<(), Invalid> + Send + Sync + 'static,
    ) -> Self {
        self.validations.push(Box::new(move |new, _| check(new)));
        self
    }

    /// Refuses values for which `check` returns a reason. `check` gets the value in force and the new one, so it can
    /// refuse changes: of a value that must not change while the program runs, or that must not decrease.
    pub fn validate_change(
        mut self,
        check: impl Fn(&T, &T) -> Result<(), Invalid> + Send + Sync + 'static,
    ) -> Self {
        self.validations.push(Box::new(move |new, old| match old {
            Some(old) => check(old, new),
            None => Ok(()),
        }));
        self
    }

    /// Sets how long the files must be unchanged before they are read. The default is 50 ms, so that several files that
    /// change together make one version.
    ///
    /// A file that somebody is writing to is not read until it is closed, or until nothing was written for a second.
    /// With [`Duration::ZERO`], files that are renamed into place are read at once. Use that if the files only ever
    /// change by renames.
    pub fn debounce(mut self, quiet: Duration) -> Self {
        self.timing.debounce = quiet;
        self
    }

    /// Sets the polling interval for files whose changes are not notified: on network file systems, if the limit of
    /// inotify watches is reached, and on other systems than Linux. The default is 250 ms.
    ///
    /// Files whose changes are notified are still polled every two seconds, because mounts are not notified.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.timing.poll = interval.max(Duration::from_millis(1));
        self
    }

    /// Only polls, without notifications. Use this for file systems that notify nothing, unless this crate knows them.
    pub fn poll_only(mut self) -> Self {
        self.timing.poll_only = true;
        self
    }

    /// Also reloads when the process gets a SIGHUP.
    ///
    /// Other handlers that were set with `signal-hook` are still called. From this call on, a SIGHUP no longer ends the
    /// process, as it does by default.
    #[cfg(all(feature = "signal", unix))]
    pub fn reload_on_sighup(mut self) -> Self {
        self.on_sighup = true;
        self
    }

    /// Parses with a function instead of the built-in formats. The function gets all files, in their order.
    ///
    /// [`env`](Self::env) and [`append_lists`](Self::append_lists) belong to the built-in formats: `start` fails if they
    /// are combined with a parser. To refuse a text, return an [`Invalid`] with its place
    /// ([`at_line`](Invalid::at_line)).
    ///
    /// ```
    /// # use urcu_reload::{Invalid, watch};
    /// # let _ =
    /// watch::<Vec<String>>("names.txt").parser(|files| {
    ///     let names = files.iter().flat_map(|file| file.text().lines());
    ///     Ok(names.map(str::to_owned).collect())
    /// })
    /// # ;
    /// ```
    pub fn parser(
        self,
        parse: impl Fn(&[SourceFile]) -> Result<T, Invalid> + Send + Sync + 'static,
    ) -> Builder<T, Custom> {
        self.with(Parser::Own(Box::new(parse)))
    }

    fn with(self, parser: Parser<T>) -> Builder<T, Custom> {
        Builder {
            sources: self.sources,
            timing: self.timing,
            parser,
            validations: self.validations,
            on_sighup: self.on_sighup,
            #[cfg(feature = "serde")]
            lists: self.lists,
            #[cfg(feature = "serde")]
            overlay: self.overlay,
            marker: PhantomData,
        }
    }
}

#[cfg(feature = "serde")]
impl<T> Builder<T, Formats> {
    /// Deserializes a `C`, and converts it to the value. Use this for values that differ from the text of the file: an
    /// index, compiled patterns, resolved names.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use urcu_reload::{Invalid, watch};
    /// #[derive(serde::Deserialize)]
    /// struct File { weights: Vec<(String, u32)> }
    ///
    /// type Weights = HashMap<String, u32>;
    /// # let _ =
    /// watch::<Weights>("weights.toml").convert(|file: File| Ok(file.weights.into_iter().collect()))
    /// # ;
    /// ```
    pub fn convert<C: serde::de::DeserializeOwned>(
        self,
        convert: impl Fn(C) -> Result<T, Invalid> + Send + Sync + 'static,
    ) -> Builder<T, Custom> {
        self.with(Parser::Tree(Box::new(move |tree| {
            let value = tree::deserialize(tree).map_err(Refusal::Mismatch)?;
            convert(value).map_err(Refusal::Invalid)
        })))
    }
}

#[cfg(feature = "serde")]
impl<T, P> Builder<T, P> {
    /// Overrides values of the files by environment variables that begin with `prefix`. The variables are read once, in
    /// this call.
    ///
    /// Two underscores separate the parts of a key. With the prefix `SERVICE_`, `SERVICE_DATABASE__MAX_OPEN` stands for
    /// `database.max-open`, `database.maxOpen` or `database.max_open`, whichever exists. The items of a list are
    /// separated by commas.
    pub fn env(self, prefix: &str) -> Self {
        // Variables that are not Unicode are ignored.
        let variables = std::env::vars_os();
        let variables = variables
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
        self.overlay(prefix, variables)
    }

    /// Does the same with the given variables instead of those of the process.
    pub fn overlay(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        self.overlay = Overlay::new(prefix, variables);
        self
    }

    /// Joins the lists of several files, instead of taking the last file's list. For example, each file of a `conf.d`
    /// can then have its own `[[route]]`s.
    pub fn append_lists(mut self) -> Self {
        self.lists = Lists::Append;
        self
    }
}

#[cfg(feature = "serde")]
impl<T: serde::de::DeserializeOwned + Send + Sync + 'static> Builder<T, Formats> {
    /// Reads the files, and watches them from now on.
    ///
    /// # Errors
    /// Fails if the first version is refused, or if the thread cannot be started.
    pub fn start(self) -> Result<Watched<T>, Error> {
        self.by_formats().launch(None)
    }

    /// Does what `start` does, but starts with `first` if the files are refused.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub fn start_or(self, first: T) -> Result<Watched<T>, Error> {
        self.by_formats().launch(Some(first))
    }

    fn by_formats(self) -> Builder<T, Custom> {
        self.convert(|value: T| Ok(value))
    }
}

impl<T: Send + Sync + 'static> Builder<T, Custom> {
    /// Reads the files, and watches them from now on.
    ///
    /// # Errors
    /// Fails if the first version is refused, or if the thread cannot be started.
    pub fn start(self) -> Result<Watched<T>, Error> {
        self.launch(None)
    }

    /// Does what `start` does, but starts with `first` if the files are refused.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub fn start_or(self, first: T) -> Result<Watched<T>, Error> {
        self.launch(Some(first))
    }

    fn launch(mut self, fallback: Option<T>) -> Result<Watched<T>, Error> {
        let system = |error: std::io::Error| Error::new(ErrorKind::System, error.to_string());
        self.check_options()?;
        self.sources.settle()?;
        let sources = self.sources.clone();
        let (timing, on_sighup) = (self.timing, self.on_sighup);
        let build = named(self.into_build(), sources.first_path().into());
        let (bell, ringer) = Bell::new().map_err(system)?;
        // The watch begins before the files are read, so later changes are noticed.
        let watcher = Watcher::new(sources.clone(), timing, bell);
        let begun = Instant::now();
        let (read, _) = sources.read();
        let built = match &read {
            Ok(files) => run(|| build(files, None)),
            Err(error) => Err(error.clone()),
        };
        let (value, files, refused) = match (built, fallback) {
            (Ok(value), _) => (value, read.ok(), None),
            (Err(error), None) => return Err(error),
            (Err(error), Some(first)) => (first, None, Some((read, error))),
        };
        let first = Version::new(value, 1, begun, begun);
        let shared = Shared::new(first, files, sources, build, ringer);
        shared.set_status(|status| status.polling = watcher.polling());
        if on_sighup {
            catch_sighup(&shared).map_err(system)?;
        }
        if let Some((read, error)) = refused {
            shared.refuse_first(read, &error);
        }
        Watched::start(shared, watcher).map_err(system)
    }

    /// Fails if options were set that the parser does not use.
    fn check_options(&self) -> Result<(), Error> {
        #[cfg(feature = "serde")]
        if matches!(self.parser, Parser::Own(_))
            && (self.overlay.is_asked() || self.lists == Lists::Append)
        {
            let reason =
                "`env`, `overlay` and `append_lists` do nothing with a parser of one's own";
            return Err(Error::new(ErrorKind::Conflict, reason));
        }
        Ok(())
    }

    fn into_build(self) -> Build<T> {
        let validations = self.validations;
        match self.parser {
            Parser::None => unreachable!("a custom builder has a parser"),
            Parser::Own(parse) => Box::new(move |files, old| {
                let value = parse(files).map_err(|invalid| locate(invalid, files))?;
                validate(&validations, &value, old).map_err(|invalid| locate(invalid, files))?;
                Ok(value)
            }),
            #[cfg(feature = "serde")]
            Parser::Tree(convert) => {
                let (overlay, lists) = (self.overlay, self.lists);
                Box::new(move |files, old| {
                    let mut tree = tree::parse(files, lists)?;
                    overlay.apply(&mut tree);
                    let locate = |invalid| tree::locate_invalid(invalid, &tree, files, &overlay);
                    let value = convert(&tree).map_err(|refusal| match refusal {
                        Refusal::Invalid(invalid) => locate(invalid),
                        Refusal::Mismatch(mismatch) => {
                            let error = Error::new(ErrorKind::Type, &*mismatch.reason);
                            let error = error.about(mismatch.key());
                            tree::locate(error, mismatch.place, files, &overlay)
                        }
                    })?;
                    validate(&validations, &value, old).map_err(locate)?;
                    Ok(value)
                })
            }
        }
    }
}

/// Names the path that was given in errors of a version that has no file at all, such as that of an empty directory.
fn named<T: 'static>(build: Build<T>, path: PathBuf) -> Build<T> {
    Box::new(move |files, old| {
        build(files, old).map_err(|error| match files {
            [] if error.file().is_none() => error.with_no_file().in_file(&path),
            _ => error,
        })
    })
}

fn validate<T>(validations: &[Validate<T>], new: &T, old: Option<&T>) -> Result<(), Invalid> {
    validations.iter().try_for_each(|check| check(new, old))
}

/// Returns the error of a parser that names the place itself.
fn locate(invalid: Invalid, files: &[SourceFile]) -> Error {
    let Invalid {
        reason,
        key,
        place,
        file,
    } = invalid;
    let error = Error::new(ErrorKind::Invalid, reason).about(key);
    let named = files
        .iter()
        .find(|known| Some(known.path()) == file.as_deref());
    match (
        named.or_else(|| files.first().filter(|_| file.is_none())),
        file,
    ) {
        (Some(known), _) => {
            let error = error.in_file(known.path());
            match place {
                Some((line, column)) => error.at(known.text(), line, column),
                None => error,
            }
        }
        (None, Some(file)) => error.in_file(file),
        (None, None) => error,
    }
}

#[cfg(all(feature = "signal", unix))]
fn catch_sighup<T>(shared: &Shared<T>) -> std::io::Result<()> {
    use std::sync::Arc;
    let hangup = signal_hook::consts::SIGHUP;
    // In this order, so that the thread that is woken finds the flag.
    signal_hook::flag::register(hangup, Arc::clone(&shared.signalled))?;
    #[cfg(target_os = "linux")]
    signal_hook::low_level::pipe::register(hangup, shared.ringer.for_handler()?)?;
    Ok(())
}

#[cfg(not(all(feature = "signal", unix)))]
fn catch_sighup<T>(_shared: &Shared<T>) -> std::io::Result<()> {
    Ok(())
}

impl<T, P> fmt::Debug for Builder<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Builder");
        debug
            .field("sources", &self.sources)
            .field("timing", &self.timing);
        debug.finish_non_exhaustive()
    }
}
