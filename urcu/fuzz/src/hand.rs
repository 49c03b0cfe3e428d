//! One thread of a run: what it holds, and the steps that are about RCU.

use std::mem;
use std::pin::Pin;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use urcu::{Domain, GracePeriod, Rcu, ReadGuard, Ref, SynchronizeAsync};

use crate::cells::{self, Exchanged, Kept};
use crate::check;
use crate::input::Step;
use crate::ledger::{Ledger, Stamp, Value};
use crate::percpu;
use crate::work::{self, Act, Work};
use crate::world::{
    CellPlace, JOBS, NOTHING, Patience, Place, World, block_elsewhere, drop_elsewhere, panics,
};

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
        // SAFETY: the caller's: it is there until the section ends.
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

pub struct Hand<'w> {
    pub world: &'w World,
    pub thread: usize,
    held: Vec<Held>,
    cookies: Vec<Asked<GracePeriod>>,
    futures: Vec<Asked<Pin<Box<SynchronizeAsync>>>>,
    kept: Vec<Arc<Value>>,
    own: Vec<Place>,
    shelf: percpu::Shelf,
}

/// Counts, and does what wakers should not.
struct Woken(AtomicUsize, u8, Place);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        match self.1 % 4 {
            0 => std::panic::resume_unwind(Box::new(crate::world::Expected)),
            1 => self.2.get().call(|| ()),
            _ => {}
        }
    }
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

    /// What a cell is given: `None` now and then, where it may be.
    fn input(&self, cell: &CellPlace, choice: u8) -> Option<Value> {
        (choice % 4 != 0 || !cell.cell.is_optional()).then(|| self.value())
    }

    /// Whether this thread may wait for a grace period of a domain, without waiting for ever.
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

    /// The value that is about to be replaced, where one thread runs at a time.
    fn replaces(&self, cell: &CellPlace) -> Option<u32> {
        let old = cell.holds.load(SeqCst);
        let known = self.world.exclusive && old != NOTHING;
        if known {
            self.world.ledger.retires(old, cell.place);
        }
        known.then_some(old)
    }

    fn replaced(&self, cell: &CellPlace, old: Option<u32>, new: Option<u32>, retired: bool) {
        cell.holds.store(new.unwrap_or(NOTHING), SeqCst);
        if retired && let Some(old) = old {
            self.world.ledger.retired(old, self.thread);
        }
    }

    fn check_holds(&self, cell: &CellPlace, seen: Option<u32>) {
        let holds = cell.holds.load(SeqCst);
        check!(
            !self.world.exclusive || holds == seen.unwrap_or(NOTHING),
            "a cell shows {seen:?} and holds {holds}"
        );
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

    /// A guard of a domain that this thread holds.
    fn guard_of(&self, place: usize, choice: u8) -> Option<usize> {
        let mut guards = (0..self.held.len())
            .filter(|held| self.held[*held].place.number == place)
            .filter(|held| self.held[*held].guard().is_some());
        let count = guards.clone().count();
        guards.nth(usize::from(choice) % count.max(1))
    }

    fn load(&mut self, cell: &'w CellPlace, choice: u8) {
        let Some(held) = self.guard_of(cell.place, choice) else {
            return self.lock(self.place_of(cell));
        };
        let mut held = self.held.swap_remove(held);
        let guard = held.guard().expect("a guard");
        // SAFETY: the section is open until the end of `held`, and the cell goes after all of them.
        let seen = cell
            .cell
            .load(guard)
            .map(|value| unsafe { mem::transmute::<&Value, &'static Value>(value) });
        self.check_holds(cell, seen.map(|value| value.id));
        if let Some(value) = seen {
            // SAFETY: loaded right now.
            unsafe { held.sees(value) };
        }
        self.held.push(held);
    }

    fn read(&mut self, cell: &'w CellPlace, part: bool) {
        let place = self.place_of(cell);
        if !self.has_room(&place) {
            return;
        }
        // SAFETY: `Held` is dropped before the cells and the domain.
        let seen = unsafe {
            mem::transmute::<Option<Ref<'_, Value>>, Option<Ref<'static, Value>>>(cell.cell.read())
        };
        self.check_holds(cell, seen.as_ref().map(|value| value.id));
        let Some(seen) = seen else {
            return;
        };
        // SAFETY: `sees` is called in this section.
        let value = unsafe { mem::transmute::<&Value, &'static Value>(&seen) };
        let section = if part {
            let missing = Ref::filter_map(seen, |value| value.heap.get(3));
            let seen = missing.err().expect("there are three words");
            Section::Part(Ref::map(seen, |value| &value.heap[1]))
        } else {
            Section::Whole(seen)
        };
        if let Some(held) = self.hold(place, section) {
            // SAFETY: as above.
            unsafe { held.sees(value) };
        }
    }

    fn store(&self, cell: &CellPlace, choice: u8) {
        let new = self.input(cell, choice);
        let (old, id) = (self.replaces(cell), new.as_ref().map(|value| value.id));
        cell.cell.store(new);
        self.replaced(cell, old, id, true);
    }

    fn replace(&mut self, cell: &CellPlace, choice: u8) {
        let place = self.place_of(cell);
        if !self.may_wait(&place) {
            return self.store(cell, choice);
        }
        let new = self.input(cell, choice);
        let (old, id) = (self.replaces(cell), new.as_ref().map(|value| value.id));
        let began = self.world.ledger.now();
        let kept = cell.cell.replace(new);
        self.replaced(cell, old, id, false);
        if self.world.exclusive {
            check!(
                kept.id() == old,
                "{:?} was replaced, not {old:?}",
                kept.id()
            );
        }
        if !matches!(kept, Kept::Nothing) {
            let open = self.world.ledger.any_open_since(place.number, began);
            check!(!open, "a section outlasts `replace`");
        }
    }

    fn exchange(&mut self, cell: &'w CellPlace, choice: u8, between: bool) {
        let Some(held) = self.guard_of(cell.place, choice) else {
            return self.lock(self.place_of(cell));
        };
        let held = self.held.swap_remove(held);
        let (new, before) = (self.input(cell, choice), cell.holds.load(SeqCst));
        let id = new.as_ref().map(|value| value.id);
        let mut old = None;
        let done = cell.cell.exchange(
            held.guard().expect("a guard"),
            &mut || {
                if between {
                    self.store(cell, 1);
                } else {
                    old = self.replaces(cell);
                }
            },
            new,
        );
        match done {
            Exchanged::Done => {
                check!(
                    !between || !self.world.exclusive,
                    "an old value was exchanged"
                );
                check!(before != NOTHING || old.is_none(), "nothing is {old:?}");
                self.replaced(cell, old, id, true);
            }
            Exchanged::Found(new, found) => {
                check!(
                    between || !self.world.exclusive,
                    "the current value was not exchanged"
                );
                check!(new.id() == id, "{:?} came back for {id:?}", new.id());
                self.check_holds(cell, found);
            }
        }
        self.held.push(held);
    }

    fn update(&mut self, cell: &CellPlace, choice: u8) {
        let (mut tries, mut old, mut id) = (0, None, None);
        let done = cell.cell.try_update(&mut |seen| {
            tries += 1;
            if let Some(seen) = seen {
                seen.look();
            }
            match choice % 8 {
                0 => return None,
                1 | 2 if tries == 1 => self.store(cell, choice), // Then it must try again.
                _ => self.check_holds(cell, seen.map(|value| value.id)),
            }
            old = self.replaces(cell);
            let new = self.input(cell, choice >> 3);
            id = new.as_ref().map(|value| value.id);
            Some(new)
        });
        check!(done == (choice % 8 != 0), "an update ended otherwise");
        if done {
            check!(
                tries > 1 || !(1..=2).contains(&(choice % 8)),
                "an update was lost"
            );
            self.replaced(cell, old, id, true);
        }
    }

    fn full(&mut self, cell: &CellPlace, swap: bool, choice: u8) {
        if !swap {
            if let Some(value) = cell.cell.full() {
                value.look();
                self.check_holds(cell, Some(value.id));
                self.world.ledger.is_shared(value.id);
                self.kept.push(value);
            }
            return;
        }
        let new = self.input(cell, choice);
        let (old, id) = (self.replaces(cell), new.as_ref().map(|value| value.id));
        let got = cell.cell.swap(new);
        if let Some(value) = got {
            value.look();
            let other = self.world.exclusive && Some(value.id) != old;
            check!(!other, "{} was swapped out, not {old:?}", value.id);
            self.world.ledger.is_shared(value.id);
            self.kept.push(value);
        }
        self.replaced(cell, old, id, true);
    }

    /// A cell's whole life.
    fn short_cell(&self, place: &Place, kind: u8, choice: u8) {
        // SAFETY: the cell does not outlive this.
        let domain = place.domain.is_some().then(|| unsafe { place.forever() });
        let cell = cells::new(kind, domain, self.value());
        for n in 0..choice % 4 {
            cell.store((n != 2 || !cell.is_optional()).then(|| self.value()));
        }
        if choice & 16 != 0 {
            let guard = cell.domain().read_lock();
            cell.load(&guard).into_iter().for_each(Value::look);
        }
        if choice & 32 != 0 {
            drop(cell.into_inner());
        }
    }

    fn snapshot(&self, large: bool, choice: u8) {
        let (stamps, number) = (&self.world.stamps, self.world.ledger.now());
        let holds = &stamps.holds[usize::from(large)];
        let seen = if large {
            stamps.large.snapshot().look()
        } else {
            stamps.small.snapshot().look()
        };
        let expected = Stamp::<1>::new(holds.load(SeqCst)).look();
        check!(
            !self.world.exclusive || seen == expected,
            "a snapshot of {seen}, not {expected}"
        );
        if choice % 2 == 0 {
            return;
        }
        holds.store(number, SeqCst);
        if large {
            stamps.large.store(Stamp::new(number));
        } else {
            stamps.small.store(Stamp::new(number));
        }
    }

    /// A grace period has passed that began at this time.
    fn passed(&mut self, place: usize, began: u64) {
        let open = self.world.ledger.any_open_since(place, began);
        check!(!open, "a section of domain {place} outlasts a grace period");
        let cookies = self
            .cookies
            .iter_mut()
            .map(|asked| (asked.place.number, asked.since, &mut asked.must));
        let futures = self
            .futures
            .iter_mut()
            .map(|asked| (asked.place.number, asked.since, &mut asked.must));
        for (number, since, must) in cookies.chain(futures) {
            *must |= number == place && since < began;
        }
    }

    fn synchronize(&mut self, place: Place) {
        let began = self.world.ledger.now();
        if self.may_wait(&place) {
            place.get().synchronize();
            return self.passed(place.number, began);
        }
        let ledger = Arc::clone(&self.world.ledger);
        block_elsewhere(move || {
            place.get().synchronize();
            let open = ledger.any_open_since(place.number, began);
            check!(
                !open,
                "a section of domain {} outlasts `synchronize`",
                place.number
            );
        });
    }

    fn barrier(&mut self, place: Place) {
        let (began, threads) = (self.world.ledger.now(), self.threads());
        if self.may_wait(&place) {
            place.get().barrier();
            return self
                .world
                .ledger
                .check_barrier(place.number, began, threads);
        }
        let ledger = Arc::clone(&self.world.ledger);
        block_elsewhere(move || {
            place.get().barrier();
            ledger.check_barrier(place.number, began, threads);
        });
    }

    /// `replace` by a thread that waits for this one's sections.
    fn replace_elsewhere(&self, place: Place, kind: u8) {
        let ledger = Arc::clone(&self.world.ledger);
        block_elsewhere(move || {
            if ledger.is_full() {
                return;
            }
            // SAFETY: the cell does not outlive this.
            let domain = place.domain.is_some().then(|| unsafe { place.forever() });
            let (old, new) = (ledger.value(), ledger.value());
            let id = old.id;
            let cell = cells::new(kind, domain, old);
            let began = ledger.now();
            let kept = cell.replace(Some(new));
            check!(kept.id() == Some(id), "another value came back");
            let open = ledger.any_open_since(place.number, began);
            check!(
                !open,
                "a section of domain {} outlasts `replace`",
                place.number
            );
        });
    }

    fn ask(&mut self, place: Place, future: bool) {
        if self.cookies.len() + self.futures.len() > 32 {
            return;
        }
        let since = self.world.ledger.now();
        if future {
            let what = Box::pin(place.get().synchronize_async());
            self.futures.push(Asked {
                what,
                since,
                place,
                must: false,
            });
        } else {
            let what = place.get().start_poll();
            self.cookies.push(Asked {
                what,
                since,
                place,
                must: false,
            });
        }
    }

    fn answered(&self, over: bool, since: u64, place: usize, must: bool) {
        let open = || self.world.ledger.any_open_since(place, since);
        check!(
            !over || !open(),
            "a cookie of domain {place} is done too early"
        );
        check!(over || !must, "a cookie of domain {place} is not done");
    }

    fn poll(&mut self, choice: u8, how: u8) {
        if self.cookies.is_empty() {
            return;
        }
        let at = usize::from(choice) % self.cookies.len();
        let Asked {
            what,
            since,
            place,
            must,
        } = &self.cookies[at];
        let over = match how % 8 {
            0 => what.wait_timeout(Duration::from_micros(30)),
            1 if self.may_wait(place) => {
                what.wait();
                true
            }
            2 => what.is_over(),
            _ => place.get().poll(what),
        };
        self.answered(over, *since, place.number, *must);
        if over && how & 8 != 0 {
            let asked = self.cookies.swap_remove(at);
            check!(asked.what.is_over(), "a grace period is over no more");
        }
    }

    fn poll_future(&mut self, choice: u8, how: u8) {
        if self.futures.is_empty() {
            return;
        }
        let at = usize::from(choice) % self.futures.len();
        let Asked {
            what,
            since,
            place,
            must,
        } = &mut self.futures[at];
        let waker = Waker::from(Arc::new(Woken(AtomicUsize::new(0), how, place.clone())));
        let over = what.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(());
        let (since, number, must) = (*since, place.number, *must);
        self.answered(over, since, number, must);
        if over || how & 8 != 0 {
            self.futures.swap_remove(at);
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

    /// What must be refused.
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
            && how % 8 != 0
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
                check!(ran <= most + 3, "{ran} callbacks ran, not {most}");
            }
            32 => self.own_domain(a, b),
            33 => self.drop_domain(a),
            34 => self.forget(),
            35 => self.misuse(cell, b),
            36 => self.run_job(a),
            37 => self.stats(&self.place(a)),
            38 => {
                self.kept.pop();
            }
            other => self.shelf.step(self.world, self.thread, other - 39, step),
        }
    }

    /// A callback that nobody keeps account of, for whole chunks.
    fn flood(&self, place: &Place, how: u8) {
        if how % 2 == 0 {
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
            let mut patience = Patience::new();
            while what
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
            {
                check!(patience.lasts(), "a future is never ready");
            }
            self.answered(true, since, place.number, true);
        }
        self.shelf.end(self.world);
        let mut orphans = self
            .world
            .orphans
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        orphans.append(&mut self.own);
    }
}
