//! What was written to the file, so that what becomes of it can be judged.

use std::time::Instant;

use urcu_reload::{Error, ErrorKind};

/// A fault that is put into a file on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    BadSyntax,
    WrongType,
    CutShort,
    NoFile,
    UnknownBackend,
    NameTaken,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::BadSyntax,
        Self::WrongType,
        Self::CutShort,
        Self::NoFile,
        Self::UnknownBackend,
        Self::NameTaken,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadSyntax => "bad TOML",
            Self::WrongType => "wrong type",
            Self::CutShort => "cut short",
            Self::NoFile => "no file",
            Self::UnknownBackend => "unknown backend",
            Self::NameTaken => "name taken",
        }
    }

    /// Returns whether a file with this fault, put on that line, is to be refused for that reason.
    fn explains(self, fault_line: usize, error: &Error) -> bool {
        let here = error.line() == Some(fault_line as u32);
        match (self, error.kind()) {
            (Self::BadSyntax, ErrorKind::Syntax) | (Self::WrongType, ErrorKind::Type) => here,
            (Self::UnknownBackend | Self::NameTaken, ErrorKind::Invalid) => here,
            // The error in the rest, and its line, depend on where the cut is.
            (Self::CutShort, ErrorKind::Syntax | ErrorKind::Type | ErrorKind::Invalid) => true,
            (Self::NoFile, ErrorKind::Missing) => true,
            _ => false,
        }
    }
}

/// One write: when it was made and, if it is broken, how and on which line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) at: Instant,
    pub(crate) fault: Option<(Fault, usize)>,
}

/// All the writes of the run, broken ones too: each has a version of its own.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The version of the first of the writes; they are counted up from there.
    first: u64,
    writes: Vec<Written>,
    /// The last version that the reloader came across, good or bad.
    seen: u64,
    /// The number of versions that were replaced before the reloader came to read them.
    pub(crate) superseded: u64,
    /// The number of faults of each kind that were refused as they should be, by [`Fault::ALL`].
    pub(crate) refused: [u64; Fault::ALL.len()],
}

impl Ledger {
    /// A ledger that starts with a valid version, which has been read already.
    pub(crate) fn new(version: u64) -> Self {
        Self {
            first: version,
            writes: vec![Written {
                at: Instant::now(),
                fault: None,
            }],
            seen: version,
            superseded: 0,
            refused: [0; Fault::ALL.len()],
        }
    }

    /// Enters the next write. To be done before it is made: nobody can then read what is not here.
    pub(crate) fn enter(&mut self, written: Written) {
        self.writes.push(written);
    }

    /// The version of the last write.
    pub(crate) fn newest(&self) -> u64 {
        self.first + self.writes.len() as u64 - 1
    }

    /// A version's write.
    pub(crate) fn get(&self, version: u64) -> Option<Written> {
        self.writes
            .get(usize::try_from(version.checked_sub(self.first)?).ok()?)
            .copied()
    }

    /// Judges a version that was published. Returns what is wrong about that, if anything is: that it was
    /// written with a fault, or that a newer one was in force.
    pub(crate) fn judge_published(&mut self, version: u64) -> Result<(), String> {
        if version <= self.seen {
            let seen = self.seen;
            return Err(format!(
                "version {version} was published after version {seen} was read"
            ));
        }
        let written = self
            .get(version)
            .ok_or("a version was published that was never written")?;
        self.see(version);
        match written.fault {
            None => Ok(()),
            Some((fault, line)) => Err(format!(
                "version {version} was published with {fault:?} on line {line}"
            )),
        }
    }

    /// Judges a refusal. Returns the fault of the write that explains it: the last one that does, since the
    /// last read. Without one, a valid file was refused, or the reason or line is not the real one.
    pub(crate) fn judge_refused(&mut self, error: &Error) -> Result<Fault, String> {
        let unread = (self.seen + 1..=self.newest()).rev();
        let explained = unread.filter_map(|version| Some((version, self.get(version)?.fault?)));
        let found = explained
            .into_iter()
            .find(|(_, (fault, line))| fault.explains(*line, error));
        let (version, (fault, _)) = found.ok_or_else(|| {
            format!("refused without a reason that was put there on purpose: {error}")
        })?;
        self.see(version);
        self.refused[fault as usize] += 1;
        Ok(fault)
    }

    fn see(&mut self, version: u64) {
        self.superseded += version - self.seen - 1;
        self.seen = version;
    }
}
