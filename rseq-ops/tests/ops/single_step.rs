//! A debugger that steps into a sequence aborts it every time; whoever bounds the retries gets on.

use std::process::Command;
use std::sync::atomic::AtomicUsize;

use rseq_ops::{current_thread, ops, percpu::Area};

const ATTEMPTS: u32 = 3;

#[test]
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
        // Until the function returns, an instruction at a time.
        "python\nn = 0\nrsp = lambda: int(gdb.selected_frame().read_register('rsp'))\nsp = rsp()\n\
         while n < 4000 and rsp() <= sp:\n  gdb.execute('stepi', to_string=True)\n  n += 1\n\
         print('steps', n)\nend",
        "continue",
    ];
    let file = std::env::temp_dir().join(format!("rseq-ops-step-{}.gdb", std::process::id()));
    std::fs::write(&file, script.join("\n")).unwrap();
    let output = Command::new("timeout")
        .args(["60", "gdb", "--batch", "-nx", "-x"])
        .arg(&file)
        .arg("--args")
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "single_step::child_that_is_stepped",
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
    assert!(text.contains("1 passed"), "{text}");
}

/// Tries some times; how often it was aborted.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rseq_ops_stepped(source: &AtomicUsize) -> u32 {
    let Some(handle) = current_thread() else {
        return 0;
    };
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
    let source = AtomicUsize::new(area.base().as_ptr().expose_provenance());
    let aborted = rseq_ops_stepped(&source);
    println!("aborted {aborted} of {ATTEMPTS}");
}
