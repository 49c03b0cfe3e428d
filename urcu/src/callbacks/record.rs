//! A callback as a record of four words: its kind, and three words of data, so that most closures need no
//! allocation. A replaced value needs one word of data, its address.
//!
//! Every callback stands for a number of bytes, which a budget counts. For most callbacks the type tells
//! the number. If the caller gives it (for memory behind a pointer, or in a vector), it is the third word
//! of data.

use core::alloc::Layout;
use core::mem::{MaybeUninit, align_of, size_of};
use core::ptr;
use std::alloc::dealloc;

use crate::sys::Record;

/// The word of a record that holds the number of bytes, for kinds of callbacks that have one.
const LAST: usize = 3;
// Records hold addresses, and boxes of what they cannot hold.
const _: () = assert!(align_of::<Record>() >= align_of::<usize>());

/// The functions and sizes that all callbacks of one type have in common.
#[derive(Debug)]
struct Kind {
    /// Runs the callback whose data is there, and with that consumes it.
    run: unsafe fn(*mut MaybeUninit<u64>),
    /// The memory that it holds until it has run, besides its record, as far as its type tells. Bytes.
    /// `None`: the record's last word holds the number.
    bytes: Option<usize>,
    /// True if it only drops a value: such a callback may run wherever a value is retired.
    drops: bool,
}

/// A callback that has not run. It must run once. Dropping it does nothing, and so leaks its data.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Callback(Record);

/// The memory that callbacks of a kind hold besides their data.
trait Weight {
    /// The bytes, where the type tells them.
    const OF_TYPE: Option<usize>;
}

/// A `T`.
struct Holds<T>(T);

impl<T> Weight for Holds<T> {
    const OF_TYPE: Option<usize> = Some(size_of::<T>());
}

/// The weight that the caller gives.
struct Said;

impl Weight for Said {
    const OF_TYPE: Option<usize> = None;
}

/// The kinds of callbacks whose data is a `D`, and which hold `W` besides.
///
/// Data that is larger than the words of a record is boxed by whoever queues the callback, and is called or
/// dropped inside the box: it must not be moved onto the stack of the thread that runs it, which may be
/// small.
struct KindOf<D, W>(D, W);

impl<D, W: Weight> KindOf<D, W> {
    /// Words of the record that data may take.
    const WORDS: usize = match W::OF_TYPE {
        Some(_) => LAST,
        None => LAST - 1,
    };
    /// Data aligned more than records are goes into a box: on 32-bit x86 records are aligned to
    /// 4, and there are closures of 8.
    const INLINE: bool =
        size_of::<D>() <= Self::WORDS * 8 && align_of::<D>() <= align_of::<Record>();
    /// The bytes outside the record.
    const BOXED: usize = if Self::INLINE { 0 } else { size_of::<D>() };
    const BYTES: Option<usize> = match W::OF_TYPE {
        // On 32-bit processors each of the two could be nearly half of the address space.
        Some(bytes) => Some(bytes.saturating_add(Self::BOXED)),
        None => None,
    };
    const DROP: Kind = Kind {
        run: Self::drop,
        bytes: Self::BYTES,
        drops: true,
    };

    /// Drops the data where it lies.
    ///
    /// # Safety
    /// `data` is the data of such a callback, as `record` wrote it, and is used once.
    unsafe fn drop(data: *mut MaybeUninit<u64>) {
        // SAFETY: `record` wrote a `D`, or the box of one, and by the contract of this function
        // nobody else has it or will have it. A box frees its memory also if the drop panics.
        unsafe {
            if Self::INLINE {
                data.cast::<D>().drop_in_place();
            } else {
                data.cast::<Box<D>>().drop_in_place();
            }
        }
    }

    /// Returns the record of `data`. It stands for `bytes` where its type does not tell the number.
    #[inline(always)]
    fn record(kind: &'static Kind, data: D, bytes: usize) -> Callback {
        let mut record: Record = [MaybeUninit::uninit(); 4];
        // SAFETY: the first word has room for an address, the others for a `D` if it is to be
        // there, else for a box, which is an address too, and the last one for a number if the
        // kind says that it has one, in which case a `D` does not reach into it; all need no more
        // alignment than a record has. The places are free, and written once. (At one place in the
        // code, because each takes room for one more `D` on the stack of a debug build.)
        unsafe {
            let words = (&raw mut record).cast::<MaybeUninit<u64>>();
            words.cast::<&'static Kind>().write(kind);
            if W::OF_TYPE.is_none() {
                let bytes = bytes.saturating_add(Self::BOXED);
                words.add(LAST).cast::<usize>().write(bytes);
            }
            let place = if Self::INLINE {
                words.add(1).cast::<D>()
            } else {
                let memory = Box::into_raw(Box::<D>::new_uninit()).cast::<D>();
                words.add(1).cast::<*mut D>().write(memory);
                memory
            };
            ptr::write(place, data);
        }
        Callback(record)
    }
}

impl<F: FnOnce(), W: Weight> KindOf<F, W> {
    const CALL: Kind = Kind {
        run: Self::call,
        bytes: Self::BYTES,
        drops: false,
    };
    const RECLAIM: Kind = Kind {
        run: Self::call,
        bytes: Self::BYTES,
        drops: true,
    };

    /// Calls the data where it lies.
    ///
    /// # Safety
    /// As for [`KindOf::drop`].
    unsafe fn call(data: *mut MaybeUninit<u64>) {
        if Self::INLINE {
            // SAFETY: `record` wrote an `F`; by the contract of this function it is ours alone.
            let f = unsafe { data.cast::<F>().read() };
            f();
        } else {
            // As a trait object: a box of one is called through a pointer to what is in it, in
            // every build, while `f()` on a `Box<F>` would move the `F` to the stack.
            // SAFETY: `record` wrote a box; the rest as above.
            let f: Box<dyn FnOnce() + '_> = unsafe { data.cast::<Box<F>>().read() };
            f();
        }
    }
}

/// Memory of the global allocator, in the three words of a record.
struct Block;

impl Block {
    const FREE: Kind = Kind {
        run: Self::free,
        bytes: None,
        drops: true,
    };

    /// Gives the memory back.
    ///
    /// # Safety
    /// `data` is the data of such a callback, as [`Callback::block`] wrote it, and is used once.
    unsafe fn free(data: *mut MaybeUninit<u64>) {
        // SAFETY: the three words that `block` wrote: those of memory of the allocator, and of a layout.
        // By the contract of `block` nobody uses the memory any more.
        unsafe {
            let memory = data.cast::<*mut u8>().read();
            let align = data.add(1).cast::<usize>().read();
            let size = data.add(2).cast::<usize>().read();
            dealloc(memory, Layout::from_size_align_unchecked(size, align));
        }
    }
}

impl Callback {
    /// Returns a callback that does anything.
    #[inline(always)]
    pub(crate) fn call<F: FnOnce() + Send + 'static>(f: F) -> Self {
        KindOf::<F, Holds<()>>::record(&KindOf::<F, Holds<()>>::CALL, f, 0)
    }

    /// Returns a callback that drops something, which holds a `T` on the heap if it is a pointer.
    #[inline(always)]
    pub(crate) fn drop<F: FnOnce() + Send + 'static, T>(f: F) -> Self {
        KindOf::<F, Holds<T>>::record(&KindOf::<F, Holds<T>>::RECLAIM, f, 0)
    }

    /// Returns a callback that drops this value.
    #[inline(always)]
    pub(crate) fn value<V: Send + 'static>(value: V) -> Self {
        KindOf::<V, Holds<()>>::record(&KindOf::<V, Holds<()>>::DROP, value, 0)
    }

    /// Returns a callback that drops this value, which stands for so many bytes.
    #[inline(always)]
    pub(crate) fn value_of<V: Send + 'static>(value: V, bytes: usize) -> Self {
        KindOf::<V, Said>::record(&KindOf::<V, Said>::DROP, value, bytes)
    }

    /// Returns a callback that does anything, for something of so many bytes.
    ///
    /// # Safety
    /// `f` may be called on another thread, and what it borrows is there until it has been called.
    #[inline(always)]
    pub(crate) unsafe fn call_of<F: FnOnce()>(f: F, bytes: usize) -> Self {
        KindOf::<F, Said>::record(&KindOf::<F, Said>::CALL, f, bytes)
    }

    /// Returns a callback that drops something of so many bytes.
    ///
    /// # Safety
    /// As for [`Callback::call_of`].
    #[inline(always)]
    pub(crate) unsafe fn drop_of<F: FnOnce()>(f: F, bytes: usize) -> Self {
        KindOf::<F, Said>::record(&KindOf::<F, Said>::RECLAIM, f, bytes)
    }

    /// Returns a callback that gives memory back to the global allocator.
    ///
    /// # Safety
    /// The memory was allocated there with this layout, and when the callback runs nobody uses it or
    /// will use it.
    #[inline(always)]
    pub(crate) unsafe fn block(memory: *mut u8, layout: Layout) -> Self {
        let mut record: Record = [MaybeUninit::uninit(); 4];
        // SAFETY: each word has room for an address, and is aligned for one.
        unsafe {
            let words = (&raw mut record).cast::<MaybeUninit<u64>>();
            words.cast::<&'static Kind>().write(&Block::FREE);
            words.add(1).cast::<*mut u8>().write(memory);
            words.add(2).cast::<usize>().write(layout.align());
            // The size is also the number of bytes that it stands for.
            words.add(LAST).cast::<usize>().write(layout.size());
        }
        Callback(record)
    }

    /// Returns the record, for the sequence that copies it. The callback must be forgotten afterwards.
    #[inline(always)]
    pub(crate) fn record(&self) -> *const Record {
        &raw const self.0
    }

    /// Returns whether this callback alone matters for a budget. Others are counted when their chunk is
    /// full.
    #[inline(always)]
    pub(crate) fn is_large(&self) -> bool {
        self.bytes() > 4096
    }

    #[inline(always)]
    fn kind(&self) -> &'static Kind {
        // SAFETY: `record` and `block` write it.
        unsafe { (&raw const self.0).cast::<&'static Kind>().read() }
    }

    /// Returns the bytes that it holds, as far as its type, or whoever queued it, tells.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        let beside = self.kind().bytes.unwrap_or_else(|| {
            // SAFETY: such a kind has the number in the last word.
            unsafe {
                let words = (&raw const self.0).cast::<MaybeUninit<u64>>();
                words.add(LAST).cast::<usize>().read()
            }
        });
        size_of::<Record>().saturating_add(beside)
    }

    /// Returns whether it only drops a value.
    #[inline(always)]
    pub(crate) fn drops(&self) -> bool {
        self.kind().drops
    }

    pub(crate) fn run(mut self) {
        let run = self.kind().run;
        // SAFETY: the data is behind the kind, and `self` goes.
        unsafe { run((&raw mut self.0).cast::<MaybeUninit<u64>>().add(1)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

    #[test]
    fn closures_of_every_size_run_once_with_what_they_captured() {
        fn check<const N: usize>() {
            let count = Arc::new(AtomicUsize::new(0));
            let (captured, data) = (Arc::clone(&count), [7u8; N]);
            let callback = Callback::call(move || {
                assert!(data.iter().all(|byte| *byte == 7));
                captured.fetch_add(1, SeqCst);
            });
            assert_eq!(Arc::strong_count(&count), 2);
            callback.run();
            assert_eq!((count.load(SeqCst), Arc::strong_count(&count)), (1, 1));
        }
        check::<0>();
        check::<1>();
        check::<16>();
        check::<17>();
        check::<100>();
        Callback::call(|| ()).run();
    }

    #[test]
    fn aligned_closures_keep_their_alignment() {
        #[repr(align(64))]
        struct Aligned(u8);
        let value = Aligned(1);
        Callback::call(move || {
            assert_eq!((&raw const value).addr() % 64, 0);
            assert_eq!(value.0, 1);
        })
        .run();
    }

    /// Drops and calls in place: on a stack that has no room for what they hold. (What hangs or
    /// ends the process here is a copy on the stack.)
    #[test]
    fn what_is_boxed_is_called_and_dropped_in_its_box() {
        struct Big([u8; 1 << 20], Arc<AtomicUsize>);
        impl Drop for Big {
            fn drop(&mut self) {
                self.1.fetch_add(usize::from(self.0[1 << 19] == 7), SeqCst);
            }
        }
        let count = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&count);
        let make = move || {
            let big = || Big([7; 1 << 20], Arc::clone(&theirs));
            let (called, also) = (big(), big());
            [
                Callback::value(big()),
                Callback::call(move || assert_eq!(called.0[5], 7)),
                Callback::drop::<_, ()>(move || assert_eq!(also.0[5], 7)),
            ]
        };
        let thread = |stack| std::thread::Builder::new().stack_size(stack);
        let callbacks = thread(64 << 20).spawn(make).unwrap().join().unwrap();
        let run = || callbacks.map(Callback::run);
        thread(256 << 10).spawn(run).unwrap().join().unwrap();
        assert_eq!(count.load(SeqCst), 3);
    }

    #[test]
    fn a_panic_while_a_value_is_dropped_frees_its_box() {
        struct Panics {
            data: [u8; 100],
            _other: Arc<()>,
        }
        impl Drop for Panics {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new(self.data[99]));
            }
        }
        let alive = Arc::new(());
        let callback = Callback::value(Panics {
            data: [3; 100],
            _other: Arc::clone(&alive),
        });
        let run = std::panic::AssertUnwindSafe(|| callback.run());
        let payload = std::panic::catch_unwind(run).unwrap_err();
        assert_eq!(payload.downcast_ref::<u8>(), Some(&3));
        assert_eq!(Arc::strong_count(&alive), 1, "the fields are dropped too");
    }

    #[test]
    fn closures_are_aligned_wherever_a_record_may_lie() {
        /// A closure that captures this, in records at every place that their type allows.
        fn check<T: Send + 'static>(value: fn() -> T) {
            #[repr(align(64))]
            struct Room([MaybeUninit<u8>; 64 + size_of::<Callback>()]);
            let mut room = Room([MaybeUninit::uninit(); 64 + size_of::<Callback>()]);
            for place in (0..64).step_by(align_of::<Callback>()) {
                let captured = value();
                let callback = Callback::call(move || {
                    assert!((&raw const captured).is_aligned(), "at {place}");
                });
                // SAFETY: there is room, at this alignment; it runs once, where it lies, as
                // `Callback::run` does.
                unsafe {
                    let there = (&raw mut room.0).byte_add(place).cast::<Callback>();
                    there.write(callback);
                    ((*there).kind().run)(there.cast::<MaybeUninit<u64>>().add(1));
                }
            }
        }
        #[repr(align(8))]
        struct Eight(#[expect(dead_code, reason = "gives it a size")] u8);
        #[repr(align(16))]
        struct Sixteen(#[expect(dead_code, reason = "gives it a size")] u8);
        check(|| 1u8);
        check(|| 1u64);
        // Aligned to 8 where `u64` is not, too: 32-bit x86.
        check(|| AtomicU64::new(1));
        check(|| Eight(1));
        check(|| Sixteen(1));
    }

    #[test]
    fn what_a_callback_holds_is_counted() {
        let drops = Callback::drop::<_, [u8; 1000]>(|| ());
        assert!(drops.drops() && drops.bytes() == 1032 && !drops.is_large());
        let large = [0u8; 5000];
        let calls = Callback::call(move || assert_eq!(large.len(), 5000));
        assert!(!calls.drops() && calls.is_large());
        calls.run();
    }
}
