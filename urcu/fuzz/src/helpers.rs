//! Threads that do what the threads of a run should not: wait for a section, or end one from
//! elsewhere.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use urcu_host::patience::Patience;

use crate::check::{check, fail};

struct Helpers {
    drops: Sender<Box<dyn Send>>,
    blocks: Sender<Box<dyn FnOnce() + Send>>,
}

static BUSY: AtomicUsize = AtomicUsize::new(0);

/// They are started once.
fn helpers() -> &'static Mutex<Helpers> {
    static HELPERS: OnceLock<Mutex<Helpers>> = OnceLock::new();
    HELPERS.get_or_init(|| {
        let (drops, held) = channel::<Box<dyn Send>>();
        let (blocks, jobs) = channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || {
            for held in held {
                drop(held);
                BUSY.fetch_sub(1, SeqCst);
            }
        });
        thread::spawn(move || {
            for job in jobs {
                job();
                BUSY.fetch_sub(1, SeqCst);
            }
        });
        Mutex::new(Helpers { drops, blocks })
    })
}

pub fn drop_elsewhere(held: impl Send + 'static) {
    BUSY.fetch_add(1, SeqCst);
    let helpers = helpers().lock().unwrap_or_else(PoisonError::into_inner);
    helpers
        .drops
        .send(Box::new(held))
        .unwrap_or_else(|_| fail!("a helper is gone"));
}

pub fn block_elsewhere(job: impl FnOnce() + Send + 'static) {
    BUSY.fetch_add(1, SeqCst);
    let helpers = helpers().lock().unwrap_or_else(PoisonError::into_inner);
    helpers
        .blocks
        .send(Box::new(job))
        .unwrap_or_else(|_| fail!("a helper is gone"));
}

/// Returns how long one waits for what must happen soon.
pub fn patience() -> Patience {
    Patience::new(Duration::from_secs(60), Duration::from_millis(20))
}

/// Returns when they have nothing to do.
pub fn wait_for_helpers() {
    let mut patience = patience();
    while BUSY.load(SeqCst) != 0 {
        check!(patience.lasts(), "a helper waits for ever");
    }
}
