//! Sections where a thread or the process ends.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use urcu::{Domain, Rcu, ReadGuard};

use crate::support::{assert_child_passes, child, run};

static DOMAIN: Domain = Domain::named("tls");
static READS: AtomicUsize = AtomicUsize::new(0);

fn read_in_every_way() {
    let cell = Rcu::new_in([1u64; 3], &DOMAIN);
    let guard = DOMAIN.read_lock();
    assert_eq!(*cell.load(&guard), cell.snapshot());
    drop(guard);
    assert_eq!(cell.replace([2; 3]), [1; 3]);
    READS.fetch_add(1, Ordering::SeqCst);
}

struct ReadsWhenDropped(Option<ReadGuard<'static>>);

impl Drop for ReadsWhenDropped {
    fn drop(&mut self) {
        self.0 = None;
        read_in_every_way();
        DOMAIN.call(|| ());
    }
}

thread_local! {
    static FIRST: RefCell<Option<ReadsWhenDropped>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<ReadsWhenDropped>> = const { RefCell::new(None) };
}

#[test]
fn destructors_of_thread_local_data_may_read_and_end_sections() {
    for used_before in [false, true] {
        for _ in 0..20 {
            let thread = thread::spawn(move || {
                FIRST.set(Some(ReadsWhenDropped(None)));
                if used_before {
                    read_in_every_way();
                    SECOND.set(Some(ReadsWhenDropped(Some(DOMAIN.read_lock()))));
                }
            });
            thread.join().unwrap();
        }
    }
    DOMAIN.synchronize();
    DOMAIN.barrier();
    assert!(READS.load(Ordering::SeqCst) >= 80);
}

/// The number of times the destructor below puts its value back, so as to run after all other destructors.
const ROUNDS: usize = 3;

extern "C" fn late(value: *mut c_void) {
    // SAFETY: the boxed state that `key_destructors...` or this function stored.
    let mut state = unsafe { Box::from_raw(value.cast::<Late>()) };
    state.guard = None;
    read_in_every_way();
    state.rounds += 1;
    if state.rounds < ROUNDS {
        state.guard = Some(DOMAIN.read_lock());
        let key = state.key;
        // SAFETY: the key exists for the whole process.
        unsafe { libc::pthread_setspecific(key, Box::into_raw(state).cast()) };
    } else {
        // Begun where the thread's own registration is over, for others to end.
        ORPHANS.lock().unwrap().push(DOMAIN.read_lock());
        state.done.fetch_add(1, Ordering::SeqCst);
    }
}

static ORPHANS: Mutex<Vec<ReadGuard<'static>>> = Mutex::new(Vec::new());

struct Late {
    key: libc::pthread_key_t,
    rounds: usize,
    guard: Option<ReadGuard<'static>>,
    done: Arc<AtomicUsize>,
}

#[test]
fn key_destructors_may_read_after_our_own_one() {
    read_in_every_way(); // Our own key comes first.
    let mut key = 0;
    // SAFETY: the key is valid for the write, the destructor of the right type.
    let refused = unsafe { libc::pthread_key_create(&raw mut key, Some(late)) };
    assert_eq!(refused, 0);
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..20 {
        let done = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let guard = Some(DOMAIN.read_lock());
            let late = Late {
                key,
                rounds: 0,
                guard,
                done,
            };
            // SAFETY: the key exists; its destructor takes the box.
            unsafe { libc::pthread_setspecific(key, Box::into_raw(Box::new(late)).cast()) };
        });
        thread.join().unwrap();
        drop(ORPHANS.lock().unwrap().pop());
        // Both phases drain, again and again, whatever kinds of counters were used.
        (0..4).for_each(|_| DOMAIN.synchronize());
    }
    assert_eq!(done.load(Ordering::SeqCst), 20);
}

#[test]
fn threads_that_come_and_go_leave_balanced_counters() {
    for _ in 0..20 {
        let threads: Vec<_> = (0..20).map(|_| thread::spawn(read_in_every_way)).collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        DOMAIN.synchronize();
    }
}

#[test]
fn the_end_of_the_process_may_read() {
    assert_child_passes("tls::child_that_reads_at_its_end");
    let (_, output) = run(
        &mut child("tls::child_that_reads_at_its_end"),
        std::time::Duration::from_secs(20),
    );
    assert!(output.contains("read at exit"), "{output}");
}

extern "C" fn at_exit() {
    read_in_every_way();
    DOMAIN.synchronize();
    urcu::synchronize();
    println!("read at exit");
}

#[test]
#[ignore = "a child process of the_end_of_the_process_may_read"]
fn child_that_reads_at_its_end() {
    thread_local! { static COUNT: Cell<u32> = const { Cell::new(0) }; }
    COUNT.set(1);
    // SAFETY: the function may run at any time.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    urcu::call(|| ());
    let _guard = urcu::read_lock();
}
