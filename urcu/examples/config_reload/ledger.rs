//! What was written to the file, so that what becomes of it can be judged.

use std::time::Instant;

use crate::config::Refusal;

/// What can be wrong with a file on purpose.
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

    /// Whether a file with this fault, put on that line, is to be refused for that reason.
    fn explains(self, fault_line: usize, refusal: &Refusal) -> bool {
        let here = refusal.line() == Some(fault_line);
        match (self, refusal) {
            (Self::BadSyntax | Self::WrongType, Refusal::Malformed { .. }) => here,
            (Self::UnknownBackend | Self::NameTaken, Refusal::Invalid { .. }) => here,
            // What is wrong with the rest, and on which line, depends on where the cut is.
            (Self::CutShort, Refusal::Malformed { .. } | Refusal::Invalid { .. }) => true,
            (Self::NoFile, Refusal::Missing) => true,
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
    /// Where in the text the version stands. Nothing before it ever changes.
    stamp_start: usize,
    /// The last version that the reloader came across, good or bad.
    seen: u64,
    /// How many versions were replaced before the reloader came to read them.
    pub(crate) superseded: u64,
    /// How many of each kind of fault were refused as they should be, by [`Fault::ALL`].
    pub(crate) refused: [u64; Fault::ALL.len()],
}

impl Ledger {
    /// A ledger that starts with a valid version, which has been read already.
    pub(crate) fn new(version: u64, stamp_start: usize) -> Self {
        Self {
            first: version,
            writes: vec![Written {
                at: Instant::now(),
                fault: None,
            }],
            stamp_start,
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

    /// Judges what became of a file that was read, `None` being the lack of one.
    ///
    /// Gives the fault that it was rightly refused for, if any, or what is wrong about the outcome:
    /// a valid file refused, a broken one accepted, a reason or a line that is not the real one.
    pub(crate) fn judge(
        &mut self,
        text: Option<&str>,
        refusal: Option<&Refusal>,
    ) -> Result<Option<Fault>, String> {
        let version = match text {
            Some(text) => self
                .stamp_of(text)
                .ok_or("a file without a version was read")?,
            None => self
                .last_removal()
                .ok_or("no file was found, though none was taken away")?,
        };
        if version <= self.seen {
            return Err(format!(
                "version {version} was read after version {}",
                self.seen
            ));
        }
        let written = self
            .get(version)
            .ok_or("a version was read that was never written")?;
        self.superseded += version - self.seen - 1;
        self.seen = version;
        match (written.fault, refusal) {
            (None, None) => Ok(None),
            (Some((fault, line)), Some(refusal)) if fault.explains(line, refusal) => {
                self.refused[fault as usize] += 1;
                Ok(Some(fault))
            }
            (fault, refusal) => Err(format!(
                "version {version}, written with {fault:?}, ended in {refusal:?}"
            )),
        }
    }

    /// The version that a text carries, broken or not.
    fn stamp_of(&self, text: &str) -> Option<u64> {
        let digits = text.get(self.stamp_start..)?;
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        digits[..end].parse().ok()
    }

    /// The last time since the last read that the file was taken away.
    fn last_removal(&self) -> Option<u64> {
        let taken_away = |&version: &u64| {
            let fault = self.get(version).and_then(|written| written.fault);
            matches!(fault, Some((Fault::NoFile, _)))
        };
        (self.seen + 1..=self.newest()).rev().find(taken_away)
    }
}
