//! Counts commits and aborts of every operation, and checks what a restart promises.
//!
//! `aborts [SECONDS [DELAY [plain]]]`: threads (two per CPU) run the operations for so many
//! seconds (2), while another replaces what they go through every millisecond, calls
//! [`rseq_ops::membarrier::restart`], and then looks whether anything still happens in the old
//! place. DELAY (20000) is the length of the loops inside the sequences, where
//! `--cfg rseq_ops_delay_injection` put some. With `plain`, the barrier is the one that restarts nothing: then
//! violations are to be expected (and nothing else tells that this program can find any).
//!
//! Prints `aborts: operation=N ...`. Exit status 1 for a violation or a wrong sum, 2 where there
//! are no restartable sequences.
//!
//! ```text
//! RUSTFLAGS="--cfg rseq_ops_delay_injection" cargo run --release -p rseq-ops --example aborts
//! ```

use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rseq_ops::ops::{self, Outcome};
use rseq_ops::percpu::Area;
use rseq_ops::{Handle, delay, membarrier};

/// Two cache lines from one CPU's counters to the next.
const SHIFT: u32 = 7;
const NAMES: [&str; 5] = [
    "add_through",
    "sub_if_current",
    "add",
    "copy_through",
    "copy_through_bytes",
];
/// Written over what no copy may see any more.
const POISON: u64 = u64::MAX;
/// Of both copies; the second is one byte short of it, which takes the loop.
const WORDS: usize = 8;

/// Counters of every CPU for two phases, 8 bytes apart, and the word that says which is current.
struct Phases {
    area: Area,
    current: AtomicUsize,
}

impl Phases {
    fn new() -> Self {
        let area = Area::new(0, 1 << SHIFT).expect("memory for the counters");
        let current = AtomicUsize::new(area.base().as_ptr().expose_provenance());
        Phases { area, current }
    }

    fn sum(&self, word: usize) -> i64 {
        let counter = |cpu: usize| ptr::with_exposed_provenance::<AtomicI64>(word + (cpu << SHIFT));
        (0..self.area.cpus())
            // SAFETY: within the area, aligned, zeroed at first, and never freed before the end.
            .map(|cpu| unsafe { &*counter(cpu) }.load(Ordering::Acquire))
            .sum()
    }

    fn total(&self) -> i64 {
        let word = self.current.load(Ordering::Relaxed);
        self.sum(word) + self.sum(word ^ 8)
    }

    /// Makes the other phase the current one. Returns the old one.
    fn flip(&self) -> usize {
        self.current.fetch_xor(8, Ordering::AcqRel)
    }
}

type Value = [AtomicU64; WORDS];

struct Shared {
    additions: Phases,
    subtractions: Phases,
    plain: Phases,
    value: AtomicPtr<u8>,
    stop: AtomicBool,
    violations: AtomicU64,
}

/// Commits, mismatches and aborts of each operation.
type Counts = [[u64; 3]; NAMES.len()];

fn attempts(shared: &Shared, handle: Handle, counts: &mut Counts) {
    let mut count = |operation: usize, outcome: Outcome| {
        counts[operation][match outcome {
            Outcome::Committed => 0,
            Outcome::Mismatch => 1,
            Outcome::Aborted => 2,
        }] += 1;
        outcome == Outcome::Committed
    };
    let (mut copy, mut bytes) = ([0u64; WORDS], [0u64; WORDS]);
    let source = shared.value.as_ptr().cast_const().cast::<*const u8>();
    let expected = shared.subtractions.current.load(Ordering::Relaxed);
    // SAFETY: this thread's handle; the words point into areas with this stride that outlive the
    // threads, and only these sequences write there; the value is overwritten only after it was
    // replaced and the sequences were restarted; the copies have room.
    unsafe {
        let added = ops::add_through::<SHIFT>(handle, shared.additions.current.as_ptr());
        count(0, added.map_or(Outcome::Aborted, |_| Outcome::Committed));
        let current = shared.subtractions.current.as_ptr();
        count(
            1,
            ops::sub_if_current::<SHIFT>(handle, current, expected, 0),
        );
        let base = shared.plain.current.load(Ordering::Relaxed);
        count(2, ops::add::<SHIFT>(handle, base, 3));
        let target = copy.as_mut_ptr().cast::<u8>();
        if !count(3, ops::copy_through(handle, source, target, 8 * WORDS)) {
            copy = [0; WORDS];
        }
        let target = bytes.as_mut_ptr().cast::<u8>();
        if !count(4, ops::copy_through(handle, source, target, 8 * WORDS - 1)) {
            bytes = [0; WORDS];
        }
    }
    bytes[WORDS - 1] = bytes[WORDS - 1] << 8 | bytes[0] & 0xff;
    for copied in [copy, bytes] {
        // Every byte of a value is the same.
        let torn = copied.iter().any(|word| *word != copied[0]) || copied[0] == POISON;
        shared.violations.fetch_add(torn.into(), Ordering::Relaxed);
    }
}

fn work(shared: &Shared) -> Counts {
    let mut counts = Counts::default();
    let Some(handle) = rseq_ops::current_thread() else {
        return counts;
    };
    while !shared.stop.load(Ordering::Relaxed) {
        for _ in 0..100 {
            attempts(shared, handle, &mut counts);
        }
    }
    counts
}

/// Replaces what the threads go through, restarts them, and looks at the old places. How often.
fn replace(shared: &Shared, values: &[Value; 2], barrier: impl Fn()) -> u64 {
    let fill = |value: &Value, with: u64| {
        value
            .iter()
            .for_each(|word| word.store(with, Ordering::Relaxed));
    };
    let mut rounds = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let value = &values[rounds as usize & 1];
        fill(value, (rounds % 251) * 0x0101_0101_0101_0101);
        shared
            .value
            .store(ptr::from_ref(value).cast_mut().cast(), Ordering::Release);
        let added = shared.additions.flip();
        let subtracted = shared.subtractions.flip();
        barrier();
        fill(&values[(rounds as usize & 1) ^ 1], POISON);
        let sums = || {
            (
                shared.additions.sum(added),
                shared.subtractions.sum(subtracted),
            )
        };
        let before = sums();
        thread::sleep(Duration::from_millis(1));
        let late = before != sums();
        shared.violations.fetch_add(late.into(), Ordering::Relaxed);
        rounds += 1;
    }
    rounds
}

fn line(what: &str, counts: &Counts, which: usize) {
    let total: u64 = counts.iter().map(|count| count[which]).sum();
    print!("{what}:");
    for (name, count) in NAMES.iter().zip(counts) {
        print!(" {name}={}", count[which]);
    }
    println!(" total={total}");
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        let text = arguments.next();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (seconds, iterations) = (number(2), number(20_000));
    let plain = arguments.next().is_some_and(|word| word == "plain");
    let process = rseq_ops::process();
    let features = rseq_ops::features();
    println!(
        "rseq: owner={:?} feature_size={} concurrency_ids={} kernel_size={} alignment={}",
        process.owner,
        process.feature_size,
        process.concurrency_ids,
        features.kernel_size,
        features.alignment
    );
    if rseq_ops::current_thread().is_none() || membarrier::register().is_err() {
        println!("no restartable sequences here");
        return ExitCode::from(2);
    }
    let delays = delay::Point::ALL.map(|point| delay::set(point, iterations))[0];

    let values: [Value; 2] = Default::default();
    let shared = Shared {
        additions: Phases::new(),
        subtractions: Phases::new(),
        plain: Phases::new(),
        value: AtomicPtr::new(ptr::from_ref(&values[0]).cast_mut().cast()),
        stop: AtomicBool::new(false),
        violations: AtomicU64::new(0),
    };
    let barrier = if plain {
        membarrier::barrier
    } else {
        membarrier::restart
    };
    let threads = 2 * thread::available_parallelism().map_or(2, |cpus| cpus.get());
    let start = Instant::now();
    let mut counts = Counts::default();
    let rounds = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(&shared)))
            .collect();
        let writer = scope.spawn(|| replace(&shared, &values, || barrier().expect("membarrier")));
        thread::sleep(Duration::from_secs(seconds));
        shared.stop.store(true, Ordering::Relaxed);
        for worker in workers {
            let of_one = worker.join().expect("a worker");
            for (all, one) in counts.iter_mut().flatten().zip(of_one.iter().flatten()) {
                *all += one;
            }
        }
        writer.join().expect("the writer")
    });

    line("commits", &counts, 0);
    line("mismatches", &counts, 1);
    line("aborts", &counts, 2);
    let violations = shared.violations.load(Ordering::Relaxed);
    let sums = [
        shared.additions.total() - counts[0][0] as i64,
        shared.subtractions.total() + counts[1][0] as i64,
        shared.plain.total() - 3 * counts[2][0] as i64,
    ];
    println!(
        "restarts={rounds} violations={violations} wrong_sums={sums:?} threads={threads} \
         delays={delays} barrier={} seconds={:.1}",
        if plain { "plain" } else { "restart" },
        start.elapsed().as_secs_f64()
    );
    if violations == 0 && sums == [0; 3] {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
