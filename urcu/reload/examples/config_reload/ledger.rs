//! A record of what was written to the file, by which publications and refusals are judged.

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

    /// Returns whether this is the right error for a file with this fault on that line.
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

/// One write: its time and, if it is broken, its fault and the fault's line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) at: Instant,
    pub(crate) fault: Option<(Fault, usize)>,
}

/// All writes of the run, broken ones too. Each has its own version.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The version of the first write; later writes count up from it.
    first: u64,
    writes: Vec<Written>,
    /// The last version that the library read, good or bad.
    seen: u64,
    /// The number of versions that were replaced before the library read them.
    pub(crate) superseded: u64,
    /// The number of correct refusals for each fault, in the order of [`Fault::ALL`].
    pub(crate) refused: [u64; Fault::ALL.len()],
}

impl Ledger {
    /// Returns a ledger that begins with a valid version, which the library has read.
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

    /// Enters the next write. Called before the write is made, so that nothing unrecorded can be read.
    pub(crate) fn enter(&mut self, written: Written) {
        self.writes.push(written);
    }

    /// Returns the version of the last write.
    pub(crate) fn newest(&self) -> u64 {
        self.first + self.writes.len() as u64 - 1
    }

    /// Returns the write of a version.
    pub(crate) fn get(&self, version: u64) -> Option<Written> {
        self.writes
            .get(usize::try_from(version.checked_sub(self.first)?).ok()?)
            .copied()
    }

    /// Judges a version that was published. Returns an error if it was written with a fault, or if a newer version
    /// was in force.
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

    /// Judges a refusal. Returns the fault of the last write since the last read that explains it. Without such a
    /// write, a valid file was refused, or the reason or the line is wrong.
    pub(crate) fn judge_refused(&mut self, error: &Error) -> Result<Fault, String> {
        let unread = (self.seen + 1..=self.newest()).rev();
        let explained = unread.filter_map(|version| Some((version, self.get(version)?.fault?)));
        let found = explained
            .into_iter()
            .find(|(_, (fault, line))| fault.explains(*line, error));
        let (version, (fault, _)) = found
            .ok_or_else(|| format!("a refusal that no fault made on purpose explains: {error}"))?;
        self.see(version);
        self.refused[fault as usize] += 1;
        Ok(fault)
    }

    fn see(&mut self, version: u64) {
        self.superseded += version - self.seen - 1;
        self.seen = version;
    }
}
