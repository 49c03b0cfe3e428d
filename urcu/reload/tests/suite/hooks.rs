//! Hooks, waiting, parts, signals, ends.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use urcu_reload::{Access, ErrorKind, Reload, Watched};

use crate::scratch::{NEVER, Scratch, quiet, replace, sees, text, until};

/// A configuration that only `reload_now` reloads, in all likelihood.
fn slow(scratch: &Scratch, first: &str) -> Watched<String> {
    let file = scratch.write("file.txt", first);
    quiet(
        text(file)
            .debounce(Duration::from_secs(600))
            .start()
            .unwrap(),
    )
}

fn change(scratch: &Scratch, config: &Watched<String>, text: &str) {
    replace(&scratch.path("file.txt"), text);
    assert!(matches!(config.reload_now(), Ok(Reload::Published(_))));
}

#[test]
fn hooks_are_called_in_order_with_both_versions_until_removed() {
    let scratch = Scratch::new();
    let config = slow(&scratch, "one");
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let hook = config.on_change(move |change| {
        let pair = (
            change.old.value().clone(),
            change.new.value().clone(),
            change.new.number(),
        );
        sender.lock().unwrap().send(pair).unwrap();
    });
    change(&scratch, &config, "two");
    change(&scratch, &config, "three");
    assert_eq!(config.reload_now(), Ok(Reload::Unchanged));
    assert_eq!(receiver.try_recv(), Ok(("one".into(), "two".into(), 2)));
    assert_eq!(receiver.try_recv(), Ok(("two".into(), "three".into(), 3)));
    assert!(config.remove_hook(hook) && !config.remove_hook(hook));
    change(&scratch, &config, "four");
    assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn a_hook_may_panic_reload_retire_wait_and_stop() {
    let scratch = Scratch::new();
    let config = slow(&scratch, "one");
    let seen = Arc::new(AtomicU32::new(0));
    let (count, directory, again) = (Arc::clone(&seen), scratch.0.clone(), config.clone());
    let hook = config.on_change(move |change| {
        count.fetch_add(1, Ordering::Relaxed);
        urcu::synchronize();
        urcu::barrier();
        if change.new.number() == 2 {
            replace(&directory.join("file.txt"), "by a hook");
            assert_eq!(again.reload_now(), Ok(Reload::Published(3)));
        }
    });
    let panics = config.on_change(|_| panic!("a hook's, on purpose"));
    change(&scratch, &config, "two");
    assert_eq!(
        (
            seen.load(Ordering::Relaxed),
            config.status().counts.hook_panics
        ),
        (2, 2)
    );
    assert_eq!(*config.read(), "by a hook");
    config.remove_hook(hook);
    config.remove_hook(panics);
    let again = config.clone();
    config.on_change(move |_| again.stop());
    change(&scratch, &config, "three");
}

#[test]
fn a_parser_that_asks_for_a_reload_is_told_that_it_cannot() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let own: Arc<std::sync::OnceLock<Watched<String>>> = Arc::default();
    let (its, answers) = (Arc::clone(&own), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&answers);
    let config = urcu_reload::watch::<String>(&file).parser(move |files| {
        if let Some(config) = its.get() {
            told.lock()
                .unwrap()
                .push(config.reload_now().unwrap_err().kind());
        }
        Ok(files[0].text().into())
    });
    let config = config.start().unwrap();
    own.set(config.clone()).unwrap();
    replace(&file, "two");
    sees(&config, "two");
    assert_eq!(*answers.lock().unwrap(), [ErrorKind::Nested]);
}

struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn changes_wake_tasks_and_threads_and_the_last_is_never_missed() {
    let scratch = Scratch::new();
    let config = slow(&scratch, "one");
    let (mut changes, mut blocking) = (config.changes(), config.changes());
    let count = Arc::new(Count(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let context = &mut Context::from_waker(&waker);
    {
        let mut next = Box::pin(changes.next());
        for _ in 0..3 {
            assert!(next.as_mut().poll(context).is_pending());
        }
        change(&scratch, &config, "two");
        assert_eq!(
            count.0.load(Ordering::Relaxed),
            1,
            "once, however often it was polled"
        );
        change(&scratch, &config, "three");
        let Poll::Ready(version) = next.as_mut().poll(context) else {
            panic!("it is there");
        };
        assert_eq!((version.number(), version.value().as_str()), (3, "three"));
    }
    assert!(Box::pin(changes.next()).as_mut().poll(context).is_pending());
    drop(changes);
    assert_eq!(
        Arc::strong_count(&count),
        2,
        "a waker that nobody waits for is dropped"
    );
    assert_eq!(blocking.wait(Duration::ZERO).unwrap().number(), 3);
    assert!(blocking.wait(Duration::from_millis(1)).is_none());
    let waiting = std::thread::spawn(move || blocking.wait(NEVER).unwrap().number());
    change(&scratch, &config, "four");
    assert_eq!(waiting.join().unwrap(), 4);
}

#[cfg(feature = "stream")]
#[test]
fn changes_are_a_stream() {
    use futures_core::Stream;

    let scratch = Scratch::new();
    let config = slow(&scratch, "one");
    let mut changes = std::pin::pin!(config.changes());
    let context = &mut Context::from_waker(Waker::noop());
    assert!(changes.as_mut().poll_next(context).is_pending());
    change(&scratch, &config, "two");
    let Poll::Ready(Some(version)) = changes.as_mut().poll_next(context) else {
        panic!("it is there, and never ends");
    };
    assert_eq!(version.value(), "two");
}

#[test]
fn a_part_is_always_of_the_version_in_force_and_tells_its_own_changes() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "a b");
    type Pair = (String, String);
    let config = urcu_reload::watch::<Pair>(&file).parser(|files| {
        let pair = files[0].text().split_once(' ').ok_or("two are needed")?;
        Ok((pair.0.into(), pair.1.into()))
    });
    let config = config.debounce(Duration::from_secs(600)).start().unwrap();
    let second = config.part(|pair| &pair.1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    second.on_change(move |old, new| told.lock().unwrap().push((old.clone(), new.clone())));
    let component: Box<dyn Access<String>> = Box::new(second);
    for text in ["c b", "c d"] {
        replace(&file, text);
        config.reload_now().unwrap();
    }
    assert_eq!(*component.read(), "d");
    assert_eq!(component.load(&urcu::read_lock()), "d");
    assert_eq!(*seen.lock().unwrap(), [("b".to_owned(), "d".to_owned())]);
}

#[test]
fn the_watch_ends_with_its_last_handle() {
    fn threads() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "urcu-reload").count()
    }
    // Other tests have theirs: this one runs in a process of its own.
    if std::env::var_os("URCU_RELOAD_ALONE").is_none() {
        let name = "hooks::the_watch_ends_with_its_last_handle";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env("URCU_RELOAD_ALONE", "1")
            .output()
            .unwrap();
        assert!(
            child.status.success(),
            "{}",
            String::from_utf8_lossy(&child.stdout)
        );
        return;
    }
    let scratch = Scratch::new();
    let config = slow(&scratch, "one");
    let (other, changes) = (config.clone(), config.changes());
    drop(config);
    // The thread gives itself its name.
    until("the thread runs", || threads() == 1);
    drop(other);
    assert_eq!(threads(), 1);
    drop(changes);
    until("the thread ends", || threads() == 0);
    let config = slow(&scratch, "two");
    config.stop();
    assert_eq!((threads(), config.read().as_str()), (0, "two"));
}

#[test]
fn a_forked_child_reads_on_and_reloads_itself() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let (entered, has_entered) = mpsc::sync_channel(1);
    let (leave, may_leave) = mpsc::sync_channel::<()>(1);
    let may_leave = Mutex::new(may_leave);
    let config = urcu_reload::watch::<String>(&file).parser(move |files| {
        let text = files[0].text();
        if text == "stay" {
            entered.send(()).unwrap();
            may_leave.lock().unwrap().recv().unwrap();
        }
        Ok(text.into())
    });
    let config = config.debounce(Duration::from_secs(600)).start().unwrap();
    // A reload is under way when the process forks: its turn is nobody's in the child.
    replace(&file, "stay");
    let asking = config.clone();
    let asker = std::thread::spawn(move || asking.reload_now());
    has_entered.recv().unwrap();
    replace(&file, "two");
    // SAFETY: the child reads, reloads and ends, without the parent's threads.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends a child that hangs.
        unsafe { libc::alarm(20) };
        let reads = *config.read() == "one";
        let reloads = config.reload_now() == Ok(Reload::Published(2)) && *config.read() == "two";
        // SAFETY: says how it went without running what the parent is to run.
        unsafe { libc::_exit(i32::from(!(reads && reloads))) };
    }
    let mut status = -1;
    // SAFETY: waits for the child that was just made.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0);
    leave.send(()).unwrap();
    assert_eq!(asker.join().unwrap(), Ok(Reload::Published(2)));
    assert_eq!(*config.read(), "stay");
}

#[cfg(feature = "signal")]
#[test]
fn a_hangup_reloads() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let start = || {
        let config = text(&file)
            .debounce(Duration::from_secs(600))
            .poll_every(NEVER)
            .reload_on_sighup();
        quiet(config.start().unwrap())
    };
    let (config, other) = (start(), start());
    for text in ["two", "three"] {
        replace(&file, text);
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .unwrap();
        sees(&config, text);
        sees(&other, text);
    }
    assert_eq!(config.status().counts.signals, 2);
}
