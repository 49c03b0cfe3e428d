//! A program that uses everything that is done later, and calls `barrier` at its end, leaks
//! nothing: valgrind says so, and LeakSanitizer where this is built with it (`.ci/sanitizers`).
//! Both must also find what a program leaks that leaves its callbacks.
//!
//! valgrind has no restartable sequences, so there callbacks are queued under locks. LeakSanitizer
//! sees the other way too.

use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use urcu::{Budget, Domain, Executor, Job, Rcu, RcuArc, RcuArcOption, RcuOption, Runner};

/// In the environment of what is looked at: which program to be.
const PROGRAM: &str = "URCU_TEST_LEAKS";

/// A domain that is never dropped.
static STATIC: Domain = Domain::named("static");
static LATEST: RcuOption<Vec<u64>, &Domain> = RcuOption::empty_in(&STATIC);

static DROPS: AtomicUsize = AtomicUsize::new(0);

/// On the heap, so that its leak is a leak.
struct Counted(Box<usize>);

impl Counted {
    fn new() -> Self {
        Counted(Box::new(1))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.fetch_add(*self.0, SeqCst);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on(future: impl Future) {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while future
        .as_mut()
        .poll(&mut Context::from_waker(&waker))
        .is_pending()
    {
        thread::park();
    }
}

struct Later(Mutex<Vec<Job>>);

static LATER: Later = Later(Mutex::new(Vec::new()));

impl Executor for Later {
    fn execute(&self, job: Job) {
        self.0.lock().expect("no panic").push(job);
    }
}

/// Works on a domain. Returns the number of values that it leaves to the domain.
fn work(domain: &'static Domain, cells: bool) -> usize {
    const ROUNDS: usize = 300;
    let large = [1u8; 5000];
    for number in 0..ROUNDS {
        domain.defer_drop(Counted::new());
        let (captured, words) = (Counted::new(), [number; 9]);
        domain.call(move || assert!(words[8] == number && *captured.0 == 1));
        let captured = Counted::new();
        let inline = move || assert_eq!(*captured.0, 1);
        if let Err(refused) = domain.try_call(inline) {
            refused();
        }
    }
    let captured = Counted::new();
    domain.call(move || assert!(large[4999] == 1 && *captured.0 == 1));
    let captured = Counted::new();
    domain.call(move || {
        let captured = captured;
        std::panic::resume_unwind(Box::new(captured));
    });
    if cells {
        let (shared, maybe) = (RcuArc::new(Arc::new(1)), RcuArcOption::empty());
        let counted = Rcu::new_in(Counted::new(), domain);
        for number in 0..ROUNDS {
            counted.store(Counted::new());
            shared.store(Arc::new(number));
            maybe.store((number % 2 == 0).then(|| Arc::new(number)));
            LATEST.update(|old| Some(vec![old.map_or(0, |old| old[0]) + 1; 100]));
        }
        assert_eq!(*counted.replace(Counted::new()).0, 1);
        LATEST.take();
        return 4 * ROUNDS + 4;
    }
    3 * ROUNDS + 2
}

fn program(leaves: bool) {
    let mut queued = work(urcu::global(), true) + work(&STATIC, true);
    block_on(urcu::global().synchronize_async());
    block_on(STATIC.synchronize_async());
    let more = thread::spawn(|| work(&STATIC, false));
    queued += more.join().expect("no panic");
    for runner in [
        Runner::Shared,
        Runner::OwnThread,
        Runner::Caller,
        Runner::Executor(&LATER),
    ] {
        let domain = Domain::new()
            .run_by(runner)
            .with_budget(Budget::new(1000, 1 << 20));
        let cookie = domain.start_poll();
        let mut abandoned = Box::pin(domain.synchronize_async());
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let section = domain.read_lock();
        let _ = abandoned.as_mut().poll(&mut Context::from_waker(&waker));
        drop(section);
        for _ in 0..500 {
            domain.defer_drop(Counted::new());
        }
        queued += 500;
        domain.run_callbacks(100);
        if let Some(mut job) = LATER.0.lock().expect("no panic").pop() {
            job.run();
        }
        cookie.wait();
        drop(domain); // Runs what is left.
    }
    if leaves {
        let domain = Box::leak(Box::new(Domain::new().run_by(Runner::Caller)));
        work(domain, false);
        return;
    }
    STATIC.barrier();
    urcu::barrier();
    assert_eq!(DROPS.load(SeqCst), queued);
}

/// Runs this again as a program: exit code and output.
fn run(mut command: Command, program: &str) -> (Option<i32>, String) {
    let output = command
        .env(PROGRAM, program)
        .stdin(Stdio::null())
        .output()
        .expect("a process");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn check(name: &str, command: impl Fn() -> Command, found: i32) -> bool {
    let (honest, said) = run(command(), "honest");
    // For 32-bit programs it needs symbols of their C library.
    if said.contains("valgrind:  Fatal error at startup") {
        println!("leaks: skipped: {name} cannot run this program here");
        return true;
    }
    let (leaky, _) = run(command(), "leaky");
    let passes = honest == Some(0) && leaky == Some(found);
    println!("leaks, {name}: honest program {honest:?}, leaky program {leaky:?}");
    if !passes {
        println!("{said}\nexpected: Some(0) and Some({found})");
    }
    passes
}

fn main() -> ExitCode {
    match std::env::var(PROGRAM).as_deref() {
        Ok(which) => {
            program(which == "leaky");
            return ExitCode::SUCCESS;
        }
        Err(_) if std::env::args().any(|argument| argument == "--list") => {
            return ExitCode::SUCCESS;
        }
        Err(_) => {}
    }
    let this = std::env::current_exe().expect("the path of this binary");
    // Set by `.ci/sanitizers`: the exit code of a program with a leak.
    if let Ok(code) = std::env::var("URCU_TEST_LEAK_SANITIZER") {
        let code = code.parse().expect("an exit code");
        return ExitCode::from(u8::from(!check(
            "LeakSanitizer",
            || Command::new(&this),
            code,
        )));
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("leaks: skipped: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    let valgrind = || {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--leak-check=full", "--error-exitcode=9"])
            .args(["--show-leak-kinds=definite,indirect,possible"])
            .args(["--errors-for-leak-kinds=definite,indirect,possible"])
            .arg(concat!(
                "--suppressions=",
                env!("CARGO_MANIFEST_DIR"),
                "/tests/leaks.supp"
            ))
            .arg(&this);
        command
    };
    ExitCode::from(u8::from(!check("valgrind", valgrind, 9)))
}
