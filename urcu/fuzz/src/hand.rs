//! One thread of a run: what it holds, and the steps that are about RCU.

mod cells;
mod links;
mod waits;

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Waker};

use urcu::{Domain, GracePeriod, Rcu, ReadGuard, Ref, SynchronizeAsync};

use crate::check::check;
use crate::helpers::{drop_elsewhere, patience};
use crate::input::Step;
use crate::ledger::{Ledger, Value};
use crate::links::Cut;
use crate::panics::panics;
use crate::percpu;
use crate::place::{JOBS, Place};
use crate::woken::Woken;
use crate::work::{self, Act, Work};
use crate::world::{CellPlace, World};

/// A section in one of its forms.
enum Section {
    Guard(ReadGuard<'static>),
    Whole(Ref<'static, Value>),
    Part(Ref<'static, u64>),
}

/// An open section, and the values that were seen in it. Ends when it is dropped.
pub struct Held {
    section: Option<Section>,
    number: usize,
    seen: Vec<&'static Value>,
    ledger: Arc<Ledger>,
    /// Keeps the domain.
    place: Place,
}

impl Held {
    fn guard(&self) -> Option<&ReadGuard<'static>> {
        match &self.section {
            Some(Section::Guard(guard)) => Some(guard),
            _ => None,
        }
    }

    /// # Safety
    /// The value was loaded in this section.
    unsafe fn sees(&mut self, value: &Value) {
        value.look();
        self.ledger.pin(value.id, true);
        // SAFETY: the value was loaded in this section, as the caller promises, and so is there until the
        // section ends; `seen` is emptied before.
        self.seen
            .push(unsafe { mem::transmute::<&Value, &'static Value>(value) });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for value in self.seen.drain(..) {
            value.look();
            self.ledger.pin(value.id, false);
        }
        match &self.section {
            Some(Section::Whole(value)) => value.look(),
            Some(Section::Part(word)) => check!(**word < 1 << 32, "a part that is {word}"),
            _ => {}
        }
        self.ledger.ends(self.place.number, self.number);
        drop(self.section.take());
    }
}

/// A grace period that somebody asked for.
struct Asked<T> {
    what: T,
    since: u64,
    place: Place,
    /// It must be over.
    must: bool,
}

/// A future, and what it was polled with last.
struct Awaited {
    future: Pin<Box<SynchronizeAsync>>,
    waker: Option<Arc<Woken>>,
}

pub struct Hand<'w> {
    pub world: &'w World,
    pub thread: usize,
    held: Vec<Held>,
    cookies: Vec<Asked<GracePeriod>>,
    futures: Vec<Asked<Awaited>>,
    kept: Vec<Arc<Value>>,
    own: Vec<Place>,
    shelf: percpu::Shelf,
    cut: Cut,
}

impl<'w> Hand<'w> {
    pub fn new(world: &'w World, thread: usize) -> Self {
        Hand {
            world,
            thread,
            held: Vec::new(),
            cookies: Vec::new(),
            futures: Vec::new(),
            kept: Vec::new(),
            own: Vec::new(),
            shelf: percpu::Shelf::default(),
            cut: Cut::default(),
        }
    }

    fn place(&self, choice: u8) -> Place {
        let (there, own) = (&self.world.places, &self.own);
        let choice = usize::from(choice) % (there.len() + own.len());
        there
            .get(choice)
            .unwrap_or_else(|| &own[choice - there.len()])
            .clone()
    }

    fn cell(&self, choice: u8) -> &'w CellPlace {
        &self.world.cells[usize::from(choice) % self.world.cells.len()]
    }

    fn place_of(&self, cell: &CellPlace) -> Place {
        self.world.places[cell.place].clone()
    }

    fn value(&self) -> Value {
        self.world.ledger.value()
    }

    /// Returns whether this thread may wait for a grace period of a domain, without waiting for ever.
    fn may_wait(&self, place: &Place) -> bool {
        if self.world.exclusive {
            !self.world.ledger.any_open(place.number)
        } else {
            self.held.is_empty()
        }
    }

    /// Whose doings a barrier of this thread's has to cover.
    fn threads(&self) -> &'static [usize] {
        match (self.world.exclusive, self.thread) {
            (true, _) => &[0, 1],
            (false, 0) => &[0],
            (false, _) => &[1],
        }
    }

    fn hold(&mut self, place: Place, section: Section) -> Option<&mut Held> {
        let ledger = Arc::clone(&self.world.ledger);
        // None: it is dropped again at once.
        let number = ledger.begun(place.number, self.thread)?;
        let held = Held {
            section: Some(section),
            number,
            seen: Vec::new(),
            ledger,
            place,
        };
        self.held.push(held);
        self.held.last_mut()
    }

    fn has_room(&self, place: &Place) -> bool {
        self.world.ledger.has_room(place.number, self.thread)
    }

    fn lock(&mut self, place: Place) {
        if self.has_room(&place) {
            // SAFETY: `Held` keeps the domain until the guard is dropped.
            let guard = unsafe { place.forever() }.read_lock();
            self.hold(place, Section::Guard(guard));
        }
    }

    fn queue(&self, place: Place, act: u8, how: u8) {
        let acts = if how & 32 != 0 {
            Act::of(act)
        } else {
            Act::Nothing
        };
        let work = Work::new(self.world, place, acts, Some(self.thread));
        work::queue(work, how);
    }

    fn own_domain(&mut self, runner: u8, budget: u8) {
        if self.own.len() < 3
            && let Some(place) = self.world.new_place(runner, budget)
        {
            self.own.push(place);
        }
    }

    fn drop_domain(&mut self, choice: u8) {
        if self.own.is_empty() {
            return;
        }
        let at = usize::from(choice) % self.own.len();
        let number = self.own[at].number;
        let is_of = |place: &Place| place.number == number;
        self.held.retain(|held| !is_of(&held.place));
        let Place {
            domain: Some(domain),
            driven,
            ..
        } = self.own.swap_remove(at)
        else {
            return;
        };
        self.futures.retain(|asked| !is_of(&asked.place));
        let cookies = self.cookies.extract_if(.., |asked| is_of(&asked.place));
        let cookies: Vec<GracePeriod> = cookies.map(|asked| asked.what).collect();
        let began = self.world.ledger.now();
        match Arc::try_unwrap(domain) {
            Ok(domain) => {
                drop(domain);
                self.world.ledger.check_barrier(number, began, &[0, 1]);
                let over = cookies.iter().all(GracePeriod::is_over);
                check!(over, "the end of a domain is not that of its grace periods");
            }
            // A callback has the domain and is, in the end, the last to have it.
            Err(domain) if driven => drop(domain),
            Err(domain) => {
                let place = Place {
                    number,
                    domain: Some(domain),
                    driven,
                };
                let mut orphans = self
                    .world
                    .orphans
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                orphans.push(place);
            }
        }
    }

    /// A guard that is forgotten, in a domain without callbacks: nothing waits for it.
    fn forget(&self) {
        let domain = Domain::new();
        let cookie = domain.start_poll();
        std::mem::forget(domain.read_lock());
        if domain.poll(&cookie) {
            check!(
                !domain.poll(&domain.start_poll()),
                "a forgotten section is over"
            );
        }
        let cell = Rcu::new_in(self.value(), &domain);
        cell.read().look();
        drop(cell);
        drop(domain);
        check!(
            cookie.is_over(),
            "the end of a domain is not that of its grace periods"
        );
    }

    /// Does what must be refused.
    fn misuse(&self, cell: &CellPlace, choice: u8) {
        let place = self.place(choice);
        if place.number == cell.place {
            return;
        }
        let guard = place.get().read_lock();
        check!(
            panics(|| cell.cell.load(&guard).is_some()),
            "a guard of another domain is taken"
        );
        drop(guard);
        let cookie = place.get().start_poll();
        let other = self.place_of(cell);
        check!(
            panics(|| other.get().poll(&cookie)),
            "a cookie of another domain is taken"
        );
    }

    fn run_job(&self, how: u8) {
        let job = JOBS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut job) = job
            && !how.is_multiple_of(8)
            && job.run().is_some()
        {
            JOBS.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(0, job);
        }
    }

    fn stats(&self, place: &Place) {
        let stats = place.get().stats();
        check!(
            stats.callbacks_run <= stats.callbacks_queued,
            "more has run than was queued"
        );
        check!(
            stats.callbacks_pending <= stats.callbacks_peak,
            "a peak below what is pending"
        );
    }

    pub fn step(&mut self, step: &Step) {
        if self.world.ledger.is_full() {
            return;
        }
        let Step { a, b, c, .. } = *step;
        let cell = self.cell(a);
        match step.what() % 48 {
            0 | 1 => self.lock(self.place(a)),
            2..=4 if !self.held.is_empty() => {
                let at = usize::from(a) % self.held.len();
                let held = self.held.swap_remove(at);
                if b % 4 == 0 {
                    drop_elsewhere(held);
                } else {
                    drop(held);
                }
            }
            2..=4 => self.synchronize(self.place(a)),
            5 | 6 => self.load(cell, b),
            7 => self.read(cell, b % 2 == 0),
            8 | 9 => self.store(cell, b),
            10 => self.replace(cell, b),
            11 => self.exchange(cell, b, c % 2 == 0),
            12 => self.update(cell, b),
            13 => self.full(cell, b % 2 == 0, c),
            14 => self.short_cell(&self.place(a), b, c),
            15 => self.snapshot(a % 2 == 0, b),
            16 | 17 => self.synchronize(self.place(a)),
            18 => self.barrier(self.place(a)),
            19 => self.replace_elsewhere(self.place(a), b),
            20 => self.ask(self.place(a), false),
            21 | 22 => self.poll(a, b),
            23 => self.ask(self.place(a), true),
            24 | 25 => self.poll_future(a, b),
            26..=29 => self.queue(self.place(a), b, c),
            30 => (0..b % 160).for_each(|_| self.flood(&self.place(a), c)),
            31 => {
                let most = usize::from(b);
                let ran = self.place(a).get().run_callbacks(most);
                // In batches of seven: the last of them may begin one short of `most`.
                check!(ran <= most + 6, "{ran} callbacks ran, not {most}");
            }
            32 => self.own_domain(a, b),
            33 => self.drop_domain(a),
            34 => self.forget(),
            35 => self.misuse(cell, b),
            36 => self.run_job(a),
            37 => self.stats(&self.place(a)),
            38 if c % 8 != 0 => {
                (0..=c % 8).for_each(|more| self.links(a, b.wrapping_add(5 * more)))
            }
            38 => {
                self.kept.pop();
            }
            other => self
                .shelf
                .step(&self.world.shared, self.thread, other - 39, step),
        }
    }

    /// A callback that nobody keeps account of, for whole chunks.
    fn flood(&self, place: &Place, how: u8) {
        if how.is_multiple_of(2) {
            place.get().defer_drop(Box::new([1u64; 3]));
        } else {
            place.get().call(|| ());
        }
    }

    /// Ends all sections.
    pub fn release(&mut self) {
        self.held.clear();
    }

    /// Gives everything back.
    pub fn end(mut self) {
        self.release();
        self.kept.clear();
        self.cut = Cut::default();
        for Asked {
            what,
            since,
            place,
            must,
        } in mem::take(&mut self.cookies)
        {
            self.answered(what.is_over(), since, place.number, must);
            what.wait();
            self.answered(what.is_over(), since, place.number, true);
        }
        let waker = Waker::noop();
        for Asked {
            mut what,
            since,
            place,
            ..
        } in mem::take(&mut self.futures)
        {
            let mut patience = patience();
            // Without being asked, where somebody does the work.
            while place.driven && what.waker.as_ref().is_some_and(|waker| !waker.was()) {
                check!(patience.lasts(), "a waker is forgotten");
            }
            while what
                .future
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
            {
                check!(patience.lasts(), "a future is never ready");
            }
            self.answered(true, since, place.number, true);
        }
        self.shelf.end(&self.world.shared);
        let mut orphans = self
            .world
            .orphans
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        orphans.append(&mut self.own);
    }
}
