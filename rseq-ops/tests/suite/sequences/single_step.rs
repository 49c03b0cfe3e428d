//! A debugger that steps into a sequence aborts it every time; whoever bounds the retries gets on.

use std::process::Command;
use std::sync::atomic::AtomicUsize;

use rseq_ops::percpu::{Area, Counter, Mode, Node, Ring, Stack, possible_cpus};
use rseq_ops::{current_thread, ops};

const ATTEMPTS: u32 = 3;

#[test(330)]
fn stepping_aborts_the_sequence_and_bounded_retries_end() {
    if Command::new("gdb").arg("--version").output().is_err() {
        return println!("skipped: gdb is not installed");
    }
    if current_thread().is_none() {
        return println!("skipped: no sequences in this process");
    }
    let script = [
        "set pagination off",
        "set confirm off",
        "set breakpoint pending on",
        "break rseq_ops_stepped",
        "run",
        // The other threads only take time: each step would wake and stop them.
        "set scheduler-locking on",
        // An instruction at a time, until the function has returned.
        "python\nn = 0\nrsp = lambda: int(gdb.selected_frame().read_register('rsp'))\nsp = rsp()\n\
         while n < 2000 and rsp() <= sp:\n  gdb.execute('stepi 50', to_string=True)\n  n += 1\n\
         print('steps', 50 * n)\nend",
        "set scheduler-locking off",
        "continue",
    ];
    let file = std::env::temp_dir().join(format!("rseq-ops-step-{}.gdb", std::process::id()));
    std::fs::write(&file, script.join("\n")).unwrap();
    let output = Command::new("timeout")
        .args(["300", "gdb", "--batch", "-nx", "-x"])
        .arg(&file)
        .arg("--args")
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "sequences::single_step::child_that_is_stepped",
            "--include-ignored",
            "--nocapture",
        ])
        .env("RSEQ_OPS_STEPPED", "1")
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("not permitted") || errors.contains("Python scripting is not supported") {
        return println!("skipped: gdb cannot run this program here:\n{errors}");
    }
    let text = text + errors;
    assert!(
        text.contains(&format!("aborted {ATTEMPTS} of {ATTEMPTS}")),
        "{text}"
    );
    assert!(text.contains("stripe true"), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

/// Everything that the child uses while a debugger steps through it.
struct Used<'a> {
    source: AtomicUsize,
    counter: Counter<'static>,
    stack: Stack<'a, u32>,
    node: Option<&'a mut Node<u32>>,
    ring: Ring,
}

/// Tries some times; how often it was aborted. Then uses what bounds its attempts by itself.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rseq_ops_stepped(used: &mut Used<'_>) -> u32 {
    let Some(handle) = current_thread() else {
        return 0;
    };
    used.counter.add(1);
    if let Some(node) = used.node.take() {
        used.stack.push(node);
    }
    let _ = used.ring.write(b"record");
    let source = &used.source;
    (0..ATTEMPTS)
        // SAFETY: this thread's handle; the word points to an area of this stride.
        .map(|_| unsafe { ops::add_through::<7>(handle, source.as_ptr()) })
        .filter(Option::is_none)
        .count() as u32
}

#[test]
#[ignore = "a child process that a debugger runs"]
fn child_that_is_stepped() {
    let area = Area::new(0, 128).unwrap();
    let mut node = Node::new(7);
    let mut used = Used {
        source: AtomicUsize::new(area.base().as_ptr().expose_provenance()),
        counter: Counter::new().unwrap(),
        stack: Stack::new().unwrap(),
        node: Some(&mut node),
        // The usual clock itself may try again for ever while it is stepped through.
        ring: Ring::with_clock(Mode::Discard, 4096, || 0).unwrap(),
    };
    let aborted = rseq_ops_stepped(&mut used);
    println!("aborted {aborted} of {ATTEMPTS}");
    // No sequence of the structures committed either: it was their other ways that did.
    assert_eq!(used.counter.sum(), 1);
    assert_eq!(used.stack.take_all().unwrap().count(), 1);
    let mut consumer = used.ring.consumer().unwrap();
    let mut rings = Vec::new();
    consumer.poll(|record| rings.push(record.ring));
    assert_eq!(rings.len(), 1);
    println!("stripe {}", rings[0] >= possible_cpus());
}
