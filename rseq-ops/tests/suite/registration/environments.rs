//! The same questions in other environments: each test runs this program again, changed.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};

use urcu_host::seccomp::Filter;

use crate::support::again::{inside, run_again, run_again_with};
use rseq_ops::{Handle, Owner, abi, cpu, membarrier};

/// Runs the test `name` of this program in a new process, with libc's registration off and with
/// these system calls refused.
fn again(name: &str, libc_registers: bool, calls: &[libc::c_long], errno: i32) {
    let off = [("GLIBC_TUNABLES", "glibc.pthread.rseq=0")];
    let environment = if libc_registers { &[][..] } else { &off };
    let filter = Filter::new(calls, errno);
    run_again_with(environment, name, move || filter.install());
}

/// Checks what holds wherever nobody registers.
fn check_nobody() {
    let features = rseq_ops::features();
    assert_eq!(features.owner, Owner::Nobody);
    assert_eq!(features.size, 0);
    assert!(!features.cpu_id && !features.node_id && !features.mm_cid);
    assert!(!features.slice_control && !features.slice_extension);
    assert_eq!(Handle::by_cpu(), None);
    assert_eq!(Handle::by_concurrency_id(), None);
    assert_eq!(cpu::cpu_id(), abi::CPU_ID_REGISTRATION_FAILED);
    assert_eq!(rseq_ops::concurrency_id(), None);
    assert!((rseq_ops::current_cpu() as usize) < rseq_ops::percpu::possible_cpus());
}

#[test]
fn without_the_system_call_the_fallbacks_answer() {
    const NAME: &str = concat!(
        module_path!(),
        "::without_the_system_call_the_fallbacks_answer"
    );
    if inside(NAME) {
        check_nobody();
        assert!(rseq_ops::numa_node().is_some());
        return;
    }
    for errno in [libc::ENOSYS, libc::EPERM, libc::EACCES] {
        let calls = &[libc::SYS_rseq];
        again(NAME, true, calls, errno);
    }
}

#[test]
fn without_any_call_there_still_is_an_answer() {
    const NAME: &str = concat!(
        module_path!(),
        "::without_any_call_there_still_is_an_answer"
    );
    if inside(NAME) {
        check_nobody();
        assert_eq!(rseq_ops::numa_node(), None);
        assert_eq!(rseq_ops::features().membarrier.0, 0);
        return;
    }
    let calls = &[libc::SYS_rseq, libc::SYS_getcpu, libc::SYS_membarrier];
    again(NAME, true, calls, libc::ENOSYS);
}

/// A filter may grant the registration and refuse what it is for.
#[test]
fn a_barrier_that_is_refused_after_its_registration_is_not_made() {
    const NAME: &str = concat!(
        module_path!(),
        "::a_barrier_that_is_refused_after_its_registration_is_not_made"
    );
    if inside(NAME) {
        // SAFETY: three integers.
        let registered = unsafe {
            libc::syscall(
                libc::SYS_membarrier,
                abi::MEMBARRIER_REGISTER_PRIVATE_EXPEDITED_RSEQ,
                0,
                0,
            )
        };
        assert_eq!(registered, 0, "the filter lets registrations pass");
        let refused = Err(membarrier::MembarrierError(libc::EPERM));
        assert_eq!(membarrier::restart(), refused);
        assert_eq!(membarrier::barrier(), refused);
        assert_eq!(membarrier::register(), refused);
        let stack = rseq_ops::percpu::Stack::<u32>::new().unwrap();
        let mut node = rseq_ops::percpu::Node::new(7);
        stack.push(&mut node);
        assert_eq!(stack.take_all().unwrap().count(), 1, "by its locks");
        return;
    }
    if !rseq_ops::features().membarrier.restart() {
        return println!("no membarrier here to be refused");
    }
    let commands = [
        abi::MEMBARRIER_PRIVATE_EXPEDITED as u32,
        abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ as u32,
    ];
    let filter = Filter::of_argument(libc::SYS_membarrier, 0, &commands, libc::EPERM);
    run_again(NAME, move || filter.install());
}

/// The word of a thread with a registration of our own, with somebody else's, and at its end.
#[test]
fn the_word_follows_the_registration() {
    const NAME: &str = concat!(module_path!(), "::the_word_follows_the_registration");
    #[repr(align(64))]
    struct Foreign([u32; 32]);
    /// Runs after the destructor that ends our registration: destructors of keys run in rounds,
    /// and this one asks for a second.
    extern "C" fn at_exit(round: *mut libc::c_void) {
        let key = KEY.load(Ordering::SeqCst);
        if round.addr() == 1 {
            // SAFETY: the key exists.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(2)) };
            return;
        }
        LAST_WORD.store(cpu::cpu_id(), Ordering::SeqCst);
        LAST_HANDLE.store(Handle::by_cpu().is_some(), Ordering::SeqCst);
        LAST_CPU.store(rseq_ops::current_cpu() as usize, Ordering::SeqCst);
    }
    static KEY: AtomicU32 = AtomicU32::new(0);
    static LAST_WORD: AtomicI32 = AtomicI32::new(7);
    static LAST_HANDLE: AtomicBool = AtomicBool::new(true);
    static LAST_CPU: AtomicUsize = AtomicUsize::new(usize::MAX);

    if !inside(NAME) {
        again(NAME, false, &[], 0);
        // Kernels before Linux 6.3 know the original length alone.
        let off = [("GLIBC_TUNABLES", "glibc.pthread.rseq=0")];
        let filter = Filter::of_argument(libc::SYS_rseq, 1, &[64], libc::EINVAL);
        return run_again_with(&off, NAME, move || filter.install());
    }
    if rseq_ops::process().owner != Owner::Own {
        println!("no registration of our own here");
        return;
    }
    assert!(cpu::cpu_id() >= 0);
    assert!(Handle::by_cpu().is_some());
    std::thread::spawn(|| {
        let mut key = 0;
        // SAFETY: the key is valid for the write, the destructor is of the right type.
        unsafe {
            assert_eq!(libc::pthread_key_create(&raw mut key, Some(at_exit)), 0);
            KEY.store(key, Ordering::SeqCst);
            libc::pthread_setspecific(key, std::ptr::without_provenance(1));
        }
        assert!(cpu::cpu_id() >= 0);
    })
    .join()
    .unwrap();
    assert_eq!(
        LAST_WORD.load(Ordering::SeqCst),
        abi::CPU_ID_UNINITIALIZED,
        "the registration ended, and the kernel says so"
    );
    assert!(!LAST_HANDLE.load(Ordering::SeqCst));
    assert!(LAST_CPU.load(Ordering::SeqCst) < rseq_ops::percpu::possible_cpus());
    // A thread whose registration somebody else made first.
    std::thread::spawn(|| {
        let mut foreign = Foreign([0; 32]);
        let rseq = |flags: i32, area: *mut Foreign| {
            let signature = abi::SIGNATURE as usize;
            // SAFETY: the area outlives its registration, which ends below.
            unsafe { libc::syscall(libc::SYS_rseq, area, 32, flags, signature) }
        };
        assert_eq!(rseq(0, &raw mut foreign), 0);
        assert_eq!(Handle::by_cpu(), None);
        assert_eq!(cpu::cpu_id(), abi::CPU_ID_REGISTRATION_FAILED);
        assert_eq!(rseq_ops::concurrency_id(), None);
        assert!((rseq_ops::current_cpu() as usize) < rseq_ops::percpu::possible_cpus());
        assert_eq!(rseq(abi::FLAG_UNREGISTER, &raw mut foreign), 0);
        assert_eq!(Handle::by_cpu(), None, "once refused, never again");
        assert!(foreign.0[0] < 1 << 20);
    })
    .join()
    .unwrap();
}
