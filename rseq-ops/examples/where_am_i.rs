//! What it costs to ask where one runs: this crate beside `sched_getcpu` and the system call.
//!
//! `cargo run --release -p rseq-ops --example where_am_i`. Rounds are interleaved and the median
//! counts, so that a machine that changes its pace changes it for all.

#[cfg(target_os = "linux")]
fn main() {
    use std::hint::black_box;

    /// Times each is called in a round.
    const CALLS: u32 = 100_000;
    const ROUNDS: usize = 31;

    fn raw_getcpu() -> u32 {
        let mut cpu = 0u32;
        let none = std::ptr::null_mut::<u32>();
        // SAFETY: `cpu` is valid for the write; the node and the third argument are not wanted.
        unsafe { libc::syscall(libc::SYS_getcpu, &raw mut cpu, none, none) };
        cpu
    }

    fn time<T>(f: impl Fn() -> T) -> f64 {
        let start = std::time::Instant::now();
        for _ in 0..CALLS {
            black_box(f());
        }
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    }

    println!(
        "sequences in this build: {}",
        rseq_ops::registration::SUPPORTED
    );
    println!("{:#?}", rseq_ops::features());
    println!(
        "CPU {}, concurrency id {:?}, node {:?}\n",
        rseq_ops::current_cpu(),
        rseq_ops::concurrency_id(),
        rseq_ops::numa_node()
    );

    type Measure = (&'static str, fn() -> f64);
    let measures: [Measure; 6] = [
        ("an empty loop", || time(|| 0)),
        ("current_cpu()", || time(rseq_ops::current_cpu)),
        ("concurrency_id()", || time(rseq_ops::concurrency_id)),
        ("numa_node()", || time(rseq_ops::numa_node)),
        ("libc::sched_getcpu()", || {
            // SAFETY: takes nothing.
            time(|| unsafe { libc::sched_getcpu() })
        }),
        ("getcpu(2), the system call", || time(raw_getcpu)),
    ];
    let mut rounds = measures.map(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for ((_, measure), times) in measures.iter().zip(&mut rounds) {
            times.push(measure());
        }
    }
    for ((name, _), times) in measures.iter().zip(&mut rounds) {
        times.sort_by(f64::total_cmp);
        println!("{name:<28} {:8.2} ns", times[ROUNDS / 2]);
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("rseq is a call of Linux");
}
