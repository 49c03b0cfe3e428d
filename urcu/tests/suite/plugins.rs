//! The library inside of shared objects that are loaded when the program runs: `examples/plugin.rs`.

use std::env;
use std::ffi::{CStr, CString, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use urcu_host::affinity::{cpus, run_on};

use crate::support::{child, run, skip};

/// The variable that names the plugin to a child.
const PLUGIN: &str = "URCU_TEST_PLUGIN";

/// The plugin, built as this program is. `None` where there is no way to it, as on a guest.
fn plugin() -> Option<&'static Path> {
    static PLUGIN: OnceLock<Option<PathBuf>> = OnceLock::new();
    PLUGIN.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let program = env::current_exe().expect("the path of this program");
    // [TARGET/]PROFILE/deps/program
    let profile = program.parent()?.parent()?;
    let plugin = profile.join("examples/libplugin.so");
    let age = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if age(&plugin) >= age(&program) {
        return Some(plugin);
    }
    // With a filter on targets, as `--test suite`, cargo builds no examples.
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--offline", "--example", "plugin"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.file_name()? == "release" {
        cargo.arg("--release");
    }
    let target = profile.parent()?.file_name()?.to_str()?;
    if target.split('-').count() > 2 {
        cargo.args(["--target", target]);
    }
    if cfg!(feature = "stall-trace") {
        cargo.args(["--features", "stall-trace"]);
    }
    match cargo.output() {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{errors}");
            plugin.exists().then_some(plugin)
        }
        Err(error) => {
            skip(&format!("no plugin, and no cargo: {error}"));
            None
        }
    }
}

/// Runs a child test with the plugin's path, and whoever registers the threads.
fn assert_child_passes_with_plugin(test: &str) {
    let Some(plugin) = plugin() else {
        return skip("no plugin");
    };
    for tunables in ["", "glibc.pthread.rseq=0"] {
        let mut command = child(test);
        command.env(PLUGIN, plugin).env("GLIBC_TUNABLES", tunables);
        let (code, output) = run(&mut command, Duration::from_secs(60));
        assert!(
            code == Some(0) && output.contains("1 passed"),
            "{test} with {tunables:?}: {code:?}\n{output}"
        );
    }
}

/// A loaded plugin.
struct Loaded {
    /// What `dlopen` answered.
    object: usize,
    update: extern "C" fn(u64) -> u64,
    read: extern "C" fn() -> u64,
    wait: extern "C" fn(),
}

impl Loaded {
    fn new(path: &Path) -> Result<Self, String> {
        let object = open(path, libc::RTLD_NOW | libc::RTLD_LOCAL)?;
        let find = |name: &CStr| {
            // SAFETY: a loaded object and a name.
            let found = unsafe { libc::dlsym(object, name.as_ptr()) };
            assert!(!found.is_null(), "{name:?}");
            found
        };
        // SAFETY: functions of these types, in an object that stays loaded at least until `close`.
        unsafe {
            Ok(Loaded {
                object: object.expose_provenance(),
                update: std::mem::transmute::<*mut c_void, extern "C" fn(u64) -> u64>(find(
                    c"plugin_update",
                )),
                read: std::mem::transmute::<*mut c_void, extern "C" fn() -> u64>(find(
                    c"plugin_read",
                )),
                wait: std::mem::transmute::<*mut c_void, extern "C" fn()>(find(c"plugin_wait")),
            })
        }
    }
}

fn open(path: &Path, flags: i32) -> Result<*mut c_void, String> {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path");
    // SAFETY: the plugin's constructors may run at any time.
    let object = unsafe { libc::dlopen(path.as_ptr(), flags) };
    if object.is_null() {
        // SAFETY: after an error, the thread's message.
        let error = unsafe { CStr::from_ptr(libc::dlerror()) };
        return Err(error.to_string_lossy().into_owned());
    }
    Ok(object)
}

fn child_plugin() -> PathBuf {
    env::var_os(PLUGIN).expect("started by a test").into()
}

#[test]
fn any_number_of_plugins_can_be_loaded_whatever_thread_local_data_they_have() {
    assert_child_passes_with_plugin("plugins::child_with_many_plugins");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_many_plugins() {
    let plugin = child_plugin();
    let directory = env::temp_dir().join(format!("urcu-plugins-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    // Copies: the same file would be loaded once.
    let loaded: Vec<Result<Loaded, String>> = (0..20)
        .map(|number| {
            let path = directory.join(format!("{number}.so"));
            fs::copy(&plugin, &path).unwrap();
            Loaded::new(&path)
        })
        .collect();
    fs::remove_dir_all(&directory).unwrap();
    let all: Vec<Loaded> = loaded.into_iter().map(Result::unwrap).collect();
    // Threads from before and after, this program's own copy of the library in between.
    let cell = urcu::Rcu::new(1u64);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (number, plugin) in (1..).zip(&all) {
                    assert!((plugin.read)() <= 100);
                    assert!((plugin.update)(number) >= 1);
                    assert_eq!((plugin.read)(), 0);
                    assert_eq!(*cell.read(), 1);
                }
            });
        }
    });
    all.iter().for_each(|plugin| (plugin.wait)());
    cell.store(2);
    assert_eq!(*cell.read(), 2);
}

#[test]
fn a_plugin_whose_sections_have_run_is_not_unloaded_from_under_the_kernel() {
    assert_child_passes_with_plugin("plugins::child_that_unloads");
}

/// The kernel may still look at the descriptor of the last sequence that ran here, when it takes the
/// thread off its CPU.
#[test]
#[ignore = "a child process of the test above"]
fn child_that_unloads() {
    let path = child_plugin();
    let cpus = cpus();
    for _ in 0..20 {
        let plugin = Loaded::new(&path).unwrap();
        // Nothing but sections, which leave nothing with the thread that would keep the plugin.
        assert_eq!((plugin.read)(), 100);
        let object = std::ptr::with_exposed_provenance_mut(plugin.object);
        // SAFETY: nobody calls the plugin afterwards but through a new handle.
        assert_eq!(unsafe { libc::dlclose(object) }, 0);
        for cpu in cpus.iter().chain(&cpus) {
            run_on(&[*cpu]);
            thread::sleep(Duration::from_micros(100));
        }
        let again = open(&path, libc::RTLD_NOW | libc::RTLD_NOLOAD);
        assert!(again.is_ok(), "unloaded: {again:?}");
    }
}

#[test]
fn no_initial_exec_data_comes_with_the_library() {
    let Some(plugin) = plugin() else {
        return skip("no plugin");
    };
    let Ok(output) = Command::new("readelf").arg("-dW").arg(plugin).output() else {
        return skip("readelf is not installed");
    };
    let dynamic = String::from_utf8_lossy(&output.stdout);
    assert!(
        dynamic.contains("SONAME") || dynamic.contains("NEEDED"),
        "{dynamic}"
    );
    assert!(!dynamic.contains("STATIC_TLS"), "{dynamic}");
}
