//! What the figures were measured on, and what the process uses of it.

use std::fs;
use std::time::Duration;

/// Facts of the machine, as far as it tells them.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Machine {
    /// The architecture that the program was built for.
    pub arch: &'static str,
    /// The kernel's release.
    pub kernel: String,
    /// The model of the first CPU.
    pub cpu: String,
    /// CPUs that the process may run on.
    pub cpus: usize,
    /// The version of glibc.
    pub glibc: Option<String>,
    /// True if glibc registers each thread's rseq area.
    pub glibc_rseq: bool,
}

impl Machine {
    /// Asks the machine what it is.
    #[must_use]
    pub fn probe() -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            arch: std::env::consts::ARCH,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            cpu: fs::read_to_string("/proc/cpuinfo")
                .ok()
                .and_then(|text| cpu_model(&text))
                .unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            glibc: glibc_version(),
            glibc_rseq: rseq_ops::process().owner == rseq_ops::Owner::Libc,
        }
    }

    /// Returns the load average of the last minute: what else the machine does.
    #[must_use]
    pub fn load(&self) -> Option<f64> {
        let text = fs::read_to_string("/proc/loadavg").ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// Returns the facts in one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}, {} CPUs, {}, Linux {}, {}, rseq registered by glibc: {}",
            self.cpu,
            self.cpus,
            self.arch,
            self.kernel,
            self.glibc
                .as_deref()
                .map_or("no glibc".to_owned(), |version| format!("glibc {version}")),
            if self.glibc_rseq { "yes" } else { "no" },
        )
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        let model = matches!(key.trim(), "model name" | "Model" | "uarch" | "cpu model");
        model.then(|| value.trim().to_owned())
    })
}

#[cfg(target_env = "gnu")]
fn glibc_version() -> Option<String> {
    // SAFETY: the function takes nothing and returns a static string.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    Some(version.to_string_lossy().into_owned())
}

#[cfg(not(target_env = "gnu"))]
fn glibc_version() -> Option<String> {
    None
}

/// Returns the CPU time that all threads of the process have used.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live exclusive reference. If the call fails it stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Returns the memory of the process that is resident, in bytes; zero where the system does not tell.
/// Exact, at the cost of a walk through all of it.
#[must_use]
pub fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    kibibytes(&text, "Rss:") << 10
}

/// Returns about the same as [`resident`], from counters that may be some pages behind; cheap.
#[must_use]
pub fn about_resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&text, "VmRSS:") << 10
}

/// Returns the most that was ever resident, in bytes.
#[must_use]
pub fn peak_resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&text, "VmHWM:") << 10
}

fn kibibytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Machine, about_resident, cpu_model, cpu_time, kibibytes, peak_resident, resident};

    #[test]
    fn memory_that_is_touched_is_resident() {
        assert_eq!(kibibytes("VmPeak: 1 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), 12);
        assert_eq!(kibibytes("", "VmRSS:"), 0);
        let before = resident();
        let touched = vec![1u8; 64 << 20];
        let grown = resident() - before;
        assert!(touched.len() as u64 <= grown + (8 << 20), "{grown}");
        assert!(grown < 8 << 30, "{grown}");
        assert!(about_resident() >= 64 << 20);
        assert!(peak_resident() >= about_resident() / 2);
    }

    #[test]
    fn cpu_time_grows() {
        let begin = cpu_time();
        while cpu_time() == begin {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn finds_the_model() {
        let text = "processor\t: 0\nmodel\t\t: 106\nmodel name\t: Some CPU @ 2GHz\n";
        assert_eq!(cpu_model(text).as_deref(), Some("Some CPU @ 2GHz"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }

    #[test]
    fn the_line_names_the_kernel() {
        let machine = Machine::probe();
        assert!(machine.line().contains(&machine.kernel));
    }
}
