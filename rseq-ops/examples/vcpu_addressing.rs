//! What it costs to find the calling CPU's data: nanoseconds of one addition to it.
//!
//! | way | how it finds the word |
//! |---|---|
//! | plain | it is the thread's own: the floor |
//! | gs | a segment prefix, as the kernel does it for itself: `WRGSBASE` on a pinned thread |
//! | mm_cid | concurrency id and stride, in the sequence |
//! | cpu_id | CPU number and stride, in the sequence |
//! | cached slot | address known from before; the sequence checks the index |
//! | atomic | CPU number and stride, and a locked addition instead of a sequence |
//!
//! *One word* adds to the same word again and again: a chain of store-to-load forwardings. *Eight
//! words* takes turns, so that the instructions themselves count.
//!
//! ```text
//! cargo run --release -p rseq-ops --example vcpu_addressing
//! ```

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rseq_ops::percpu::{Allocator, PerCpu};
use rseq_ops::{Handle, ops};

const ROUNDS: usize = 61;
const ADDITIONS: usize = 80_000;
/// Eight words, on every CPU.
type Words = [AtomicU64; 8];

/// A way to find the word: adds 1 to word `n % words` for `n` up to [`ADDITIONS`].
type Way<'a> = (&'static str, Box<dyn FnMut(usize) + 'a>);

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs `add` on the offsets of the words in turn; each of the eight calls is inlined by itself.
#[inline(always)]
fn turns(words: usize, mut add: impl FnMut(usize)) {
    let mask = words - 1;
    for _ in 0..ADDITIONS / 8 {
        add(0);
        add(8 * (1 & mask));
        add(8 * (2 & mask));
        add(8 * (3 & mask));
        add(8 * (4 & mask));
        add(8 * (5 & mask));
        add(8 * (6 & mask));
        add(8 * (7 & mask));
    }
}

/// [`turns`], with a constant number of words.
macro_rules! way {
    ($name:literal, $add:expr) => {
        (
            $name,
            Box::new(move |words: usize| match words {
                1 => turns(1, $add),
                _ => turns(8, $add),
            }) as Box<dyn FnMut(usize) + '_>,
        )
    };
}

fn pin_to_one_cpu() -> bool {
    // SAFETY: a zeroed set is valid.
    unsafe {
        let cpu = libc::sched_getcpu();
        if cpu < 0 {
            return false;
        }
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(cpu as usize, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set) == 0
    }
}

/// The way with a segment prefix, where the processor and the kernel allow it. Also the floor.
#[cfg(target_arch = "x86_64")]
fn by_instructions<'a>(own: &'a Words, ways: &mut Vec<Way<'a>>) {
    use std::arch::asm;
    let base = own.as_ptr().expose_provenance();
    ways.push(way!("plain", |offset| {
        // SAFETY: a word of `own`, which this thread alone writes.
        unsafe {
            asm!("add qword ptr [{base} + {offset}], 1", base = in(reg) base,
                 offset = in(reg) offset, options(nostack));
        }
    }));
    /// `AT_HWCAP2` of x86: user code may use `WRGSBASE`.
    const FSGSBASE: u64 = 1 << 1;
    // SAFETY: reads the auxiliary vector.
    if unsafe { libc::getauxval(libc::AT_HWCAP2) } & FSGSBASE == 0 {
        println!("no WRGSBASE here");
        return;
    }
    // SAFETY: nothing in a program for x86-64 Linux uses this register.
    unsafe { asm!("wrgsbase {base}", base = in(reg) base, options(nostack)) };
    ways.push(way!("gs", |offset| {
        // SAFETY: the register holds the address of `own`.
        unsafe {
            asm!("add qword ptr gs:[{offset}], 1", offset = in(reg) offset, options(nostack));
        }
    }));
}

#[cfg(not(target_arch = "x86_64"))]
fn by_instructions<'a>(_: &'a Words, _: &mut Vec<Way<'a>>) {}

fn main() {
    println!("{:?}, pinned: {}", rseq_ops::process(), pin_to_one_cpu());
    let memory = Allocator::global();
    // One object for each way: a word is written by one kind of index only.
    let new = || PerCpu::<Words>::zeroed(memory).expect("memory");
    let (own, cid, cpu, cached, atomic) = (new(), new(), new(), new(), new());
    let mut ways = Vec::new();
    by_instructions(own.get(0).expect("index 0"), &mut ways);
    let mut missed = [0u64; 3];
    let [missed_cid, missed_cpu, missed_cached] = &mut missed;

    if let Some(handle) = Handle::by_concurrency_id() {
        let base = cid.base();
        ways.push(way!("mm_cid", |offset| {
            // SAFETY: this thread's handle, which stays registered; the words are such sequences'
            // alone, and there are some for the index.
            let outcome = unsafe {
                handle.current_index().map(|index| {
                    let slot = base.byte_add((index as usize) << SHIFT).cast::<usize>();
                    ops::add_at(handle, index, slot.byte_add(offset), 1, ops::Relaxed)
                })
            };
            *missed_cid += u64::from(outcome != Some(ops::Outcome::Committed));
        }));
    }
    if let Some(handle) = Handle::by_cpu() {
        let base = cpu.base().addr();
        ways.push(way!("cpu_id", |offset| {
            // SAFETY: this thread's handle, which stays registered; such sequences alone write the words,
            // and there are some for each CPU.
            let outcome = unsafe { ops::add::<{ SHIFT }>(handle, base + offset, 1) };
            *missed_cpu += u64::from(outcome != ops::Outcome::Committed);
        }));
        // SAFETY: this thread's handle.
        let mut index = unsafe { handle.current_index() }.expect("memory for this CPU");
        let cached = &cached;
        let find = move |index: u32| {
            let slot = cached.get(index as usize).expect("a possible CPU");
            slot.as_ptr().cast::<usize>().cast_mut()
        };
        let mut slot = find(index);
        ways.push(way!("cached slot", |offset| {
            // SAFETY: this thread's handle, which stays registered; `slot` is the one of `index`, and such
            // sequences alone write its words.
            let outcome =
                unsafe { ops::add_at(handle, index, slot.byte_add(offset), 1, ops::Relaxed) };
            if outcome != ops::Outcome::Committed {
                *missed_cached += 1;
                // SAFETY: this thread's handle.
                index = unsafe { handle.current_index() }.unwrap_or(index);
                slot = find(index);
            }
        }));
        let base = atomic.base();
        ways.push(way!("atomic", |offset| {
            // SAFETY: this thread's handle; the words are atomics, shared.
            let word = unsafe {
                let index = handle.current_index().unwrap_or(0) as usize;
                &(*base.byte_add((index << SHIFT) + offset))[0]
            };
            word.fetch_add(1, Ordering::Relaxed);
        }));
    } else {
        println!("no restartable sequences here");
    }

    let mut series = vec![[Vec::new(), Vec::new()]; ways.len()];
    for round in 0..ROUNDS {
        for n in 0..ways.len() {
            let n = (n + round) % ways.len();
            for (series, words) in series[n].iter_mut().zip([1, 8]) {
                let start = Instant::now();
                (ways[n].1)(black_box(words));
                series.push(start.elapsed().as_secs_f64() * 1e9 / ADDITIONS as f64);
            }
        }
    }
    println!("{:12} {:>12} {:>12}", "", "one word ns", "8 words ns");
    for ((name, _), series) in ways.iter().zip(&mut series) {
        let [one, eight] = series;
        println!("{name:12} {:12.2} {:12.2}", median(one), median(eight));
    }
    drop(ways);
    println!("attempts given up: {missed:?}");
}

/// The stride of the objects.
const SHIFT: u32 = PerCpu::<Words>::SHIFT;
