//! Readers check values whose memory is poisoned when it is reclaimed; writers replace them as
//! fast as they can. With `--cfg rseq_ops_delay_injection`, with delays inside the sequences.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Behind, Domain, Rcu, part};
use urcu_host::poison::{LARGE, SMALL};
use urcu_host::stamped::Stamped;

use crate::signals::{install, with_timer};
use crate::support::{SetOnDrop, length};

/// The way in which a reader reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reader {
    Guard,
    Nested,
    SmallSnapshot,
    LargeSnapshot,
    SnapshotBehind,
}

const READERS: [Reader; 5] = [
    Reader::Guard,
    Reader::Nested,
    Reader::SmallSnapshot,
    Reader::LargeSnapshot,
    Reader::SnapshotBehind,
];

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    updates: AtomicU64,
    errors: AtomicU64,
}

struct Cells<'d> {
    small: Rcu<Stamped<SMALL>, &'d Domain>,
    large: Rcu<Stamped<LARGE>, &'d Domain>,
    owner: Rcu<Owner, &'d Domain>,
    /// The stamp that all have at least.
    published: AtomicU64,
}

const BEHIND: Behind<Owner, Stamped<SMALL>> = part!(Owner, value).target();

/// A value behind one more pointer.
struct Owner {
    name: String,
    value: Box<Stamped<SMALL>>,
}

impl Owner {
    fn new(stamp: u64) -> Self {
        Owner {
            name: stamp.to_string(),
            value: Box::new(Stamped::new(stamp)),
        }
    }
}

/// Returns whether a value is whole, and not older than one that was replaced before the read began.
fn good<const WORDS: usize>(value: &Stamped<WORDS>, oldest: u64) -> bool {
    value.check().is_some_and(|stamp| stamp >= oldest)
}

/// Looks at a value again and again for a time that differs from turn to turn, up to some grace
/// periods.
fn keep_checking<const WORDS: usize>(value: &Stamped<WORDS>, turn: u64, oldest: u64) -> bool {
    let looks = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
    (0..=looks).all(|_| good(value, oldest))
}

fn read(reader: Reader, cells: &Cells<'_>, turn: u64) -> bool {
    let domain = cells.large.domain();
    let oldest = cells.published.load(Ordering::Acquire);
    match reader {
        Reader::Guard => {
            let guard = domain.read_lock();
            keep_checking(cells.large.load(&guard), turn, oldest)
        }
        Reader::Nested => {
            let outer = domain.read_lock();
            let first = cells.large.load(&outer);
            let inner = cells.small.read();
            keep_checking(first, turn, oldest) & good(&*inner, oldest) & {
                drop(inner);
                first.check().is_some()
            }
        }
        Reader::SmallSnapshot => good(&cells.small.snapshot(), oldest),
        Reader::LargeSnapshot => good(&cells.large.snapshot(), oldest),
        Reader::SnapshotBehind => good(&cells.owner.snapshot_of(BEHIND), oldest),
    }
}

/// Returns early at the first error, and late where some reader has not had a CPU yet.
fn torture(readers: &[Reader], time: Duration) -> Counts {
    let domain = Domain::named("torture");
    let cells = Cells {
        small: Rcu::new_in(Stamped::new(0), &domain),
        large: Rcu::new_in(Stamped::new(0), &domain),
        owner: Rcu::new_in(Owner::new(0), &domain),
        published: AtomicU64::new(0),
    };
    let counts = Counts::default();
    let over = AtomicBool::new(false);
    let have_read = AtomicUsize::new(0);
    thread::scope(|scope| {
        for &reader in readers {
            let (cells, over, counts, have_read) = (&cells, &over, &counts, &have_read);
            scope.spawn(move || {
                let _over = SetOnDrop(over);
                let mut turn = 0;
                while !over.load(Ordering::Relaxed) {
                    if !read(reader, cells, turn) {
                        counts.errors.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    turn += 1;
                    if turn == 1 {
                        have_read.fetch_add(1, Ordering::Relaxed);
                    }
                    if turn % 256 == 0 {
                        // Better here than in the middle of a section that a writer waits for.
                        thread::yield_now();
                    }
                }
                counts.reads.fetch_add(turn, Ordering::SeqCst);
            });
        }
        let _over = SetOnDrop(&over);
        let end = Instant::now() + time;
        let mut stamp = 0;
        let go_on = || Instant::now() < end || have_read.load(Ordering::Relaxed) < readers.len();
        while go_on() && !over.load(Ordering::Relaxed) {
            stamp += 1;
            // What `replace` gives back was moved out of memory that is poisoned now.
            assert!(cells.small.replace(Stamped::new(stamp)).check().is_some());
            assert!(cells.large.replace(Stamped::new(stamp)).check().is_some());
            let owner = cells.owner.replace(Owner::new(stamp));
            assert_eq!(owner.value.check().map(|n| n.to_string()), Some(owner.name));
            cells.published.store(stamp, Ordering::Release);
            if stamp % 8 == 0 {
                cells.small.store(Stamped::new(stamp));
                cells.large.store(Stamped::new(stamp));
                cells.owner.store(Owner::new(stamp));
            }
        }
        counts.updates.store(stamp, Ordering::SeqCst);
    });
    counts
}

#[track_caller]
fn assert_right(readers: &[Reader], time: Duration, what: &str) {
    let counts = torture(readers, time);
    println!("{what}: {counts:?}");
    assert_eq!(
        counts.errors.load(Ordering::SeqCst),
        0,
        "{what}: {counts:?}"
    );
    assert!(counts.reads.load(Ordering::SeqCst) > 0, "{counts:?}");
    assert!(counts.updates.load(Ordering::SeqCst) > 0, "{counts:?}");
}

/// No kind of reader sees anything wrong for so long.
#[track_caller]
pub(crate) fn assert_all_readers_right(time: Duration, what: &str) {
    assert_right(&READERS, time, what);
}

#[test]
fn readers_never_see_reclaimed_memory() {
    assert_right(&READERS, length(500), "all kinds of readers");
}

/// The numbers of grace periods that a thread was asked for, and that have ended.
static REQUESTED: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);
static HELD_UP: AtomicBool = AtomicBool::new(false);

/// Asks for a grace period, unless one is under way, and waits a little. Whether it has ended.
fn one_grace_period() -> Option<bool> {
    let number = REQUESTED.load(Ordering::SeqCst);
    if ENDED.load(Ordering::SeqCst) != number {
        return None;
    }
    REQUESTED.store(number + 1, Ordering::SeqCst);
    let end = Instant::now() + Duration::from_micros(30);
    while ENDED.load(Ordering::SeqCst) == number && Instant::now() < end {
        std::hint::spin_loop();
    }
    Some(ENDED.load(Ordering::SeqCst) != number)
}

extern "C" fn hold_up(_: libc::c_int) {
    if one_grace_period() == Some(true) {
        HELD_UP.store(true, Ordering::SeqCst);
    }
}

/// A section that begins with atomics has no sequence to put a delay into. A signal can hold it
/// up anywhere, here for a grace period; the next one must not end inside of it.
#[test]
fn no_grace_period_ends_inside_a_section_that_was_held_up_anywhere() {
    install(libc::SIGUSR2, hold_up);
    let domain = Domain::named("held up");
    let over = AtomicBool::new(false);
    let mut held_up = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let number = REQUESTED.load(Ordering::SeqCst);
                if number != ENDED.load(Ordering::SeqCst) {
                    domain.synchronize();
                    ENDED.store(number, Ordering::SeqCst);
                }
                std::hint::spin_loop();
            }
        });
        let _over = SetOnDrop(&over);
        let end = Instant::now() + length(400);
        with_timer(libc::SIGUSR2, Duration::from_micros(100), || {
            while Instant::now() < end {
                for _ in 0..1_000 {
                    let guard = domain.read_lock();
                    if HELD_UP.swap(false, Ordering::SeqCst) {
                        held_up += 1;
                        assert_ne!(one_grace_period(), Some(true), "it ended inside");
                    }
                    drop(guard);
                }
            }
        });
    });
    println!("held up {held_up} times, {ENDED:?} grace periods");
}

#[cfg(rseq_ops_delay_injection)]
pub(crate) mod with_delays {
    use std::sync::{Mutex, MutexGuard};

    use rseq_ops::Owner;

    use urcu::testing::{Point, set_delay, use_plain_membarrier};

    use super::*;
    use crate::support::{child, run, sequences, skip};
    use urcu_host::poison;

    /// Iterations of a loop of two instructions: some microseconds, as long as a grace
    /// period, so that some flips fall into them.
    const DELAY: u64 = 20_000;

    /// Delays are for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    pub(crate) struct Delayed(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

    /// A delay at a point, so many times the usual one, for as long as the result lives.
    pub(crate) fn delay(point: Point, times: u64) -> Delayed {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
        assert!(set_delay(point, DELAY * times));
        Delayed(turn)
    }

    impl Drop for Delayed {
        fn drop(&mut self) {
            Point::ALL.into_iter().for_each(|point| {
                set_delay(point, 0);
            });
        }
    }

    #[test]
    fn readers_never_see_reclaimed_memory_with_a_delay_at_any_point() {
        if !sequences() {
            return skip("no sequences in this process");
        }
        for point in Point::ALL {
            let _delayed = delay(point, 1);
            assert_right(&READERS, length(250), &format!("{point:?}"));
        }
    }

    #[test]
    fn guards_alone_and_snapshots_alone_are_right_with_the_delay_that_breaks_the_wrong_barrier() {
        if !sequences() {
            return skip("no sequences in this process");
        }
        for (reader, point) in BROKEN {
            let _delayed = delay(point, 1);
            assert_right(&[reader], length(200), &format!("{reader:?}, {point:?}"));
        }
    }

    /// The readers that a barrier without restarts breaks, and the delay that shows it.
    const BROKEN: [(Reader, Point); 6] = [
        (Reader::Guard, Point::AddThroughLoaded),
        (Reader::Guard, Point::AddThroughCommit),
        (Reader::Nested, Point::AddThroughCommit),
        (Reader::SmallSnapshot, Point::CopyThroughLoaded),
        (Reader::LargeSnapshot, Point::CopyThroughLoaded),
        // Not where the first pointer is loaded: the second one would be poison, which leads nowhere.
        (Reader::SnapshotBehind, Point::CopyBehindLoaded),
    ];
    const CASE: &str = "URCU_TEST_CASE";
    const TIMES: &str = "URCU_TEST_DELAYS";
    const SEEN: i32 = 42;

    /// The tests above can fail: the plain membarrier command breaks them.
    #[test]
    fn a_barrier_that_restarts_nothing_is_noticed_by_every_kind_of_reader() {
        if !sequences() {
            return skip("no sequences in this process");
        }
        for (number, case) in BROKEN.iter().enumerate() {
            let snapshot = !matches!(case.0, Reader::Guard | Reader::Nested);
            if snapshot && rseq_ops::process().owner != Owner::Libc {
                skip("snapshots are guarded where libc does not register every thread");
                continue;
            }
            let start = Instant::now();
            // If grace periods take longer, as in an emulator on a busy machine, only a longer
            // delay outlasts one.
            let noticed = [1, 10, 100].into_iter().any(|times| {
                let (code, output) = run(
                    child("torture::with_delays::child_with_the_wrong_barrier")
                        .env(CASE, number.to_string())
                        .env(TIMES, times.to_string()),
                    Duration::from_secs(30),
                );
                println!(
                    "{case:?}, {times}: {code:?} after {:?}\n{output}",
                    start.elapsed()
                );
                code == Some(SEEN)
            });
            assert!(noticed, "{case:?} saw nothing");
        }
    }

    #[test]
    #[ignore = "a child process of a_barrier_that_restarts_nothing_is_noticed_by_every_kind_of_reader"]
    fn child_with_the_wrong_barrier() {
        let number = |name| std::env::var(name).unwrap().parse::<usize>().unwrap();
        let (reader, point) = BROKEN[number(CASE)];
        poison::keep_for_ever();
        let _delayed = delay(point, number(TIMES) as u64);
        // SAFETY: what is reclaimed too early stays mapped in this process, and no reader is used
        // after the first error.
        unsafe { use_plain_membarrier(true) };
        // The counters are wrong afterwards, so nothing here may wait for the writer any more.
        thread::spawn(move || {
            let counts = torture(&[reader], Duration::from_secs(20));
            println!("{counts:?}");
            let errors = counts.errors.load(Ordering::SeqCst);
            std::process::exit(if errors > 0 { SEEN } else { 1 });
        });
        thread::sleep(Duration::from_secs(25));
        // A section that is counted too late can also be waited for for ever, above all where
        // an emulator takes interrupts at the branch before the commit. With the right barrier
        // the same torture ends.
        println!("noticed: the writer waits for ever");
        std::process::exit(SEEN);
    }
}
