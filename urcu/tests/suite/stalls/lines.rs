//! Where reports go that have no hook: standard error, `log`, `tracing`.

use std::thread;
use std::time::Duration;

use urcu::stall;

use super::DOMAIN;
#[cfg(not(any(feature = "log", feature = "tracing")))]
use crate::support::{child, run};

/// The beginning of the default hook's line.
const LINE: &str = "grace period 1 of RCU domain \"stalled\" has waited ";

#[cfg(not(any(feature = "log", feature = "tracing")))]
#[test]
fn without_a_hook_a_line_is_written_on_standard_error() {
    let mut command = child("stalls::lines::child_without_a_hook");
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(&format!("urcu: {LINE}")), "{output}");
}

#[cfg(not(any(feature = "log", feature = "tracing")))]
#[test]
fn without_standard_error_nothing_happens() {
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "exec 2>&-; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "stalls::lines::child_without_a_hook",
            "--include-ignored",
        ]);
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{output}");
}

fn stall_once() {
    stall::set_timeout(Duration::from_millis(20));
    let guard = DOMAIN.read_lock();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    while DOMAIN.stats().stalls == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(10));
    drop(guard);
    waiter.join().unwrap();
}

#[test]
#[ignore = "a child process of the tests above"]
fn child_without_a_hook() {
    stall_once();
}

#[cfg(all(feature = "log", not(feature = "tracing")))]
mod with_log {
    use super::*;
    use crate::support::assert_child_passes;
    use std::sync::Mutex;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Collect;

    impl log::Log for Collect {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            let line = format!("{} {} {}", record.level(), record.target(), record.args());
            LINES.lock().unwrap().push(line);
        }
        fn flush(&self) {}
    }

    #[test]
    fn a_report_goes_to_the_log() {
        assert_child_passes("stalls::lines::with_log::child_with_a_logger");
    }

    #[test]
    #[ignore = "a child process"]
    fn child_with_a_logger() {
        log::set_logger(&Collect).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        stall_once();
        let lines = LINES.lock().unwrap();
        assert!(
            lines[0].starts_with(&format!("WARN urcu {LINE}")),
            "{lines:?}"
        );
    }
}

#[cfg(feature = "tracing")]
mod with_tracing {
    use super::*;
    use crate::support::assert_child_passes;
    use std::sync::Mutex;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Collect;

    impl Visit for Collect {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            LINES.lock().unwrap().push(format!("{field} {value:?}"));
        }
    }

    impl Subscriber for Collect {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            assert_eq!(event.metadata().target(), "urcu");
            assert_eq!(*event.metadata().level(), tracing::Level::WARN);
            event.record(&mut Collect);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_report_is_an_event() {
        assert_child_passes("stalls::lines::with_tracing::child_with_a_subscriber");
    }

    #[test]
    #[ignore = "a child process"]
    fn child_with_a_subscriber() {
        tracing::subscriber::set_global_default(Collect).unwrap();
        stall_once();
        let lines = LINES.lock().unwrap();
        assert!(
            lines[0].starts_with(&format!("message {LINE}")),
            "{lines:?}"
        );
    }
}
