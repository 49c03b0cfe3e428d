use std::cell::Cell;
use std::sync::{Arc, Mutex};

fn main() {
    let optional = urcu::RcuOption::new(Some(1));
    let guard = urcu::read_lock();
    let value = optional.load(&guard);
    println!("{value:?}");
    drop(guard);
    let mut boxed = urcu::Rcu::new(1);
    *boxed.get_mut() = 2;
    println!("{}", urcu::Rcu::new(Some(1)).snapshot().is_some());
    println!("{}", urcu::Rcu::new(None::<Option<i32>>).take().is_some());

    let shared = urcu::RcuArc::new(Arc::new(Mutex::new(1)));
    shared.store(Arc::new(Mutex::new(2)));
    shared.swap(Arc::new(Mutex::new(3)));
    std::thread::spawn(move || *shared.load_full().lock().unwrap() = 4)
        .join()
        .unwrap();
    let single = urcu::RcuArc::new(Arc::new(Cell::new(1)));
    single.replace(Arc::new(Cell::new(2))).set(3);
    let _ = urcu::RcuArc::<Box<str>>::new(Arc::new(Box::from("value")));
}
