//! Programs that must not compile, each beside one that does.
//!
//! A value outlives the refresh of its handle:
//! ```
//! let map = urcu_collections::HashMap::from([(1, 10)]);
//! let mut pinned = map.pin();
//! assert_eq!(pinned.get(&1), Some(&10));
//! pinned.refresh();
//! ```
//! ```compile_fail,E0502
//! let map = urcu_collections::HashMap::from([(1, 10)]);
//! let mut pinned = map.pin();
//! let found = pinned.get(&1);
//! pinned.refresh();
//! assert_eq!(found, Some(&10));
//! ```
//! ```compile_fail,E0502
//! let map = urcu_collections::BTreeMap::from([(1, 10)]);
//! let mut pinned = map.pin();
//! let range = pinned.range(..);
//! pinned.refresh();
//! assert_eq!(range.count(), 1);
//! ```
//! ```compile_fail,E0502
//! let list = urcu_collections::List::from_iter([1]);
//! let mut pinned = list.pin();
//! let first = pinned.front();
//! pinned.refresh();
//! assert!(first.is_some());
//! ```
//!
//! A value outlives its guard:
//! ```compile_fail,E0505
//! let map = urcu_collections::HashMap::from([(1, 10)]);
//! let guard = map.guard();
//! let found = map.get(&1, &guard);
//! drop(guard);
//! assert_eq!(found, Some(&10));
//! ```
//! ```compile_fail,E0505
//! let map = urcu_collections::HashMap::from([(1, 10)]);
//! let guard = map.guard();
//! let removed = map.remove(&1, &guard);
//! drop(guard);
//! assert_eq!(removed, Some(&10));
//! ```
//!
//! Values are changed while a handle is open:
//! ```compile_fail,E0502
//! let mut map = urcu_collections::HashMap::from([(1, 10)]);
//! let pinned = map.pin();
//! map.iter_mut().for_each(|(_, value)| *value += 1);
//! assert_eq!(pinned.get(&1), Some(&11));
//! ```
//!
//! A collection is shared although its keys or values may not be:
//! ```compile_fail,E0277
//! fn shared<T: Sync>(_: T) {}
//! shared(urcu_collections::HashMap::<u32, std::cell::Cell<u32>>::new());
//! ```
//! ```compile_fail,E0277
//! fn shared<T: Sync>(_: T) {}
//! shared(urcu_collections::BTreeMap::<std::cell::Cell<u32>, u32>::new());
//! ```
//! ```compile_fail,E0277
//! fn shared<T: Sync>(_: T) {}
//! shared(urcu_collections::List::<std::cell::Cell<u32>>::new());
//! ```
//! Queues and stacks hand values over by value, so it is enough that values are `Send`.
//! ```
//! fn shared<T: Sync>(_: T) {}
//! shared(urcu_collections::Queue::<std::cell::Cell<u32>>::new());
//! shared(urcu_collections::Stack::<std::cell::Cell<u32>>::new());
//! shared(urcu_collections::WfcQueue::<std::cell::Cell<u32>>::new());
//! ```
//! ```compile_fail,E0277
//! fn shared<T: Sync>(_: T) {}
//! shared(urcu_collections::Queue::<std::rc::Rc<u32>>::new());
//! ```
//! ```compile_fail,E0277
//! fn shared<T: Sync>(_: T) {}
//! shared(urcu_collections::Stack::<std::rc::Rc<u32>>::new());
//! ```
//! ```compile_fail,E0277
//! fn sent<T: Send>(_: T) {}
//! let map = urcu_collections::HashMap::<u32, std::cell::Cell<u32>>::new();
//! sent(map.pin());
//! ```
//! A value that any thread may drop later is borrowed, or is not `Send`:
//! ```compile_fail,E0597
//! let map = urcu_collections::HashMap::new();
//! let text = String::from("a");
//! map.pin().insert(1, &text);
//! ```
//! ```compile_fail,E0599
//! let map = urcu_collections::HashMap::<u32, std::rc::Rc<u32>>::new();
//! map.pin().insert(1, std::rc::Rc::new(1));
//! ```
//!
//! What [`crate::docs::does_not_compile`] lists, and is not above:
//! ```compile_fail,E0061
//! urcu_collections::HashMap::new().insert(1, 2);
//! ```
//! ```compile_fail,E0716
//! let map = urcu_collections::HashMap::from([(1, 2)]);
//! let found = map.pin().get(&1);
//! assert!(found.is_some());
//! ```
//! ```compile_fail,E0515
//! fn get(map: &urcu_collections::HashMap<u32, String>) -> Option<&String> {
//!     map.pin().get(&1)
//! }
//! ```
//! ```compile_fail,E0599
//! fn put<K: std::hash::Hash + Eq, V>(map: &urcu_collections::HashMap<K, V>, key: K, value: V) {
//!     map.pin().insert(key, value);
//! }
//! ```
//! ```compile_fail,E0596
//! let map = urcu_collections::HashMap::from([(1, vec![1])]);
//! let pinned = map.pin();
//! let found = pinned.get(&1).unwrap();
//! found.push(2);
//! ```
//! ```compile_fail,E0594
//! let map = urcu_collections::HashMap::from([(1, 1)]);
//! *map.pin().entry(1).or_insert(0) += 1;
//! ```
//! ```compile_fail,E0308
//! let map = urcu_collections::HashMap::from([(1, vec![1])]);
//! map.pin().update(1, |found| found.push(2));
//! ```
//! ```compile_fail,E0277
//! let map = urcu_collections::HashMap::from([(1, 1)]);
//! for (key, value) in &map {}
//! ```
//! ```compile_fail,E0308
//! let list = urcu_collections::List::from([1]);
//! let pinned = list.pin();
//! pinned.iter().for_each(|element| { pinned.remove(element); });
//! ```
//! ```compile_fail,E0597
//! let map = urcu_collections::HashMap::from([(1, 1)]);
//! let pinned = map.pin();
//! std::thread::spawn(move || { pinned.get(&1); });
//! ```
//! ```compile_fail,E0599
//! urcu_collections::WfcQueue::new().push(1);
//! ```
//! ```compile_fail,E0624
//! urcu_collections::WfcQueue::<u32>::new().dequeue();
//! ```
//!
//! A map of functions that take any reference is used as a map of functions that take only `'static` ones. Then
//! such a function could be inserted, and be called with a short-lived reference.
//! ```compile_fail,E0308
//! use urcu_collections::HashMap;
//! fn narrow(map: &HashMap<u32, for<'a> fn(&'a u32)>) -> &HashMap<u32, fn(&'static u32)> {
//!     map
//! }
//! ```
//! ```compile_fail,E0308
//! use urcu_collections::BTreeMap;
//! fn narrow(map: &BTreeMap<u32, for<'a> fn(&'a u32)>) -> &BTreeMap<u32, fn(&'static u32)> {
//!     map
//! }
//! ```
//! ```compile_fail,E0308
//! use urcu_collections::HashSet;
//! fn narrow(set: &HashSet<for<'a> fn(&'a u32)>) -> &HashSet<fn(&'static u32)> {
//!     set
//! }
//! ```
//! ```compile_fail,E0308
//! use urcu_collections::Queue;
//! fn narrow(queue: &Queue<for<'a> fn(&'a u32)>) -> &Queue<fn(&'static u32)> {
//!     queue
//! }
//! ```
//! ```compile_fail,E0308
//! use urcu_collections::Stack;
//! fn narrow(stack: &Stack<for<'a> fn(&'a u32)>) -> &Stack<fn(&'static u32)> {
//!     stack
//! }
//! ```
//! ```compile_fail,E0308
//! use urcu_collections::List;
//! fn narrow(list: &List<for<'a> fn(&'a u32)>) -> &List<fn(&'static u32)> {
//!     list
//! }
//! ```
//! ```compile_fail,E0308
//! use urcu_collections::WfcQueue;
//! fn narrow(queue: &WfcQueue<for<'a> fn(&'a u32)>) -> &WfcQueue<fn(&'static u32)> {
//!     queue
//! }
//! ```
