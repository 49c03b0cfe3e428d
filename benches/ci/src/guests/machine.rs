//! The emulated machine.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::init::script;
use super::kinds::{Arch, Guest, Runs};
use super::packages::Files;
use super::plan::Plan;
use super::programs;
use super::report::Row;
use crate::run::{say, succeeds};

/// The time that a guest may take until its first process runs.
const BOOT_LIMIT: Duration = Duration::from_secs(150);

/// The line that a guest prints once its kernel has booted.
const UP: &str = "GUEST kernel=";

/// Returns how long a guest may run, from power on to power off.
pub(crate) fn limit(short: bool) -> Duration {
    Duration::from_secs(if short { 450 } else { 2700 })
}

/// Boots a guest and waits for its end.
///
/// # Errors
/// If this machine cannot run it.
pub(crate) fn run(plan: &Plan, guest: &Guest, files: &Files) -> Result<Row, Box<dyn Error>> {
    let name = format!("{}-{}-{}", guest.arch, guest.kernel, guest.runs);
    let log = plan.logs.join(format!("{name}.log"));
    let archive = initramfs(plan, guest, &name, &files.busybox)?;
    let mut begin = Instant::now();
    // Under qemu 7.2 a CPU may run instructions that another one has just replaced. The kernel patches its
    // own code while it boots, and dies of it now and then, before its first process runs.
    for boot in 1..=5 {
        say(format_args!("{guest} starts"));
        begin = Instant::now();
        let mut machine = Machine::start(guest, &files.kernel, &archive)?;
        if machine.watch(&log, limit(plan.short))? {
            break;
        }
        say(format_args!("{guest}: the kernel did not boot ({boot})"));
    }
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Row::of(guest, &output, begin.elapsed(), limit(plan.short)))
}

/// Packs the programs and an init that runs them.
fn initramfs(
    plan: &Plan,
    guest: &Guest,
    name: &str,
    busybox: &Path,
) -> Result<PathBuf, Box<dyn Error>> {
    let archive = plan.target.join(format!("{name}.cpio.gz"));
    let root = plan.target.join(format!("root-{name}"));
    let _ = fs::remove_dir_all(&root);
    for folder in ["dev", "proc", "sys", "tmp", "tests", "bin"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let programs = programs::folder(plan, guest.arch);
    let mut parts = vec!["bin"];
    if guest.runs == Runs::Tests {
        parts.push("tests");
    }
    for part in parts {
        for program in fs::read_dir(programs.join(part))? {
            let program = program?;
            fs::copy(program.path(), root.join(part).join(program.file_name()))?;
        }
    }
    fs::copy(busybox, root.join("bin/busybox"))?;
    let init = root.join("init");
    fs::write(&init, script(guest, plan.short))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let mut pack = Command::new("sh");
    pack.args(["-c", "find . | cpio -o -H newc --quiet | gzip -1"]);
    let packed = succeeds(pack.current_dir(&root).stdout(File::create(&archive)?));
    fs::remove_dir_all(&root)?;
    if packed {
        Ok(archive)
    } else {
        Err("cpio or gzip failed".into())
    }
}

/// Options for a processor: the emulator's, the console, the kernel's.
fn options(arch: Arch) -> (&'static [&'static str], &'static str, &'static str) {
    match arch {
        // qemu 7.2 computes wrong flags for CMPXCHG16B, which sooner or later kills newer kernels. And the
        // kernel relies on timer interrupts within milliseconds, however busy the host is.
        Arch::Amd64 => (
            &["-cpu", "max,-cx16", "-M", "q35"],
            "ttyS0",
            " no_timer_check",
        ),
        // The real algorithm of pointer authentication would take most of the emulated time.
        Arch::Arm64 => (
            &["-cpu", "max,pauth-impdef=on", "-M", "virt,gic-version=3"],
            "ttyAMA0",
            "",
        ),
        Arch::Riscv64 => (&["-cpu", "rv64", "-M", "virt"], "ttyS0", ""),
    }
}

/// A running emulator, which is killed when this is dropped.
struct Machine {
    emulator: Child,
    /// The socket on which it takes commands, if any will be sent.
    monitor: Option<PathBuf>,
}

impl Machine {
    fn start(guest: &Guest, kernel: &Path, archive: &Path) -> Result<Self, Box<dyn Error>> {
        let (processor, console, parameters) = options(guest.arch);
        let mut emulator = Command::new(guest.arch.emulator());
        emulator
            .args(processor)
            .args(["-accel", "tcg,thread=multi"]);
        let monitor = (guest.runs == Runs::SingleStep).then(|| {
            let name = format!("urcu-guest-{}-{}", std::process::id(), guest.arch);
            std::env::temp_dir().join(name)
        });
        if let Some(path) = &monitor {
            let _ = fs::remove_file(path);
            let path = path.display();
            let socket = format!("socket,id=monitor,path={path},server=on,wait=off");
            emulator.args(["-chardev", &socket, "-mon", "chardev=monitor"]);
        }
        emulator
            .args(["-m", "1024"])
            .args(guest.options.split_whitespace());
        emulator.args([
            "-nographic",
            "-no-reboot",
            "-nodefaults",
            "-serial",
            "stdio",
        ]);
        emulator
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(archive);
        let append = format!("console={console} quiet panic=-1{parameters}");
        emulator.args(["-append", &append]).stdin(Stdio::null());
        let emulator = emulator
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Machine { emulator, monitor })
    }

    /// Writes the guest's output to `log`, and waits for its end. Returns whether it has booted.
    fn watch(&mut self, log: &Path, limit: Duration) -> Result<bool, Box<dyn Error>> {
        let output = self
            .emulator
            .stdout
            .take()
            .ok_or("the emulator has no output pipe")?;
        let mut log = File::create(log)?;
        let is_up = &AtomicBool::new(false);
        let begin = Instant::now();
        thread::scope(|scope| {
            let copies = scope.spawn(move || -> std::io::Result<()> {
                let mut output = BufReader::new(output);
                let mut line = Vec::new();
                while output.read_until(b'\n', &mut line)? != 0 {
                    line.retain(|byte| *byte != b'\r');
                    log.write_all(&line)?;
                    if String::from_utf8_lossy(&line).contains(UP) {
                        is_up.store(true, SeqCst);
                    }
                    line.clear();
                }
                Ok(())
            });
            let mut told = None;
            while self.emulator.try_wait()?.is_none() {
                let up = is_up.load(SeqCst);
                if begin.elapsed() > limit || (!up && begin.elapsed() > BOOT_LIMIT) {
                    self.emulator.kill()?;
                    self.emulator.wait()?;
                    break;
                }
                if up && told.is_none() {
                    told = self.step();
                }
                thread::sleep(Duration::from_millis(100));
            }
            copies
                .join()
                .map_err(|_| "the thread that copies output panicked")??;
            Ok(is_up.load(SeqCst))
        })
    }

    /// Switches to one instruction per translation block. Not earlier: booting that way would take minutes.
    fn step(&self) -> Option<UnixStream> {
        let mut monitor = UnixStream::connect(self.monitor.as_ref()?).ok()?;
        // The name of the command until qemu 8.1, and its name since then.
        monitor
            .write_all(b"singlestep on\none-insn-per-tb on\n")
            .ok()?;
        Some(monitor)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
        if let Some(path) = &self.monitor {
            let _ = fs::remove_file(path);
        }
    }
}
