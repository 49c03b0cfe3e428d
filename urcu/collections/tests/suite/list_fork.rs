//! Forked children and a list: its lock may have been held by a thread that is not there any more.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use urcu_collections::List;

use crate::support::{in_child, lasts};

const KEPT: u64 = 50;

#[test]
#[cfg_attr(miri, ignore = "no forks")]
fn a_child_goes_on_with_a_list_that_others_were_changing() {
    let list: List<u64> = (0..KEPT).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 1..4u64 {
            let (list, done) = (&list, &done);
            scope.spawn(move || {
                for round in (0u64..).take_while(|_| !done.load(Relaxed)) {
                    let list = list.pin();
                    let at = list.positions().nth((round % KEPT) as usize).unwrap();
                    if let Ok(mine) = list.insert_after(at, thread << 32 | round) {
                        list.move_to_front(mine);
                        list.move_to_back(mine);
                        list.remove(mine);
                    }
                }
            });
        }
        let end = Instant::now() + lasts() * 2;
        while Instant::now() < end {
            in_child(|| {
                let list = list.pin();
                list.push_back(u64::MAX);
                list.push_front(u64::MAX);
                let there: Vec<_> = list.iter().copied().collect();
                let mut back: Vec<_> = list.iter().rev().copied().collect();
                back.reverse();
                let kept = there.iter().copied().filter(|value| *value < KEPT);
                let well = there == back && there.len() == list.len() && kept.eq(0..KEPT);
                list.retain(|value| *value < KEPT);
                let front = list.front().unwrap();
                list.move_to_back(front);
                well && list.iter().copied().eq((1..KEPT).chain([0]))
            });
        }
        done.store(true, Relaxed);
    });
    assert!(list.into_iter().eq(0..KEPT));
}
