//! Callbacks that check when they run, and do something.

use std::mem;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use urcu::raw::{Owned, RcuHead};
use urcu::{Domain, Runner};

use crate::check::check;
use crate::ledger::Value;
use crate::panics::{Bomb, Expected, panics};
use crate::place::Place;
use crate::world::{CellPlace, World};

/// The action of a callback.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Nothing,
    Panics,
    PanicsBadly,
    /// Queues others, so many deep.
    Queues(u8),
    /// Reads a cell.
    Reads(u8),
    /// Uses, waits for, and drops a domain of its own.
    OwnDomain,
    /// Calls `barrier`, which must not be.
    Barrier,
    /// Asks for a grace period.
    Polls,
}

impl Act {
    pub fn of(choice: u8) -> Act {
        match choice % 8 {
            0 => Act::Nothing,
            1 => Act::Panics,
            2 => Act::PanicsBadly,
            3 => Act::Queues(choice >> 3 & 3),
            4 => Act::Reads(choice >> 3),
            5 => Act::OwnDomain,
            6 => Act::Barrier,
            _ => Act::Polls,
        }
    }
}

pub struct Work {
    act: Act,
    world: &'static World,
    value: Value,
    /// Keeps its own domain, unless that is one that lives as long as the run.
    place: Place,
}

impl Work {
    /// `thread` queues it; `None`: another callback does.
    pub fn new(world: &World, place: Place, act: Act, thread: Option<usize>) -> Box<Work> {
        let value = world.ledger.value();
        world.ledger.queues(value.id, place.number);
        if let Some(thread) = thread {
            world.ledger.retired(value.id, thread);
        }
        world.callbacks.fetch_add(1, SeqCst);
        // SAFETY: the world ends after it has seen all callbacks out.
        let world = unsafe { mem::transmute::<&World, &'static World>(world) };
        Box::new(Work {
            act,
            world,
            value,
            place,
        })
    }

    fn run(self) {
        let (world, ledger) = (self.world, &self.world.ledger);
        self.value.look();
        ledger.runs(self.value.id);
        match self.act {
            Act::Nothing => {}
            Act::Panics => resume_unwind(Box::new(Expected)),
            Act::PanicsBadly => resume_unwind(Box::new(Bomb)),
            Act::Queues(deep) => {
                let act = deep.checked_sub(1).map_or(Act::Nothing, Act::Queues);
                if !ledger.is_full() {
                    let work = Work::new(world, self.place.clone(), act, None);
                    queue(work, deep.wrapping_mul(5));
                }
            }
            Act::Reads(cell) => {
                let CellPlace { cell, .. } = &world.cells[usize::from(cell) % world.cells.len()];
                if let Some(seen) = cell.read() {
                    seen.look();
                    ledger.pin(seen.id, true);
                    std::thread::yield_now();
                    seen.look();
                    ledger.pin(seen.id, false);
                }
            }
            Act::OwnDomain => {
                let ran = Arc::new(AtomicUsize::new(0));
                let domain = Domain::new().run_by(Runner::Caller);
                for _ in 0..5 {
                    let ran = Arc::clone(&ran);
                    domain.call(move || {
                        ran.fetch_add(1, SeqCst);
                    });
                }
                drop(domain.read_lock());
                domain.synchronize();
                check!(domain.run_callbacks(10) == 0, "a callback runs others");
                drop(domain);
                check!(
                    ran.load(SeqCst) == 5,
                    "the end of a domain leaves callbacks"
                );
            }
            Act::Barrier => {
                check!(
                    panics(|| self.place.get().barrier()),
                    "a callback calls `barrier`"
                );
            }
            Act::Polls => {
                let cookie = self.place.get().start_poll();
                self.place.get().poll(&cookie);
            }
        }
    }
}

/// Counts it out whatever becomes of it.
impl Drop for Work {
    fn drop(&mut self) {
        let world = self.world;
        self.value.look();
        world.callbacks.fetch_sub(1, SeqCst);
    }
}

/// Runs when it is dropped.
struct Acts(Option<Box<Work>>);

impl Drop for Acts {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work.run();
        }
    }
}

/// Returns a closure that also captures so many words.
fn padded<const N: usize>(work: Box<Work>) -> impl FnOnce() + Send {
    let words = [u64::from(work.value.id); N];
    move || {
        let id = u64::from(work.value.id);
        check!(
            words.iter().all(|word| *word == id),
            "a closure holds {words:?}"
        );
        work.run();
    }
}

/// Work with a head, as a node of a structure in C's style.
struct Headed {
    /// Acts when it is dropped.
    _acts: Acts,
    head: RcuHead,
}

impl Headed {
    fn make(acts: Acts) -> *mut RcuHead {
        let head = RcuHead::new();
        let headed = Box::into_raw(Box::new(Headed { _acts: acts, head }));
        // SAFETY: alive; no reference is made, so the pointer is good for the whole.
        unsafe { &raw mut (*headed).head }
    }

    /// # Safety
    /// `head` is from `make`, and used once.
    unsafe fn free(head: *mut RcuHead) {
        // SAFETY: by the contract of this function.
        drop(unsafe {
            Box::from_raw(
                head.byte_sub(mem::offset_of!(Headed, head))
                    .cast::<Headed>(),
            )
        });
    }

    /// # Safety
    /// As for `free`.
    unsafe extern "C" fn free_in_c(head: *mut RcuHead) {
        // SAFETY: by the contract of this function.
        unsafe { Headed::free(head) };
    }
}

/// # Safety
/// `acts` is from a box, and used once.
unsafe fn free(acts: *mut Acts) {
    // SAFETY: by the contract of this function.
    drop(unsafe { Box::from_raw(acts) });
}

/// Something that acts when it is dropped, in each of the ways to retire it.
fn retire(acts: Acts, place: &Place, way: u8) {
    let work = acts.0.as_ref().expect("made with work");
    let (world, id) = (work.world, work.value.id);
    // C has no panics.
    let in_c = !matches!(work.act, Act::Panics | Act::PanicsBadly);
    let (domain, bytes) = (place.get(), usize::from(way) * 1000);
    // SAFETY: nobody else has what is retired here, each once; it is good on every thread, and what it
    // uses is there until the world ends, which is after all callbacks.
    unsafe {
        match way % 10 {
            0 => domain.defer_drop(acts),
            1 => domain.defer_drop_sized(acts, bytes),
            2 => domain.retire(Box::into_raw(Box::new(acts))),
            3 => domain.retire(Box::into_raw(Box::new([acts])) as *mut [Acts]),
            4 => domain.retire_with(Box::into_raw(Box::new(acts)), free, bytes),
            5 => domain.retire_fn(move || drop(acts), bytes),
            6 => domain.retire_shared(Owned::new(acts).into_shared(&domain.read_lock())),
            7 => domain.retire_head(Headed::make(acts), Headed::free, bytes),
            8 if in_c => domain.call_head(Headed::make(acts), Headed::free_in_c, bytes),
            _ => {
                if let Err(mut acts) = domain.try_defer_drop_sized(acts, bytes) {
                    world.ledger.came_back(id);
                    // It does not act.
                    drop(acts.0.take());
                }
            }
        }
    }
}

pub fn queue(work: Box<Work>, how: u8) {
    fn call<F: FnOnce() + Send + 'static>(
        place: &Place,
        f: F,
        tries: bool,
        world: &World,
        id: u32,
    ) {
        if !tries {
            return place.get().call(f);
        }
        if let Err(f) = place.get().try_call(f) {
            world.ledger.came_back(id);
            drop(f);
        }
    }
    let (place, tries, world, id) = (work.place.clone(), how & 8 != 0, work.world, work.value.id);
    match how % 8 {
        0..=2 => call(&place, padded::<0>(work), tries, world, id),
        3 => call(&place, padded::<2>(work), tries, world, id),
        4 => call(&place, padded::<3>(work), tries, world, id),
        5 => call(&place, padded::<700>(work), tries, world, id),
        6 => retire(Acts(Some(work)), &place, how >> 4),
        _ => {
            world.ledger.only_drops(id);
            place.get().defer_drop(work);
        }
    }
}
