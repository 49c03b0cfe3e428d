//! Guards that are nested, end in any order, and move to other threads.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use urcu::{Domain, ReadGuard};

use crate::run::{Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::WAYS;
use crate::versions::{Place, Seen};
use crate::{readers, updaters};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "guards",
    "guards nested, ended in any order, and moved to other threads",
    run,
);

/// A section that moves to another thread, and the version that it holds.
type Moved = (ReadGuard<'static>, Seen);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("guards")), 3);
    start(run, &places, run.settings.threads.max(2), |_| ());
    updaters::start(run, 2, &places, &WAYS, Some(6));
    Ok(())
}

/// Starts `count` of these readers, each of which first calls `prepare`.
pub(super) fn start(
    run: &'static Run,
    places: &[&'static Place],
    threads: usize,
    prepare: fn(usize),
) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| sync_channel(16)).unzip();
    for (number, receiver) in receivers.into_iter().enumerate() {
        // Each reader sends to the next one.
        let sender: SyncSender<Moved> = senders[(number + 1) % threads].clone();
        let places = places.to_vec();
        run.spawn("reader", move |thread| {
            prepare(number);
            reader(thread, &places, &sender, &receiver);
        });
    }
}

fn reader(
    thread: &mut Thread,
    places: &[&'static Place],
    sender: &SyncSender<Moved>,
    receiver: &Receiver<Moved>,
) {
    let mut open: Vec<Moved> = Vec::new();
    while !thread.over() {
        for _ in 0..64 {
            nest(thread, places, &mut open);
        }
        let place = *thread.random.pick(places);
        readers::quick(thread, place, 512);
        readers::long(thread, place, readers::LONG);
        // One of this thread's sections goes on elsewhere; those that arrived end here.
        let guard = place.domain().read_lock();
        if let Some(seen) = thread.check(place.look(&guard))
            && let Err(TrySendError::Full((guard, _))) = sender.try_send((guard, seen))
        {
            drop(guard);
        }
        while let Ok((guard, seen)) = receiver.try_recv() {
            thread.check(seen.whole());
            drop(guard);
            thread.counter.read(1);
        }
        std::thread::yield_now();
    }
    // Sections that are still on their way end with the channel.
    while receiver.recv_timeout(Duration::from_millis(1)).is_ok() {}
}

/// Opens and ends up to eight sections in any order, and checks what each of them sees.
fn nest(thread: &mut Thread, places: &[&'static Place], open: &mut Vec<Moved>) {
    let mut steps = 4 + thread.random.below(12);
    loop {
        let opens = steps > 0 && (open.is_empty() || (open.len() < 8 && thread.random.one_in(2)));
        steps = steps.saturating_sub(1);
        if opens {
            let place = *thread.random.pick(places);
            let guard = place.domain().read_lock();
            if let Some(seen) = thread.check(place.look(&guard)) {
                open.push((guard, seen));
            }
        } else {
            let Some(last) = open.len().checked_sub(1) else {
                return;
            };
            let number = thread.random.below(last as u64 + 1) as usize;
            let (guard, seen) = open.swap_remove(number);
            thread.check(seen.still());
            drop(guard);
            thread.counter.read(1);
        }
    }
}
