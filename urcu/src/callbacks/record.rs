//! A callback as a record of four words: what kind it is, and three words of data, so that most
//! closures need no allocation. What a replaced value needs is one word, its address.

use core::mem::{MaybeUninit, align_of, size_of};

use crate::machine::Record;

/// Words of data.
const WORDS: usize = 3;
// Records hold addresses, and boxes of what they cannot hold.
const _: () = assert!(align_of::<Record>() >= align_of::<usize>());

/// What all callbacks of one type have in common.
#[derive(Debug)]
struct Kind {
    /// Runs the callback whose data is there, and with that consumes it.
    run: unsafe fn(*mut MaybeUninit<u64>),
    /// How much memory it holds until it has run, as far as its type tells. Bytes.
    bytes: usize,
    /// Whether it only drops a value: such may run wherever one is retired.
    drops: bool,
}

/// A callback that has not run. It must run once; dropping it does nothing, so leaks what it holds.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Callback(Record);

/// The kind of callbacks `F`, which hold a `T` besides what is in them.
struct KindOf<F, T>(F, T);

impl<F: FnOnce(), T> KindOf<F, T> {
    /// What is aligned more than records are goes into a box: on 32-bit x86 records are aligned to
    /// 4, and there are closures of 8.
    const INLINE: bool = size_of::<F>() <= WORDS * 8 && align_of::<F>() <= align_of::<Record>();
    /// On 32 bits both could be nearly half of what there is.
    const BYTES: usize = size_of::<Record>()
        .saturating_add(size_of::<T>())
        .saturating_add(if Self::INLINE { 0 } else { size_of::<F>() });
    const CALL: Kind = Kind {
        run: Self::run,
        bytes: Self::BYTES,
        drops: false,
    };
    const DROP: Kind = Kind {
        run: Self::run,
        bytes: Self::BYTES,
        drops: true,
    };

    /// # Safety
    /// `data` is that of such a callback, and is used once.
    unsafe fn run(data: *mut MaybeUninit<u64>) {
        // SAFETY: as `new` wrote it.
        let f = unsafe {
            if Self::INLINE {
                data.cast::<F>().read()
            } else {
                *data.cast::<Box<F>>().read()
            }
        };
        f();
    }

    fn record(kind: &'static Kind, f: F) -> Callback {
        let mut record: Record = [MaybeUninit::uninit(); 4];
        // SAFETY: the first word has room for an address, the other three for `F` if it is to
        // be there, else for a box; each word is aligned as a record, which is enough for either.
        unsafe {
            let words = (&raw mut record).cast::<MaybeUninit<u64>>();
            words.cast::<&'static Kind>().write(kind);
            if Self::INLINE {
                words.add(1).cast::<F>().write(f);
            } else {
                words.add(1).cast::<Box<F>>().write(Box::new(f));
            }
        }
        Callback(record)
    }
}

impl Callback {
    /// A callback that does anything.
    #[inline(always)]
    pub(crate) fn call<F: FnOnce() + Send + 'static>(f: F) -> Self {
        KindOf::<F, ()>::record(&KindOf::<F, ()>::CALL, f)
    }

    /// A callback that drops something, which holds a `T` on the heap if it is a pointer.
    #[inline(always)]
    pub(crate) fn drop<F: FnOnce() + Send + 'static, T>(f: F) -> Self {
        KindOf::<F, T>::record(&KindOf::<F, T>::DROP, f)
    }

    /// For the sequence that copies it; afterwards this is to be forgotten.
    #[inline(always)]
    pub(crate) fn record(&self) -> *const Record {
        &raw const self.0
    }

    /// Whether one more like this matters for a budget of its own: chunks are counted when they
    /// are full.
    #[inline(always)]
    pub(crate) fn is_large(&self) -> bool {
        self.kind().bytes > 4096
    }

    fn kind(&self) -> &'static Kind {
        // SAFETY: `record` wrote it.
        unsafe { (&raw const self.0).cast::<&'static Kind>().read() }
    }

    /// How much memory it holds, as far as its type tells. Bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.kind().bytes
    }

    /// Whether it only drops a value.
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
