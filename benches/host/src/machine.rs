//! Facts about the machine on which figures are measured, and this process's use of it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Facts about the machine, as far as the system tells them.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Machine {
    /// The architecture that the program was built for.
    pub arch: String,
    /// The kernel's release.
    pub kernel: String,
    /// The model of the first CPU.
    pub cpu: String,
    /// The first CPU's family, model and stepping, in decimal, on x86.
    pub family: Option<String>,
    /// The revision of its microcode.
    pub microcode: Option<String>,
    /// True for a virtual machine.
    pub virtual_machine: bool,
    /// The number of CPUs that the process may use.
    pub cpus: usize,
    /// The machine's memory, in bytes.
    pub memory: u64,
    /// The version of glibc.
    pub glibc: Option<String>,
    /// True if glibc registers each thread's rseq area.
    pub glibc_rseq: bool,
    /// The size of the rseq area that the kernel fills, in bytes; `None` before Linux 6.3.
    pub rseq_feature_size: Option<u64>,
    /// The commands of membarrier(2) that the kernel has, as bits.
    pub membarrier: Option<u64>,
    /// The kernel's mitigations of the processor's vulnerabilities.
    pub mitigations: BTreeMap<String, String>,
}

impl Machine {
    /// Reads the facts from the system.
    #[must_use]
    pub fn probe() -> Self {
        let unknown = || "unknown".to_owned();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            arch: std::env::consts::ARCH.to_owned(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            cpu: cpu_model(&cpuinfo).unwrap_or_else(unknown),
            family: cpu_family(&cpuinfo),
            microcode: of_cpu(&cpuinfo, &["microcode"]),
            virtual_machine: of_cpu(&cpuinfo, &["flags"])
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: kibibytes(&meminfo, "MemTotal:") << 10,
            glibc: glibc_version(),
            glibc_rseq: rseq_ops::process().owner == rseq_ops::Owner::Libc,
            rseq_feature_size: rseq_feature_size(),
            membarrier: membarrier_commands(),
            mitigations: mitigations(),
        }
    }

    /// Returns the load average of the last minute, which shows what else the machine does.
    #[must_use]
    pub fn load(&self) -> Option<f64> {
        let text = fs::read_to_string("/proc/loadavg").ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// Returns the processor: its model, family and stepping.
    #[must_use]
    pub fn processor(&self) -> String {
        let family = self.family.iter().map(|family| format!(" ({family})"));
        let family: String = family.collect();
        format!("{}{family}", self.cpu)
    }

    /// Returns the facts in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let known = |text: &Option<String>| text.clone().unwrap_or("unknown".to_owned());
        let kind = if self.virtual_machine { " virtual" } else { "" };
        format!(
            "{}, {}{kind} CPUs, {}, microcode {}, Linux {}, {}, rseq registered by glibc: {}; rseq area of {} \
             bytes, membarrier commands {}; mitigations: {}",
            self.processor(),
            self.cpus,
            self.arch,
            known(&self.microcode),
            self.kernel,
            self.glibc
                .as_deref()
                .map_or("no glibc".to_owned(), |version| format!("glibc {version}")),
            if self.glibc_rseq { "yes" } else { "no" },
            self.rseq_feature_size
                .map_or("20 (of the first version)".to_owned(), |size| size
                    .to_string()),
            self.membarrier
                .map_or("none".to_owned(), |bits| format!("{bits:#x}")),
            self.mitigations_line(),
        )
    }

    /// Returns the mitigations, without vulnerabilities that the processor does not have.
    fn mitigations_line(&self) -> String {
        let affected = self
            .mitigations
            .iter()
            .filter(|(_, what)| *what != "Not affected");
        let affected: Vec<String> = affected
            .map(|(name, what)| format!("{name}: {what}"))
            .collect();
        match &*affected {
            [] if self.mitigations.is_empty() => "unknown".to_owned(),
            [] => "none needed".to_owned(),
            affected => affected.join(", "),
        }
    }
}

/// Returns the first CPU's value for the first of the keys that it has.
fn of_cpu(cpuinfo: &str, keys: &[&str]) -> Option<String> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        keys.contains(&key.trim()).then(|| value.trim().to_owned())
    })
}

fn cpu_family(cpuinfo: &str) -> Option<String> {
    let of = |key| of_cpu(cpuinfo, &[key]);
    let (family, model, stepping) = (of("cpu family")?, of("model")?, of("stepping")?);
    Some(format!(
        "family {family}, model {model}, stepping {stepping}"
    ))
}

fn rseq_feature_size() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        const AT_RSEQ_FEATURE_SIZE: libc::c_ulong = 27;
        // SAFETY: the function looks up an entry by number, and returns zero if there is none.
        let size = unsafe { libc::getauxval(AT_RSEQ_FEATURE_SIZE) };
        (size != 0).then_some(u64::from(size as usize as u32))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

fn membarrier_commands() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: command 0 queries the supported commands, and touches no memory.
        let commands = unsafe { libc::syscall(libc::SYS_membarrier, 0, 0, 0) };
        u64::try_from(commands).ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

fn mitigations() -> BTreeMap<String, String> {
    let Ok(folder) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else {
        return BTreeMap::new();
    };
    let entries = folder.flatten().filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Some((name, text.trim().to_owned()))
    });
    entries.collect()
}

/// The CPU time of the whole machine so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Busy {
    /// Seconds that CPUs were busy with any work.
    pub seconds: f64,
    /// Seconds that a virtual machine's host kept for itself.
    pub stolen: f64,
}

impl Busy {
    /// Reads the times from the kernel. Returns `None` if it does not tell them.
    #[must_use]
    pub fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        Self::of(&text)
    }

    fn of(stat: &str) -> Option<Self> {
        // In units of `USER_HZ`, which is 100 on all processors that Linux supports.
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<f64> = line
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        let [user, nice, system, _idle, _wait, irq, soft, stolen, ..] = times[..] else {
            return None;
        };
        Some(Self {
            seconds: (user + nice + system + irq + soft) / 100.0,
            stolen: stolen / 100.0,
        })
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    of_cpu(cpuinfo, &["model name", "Model", "uarch", "cpu model"])
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

/// Returns the CPU time that the process and the children it has waited for have used.
#[must_use]
pub fn cpu_time_with_children() -> Duration {
    let of = |who| {
        // SAFETY: all bits zero is a valid usage, and stays so if the call fails; the reference is live and
        // exclusive.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(who, &raw mut usage);
            usage
        };
        let time =
            |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
        time(usage.ru_utime) + time(usage.ru_stime)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

/// Returns the CPU time that all threads of the process have used.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live exclusive reference. If the call fails, it stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Returns the resident memory of the process, in bytes, or zero if the system does not tell. The number is
/// exact, at the cost of a walk through all mappings.
#[must_use]
pub fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    kibibytes(&text, "Rss:") << 10
}

/// Returns about the same as [`resident`], at low cost, from counters that may be some pages behind.
#[must_use]
pub fn about_resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&text, "VmRSS:") << 10
}

/// Returns the highest resident memory so far, in bytes.
#[must_use]
pub fn peak_resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&text, "VmHWM:") << 10
}

/// Returns how many bytes the program has allocated by `malloc` and not freed, or `None` if libc does not tell.
#[must_use]
pub fn allocated() -> Option<u64> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the function takes nothing and returns numbers.
        let all = unsafe { libc::mallinfo2() };
        Some((all.uordblks + all.hblkhd) as u64)
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    None
}

fn kibibytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{
        Busy, Machine, about_resident, allocated, cpu_family, cpu_model, cpu_time,
        cpu_time_with_children, kibibytes, of_cpu, peak_resident, resident,
    };

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
    fn what_is_allocated_is_counted() {
        let Some(before) = allocated() else { return };
        let kept: Vec<Vec<u8>> = (0..1000).map(|_| vec![1; 10_000]).collect();
        let grown = allocated().unwrap_or_default().saturating_sub(before);
        assert!(grown > 5_000_000, "{grown} for {}", kept.len());
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
    fn finds_family_and_flags() {
        let text = "cpu family\t: 26\nmodel\t\t: 2\nstepping\t: 1\nflags\t: fpu hypervisor\n";
        let family = cpu_family(text);
        assert_eq!(family.as_deref(), Some("family 26, model 2, stepping 1"));
        assert_eq!(
            of_cpu(text, &["none", "flags"]).as_deref(),
            Some("fpu hypervisor")
        );
    }

    #[test]
    fn busy_time_is_read() {
        let busy = Busy::of("cpu  100 0 200 900 5 10 20 50 0 0\ncpu0 1\n").unwrap();
        assert_eq!((busy.seconds, busy.stolen), (3.3, 0.5));
        assert!(Busy::of("intr 5").is_none());
        assert!(cpu_time_with_children() <= 2 * cpu_time() + std::time::Duration::from_secs(600));
    }

    #[test]
    fn the_line_names_the_kernel() {
        let machine = Machine::probe();
        assert!(machine.line().contains(&machine.kernel));
    }
}
