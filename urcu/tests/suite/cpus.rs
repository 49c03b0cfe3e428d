//! CPUs without counters, because `/sys/devices/system/cpu/possible` names fewer than there are, and
//! threads without a registration, though libc makes them: sections are waited for there as well.

use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rseq_ops::Owner;
use rseq_ops::percpu::possible_cpus;
use urcu::{Domain, Rcu, ReaderMode};
use urcu_host::affinity::{cpus, run_on};

use crate::support::{assert_waits, child, run, skip};

/// For one process: puts a file that names one CPU in the place of the kernel's list.
fn lie(path: &CStr) -> io::Result<()> {
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: C strings, or none where none is wanted.
    let done = unsafe {
        let list = c"/sys/devices/system/cpu/possible".as_ptr();
        let private = libc::MS_REC | libc::MS_PRIVATE;
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, c"/".as_ptr(), none, private, none.cast()) == 0
            && libc::mount(path.as_ptr(), list, none, libc::MS_BIND, none.cast()) == 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[test]
fn a_section_on_a_cpu_that_nobody_admits_is_waited_for() {
    if cpus() != [0, 1] {
        return skip("two CPUs are wanted");
    }
    let file = std::env::temp_dir().join(format!("urcu-possible-{}", std::process::id()));
    std::fs::write(&file, "0\n").unwrap();
    let path = std::ffi::CString::new(file.as_os_str().as_encoded_bytes()).unwrap();
    let lied_to = |mut command: Command| {
        let path = path.clone();
        // On the first CPU, so that what the kernel says of this process does not give the lie away.
        let prepare = move || if run_on(&[0]) { lie(&path) } else { Ok(()) };
        // SAFETY: system calls alone.
        unsafe { command.pre_exec(prepare) };
        command
    };
    let allowed = lied_to(Command::new("true")).status().is_ok();
    let result = allowed.then(|| {
        let test = "cpus::child_with_one_cpu_more_than_it_knows_of";
        run(&mut lied_to(child(test)), Duration::from_secs(60))
    });
    std::fs::remove_file(&file).unwrap();
    match result {
        Some((code, output)) => assert_eq!(code, Some(0), "{output}"),
        None => skip("no file can be put over another one here"),
    }
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_one_cpu_more_than_it_knows_of() {
    if possible_cpus() != 1 || !run_on(&[0, 1]) {
        return skip("this process knows of all CPUs");
    }
    static DOMAIN: Domain = Domain::named("one CPU more");
    let cell: &'static Rcu<u64, &'static Domain> = Box::leak(Box::new(Rcu::new_in(7, &DOMAIN)));
    DOMAIN.synchronize();
    let on_cpu = |cpu: usize, f: &dyn Fn()| {
        assert!(run_on(&[cpu]));
        f();
        run_on(&[0, 1]);
    };
    // Begun and ended on either CPU.
    for (begin, end) in [(1, 1), (1, 0), (0, 1)] {
        let (go, gone) = mpsc::channel::<()>();
        let (open, opened) = mpsc::channel();
        let reader = thread::spawn(move || {
            assert!(run_on(&[begin]));
            let guard = DOMAIN.read_lock();
            let value = *cell.load(&guard);
            open.send(()).unwrap();
            let _ = gone.recv();
            assert!(run_on(&[end]));
            drop(guard);
            value
        });
        opened.recv().unwrap();
        assert_waits(&DOMAIN, || drop(go));
        assert_eq!(reader.join().unwrap(), 7);
        // Whatever was counted is settled: neither phase holds any.
        (0..2).for_each(|_| DOMAIN.synchronize());
    }
    // Snapshots and callbacks too.
    on_cpu(1, &|| {
        assert_eq!(cell.snapshot(), 7);
        (0..300).for_each(|n| DOMAIN.defer_drop(Box::new(n)));
    });
    DOMAIN.barrier();
    let stats = DOMAIN.stats();
    assert_eq!(stats.callbacks_run, 300);
    if matches!(stats.reader_mode, ReaderMode::LibcRegistered { .. }) {
        assert!(stats.fallback_reads >= 2, "{stats:?}");
    }
}

#[test]
fn sections_and_snapshots_without_a_registration_are_protected() {
    let test = "cpus::child_whose_registration_has_ended";
    crate::support::assert_child_passes(test);
}

#[test]
#[ignore = "a child process of the test above"]
fn child_whose_registration_has_ended() {
    static DOMAIN: Domain = Domain::named("no registration");
    let cell: &'static Rcu<[u64; 8], &'static Domain> =
        Box::leak(Box::new(Rcu::new_in([1; 8], &DOMAIN)));
    drop(DOMAIN.read_lock());
    if rseq_ops::process().owner != Owner::Libc || !unregister() {
        return skip("there is no registration of libc's to be ended");
    }
    let guard = DOMAIN.read_lock();
    assert_waits(&DOMAIN, || drop(guard));
    // Threads that such a thread starts are not registered either.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let value = cell.read();
                    assert!(
                        value.iter().all(|x| *x == value[0]),
                        "freed while it is read"
                    );
                    drop(value);
                    let copy = cell.snapshot();
                    assert!(
                        copy.iter().all(|x| *x == copy[0]),
                        "freed while it is copied"
                    );
                }
            });
        }
        for n in 0..2_000 {
            cell.replace([n; 8]);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Neither period counts a section, so both grace periods end.
    (0..2).for_each(|_| DOMAIN.synchronize());
    (0..300).for_each(|n| DOMAIN.defer_drop(n));
    DOMAIN.barrier();
    let stats = DOMAIN.stats();
    assert_eq!(stats.callbacks_run, 300);
    // In processes without sequences none is missed.
    if matches!(stats.reader_mode, ReaderMode::LibcRegistered { .. }) {
        assert!(stats.fallback_reads > 0, "{stats:?}");
    }
}

/// Ends the registration that libc made for the calling thread.
fn unregister() -> bool {
    let Some(handle) = rseq_ops::current_thread() else {
        return false;
    };
    let thread_pointer: usize;
    // SAFETY: reads the thread pointer.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("mov {}, fs:0", out(reg) thread_pointer);
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) thread_pointer);
        #[cfg(target_arch = "riscv64")]
        core::arch::asm!("mv {}, tp", out(reg) thread_pointer);
        #[cfg(not(any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64"
        )))]
        {
            thread_pointer = 0;
        }
    }
    let area = thread_pointer.wrapping_add_signed(handle.cs - rseq_ops::abi::RSEQ_CS);
    // The length must be the one of the registration, which only libc knows.
    [32, 64].into_iter().any(|length| {
        let (flags, signature) = (rseq_ops::abi::FLAG_UNREGISTER, rseq_ops::abi::SIGNATURE);
        // SAFETY: this thread's area; no sequence runs, and those to come find that there is no
        // registration.
        unsafe { libc::syscall(libc::SYS_rseq, area, length, flags, signature) == 0 }
    })
}
