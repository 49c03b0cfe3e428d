//! Tests of runs.

use super::*;

#[test]
fn whatever_is_wrong_is_in_the_result_in_words() {
    let run = Run::leak("one", Settings::TEST);
    assert!(run.outcome(None).faults.is_empty());
    run.fault("somebody", "something");
    // A panic without a call of the panic hook.
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
