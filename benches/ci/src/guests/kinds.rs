//! The list of guests.

use std::fmt::{self, Display, Formatter};

/// A processor, under Debian's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
    Riscv64,
}

impl Arch {
    /// Debian's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
            Arch::Riscv64 => "riscv64",
        }
    }

    pub(crate) fn emulator(self) -> &'static str {
        match self {
            Arch::Amd64 => "qemu-system-x86_64",
            Arch::Arm64 => "qemu-system-aarch64",
            Arch::Riscv64 => "qemu-system-riscv64",
        }
    }

    /// Rust's name.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-unknown-linux-gnu",
            Arch::Arm64 => "aarch64-unknown-linux-gnu",
            Arch::Riscv64 => "riscv64gc-unknown-linux-gnu",
        }
    }

    /// Returns the name of C compilers.
    pub(crate) fn gnu(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-linux-gnu",
            Arch::Arm64 => "aarch64-linux-gnu",
            Arch::Riscv64 => "riscv64-linux-gnu",
        }
    }
}

impl Display for Arch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The programs that a guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The tests and the torture program, with delays inside the sequences.
    Tests,
    /// The sequences as shipped, with one instruction per translation block once the kernel has booted. By
    /// default qemu takes interrupts only between blocks, and so never inside a straight-line sequence; here
    /// it does.
    SingleStep,
}

impl Display for Runs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runs::Tests => "tests",
            Runs::SingleStep => "single-step",
        })
    }
}

/// A virtual machine.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) arch: Arch,
    /// The Debian suite that its kernel is from.
    pub(crate) suite: &'static str,
    pub(crate) kernel: &'static str,
    pub(crate) runs: Runs,
    /// Options of the emulator.
    pub(crate) options: &'static str,
    /// True if it is part of the short form.
    short: bool,
}

impl Guest {
    /// Returns whether the words choose this guest: its line must contain one of them. Without words all guests
    /// are chosen, or those of the short form.
    pub(crate) fn is_wanted(&self, short: bool, words: &[&str]) -> bool {
        if words.is_empty() {
            return self.short || !short;
        }
        let (arch, runs) = (self.arch.name(), self.runs.to_string());
        let mut line = vec![arch, self.suite, self.kernel, &runs];
        line.extend(self.options.split_whitespace());
        words
            .iter()
            .any(|word| *word == "all" || line.contains(word))
    }
}

impl Display for Guest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.arch, self.kernel, self.runs)
    }
}

const fn guest(arch: Arch, suite: &'static str, kernel: &'static str) -> Guest {
    Guest {
        arch,
        suite,
        kernel,
        runs: Runs::Tests,
        options: "-smp 4",
        short: false,
    }
}

impl Guest {
    const fn single_step(self) -> Self {
        Guest {
            runs: Runs::SingleStep,
            options: "-smp 2",
            ..self
        }
    }

    const fn in_short(self) -> Self {
        Guest {
            short: true,
            ..self
        }
    }

    const fn with(self, options: &'static str) -> Self {
        Guest { options, ..self }
    }
}

/// Two nodes of four CPUs.
const NODES: &str = "-smp 8,sockets=2,cores=4 \
     -object memory-backend-ram,id=m0,size=512M -numa node,nodeid=0,cpus=0-3,memdev=m0 \
     -object memory-backend-ram,id=m1,size=512M -numa node,nodeid=1,cpus=4-7,memdev=m1";

/// The short form has the oldest and the newest kernel, AArch64 and single-stepping.
pub(crate) static GUESTS: [Guest; 10] = [
    guest(Arch::Amd64, "bullseye-security", "5.10").in_short(),
    guest(Arch::Amd64, "trixie-backports", "newest")
        .with(NODES)
        .in_short(),
    guest(Arch::Amd64, "bookworm-security", "6.1")
        .single_step()
        .in_short(),
    guest(Arch::Amd64, "bookworm-security", "6.1"),
    guest(Arch::Amd64, "bookworm-backports", "6.12"),
    guest(Arch::Arm64, "trixie-backports", "newest").in_short(),
    guest(Arch::Arm64, "bookworm-security", "6.1"),
    guest(Arch::Arm64, "bookworm-security", "6.1").single_step(),
    guest(Arch::Riscv64, "trixie", "6.12"),
    guest(Arch::Riscv64, "trixie", "6.12").single_step(),
];

#[cfg(test)]
mod tests {
    use super::GUESTS;

    fn wanted(short: bool, words: &[&str]) -> usize {
        let wanted = GUESTS.iter().filter(|guest| guest.is_wanted(short, words));
        wanted.count()
    }

    #[test]
    fn words_choose_guests() {
        assert_eq!(wanted(false, &[]), 10);
        assert_eq!(wanted(true, &[]), 4);
        assert_eq!(wanted(true, &["all"]), 10);
        assert_eq!(wanted(false, &["5.10", "riscv64"]), 3);
        assert_eq!(wanted(true, &["single-step"]), 3);
        assert_eq!(wanted(false, &["5.1"]), 0);
    }
}
