//! Stands for `rseq-ops/src/percpu/per_cpu.rs`.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use super::alloc::Allocator;
use super::area::AllocError;
use crate::kernel::lists::{SHIFT, Word, index_hint, possible_cpus};

/// Types that are words of the emulated kernel, all of which may be 0.
///
/// # Safety
/// As described.
pub(crate) unsafe trait Zeroed {}

/// One CPU's stretch of memory.
#[repr(C, align(64))]
struct Stretch([MaybeUninit<Word>; 8]);

/// One `T` for each CPU.
pub(crate) struct PerCpu<'a, T> {
    stretches: Box<[Stretch]>,
    memory: PhantomData<(&'a Allocator, T)>,
}

impl<'a, T: Zeroed> PerCpu<'a, T> {
    pub(crate) fn zeroed(_: &'a Allocator) -> Result<Self, AllocError> {
        const {
            assert!(size_of::<Stretch>() == 1 << SHIFT);
            assert!(size_of::<T>() <= size_of::<Stretch>());
        }
        let words = size_of::<T>() / size_of::<Word>();
        let stretch = || {
            let mut stretch = Stretch([const { MaybeUninit::uninit() }; 8]);
            for word in &mut stretch.0[..words] {
                word.write(Word::new(0));
            }
            stretch
        };
        Ok(PerCpu {
            stretches: (0..possible_cpus()).map(|_| stretch()).collect(),
            memory: PhantomData,
        })
    }
}

impl<T> PerCpu<'_, T> {
    pub(crate) fn base(&self) -> *mut T {
        self.stretches.as_ptr().cast_mut().cast()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        // SAFETY: a `T` is made of words, and as many are there.
        let get = |stretch: &Stretch| unsafe { &*ptr::from_ref(stretch).cast() };
        self.stretches.get(index).map(get)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..possible_cpus()).filter_map(|index| self.get(index))
    }

    pub(crate) fn current(&self) -> &T {
        self.get(index_hint()).expect("a CPU's number")
    }
}

impl<T> Drop for PerCpu<'_, T> {
    fn drop(&mut self) {
        for stretch in &mut self.stretches {
            // SAFETY: a `T` is made of words, and as many are there; it is never used again.
            unsafe { ptr::from_mut(stretch).cast::<T>().drop_in_place() };
        }
    }
}
