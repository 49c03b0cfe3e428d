//! The thread that watches the others of a run.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::Run;
use crate::torture::patience::Patience;
use crate::torture::random::Random;
use crate::torture::report::Message;
use crate::torture::{delays, system};

impl Run {
    /// Says how it goes, ends the run in time, and notices if nothing goes any more.
    pub(super) fn monitor(&'static self, chaos: bool) {
        const TURN: Duration = Duration::from_millis(10);
        let mut random = Random::new(self.settings.seed, u64::MAX);
        let mut patience = Patience::new(self.settings.patience(), TURN * 20);
        let mut updates = 0;
        let mut ended = false;
        for turn in 0u64.. {
            std::thread::sleep(TURN);
            let elapsed = self.elapsed();
            if !ended && (self.over() || elapsed >= self.length()) {
                self.over.store(true, SeqCst);
                delays::none();
                ended = true;
                patience.renew();
            } else if chaos && !ended {
                delays::now_and_then(elapsed, &mut random);
            }
            if turn % 10 != 0 {
                continue;
            }
            let counts = self.counts();
            if !ended && (counts.updates != updates || self.stalled.load(SeqCst)) {
                updates = counts.updates;
                patience.renew();
            }
            if patience.is_over() {
                return self.give_up(ended);
            }
            if !Message::Tick(counts).send() {
                self.over.store(true, SeqCst); // Nobody listens any more.
            }
        }
    }

    /// Ends the process: threads that hang cannot be ended.
    pub(super) fn give_up(&self, ended: bool) {
        if self.told.swap(true, SeqCst) {
            return; // It is about to end by itself.
        }
        let what = if ended {
            "the scenario does not end"
        } else {
            "no grace period has ended"
        };
        self.fault(
            "monitor",
            format!("{what}, for {:?}", self.settings.patience()),
        );
        self.note("threads: ".to_owned() + &system::threads("self").join("; "));
        Message::Done(self.outcome(None)).send();
        std::process::exit(1);
    }
}
