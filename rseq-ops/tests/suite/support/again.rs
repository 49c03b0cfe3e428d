//! This program again, as a process in which something is not as usual.
//!
//! Tests are named with their modules, as `module_path!` does it.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The name of a test as the harness has it: without the program's.
fn test(name: &str) -> &str {
    name.strip_prefix("suite::").unwrap_or(name)
}

/// Which test's process this is, if it was started by one.
const INSIDE: &str = "RSEQ_OPS_TEST_INSIDE";

pub(crate) fn inside(name: &str) -> bool {
    std::env::var(INSIDE).is_ok_and(|value| value == test(name))
}

/// Runs the test `name` of this program in a new process, after `prepare`, which makes system calls
/// alone; does nothing where that is not allowed.
pub(crate) fn run_again(name: &str, prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static) {
    run_again_with(&[], name, prepare);
}

/// The same with more in its environment.
pub(crate) fn run_again_with(
    environment: &[(&str, &str)],
    name: &str,
    prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) {
    let name = test(name);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, name)
        .envs(environment.iter().copied());
    // SAFETY: only system calls happen between fork and exec.
    unsafe { command.pre_exec(prepare) };
    match command.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let complained = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}{complained}");
            assert!(said.contains("1 passed"), "{said}{complained}");
        }
        Err(error) => println!("skipped: not allowed here: {error}"),
    }
}

/// Puts a file with this text in the place of the kernel's list of CPUs, for one process and its
/// children.
pub(crate) fn lie(text: &str) -> impl Fn() -> io::Result<()> + Send + Sync + use<> {
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
pub(crate) fn unregister() -> bool {
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

/// Runs the ignored test `name` in a new process, in which libc registers no threads.
pub(crate) fn assert_child_passes(name: &str) {
    assert_child_passes_with(name, &[]);
}

/// The same with more in its environment.
pub(crate) fn assert_child_passes_with(name: &str, environment: &[(&str, &OsStr)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture"])
        .env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name}: {}\n{text}{errors}",
        output.status
    );
}
