//! What users of crossbeam-epoch wait for, in nanoseconds.
//!
//!     speeds                      measures once, with whatever crossbeam-epoch it was built with
//!     speeds FACE ORIGINAL [N]    runs two builds of this in turn, N times each, and prints a table of the
//!                                 least times
//!
//! Exit status 1 if one of the two is not what it should be.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use std::time::{Duration, Instant};

use crossbeam_deque::{Steal, Worker};
use crossbeam_epoch::{self as epoch, Atomic, Owned};
use crossbeam_skiplist::SkipMap;

/// The time for which one thing is measured.
const TURN: Duration = Duration::from_millis(60);
/// The number of times it is done between two readings of the clock.
const BATCH: u32 = 500;

/// Nanoseconds of one `f`: the median of batches, so that what else the machine does hardly counts.
fn time(mut f: impl FnMut()) -> f64 {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < TURN {
        let begun = Instant::now();
        for _ in 0..BATCH {
            f();
        }
        times.push(begun.elapsed());
    }
    times.sort();
    times[times.len() / 2].as_nanos() as f64 / f64::from(BATCH)
}

/// The same while another thread does `g` all the time.
fn time_beside(f: impl FnMut(), mut g: impl FnMut() + Send) -> f64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                g();
            }
        });
        let time = time(f);
        stop.store(true, Relaxed);
        time
    })
}

fn replace(link: &Atomic<[u64; 3]>) {
    let guard = epoch::pin();
    let old = link.swap(Owned::new([black_box(1); 3]), AcqRel, &guard);
    // SAFETY: swapped out once, and not linked any more.
    unsafe { guard.defer_destroy(old) };
}

fn guards(measured: &mut Vec<(&str, f64)>) {
    let pin = || {
        let guard = epoch::pin();
        black_box(&guard);
    };
    measured.push(("pin", time(pin)));
    let link = Atomic::new([1_u64; 3]);
    let read = || {
        let guard = epoch::pin();
        // SAFETY: nobody frees it.
        black_box(unsafe { link.load(Acquire, &guard).deref() }[0]);
    };
    measured.push(("pin, load, read", time(read)));
    let guard = epoch::pin();
    measured.push(("pin, nested", time(pin)));
    drop(guard);
    measured.push((
        "is_pinned",
        time(|| assert!(!black_box(epoch::is_pinned()))),
    ));
    let mut guard = epoch::pin();
    measured.push(("repin", time(|| black_box(&mut guard).repin())));
    drop(guard);
    measured.push(("replace, defer_destroy", time(|| replace(&link))));
    let beside = time_beside(|| replace(&link), || replace(&link));
    measured.push(("replace, defer_destroy, two threads", beside));
    let defer = || epoch::pin().defer(|| black_box(1));
    measured.push(("pin, defer a small closure", time(defer)));
}

/// Keys in no order.
fn scramble(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn skiplist(measured: &mut Vec<(&str, f64)>) {
    const KEYS: u64 = 10_000;
    let map = SkipMap::new();
    (0..KEYS).for_each(|key| drop(map.insert(scramble(key), key)));
    let mut next = 0;
    let get = || {
        next = (next + 7) % KEYS;
        black_box(map.get(&scramble(next)).is_some());
    };
    measured.push(("skiplist: get", time(get)));
    let mut new = KEYS;
    let exchange = || {
        new += 1;
        map.insert(scramble(new), new);
        map.remove(&scramble(new - KEYS));
    };
    measured.push(("skiplist: insert and remove", time(exchange)));
}

fn deque(measured: &mut Vec<(&str, f64)>) {
    let worker = Worker::new_lifo();
    let push_pop = || {
        worker.push(black_box(1_u64));
        black_box(worker.pop());
    };
    measured.push(("deque: push and pop", time(push_pop)));
    let stealer = worker.stealer();
    let push_steal = || {
        worker.push(black_box(1_u64));
        black_box(stealer.steal().is_success());
    };
    measured.push(("deque: push and steal", time(push_steal)));
    let thief = worker.stealer();
    let steal = move || {
        if let Steal::Success(value) = thief.steal() {
            black_box(value);
        }
    };
    measured.push((
        "deque: push and pop beside a thief",
        time_beside(push_pop, steal),
    ));
    let fork_join = || {
        black_box(rayon::join(|| black_box(1), || black_box(2)));
    };
    measured.push(("rayon: join", rayon::scope(|_| time(fork_join))));
}

/// Measures one of 64 deferrals under a guard. It leaves much behind, so it comes last.
fn garbage(measured: &mut Vec<(&str, f64)>) {
    let many = || {
        let guard = epoch::pin();
        for _ in 0..64 {
            let node = Owned::new([black_box(1_u64); 3]).into_shared(&guard);
            // SAFETY: nobody else has it.
            unsafe { guard.defer_destroy(node) };
        }
    };
    measured.push(("allocate, defer_destroy", time(many) / 64.0));
}

/// Threads that come and go, each of which replaces a value: nanoseconds for one thread.
fn threads(measured: &mut Vec<(&str, f64)>) {
    let link = Atomic::new([1_u64; 3]);
    let ten = |_| {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| replace(&link));
            }
        });
        begun.elapsed()
    };
    let mut times: Vec<_> = (0..100).map(ten).collect();
    times.sort();
    let median = times[times.len() / 2].as_nanos() as f64 / 10.0;
    measured.push(("one of 1,000 threads that come and go", median));
}

fn measure() {
    let mut measured = Vec::new();
    guards(&mut measured);
    skiplist(&mut measured);
    deque(&mut measured);
    threads(&mut measured);
    garbage(&mut measured);
    for (name, time) in measured {
        println!("{name}={time}");
    }
}

/// Returns the measurements of one build.
fn run(program: &str) -> Vec<(String, f64)> {
    let output = Command::new(program)
        .output()
        .expect("a build of this program");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, time)| (name.to_string(), time.parse().expect("a number")))
        .collect()
}

/// Returns whether a build has the face in it, whose background thread has that name.
fn has_face(program: &str) -> bool {
    let bytes = std::fs::read(program).expect("a build of this program");
    // Backwards, because this program would find what it looks for in itself.
    let name = b"skcabllac-ucru";
    let is_name = |window: &[u8]| window.iter().rev().eq(name);
    bytes.windows(name.len()).any(is_name)
}

fn compare(face: &str, original: &str, rounds: usize) {
    let mut times: BTreeMap<(usize, String), [Vec<f64>; 2]> = BTreeMap::new();
    for _ in 0..rounds {
        for (which, program) in [face, original].into_iter().enumerate() {
            for (place, (name, time)) in run(program).into_iter().enumerate() {
                times.entry((place, name)).or_default()[which].push(time);
            }
        }
    }
    // Other load of the machine only adds to a time, and some of these have two usual values.
    let least = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let mut rows: Vec<(f64, String)> = times
        .into_iter()
        .map(|((_, name), [face, original])| {
            let (face, original) = (least(face), least(original));
            let ratio = face / original;
            (
                ratio,
                format!("| {name} | {face:.2} | {original:.2} | {ratio:.2} |"),
            )
        })
        .collect();
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    println!("| ns | here | the original | x |\n|---|---|---|---|");
    rows.iter().for_each(|(_, row)| println!("{row}"));
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [face, original, rounds @ ..] => {
            if !has_face(face) || has_face(original) {
                eprintln!("the first program is to have the face in it, the second not");
                return ExitCode::FAILURE;
            }
            let rounds = rounds.first().and_then(|rounds| rounds.parse().ok());
            compare(face, original, rounds.unwrap_or(7));
        }
        _ => measure(),
    }
    ExitCode::SUCCESS
}
