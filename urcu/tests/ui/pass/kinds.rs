use std::cell::Cell;
use std::sync::{Arc, Mutex};

fn main() {
    let optional = urcu::RcuOption::new(Some(1));
    let guard = urcu::read_lock();
    let value = optional.load(&guard);
    println!("{value:?}");
    drop(guard);
    let mut cell = urcu::Rcu::new(1);
    *cell.get_mut() = 2;
    println!("{}", urcu::Rcu::new(Some(1)).snapshot().is_some());
    println!("{}", urcu::Rcu::new(None::<Option<i32>>).take().is_some());

    let shared = urcu::RcuArc::new(Arc::new(Mutex::new(1)));
    shared.store(Arc::new(Mutex::new(2)));
    shared.swap(Arc::new(Mutex::new(3)));
    std::thread::spawn(move || *shared.load_full().lock().unwrap() = 4)
        .join()
        .unwrap();
    single();
    println!("{}", boxed(&urcu::Rcu::new(1), 2));
    any(&urcu::RcuOption::empty(), Some(1), None);
    let cells: Vec<urcu::Rcu<i32>> = (0..3).map(urcu::Rcu::new).collect();
    println!("{}", cells.len());
    let _ = urcu::RcuArc::<Box<str>>::new(Arc::new(Box::from("value")));
}

#[expect(clippy::arc_with_non_send_sync, reason = "useless, and allowed")]
fn single() {
    let cell = urcu::RcuArc::new(Arc::new(Cell::new(1)));
    cell.replace(Arc::new(Cell::new(2))).set(3);
}

// Code that is generic over `T`, or over the kind.
fn boxed<T: Clone + Send + 'static>(cell: &urcu::Rcu<T>, value: T) -> T {
    cell.update(|old| old.clone());
    cell.store(value);
    cell.read().clone()
}

fn any<P>(cell: &urcu::RcuCell<P>, value: P::Value, again: P::Value)
where
    P: urcu::ByValue + Send + 'static,
{
    cell.store(value);
    let guard = urcu::read_lock();
    let _ = cell.compare_exchange(cell.load(&guard), again, &guard);
}
