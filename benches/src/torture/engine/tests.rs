//! Of the engine.

use super::*;

fn leak() -> &'static Run {
    let settings = Settings {
        seconds: 1.0,
        seed: 7,
        threads: 1,
        broken: None,
        placebo: false,
        delays: false,
        patience: 20,
    };
    Run::leak("one", settings)
}

#[test]
fn whatever_is_wrong_is_in_the_result_in_words() {
    let run = leak();
    assert!(run.outcome(None).faults.is_empty());
    run.fault("somebody", "something");
    // Without a call of the panic hook.
    run.spawn("silent", |_| {
        std::panic::resume_unwind(Box::new("no words"))
    });
    run.join();
    run.fault_in_handler(&Fault::Other("in a handler".into()));
    let outcome = run.outcome(None);
    assert_eq!(outcome.errors(), 3);
    let all = outcome.faults.first().join("; ");
    for what in ["something", "a panic: no words", "in a handler"] {
        assert!(all.contains(what), "{all}");
    }
    assert!(run.over());
}

#[test]
fn a_monitor_that_comes_too_late_leaves_the_process_alone() {
    let run = leak();
    run.told.store(true, SeqCst);
    run.give_up(true);
    assert!(run.outcome(None).faults.is_empty());
}
