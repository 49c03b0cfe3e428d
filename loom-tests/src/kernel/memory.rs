//! Memory: the counters and states of domains, the statics of the process, and values that fail when they are read
//! after their end.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::rc::Rc;

use loom::cell::UnsafeCell;

use super::structures::may_store;
use super::values::Body;
use super::{AtomicI64, AtomicU32, AtomicUsize, CPUS, Fault, Ordering, faulty, kernel, two};
use crate::domain::State;
use crate::driver::worker;
use crate::gp::barrier::Barriers;
use crate::gp::grace_period::Progress;
use crate::gp::sequence::Sequence;
use crate::sync::fork::Generation;
use crate::sync::hook::Hooks;
use crate::sys::Phase;

/// The distance between slots for programs with sequences of their own. No model has such sequences.
pub(crate) const SLOT_SHIFT: u32 = 0;
pub(crate) const WAY_BIAS: i32 = 0;

#[derive(Debug)]
struct Slot {
    net: [AtomicI64; 2],
    shared: [AtomicI64; 2],
    buffer: [AtomicUsize; 2],
}

/// A domain's counters. The alignment leaves the low bits of its address to the phase.
#[derive(Debug)]
#[repr(align(64))]
struct Counters {
    slots: [Slot; CPUS],
    waiter: AtomicU32,
    freed: Cell<bool>,
}

impl Counters {
    fn wipe(&self) {
        for slot in &self.slots {
            let counters = slot.net.iter().chain(&slot.shared);
            counters.for_each(|counter| counter.store(0, Ordering::Relaxed));
            let ends = slot.buffer.iter();
            ends.for_each(|end| end.store(0, Ordering::Relaxed));
        }
        self.waiter.store(0, Ordering::Relaxed);
    }
}

/// The shipped statics that a fork wipes: a process has each once.
struct Process {
    global: State,
    barriers: Barriers,
    worker: worker::Shared,
    hooks: Hooks,
    generation: Generation,
}

impl Process {
    fn new() -> Self {
        Process {
            global: State::new(),
            barriers: Barriers::new(),
            worker: worker::Shared::new(),
            hooks: Hooks::new(),
            generation: Generation::new(),
        }
    }
}

pub(super) struct Memory {
    domains: RefCell<Vec<Rc<Counters>>>,
    /// Objects from `Box::into_raw`, which are freed with the emulated kernel.
    objects: RefCell<Vec<Object>>,
    /// The number of objects that the models have freed.
    freed: Cell<usize>,
    process: *mut Process,
    /// The number of processes so far.
    generations: Cell<u64>,
    pub(super) values: RefCell<Vec<Rc<Body>>>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Memory {
            domains: RefCell::default(),
            objects: RefCell::default(),
            freed: Cell::new(0),
            process: Box::into_raw(Box::new(Process::new())),
            generations: Cell::new(0),
            values: RefCell::default(),
        }
    }

    /// Returns the static of this type.
    pub(super) fn part(&self, of: TypeId) -> *mut () {
        let process = self.process;
        // SAFETY: the pointers lead to statics of the process alone.
        unsafe {
            let parts = [
                (TypeId::of::<State>(), (&raw mut (*process).global).cast()),
                (
                    TypeId::of::<Barriers>(),
                    (&raw mut (*process).barriers).cast(),
                ),
                (
                    TypeId::of::<worker::Shared>(),
                    (&raw mut (*process).worker).cast(),
                ),
                (TypeId::of::<Hooks>(), (&raw mut (*process).hooks).cast()),
                (
                    TypeId::of::<Generation>(),
                    (&raw mut (*process).generation).cast(),
                ),
            ];
            let mut parts = parts.into_iter();
            parts
                .find(|part| part.0 == of)
                .expect("a part of a process")
                .1
        }
    }

    pub(super) fn next_generation(&self) -> u64 {
        self.generations.set(self.generations.get() + 1);
        self.generations.get()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let objects = self.objects.take();
        // SAFETY: the pointer is from `Box::into_raw`, and the execution is over.
        unsafe {
            objects.into_iter().for_each(|object| object.free());
            drop(Box::from_raw(self.process.cast::<MaybeUninit<Process>>()));
        }
    }
}

/// Returns the first phase of a domain's counters, zeroed.
pub(crate) fn allocate_slots() -> Phase {
    // SAFETY: the word is the address of counters that live until the next emulated kernel is booted.
    unsafe { Phase::of_word(counters_of_domain()) }.expect("an address")
}

fn counters_of_domain() -> usize {
    if faulty(Fault::SlotsAgain)
        && let Some(first) = kernel().memory.domains.borrow().first()
    {
        return Rc::as_ptr(first).expose_provenance();
    }
    let counters = Rc::new(Counters {
        slots: two(|| Slot {
            net: two(|| AtomicI64::new(0)),
            shared: two(|| AtomicI64::new(0)),
            buffer: two(|| AtomicUsize::new(0)),
        }),
        waiter: AtomicU32::new(0),
        freed: Cell::new(false),
    });
    let base = (&raw const *counters).expose_provenance();
    kernel().memory.domains.borrow_mut().push(counters);
    base
}

/// Frees a domain's counters. A thread that uses them afterwards fails.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn free_slots(phase: Phase) {
    counters(phase).freed.set(true);
}

fn counters(phase: Phase) -> &'static Counters {
    let counters = core::ptr::with_exposed_provenance::<Counters>(phase.base());
    let known = |known: &Rc<Counters>| core::ptr::eq(Rc::as_ptr(known), counters);
    assert!(
        kernel().memory.domains.borrow().iter().any(known),
        "these are not counters"
    );
    // SAFETY: a phase's word is the address of counters of this emulated kernel (`allocate_slots`), which live until
    // the next emulated kernel is booted; no model keeps the reference.
    unsafe { &*counters }
}

fn slot(phase: Phase, index: usize) -> &'static Slot {
    let counters = counters(phase);
    assert!(!counters.freed.get(), "a domain is used after its end");
    &counters.slots[index]
}

/// Returns the counter of slot `index` that sequences write, for a phase.
pub(crate) fn net(phase: Phase, index: usize) -> &'static AtomicI64 {
    &slot(phase, index).net[usize::from(phase.is_second())]
}

/// Returns the counter of slot `index` that anybody writes atomically, for a phase.
pub(crate) fn shared(phase: Phase, index: usize) -> &'static AtomicI64 {
    &slot(phase, index).shared[usize::from(phase.is_second())]
}

/// Returns the end of the chunk of callbacks in slot `index`, for a phase.
pub(crate) fn buffer(phase: Phase, index: usize) -> &'static AtomicUsize {
    &slot(phase, index).buffer[usize::from(phase.is_second())]
}

/// Returns the word that tells whom to wake when a section of the old phase ends.
pub(crate) fn waiter(phase: Phase) -> &'static AtomicU32 {
    let counters = counters(phase);
    assert!(!counters.freed.get(), "a domain is used after its end");
    &counters.waiter
}

/// As shipped. The types of allocated objects: states of domains, their grace-period sequences, barriers.
///
/// # Safety
/// As shipped.
pub(crate) unsafe trait Zeroed: 'static {}

/// A zeroed object of one of these types. An enumeration, because loom's atomics must be constructed.
enum Object {
    State(*mut State),
    Progress(*mut Progress),
    Sequence(*mut Sequence),
}

impl Object {
    fn new(of: TypeId) -> Self {
        if of == TypeId::of::<State>() {
            Object::State(Box::into_raw(Box::new(State::new())))
        } else if of == TypeId::of::<Progress>() {
            Object::Progress(Box::into_raw(Box::new(Progress::new())))
        } else {
            assert_eq!(of, TypeId::of::<Sequence>());
            Object::Sequence(Box::into_raw(Box::new(Sequence::new())))
        }
    }

    fn address(&self) -> *mut () {
        match self {
            Object::State(object) => object.cast(),
            Object::Progress(object) => object.cast(),
            Object::Sequence(object) => object.cast(),
        }
    }

    /// Puts new atomics in its place.
    ///
    /// # Safety
    /// Nobody may use the object meanwhile.
    unsafe fn wipe(&self) {
        // SAFETY: from `Box::into_raw`, and the caller's.
        unsafe {
            match self {
                Object::State(object) => object.write(State::new()),
                Object::Progress(object) => object.write(Progress::new()),
                Object::Sequence(object) => object.write(Sequence::new()),
            }
        }
    }

    /// # Safety
    /// Nobody may use the object any more.
    unsafe fn free(self) {
        // SAFETY: from `Box::into_raw`, and the caller's.
        unsafe {
            // Without dropping the contents: loom's atomics cannot be used after the execution.
            match self {
                Object::State(object) => drop(Box::from_raw(object.cast::<MaybeUninit<State>>())),
                Object::Progress(object) => {
                    drop(Box::from_raw(object.cast::<MaybeUninit<Progress>>()));
                }
                Object::Sequence(object) => {
                    drop(Box::from_raw(object.cast::<MaybeUninit<Sequence>>()))
                }
            }
        }
    }
}

/// Returns a zeroed object.
pub(crate) fn allocate<T: Zeroed>() -> *mut T {
    let object = Object::new(TypeId::of::<T>());
    let address = object.address();
    kernel().memory.objects.borrow_mut().push(object);
    address.cast()
}

/// Frees an object: puts new atomics in its place. For loom, a thread that still uses the object then races.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn free<T>(address: *mut T) {
    // SAFETY: the object is from `allocate`, and its memory stays until the next emulated kernel is booted.
    unsafe { address.drop_in_place() };
    let kernel = kernel();
    let objects = kernel.memory.objects.borrow();
    let object = objects
        .iter()
        .find(|object| object.address() == address.cast());
    // SAFETY: kept by `allocate` in `objects`, and nobody uses it any more, as the caller promises.
    unsafe { object.expect("an object").wipe() };
    kernel.memory.freed.set(kernel.memory.freed.get() + 1);
}

/// Returns how many counters of domains, and how many objects, were allocated and not freed.
pub(crate) fn in_use() -> (usize, usize) {
    let memory = &kernel().memory;
    let counters = memory.domains.borrow();
    let counters = counters.iter().filter(|counters| !counters.freed.get());
    let objects = memory.objects.borrow().len() - memory.freed.get();
    (counters.count(), objects)
}

/// Makes this process a child with one thread, with zeros in the memory that the kernel wipes.
pub(crate) fn fork() {
    let kernel = kernel();
    for counters in &*kernel.memory.domains.borrow() {
        counters.wipe();
    }
    let objects = kernel.memory.objects.borrow();
    // SAFETY: the pointers are from `Box::into_raw`, and the calling thread is the only one.
    unsafe {
        objects.iter().for_each(|object| object.wipe());
        kernel.memory.process.write(Process::new());
    }
}

/// An atomic pointer, stored as loom's atomic integer so that all have one layout.
#[repr(transparent)]
pub(crate) struct AtomicPtr<T> {
    address: AtomicUsize,
    points_to: PhantomData<*mut T>,
}

// SAFETY: as the standard library's.
unsafe impl<T> Send for AtomicPtr<T> {}
// SAFETY: as the standard library's.
unsafe impl<T> Sync for AtomicPtr<T> {}

fn pointer<T>(address: usize) -> *mut T {
    core::ptr::with_exposed_provenance_mut(address)
}

impl<T> AtomicPtr<T> {
    pub(crate) fn new(to: *mut T) -> Self {
        AtomicPtr {
            address: AtomicUsize::new(to.expose_provenance()),
            points_to: PhantomData,
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        pointer(self.address.load(order))
    }

    pub(crate) fn store(&self, to: *mut T, order: Ordering) {
        if !may_store() {
            return;
        }
        self.address.store(to.expose_provenance(), order);
    }

    /// Never fails spuriously, as loom's does not.
    pub(crate) fn compare_exchange_weak(
        &self,
        from: *mut T,
        to: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.compare_exchange(from, to, success, failure)
    }

    pub(crate) fn fetch_or(&self, bits: usize, order: Ordering) -> *mut T {
        pointer(self.address.fetch_or(bits, order))
    }

    pub(crate) fn fetch_and(&self, bits: usize, order: Ordering) -> *mut T {
        pointer(self.address.fetch_and(bits, order))
    }

    pub(crate) fn fetch_xor(&self, bits: usize, order: Ordering) -> *mut T {
        pointer(self.address.fetch_xor(bits, order))
    }

    pub(crate) fn swap(&self, to: *mut T, order: Ordering) -> *mut T {
        pointer(self.address.swap(to.expose_provenance(), order))
    }

    pub(crate) fn compare_exchange(
        &self,
        from: *mut T,
        to: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        if !may_store() {
            return Err(self.load(failure));
        }
        let (from, to) = (from.expose_provenance(), to.expose_provenance());
        let exchanged = self.address.compare_exchange(from, to, success, failure);
        exchanged.map(pointer).map_err(pointer)
    }

    /// Returns a copy to read through. Loom checks that nobody else uses the pointer.
    pub(crate) fn get_mut(&mut self) -> Box<*mut T> {
        Box::new(pointer(self.address.with_mut(|address| *address)))
    }

    /// Returns the address for [`copy_through`](super::copy_through), which knows its real type.
    pub(crate) fn as_ptr(&self) -> *mut *mut T {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

impl<T> fmt::Debug for AtomicPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtomicPtr")
    }
}
