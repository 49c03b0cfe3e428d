//! The C face: readers, updaters and signal handlers that use the functions of `urcu/capi` on the global
//! domain. Sections nest; callbacks run on workers that come and go.

use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "c-face",
    "sections, callbacks and workers through the C face",
    run,
);

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
fn run(_: &'static crate::run::Run) -> Result<(), String> {
    Err("the C face does not exist for this processor or libc".into())
}

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
use face::run;

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod face {
    use std::ffi::{c_int, c_ulong, c_void};
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    use urcu_host::signals::{Timer, install};
    // A use of the library, so that it is linked.
    use urcu_percpu as _;

    use crate::breaks::Break;
    use crate::run::{Counter, Run, Thread};
    use crate::versions::{Fault, Place, Retired};

    /// `struct rcu_head`.
    #[repr(C)]
    struct Head([MaybeUninit<usize>; 2]);

    /// `struct urcu_gp_poll_state`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct PollState(c_ulong);

    unsafe extern "C" {
        safe fn urcu_percpu_read_lock();
        safe fn urcu_percpu_read_unlock();
        safe fn urcu_percpu_read_ongoing() -> c_int;
        safe fn urcu_percpu_synchronize_rcu();
        safe fn urcu_percpu_start_poll_synchronize_rcu() -> PollState;
        safe fn urcu_percpu_poll_state_synchronize_rcu(state: PollState) -> bool;
        safe fn urcu_percpu_barrier();
        fn urcu_percpu_call_rcu(head: *mut Head, function: unsafe extern "C" fn(*mut Head));
        fn urcu_percpu_defer_rcu(function: unsafe extern "C" fn(*mut c_void), data: *mut c_void);
        safe fn urcu_percpu_create_call_rcu_data(flags: c_ulong, cpu: c_int) -> *mut c_void;
        fn urcu_percpu_set_thread_call_rcu_data(worker: *mut c_void);
        fn urcu_percpu_call_rcu_data_free(worker: *mut c_void);
    }

    struct Stage {
        run: &'static Run,
        place: &'static Place,
        handled: AtomicU64,
    }

    static STAGE: OnceLock<Stage> = OnceLock::new();

    pub(super) fn run(run: &'static Run) -> Result<(), String> {
        let places = run.places(urcu::global(), 2);
        let stage = Stage {
            run,
            place: places[0],
            handled: AtomicU64::new(0),
        };
        if STAGE.set(stage).is_err() {
            return Err("it has already run in this process".into());
        }
        // SAFETY: the handler reads a stage that is set, takes no lock and allocates nothing: sections and notes
        // of faults in handlers are async-signal-safe.
        unsafe { install(libc::SIGUSR1, handler) };
        for _ in 0..run.settings.threads.max(2) {
            let places = places.clone();
            run.spawn("reader", move |thread| read(thread, &places));
        }
        for _ in 0..2 {
            let places = places.clone();
            run.spawn("updater", move |thread| update(thread, &places));
        }
        run.join();
        urcu_percpu_barrier();
        run.tally("signals handled", STAGE.get().map_or(0, |stage| stage.handled.load(Relaxed)));
        run.add_stats(&urcu::global().stats());
        Ok(())
    }

    extern "C" fn handler(_: libc::c_int) {
        if let Some(stage) = STAGE.get() {
            stage.handled.fetch_add(1, Relaxed);
            let depth = urcu_percpu_read_ongoing();
            if let Err(fault) = section(stage.place, 20, false) {
                stage.run.fault_in_handler(&fault);
            }
            if urcu_percpu_read_ongoing() != depth {
                let fault = Fault::Other("a handler's sections changed the depth".into());
                stage.run.fault_in_handler(&fault);
            }
        }
    }

    /// Runs a section with another inside it. With `lost`, wrong on purpose, the inner end ends both.
    fn section(place: &'static Place, looks: u64, lost: bool) -> Result<(), Fault> {
        urcu_percpu_read_lock();
        let result = nested(place, looks, lost);
        if !lost {
            urcu_percpu_read_unlock();
        }
        result
    }

    fn nested(place: &'static Place, looks: u64, lost: bool) -> Result<(), Fault> {
        let seen = place.look_inside()?;
        urcu_percpu_read_lock();
        let inner = place.look_inside()?;
        inner.still()?;
        urcu_percpu_read_unlock();
        if lost {
            urcu_percpu_read_unlock();
        }
        for look in 0..looks {
            seen.still()?;
            if look == looks / 2 && looks > 1000 {
                std::thread::yield_now();
            }
        }
        seen.whole()
    }

    fn read(thread: &mut Thread, places: &[&'static Place]) {
        let timer = match Timer::start(libc::SIGUSR1, Duration::from_millis(1)) {
            Ok(timer) => timer,
            Err(error) => return thread.run.fault(&thread.name, format!("cannot start a timer: {error}")),
        };
        while !thread.over() {
            timer.set(Duration::from_micros(100 + thread.random.skewed(9)));
            let place = *thread.random.pick(places);
            for _ in 0..256 {
                thread.check(section(place, 1, false));
            }
            let lost = thread.breaks(Break::NestingLost, 64);
            let looks = if lost { 1 << 16 } else { thread.random.skewed(14) };
            thread.check(section(place, looks, lost));
            thread.counter.read(257);
            if urcu_percpu_read_ongoing() != 0 {
                return thread.run.fault(&thread.name, "a section was left open");
            }
            std::thread::yield_now();
        }
    }

    /// A version that waits for its grace period.
    #[repr(C)]
    struct Waiting {
        /// The first field, so that its address is that of the whole.
        head: Head,
        run: &'static Run,
        counter: &'static Counter,
        retired: Retired,
    }

    unsafe extern "C" fn reclaim_head(head: *mut Head) {
        // SAFETY: `head` is the first field of a `Waiting`.
        unsafe { reclaim_data(head.cast()) };
    }

    unsafe extern "C" fn reclaim_data(data: *mut c_void) {
        // SAFETY: `update_one` queued this head, and the callback runs once.
        let waiting = unsafe { Box::from_raw(data.cast::<Waiting>()) };
        if let Err(fault) = waiting.retired.reclaim() {
            waiting.run.fault("callback", fault);
        }
        waiting.counter.updated();
    }

    fn update(thread: &mut Thread, places: &[&'static Place]) {
        let mut worker = ptr::null_mut();
        while !thread.over() {
            for _ in 0..64 {
                let place = *thread.random.pick(places);
                update_one(thread, place);
            }
            // SAFETY: the pointer is null, or a worker that no other thread uses; this thread has another
            // worker, or none, before it is freed.
            unsafe {
                let next = if thread.random.one_in(2) {
                    urcu_percpu_create_call_rcu_data(thread.random.below(2) as c_ulong, -1)
                } else {
                    ptr::null_mut()
                };
                urcu_percpu_set_thread_call_rcu_data(next);
                urcu_percpu_call_rcu_data_free(worker);
                worker = next;
            }
        }
        // SAFETY: the pointer is null, or a worker that no other thread uses; this thread has no worker
        // before it is freed.
        unsafe {
            urcu_percpu_set_thread_call_rcu_data(ptr::null_mut());
            urcu_percpu_call_rcu_data_free(worker);
        }
    }

    fn update_one(thread: &mut Thread, place: &'static Place) {
        let run = thread.run;
        let published = place.publish(false);
        let Some(retired) = thread.check(published) else {
            return;
        };
        let way = thread.random.below(if run.library_is_broken() { 2 } else { 6 });
        match way {
            0 => urcu_percpu_synchronize_rcu(),
            1 => {
                let state = urcu_percpu_start_poll_synchronize_rcu();
                while !urcu_percpu_poll_state_synchronize_rcu(state) {
                    std::thread::yield_now();
                }
            }
            _ => {
                let counter = thread.counter;
                let waiting = Box::into_raw(Box::new(Waiting {
                    head: Head([MaybeUninit::uninit(); 2]),
                    run,
                    counter,
                    retired,
                }));
                // SAFETY: the pointer is from a box, and belongs to the functions until the callback.
                return unsafe {
                    match way {
                        2 => urcu_percpu_defer_rcu(reclaim_data, waiting.cast()),
                        _ => urcu_percpu_call_rcu(&raw mut (*waiting).head, reclaim_head),
                    }
                };
            }
        }
        thread.check(retired.reclaim());
        thread.counter.updated();
    }
}
