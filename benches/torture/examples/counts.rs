//! Counts, for the model of scale, the barriers and the interrupts of other CPUs in a grace period, while threads
//! of this process run on 1, 2, ... of the CPUs. Prints a line for each number of CPUs; the last line is
//! `counts: cpus=N slots=N errors=N`.
//!
//! `--check` compares the counts with the model (one barrier, and an interrupt for each other CPU that runs the
//! process), and ends with status 1 if they differ. It needs a machine on which nothing else runs.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    counts::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("counts: cpus=0 slots=0 errors=0");
}

#[cfg(target_os = "linux")]
mod counts {
    use std::fs;
    use std::hint::spin_loop;
    use std::process::ExitCode;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use urcu_host::affinity::{cpus, run_on};

    const GRACE_PERIODS: u64 = 200;

    /// Returns how many interrupts have called functions on other CPUs since the machine started, or `None` if the
    /// kernel does not say.
    fn function_calls() -> Option<u64> {
        let text = fs::read_to_string("/proc/interrupts").ok()?;
        let line = text
            .lines()
            .find(|line| line.ends_with("Function call interrupts"))?;
        let numbers = line
            .split_whitespace()
            .skip(1)
            .map_while(|word| word.parse::<u64>().ok());
        Some(numbers.sum())
    }

    struct Counted {
        barriers: f64,
        interrupts: Option<f64>,
    }

    /// Runs grace periods on one CPU while a thread of this process runs on each of `others`.
    fn count(others: &[usize]) -> Counted {
        let (stop, there) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for &cpu in others {
                let (stop, there) = (&stop, &there);
                scope.spawn(move || {
                    run_on(&[cpu]);
                    there.fetch_add(1, Ordering::Relaxed);
                    while !stop.load(Ordering::Relaxed) {
                        spin_loop();
                    }
                });
            }
            while there.load(Ordering::Relaxed) < others.len() {
                thread::yield_now();
            }
            urcu::synchronize();
            let (before, calls) = (urcu::global().stats(), function_calls());
            for _ in 0..GRACE_PERIODS {
                urcu::synchronize();
            }
            let (after, calls_after) = (urcu::global().stats(), function_calls());
            stop.store(true, Ordering::Relaxed);
            let each =
                |count: u64| count as f64 / (after.grace_periods - before.grace_periods) as f64;
            Counted {
                barriers: each(after.membarriers - before.membarriers),
                interrupts: calls
                    .zip(calls_after)
                    .map(|(before, after)| each(after - before)),
            }
        })
    }

    pub(super) fn main() -> ExitCode {
        let check = std::env::args().any(|word| word == "--check");
        let cpus = cpus();
        run_on(&cpus[..1]);
        // A second thread: the kernel shortens the barrier of a process with one thread.
        let done = AtomicBool::new(false);
        let errors = thread::scope(|scope| {
            let asleep = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    thread::park();
                }
            });
            let mut errors = 0;
            for running in 1..=cpus.len() {
                let counted = count(&cpus[1..running]);
                let predicted = (running - 1) as f64;
                let interrupts = counted
                    .interrupts
                    .map_or("unknown".to_owned(), |it| format!("{it:.2}"));
                println!(
                    "counts: running={running} barriers={:.2} interrupts={interrupts} predicted={predicted}",
                    counted.barriers
                );
                errors += u32::from((counted.barriers - 1.0).abs() > 0.01);
                // Tolerances: the kernel also interrupts for reasons of its own, the more of them the slower the machine
                // is emulated; and a CPU that runs a kernel thread at that moment needs no interrupt.
                let far = |it: f64| it < 0.9 * predicted || it > 1.5 * predicted + 1.0;
                errors += u32::from(counted.interrupts.is_some_and(far));
            }
            done.store(true, Ordering::Relaxed);
            asleep.thread().unpark();
            errors
        });
        let slots = rseq_ops::percpu::possible_cpus();
        println!("counts: cpus={} slots={slots} errors={errors}", cpus.len());
        ExitCode::from(u8::from(check && errors > 0))
    }
}
