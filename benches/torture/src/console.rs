//! Output that may fail. A full disk or a closed pipe does not end a scenario in the middle, and changes
//! no exit status but that of success.

use std::fmt::{self, Display};
use std::io::{self, Write};

/// Writes a line to standard error, and ignores errors: there is nowhere left to report them.
pub fn tell(what: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{what}");
}

/// Writes lines to standard output.
#[derive(Debug)]
pub struct Console<W = io::Stdout> {
    output: W,
    /// The first error.
    error: Option<io::Error>,
}

impl Default for Console {
    fn default() -> Self {
        Console::new(io::stdout())
    }
}

impl<W: Write> Console<W> {
    /// Returns a console that writes to `output`.
    pub fn new(output: W) -> Self {
        Console {
            output,
            error: None,
        }
    }

    /// Writes a line at once. Writes nothing more after a line that could not be written.
    pub fn line(&mut self, what: impl Display) {
        if self.error.is_none() {
            let written = writeln!(self.output, "{what}").and_then(|()| self.output.flush());
            self.error = written.err();
        }
    }

    /// Returns whether the reader has closed the pipe, so that it makes no sense to go on.
    pub fn is_left_alone(&self) -> bool {
        let error = self.error.as_ref();
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Returns whether all lines were written.
    ///
    /// # Errors
    /// Returns the first error.
    pub fn check(self) -> Result<(), Unwritten> {
        self.error.map_or(Ok(()), |error| Err(Unwritten(error)))
    }
}

/// Why lines could not be written.
#[derive(Debug)]
pub struct Unwritten(io::Error);

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standard output: {}", self.0)
    }
}

impl std::error::Error for Unwritten {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, and then fails.
    struct Disk(usize, io::ErrorKind);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.min(bytes.len()) {
                0 => Err(self.1.into()),
                most => {
                    self.0 -= most;
                    Ok(most)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_told_in_the_end() {
        let mut console = Console::new(Disk(9, io::ErrorKind::StorageFull));
        console.line("one");
        console.line("two and more");
        console.line("three");
        assert!(!console.is_left_alone());
        let error = console.check().unwrap_err();
        assert!(error.to_string().starts_with("standard output: "));

        let mut console = Console::new(Disk(0, io::ErrorKind::BrokenPipe));
        assert!(!console.is_left_alone());
        console.line("one");
        assert!(console.is_left_alone());
        let mut console = Console::new(Vec::new());
        console.line("one");
        assert_eq!(console.output, b"one\n");
        assert!(console.check().is_ok());
    }
}
