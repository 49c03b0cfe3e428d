//! Other owners of the threads' registrations, in C (`owner.c`): an early adopter that is there
//! before this crate, one that comes after it, and a libc that publishes an area of its own.
//!
//! Each test compiles its owner and runs this program again with the owner loaded.

use std::ffi::{CStr, CString, c_void};
use std::mem::transmute;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rseq_ops::ops::{self, Outcome};
use rseq_ops::percpu::{Counter, Mode, Node, Ring, Stack};
use rseq_ops::{Handle, Owner, abi, cpu, current_cpu, current_thread, process};

use crate::support::again::assert_child_passes_with;
use crate::support::until_committed;

/// The variable that names the owner's shared object to the child.
const OBJECT: &str = "RSEQ_OPS_TEST_OWNER";

/// A compiled `owner.c`, removed at the end.
struct Object(PathBuf);

impl Object {
    /// `None` without a C compiler.
    fn new(name: &str, flags: &[&str]) -> Option<Self> {
        let object = format!("rseq-ops-{name}-{}.so", std::process::id());
        let object = Object(std::env::temp_dir().join(object));
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-x", "c", "-o"])
            .arg(&object.0)
            .args(flags)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/registration/owner.c"))
            .output();
        match compiled {
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{errors}");
                Some(object)
            }
            Err(error) => {
                println!("skipped: no C compiler: {error}");
                None
            }
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a child test with the owner's object in its environment, loaded first if `preloaded`.
fn with_owner(test: &str, flags: &[&str], preloaded: bool) {
    let name = test.rsplit(':').next().unwrap_or(test);
    let Some(object) = Object::new(name, flags) else {
        return;
    };
    let mut environment = vec![(OBJECT, object.0.as_os_str())];
    if preloaded {
        environment.push(("LD_PRELOAD", object.0.as_os_str()));
    }
    assert_child_passes_with(test, &environment);
}

/// The owner's `struct rseq` up to `mm_cid`.
type Area = [u32; 7];

/// The functions that the owner's object exports.
struct Functions {
    area: extern "C" fn() -> *mut Area,
    register: extern "C" fn() -> i32,
    unregister: extern "C" fn() -> i32,
}

impl Functions {
    /// `None` where no owner was given, or can be loaded (a static program).
    fn load() -> Option<Self> {
        let object = std::env::var_os(OBJECT)?;
        let object = CString::new(object.as_bytes()).unwrap();
        // SAFETY: the object's constructors are those of `owner.c`, which may run at any time.
        let loaded = unsafe { libc::dlopen(object.as_ptr(), libc::RTLD_NOW) };
        if loaded.is_null() {
            println!("skipped: this program loads no objects");
            return None;
        }
        let find = |name: &CStr| -> *mut c_void {
            // SAFETY: a loaded object, which is never closed.
            let found = unsafe { libc::dlsym(loaded, name.as_ptr()) };
            assert!(!found.is_null(), "{name:?}");
            found
        };
        // SAFETY: functions of these types.
        unsafe {
            Some(Functions {
                area: transmute::<*mut c_void, extern "C" fn() -> *mut Area>(find(c"owner_area")),
                register: transmute::<*mut c_void, extern "C" fn() -> i32>(find(c"owner_register")),
                unregister: transmute::<*mut c_void, extern "C" fn() -> i32>(find(
                    c"owner_unregister",
                )),
            })
        }
    }

    /// The calling thread's area of the owner, as it is now.
    fn look(&self) -> Area {
        // SAFETY: the area of a living thread: the calling one.
        unsafe { (self.area)().read_volatile() }
    }
}

/// Returns whether the kernel lets anybody register.
fn kernel_registers() -> bool {
    let registers = process().owner != Owner::Nobody;
    if !registers {
        println!("skipped: no registrations in this process");
    }
    registers
}

fn in_a_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join().unwrap())
}

/// Every structure, used by the calling thread; the counter is shared with others.
fn use_everything(counter: &Counter<'_>) {
    (0..1000).for_each(|_| counter.add(1));
    let mut node = Node::new(7);
    let stack = Stack::new().unwrap();
    stack.push(&mut node);
    assert_eq!(stack.pop().map(|node| node.value), Some(7));
    let ring = Ring::new(Mode::Discard, 4096).unwrap();
    ring.write(b"record").unwrap();
    let mut consumer = ring.consumer().unwrap();
    let count = consumer.poll(|record| assert_eq!(record.bytes, b"record"));
    assert_eq!(count, 1);
    #[cfg(feature = "alloc")]
    {
        let pool = rseq_ops::percpu::Pool::new().unwrap();
        assert_eq!(*pool.alloc(5), 5);
        assert_eq!(pool.release().unwrap(), 1);
    }
}

/// Asserts that the calling thread is the owner's: this crate goes without, and leaves the
/// owner's area alone.
fn is_the_owners(owner: &Functions, counter: &Counter<'_>) {
    assert_eq!(current_thread(), None);
    assert_eq!(Handle::by_cpu(), None);
    assert_eq!(cpu::cpu_id(), abi::CPU_ID_REGISTRATION_FAILED);
    assert!((current_cpu() as usize) < rseq_ops::percpu::possible_cpus());
    use_everything(counter);
    let [_, cpu_id, cs_low, cs_high, flags, ..] = owner.look();
    assert!(
        (cpu_id as i32) >= 0,
        "registered no more: {}",
        cpu_id as i32
    );
    assert_eq!([cs_low, cs_high, flags], [0; 3], "written to");
    assert_eq!((owner.unregister)(), 0, "it was the owner's to end");
    assert_eq!(current_thread(), None, "once refused, never again");
}

/// Asserts that the calling thread is this crate's, and that the owner, which comes later, is
/// refused and does no harm.
fn is_ours(owner: &Functions, counter: &Counter<'_>) {
    let handle = current_thread().expect("a registration of our own");
    assert_ne!((owner.register)(), 0, "one registration for each thread");
    assert_eq!(current_thread(), Some(handle));
    assert_eq!(owner.look()[1] as i32, abi::CPU_ID_UNINITIALIZED);
    let area = rseq_ops::percpu::Area::new(0, 128).unwrap();
    let base = area.base().as_ptr().expose_provenance();
    // SAFETY: this thread's handle; the area is as long as the sequences run.
    until_committed(|| unsafe { ops::add::<7>(handle, base, 1) });
    use_everything(counter);
}

#[test]
fn an_early_adopters_threads_are_its_own() {
    let test = "registration::owners::child_of_an_early_adopter";
    with_owner(test, &[], true);
}

#[test]
#[ignore = "a child process"]
fn child_of_an_early_adopter() {
    let Some(owner) = Functions::load() else {
        return;
    };
    // The first to ask is a thread of the adopter's.
    let asked = in_a_thread(|| {
        (owner.register)();
        kernel_registers()
    });
    if !asked {
        return;
    }
    assert_eq!(process().owner, Owner::Own);
    let counter = Counter::new().unwrap();
    for _ in 0..5 {
        in_a_thread(|| {
            assert_eq!((owner.register)(), 0);
            is_the_owners(&owner, &counter);
        });
        // One that the adopter does not know, in between.
        in_a_thread(|| is_ours(&owner, &counter));
    }
    assert_eq!(counter.sum(), 10_000);
}

#[test]
fn who_comes_later_takes_no_thread_of_ours() {
    let test = "registration::owners::child_before_an_adopter";
    with_owner(test, &[], false);
}

#[test]
#[ignore = "a child process"]
fn child_before_an_adopter() {
    if std::env::var_os(OBJECT).is_none() || !kernel_registers() {
        return;
    }
    let counter = Counter::new().unwrap();
    // Registered before the object is loaded, whose constructor then asks for this thread.
    let first = current_thread();
    let Some(owner) = Functions::load() else {
        return;
    };
    assert_eq!(process().owner, Owner::Own);
    assert!(first.is_some());
    is_ours(&owner, &counter);
    in_a_thread(|| {
        assert_eq!((owner.register)(), 0);
        is_the_owners(&owner, &counter);
    });
    assert_eq!(counter.sum(), 2000);
}

#[test]
fn a_libc_that_publishes_its_areas_owns_all_threads() {
    let test = "registration::owners::child_of_a_libc";
    with_owner(test, &["-DLIBC"], true);
}

#[test]
#[ignore = "a child process"]
fn child_of_a_libc() {
    let Some(owner) = Functions::load() else {
        return;
    };
    if !kernel_registers() {
        return;
    }
    assert_eq!(process().owner, Owner::Libc);
    let counter = Counter::new().unwrap();
    let (area, armed) = (rseq_ops::percpu::Area::new(0, 128), AtomicUsize::new(0));
    let base = area.as_ref().unwrap().base().as_ptr().expose_provenance();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let handle = current_thread().expect("all threads are registered");
                // It is the owner's area that the sequences use, and the owner's alone.
                for _ in 0..1000 {
                    // SAFETY: this thread's handle; the area outlives the threads.
                    let outcome = unsafe { ops::add::<7>(handle, base, 1) };
                    let [_, cpu_id, cs_low, cs_high, ..] = owner.look();
                    assert!((cpu_id as i32) >= 0);
                    // The kernel may have cleared it by now.
                    let in_use = outcome == Outcome::Committed && (cs_low | cs_high) != 0;
                    armed.fetch_add(usize::from(in_use), Ordering::Relaxed);
                }
                assert_eq!(cpu::cpu_id() >= 0, Handle::by_cpu().is_some());
                use_everything(&counter);
            });
        }
    });
    assert!(armed.load(Ordering::Relaxed) > 0, "another area was used");
    assert_eq!(counter.sum(), 4000);
}
