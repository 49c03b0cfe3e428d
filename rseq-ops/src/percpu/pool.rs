//! A cache of freed objects for each CPU, in front of the global allocator.

use alloc::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::alloc::{Allocator, SHIFT};
use super::area::AllocError;
use super::banks::Banks;
use super::lock::Lock;
use super::per_cpu::{PerCpu, Zeroed};
use super::sys::stripe;
use crate::arch;
use crate::membarrier::MembarrierError;
use crate::outcome::Outcome;

/// The number of objects that a CPU's array holds, beside the single one.
const ARRAY: usize = 62;

/// One cache: see [`arch::cache_take_through`].
#[repr(C)]
struct Cache {
    single: AtomicUsize,
    count: AtomicUsize,
    array: [AtomicUsize; ARRAY],
}

/// One CPU's caches.
#[repr(C)]
struct Slot {
    /// Written by restartable sequences, and by a taker whose bank it is.
    banks: [Cache; 2],
    /// For threads that cannot use sequences: written under the lock.
    shared: Cache,
    taker: Lock,
}

// SAFETY: zeroed memory is a valid value: atomic integers, and a lock that nobody holds.
unsafe impl Zeroed for Slot {}

/// An allocator for `T`s. Each CPU keeps some of the memory that was freed on it.
///
/// Allocating takes the object that was freed last on this CPU, with one short restartable sequence, and
/// freeing puts an object back. If a CPU has no object left, or already keeps as many as it may, the global
/// allocator is used. A CPU keeps at most [`Pool::capacity_per_cpu`] objects. (Threads without restartable
/// sequences keep as many in each of several stripes.) [`Pool::release`] gives objects back to the global
/// allocator, and so does [`Pool::release_idle`] if the pool is not in use.
///
/// Taking an object from the cache and putting it back are async-signal-safe. A call of the global allocator
/// usually is not.
///
/// After a `fork` of a process with several threads, the child has what the other threads were doing half done:
/// do not use the parent's pool there.
///
/// ```
/// use rseq_ops::percpu::Pool;
///
/// let pool = Pool::<[u64; 8]>::new().unwrap();
/// let mut words = pool.alloc([0; 8]);
/// words[3] = 7;
/// assert_eq!(words.iter().sum::<u64>(), 7);
/// drop(words);
/// assert_eq!(pool.release().unwrap(), 1);
/// ```
pub struct Pool<T> {
    banks: Banks,
    most: usize,
    slots: PerCpu<'static, Slot>,
    /// A digest of the caches' state at the last [`Pool::release_idle`].
    picture: AtomicUsize,
    objects: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl<T> Pool<T> {
    /// Creates a pool that keeps up to 63 objects on each CPU, though not more than 256 KiB of them.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated.
    pub fn new() -> Result<Self, AllocError> {
        let fits = (256 << 10) / size_of::<T>().max(1);
        Pool::with_capacity_per_cpu(fits)
    }

    /// Creates a pool that keeps up to `capacity` objects on each CPU, clamped to between 1 and 63.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated.
    ///
    /// ```
    /// use rseq_ops::percpu::Pool;
    ///
    /// let pool = Pool::<[u8; 100]>::with_capacity_per_cpu(10).unwrap();
    /// assert_eq!(pool.capacity_per_cpu(), 10);
    /// ```
    pub fn with_capacity_per_cpu(capacity: usize) -> Result<Self, AllocError> {
        let slots = PerCpu::<Slot>::zeroed(Allocator::global())?;
        let first = slots.base().expose_provenance();
        Ok(Pool {
            banks: Banks::new(first, first + size_of::<Cache>()),
            most: capacity.clamp(1, ARRAY + 1) - 1,
            slots,
            picture: AtomicUsize::new(0),
            objects: PhantomData,
        })
    }

    /// Returns the largest number of objects that a CPU keeps.
    pub fn capacity_per_cpu(&self) -> usize {
        self.most + 1
    }

    /// Puts `value` into memory of the pool. Calls `handle_alloc_error`, as `Box::new` does, if there is no
    /// memory.
    #[inline]
    pub fn alloc(&self, value: T) -> PoolBox<'_, T> {
        let memory = self.take();
        // SAFETY: the memory is large and aligned enough for a `T`, and ours alone.
        unsafe { memory.as_ptr().write(value) };
        PoolBox {
            memory,
            pool: self,
            value: PhantomData,
        }
    }

    #[inline]
    fn take(&self) -> NonNull<T> {
        if size_of::<T>() == 0 {
            return NonNull::dangling();
        }
        if let Some(handle) = self.banks.handle() {
            // SAFETY: every thread's handle; the banks are such caches, alive as long as `self`.
            let object =
                unsafe { arch::cache_take_through::<SHIFT>(handle, self.banks.source().as_ptr()) };
            if object > arch::ABORTED
                && let Some(memory) = NonNull::new(ptr::with_exposed_provenance_mut(object))
            {
                return memory;
            }
        }
        self.take_slow()
    }

    #[cold]
    #[inline(never)]
    fn take_slow(&self) -> NonNull<T> {
        let taken = self.banks.try_sequence(|handle| {
            // SAFETY: this thread's handle; the banks hold caches of objects, which sequences alone write.
            let object =
                unsafe { arch::cache_take_through::<SHIFT>(handle, self.banks.source().as_ptr()) };
            (object != arch::ABORTED).then_some(object)
        });
        let object = match taken {
            Some(object) => object,
            None => self.with_shared(|cache| cache.take()).unwrap_or(0),
        };
        if let Some(memory) = NonNull::new(ptr::with_exposed_provenance_mut(object)) {
            return memory;
        }
        let layout = Layout::new::<T>();
        // SAFETY: the size is not 0.
        let memory = unsafe { alloc(layout) };
        NonNull::new(memory.cast()).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// # Safety
    /// `memory` comes from [`Pool::take`], and nobody uses it any more.
    #[inline]
    unsafe fn give(&self, memory: NonNull<T>) {
        if size_of::<T>() == 0 {
            return;
        }
        if let Some(handle) = self.banks.handle() {
            let (source, object) = (
                self.banks.source().as_ptr(),
                memory.expose_provenance().get(),
            );
            // SAFETY: the handle is every thread's; the banks hold caches with room for `most` objects.
            let outcome =
                unsafe { arch::cache_put_through::<SHIFT>(handle, source, object, self.most) };
            if outcome == Outcome::Committed {
                return;
            }
        }
        // SAFETY: the caller has given the memory up to this function, which has not put it anywhere.
        unsafe { self.give_slow(memory) };
    }

    /// # Safety
    /// The requirements of [`Pool::give`].
    #[cold]
    #[inline(never)]
    unsafe fn give_slow(&self, memory: NonNull<T>) {
        let object = memory.expose_provenance().get();
        let outcome = self.banks.try_sequence(|handle| {
            let source = self.banks.source().as_ptr();
            // SAFETY: this thread's handle; the banks hold caches with room for `most` objects.
            let outcome =
                unsafe { arch::cache_put_through::<SHIFT>(handle, source, object, self.most) };
            (outcome != Outcome::Aborted).then_some(outcome)
        });
        let kept = match outcome {
            Some(outcome) => outcome == Outcome::Committed,
            None => self
                .with_shared(|cache| cache.put(object, self.most))
                .unwrap_or(false),
        };
        if !kept {
            // SAFETY: the caller promises memory of the global allocator for a `T`, and nobody kept it.
            unsafe { dealloc(memory.as_ptr().cast(), Layout::new::<T>()) };
        }
    }

    /// Runs `f` on the cache of this thread's stripe, unless somebody else has it.
    fn with_shared<R>(&self, f: impl FnOnce(&Cache) -> R) -> Option<R> {
        let slot = self.slots.get(stripe(super::possible_cpus()))?;
        let _taker = slot.taker.try_lock()?;
        Some(f(&slot.shared))
    }

    /// Gives all kept objects back to the global allocator. Returns how many there were.
    ///
    /// # Errors
    /// [`MembarrierError`] if the kernel refuses the membarrier that it granted before. The objects then stay in
    /// the caches, except for those that an earlier refusal had left over.
    ///
    /// # Cost
    /// One membarrier (microseconds). The CPUs are not stopped.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn release(&self) -> Result<usize, MembarrierError> {
        let mut freed = 0;
        self.banks.flip(|old| {
            let bank = usize::from(old != self.slots.base().addr());
            for slot in self.slots.iter() {
                // The bank is ours: no sequence touches it until the next flip.
                freed += self.empty(&slot.banks[bank]);
            }
        })?;
        for slot in self.slots.iter() {
            let _taker = slot.taker.lock();
            freed += self.empty(&slot.shared);
        }
        Ok(freed)
    }

    /// Releases the caches as [`Pool::release`] does, if no cache has changed since the last call of this
    /// function. Call it from a timer. Returns how many objects were given back.
    ///
    /// A pool from which an object is only taken and put back in turn looks unused. Releasing its cache then
    /// costs one more allocation.
    ///
    /// # Errors
    /// The same as for [`Pool::release`].
    ///
    /// ```
    /// use rseq_ops::percpu::Pool;
    ///
    /// let pool = Pool::<[u8; 100]>::new().unwrap();
    /// drop(pool.alloc([0; 100]));
    /// // For example, every minute:
    /// assert_eq!(pool.release_idle().unwrap(), 0); // It was in use since the last time.
    /// assert_eq!(pool.release_idle().unwrap(), 1); // It was not.
    /// ```
    pub fn release_idle(&self) -> Result<usize, MembarrierError> {
        let mut picture = 0usize;
        for slot in self.slots.iter() {
            for cache in slot.banks.iter().chain([&slot.shared]) {
                for word in [&cache.single, &cache.count] {
                    picture = picture
                        .rotate_left(7)
                        .wrapping_add(word.load(Ordering::Relaxed))
                        .wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as usize);
                }
            }
        }
        if self.picture.swap(picture, Ordering::Relaxed) == picture && picture != 0 {
            self.release()
        } else {
            Ok(0)
        }
    }

    /// Frees the objects of a cache. Returns how many there were. The cache must be the caller's alone.
    fn empty(&self, cache: &Cache) -> usize {
        let mut freed = 0;
        while let Some(memory) = NonNull::new(ptr::with_exposed_provenance_mut::<u8>(cache.take()))
        {
            // SAFETY: what is in a cache is memory of the global allocator, of this layout.
            unsafe { dealloc(memory.as_ptr(), Layout::new::<T>()) };
            freed += 1;
        }
        freed
    }
}

impl Cache {
    /// Does what the sequence does, for a caller who has the cache alone.
    fn take(&self) -> usize {
        let single = self.single.swap(0, Ordering::Acquire);
        if single != 0 {
            return single;
        }
        match self.count.load(Ordering::Acquire) {
            0 => 0,
            count => {
                self.count.store(count - 1, Ordering::Relaxed);
                self.array[count - 1].load(Ordering::Relaxed)
            }
        }
    }

    /// Does what the sequence does, for a caller who has the cache alone.
    fn put(&self, object: usize, most: usize) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        if self.single.load(Ordering::Relaxed) == 0 {
            self.single.store(object, Ordering::Relaxed);
        } else if count < most {
            self.array[count].store(object, Ordering::Relaxed);
            self.count.store(count + 1, Ordering::Relaxed);
        } else {
            return false;
        }
        true
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        for slot in self.slots.iter() {
            for cache in slot.banks.iter().chain([&slot.shared]) {
                // Nobody borrows the pool, so no sequence of it is in flight.
                self.empty(cache);
            }
        }
    }
}

/// A `T` in a [`Pool`]'s memory, as a `Box` would be. It may be dropped on any thread; the
/// memory stays with the CPU of the drop. If the drop of the `T` panics, its memory still goes back.
///
/// ```
/// use rseq_ops::percpu::{Pool, PoolBox};
///
/// let pool = Pool::new().unwrap();
/// let name: PoolBox<'_, String> = pool.alloc("Ada".into());
/// assert_eq!(name.len(), 3);
/// let name: String = name.into_inner(); // The memory stays with the pool.
/// assert_eq!(name, "Ada");
/// ```
pub struct PoolBox<'p, T> {
    memory: NonNull<T>,
    pool: &'p Pool<T>,
    value: PhantomData<T>,
}

// SAFETY: a `PoolBox` owns its `T`. The pool may be shared, and hands out only memory.
unsafe impl<T: Send> Send for PoolBox<'_, T> {}
// SAFETY: a shared reference to it gives out only shared references to the `T`.
unsafe impl<T: Sync> Sync for PoolBox<'_, T> {}

impl<T> PoolBox<'_, T> {
    /// Moves the `T` out of its memory, which goes back to the pool.
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: the value is initialised. It is moved out here and never used there again, and the memory is given
        // back once.
        unsafe {
            let value = this.memory.as_ptr().read();
            this.pool.give(this.memory);
            value
        }
    }
}

impl<T> Drop for PoolBox<'_, T> {
    #[inline]
    fn drop(&mut self) {
        struct Memory<'b, T>(NonNull<T>, &'b Pool<T>);
        impl<T> Drop for Memory<'_, T> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the value is dropped, or dropping it panicked: nobody uses it again.
                unsafe { self.1.give(self.0) };
            }
        }
        let memory = Memory(self.memory, self.pool);
        // SAFETY: the value is initialised, and never used again.
        unsafe { memory.0.drop_in_place() };
    }
}

impl<T> Deref for PoolBox<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the value is initialised, and borrowed as `self` is.
        unsafe { self.memory.as_ref() }
    }
}

impl<T> DerefMut for PoolBox<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the value is initialised, and borrowed exclusively, as `self` is.
        unsafe { self.memory.as_mut() }
    }
}

impl<T: fmt::Debug> fmt::Debug for PoolBox<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
