//! CPUs that `/sys/devices/system/cpu/possible` does not admit, and threads that libc did not
//! register: everything takes its other way there, and is right. Each test runs this program again,
//! changed.

use std::ffi::CString;
use std::io;
use std::thread;

use urcu_host::affinity::{cpus, run_on};

use crate::support::again::{inside, run_again};
use rseq_ops::percpu::{Counter, Node, PerCpu, Stack, possible_cpus};
use rseq_ops::{Handle, cpu, current_thread, ops};

/// Checks what holds wherever this thread runs: it counts, and hands over what it has.
fn check_structures(counter: &Counter<'_>) {
    let before = counter.sum();
    (0..1000).for_each(|_| counter.add(3));
    assert_eq!(counter.sum(), before + 3000);
    let mut nodes: Vec<_> = (0..10).map(Node::new).collect();
    let stack = Stack::new().unwrap();
    nodes.iter_mut().for_each(|node| stack.push(node));
    assert!(stack.pop().is_some());
    assert_eq!(stack.take_all().unwrap().count(), 9);
    let words =
        PerCpu::<std::sync::atomic::AtomicU64>::zeroed(rseq_ops::percpu::Allocator::global());
    words
        .unwrap()
        .current()
        .store(1, std::sync::atomic::Ordering::Relaxed);
    #[cfg(feature = "alloc")]
    {
        let pool = rseq_ops::percpu::Pool::new().unwrap();
        (0..10).for_each(|n| assert_eq!(*pool.alloc(n), n));
    }
    #[cfg(target_pointer_width = "64")]
    {
        let ring = rseq_ops::percpu::Ring::new(rseq_ops::percpu::Mode::Discard, 4096).unwrap();
        ring.write(b"record").unwrap();
        assert_eq!(ring.consumer().unwrap().poll(|_| ()), 1);
    }
}

#[test]
fn every_cpu_that_this_process_may_use_has_memory_whatever_the_file_says() {
    const NAME: &str = concat!(
        module_path!(),
        "::every_cpu_that_this_process_may_use_has_memory_whatever_the_file_says"
    );
    if inside(NAME) {
        let allowed = cpus();
        assert!(possible_cpus() > *allowed.last().unwrap());
        assert!(possible_cpus() <= 8192, "more than the kernel's masks have");
        let counter = Counter::new().unwrap();
        for cpu in allowed {
            run_on(&[cpu]);
            assert_eq!(
                current_thread().is_some(),
                rseq_ops::process().feature_size != 0
            );
            check_structures(&counter);
        }
        return;
    }
    for text in [
        "0\n",
        "",
        "garbage\n",
        "0-\n",
        "0-18446744073709551615\n",
        "0-65534\n",
        "-1\n",
    ] {
        run_again(NAME, lie(text));
    }
}

/// Threads that come later may be on the others.
#[test]
fn a_thread_that_is_pinned_knows_the_cpus_of_its_process() {
    const NAME: &str = concat!(
        module_path!(),
        "::a_thread_that_is_pinned_knows_the_cpus_of_its_process"
    );
    if inside(NAME) {
        let allowed = cpus();
        assert!(run_on(&allowed[..1]), "to one of its own");
        let last = *allowed.last().unwrap();
        return assert!(possible_cpus() > last, "{} for {last}", possible_cpus());
    }
    // The file names the first one alone.
    run_again(NAME, lie("0\n"));
}

#[test]
fn no_descriptor_is_needed_to_know_the_cpus() {
    const NAME: &str = concat!(module_path!(), "::no_descriptor_is_needed_to_know_the_cpus");
    if inside(NAME) {
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: libc::RLIM_INFINITY,
        };
        let mut before = none;
        // SAFETY: reads and writes the limit.
        unsafe {
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before);
            let none = libc::rlimit {
                rlim_cur: 0,
                ..before
            };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none), 0);
        }
        assert!(
            std::fs::File::open("/proc/self/status").is_err(),
            "no descriptor"
        );
        let found = possible_cpus();
        // SAFETY: reads a limit that was filled in above.
        let restored = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const before) };
        assert_eq!(restored, 0);
        assert!(found > *cpus().last().unwrap());
        let folder = |cpu: usize| format!("/sys/devices/system/cpu/cpu{cpu}");
        let folders = (0..).take_while(|cpu| std::fs::exists(folder(*cpu)).unwrap());
        assert_eq!(found, folders.count().max(cpus().last().unwrap() + 1));
        return;
    }
    run_again(NAME, || Ok(()));
}

#[test]
fn a_cpu_without_memory_takes_the_other_way() {
    const NAME: &str = concat!(module_path!(), "::a_cpu_without_memory_takes_the_other_way");
    if inside(NAME) {
        // This process was moved to the first CPU, and so has not noticed the lie.
        if possible_cpus() != 1 || !run_on(&[1]) {
            return println!("not to be had here");
        }
        let counter = Counter::new().unwrap();
        assert_eq!(Handle::by_cpu(), None);
        assert_eq!(current_thread(), None);
        assert_eq!(rseq_ops::current_cpu(), 1);
        if let Some(handle) = rseq_ops::registration::handle() {
            // SAFETY: this process's handle.
            assert_eq!(unsafe { handle.current_index() }, None);
        }
        check_structures(&counter);
        run_on(&[0]);
        assert!(current_thread().is_some());
        check_structures(&counter);
        thread::scope(|scope| {
            for n in 0..4 {
                let counter = &counter;
                scope.spawn(move || {
                    for turn in 0..200 {
                        run_on(&[(n + turn) % 2]);
                        (0..100).for_each(|_| counter.add(1));
                    }
                });
            }
        });
        assert_eq!(counter.sum(), 6000 + 4 * 20_000);
        return;
    }
    if cpus() != [0, 1] || rseq_ops::process().feature_size == 0 {
        return println!("two CPUs and a registration are wanted");
    }
    let lie = lie("0\n");
    run_again(NAME, move || if run_on(&[0]) { lie() } else { Ok(()) });
}

#[test]
fn a_thread_that_libc_did_not_register_takes_the_other_way() {
    const NAME: &str = concat!(
        module_path!(),
        "::a_thread_that_libc_did_not_register_takes_the_other_way"
    );
    if !inside(NAME) {
        return run_again(NAME, || Ok(()));
    }
    if rseq_ops::process().owner != rseq_ops::Owner::Libc {
        return println!("libc registers nobody here");
    }
    let counter = Counter::new().unwrap();
    check_structures(&counter);
    if !unregister() {
        return println!("cannot be unregistered here");
    }
    let check = || {
        assert!(cpu::cpu_id() < 0);
        assert_eq!(current_thread(), None);
        assert_eq!(
            (Handle::by_cpu(), Handle::by_concurrency_id()),
            (None, None)
        );
        assert_eq!(rseq_ops::concurrency_id(), None);
        assert!((rseq_ops::current_cpu() as usize) < possible_cpus());
        let Some(handle) = rseq_ops::registration::handle() else {
            return; // Threads have handles of their own, if any.
        };
        let (source, mut target) = ((&raw const counter).cast::<u8>(), [0u8; 8]);
        // SAFETY: this process's handle; all of it aborts.
        unsafe {
            assert_eq!(handle.current_index(), None);
            assert_eq!(ops::add::<7>(handle, 0, 1), ops::Outcome::Aborted);
            let copied = ops::copy_through(handle, &raw const source, target.as_mut_ptr(), 8);
            assert_eq!(copied, ops::Outcome::Aborted);
        }
    };
    check();
    // Nor are the threads registered that such a thread starts. Were they counted on one slot, some
    // additions would be lost.
    let before = counter.sum();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                check();
                (0..100_000).for_each(|_| counter.add(1));
            });
        }
    });
    assert_eq!(counter.sum(), before + 400_000);
    check_structures(&counter);
}

/// Puts a file with this text in the place of the kernel's list of CPUs, for one process and its
/// children.
fn lie(text: &str) -> impl Fn() -> io::Result<()> + Send + Sync + use<> {
    let path = std::env::temp_dir().join(format!(
        "rseq-ops-possible-{}-{}",
        std::process::id(),
        text.len()
    ));
    std::fs::write(&path, text).unwrap();
    let lie = Lie(CString::new(path.into_os_string().into_encoded_bytes()).unwrap());
    move || lie.tell()
}

/// The file, removed at the end.
struct Lie(CString);

impl Lie {
    fn tell(&self) -> io::Result<()> {
        let none = std::ptr::null::<libc::c_char>();
        // SAFETY: C strings, or none where none is wanted.
        let done = unsafe {
            let root = c"/".as_ptr();
            let list = c"/sys/devices/system/cpu/possible".as_ptr();
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    none,
                    root,
                    none,
                    libc::MS_REC | libc::MS_PRIVATE,
                    none.cast(),
                ) == 0
                && libc::mount(self.0.as_ptr(), list, none, libc::MS_BIND, none.cast()) == 0
        };
        if done {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for Lie {
    fn drop(&mut self) {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::OsStr::from_bytes(self.0.as_bytes());
        let _ = std::fs::remove_file(path);
    }
}

/// Ends the registration that libc made for the calling thread.
fn unregister() -> bool {
    let symbol = |name: &std::ffi::CStr| {
        // SAFETY: a C string.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
    };
    let offset: *const isize = symbol(c"__rseq_offset").cast();
    let size: *const u32 = symbol(c"__rseq_size").cast();
    if offset.is_null() || size.is_null() {
        return false;
    }
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
        return false;
    }
    let end = |length: u32| {
        // SAFETY: libc's words; the area is this thread's. No sequence runs, and those to come find
        // that there is no registration.
        unsafe {
            let area = thread_pointer.wrapping_add_signed(*offset);
            let flags = rseq_ops::abi::FLAG_UNREGISTER;
            let signature = rseq_ops::abi::SIGNATURE;
            libc::syscall(libc::SYS_rseq, area, length, flags, signature) == 0
        }
    };
    // SAFETY: libc's word.
    end(32) || end(unsafe { *size })
}
