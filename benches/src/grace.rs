//! Grace periods: `synchronize` of the library and of liburcu-memb while nobody reads, while one thread reads all the
//! time, and among many threads that have read before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicPtr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use urcu::Rcu;

use crate::measure::{Effort, median};
use crate::subjects::{MEMB, guard_sections};
use crate::window::{Background, Gate};
use crate::{memb, membarrier};

/// One value in the form of each library with grace periods to wait for. Nobody replaces it.
#[derive(Debug)]
pub struct Data {
    rcu: Rcu<u64>,
    plain: AtomicPtr<u64>,
}

impl Data {
    /// Makes the value.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self {
            rcu: Rcu::new(value),
            plain: AtomicPtr::new(Box::into_raw(Box::new(value))),
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::into_raw` in `new` and was never replaced; whoever
        // reads it borrows `self`.
        drop(unsafe { Box::from_raw(*self.plain.get_mut()) });
    }
}

/// A library whose grace periods are measured.
#[derive(Clone, Copy, Debug)]
pub struct Library {
    /// Its name.
    pub name: &'static str,
    /// Waits for a grace period.
    pub synchronize: fn(),
    /// Runs that many read-side sections.
    pub read: fn(&Data, u64) -> u64,
    /// Runs something in one read-side section.
    pub section: fn(&mut dyn FnMut()),
}

/// This library.
pub const URCU: Library = Library {
    name: "urcu",
    synchronize: urcu::synchronize,
    read: |data, count| guard_sections(&data.rcu, count),
    section,
};

fn section(body: &mut dyn FnMut()) {
    let _guard = urcu::read_lock();
    body();
}

/// The system call of a grace period alone, while other threads read with this library.
pub const MEMBARRIER: Library = Library {
    name: "membarrier alone",
    synchronize: membarrier::barrier,
    ..URCU
};

/// Returns the peer, if this build has it.
#[must_use]
pub fn peer() -> Option<Library> {
    memb::AVAILABLE.then_some(Library {
        name: MEMB,
        synchronize: memb::synchronize,
        read: |data, count| {
            let _registration = memb::register();
            // SAFETY: the one pointer that `plain` ever holds is freed when `data` is dropped.
            unsafe { memb::sections(&data.plain, count) }
        },
        section: memb::section,
    })
}

/// Returns this library and, if this build has it, its peer.
#[must_use]
pub fn libraries() -> Vec<Library> {
    [URCU].into_iter().chain(peer()).collect()
}

/// The subjects of [`measure`]: the libraries, and the least cost of a grace period.
#[must_use]
pub fn measured() -> Vec<Library> {
    let floor = membarrier::available().then_some(MEMBARRIER);
    libraries().into_iter().chain(floor).collect()
}

/// The load during the grace periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nobody reads.
    Idle,
    /// One thread runs read-side sections of the library without a pause.
    BusyReader,
    /// Many threads have read before and now sleep.
    IdleThreads,
}

impl Scenario {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 3] = [Self::Idle, Self::BusyReader, Self::IdleThreads];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::BusyReader => "busy reader",
            Self::IdleThreads => "idle threads",
        }
    }
}

/// The grace periods of one library in one scenario, in microseconds.
#[derive(Clone, Debug)]
pub struct Series {
    /// The library.
    pub library: &'static str,
    /// The scenario.
    pub scenario: Scenario,
    /// The median of each round.
    pub rounds: Vec<f64>,
    /// Every one of them.
    pub samples: Vec<f64>,
}

/// The outcome of [`measure`].
#[derive(Debug)]
pub struct Measured {
    /// By scenario, then by library.
    pub series: Vec<Series>,
    /// The least number of idle threads that a round had.
    pub idle_threads: usize,
    /// The reason why there were no more.
    pub shortage: Option<String>,
}

/// Measures every scenario for every library, in interleaved rounds.
///
/// # Panics
///
/// Panics if the busy reader cannot be created, or if an idle thread panics.
#[must_use]
pub fn measure(libraries: &[Library], data: &Arc<Data>, effort: &Effort) -> Measured {
    let mut series: Vec<Series> = Scenario::ALL
        .into_iter()
        .flat_map(|scenario| {
            libraries
                .iter()
                .map(move |library| (scenario, library.name))
        })
        .map(|(scenario, library)| Series {
            library,
            scenario,
            rounds: Vec::new(),
            samples: Vec::new(),
        })
        .collect();
    let mut idle_threads = effort.idle_threads;
    let mut shortage = None;
    // A second thread sleeps throughout, because the kernel shortens membarrier in a process with one thread, and
    // hardly any program that needs grace periods has only one.
    let (_company, _) = IdleThreads::spawn(1, None);
    for _ in 0..effort.grace_rounds {
        let mut position = series.iter_mut();
        for scenario in Scenario::ALL {
            let crowd = (scenario == Scenario::IdleThreads).then(|| {
                let (threads, error) = IdleThreads::spawn(effort.idle_threads, Some(data));
                idle_threads = idle_threads.min(threads.len());
                shortage = error.map(|error| error.to_string()).or(shortage.take());
                threads
            });
            for library in libraries {
                let reader =
                    (scenario == Scenario::BusyReader).then(|| busy_reader(*library, data));
                let samples = sample(library.synchronize, effort);
                drop(reader);
                if let Some(series) = position.next() {
                    series.rounds.push(median(&samples));
                    series.samples.extend(samples);
                }
            }
            drop(crowd);
        }
    }
    Measured {
        series,
        idle_threads,
        shortage,
    }
}

/// Returns the microseconds of one grace period after another.
pub(crate) fn sample(synchronize: fn(), effort: &Effort) -> Vec<f64> {
    let limit = Duration::from_millis(effort.grace_ms);
    let mut samples = Vec::with_capacity(effort.grace_samples);
    synchronize();
    let begin = Instant::now();
    while samples.len() < effort.grace_samples {
        let start = Instant::now();
        synchronize();
        samples.push(start.elapsed().as_secs_f64() * 1e6);
        if begin.elapsed() >= limit {
            break;
        }
    }
    samples
}

/// Starts a thread that runs read-side sections of the library without a pause until the result is dropped. Returns once
/// the thread has begun.
///
/// # Panics
///
/// Panics if the thread cannot be created.
#[must_use]
pub fn busy_reader(library: Library, data: &Arc<Data>) -> Background {
    let data = data.clone();
    Background::start(move || {
        (library.read)(&data, 1000);
    })
}

/// Threads that sleep until this is dropped.
#[derive(Debug)]
pub struct IdleThreads {
    gate: Arc<Gate>,
    threads: Vec<JoinHandle<()>>,
}

impl IdleThreads {
    const STACK: usize = 64 << 10;

    /// Creates `count` threads, each of which first reads with every library if there is `data`. Returns when all sleep,
    /// and the reason if not all could be created.
    ///
    /// # Panics
    ///
    /// Panics if one of them panics before it sleeps.
    #[must_use]
    pub fn spawn(wanted: usize, data: Option<&Arc<Data>>) -> (Self, Option<io::Error>) {
        let gate = Arc::new(Gate::default());
        let mut threads = Vec::with_capacity(wanted);
        let mut shortage = None;
        for _ in 0..wanted {
            let (gate, data) = (gate.clone(), data.cloned());
            let body = move || {
                let _registration = data.as_ref().map(|data| {
                    let registration = memb::register();
                    for library in libraries() {
                        (library.read)(data, 1);
                    }
                    registration
                });
                gate.arrive();
            };
            match thread::Builder::new().stack_size(Self::STACK).spawn(body) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    shortage = Some(error);
                    break;
                }
            }
        }
        gate.await_arrivals(threads.len(), || {
            threads.iter().any(JoinHandle::is_finished)
        });
        (Self { gate, threads }, shortage)
    }

    /// Returns the number of threads.
    #[must_use]
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }
}

impl Drop for IdleThreads {
    fn drop(&mut self) {
        self.gate.open();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Data, IdleThreads, Scenario, measure, measured};
    use crate::measure::Effort;

    #[test]
    fn every_scenario_has_every_round() {
        let effort = Effort {
            grace_rounds: 2,
            grace_samples: 3,
            idle_threads: 20,
            ..Effort::QUICK
        };
        let libraries = measured();
        let measured = measure(&libraries, &Arc::new(Data::new(42)), &effort);
        assert_eq!(measured.series.len(), Scenario::ALL.len() * libraries.len());
        for series in &measured.series {
            assert_eq!(
                series.rounds.len(),
                2,
                "{} {:?}",
                series.library,
                series.scenario
            );
            assert!(!series.samples.is_empty());
        }
        assert_eq!(measured.idle_threads, 20);
        assert!(measured.shortage.is_none());
    }

    #[test]
    fn idle_threads_come_and_go() {
        let (threads, error) = IdleThreads::spawn(10, Some(&Arc::new(Data::new(42))));
        assert_eq!(threads.len(), 10);
        assert!(!threads.is_empty());
        assert!(error.is_none());
    }
}
