//! A child that is forked between any two instructions, and goes on: the processor traps after
//! each one, and the handler forks at one of them.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::time::Instant;

use urcu::{Domain, Runner};

use crate::support::fork::{
    assert_ends_well, child_does, limit_child, raw_fork, use_by_hand, use_everything,
};
use crate::support::{assert_child_passes, length};

/// The number of instructions left to the last one, at which the handler forks; negative: no stepping.
static LEFT: AtomicI64 = AtomicI64::new(-1);
/// True if it forks there; else it only stops stepping.
static FORKS: AtomicBool = AtomicBool::new(false);
/// The child; -1 in the child itself; 0: none yet.
static MADE: AtomicI32 = AtomicI32::new(0);

extern "C" fn step(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    const TRAP: libc::greg_t = 0x100;
    // SAFETY: what the kernel gives to a handler.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let flags = &mut context.uc_mcontext.gregs[libc::REG_EFL as usize];
    match LEFT.load(Ordering::Relaxed) {
        0 => {
            LEFT.store(-1, Ordering::Relaxed);
            *flags &= !TRAP;
            if !FORKS.load(Ordering::Relaxed) {
                return;
            }
            let process = raw_fork();
            MADE.store(if process == 0 { -1 } else { process }, Ordering::Relaxed);
            if process == 0 {
                limit_child();
            }
        }
        left if left > 0 => {
            LEFT.store(left - 1, Ordering::Relaxed);
            *flags |= TRAP;
        }
        _ => *flags &= !TRAP,
    }
}

/// Does `act` step by step; how many steps are left of `most`.
fn step_through(most: i64, domain: &'static Domain, act: fn(&'static Domain)) -> i64 {
    MADE.store(0, Ordering::Relaxed);
    LEFT.store(most, Ordering::Relaxed);
    // SAFETY: the handler is installed.
    unsafe { libc::raise(libc::SIGTRAP) };
    act(domain);
    LEFT.swap(-1, Ordering::Relaxed)
}

/// Forks at the instructions of `act`, each time on a domain that `make` makes: at as many of them
/// as there is time for. What the children return to must end, and leave a domain that can
/// be used.
fn at_every_instruction(make: fn() -> &'static Domain, act: fn(&'static Domain)) {
    at_every_instruction_and_check(i64::MAX, make, act, use_everything);
}

/// The same with the first `most` instructions, and another look at the domain.
fn at_every_instruction_and_check(
    most: i64,
    make: fn() -> &'static Domain,
    act: fn(&'static Domain),
    check: fn(&'static Domain),
) {
    // SAFETY: a zeroed action is valid; the handler touches nothing that is not its thread's or
    // atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = step as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut());
    }
    // A thread's own registration blocks signals, and a trap that is blocked is the end.
    drop(urcu::read_lock());
    // No further than they are wanted: a wait can be long, and each step takes a microsecond or ten.
    FORKS.store(false, Ordering::Relaxed);
    let all = (most - step_through(most, make(), act)).min(most);
    println!("{all} instructions");
    FORKS.store(true, Ordering::Relaxed);
    let end = Instant::now() + length(1_000);
    // All over the place, and elsewhere in another run.
    let numbers = (i64::from(std::process::id())..).map(|turn| turn * 7_919 % all);
    for number in numbers.take_while(|_| Instant::now() < end) {
        let domain = make();
        step_through(number, domain, act);
        match MADE.load(Ordering::Relaxed) {
            -1 => child_does(|| {
                act(domain);
                check(domain);
                use_everything(urcu::global());
            }),
            0 => {} // Fewer instructions this time.
            process => {
                assert_ends_well(process);
                act(domain);
            }
        }
    }
}

fn used() -> &'static Domain {
    static DOMAIN: Domain = Domain::named("stepped through");
    drop(DOMAIN.read_lock());
    DOMAIN.synchronize();
    &DOMAIN
}

fn new() -> &'static Domain {
    Box::leak(Box::new(Domain::new()))
}

#[test]
fn of_a_section() {
    assert_child_passes("fork::at_every_instruction::child_of_a_section");
}

#[test]
#[ignore = "a child process of of_a_section"]
fn child_of_a_section() {
    at_every_instruction(used, |domain| drop(domain.read_lock()));
}

#[test]
fn of_a_domains_first_section() {
    assert_child_passes("fork::at_every_instruction::child_of_a_first_section");
}

#[test]
#[ignore = "a child process of of_a_domains_first_section"]
fn child_of_a_first_section() {
    at_every_instruction(new, |domain| drop(domain.read_lock()));
}

#[test]
fn of_a_grace_period() {
    assert_child_passes("fork::at_every_instruction::child_of_a_grace_period");
}

#[test]
#[ignore = "a child process of of_a_grace_period"]
fn child_of_a_grace_period() {
    at_every_instruction(used, Domain::synchronize);
}

/// Whose work no other thread does: none may be in the heap's locks when this one forks.
fn by_hand() -> &'static Domain {
    Box::leak(Box::new(Domain::new().run_by(Runner::Caller)))
}

fn used_by_hand() -> &'static Domain {
    static DOMAIN: Domain = Domain::named("stepped through by hand").run_by(Runner::Caller);
    use_by_hand(&DOMAIN);
    &DOMAIN
}

#[test]
fn of_a_domains_first_grace_period() {
    assert_child_passes("fork::at_every_instruction::child_of_a_first_grace_period");
}

#[test]
#[ignore = "a child process of of_a_domains_first_grace_period"]
fn child_of_a_first_grace_period() {
    let all_but_that = || {
        let domain = by_hand();
        domain.run_callbacks(0);
        assert_eq!(domain.stats().grace_periods, 0);
        domain
    };
    at_every_instruction_and_check(i64::MAX, all_but_that, Domain::synchronize, use_by_hand);
}

#[test]
fn of_a_flip_inside_a_section() {
    assert_child_passes("fork::at_every_instruction::child_of_a_flip");
}

#[test]
#[ignore = "a child process of of_a_flip_inside_a_section"]
fn child_of_a_flip() {
    let act = |domain: &'static Domain| {
        let guard = domain.read_lock();
        domain.start_poll().is_over();
        drop(guard);
    };
    let make = || {
        let domain = used_by_hand();
        domain.synchronize();
        domain
    };
    // Most of it is the wait for that section.
    at_every_instruction_and_check(8_000, make, act, |domain| {
        // The guard from before the fork has ended: not in counters of now.
        domain.synchronize();
        use_by_hand(domain);
        use_by_hand(domain);
    });
}

#[test]
fn of_a_callback() {
    assert_child_passes("fork::at_every_instruction::child_of_a_callback");
}

#[test]
#[ignore = "a child process of of_a_callback"]
fn child_of_a_callback() {
    let act = |domain: &'static Domain| {
        domain.call(|| ());
        domain.barrier();
    };
    at_every_instruction_and_check(i64::MAX, used_by_hand, act, use_by_hand);
}

#[test]
fn of_a_domains_first_cookie() {
    assert_child_passes("fork::at_every_instruction::child_of_a_first_cookie");
}

#[test]
#[ignore = "a child process of of_a_domains_first_cookie"]
fn child_of_a_first_cookie() {
    let act = |domain: &'static Domain| {
        domain.start_poll().is_over();
    };
    at_every_instruction_and_check(i64::MAX, by_hand, act, use_by_hand);
}
