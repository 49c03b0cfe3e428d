//! `Debug`, `Default`, `From`, and `serde` behind its feature.

use std::fmt::{self, Debug, Write};
use std::sync::Arc;

use urcu::{Domain, Rcu, RcuArc, RcuArcOption, RcuOption};

#[test]
fn debug_shows_the_value() {
    let domain = Domain::new();
    assert_eq!(format!("{:?}", Rcu::new_in("a", &domain)), "Rcu(\"a\")");
    assert_eq!(format!("{:?}", RcuArc::new(Arc::new(1))), "Rcu(1)");
    assert_eq!(format!("{:?}", RcuOption::new(Some(1))), "Rcu(Some(1))");
    assert_eq!(format!("{:?}", RcuArcOption::<i32>::empty()), "Rcu(None)");
    let nested = Rcu::new(vec![RcuOption::new(Some(1))]);
    let pretty = "Rcu(\n    [\n        Rcu(\n            Some(\n                1,\n            ),\n        ),\n    ],\n)";
    assert_eq!(format!("{nested:#?}"), pretty);
}

/// Waits for a grace period whenever something is written to it.
struct Waits<'a>(&'a Domain, String);

impl Write for Waits<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.synchronize();
        self.1.push_str(text);
        Ok(())
    }
}

#[test]
fn debug_may_be_written_to_what_waits_for_readers() {
    let domain = Domain::new();
    let mut waits = Waits(&domain, String::new());
    write!(waits, "{:?}", Rcu::new_in([1, 2], &domain)).unwrap();
    write!(waits, "{:#?}", RcuOption::new_in(Some(3), &domain)).unwrap();
    assert_eq!(waits.1, "Rcu([1, 2])Rcu(\n    Some(\n        3,\n    ),\n)");
}

#[test]
fn debug_works_in_sections_updates_and_callbacks() {
    let cell = Arc::new(Rcu::new(1));
    let _guard = urcu::read_lock();
    cell.update(|old| {
        assert_eq!(format!("{cell:?}"), "Rcu(1)");
        old + 1
    });
    let (sender, texts) = std::sync::mpsc::channel();
    let shown = Arc::clone(&cell);
    urcu::call(move || sender.send(format!("{shown:?}")).unwrap());
    drop(_guard);
    assert_eq!(texts.recv().unwrap(), "Rcu(2)");
}

#[test]
fn a_debug_that_fails_or_panics_ends_its_section() {
    struct Bad(bool);
    impl Debug for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.0 {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            Err(fmt::Error)
        }
    }
    let domain = Domain::new();
    let cell = Rcu::new_in(Bad(false), &domain);
    assert_eq!(write!(String::new(), "{cell:?}"), Err(fmt::Error));
    cell.store(Bad(true));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        write!(String::new(), "{cell:?}")
    }));
    assert!(panicked.is_err());
    domain.synchronize();
}

#[test]
fn defaults_are_those_of_what_goes_in() {
    assert_eq!(Rcu::<u32>::default().snapshot(), 0);
    assert_eq!(*RcuArc::<u32>::default().load_full(), 0);
    assert_eq!(RcuOption::<u32>::default().take(), None);
    assert_eq!(RcuArcOption::<u32>::default().load_full(), None);
}

#[test]
fn cells_are_made_from_what_goes_in_and_from_what_they_own() {
    let text = || String::from("a");
    assert_eq!(*Rcu::from(text()).read(), "a");
    assert_eq!(*Rcu::<String>::from(Box::new(text())).read(), "a");
    assert_eq!(RcuOption::from(Some(text())).take(), Some(text()));
    assert_eq!(RcuOption::from(Some(Box::new(text()))).take(), Some(text()));
    assert_eq!(RcuOption::<String>::from(None::<String>).take(), None);
    assert_eq!(*RcuArc::from(Arc::new(text())).load_full(), "a");
    let option = RcuArcOption::from(Some(Arc::new(text())));
    assert_eq!(option.take().as_deref(), Some(&text()));
    // A box in a box, if that is what is asked for.
    let boxed: Rcu<Box<u32>> = Rcu::new(Box::new(1));
    assert_eq!(**boxed.read(), 1);
}

#[cfg(feature = "serde")]
#[test]
fn cells_are_serialized_as_what_is_in_them() {
    #[derive(serde::Serialize, serde::Deserialize, Debug)]
    struct Service {
        name: Rcu<String>,
        limit: RcuArc<u32>,
        #[serde(default)]
        note: RcuOption<String>,
        #[serde(default)]
        parent: RcuArcOption<u32>,
    }
    let text = "name = \"a\"\nlimit = 3\nparent = 4\n";
    let service: Service = toml::from_str(text).unwrap();
    assert_eq!((&**service.name.read(), *service.limit.read()), ("a", 3));
    assert!(service.note.read().is_none());
    assert_eq!(*service.parent.read().unwrap(), 4);
    assert_eq!(toml::to_string(&service).unwrap(), text);
    let part = urcu::Ref::map(service.name.read(), |name| &name[..]);
    assert_eq!(toml::Value::try_from(&part).unwrap().as_str(), Some("a"));
    assert!(toml::from_str::<Service>("name = 1\nlimit = 3").is_err());
}
