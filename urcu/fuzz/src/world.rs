//! What the threads of a run share: domains and cells.

use std::mem;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};

use urcu::{Domain, Global, RcuCell};

use crate::cells::{self, Cell};
use crate::check::check;
use crate::helpers::patience;
use crate::input::{Input, Mode};
use crate::ledger::{DOMAINS, Ledger, Stamp};
use crate::links::Links;
use crate::percpu::Shared;
use crate::place::{JOBS, Place};

/// The mark of a cell that holds nothing.
pub const NOTHING: u32 = u32::MAX;

/// A cell that lives as long as the run.
pub struct CellPlace {
    pub cell: Box<dyn Cell>,
    pub place: usize,
    /// The number of the value that it holds, where one thread runs at a time.
    pub holds: AtomicU32,
}

/// Cells for snapshots, small and too large.
pub struct Stamps {
    pub small: RcuCell<Box<Stamp<3>>, &'static Domain>,
    pub large: RcuCell<Box<Stamp<130>>, Global>,
    pub holds: [AtomicU64; 2],
}

pub struct World {
    // In the order in which they go.
    pub cells: Vec<CellPlace>,
    pub stamps: Stamps,
    pub shared: Shared,
    pub links: Links,
    pub places: Vec<Place>,
    pub orphans: Mutex<Vec<Place>>,
    pub ledger: Arc<Ledger>,
    /// Callbacks that are queued or run.
    pub callbacks: AtomicUsize,
    next_place: AtomicUsize,
    pub exclusive: bool,
    /// The threads whose entries a barrier can count on: all, where one runs at a time.
    pub turn: AtomicUsize,
}

impl World {
    pub fn new(input: &Input) -> Self {
        let ledger = Ledger::new();
        let mut places = vec![Place {
            number: 0,
            domain: None,
            driven: true,
        }];
        for (number, [runner, budget]) in input.domains.into_iter().enumerate() {
            places.push(Place::new(number + 1, runner, budget));
        }
        let cells = input.cells.iter().map(|choice| {
            let place = &places[usize::from(choice >> 4) % places.len()];
            // SAFETY: the cells go first.
            let domain = place.domain.is_some().then(|| unsafe { place.forever() });
            let value = ledger.value();
            CellPlace {
                holds: AtomicU32::new(value.id),
                cell: cells::new(*choice, domain, value),
                place: place.number,
            }
        });
        let cells = cells.collect();
        // SAFETY: the cells go before the places.
        let domain = unsafe { places[1].forever() };
        let exclusive = input.mode != Mode::Free;
        World {
            cells,
            stamps: Stamps {
                small: RcuCell::new_in(Stamp::new(0), domain),
                large: RcuCell::new(Stamp::new(0)),
                holds: [AtomicU64::new(0), AtomicU64::new(0)],
            },
            shared: Shared::new(input.ring, exclusive, &ledger),
            links: Links::default(),
            next_place: AtomicUsize::new(places.len()),
            places,
            orphans: Mutex::default(),
            ledger,
            callbacks: AtomicUsize::new(0),
            exclusive,
            turn: AtomicUsize::new(0),
        }
    }

    pub fn new_place(&self, runner: u8, budget: u8) -> Option<Place> {
        let number = self.next_place.fetch_add(1, SeqCst);
        (number < DOMAINS).then(|| Place::new(number, runner, budget))
    }

    /// Waits, and has the work done that nobody else does, until it holds.
    fn settle(&self, places: &[Place], what: &str, holds: impl Fn() -> bool) {
        let mut patience = patience();
        while !holds() {
            places.iter().for_each(|place| place.get().barrier());
            check!(holds() || patience.lasts(), "never settles: {what}");
        }
    }

    /// All threads are done: everything must end as it should.
    pub fn end(self: Box<Self>) {
        let orphans = mem::take(&mut *self.orphans.lock().unwrap_or_else(PoisonError::into_inner));
        let places = [&self.places[..], &orphans[..]].concat();
        let threads: &[usize] = &[0, 1];
        for place in &places {
            let now = self.ledger.now();
            place.get().barrier();
            self.ledger.check_barrier(place.number, now, threads);
        }
        self.settle(&places, "callbacks", || self.callbacks.load(SeqCst) == 0);
        drop(orphans);
        let World {
            cells,
            stamps,
            shared,
            links,
            places: own,
            ledger,
            ..
        } = *self;
        shared.end();
        for (number, CellPlace { cell, .. }) in cells.into_iter().enumerate() {
            if number % 2 == 0 {
                drop(cell);
            } else {
                drop(cell.into_inner());
            }
        }
        drop((stamps, links, own));
        // Values that the last callbacks captured may still be on their way.
        let mut patience = patience();
        while !ledger.is_settled() && patience.lasts() {
            places.iter().for_each(|place| place.get().barrier());
        }
        drop(places);
        let jobs = mem::take(&mut *JOBS.lock().unwrap_or_else(PoisonError::into_inner));
        drop(jobs);
        ledger.check_settled();
    }
}
