//! The bar on the terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::counts::{Counts, short};

/// The progress bar of one scenario, drawn only on a terminal.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
    start: Instant,
    length: Duration,
    last: (Instant, Counts),
}

impl Bar {
    /// Returns the bar of a scenario that will take `length`. `position` is its number, and that of all.
    pub fn new(name: &str, position: (usize, usize), length: Duration) -> Self {
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(length.as_millis().max(1) as u64), target);
        let style = ProgressStyle::with_template("{prefix} {bar:16} {elapsed:>4} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(format!("[{}/{}] {name:<18}", position.0, position.1));
        let now = Instant::now();
        Bar {
            bar,
            start: now,
            length,
            last: (now, Counts::default()),
        }
    }

    /// Shows what was counted so far.
    pub fn show(&mut self, counts: &Counts) {
        let past = self.last.0.elapsed();
        if self.bar.is_hidden() || past < Duration::from_millis(400) {
            return;
        }
        let before = &self.last.1;
        let rate = |now: u64, then: u64| {
            short((now.saturating_sub(then) as f64 / past.as_secs_f64()) as u64)
        };
        self.bar.set_message(format!(
            "{} reads/s, {} grace periods/s, {} aborts, {} fallbacks, {} MiB",
            rate(counts.reads, before.reads),
            rate(counts.grace_periods, before.grace_periods),
            short(counts.aborts),
            short(counts.fallbacks),
            counts.memory >> 20,
        ));
        let elapsed = self.start.elapsed().min(self.length);
        self.bar.set_position(elapsed.as_millis() as u64);
        self.last = (Instant::now(), counts.clone());
    }

    /// Removes the bar.
    pub fn clear(self) {
        self.bar.finish_and_clear();
    }
}
