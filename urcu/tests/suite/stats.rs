//! What a domain counts, and what it costs.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use urcu::Domain;

use crate::support::{assert_child_passes, sequences};

#[test]
fn statistics_count_what_happened() {
    let domain = Domain::new();
    let zero = domain.stats();
    assert_eq!(zero, urcu::Stats::default());
    (0..10).for_each(|_| domain.synchronize());
    let stats = domain.stats();
    assert_eq!(
        (stats.grace_periods, stats.callers, stats.waits.count()),
        (10, 10, 10)
    );
    // Other tests' barriers may be shared.
    assert!(stats.membarriers <= 10);
    assert_eq!(stats.membarriers == 0, !sequences(), "{stats:?}");
    assert!(stats.waits.quantile(0.0) <= stats.waits.quantile(1.0));
    assert_eq!(
        stats.waits.buckets().map(|(_, count)| count).sum::<u64>(),
        10
    );

    // A wait of 30 ms is in a bucket that says so.
    let guard = domain.read_lock();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| domain.synchronize());
        // The thread may start late.
        thread::sleep(Duration::from_millis(300));
        drop(guard);
        waiter.join().unwrap();
    });
    assert!(domain.stats().waits.quantile(1.0) >= Duration::from_millis(30));

    let (started, start) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    domain.call(move || {
        started.send(()).unwrap();
        let _ = gone.recv();
    });
    start.recv().unwrap();
    (0..5).for_each(|_| domain.call(|| ()));
    let stats = domain.stats();
    assert_eq!((stats.callbacks_queued, stats.callbacks_run), (6, 0));
    assert_eq!((stats.callbacks_pending, stats.callbacks_peak), (6, 6));
    drop(go);
    domain.barrier();
    let stats = domain.stats();
    assert_eq!((stats.callbacks_queued, stats.callbacks_run), (6, 6));
    assert_eq!((stats.callbacks_pending, stats.callbacks_peak), (0, 6));
    assert_eq!(stats.stalls, 0);
    // Reading counts nothing. In a domain that no worker knows.
    let quiet = Domain::new();
    quiet.synchronize();
    let before = quiet.stats();
    (0..100).for_each(|_| drop(quiet.read_lock()));
    let after = quiet.stats();
    assert!(after.fallback_reads - before.fallback_reads <= after.aborts - before.aborts);
    assert_eq!(after.grace_periods, before.grace_periods);
}

#[cfg(rseq_ops_delay_injection)]
#[test]
fn aborts_are_counted() {
    assert_child_passes("stats::child_with_aborts");
}

#[cfg(rseq_ops_delay_injection)]
#[test]
#[ignore = "a child process of aborts_are_counted"]
fn child_with_aborts() {
    use urcu::testing::{Point, set_delay};
    if !sequences() {
        return;
    }
    static DOMAIN: Domain = Domain::named("aborts");
    // So long that a barrier lands in nearly every sequence.
    set_delay(Point::AddThroughLoaded, 100_000);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while DOMAIN.stats().aborts == 0 || DOMAIN.stats().fallback_reads == 0 {
                drop(DOMAIN.read_lock());
            }
        });
        while !reader.is_finished() {
            DOMAIN.synchronize();
        }
    });
}

/// Bytes of this process that are in memory and its own.
fn resident() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("Private_Dirty:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

#[test]
fn domains_share_pages() {
    assert_child_passes("stats::child_with_many_domains");
}

#[test]
#[ignore = "a child process of domains_share_pages"]
fn child_with_many_domains() {
    const DOMAINS: usize = 10_000;
    /// The state, and as much for stacks, page tables, and the table of sections of debug builds.
    const STATE: usize = 128 + 128;
    let cpus = rseq_ops::percpu::possible_cpus();
    let domains: Vec<Domain> = (0..DOMAINS).map(|_| Domain::new()).collect();
    let Some(before) = resident() else {
        return crate::support::skip("no /proc/self/smaps_rollup");
    };
    let read_all = || domains.iter().for_each(|domain| drop(domain.read_lock()));
    read_all();
    let once = (resident().unwrap() - before) / DOMAINS;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| read_all()));
        }
    });
    let read = (resident().unwrap() - before) / DOMAINS;
    domains.iter().for_each(Domain::synchronize);
    let synchronized = (resident().unwrap() - before) / DOMAINS;
    println!(
        "a domain in {cpus} CPUs: {once} bytes read by one thread, {read} by some, \
         {synchronized} with a grace period"
    );
    assert!(once <= STATE + 64 * cpus, "{once} bytes");
    assert!(read <= STATE + 64 * cpus, "{read} bytes");
    drop(domains);
    let again: Vec<Domain> = (0..DOMAINS).map(|_| Domain::new()).collect();
    again.iter().for_each(|domain| drop(domain.read_lock()));
    let after = (resident().unwrap() - before) / DOMAINS;
    assert!(
        after <= synchronized + 64,
        "{after} bytes: memory is not used again"
    );
}
