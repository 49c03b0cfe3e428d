//! Read-side sections of the global domain, and the calls that liburcu's flavours need around them.

use core::ffi::c_int;
use core::sync::atomic::Ordering::Relaxed;

use urcu::{RawGuard, ReadGuard};

use crate::nesting::{LEVEL, Nesting, nesting};

/// Begins a section, or nests in the one that the thread has open.
pub(crate) extern "C" fn begin() {
    let nesting = nesting();
    let word = nesting.word.load(Relaxed);
    if word == 0 {
        nesting.open(urcu::read_lock().into_raw().into_words());
    } else {
        cold_path();
        nesting.word.store(nested(word), Relaxed);
    }
}

/// Tells the compiler that a branch is seldom taken. (`core::hint::cold_path` needs Rust 1.95.)
#[cold]
#[inline]
fn cold_path() {}

#[inline(always)]
fn nested(word: usize) -> usize {
    match word.checked_add(LEVEL) {
        Some(deeper) => deeper,
        None => panic!("65,536 read-side sections are nested"),
    }
}

/// Ends the section that the thread began last.
pub(crate) extern "C" fn end() {
    let nesting = nesting();
    let word = nesting.word.load(Relaxed);
    if Nesting::is_deeper_or_none(word) {
        cold_path();
        nesting.word.store(less_nested(word), Relaxed);
        return;
    }
    let token = nesting.close(word);
    // SAFETY: `open` has stored the word, so it is the token of a section of the global domain. `close` has removed
    // it, so it is used once.
    drop(unsafe { ReadGuard::from_raw(urcu::global(), RawGuard::from_words(token)) });
}

#[inline(always)]
fn less_nested(word: usize) -> usize {
    match word.checked_sub(LEVEL) {
        Some(word) => word,
        None => panic!("rcu_read_unlock without a read-side section on this thread"),
    }
}

/// Returns how many sections the thread has open, one inside the other.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_read_ongoing() -> c_int {
    // At most 65,536.
    nesting().depth() as c_int
}

macro_rules! accepted {
    ($($(#[$doc:meta])+ $name:ident)+) => {
        $(
            $(#[$doc])+
            #[unsafe(no_mangle)]
            pub(crate) extern "C" fn $name() {}
        )+
    };
}

accepted! {
    /// Does nothing: the library sets itself up when it is loaded.
    urcu_percpu_init
    /// Does nothing: threads are not registered.
    urcu_percpu_register_thread
    /// Does nothing: threads are not registered.
    urcu_percpu_unregister_thread
    /// Does nothing: threads outside sections delay nobody.
    urcu_percpu_thread_online
    /// Does nothing: threads outside sections delay nobody.
    urcu_percpu_thread_offline
    /// Does nothing: grace periods wait for the ends of sections.
    urcu_percpu_quiescent_state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_the_outermost_section_from_none_and_from_nested_ones() {
        let token = LEVEL - 64;
        assert!(Nesting::is_deeper_or_none(0));
        assert!(!Nesting::is_deeper_or_none(token));
        assert!(!Nesting::is_deeper_or_none(8));
        let deeper = nested(token);
        assert!(Nesting::is_deeper_or_none(deeper));
        assert_eq!(less_nested(deeper), token);
        let deepest = (1..LEVEL >> 32).fold(token, |word, _| nested(word));
        assert!(deepest.checked_add(LEVEL).is_none());
    }
}
