//! What pointers promise.

#[macro_use]
extern crate test_deadline;

use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};

use crossbeam_epoch::{self as epoch, Atomic, CompareExchangeError, Owned, Pointable, Shared};

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn what_threads_may_share_is_what_they_may_share_in_the_original() {
    is_send_and_sync::<Atomic<u8>>();
    is_send_and_sync::<Owned<u8>>();
    is_send_and_sync::<epoch::Collector>();
}

#[test]
fn tags_are_of_as_many_bits_as_the_alignment_leaves() {
    fn check<T: Default + PartialEq + std::fmt::Debug>(bits: u32) {
        let owned = Owned::<T>::new(T::default()).with_tag(usize::MAX);
        assert_eq!(owned.tag(), (1 << bits) - 1);
        assert_eq!(*owned, T::default());
        let owned = owned.with_tag(0);
        assert_eq!((owned.tag(), &*owned), (0, &T::default()));
    }
    #[derive(Default, PartialEq, Debug)]
    #[repr(align(32))]
    struct Aligned(u8);
    check::<u8>(0);
    check::<u32>(2);
    check::<u64>(3);
    check::<Aligned>(5);
}

#[test]
fn a_slice_has_its_length_and_its_alignment() {
    #[derive(Clone, Copy)]
    #[repr(align(64))]
    struct Aligned(#[allow(dead_code)] u8);
    let aligned = Owned::<[MaybeUninit<Aligned>]>::init(3);
    assert!(aligned.as_ptr().is_aligned() && aligned.len() == 3);
    assert_eq!(<[MaybeUninit<Aligned>]>::ALIGN, 64);
    let mut bytes = Owned::<[MaybeUninit<u8>]>::init(5).with_tag(5);
    bytes[4] = MaybeUninit::new(9);
    let guard = epoch::pin();
    let link = Atomic::<[MaybeUninit<u8>]>::from(bytes);
    let shared = link.load(SeqCst, &guard);
    assert_eq!(shared.tag(), 5);
    // SAFETY: it is there; the last one was written; and then it is destroyed once.
    unsafe {
        assert_eq!(shared.deref()[4].assume_init(), 9);
        guard.defer_destroy(shared);
    }
    assert_eq!(Owned::<[MaybeUninit<u64>]>::init(0).len(), 0);
}

/// A type of one's own that has no size: behind its address lies a `String`.
#[repr(transparent)]
struct Text(str);

impl Pointable for Text {
    const ALIGN: usize = align_of::<String>();
    type Init = String;
    unsafe fn init(init: String) -> usize {
        Box::into_raw(Box::new(init)).expose_provenance()
    }
    unsafe fn deref<'a>(ptr: usize) -> &'a Text {
        // SAFETY: from `init`, and a `Text` is a `str`.
        unsafe {
            let text = (*std::ptr::with_exposed_provenance::<String>(ptr)).as_str();
            &*(std::ptr::from_ref(text) as *const Text)
        }
    }
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut Text {
        // SAFETY: from `init`, and a `Text` is a `str`.
        unsafe {
            let text = (*std::ptr::with_exposed_provenance_mut::<String>(ptr)).as_mut_str();
            &mut *(std::ptr::from_mut(text) as *mut Text)
        }
    }
    unsafe fn drop(ptr: usize) {
        // SAFETY: from `init`.
        drop(unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut::<String>(ptr)) });
    }
}

#[test]
fn types_of_ones_own_can_be_pointed_to() {
    let guard = epoch::pin();
    let link = Atomic::<Text>::init("text".into());
    let text = link.load(SeqCst, &guard);
    // SAFETY: it is there, and destroyed once.
    unsafe {
        assert_eq!(&text.deref().0, "text");
        guard.defer_destroy(text);
    }
    let mut owned = Owned::<Text>::init("text".into());
    owned.0.make_ascii_uppercase();
    assert_eq!(&owned.0, "TEXT");
}

#[test]
fn exchanges_compare_the_tag_and_hand_the_new_pointer_back() {
    let guard = epoch::pin();
    let link = Atomic::new(1_u64);
    let one = link.load(Acquire, &guard);
    let error = link
        .compare_exchange(
            one.with_tag(1),
            Owned::new(2).with_tag(3),
            AcqRel,
            Acquire,
            &guard,
        )
        .unwrap_err();
    let CompareExchangeError { current, new } = error;
    assert_eq!(current, one);
    assert_eq!((*new, new.tag()), (2, 3));
    let two = link
        .compare_exchange(one, new, AcqRel, Acquire, &guard)
        .unwrap();
    assert_eq!(two.tag(), 3);
    assert_eq!(link.swap(one, SeqCst, &guard), two);
    // SAFETY: nobody else has them.
    unsafe {
        assert_eq!(*two.into_owned(), 2);
        assert_eq!(*link.into_owned(), 1);
    }
}

#[test]
fn updates_answer_what_was_there() {
    let guard = epoch::pin();
    let link = Atomic::<u64>::null();
    let before = link.fetch_update(SeqCst, SeqCst, &guard, |old| Some(old.with_tag(2)));
    assert_eq!(before.unwrap().tag(), 0);
    assert_eq!(link.fetch_or(1, SeqCst, &guard).tag(), 2);
    assert_eq!(link.fetch_and(1, SeqCst, &guard).tag(), 3);
    assert_eq!(link.fetch_xor(7, SeqCst, &guard).tag(), 1);
    let refused = link.fetch_update(SeqCst, SeqCst, &guard, |_| None);
    assert_eq!(refused.unwrap_err().tag(), 6);
    link.store(Shared::null().with_tag(4), Release);
    assert_eq!(link.load_consume(&guard).tag(), 4);
}

#[test]
#[allow(deprecated)]
fn the_orderings_of_a_failure_are_those_of_the_original() {
    use epoch::CompareAndSetOrdering;
    let cases = [
        (Relaxed, Relaxed),
        (Acquire, Acquire),
        (Release, Relaxed),
        (AcqRel, Acquire),
        (SeqCst, SeqCst),
    ];
    for (success, failure) in cases {
        assert_eq!((success.success(), success.failure()), (success, failure));
    }
    let both: (Ordering, Ordering) = (AcqRel, Relaxed);
    assert_eq!((both.success(), both.failure()), (AcqRel, Relaxed));
}

#[test]
fn owned_values_go_in_and_out() {
    let boxed = Box::new(String::from("text"));
    let address = &raw const *boxed;
    let mut owned = Owned::<String>::from(boxed);
    assert_eq!(&raw const *owned, address, "the same allocation");
    owned.push('s');
    let copy = owned.clone().with_tag(1).clone();
    assert_eq!((&**copy, copy.tag()), ("texts", 1));
    // SAFETY: from a box, once.
    let again = unsafe { Owned::from_raw(Box::into_raw(owned.into_box())) };
    assert_eq!(&raw const *again, address);
    assert_eq!(*Owned::<i32>::from(5), 5);
    let link = Atomic::<String>::from(again);
    assert_eq!(link.clone().load(SeqCst, &epoch::pin()).as_raw(), address);
    // SAFETY: nobody else has it.
    assert!(unsafe { link.try_into_owned() }.is_some());
}

#[test]
#[should_panic(expected = "unaligned pointer")]
fn an_unaligned_address_is_refused() {
    let _ = Shared::from(std::ptr::without_provenance::<u64>(12));
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "a null pointer owns nothing")]
fn null_cannot_be_owned() {
    // SAFETY: it panics.
    drop(unsafe { Atomic::<u64>::null().into_owned() });
}

#[test]
fn pointers_are_shown_without_what_they_point_to() {
    let dangling = Shared::from(std::ptr::without_provenance::<u64>(64)).with_tag(3);
    assert_eq!(format!("{dangling:?}"), "Shared { raw: 0x40, tag: 3 }");
    assert_eq!(format!("{dangling:p}"), "0x40");
    let link = Atomic::<u64>::from(dangling);
    assert_eq!(format!("{link:?}"), "Atomic { raw: 0x40, tag: 3 }");
    assert_eq!(format!("{link:p}"), "0x40");
    assert!(format!("{:?}", Owned::new(1)).starts_with("Owned { raw: 0x"));
    assert_eq!(format!("{:?}", epoch::pin()), "Guard { .. }");
    assert!(dangling > Shared::null() && Shared::default() == Shared::<u64>::null());
}
