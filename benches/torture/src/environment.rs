//! Environments in which rseq or membarrier differ from the usual: the process of a scenario starts
//! with another tunable of glibc or under a seccomp filter, and verifies that this had its effect.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rseq_ops::Owner;
use urcu_host::seccomp::Filter;

/// The environment of a scenario's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// The environment of this process.
    Usual,
    /// libc registers each thread for rseq.
    LibcRegistered,
    /// libc does not register threads, so the library does.
    SelfRegistered,
    /// The kernel knows no rseq.
    NoRseq,
    /// The kernel knows no membarrier.
    NoMembarrier,
    /// The kernel knows neither.
    Neither,
}

/// Returns whether this process has restartable sequences, and a barrier that restarts them.
pub fn has_sequences() -> bool {
    rseq_ops::process().owner != Owner::Nobody && rseq_ops::membarrier::register().is_ok()
}

impl Environment {
    fn expected(self) -> (Owner, bool) {
        let here = rseq_ops::process().owner;
        match self {
            Environment::Usual => (here, rseq_ops::membarrier::register().is_ok()),
            Environment::LibcRegistered => (Owner::Libc, true),
            Environment::SelfRegistered => (Owner::Own, true),
            Environment::NoRseq => (Owner::Nobody, true),
            Environment::NoMembarrier => (here, false),
            Environment::Neither => (Owner::Nobody, false),
        }
    }

    /// Arranges the environment for a process that is about to start.
    ///
    /// # Errors
    /// Says why that is impossible.
    pub fn arrange(self, command: &mut Command) -> Result<(), String> {
        let (owner, membarrier) = self.expected();
        let here = rseq_ops::process().owner;
        if here == Owner::Nobody && owner != Owner::Nobody {
            return Err("this system has no restartable sequences".into());
        }
        if membarrier && rseq_ops::membarrier::register().is_err() {
            return Err("this system has no membarrier that restarts sequences".into());
        }
        match (here, owner) {
            (Owner::Own, Owner::Libc) => return Err("this libc does not register threads".into()),
            (Owner::Libc, Owner::Own) => {
                if cfg!(not(target_env = "gnu")) {
                    return Err("only glibc has a tunable against registering threads".into());
                }
                command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
            }
            _ => {}
        }
        let mut calls = Vec::new();
        if owner == Owner::Nobody && self != Environment::Usual {
            calls.push(libc::SYS_rseq);
        }
        if !membarrier && self != Environment::Usual {
            calls.push(libc::SYS_membarrier);
        }
        if !calls.is_empty() {
            let filter = Filter::new(&calls, libc::ENOSYS);
            // SAFETY: between fork and exec this makes two system calls and allocates nothing.
            unsafe { command.pre_exec(move || filter.install()) };
        }
        Ok(())
    }

    /// Verifies, in the process, that the environment is as arranged.
    ///
    /// # Errors
    /// Says what is different.
    pub fn verify(self) -> Result<(), String> {
        let found = (
            rseq_ops::process().owner,
            rseq_ops::membarrier::register().is_ok(),
        );
        let expected = self.expected();
        if found == expected {
            Ok(())
        } else {
            Err(format!(
                "the environment is not as arranged: (owner of rseq, membarrier) is {found:?}, expected {expected:?}"
            ))
        }
    }
}
