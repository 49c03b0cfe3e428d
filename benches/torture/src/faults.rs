//! Faults. Each is counted together with its text: the number cannot grow alone, so no fault goes
//! unreported.

use std::fmt::{Display, Write};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};

use serde::{Deserialize, Serialize};

/// The number of faults whose texts are kept.
const KEPT: usize = 12;

/// The faults found: their number, and the texts of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Received")]
pub struct Faults {
    errors: u64,
    faults: Vec<String>,
}

/// Faults as another process reported them. The report itself may be wrong: errors without a text.
#[derive(Deserialize)]
struct Received {
    errors: u64,
    faults: Vec<String>,
}

impl From<Received> for Faults {
    fn from(Received { errors, faults }: Received) -> Self {
        let told = faults.len() as u64;
        let mut all = Faults {
            errors: told,
            faults,
        };
        if errors > told {
            all.add_times(errors - told, "errors without a description");
        }
        all
    }
}

impl Faults {
    /// Counts a fault, and keeps its text if it is one of the first. Returns whether it kept the text.
    pub fn add(&mut self, what: impl Display) -> bool {
        self.add_times(1, what)
    }

    /// Counts `times` faults of one kind under one text. Does nothing if `times` is 0.
    pub fn add_times(&mut self, times: u64, what: impl Display) -> bool {
        if times == 0 {
            return false;
        }
        self.errors += times;
        let kept = self.faults.len() < KEPT;
        if kept {
            let text = what.to_string();
            let text = if text.trim().is_empty() {
                "a fault without a description".to_owned()
            } else {
                text
            };
            self.faults.push(text);
        }
        kept
    }

    /// Returns the number of faults.
    pub fn count(&self) -> u64 {
        self.errors
    }

    /// Returns whether there were no faults.
    pub fn is_empty(&self) -> bool {
        self.errors == 0
    }

    /// Returns the texts of the first faults. Not empty if there were any faults.
    pub fn first(&self) -> &[String] {
        &self.faults
    }
}

/// The faults of signal handlers, which can take no locks and allocate nothing. All are counted; only
/// the first keeps its text.
#[derive(Debug)]
pub struct InHandlers {
    count: AtomicU64,
    text: [AtomicU8; 256],
    /// The length of the text once it is there, and 0 before.
    length: AtomicUsize,
}

impl Default for InHandlers {
    fn default() -> Self {
        InHandlers {
            count: AtomicU64::new(0),
            text: [const { AtomicU8::new(0) }; 256],
            length: AtomicUsize::new(0),
        }
    }
}

impl Write for &InHandlers {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let length = self.length.load(Relaxed);
        let rest = &self.text[length.min(self.text.len())..];
        for (cell, byte) in rest.iter().zip(text.bytes()) {
            cell.store(byte, Relaxed);
        }
        // Release: pairs with the acquire in `add_to`.
        self.length
            .store(length + text.len().min(rest.len()), Release);
        Ok(())
    }
}

impl InHandlers {
    /// Counts a fault. Async-signal-safe, if formatting it is.
    pub fn add(&self, what: &dyn Display) {
        if self.count.fetch_add(1, Relaxed) == 0 {
            // Nobody else writes the text.
            let mut text = self;
            let _ = write!(text, "{what}");
        }
    }

    /// Adds the faults of the handlers to `faults`.
    pub fn add_to(&self, faults: &mut Faults) {
        let length = self.length.load(Acquire).min(self.text.len());
        let text: Vec<u8> = self.text[..length]
            .iter()
            .map(|byte| byte.load(Relaxed))
            .collect();
        let text = String::from_utf8_lossy(&text);
        let count = self.count.load(Relaxed);
        faults.add_times(
            count,
            format_args!("in signal handlers, {count} times; the first: {text}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_without_a_word() {
        let mut faults = Faults::default();
        assert!(faults.is_empty());
        assert!(faults.add(""));
        assert_eq!((faults.count(), faults.first().len()), (1, 1));
        assert!(!faults.first()[0].is_empty());
        for number in 0..100 {
            assert_eq!(faults.add(number), number + 1 < KEPT);
        }
        assert_eq!((faults.count(), faults.first().len()), (101, KEPT));
        assert!(!faults.add_times(0, "none"));
        assert_eq!(faults.count(), 101);
    }

    #[test]
    fn what_another_process_counted_in_silence_is_told() {
        let received: Faults = serde_json::from_str(r#"{"errors":1,"faults":[]}"#).unwrap();
        assert_eq!(received.count(), 1);
        assert_eq!(received.first(), ["errors without a description"]);
        let received: Faults = serde_json::from_str(r#"{"errors":0,"faults":["one"]}"#).unwrap();
        assert_eq!((received.count(), received.first().len()), (1, 1));
        let again: Faults =
            serde_json::from_str(&serde_json::to_string(&received).unwrap()).unwrap();
        assert_eq!(again, received);
    }

    #[test]
    fn the_first_fault_of_a_handler_has_its_text_and_all_are_counted() {
        let handlers = InHandlers::default();
        let mut faults = Faults::default();
        handlers.add_to(&mut faults);
        assert!(faults.is_empty());
        handlers.add(&format_args!("version {} was {}", 7, "too old"));
        handlers.add(&"another");
        handlers.add_to(&mut faults);
        assert_eq!(faults.count(), 2);
        assert!(faults.first()[0].ends_with("the first: version 7 was too old"));

        let handlers = InHandlers::default();
        handlers.add(&"x".repeat(1000));
        handlers.add_to(&mut faults);
        assert!(faults.first()[1].ends_with(&"x".repeat(256)));
    }
}
