//! A structure of your own in 80 lines, without `unsafe`: the subscriptions of a message broker. Topics have levels
//! (`home/kitchen/lamp`), and a `+` in a subscription stands for any name at its level.
//!
//! Threads that send messages find the subscribers without a lock, while subscriptions come and go.
//!
//! ```text
//! cargo run --release -p urcu-percpu --example own_structure
//! ```

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use urcu::ReadGuard;
use urcu::link::Link;

struct Topic {
    name: String,
    below: Link<Topic>,
    subscribers: Link<u32>,
}

impl Topic {
    fn new(name: &str) -> Topic {
        let (below, subscribers) = (Link::empty(), Link::empty());
        let name = name.to_string();
        Topic {
            name,
            below,
            subscribers,
        }
    }

    fn find<'g>(&'g self, name: &str, guard: &'g ReadGuard<'_>) -> Option<&'g Topic> {
        self.below.iter(guard).find(|below| below.name == name)
    }

    fn collect(&self, topic: &[&str], guard: &ReadGuard<'_>, found: &mut Vec<u32>) {
        let Some((first, rest)) = topic.split_first() else {
            return found.extend(self.subscribers.iter(guard).copied());
        };
        for name in [first, "+"] {
            if let Some(below) = self.find(name, guard) {
                below.collect(rest, guard, found);
            }
        }
    }
}

struct Topics {
    root: Topic,
    /// Held by the thread that changes something.
    change: Mutex<()>,
}

impl Topics {
    /// Adds the subscribers of a topic to `found`. Never waits.
    fn subscribers(&self, topic: &[&str], found: &mut Vec<u32>) {
        found.clear();
        self.root.collect(topic, &urcu::read_lock(), found);
    }

    fn subscribe(&self, topic: &str, id: u32) {
        let _changing = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = urcu::read_lock();
        let mut at = &self.root;
        for name in topic.split('/') {
            if at.find(name, &guard).is_none() {
                at.below.push(Topic::new(name)).expect("topics stay");
            }
            at = at.find(name, &guard).expect("it was pushed");
        }
        at.subscribers.push(id).expect("topics stay");
    }

    /// Removes a subscription. Its memory is freed once no reader can see it.
    fn unsubscribe(&self, topic: &str, id: u32) -> bool {
        let _changing = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = urcu::read_lock();
        let mut names = topic.split('/');
        let at = names.try_fold(&self.root, |at, name| at.find(name, &guard));
        let Some(at) = at else { return false };
        // A node is taken out of the link in front of it.
        let mut link = &at.subscribers;
        while let Some(node) = link.load(&guard) {
            if **node == id {
                return link.remove(node, &guard).is_some();
            }
            link = node.next();
        }
        false
    }
}

/// Lets two threads send messages for a second, while this one subscribes and unsubscribes.
fn main() {
    let (root, change) = (Topic::new(""), Mutex::new(()));
    let topics = Topics { root, change };
    for room in 0..100 {
        topics.subscribe(&format!("home/room{room}/lamp"), room);
    }
    topics.subscribe("home/+/lamp", 1000);
    let (stop, begun) = (AtomicBool::new(false), Instant::now());
    let send = |first: u32| {
        let (mut sent, mut errors, mut found) = (0_u64, 0_u64, Vec::new());
        while !stop.load(Relaxed) {
            let room = (first + sent as u32 * 7) % 100;
            topics.subscribers(&["home", &format!("room{room}"), "lamp"], &mut found);
            // The two that stay, and at most two that come and go.
            let stay = found.contains(&room) && found.contains(&1000);
            errors += u64::from(!stay || found.len() > 4);
            sent += 1;
        }
        (sent, errors)
    };
    std::thread::scope(|scope| {
        let send = &send;
        let senders = [0, 50].map(|first| scope.spawn(move || send(first)));
        let (mut changes, mut errors) = (0_u64, 0);
        while begun.elapsed() < Duration::from_secs(1) {
            let topic = format!("home/room{}/lamp", changes % 100);
            topics.subscribe(&topic, 2000);
            topics.subscribe(&topic, 3000);
            errors += u64::from(!topics.unsubscribe(&topic, 2000));
            errors += u64::from(!topics.unsubscribe(&topic, 3000));
            changes += 2;
        }
        stop.store(true, Relaxed);
        let sent = senders.map(|sender| sender.join().expect("a sender"));
        let (messages, wrong) = sent
            .iter()
            .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        errors += wrong;
        let nanoseconds = 2e9 * begun.elapsed().as_secs_f64() / messages as f64;
        println!("a message among 101 topics takes a thread {nanoseconds:.0} ns");
        println!("own_structure: messages={messages} changes={changes} errors={errors}");
        assert_eq!(errors, 0);
    });
}
