//! How threads start in a forked child.
//!
//! The standard library takes a lock whenever a thread starts or ends: it notes where their stacks end, for
//! the message about one that has overflowed. If another thread of the parent held it at the fork, nobody
//! ever releases it in the child, and the next thread that starts there sleeps for ever before it runs a
//! line of ours. So in a child, threads are started by the C library, which takes care of its own locks at
//! a fork.
//!
//! Two things are lost that way: a panic's message says `<unnamed>`, and a stack that overflows ends the
//! process by SIGSEGV, without that message. So processes that were not forked use the standard library.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

use crate::sync::as_user;
use crate::sync::panics::discard;

type Body = Box<dyn FnOnce() + Send>;

/// Returns whether this process was forked and has executed no program since; also true if that is not
/// known.
pub(super) fn is_forked() -> bool {
    // The flags of the process's first thread: the flag is set in all other threads, which are made as
    // children are.
    let flags = std::fs::read("/proc/self/stat").ok().and_then(|stat| {
        // Behind the name, in which there may be anything: state, parent, group, session, terminal
        // and its group.
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = core::str::from_utf8(&stat[end + 1..]).ok()?;
        rest.split_ascii_whitespace().nth(6)?.parse::<u32>().ok()
    });
    /// `PF_FORKNOEXEC` of the kernel's `sched.h`; `execve` clears it.
    const FORKED: u32 = 0x40;
    flags.is_none_or(|flags| flags & FORKED != 0)
}

/// Starts a thread that nobody joins, with at least `stack` bytes of stack.
pub(super) fn start(
    name: &str,
    stack: usize,
    body: impl FnOnce() + Send + 'static,
) -> Option<libc::pthread_t> {
    let short = short(name);
    let body: Body = Box::new(move || {
        // SAFETY: the name ends with a zero.
        unsafe { libc::prctl(libc::PR_SET_NAME, short.as_ptr()) };
        let _stack = SignalStack::install();
        let run = core::panic::AssertUnwindSafe(body);
        if let Err(payload) = std::panic::catch_unwind(run) {
            as_user(|| discard(payload));
        }
    });
    let argument = Box::into_raw(Box::new(body));
    let thread = create(stack, argument.cast());
    if thread.is_none() {
        // SAFETY: from the box, and no thread has it.
        drop(unsafe { Box::from_raw(argument) });
    }
    thread
}

fn create(stack: usize, argument: *mut c_void) -> Option<libc::pthread_t> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the attributes are made before they are used, and destroyed once. `run` takes over what
    // the argument points to if it is started, and the thread is written then.
    unsafe {
        if libc::pthread_attr_init(attributes) != 0 {
            return None;
        }
        libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        let created = libc::pthread_attr_setstacksize(attributes, in_pages(stack)) == 0
            && libc::pthread_create(thread.as_mut_ptr(), attributes, run, argument) == 0;
        libc::pthread_attr_destroy(attributes);
        created.then(|| thread.assume_init())
    }
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    // SAFETY: from `start`, which leaves it to us.
    let body = unsafe { Box::from_raw(argument.cast::<Body>()) };
    body();
    ptr::null_mut()
}

/// Returns the part of a name that the kernel keeps.
fn short(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short
        .iter_mut()
        .take(15)
        .zip(name.bytes())
        .for_each(|(to, from)| *to = from);
    short
}

fn page() -> usize {
    // SAFETY: a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(4096)
}

/// Returns a size of stack in whole pages: what was asked for, or the least that the system allows.
fn in_pages(stack: usize) -> usize {
    // SAFETY: a number; -1 if it is not known.
    let least = unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) };
    let least = usize::try_from(least).unwrap_or(0).max(64 << 10);
    let page = page();
    stack
        .max(least)
        .checked_next_multiple_of(page)
        .unwrap_or(usize::MAX & !(page - 1))
}

/// A stack for signal handlers that run when the thread's own stack has overflowed: the program may have
/// installed some. Its lowest page is inaccessible.
struct SignalStack {
    mapping: *mut c_void,
    size: usize,
}

impl SignalStack {
    fn install() -> Option<Self> {
        let page = page();
        // SAFETY: a number; 0 if it is not known.
        let least = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        let usable = least.max(libc::SIGSTKSZ).next_multiple_of(page);
        let size = page + usable;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping, of which all but the lowest page becomes this thread's.
        unsafe {
            let mapping = libc::mmap(ptr::null_mut(), size, access, flags, -1, 0);
            if mapping == libc::MAP_FAILED {
                return None;
            }
            let mapped = SignalStack { mapping, size };
            libc::mprotect(mapping, page, libc::PROT_NONE);
            let stack = libc::stack_t {
                ss_sp: mapping.byte_add(page),
                ss_flags: 0,
                ss_size: usable,
            };
            libc::sigaltstack(&raw const stack, ptr::null_mut());
            Some(mapped)
        }
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        // SAFETY: it is this thread's, which is not on it: this runs on the thread's own stack. Nobody
        // uses the mapping after it was disabled.
        unsafe {
            let none = libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: libc::SIGSTKSZ,
            };
            libc::sigaltstack(&raw const none, ptr::null_mut());
            libc::munmap(self.mapping, self.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_stacks_are_whole_pages_and_never_too_small() {
        for asked in [0, 1, 64 << 10, (2 << 20) + 1, usize::MAX] {
            let given = in_pages(asked);
            assert!(given >= 64 << 10 && given.is_multiple_of(page()), "{asked}");
            assert!(given >= asked.min(usize::MAX - page()), "{asked}");
        }
    }

    #[test]
    fn names_end_with_a_zero() {
        assert_eq!(&short("urcu-callbacks"), b"urcu-callbacks\0\0");
        assert_eq!(&short("urcu-a long name"), b"urcu-a long nam\0");
    }
}
