//! A store of sessions: looked up with every request, dropped when they have not been used for a while, with a
//! log of what happened.
//!
//! ```text
//! cargo run --release -p urcu-collections --example session_store -- --seconds 5
//! ```
//!
//! * A [`HashMap`] has the sessions by their tokens. A request finds its session wait-free, and notes its use by
//!   one store.
//! * A [`List`] has the tokens in the order in which a sweep checks their sessions, from the front. A session that
//!   was used since goes to the back; a session that was not used ends. So requests need not touch the list. (This
//!   is the "clock" algorithm, an approximation of least recently used.)
//! * All threads put log records into a [`WfcQueue`], and never wait for the log. The writer of the log takes all
//!   records at once.
//!
//! The counts of all threads have to match at the end. The last line prints them.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use urcu_collections::{HashMap, List, WfcQueue};

/// The time after which an idle session ends, in milliseconds.
const IDLE: u64 = 150;
/// The number of users who come all the time; others come now and then.
const REGULARS: u64 = 4_000;
const OTHERS: u64 = 50_000;

struct Session {
    user: u64,
    last_used: AtomicU64,
    requests: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    LoggedIn,
    LoggedOut,
    /// A session ended because it was idle, after this number of requests.
    Expired(u64),
}

struct Store {
    start: Instant,
    sessions: HashMap<u64, Session>,
    /// The tokens of sessions. Those that were not checked for longest are in front.
    order: List<u64>,
    log: WfcQueue<(u64, Event)>,
}

impl Store {
    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Returns the user of a session, and notes that it was used.
    fn request(&self, token: u64) -> Option<u64> {
        let now = self.now();
        self.sessions.read(&token, |session| {
            session.last_used.store(now, Relaxed);
            session.requests.fetch_add(1, Relaxed);
            session.user
        })
    }

    /// Opens a session, and returns whether this call opened it: two threads may log in at once.
    fn log_in(&self, token: u64, user: u64) -> bool {
        let session = Session {
            user,
            last_used: AtomicU64::new(self.now()),
            requests: AtomicU64::new(0),
        };
        let is_new = self.sessions.pin().try_insert(token, session).is_ok();
        if is_new {
            self.order.pin().push_back(token);
            self.log.enqueue((token, Event::LoggedIn));
        }
        is_new
    }

    fn log_out(&self, token: u64) -> bool {
        // The list still has the token; the sweep will find that its session is gone.
        let was_there = self.sessions.pin().remove(&token).is_some();
        if was_there {
            self.log.enqueue((token, Event::LoggedOut));
        }
        was_there
    }

    /// Ends idle sessions, and returns how many.
    fn sweep(&self) -> u64 {
        let (now, mut expired) = (self.now(), 0);
        let order = self.order.pin();
        // Only as many as there are now, because others log in meanwhile, at the back.
        for place in order.positions().take(order.len()) {
            let sessions = self.sessions.pin();
            let is_idle = |session: &Session| session.last_used.load(Relaxed) + IDLE <= now;
            match sessions.remove_if(&*place, |_, session| is_idle(session)) {
                Ok(removed) => {
                    order.remove(place);
                    if let Some((token, session)) = removed {
                        self.log
                            .enqueue((*token, Event::Expired(session.requests.load(Relaxed))));
                        expired += 1;
                    }
                }
                Err(_) => _ = order.move_to_back(place),
            }
        }
        expired
    }
}

#[derive(Default)]
struct Books {
    requests: u64,
    opened: u64,
    closed: u64,
    errors: u64,
}

/// Serves requests.
fn serve(store: &Store, seed: u64, done: &AtomicBool) -> Books {
    let (mut books, mut random) = (Books::default(), seed);
    while !done.load(Relaxed) {
        for _ in 0..64 {
            random = random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(seed | 1);
            let share = (random >> 11) as f64 / (1u64 << 53) as f64;
            let user = if random >> 32 & 0x3ff == 0 {
                REGULARS + (share * OTHERS as f64) as u64
            } else {
                (share * share * REGULARS as f64) as u64
            };
            let token = user.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            books.requests += 1;
            match store.request(token) {
                Some(found) => books.errors += u64::from(found != user),
                None => books.opened += u64::from(store.log_in(token, user)),
            }
            if random >> 54 == 0 {
                books.closed += u64::from(store.log_out(token));
            }
        }
    }
    books
}

/// Counts log records until none is left and no thread writes any more. Returns the numbers of logins, logouts and
/// expired sessions.
fn write_log(store: &Store, done: &AtomicBool) -> [u64; 3] {
    let mut consumer = store.log.consumer();
    let mut counts = [0; 3];
    loop {
        let last = done.load(Relaxed);
        for (_, event) in consumer.take_all() {
            counts[match event {
                Event::LoggedIn => 0,
                Event::LoggedOut => 1,
                Event::Expired(_) => 2,
            }] += 1;
        }
        if last {
            return counts;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn main() -> ExitCode {
    let seconds = std::env::args()
        .skip_while(|argument| argument != "--seconds")
        .nth(1);
    let seconds = seconds.map_or(3.0, |seconds| seconds.parse().expect("a number of seconds"));
    let store = Store {
        start: Instant::now(),
        sessions: HashMap::new(),
        order: List::new(),
        log: WfcQueue::new(),
    };
    let workers = thread::available_parallelism().map_or(2, |workers| workers.get().clamp(2, 8));
    let (done, silent) = (AtomicBool::new(false), AtomicBool::new(false));
    let (mut all, mut expired, mut logged, mut longest) =
        (Books::default(), 0, [0; 3], Duration::ZERO);
    thread::scope(|scope| {
        let writer = scope.spawn(|| write_log(&store, &silent));
        let threads: Vec<_> = (1..=workers as u64)
            .map(|seed| {
                let (store, done) = (&store, &done);
                scope.spawn(move || serve(store, seed, done))
            })
            .collect();
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
            let start = Instant::now();
            expired += store.sweep();
            longest = longest.max(start.elapsed());
        }
        done.store(true, Relaxed);
        for thread in threads {
            let books = thread.join().expect("a worker");
            all.requests += books.requests;
            all.opened += books.opened;
            all.closed += books.closed;
            all.errors += books.errors;
        }
        silent.store(true, Relaxed);
        logged = writer.join().expect("the log's writer");
    });
    let open = store.sessions.len() as u64;
    all.errors += u64::from(all.opened != all.closed + expired + open);
    all.errors += u64::from(logged != [all.opened, all.closed, expired]);
    // Every open session is in the list.
    all.errors += u64::from((store.order.len() as u64) < open);
    println!(
        "{workers} workers: {:.0} ns a request, {open} sessions in {} KiB; a sweep at most {:.2} ms",
        seconds * 1e9 * workers as f64 / all.requests as f64,
        store.sessions.memory_usage() / 1024,
        longest.as_secs_f64() * 1e3,
    );
    println!(
        "session_store: requests={} opened={} closed={} expired={expired} logged={} open={open} errors={}",
        all.requests,
        all.opened,
        all.closed,
        logged.iter().sum::<u64>(),
        all.errors
    );
    ExitCode::from(u8::from(all.errors > 0))
}
