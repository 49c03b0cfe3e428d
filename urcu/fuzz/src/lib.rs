//! Programs of random operations on everything that `urcu` and `rseq-ops` offer, checked against a
//! simple model: see `ledger` for values and time, `hand` and `percpu` for the steps.
//!
//! ```sh
//! mkdir -p urcu/fuzz/corpus # What the fuzzer finds goes there, and not to the seeds.
//! cargo +nightly fuzz run operations --fuzz-dir urcu/fuzz urcu/fuzz/corpus urcu/fuzz/seeds -- -detect_leaks=0
//! cargo +nightly fuzz run collections --fuzz-dir urcu/fuzz # The collections, beside the standard ones.
//! cargo run --manifest-path urcu/fuzz/Cargo.toml --bin operations FILE # One program again, without a fuzzer.
//! ```
//! Without nightly Rust and cargo-fuzz:
//! ```sh
//! coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
//!     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
//!     -Cllvm-args=-sanitizer-coverage-trace-compares"
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing $coverage -Zsanitizer=address -Cdebug-assertions=on" \
//!     cargo build --release --target x86_64-unknown-linux-gnu --manifest-path urcu/fuzz/Cargo.toml \
//!     --target-dir target/fuzz
//! mkdir -p urcu/fuzz/corpus
//! ASAN_OPTIONS=detect_leaks=0 target/fuzz/x86_64-unknown-linux-gnu/release/collections -max_total_time=180 urcu/fuzz/corpus
//! ```

mod cells;
mod check;
pub mod collections;
mod hand;
mod helpers;
mod input;
mod ledger;
mod links;
mod panics;
mod percpu;
mod place;
mod woken;
mod work;
mod world;

use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

use arbitrary::{Arbitrary, Unstructured};

use hand::Hand;
use input::{Input, Mode};
use world::World;

/// Runs the program that the bytes stand for. Ends the process if something is wrong.
pub fn run(data: &[u8]) {
    panics::set_hooks();
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(data)) else {
        return;
    };
    let world = Box::new(World::new(&input));
    match input.mode {
        Mode::Alone => {
            let mut hand = Hand::new(&world, 0);
            input.steps.iter().for_each(|step| hand.step(step));
            hand.end();
        }
        Mode::Turns | Mode::Free => {
            let me = thread::current();
            let there = Second {
                world: &world,
                input: &input,
                first: &me,
            };
            // SAFETY: waited for below.
            let there = unsafe { std::mem::transmute::<Second<'_>, Second<'static>>(there) };
            let second = second().lock().unwrap_or_else(PoisonError::into_inner);
            second.work.send(there).expect("the second thread");
            part(&world, &input, 0, &second.thread);
            second.done.recv().expect("the second thread");
        }
    }
    helpers::wait_for_helpers();
    world.end();
}

/// One thread's part of a program for two.
fn part(world: &World, input: &Input, thread: usize, other: &Thread) {
    let mut hand = Hand::new(world, thread);
    for (number, step) in input.steps.iter().enumerate() {
        if step.thread() != thread {
            continue;
        }
        if input.mode == Mode::Turns {
            wait_for(world, number);
        }
        hand.step(step);
        if input.mode == Mode::Turns {
            pass(world, number, input, other);
        }
    }
    // Sections end before anybody waits for them.
    if input.mode == Mode::Turns {
        wait_for(world, input.steps.len() + thread);
        hand.release();
        if thread == 0 {
            world.turn.store(input.steps.len() + 1, Release);
            other.unpark();
        }
    }
    hand.end();
}

fn wait_for(world: &World, number: usize) {
    let mut spins = 0;
    while world.turn.load(Acquire) < number {
        spins += 1;
        if spins < 50 {
            std::hint::spin_loop();
        } else {
            thread::park();
        }
    }
}

fn pass(world: &World, number: usize, input: &Input, other: &Thread) {
    world.turn.store(number + 1, Release);
    if input
        .steps
        .get(number + 1)
        .is_none_or(|next| next.thread() != input.steps[number].thread())
    {
        other.unpark();
    }
}

struct Second<'a> {
    world: &'a World,
    input: &'a Input,
    first: &'a Thread,
}

struct SecondThread {
    thread: Thread,
    work: Sender<Second<'static>>,
    done: Receiver<()>,
}

/// It is started once.
fn second() -> &'static Mutex<SecondThread> {
    static SECOND: OnceLock<Mutex<SecondThread>> = OnceLock::new();
    SECOND.get_or_init(|| {
        let (work, parts) = channel::<Second<'static>>();
        let (tell, done) = channel();
        let handle = thread::spawn(move || {
            for Second {
                world,
                input,
                first,
            } in parts
            {
                part(world, input, 1, first);
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
        Mutex::new(SecondThread {
            thread: handle.thread().clone(),
            work,
            done,
        })
    })
}
