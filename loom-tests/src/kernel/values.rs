//! Values that models protect and reclaim.

use std::rc::Rc;

use loom::cell::UnsafeCell;

use super::{AtomicUsize, Ordering, kernel};

/// The part of a value that remains after its end. It has an atomic mark, because loom tries both orders of conflicting
/// atomic accesses, but not of accesses to cells, whose races it only recognises.
pub(super) struct Body {
    number: UnsafeCell<u32>,
    ended: AtomicUsize,
}

/// Returns how many values have not ended.
pub(crate) fn values_left() -> usize {
    let kernel = kernel();
    let values = kernel.memory.values.borrow();
    let goes_on = |body: &&Rc<Body>| body.ended.load(Ordering::Relaxed) == 0;
    values.iter().filter(goes_on).count()
}

/// A value that fails if it is read after its end. The pointer to the body comes last, because allocators leave that
/// part of freed memory alone if a mutant reads it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Number {
    _unused: [u64; 4],
    number: u32,
    body: usize,
}

impl Number {
    pub(crate) fn new(number: u32) -> Self {
        let kernel = kernel();
        let mut values = kernel.memory.values.borrow_mut();
        let body = Body {
            number: UnsafeCell::new(0),
            ended: AtomicUsize::new(0),
        };
        // Write the value, do not only construct it: in loom a new value has the time of the thread's last step, so
        // that a fence before it would publish it.
        // SAFETY: nobody else has the value yet.
        body.number.with_mut(|new| unsafe { *new = number });
        values.push(Rc::new(body));
        Number {
            _unused: [0; 4],
            number,
            body: values.len() - 1,
        }
    }

    fn body(&self) -> Rc<Body> {
        let kernel = kernel();
        let values = kernel.memory.values.borrow();
        Rc::clone(
            values
                .get(self.body)
                .expect("a read of memory that is no value"),
        )
    }

    /// Returns the number without checking whether the value has ended.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn read(&self) -> u32 {
        let body = self.body();
        let ended = body.ended.load(Ordering::Relaxed);
        assert_eq!(ended, 0, "a read of a value that was reclaimed");
        // SAFETY: loom checks that nobody writes it meanwhile.
        body.number.with(|number| unsafe { *number })
    }

    /// Ends the value.
    pub(crate) fn end(&self) {
        let body = self.body();
        let before = body.ended.swap(1, Ordering::Relaxed);
        assert_eq!(before, 0, "a value is reclaimed twice");
        // SAFETY: loom checks that nobody reads it meanwhile.
        body.number.with_mut(|number| unsafe { *number = u32::MAX });
    }
}

/// A value that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Value(Number);

impl Value {
    pub(crate) fn new(number: u32) -> Self {
        Value(Number::new(number))
    }

    pub(crate) fn read(&self) -> u32 {
        self.0.read()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if !super::cpu::is_unwinding() {
            self.0.end();
        }
    }
}
