//! Traces a real workload with one [`Ring`] for each CPU and prints what happened as a timeline.
//!
//! The workload: threads take blocks from a queue, sort them, and merge what they sorted. Each step
//! writes a record when it begins and when it ends; a timer's signal handler writes one whenever
//! it interrupts, in the middle of whatever runs. A consumer thread collects meanwhile.
//!
//! ```text
//! cargo run --release -p rseq-ops --example trace_timeline
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use rseq_ops::percpu::{Mode, Ring};

const THREADS: u32 = 3;
const BLOCKS: u64 = 24;
const COLUMNS: usize = 72;

/// The kind of a record, its first byte.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Event {
    Begin = b'+',
    End = b'-',
    Tick = b'!',
}

static RING: AtomicPtr<Ring> = AtomicPtr::new(std::ptr::null_mut());

/// Writes a record: the event, the thread, and what it does.
fn trace(event: Event, thread: u32, what: &str) {
    // SAFETY: the ring is leaked.
    let Some(ring) = (unsafe { RING.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    // Of a length known beforehand, in pieces. What is dropped, the ring counts.
    if let Ok(mut record) = ring.reserve(5 + what.len()) {
        record.write(&[event as u8]);
        record.write(&thread.to_ne_bytes());
        record.write(what.as_bytes());
        record.commit();
    }
}

fn step<T>(thread: u32, what: &str, f: impl FnOnce() -> T) -> T {
    trace(Event::Begin, thread, what);
    let result = f();
    trace(Event::End, thread, what);
    result
}

extern "C" fn on_timer(_: libc::c_int) {
    trace(Event::Tick, u32::MAX, "timer");
}

/// A timer that interrupts whoever uses the processor, every so many microseconds; 0 ends it.
fn set_timer(microseconds: i64) {
    // SAFETY: a handler of the right type, which does what is async-signal-safe.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = on_timer as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut());
        let interval = libc::timeval {
            tv_sec: 0,
            tv_usec: microseconds,
        };
        let timer = libc::itimerval {
            it_interval: interval,
            it_value: interval,
        };
        libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut());
    }
}

/// Numbers that look random.
fn block(seed: u64) -> Vec<u64> {
    let mut state = seed + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..60_000).map(|_| next()).collect()
}

fn workload() {
    let (send, receive) = mpsc::channel::<u64>();
    let (queue, sorted) = (Mutex::new(receive), Mutex::new(Vec::<u64>::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (queue, sorted) = (&queue, &sorted);
            scope.spawn(move || {
                while let Ok(seed) = step(thread, "wait", || queue.lock().expect("alive").recv()) {
                    let mut numbers = step(thread, "make", || block(seed));
                    step(thread, "sort", || numbers.sort_unstable());
                    step(thread, "merge", || {
                        let mut sorted = sorted.lock().expect("alive");
                        sorted.extend(numbers.into_iter().step_by(64));
                        sorted.sort();
                    });
                }
            });
        }
        for seed in 0..BLOCKS {
            send.send(seed).expect("threads");
            if seed % 6 == 5 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        drop(send);
    });
}

/// A record, taken apart.
struct Item {
    time: u64,
    cpu: usize,
    event: u8,
    thread: u32,
    what: String,
}

fn main() {
    let ring: &'static Ring = Box::leak(Box::new(
        Ring::new(Mode::Discard, 1 << 16).expect("memory for the rings"),
    ));
    RING.store(std::ptr::from_ref(ring).cast_mut(), Ordering::Release);
    let mut items = Vec::new();
    let (over, polls) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let items = &mut items;
        let (over, polls) = (&over, &polls);
        scope.spawn(move || {
            let mut consumer = ring.consumer().expect("the only one");
            loop {
                let last = over.load(Ordering::Acquire);
                consumer.poll(|record| {
                    let (thread, what) = record.bytes[1..].split_at(4);
                    items.push(Item {
                        time: record.time,
                        cpu: record.ring,
                        event: record.bytes[0],
                        thread: u32::from_ne_bytes(thread.try_into().expect("4 bytes")),
                        what: String::from_utf8_lossy(what).into_owned(),
                    });
                });
                polls.fetch_add(1, Ordering::Relaxed);
                if last {
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        set_timer(2000);
        workload();
        set_timer(0);
        over.store(true, Ordering::Release);
    });
    items.sort_by_key(|item| item.time);
    report(&items);
    let totals = ring.totals();
    println!(
        "\n{} records in {} polls, {} dropped ({:?})",
        totals.consumed,
        polls.into_inner(),
        totals.dropped,
        rseq_ops::process().owner
    );
    assert_eq!(totals.consumed, items.len());
}

fn report(items: &[Item]) {
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return println!("nothing was traced");
    };
    let begin = first.time;
    let span = (last.time - begin).max(1);
    println!("the first events, in the order of time:");
    println!("{:>10}  CPU  thread", "us");
    for item in items.iter().take(24) {
        let sign = match item.event {
            b'+' => "begins",
            b'-' => "ends",
            _ => "interrupts",
        };
        let thread = match item.thread {
            u32::MAX => "signal".to_owned(),
            thread => format!("{thread}"),
        };
        let time = (item.time - begin) as f64 / 1000.0;
        println!(
            "{time:10.1}  {:3}  {thread:6}  {} {sign}",
            item.cpu, item.what
        );
    }

    // A row for each thread: what it did most recently at the end of each column; and the CPU.
    println!("\nthreads (m make, s sort, M merge, . wait) and the CPU of their last record:");
    let column =
        |time: u64| ((time - begin) as u128 * COLUMNS as u128 / (span as u128 + 1)) as usize;
    for thread in 0..THREADS {
        let mut does = [' '; COLUMNS];
        let mut cpus = [' '; COLUMNS];
        let mut from = 0;
        let mut now = (' ', ' ');
        for item in items.iter().filter(|item| item.thread == thread) {
            // Several records may fall into one column: the last one shows.
            let until = column(item.time);
            let from_here = from.min(until);
            does[from_here..until].fill(now.0);
            cpus[from_here..until].fill(now.1);
            now.0 = match (item.event, item.what.as_str()) {
                (b'+', "make") => 'm',
                (b'+', "sort") => 's',
                (b'+', "merge") => 'M',
                (b'+', "wait") => '.',
                _ => ' ',
            };
            now.1 = char::from_digit(item.cpu as u32 % 36, 36).unwrap_or('?');
            if now.0 != ' ' {
                does[until] = now.0;
            }
            cpus[until] = now.1;
            from = until + 1;
        }
        println!("thread {thread} |{}|", does.iter().collect::<String>());
        println!("     CPU |{}|", cpus.iter().collect::<String>());
    }
    let mut ticks = [' '; COLUMNS];
    for item in items.iter().filter(|item| item.event == Event::Tick as u8) {
        ticks[column(item.time)] = '!';
    }
    println!("  timer  |{}|", ticks.iter().collect::<String>());
    println!(
        "          {:<36}{:>36}",
        "0",
        format!("{:.1} ms", span as f64 / 1e6)
    );

    // The time that each step took.
    let mut open = BTreeMap::new();
    let mut steps = BTreeMap::<&str, (u32, u64, u32)>::new();
    for item in items.iter().filter(|item| item.thread != u32::MAX) {
        if item.event == Event::Begin as u8 {
            open.insert(item.thread, item);
        } else if let Some(began) = open.remove(&item.thread) {
            let entry = steps.entry(&item.what).or_default();
            entry.0 += 1;
            entry.1 += item.time - began.time;
            entry.2 += u32::from(item.cpu != began.cpu);
        }
    }
    println!(
        "\n{:6} {:>6} {:>10} {:>11}",
        "step", "count", "mean us", "CPU changed"
    );
    for (what, (count, time, moved)) in steps {
        let mean = time as f64 / 1000.0 / f64::from(count);
        println!("{what:6} {count:6} {mean:10.1} {moved:11}");
    }
}
