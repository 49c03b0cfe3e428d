//! Memory that a fork wipes, for domains' state and counters.

use rseq_ops::percpu::{self, Allocator, Fork, PerCpu, Zeroed};

use crate::sync::{AtomicPtr, Ordering};

static WIPED: Allocator = Allocator::new(Fork::Wipe);
static KEPT: Allocator = Allocator::new(Fork::Keep);
/// Null, or one of the two above.
static DECIDED: AtomicPtr<Allocator> = AtomicPtr::new(core::ptr::null_mut());

fn decided() -> Option<&'static Allocator> {
    let decided = DECIDED.load(Ordering::Acquire);
    // SAFETY: null or one of the two statics: nothing else is stored there.
    unsafe { decided.as_ref() }
}

/// Returns the allocator of domains' state and counters, which are small objects that share pages. The
/// choice is made once, by whether the kernel can wipe memory in children.
///
/// # Errors
/// Any other refusal; nothing is decided then.
fn memory<T: Zeroed>() -> Result<&'static Allocator, percpu::AllocError> {
    if let Some(decided) = decided() {
        return Ok(decided);
    }
    // This memory is needed anyway, so that none is reserved for the sake of the question.
    let found = match PerCpu::<T>::zeroed(&WIPED) {
        Ok(_) => &WIPED,
        Err(percpu::AllocError::CannotWipe(_)) => &KEPT,
        Err(passing) => return Err(passing),
    };
    // Should two first uses disagree, the first stays.
    let first = DECIDED.compare_exchange(
        core::ptr::null_mut(),
        core::ptr::from_ref(found).cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    match first {
        Ok(_) => Ok(found),
        // SAFETY: not null, so one of the two statics: nothing else is stored there.
        Err(first) => Ok(unsafe { &*first }),
    }
}

/// Allocates one zeroed `T` for each possible CPU, for good or until [`free`]. Async-signal-safe.
///
/// # Panics
/// If there is no memory.
pub(crate) fn allocate<T: Zeroed>() -> *mut T {
    match memory::<T>().and_then(PerCpu::zeroed) {
        Ok(object) => object.into_base(),
        Err(error) => panic!("no memory for an RCU domain: {error}"),
    }
}

/// Drops the `T`s and gives their memory back.
///
/// # Safety
/// From [`allocate`], in this process or its parent's copy, and not used any more.
pub(crate) unsafe fn free<T>(base: *mut T) {
    let memory = decided().expect("it was decided when the object was allocated");
    // SAFETY: the base is from `allocate`, so of an object of this type from the process's one allocator, and
    // nobody uses it any more: both by the caller.
    drop(unsafe { PerCpu::from_base(memory, base) });
}
