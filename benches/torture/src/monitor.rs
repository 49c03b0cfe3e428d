//! The thread that watches the others of a run.

use std::time::Duration;

use urcu_host::patience::Patience;
use urcu_host::threads;

use crate::delays;
use crate::outcome::Message;
use crate::random::Random;
use crate::run::Run;

/// Sends the counts, ends the run in time, and ends the process if nothing makes progress any more.
pub(crate) fn watch(run: &'static Run, chaos: bool) {
    const TURN: Duration = Duration::from_millis(10);
    let mut random = Random::new(run.settings.seed, u64::MAX);
    let mut patience = Patience::new(run.settings.patience(), TURN * 20);
    let mut updates = 0;
    let mut ended = false;
    for turn in 0u64.. {
        std::thread::sleep(TURN);
        let elapsed = run.elapsed();
        if !ended && (run.over() || elapsed >= run.length()) {
            run.stop();
            delays::none();
            ended = true;
            patience.renew();
        } else if chaos && !ended {
            delays::now_and_then(elapsed, &mut random);
        }
        if turn % 10 != 0 {
            continue;
        }
        let counts = run.counts();
        if !ended && (counts.updates != updates || run.is_stalled()) {
            updates = counts.updates;
            patience.renew();
        }
        if patience.is_over() {
            return give_up(run, ended);
        }
        if !Message::Tick(counts).send() {
            run.stop(); // The parent listens no more.
        }
    }
}

/// Ends the process: threads that hang cannot be ended.
fn give_up(run: &Run, ended: bool) {
    if !run.tells() {
        return; // It is about to end by itself.
    }
    let what = if ended {
        "the scenario did not end"
    } else {
        "no update was completed"
    };
    run.fault(
        "monitor",
        format!("{what} for {:?}", run.settings.patience()),
    );
    run.note("threads: ".to_owned() + &threads::threads("self").join("; "));
    Message::Done(run.outcome(None)).send();
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::give_up;
    use crate::run::Run;
    use crate::settings::Settings;

    #[test]
    fn a_monitor_that_comes_too_late_leaves_the_process_alone() {
        let run = Run::leak("one", Settings::TEST);
        assert!(run.tells());
        give_up(run, true);
        assert!(run.outcome(None).faults.is_empty());
    }
}
