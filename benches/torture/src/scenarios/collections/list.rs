//! A list that readers walk in both directions, while updaters insert, move and remove elements. Some
//! elements, the posts, stay where they are: every walk must meet them once, and in their order.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use urcu::{Domain, ReadGuard};
use urcu_collections::List;
use urcu_collections::list::Position;
use urcu_host::poison;

use super::item::{BUDGET, Item, Ledger};
use crate::breaks::Break;
use crate::run::{Run, Thread};

/// The number of posts.
const POSTS: u64 = 8;
/// The approximate number of elements.
const LENGTH: usize = 64;
/// In numbers of elements that are no posts.
const ROVER: u64 = 1 << 48;

type Place<'g> = Position<'g, Item>;

struct Row {
    list: List<Item, &'static Domain>,
    domain: &'static Domain,
    ledger: &'static Ledger,
    version: AtomicU64,
}

impl Row {
    fn rover(&self) -> Item {
        Item::new(self.ledger, ROVER | self.version.fetch_add(1, Relaxed))
    }
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let domain = run.domain(Domain::named("list").with_budget(BUDGET));
    let row: &'static Row = Box::leak(Box::new(Row {
        list: List::new_in(domain),
        domain,
        ledger: Ledger::leak(run),
        version: AtomicU64::new(1),
    }));
    let guard = domain.read_lock();
    for post in 0..POSTS {
        row.list.push_back(Item::new(row.ledger, post), &guard);
    }
    drop(guard);
    for _ in 0..run.settings.threads.max(2) {
        run.spawn("reader", move |thread| read(thread, row));
    }
    for _ in 0..2 {
        run.spawn("updater", move |thread| update(thread, row));
    }
    run.join();
    row.list.clear(&domain.read_lock());
    if !row.list.is_empty() {
        let what = format!("the empty list has {} elements", row.list.len());
        run.fault("the end", what);
    }
    domain.barrier();
    row.ledger.check();
    Ok(())
}

fn read(thread: &mut Thread, row: &'static Row) {
    while !thread.over() {
        let mut guard = row.domain.read_lock();
        for _ in 0..=thread.random.skewed(4) {
            let Some(count) = walk(thread, row, &guard) else {
                return;
            };
            thread.counter.read(count);
            guard.refresh();
        }
        drop(guard);
        std::thread::yield_now();
    }
}

/// Walks the list in some way, and looks at each element twice. Returns the number of elements, or `None`
/// after a fault.
fn walk(thread: &mut Thread, row: &Row, guard: &ReadGuard<'_>) -> Option<u64> {
    let mut seen = match thread.random.below(3) {
        0 => forward(thread, row, guard)?,
        1 => backward(thread, row, guard)?,
        _ => from_both_ends(thread, row, guard)?,
    };
    if thread.random.one_in(64) {
        std::thread::yield_now();
    }
    // Look again: some were removed meanwhile.
    for (place, number) in &seen {
        if place.look(thread)? != *number {
            thread.run.fault(&thread.name, "an element changed inside a section");
            return None;
        }
    }
    let count = 2 * seen.len() as u64;
    let at = thread.random.below(seen.len() as u64) as usize;
    let (place, _) = seen.swap_remove(at);
    leave_from(thread, row, place)?;
    Some(count)
}

type Seen<'g> = Vec<(Place<'g>, u64)>;

fn forward<'g>(thread: &Thread, row: &'g Row, guard: &'g ReadGuard<'_>) -> Option<Seen<'g>> {
    let places = row.list.positions(guard);
    let seen = places.map(|place| Some((place, place.look(thread)?)));
    let seen: Seen<'g> = seen.collect::<Option<_>>()?;
    all_posts_are_met(thread, &seen)?;
    Some(seen)
}

fn backward<'g>(thread: &Thread, row: &'g Row, guard: &'g ReadGuard<'_>) -> Option<Seen<'g>> {
    let places = row.list.positions(guard).rev();
    let seen = places.map(|place| Some((place, place.look(thread)?)));
    let mut seen: Seen<'g> = seen.collect::<Option<_>>()?;
    seen.reverse();
    all_posts_are_met(thread, &seen)?;
    Some(seen)
}

fn from_both_ends<'g>(
    thread: &mut Thread,
    row: &'g Row,
    guard: &'g ReadGuard<'_>,
) -> Option<Seen<'g>> {
    let mut places = row.list.positions(guard);
    let (mut front, mut back) = (Vec::new(), Vec::new());
    loop {
        let (next, side) = match thread.random.one_in(2) {
            true => (places.next(), &mut front),
            false => (places.next_back(), &mut back),
        };
        let Some(place) = next else {
            break;
        };
        side.push((place, place.look(thread)?));
    }
    front.extend(back.into_iter().rev());
    all_posts_are_met(thread, &front)?;
    Some(front)
}

/// Checks that a walk met each post once, in order.
fn all_posts_are_met(thread: &Thread, seen: &Seen<'_>) -> Option<()> {
    let posts = seen.iter().map(|(_, number)| *number);
    let posts: Vec<u64> = posts.filter(|number| *number < ROVER).collect();
    if posts.iter().copied().eq(0..POSTS) {
        return Some(());
    }
    let what = format!("a walk met the posts {posts:?}");
    thread.run.fault(&thread.name, what);
    None
}

/// Goes on from an element, which may have been moved or removed meanwhile, to either end.
fn leave_from(thread: &mut Thread, row: &Row, place: Place<'_>) -> Option<()> {
    let to_the_back = thread.random.one_in(2);
    let mut cursor = row.list.cursor_at(place);
    let mut posts = Vec::new();
    loop {
        let next = match to_the_back {
            true => cursor.move_next(),
            false => cursor.move_prev(),
        };
        let Some(next) = next else {
            break;
        };
        posts.push(next.look(thread)?);
    }
    posts.retain(|number| *number < ROVER);
    let (first, last) = (posts.first().copied(), posts.last().copied());
    let in_order = posts.windows(2).all(|two| match to_the_back {
        true => two[0] + 1 == two[1],
        false => two[0] == two[1] + 1,
    });
    let end = if to_the_back { POSTS - 1 } else { 0 };
    // None at all if the element is behind the last post.
    if in_order && (first.is_none() || last == Some(end)) {
        return Some(());
    }
    let what = format!("a walk from the middle met the posts {posts:?}");
    thread.run.fault(&thread.name, what);
    None
}

fn update(thread: &mut Thread, row: &'static Row) {
    while !thread.over() {
        for _ in 0..64 {
            let guard = row.domain.read_lock();
            change(thread, row, &guard);
            thread.counter.updated();
        }
        std::thread::yield_now();
    }
}

/// Inserts, moves or removes an element beside another one.
fn change(thread: &mut Thread, row: &Row, guard: &ReadGuard<'_>) {
    let (Some(at), Some(rover)) = (some(thread, row, guard), some(thread, row, guard)) else {
        return;
    };
    let is_rover = rover.look(thread).is_some_and(|number| number >= ROVER);
    let long = row.list.len() > LENGTH;
    match thread.random.below(8) {
        _ if !is_rover => {
            if thread.breaks(Break::PostMoved, 256) {
                row.list.move_to_back(rover);
            }
            if !long {
                insert(thread, row, at, guard);
            }
        }
        0 => _ = row.list.move_to_front(rover),
        1 => _ = row.list.move_to_back(rover),
        2 | 3 => _ = row.list.move_before(rover, at),
        4 | 5 => _ = row.list.move_after(rover, at),
        _ if long => {
            let removed = row.list.remove(rover);
            if thread.breaks(Break::ElementFreedEarly, 16)
                && let Some(removed) = removed
            {
                removed.mark();
            }
        }
        _ => insert(thread, row, at, guard),
    }
}

fn insert(thread: &mut Thread, row: &Row, at: Place<'_>, guard: &ReadGuard<'_>) {
    match thread.random.below(8) {
        0 => _ = row.list.push_front(row.rover(), guard),
        1 => _ = row.list.push_back(row.rover(), guard),
        // An error if `at` was removed meanwhile: the value comes back.
        2..5 => _ = row.list.insert_before(at, row.rover()),
        _ => _ = row.list.insert_after(at, row.rover()),
    }
}

/// Returns an element near one of the ends.
fn some<'g>(thread: &mut Thread, row: &'g Row, guard: &'g ReadGuard<'_>) -> Option<Place<'g>> {
    let steps = thread.random.below(LENGTH as u64 / 2) as usize;
    let mut places = row.list.positions(guard);
    match thread.random.one_in(2) {
        true => places.nth(steps),
        false => places.rev().nth(steps),
    }
}
