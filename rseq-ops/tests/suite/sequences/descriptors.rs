//! What the kernel believes of a sequence, read from this program, in which every operation is: a
//! wrong abort handler is a SIGSEGV at the first interrupt inside of the sequence, a wrong range
//! data that is lost once in a million interrupts.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;

use rseq_ops::ops::{self, Commit, Relaxed, Release};
use rseq_ops::percpu::{Counter, Mode, Node, Ring, Stack};
use rseq_ops::{Handle, abi, current_thread};

/// `struct rseq_cs` of the kernel.
#[repr(C, align(32))]
struct Descriptor {
    version: u32,
    flags: u32,
    start: usize,
    length: usize,
    abort: usize,
}

unsafe extern "C" {
    // Made by the linker: where the section `__rseq_cs` starts and stops.
    safe static __start___rseq_cs: [Descriptor; 0];
    safe static __stop___rseq_cs: [Descriptor; 0];
}

fn section() -> usize {
    (&raw const __start___rseq_cs).addr()
}

fn descriptors() -> &'static [Descriptor] {
    let start = (&raw const __start___rseq_cs).cast::<Descriptor>();
    let bytes = (&raw const __stop___rseq_cs).addr() - start.addr();
    assert_eq!(bytes % size_of::<Descriptor>(), 0);
    // SAFETY: the section consists of descriptors alone, which nobody writes.
    unsafe { std::slice::from_raw_parts(start, bytes / size_of::<Descriptor>()) }
}

/// Every sequence there is, so that this program has it.
fn every_operation() {
    fn with_index(handle: Handle, index: u32, words: &mut [usize; 4], commit: impl Commit) {
        let [first, second, ..] = words.each_mut().map(|word| &raw mut *word);
        let source = (first.cast::<u8>().cast_const(), second.cast(), 8);
        // SAFETY: this thread's handle; the words are this thread's alone, and what is loaded is
        // not compared equal, so never followed; the additions go to a word of their own.
        unsafe {
            let _ = ops::compare_store(handle, index, first, 1, 2, commit);
            let _ = ops::compare_two_store(handle, index, (first, 1), (second, 1), 2, commit);
            let _ = ops::compare_store_store(handle, index, (first, 1), (second, 1), 2, commit);
            let _ = ops::compare_copy_store(handle, index, (first, 1), source, 2, commit);
            let _ = ops::pop(handle, index, first, 0, 0, commit);
            let _ = ops::add_at(handle, index, first, 0, commit);
            *second = (&raw mut words[3]).expose_provenance();
            words[2] = second.expose_provenance();
            let _ = ops::add_through_offset(handle, index, &raw const words[2], 0, 1, commit);
        }
    }
    if let Some(handle) = current_thread()
        // SAFETY: this thread's handle.
        && let Some(index) = unsafe { handle.current_index() }
    {
        with_index(handle, index, &mut [0; 4], Relaxed);
        with_index(handle, index, &mut [0; 4], Release);
        let area = rseq_ops::percpu::Area::new(0, 128).unwrap();
        let base = area.base().as_ptr().expose_provenance();
        let (bytes, mut target) = ([0u8; 200], [0u8; 200]);
        let from = bytes.as_ptr();
        // SAFETY: this thread's handle; all of the memory is this thread's, and long enough.
        unsafe {
            let _ = ops::add_through::<7>(handle, &raw const base);
            let _ = ops::sub_if_current::<7>(handle, &raw const base, base, 1);
            let _ = ops::add::<7>(handle, base, 1);
            for size in [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 200] {
                let size = black_box(size);
                let (source, to) = (&raw const from, target.as_mut_ptr());
                let _ = ops::copy_through(handle, source, to, size);
                let _ = ops::copy_part_through(handle, source, 0, to, size);
                let through = &raw const source;
                let _ = ops::copy_behind_through(handle, through.cast(), 0, 0, to, size);
            }
        }
    }
    Counter::new().unwrap().add(1);
    let mut node = Node::new(());
    let stack = Stack::new().unwrap();
    stack.push(&mut node);
    stack.pop();
    let ring = Ring::new(Mode::Discard, 4096).unwrap();
    ring.write(b"record").unwrap();
    #[cfg(feature = "alloc")]
    drop(rseq_ops::percpu::Pool::new().unwrap().alloc(1));
}

#[test]
fn the_kernel_accepts_every_descriptor() {
    every_operation();
    let count = descriptors().len();
    assert!(count >= 20, "{count} descriptors");
    for descriptor in descriptors() {
        assert_eq!((descriptor.version, descriptor.flags), (0, 0));
        assert!((1..4096).contains(&descriptor.length));
        let sequence = descriptor.start..descriptor.start + descriptor.length;
        assert!(!sequence.contains(&descriptor.abort));
        let signature = std::ptr::with_exposed_provenance::<u32>(descriptor.abort - 4);
        // SAFETY: the four bytes before an abort handler are in the program's text.
        let signature = unsafe { signature.read_unaligned() };
        assert_eq!(signature, abi::SIGNATURE);
    }
}

/// Returns the operand in brackets, if the instruction reads or writes memory there.
#[cfg(target_arch = "x86_64")]
fn memory(instruction: &str) -> Option<&str> {
    if instruction.starts_with("lea") || instruction.starts_with("nop") {
        return None;
    }
    let (_, rest) = instruction.split_once('[')?;
    Some(rest.split_once(']')?.0)
}

/// In an optimised build, this is, and leaves no trace.
#[cfg(target_arch = "x86_64")]
fn not_inlined() {}

/// A range that ends an instruction too early is all but invisible: the instruction that commits
/// is then unprotected, and little else. So this looks at the instructions themselves.
///
/// Built without optimisation, everything around a sequence is in the stack frame, and everything
/// in it goes through pointers. So the last instruction in the range must go through a pointer
/// (it commits, or copies the last word), the one after must not, and no call may be inside.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_range_ends_right_behind_the_commit() {
    every_operation();
    if current_thread().is_none() {
        return println!("skipped: no sequences in this process");
    }
    let program = std::env::current_exe().unwrap();
    let objdump = |arguments: &[&str]| {
        let output = Command::new("objdump")
            .args(arguments)
            .arg(&program)
            .output()
            .ok()?;
        assert!(output.status.success());
        Some(String::from_utf8(output.stdout).unwrap())
    };
    let Some(sections) = objdump(&["--section-headers", "--wide"]) else {
        return println!("skipped: objdump is not installed");
    };
    // `number name size address ...`
    let address = sections.lines().find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        (columns.next()? == "__rseq_cs").then(|| columns.nth(1))?
    });
    let address = usize::from_str_radix(address.unwrap(), 16).unwrap();
    let moved = section().wrapping_sub(address);

    // `address:\tinstruction`
    let text = objdump(&["-d", "-M", "intel", "--no-show-raw-insn"]).unwrap();
    not_inlined();
    if !text.contains("not_inlined") {
        return println!("skipped: built with optimisation");
    }
    let instructions: BTreeMap<usize, &str> = text
        .lines()
        .filter_map(|line| {
            let (address, instruction) = line.split_once(":\t")?;
            let address = usize::from_str_radix(address.trim(), 16).ok()?;
            Some((address.wrapping_add(moved), instruction.trim()))
        })
        .collect();
    let through_pointer = |instruction: &str| {
        memory(instruction).is_some_and(|at| {
            let frame = ["rsp", "rbp", "rip"];
            !frame.iter().any(|register| at.contains(register))
        })
    };
    for descriptor in descriptors() {
        let end = descriptor.start + descriptor.length;
        let sequence: Vec<_> = instructions.range(descriptor.start..end).collect();
        let next = instructions.get(&end).expect("an instruction at the end");
        let said = format!("{sequence:#x?}\nand then {next}");
        let last = sequence.last().expect("instructions");
        assert!(through_pointer(last.1), "the last commits nothing: {said}");
        assert!(!through_pointer(next), "the next one commits: {said}");
        for (_, instruction) in sequence {
            let outside = ["call", "syscall", "ret", "int"];
            assert!(
                !outside.iter().any(|name| instruction.starts_with(name)),
                "{said}"
            );
        }
    }
}
