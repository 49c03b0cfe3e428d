//! Sections and waits of other threads are none of a child's, at any instant, in any generation.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use urcu::Domain;

use super::{DOMAIN, OTHER, domains, fork_under_load, until};
use crate::support::fork::{
    WAYS, assert_child, block_on, fork, until_others_sleep, use_everything,
};
use crate::support::{SetOnDrop, assert_waits, in_a_process_of_its_own, length};

in_a_process_of_its_own! {
    a_child_does_not_wait_for_sections_of_other_threads: child_with_open_sections,
    a_child_is_free_while_other_threads_wait: child_while_others_wait,
    a_child_is_free_at_any_instant: child_at_any_instant,
    there_may_be_three_generations: child_of_three_generations,
    a_child_forked_before_the_first_use_is_on_its_own: child_before_the_first_use,
}

#[test]
#[ignore = "a child process"]
fn child_with_open_sections() {
    let release = AtomicBool::new(false);
    let inside = AtomicUsize::new(0);
    thread::scope(|scope| {
        let _release = SetOnDrop(&release);
        for number in 0..6 {
            let (release, inside) = (&release, &inside);
            scope.spawn(move || {
                let guard = domains()[number % 3].read_lock();
                let nested = domains()[number % 3].read_lock();
                inside.fetch_add(1, Ordering::SeqCst);
                until(|| release.load(Ordering::SeqCst));
                drop((guard, nested));
            });
        }
        until(|| inside.load(Ordering::SeqCst) == 6);
        for (name, way) in WAYS {
            println!("{name}");
            until_others_sleep();
            assert_child(way, || {
                for domain in domains() {
                    use_everything(domain);
                    let guard = domain.read_lock();
                    assert_waits(domain, || drop(guard));
                }
            });
        }
        // The parent's sections are open still.
        for domain in domains() {
            let grace_period = domain.start_poll();
            assert!(!grace_period.wait_timeout(Duration::from_millis(1)));
        }
    });
    domains().into_iter().for_each(use_everything);
}

#[test]
#[ignore = "a child process"]
fn child_while_others_wait() {
    let (held, hold) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel::<()>();
    // A callback that does not end keeps the worker.
    OTHER.call(move || {
        started.send(()).unwrap();
        let _ = hold.recv();
    });
    start.recv().unwrap();
    let guard = DOMAIN.read_lock();
    let returned = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..8 {
            let returned = &returned;
            scope.spawn(move || {
                match number % 4 {
                    0 => DOMAIN.synchronize(),
                    1 => DOMAIN.start_poll().wait(),
                    2 => block_on(DOMAIN.synchronize_async()),
                    _ => {
                        DOMAIN.call(|| ());
                        DOMAIN.barrier();
                    }
                }
                returned.fetch_add(1, Ordering::SeqCst);
            });
        }
        thread::sleep(Duration::from_millis(50));
        for (name, way) in WAYS {
            println!("{name}");
            until_others_sleep();
            assert_child(way, || domains().into_iter().for_each(use_everything));
        }
        assert_eq!(returned.load(Ordering::SeqCst), 0);
        drop((guard, held));
    });
    assert_eq!(returned.load(Ordering::SeqCst), 8);
    domains().into_iter().for_each(use_everything);
}

#[test]
#[ignore = "a child process"]
fn child_at_any_instant() {
    // Only libc's `fork` sees to the locks of the heap, which these threads use.
    fork_under_load(fork, length(1_000), || {
        use_everything(&DOMAIN);
        use_everything(urcu::global());
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        use_everything(domain);
    });
}

#[test]
#[ignore = "a child process"]
fn child_of_three_generations() {
    fn generation(left: usize) {
        domains().into_iter().for_each(use_everything);
        let release = AtomicBool::new(false);
        let inside = AtomicBool::new(false);
        thread::scope(|scope| {
            let _release = SetOnDrop(&release);
            scope.spawn(|| {
                let guards = domains().map(Domain::read_lock);
                inside.store(true, Ordering::SeqCst);
                until(|| release.load(Ordering::SeqCst));
                drop(guards);
            });
            until(|| inside.load(Ordering::SeqCst));
            let mine = domains().map(Domain::read_lock);
            if left > 0 {
                assert_child(fork, || generation(left - 1));
            }
            drop(mine);
        });
        domains().into_iter().for_each(use_everything);
    }
    generation(3);
}

#[test]
#[ignore = "a child process"]
fn child_before_the_first_use() {
    for _ in 0..3 {
        assert_child(fork, || {
            domains().into_iter().for_each(use_everything);
            assert_child(fork, || domains().into_iter().for_each(use_everything));
        });
    }
    domains().into_iter().for_each(use_everything);
}
