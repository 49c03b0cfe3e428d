//! The restartable sequences, step by step.

use std::cell::Cell;
use std::mem::MaybeUninit;

use loom::cell::UnsafeCell;

use super::cpu::{HERE, UNREGISTERED, interrupted};
use super::{
    AtomicPtr, AtomicU32, AtomicUsize, CHUNK, Fault, Handle, Number, Ordering, Outcome, buffer,
    faulty, net,
};
use crate::sys::Phase;

loom::thread_local! {
    static ABORTS: Cell<u32> = Cell::new(0);
}

/// Makes the calling thread's next attempts at a sequence abort, as signals may.
pub(crate) fn abort_next(attempts: u32) {
    ABORTS.with(|aborts| aborts.set(attempts));
}

/// Returns the CPU of a sequence that begins and needs a slot; `None` if it aborts at once.
pub(super) fn arm(handle: Handle) -> Option<usize> {
    arm_without_slot(handle).filter(|cpu| (*cpu as u32) < handle.bound || faulty(Fault::NoBound))
}

/// Returns the CPU of a sequence that begins and needs no slot; `None` if it aborts at once.
pub(super) fn arm_without_slot(handle: Handle) -> Option<usize> {
    assert_eq!(handle.cs, super::HANDLE.cs, "a handle that is none");
    let aborts = ABORTS.with(|aborts| aborts.replace(aborts.get().saturating_sub(1)));
    let unregistered = UNREGISTERED.with(Cell::get) && !faulty(Fault::UnregisteredGoesOn);
    if unregistered || aborts > 0 {
        return None;
    }
    Some(HERE.with(Cell::get).expect("a sequence runs on a CPU"))
}

/// Adds `delta` to the counter of this CPU. Returns its new value, or `None` after an abort. The last step is the
/// commit.
fn add(cpu: usize, phase: Phase, delta: i64, commit: Ordering) -> Option<i64> {
    let goes_on = delta > 0 && faulty(Fault::BeginGoesOn);
    if interrupted() && !goes_on {
        return None;
    }
    let counter = net(phase, cpu);
    let value = counter.load(Ordering::Relaxed) + delta;
    if interrupted() && !goes_on {
        return None;
    }
    counter.store(value, commit);
    Some(value)
}

fn add_at_exit(cpu: usize, phase: Phase) -> Outcome {
    let commit = if faulty(Fault::RelaxedExit) {
        Ordering::Relaxed
    } else {
        Ordering::Release
    };
    match add(cpu, phase, -1, commit) {
        Some(_) => Outcome::Committed,
        None => Outcome::Aborted,
    }
}

/// As shipped for machines whose processors are all of one kind.
pub(crate) fn way(handle: Handle) -> isize {
    handle.cs
}

/// Adds 1 to this CPU's counter of the phase in `phase`, if the process has a way.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn enter_section<const BOUND: i32>(
    way: isize,
    phase: &AtomicUsize,
    bound: &AtomicU32,
) -> Option<(Phase, u32, u32)> {
    if way == 0 {
        return None;
    }
    let bound = bound.load(Ordering::Relaxed);
    // SAFETY: as shipped.
    let (begun, value) = unsafe { add_through(Handle::new(way, bound), phase) }?;
    Some((begun, bound, value as u32))
}

/// Subtracts 1 from this CPU's counter of the phase `begun`, if that is the one in `phase`.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn exit_section(
    way: isize,
    bound: u32,
    phase: &AtomicUsize,
    begun: Phase,
    guess: u32,
) -> Outcome {
    if way == 0 {
        return Outcome::Aborted;
    }
    // SAFETY: as shipped.
    unsafe { sub_if_current(Handle::new(way, bound), phase, begun, u64::from(guess)) }
}

/// Adds 1 to this CPU's counter of the phase in `phase`. Returns that phase and the counter's new value, or `None`
/// after an abort.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn add_through(handle: Handle, phase: &AtomicUsize) -> Option<(Phase, u64)> {
    let cpu = arm(handle)?;
    let word = phase.load(if faulty(Fault::RelaxedPhase) {
        Ordering::Relaxed
    } else {
        Ordering::Acquire
    });
    // The shipped code does not check this: it would take 0 for an address.
    // SAFETY: the phase of a domain that is set up, by the caller.
    let begun = unsafe { Phase::of_word(word) }.expect("the phase is set up");
    let value = add(cpu, begun, 1, Ordering::Relaxed)?;
    Some((begun, value as u64))
}

/// Subtracts 1 from this CPU's counter of the phase `begun`, if that is the one in `phase`.
/// The guess only makes the real sequence faster.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn sub_if_current(
    handle: Handle,
    phase: &AtomicUsize,
    begun: Phase,
    _guess: u64,
) -> Outcome {
    let Some(cpu) = arm(handle) else {
        return Outcome::Aborted;
    };
    if !faulty(Fault::ExitDoesNotCompare) && phase.load(Ordering::Relaxed) != begun.word() {
        return Outcome::Mismatch;
    }
    add_at_exit(cpu, begun)
}

/// Subtracts 1 from this CPU's counter of the phase `begun`.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn sub(handle: Handle, begun: Phase) -> Outcome {
    match arm(handle) {
        Some(cpu) => add_at_exit(cpu, begun),
        None => Outcome::Aborted,
    }
}

/// Values with numbers that stand for pointers, which is all that models of sections need.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) current: AtomicUsize,
    values: Vec<UnsafeCell<u32>>,
    /// For each value: not 0 once it was reclaimed. Loom tries both orders of conflicting atomic accesses, but not of
    /// accesses to cells, whose races it only recognises.
    reclaimed: Vec<AtomicUsize>,
}

impl Source {
    pub(crate) fn new(values: u32) -> Self {
        Source {
            current: AtomicUsize::new(0),
            values: (0..values).map(UnsafeCell::new).collect(),
            reclaimed: (0..values).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Reads what `pointer` points to.
    pub(crate) fn read(&self, pointer: usize) -> u32 {
        let reclaimed = self.reclaimed[pointer].load(Ordering::Relaxed);
        assert_eq!(reclaimed, 0, "a read of a value that was reclaimed");
        // SAFETY: loom checks that nobody writes the value meanwhile.
        self.values[pointer].with(|value| unsafe { *value })
    }

    /// Reclaims what `pointer` points to.
    pub(crate) fn reclaim(&self, pointer: usize) {
        self.reclaimed[pointer].store(1, Ordering::Relaxed);
        // SAFETY: loom checks that nobody reads the value meanwhile.
        self.values[pointer].with_mut(|value| unsafe { *value = u32::MAX });
    }
}

/// As shipped.
pub(crate) const COPY_MAX: usize = 64;

/// Copies what `source` points to, in one sequence.
///
/// # Safety
/// As shipped, except that `source` is the address of an [`AtomicPtr`] to a [`Number`].
pub(crate) unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    assert_eq!(size, size_of::<Number>());
    if arm_without_slot(handle).is_none() {
        return Outcome::Aborted;
    }
    let goes_on = faulty(Fault::SnapshotGoesOn);
    // SAFETY: the source is an `AtomicPtr` to a number that outlives this call, as the caller promises.
    let source = unsafe { &*source.cast::<AtomicPtr<Number>>() };
    let pointer = source.load(Ordering::Acquire);
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    // SAFETY: the source points to a number, as the caller promises. Reclaiming one only marks it, so that
    // loom sees a read that comes late.
    let value = unsafe { pointer.read() };
    value.read();
    // SAFETY: the target has room for a number, as the caller promises.
    unsafe { target.cast::<Number>().write(value) };
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    Outcome::Committed
}

/// As [`copy_through`]: in the models values are their only part.
///
/// # Safety
/// As for that.
pub(crate) unsafe fn copy_part_through(
    handle: Handle,
    source: *const *const u8,
    offset: usize,
    target: *mut u8,
    size: usize,
) -> Outcome {
    assert_eq!(offset, 0);
    // SAFETY: as the caller promises.
    unsafe { copy_through(handle, source, target, size) }
}

/// Follows `source`, then a pointer inside its target, and copies the target of that pointer, in one sequence.
///
/// # Safety
/// As shipped, except that `source` is the address of an [`AtomicPtr`] to what begins with a [`Number`], and the
/// part behind the pointer is one.
pub(crate) unsafe fn copy_behind_through(
    handle: Handle,
    source: *const *const u8,
    [offset, behind]: [usize; 2],
    target: *mut u8,
    size: usize,
) -> Outcome {
    assert_eq!((behind, size), (0, size_of::<Number>()));
    if arm_without_slot(handle).is_none() {
        return Outcome::Aborted;
    }
    let goes_on = faulty(Fault::SnapshotGoesOn);
    // SAFETY: the caller promises an `AtomicPtr` there.
    let source = unsafe { &*source.cast::<AtomicPtr<Number>>() };
    let outer = source.load(Ordering::Acquire);
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    // SAFETY: what is published begins with a number, and has the pointer at the offset; memory that a mutant gave
    // back too early is left alone by allocators.
    let inner = unsafe {
        outer.read().read();
        outer.byte_add(offset).cast::<*const Number>().read()
    };
    if interrupted() && !faulty(Fault::SnapshotGoesOnBehind) {
        return Outcome::Aborted;
    }
    // SAFETY: a number is behind the pointer, by the caller; given back or not, as above.
    let value = unsafe { inner.read() };
    value.read();
    // SAFETY: there is room for a number, by the caller.
    unsafe { target.cast::<Number>().write(value) };
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    Outcome::Committed
}

/// As `rseq_ops::ops::Record`.
pub(crate) type Record = [MaybeUninit<u64>; 4];

/// As `rseq_ops::ops::Appended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    At(usize),
    Full(usize),
    Aborted,
}

/// Appends a callback to the chunk in this CPU's slot, for the phase in `phase`.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn append(
    handle: Handle,
    phase: &AtomicUsize,
    record: *const Record,
) -> Appended {
    let Some(cpu) = arm(handle) else {
        return Appended::Aborted;
    };
    let goes_on = faulty(Fault::AppendGoesOn);
    // SAFETY: the phase of a domain that is set up, by the caller.
    let current = unsafe { Phase::of_word(phase.load(Ordering::Acquire)) }.expect("set up");
    let buffer = buffer(current, cpu);
    let end = buffer.load(Ordering::Relaxed);
    if interrupted() && !goes_on {
        return Appended::Aborted;
    }
    if end.is_multiple_of(CHUNK) {
        return Appended::Full(end);
    }
    // SAFETY: the place behind the end is in the chunk and free; the record is the caller's.
    unsafe { core::ptr::with_exposed_provenance_mut::<Record>(end).write(record.read()) };
    if interrupted() && !goes_on {
        return Appended::Aborted;
    }
    let end = end + size_of::<Record>();
    buffer.store(end, Ordering::Relaxed);
    Appended::At(end)
}

/// Replaces the chunk that ends at `end` by the one that begins at `new`, if the former is this CPU's for the phase in
/// `phase`.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn replace_chunk(
    handle: Handle,
    phase: &AtomicUsize,
    end: usize,
    new: usize,
) -> Outcome {
    let Some(cpu) = arm(handle) else {
        return Outcome::Aborted;
    };
    let goes_on = faulty(Fault::ReplaceGoesOn);
    // SAFETY: the phase of a domain that is set up, by the caller.
    let current = unsafe { Phase::of_word(phase.load(Ordering::Acquire)) }.expect("set up");
    let buffer = buffer(current, cpu);
    if buffer.load(Ordering::Relaxed) != end {
        return Outcome::Mismatch;
    }
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    buffer.store(new, Ordering::Relaxed);
    Outcome::Committed
}
