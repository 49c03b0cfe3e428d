//! What is to be done when all guards of now are gone, as a value whose drop does it.

use core::mem::{MaybeUninit, align_of, size_of};

/// What fits without an allocation: with the function, three words.
type Data = [MaybeUninit<usize>; 2];

/// A function that runs when this is dropped.
pub(crate) struct Deferred {
    run: unsafe fn(*mut Data),
    data: Data,
}

// SAFETY: whoever makes one promises that its function may run on any thread.
unsafe impl Send for Deferred {}

impl Deferred {
    /// # Safety
    /// `f` may run on any thread, and what it refers to is there until it has run.
    #[inline]
    pub(crate) unsafe fn new<F: FnOnce()>(f: F) -> Self {
        let mut data: Data = [MaybeUninit::uninit(); 2];
        if fits::<F>() {
            // SAFETY: there is room for an `F`, aligned.
            unsafe { data.as_mut_ptr().cast::<F>().write(f) };
            Deferred {
                run: run::<F>,
                data,
            }
        } else {
            let boxed = Box::into_raw(Box::new(f));
            // SAFETY: there is room for an address.
            unsafe { data.as_mut_ptr().cast::<*mut F>().write(boxed) };
            Deferred {
                run: run_boxed::<F>,
                data,
            }
        }
    }
}

impl Drop for Deferred {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `new` wrote what this function reads, and it is read once.
        unsafe { (self.run)(&raw mut self.data) };
    }
}

const fn fits<F>() -> bool {
    size_of::<F>() <= size_of::<Data>() && align_of::<F>() <= align_of::<Data>()
}

/// # Safety
/// An `F` lies there, and is used once.
unsafe fn run<F: FnOnce()>(data: *mut Data) {
    // SAFETY: by the contract of this function.
    let f = unsafe { data.cast::<F>().read() };
    f();
}

/// # Safety
/// The address of a boxed `F` lies there, and is used once.
unsafe fn run_boxed<F: FnOnce()>(data: *mut Data) {
    // SAFETY: by the contract of this function. Boxed as a trait object it is called where it lies.
    let f: Box<dyn FnOnce() + '_> = unsafe { Box::from_raw(data.cast::<*mut F>().read()) };
    f();
}
