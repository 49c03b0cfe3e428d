//! What no program should do, and some do.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Rcu};
use urcu_host::affinity::{cpus, run_on};
use urcu_host::poison::SMALL;
use urcu_host::stamped::Stamped;

use crate::support::fork::{block_on, use_everything};
use crate::support::{SetOnDrop, assert_child_passes, child, length, run, skip};

static DOMAIN: Domain = Domain::named("hostile");

extern "C" fn uses_everything(_: *mut c_void) -> *mut c_void {
    use_everything(&DOMAIN);
    use_everything(urcu::global());
    std::ptr::null_mut()
}

#[test]
fn threads_that_c_made_can_do_everything() {
    for _ in 0..5 {
        // SAFETY: the attributes are the default ones, the thread is joined once.
        unsafe {
            let mut threads: [libc::pthread_t; 3] = std::mem::zeroed();
            for thread in &mut threads {
                let (none, argument) = (std::ptr::null(), std::ptr::null_mut());
                let refused = libc::pthread_create(thread, none, uses_everything, argument);
                assert_eq!(refused, 0);
            }
            for thread in threads {
                assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
            }
        }
    }
}

static LATE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn late(value: *mut c_void) {
    uses_everything(std::ptr::null_mut());
    // SAFETY: what the test below stored.
    let (key, rounds) = *unsafe { Box::from_raw(value.cast::<(libc::pthread_key_t, usize)>()) };
    LATE.fetch_add(1, Ordering::SeqCst);
    if rounds > 0 {
        let again = Box::into_raw(Box::new((key, rounds - 1)));
        // SAFETY: the key is there for good.
        unsafe { libc::pthread_setspecific(key, again.cast()) };
    }
}

#[test]
fn the_last_destructors_of_a_thread_can_do_everything() {
    let mut key = 0;
    // SAFETY: the key is valid for the write, the destructor of the right type.
    let refused = unsafe { libc::pthread_key_create(&raw mut key, Some(late)) };
    assert_eq!(refused, 0);
    for _ in 0..5 {
        let thread = thread::spawn(move || {
            let value = Box::into_raw(Box::new((key, 2usize)));
            // SAFETY: the key is there for good.
            unsafe { libc::pthread_setspecific(key, value.cast()) };
        });
        thread.join().unwrap();
    }
    assert_eq!(LATE.load(Ordering::SeqCst), 15);
}

#[test]
fn the_end_of_the_process_can_do_everything() {
    let (code, output) = run(
        &mut child("hostile::child_that_does_everything_at_its_end"),
        Duration::from_secs(60),
    );
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("all done at exit"), "{output}");
}

extern "C" fn at_exit() {
    uses_everything(std::ptr::null_mut());
    println!("all done at exit");
}

#[test]
#[ignore = "a child process of the_end_of_the_process_can_do_everything"]
fn child_that_does_everything_at_its_end() {
    // SAFETY: the function may run at any time.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    urcu::global().start_poll();
}

#[test]
fn a_program_can_do_everything_after_exec() {
    assert_child_passes("hostile::child_that_executes");
}

#[test]
#[ignore = "a child process of a_program_can_do_everything_after_exec"]
fn child_that_executes() {
    use std::os::unix::process::CommandExt;
    if std::env::var_os("URCU_TEST_EXECUTED").is_none() {
        use_everything(&DOMAIN);
        let _guard = DOMAIN.read_lock();
        // In the middle of everything.
        let error = child("hostile::child_that_executes")
            .env("URCU_TEST_EXECUTED", "yes")
            .exec();
        panic!("{error}");
    }
    use_everything(&DOMAIN);
    use_everything(urcu::global());
}

#[test]
fn sections_go_on_when_their_cpus_are_taken_away() {
    let all = cpus();
    let cell = Rcu::new_in(Stamped::<SMALL>::new(0), &DOMAIN);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..3 {
            let (all, cell, over) = (&all, &cell, &over);
            scope.spawn(move || {
                for turn in number.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let guard = DOMAIN.read_lock();
                    let value = cell.load(&guard);
                    assert!(value.check().is_some());
                    run_on(&[all[turn % all.len()]]);
                    assert!(value.check().is_some());
                    drop(guard);
                    run_on(all);
                }
            });
        }
        let _over = SetOnDrop(&over);
        let end = Instant::now() + length(300);
        for stamp in 1.. {
            run_on(&all[..1]);
            assert!(cell.replace(Stamped::new(stamp)).check().is_some());
            block_on(DOMAIN.synchronize_async());
            run_on(&all);
            if Instant::now() > end {
                break;
            }
        }
    });
}

/// Makes the calling thread one of a scheduling class; false if that is forbidden.
fn schedule(class: libc::c_int, priority: libc::c_int) -> bool {
    // SAFETY: a zeroed parameter is valid; it concerns this thread alone.
    unsafe {
        let mut parameter: libc::sched_param = std::mem::zeroed();
        parameter.sched_priority = priority;
        libc::sched_setscheduler(0, class, &raw const parameter) == 0
    }
}

#[test]
fn a_starved_reader_delays_and_breaks_nothing() {
    assert_child_passes("hostile::child_with_a_starved_reader");
}

#[test]
#[ignore = "a child process of a_starved_reader_delays_and_breaks_nothing"]
fn child_with_a_starved_reader() {
    let cpu = cpus()[0];
    let cell = Arc::new(Rcu::new_in(Stamped::<SMALL>::new(0), &DOMAIN));
    let (inside, is_inside) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let reader = thread::spawn({
        let cell = Arc::clone(&cell);
        move || {
            run_on(&[cpu]);
            schedule(libc::SCHED_IDLE, 0);
            let guard = DOMAIN.read_lock();
            let value = cell.load(&guard);
            inside.send(()).unwrap();
            let _ = gone.recv();
            for _ in 0..1_000 {
                assert!(value.check().is_some());
            }
            drop(guard);
        }
    });
    is_inside.recv().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (ready, is_ready) = mpsc::channel();
    let peers: Vec<_> = (0..2)
        .map(|_| {
            let (over, ready) = (Arc::clone(&over), ready.clone());
            thread::spawn(move || {
                run_on(&[cpu]);
                ready.send(schedule(libc::SCHED_FIFO, 10)).unwrap();
                // Never leaves the processor to the reader, for a while.
                let end = Instant::now() + Duration::from_millis(300);
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
                over.store(true, Ordering::SeqCst);
            })
        })
        .collect();
    drop(go);
    let (first, second) = (is_ready.recv().unwrap(), is_ready.recv().unwrap());
    if !(first && second) {
        skip("real-time scheduling is forbidden here; ordinary threads do it");
    }
    let old = cell.replace(Stamped::new(1));
    assert!(old.check().is_some());
    reader.join().unwrap();
    peers.into_iter().for_each(|peer| peer.join().unwrap());
    DOMAIN.synchronize();
}

#[test]
fn hooks_wakers_and_callbacks_may_drop_the_last_handle_of_a_domain() {
    use std::task::{Context, Wake, Waker};
    struct Last(std::sync::Mutex<Option<Arc<Domain>>>);
    impl Wake for Last {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    for calls in [false, true] {
        let domain = Arc::new(Domain::new());
        let ran = Arc::new(AtomicUsize::new(0));
        let guard = domain.read_lock();
        let mut future = std::pin::pin!(domain.synchronize_async());
        let waker = Waker::from(Arc::new(Last(Some(Arc::clone(&domain)).into())));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        if calls {
            let ran = Arc::clone(&ran);
            domain.call(move || {
                ran.fetch_add(1, Ordering::SeqCst);
            });
        }
        drop(guard);
        let weak = Arc::downgrade(&domain);
        drop(domain);
        while weak.strong_count() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        block_on(future);
        urcu::call(|| ());
        urcu::barrier();
        while ran.load(Ordering::SeqCst) < usize::from(calls) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
