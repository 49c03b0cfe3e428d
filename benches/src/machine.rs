//! What the figures were measured on.

use std::fs;

use serde::Serialize;

/// Facts of the machine, as far as it tells them.
#[derive(Clone, Debug, Serialize)]
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
    /// Whether glibc registers each thread's rseq area.
    pub glibc_rseq: bool,
}

impl Machine {
    /// Asks the machine.
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
            glibc_rseq: glibc_rseq(),
        }
    }

    /// The facts in one line.
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

/// glibc exports `__rseq_size`, zero where it did not register the area.
fn glibc_rseq() -> bool {
    // SAFETY: the name is a C string, and looking a symbol up has no other requirement.
    let size = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_size".as_ptr()) };
    // SAFETY: the symbol is an `unsigned int` that glibc sets before `main`.
    !size.is_null() && unsafe { *size.cast::<libc::c_uint>() } > 0
}

#[cfg(test)]
mod tests {
    use super::{Machine, cpu_model};

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
