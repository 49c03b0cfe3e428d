//! Callbacks that run on tokio: the work of a domain is a task of the program's own runtime, so the library needs no
//! thread of its own.
//!
//! `cargo run -p urcu-percpu --example tokio_executor`

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use urcu::{Domain, Executor, Job, Rcu, Runner};

/// The runtime's handle. `tokio::spawn` would not do, because any thread may queue callbacks.
struct Tokio(OnceLock<Handle>);

impl Executor for Tokio {
    fn execute(&self, mut job: Job) {
        // Without a runtime the job is dropped; the next job does its work later.
        if let Some(runtime) = self.0.get() {
            runtime.spawn(async move {
                while let Some(pause) = job.run() {
                    tokio::time::sleep(pause).await;
                }
            });
        }
    }
}

static TOKIO: Tokio = Tokio(OnceLock::new());
static SESSIONS: Domain = Domain::named("sessions").run_by(Runner::Executor(&TOKIO));
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Session(usize);

impl Drop for Session {
    fn drop(&mut self) {
        // `Handle::current` panics outside a runtime, so this callback must run on one of its threads.
        Handle::current();
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs the example.
///
/// # Panics
/// If a session was not dropped on the runtime.
#[allow(unreachable_pub, reason = "also a module of a test")]
pub fn main() {
    const LAST: usize = 1000;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    TOKIO.0.set(runtime.handle().clone()).expect("one runtime");
    runtime.block_on(async {
        let session = Rcu::new_in(Session(0), &SESSIONS);
        for number in 1..=LAST {
            session.store(Session(number));
        }
        // Every request would do this:
        assert_eq!(session.read().0, LAST);
        while DROPPED.load(Ordering::Relaxed) < LAST {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    println!("{LAST} sessions were dropped on the runtime");
}
