//! Changes and walks that are interrupted between two stores or loads.

use core::cell::RefCell;
use std::rc::Rc;

use urcu::{Domain, ReadGuard};

use super::{List, Positions};

thread_local! {
    static HOOK: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Called at each load and store of a link, and at each store of a home. Not called from inside a hook.
pub(super) fn point() {
    let hook = HOOK.take();
    if let Some(mut hook) = hook {
        hook();
        HOOK.replace(Some(hook));
    }
}

/// Does `work`, with `hook` at every point.
fn with_hook(hook: impl FnMut() + 'static, work: impl FnOnce()) {
    HOOK.replace(Some(Box::new(hook)));
    work();
    HOOK.take();
}

/// Elements below this number stay in the list and are not moved.
const KEPT: u64 = 6;

/// Lists whose elements are never freed, so that a walk may be as slow as it likes.
#[derive(Clone, Copy)]
struct Shared {
    list: &'static List<u64, &'static Domain>,
    guard: &'static ReadGuard<'static>,
    moves: bool,
}

impl Shared {
    fn new(moves: bool) -> Self {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let list = &*Box::leak(Box::new(List::new_in(domain)));
        let guard = &*Box::leak(Box::new(list.guard()));
        (0..KEPT).for_each(|value| _ = list.push_back(value, guard));
        Shared { list, guard, moves }
    }

    /// Makes one change, of elements that come and go.
    fn change(self, random: &mut Random) {
        let list = self.list;
        let nth = |number| list.positions(self.guard).nth(number as usize);
        let len = list.len() as u64;
        let (Some(at), Some(element)) = (nth(random.below(len)), nth(random.below(len))) else {
            return;
        };
        let value = KEPT + random.next() / 2;
        let is_mine = *element >= KEPT;
        match random.below(10) {
            0 => drop(list.insert_before(at, value)),
            1 => drop(list.insert_after(at, value)),
            2 => drop(list.push_front(value, self.guard)),
            3 if len < 12 => drop(list.push_back(value, self.guard)),
            4 if is_mine && self.moves => drop(list.move_to_back(element)),
            5 if is_mine && self.moves => drop(list.move_to_front(element)),
            6 if is_mine && self.moves => drop(list.move_before(element, at)),
            _ if is_mine => drop(list.remove(element)),
            _ => {}
        }
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 8) % bound
    }
}

/// Takes one walk after another, each from both ends in any order, a step at a time.
struct Walker {
    shared: Shared,
    walk: Positions<'static, u64>,
    front: Vec<u64>,
    back: Vec<u64>,
    /// The number of steps, of 8, that are taken at the back.
    share: u64,
    finished: usize,
}

impl Walker {
    fn new(shared: Shared) -> Self {
        Walker {
            shared,
            walk: shared.list.positions(shared.guard),
            front: Vec::new(),
            back: Vec::new(),
            share: 4,
            finished: 0,
        }
    }

    fn step(&mut self, random: &mut Random) {
        let found = if random.below(8) < self.share {
            self.walk.next_back().map(|at| self.back.push(*at))
        } else {
            self.walk.next().map(|at| self.front.push(*at))
        };
        if found.is_none() {
            self.check();
            *self = Walker {
                share: [0, 2, 4, 6, 8][random.below(5) as usize],
                finished: self.finished + 1,
                ..Walker::new(self.shared)
            };
        }
    }

    fn check(&self) {
        let mut all = self.front.clone();
        all.extend(self.back.iter().rev());
        let kept = all.iter().copied().filter(|value| *value < KEPT);
        assert!(kept.eq(0..KEPT), "{:?} {:?}", self.front, self.back);
        if !self.shared.moves {
            all.sort_unstable();
            all.dedup();
            let yielded = self.front.len() + self.back.len();
            assert_eq!(all.len(), yielded, "{:?} {:?}", self.front, self.back);
        }
    }
}

const CHANGES: u64 = 20_000;

#[test(120)]
fn walks_between_the_stores_of_a_change_meet_all_once() {
    for moves in [false, true] {
        let shared = Shared::new(moves);
        let walkers = Rc::new(RefCell::new([(); 3].map(|()| Walker::new(shared))));
        let (hooked, mut random) = (walkers.clone(), Random(7));
        let hook = move || {
            let mut walkers = hooked.borrow_mut();
            let walker = random.below(5) as usize;
            if let Some(walker) = walkers.get_mut(walker) {
                (0..=random.below(3)).for_each(|_| walker.step(&mut random));
            }
        };
        let mut random = Random(1);
        with_hook(hook, || {
            (0..CHANGES).for_each(|_| shared.change(&mut random))
        });
        let finished: usize = walkers.borrow().iter().map(|walker| walker.finished).sum();
        assert!(finished > 1000, "{finished}");
    }
}

#[test(120)]
fn walks_that_are_interrupted_by_changes_at_each_load_meet_all_once() {
    for moves in [false, true] {
        let shared = Shared::new(moves);
        let mut random = Random(3);
        let hook = move || {
            if random.below(3) == 0 {
                (0..=random.below(3)).for_each(|_| shared.change(&mut random));
            }
        };
        let (mut walker, mut random) = (Walker::new(shared), Random(5));
        with_hook(hook, || {
            (0..2 * CHANGES).for_each(|_| walker.step(&mut random));
        });
        assert!(walker.finished > 1000, "{}", walker.finished);
    }
}

/// A change is one store, which counts for both directions.
#[test(120)]
fn at_each_moment_both_directions_see_a_change_or_neither_does() {
    let shared = Shared::new(true);
    let content = move || -> Vec<u64> {
        let there: Vec<u64> = shared.list.iter(shared.guard).copied().collect();
        let back = shared.list.iter(shared.guard).rev();
        assert!(there.iter().rev().eq(back), "{there:?}");
        there
    };
    let seen = Rc::new(RefCell::new(vec![content()]));
    let mut random = Random(9);
    for _ in 0..CHANGES / 4 {
        let hooked = seen.clone();
        let hook = move || {
            let (now, mut seen) = (content(), hooked.borrow_mut());
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        };
        with_hook(hook, || shared.change(&mut random));
        let (now, mut seen) = (content(), seen.borrow_mut());
        assert!(
            seen.len() <= 2 && seen.last() == Some(&now),
            "{seen:?} {now:?}"
        );
        *seen = vec![now];
    }
}
