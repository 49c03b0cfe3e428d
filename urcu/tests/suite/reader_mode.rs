//! Which kind of reader is in force, and that it is said.

use std::time::Duration;

use rseq_ops::{Owner, abi, membarrier};
use urcu::{AtomicsReason, Domain, ReaderMode, reader_mode};
use urcu_host::seccomp::Filter;

use crate::support::{assert_waits, child, run, sequences};

#[test]
fn the_mode_is_what_the_process_has() {
    let mode = reader_mode();
    println!("readers use {mode}");
    let cpus = rseq_ops::percpu::possible_cpus();
    let expected = match (rseq_ops::process().owner, membarrier::register()) {
        (Owner::Nobody, _) if !rseq_ops::registration::SUPPORTED => {
            ReaderMode::Atomics(AtomicsReason::NotBuilt)
        }
        (Owner::Nobody, _) => ReaderMode::Atomics(AtomicsReason::NotRegistered),
        (_, Err(refused)) => ReaderMode::Atomics(AtomicsReason::NoBarrier { errno: refused.0 }),
        (Owner::Libc, Ok(())) => ReaderMode::LibcRegistered { cpus },
        (Owner::Own, Ok(())) => ReaderMode::SelfRegistered { cpus },
    };
    assert_eq!(mode, expected);
    assert_eq!(sequences(), !matches!(mode, ReaderMode::Atomics(_)));
    assert_eq!(Domain::new().stats().reader_mode, mode);
}

#[test]
fn the_mode_says_why() {
    let said = |mode: ReaderMode| mode.to_string();
    assert_eq!(
        said(ReaderMode::LibcRegistered { cpus: 8 }),
        "restartable sequences on threads registered by libc, by CPU number from 0 to 7"
    );
    assert_eq!(
        said(ReaderMode::SelfRegistered { cpus: 1 }),
        "restartable sequences on threads registered at their first sections, by CPU number from 0 to 0"
    );
    for (reason, text) in [
        (
            AtomicsReason::NotBuilt,
            "this build has no restartable sequences",
        ),
        (
            AtomicsReason::NotRegistered,
            "no thread can be registered with rseq(2)",
        ),
        (
            AtomicsReason::NoBarrier { errno: 38 },
            "membarrier(2) is refused: Function not implemented (os error 38)",
        ),
    ] {
        let said = said(ReaderMode::Atomics(reason));
        assert_eq!(said, format!("atomics, because {text}"));
    }
}

/// A filter may grant the registration with membarrier and refuse what it is for.
#[test]
fn a_refused_barrier_after_a_registration_means_atomics() {
    let mut command = child("reader_mode::child_with_registrations_alone");
    let commands = [
        abi::MEMBARRIER_PRIVATE_EXPEDITED as u32,
        abi::MEMBARRIER_PRIVATE_EXPEDITED_RSEQ as u32,
    ];
    let filter = Filter::of_argument(libc::SYS_membarrier, 0, &commands, libc::EPERM);
    filter.install_in(&mut command);
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{output}");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_with_registrations_alone() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    assert_waits(&domain, || drop(guard));
    domain.call(|| ());
    domain.barrier();
    assert!(matches!(
        reader_mode(),
        ReaderMode::Atomics(AtomicsReason::NoBarrier { errno: libc::EPERM })
            | ReaderMode::Atomics(AtomicsReason::NotBuilt | AtomicsReason::NotRegistered)
    ));
}

/// The system's loader must not ask for a newer libc on account of words that are optional.
#[cfg(not(target_feature = "crt-static"))]
#[test]
fn a_program_needs_no_newer_libc_on_our_account() {
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let names = names(&program);
    // Of libc, so that the table is the right one.
    assert!(
        names
            .split('\0')
            .any(|name| name == "getenv" || name == "memcpy")
    );
    // They came with glibc 2.35; whatever else has that version is not ours.
    let found = names.split('\0').find(|name| name.starts_with("__rseq_"));
    assert_eq!(found, None, "a dynamic symbol");
}

/// The table `.dynstr` of an ELF file: all names that its dynamic symbols have.
#[cfg(not(target_feature = "crt-static"))]
fn names(file: &[u8]) -> String {
    let number = |at: usize, bytes: usize| {
        let bytes = file[at..at + bytes].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    // Addresses are 8 bytes, in files of 64 bits, or 4.
    let wide = file[4] == 2;
    let (word, [sections, size, count]) = if wide {
        (8, [0x28, 0x3A, 0x3C])
    } else {
        (4, [0x20, 0x2E, 0x30])
    };
    let (sections, size, count) = (number(sections, word), number(size, 2), number(count, 2));
    let section = |n: usize| sections + n * size;
    let part = |n: usize| {
        let offset = number(section(n) + 8 + 2 * word, word);
        offset..offset + number(section(n) + 8 + 3 * word, word)
    };
    const SHT_DYNSYM: usize = 11;
    let symbols = (0..count).find(|n| number(section(*n) + 4, 4) == SHT_DYNSYM);
    let symbols = symbols.expect("a dynamic program");
    let names = number(section(symbols) + 8 + 4 * word, 4);
    String::from_utf8_lossy(&file[part(names)]).into_owned()
}
