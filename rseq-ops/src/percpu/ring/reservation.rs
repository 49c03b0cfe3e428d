//! [`Reservation`]: the writing end, from the reservation to the commit.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;

use super::layout::{BUSY, HEAD, PAYLOAD, Rings, UNWANTED, word};

/// A record that is being written. If it is dropped without [`Reservation::commit`], the record is discarded.
///
/// Another thread than the one that reserved the record may commit it. All methods use plain stores, and are
/// async-signal-safe.
///
/// ```
/// use rseq_ops::percpu::{Mode, Reservation, Ring};
///
/// let ring = Ring::new(Mode::Discard, 4096).unwrap();
/// let mut record: Reservation<'_> = ring.reserve(12).unwrap();
/// record.write(b"hello");
/// record.write(b", ");
/// assert_eq!(record.length(), 12);
/// // Another thread, on another CPU, may finish it.
/// std::thread::scope(|scope| scope.spawn(move || {
///     record.write(b"world");
///     record.commit();
/// }).join().unwrap());
/// ring.consumer().unwrap().poll(|record| assert_eq!(record.bytes, b"hello, world"));
/// ```
#[derive(Debug)]
#[must_use = "dropping a reservation discards the record"]
pub struct Reservation<'r> {
    ring: PhantomData<&'r Rings>,
    record: usize,
    header: usize,
    /// The number of bytes written so far.
    written: usize,
    /// The bytes of the last word, as long as that word is not full.
    pending: u64,
}

impl<'r> Reservation<'r> {
    /// Creates the reservation of the record at `record`, which has this header.
    #[inline]
    pub(super) fn new(record: NonNull<usize>, header: usize) -> Self {
        Reservation {
            ring: PhantomData,
            record: record.expose_provenance().get(),
            header,
            written: 0,
            pending: 0,
        }
    }

    /// Returns the number of bytes that are reserved.
    pub fn length(&self) -> usize {
        self.header >> PAYLOAD
    }

    /// Appends `bytes` to what was written.
    ///
    /// # Panics
    /// Panics if there are more bytes than were reserved.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        assert!(
            bytes.len() <= self.length() - self.written,
            "{} bytes more, of {} reserved {} are written",
            bytes.len(),
            self.length(),
            self.written
        );
        // First the bytes that fill up the pending word, then whole words. The rest becomes the pending word.
        let missing = self.written.next_multiple_of(8) - self.written;
        let (first, rest) = bytes.split_at(missing.min(bytes.len()));
        for byte in first {
            self.push(*byte);
        }
        let (words, last) = rest.as_chunks::<8>();
        let mut at = ptr::with_exposed_provenance_mut::<usize>(self.record + HEAD + self.written);
        for bytes in words {
            // SAFETY: within the record, which has room for `bytes`, and aligned, because `first` has filled up
            // the word before. The record is ours, and the ring is borrowed.
            unsafe { word(at) }.store(usize::from_ne_bytes(*bytes), Ordering::Relaxed);
            at = at.wrapping_add(1);
        }
        self.written += words.len() * 8;
        for byte in last {
            self.push(*byte);
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        let filled = self.written % 8;
        let mut pending = self.pending.to_ne_bytes();
        pending[filled] = byte;
        self.pending = u64::from_ne_bytes(pending);
        if filled == 7 {
            self.store(self.pending);
            self.pending = 0;
        }
        self.written += 1;
    }

    /// Stores the word that the byte number `written` is in.
    #[inline]
    fn store(&self, value: u64) {
        let at = self.record + HEAD + self.written / 8 * 8;
        // SAFETY: within the record, which is ours, of a ring that is borrowed.
        unsafe { word(ptr::with_exposed_provenance_mut(at)) }
            .store(value as usize, Ordering::Relaxed);
    }

    /// Hands the record over to the consumer. Bytes that were not written are zero.
    #[inline]
    pub fn commit(self) {
        self.finish(0);
        core::mem::forget(self);
    }

    #[inline]
    fn finish(&self, flags: usize) {
        let mut written = self.written;
        if !written.is_multiple_of(8) {
            self.store(self.pending);
            written = written.next_multiple_of(8);
        }
        while written < self.length() {
            let at = self.record + HEAD + written;
            // SAFETY: within the record, which is ours, of a ring that is borrowed.
            unsafe { word(ptr::with_exposed_provenance_mut(at)) }.store(0, Ordering::Relaxed);
            written += 8;
        }
        // SAFETY: the first word of the record, which is ours, of a ring that is borrowed. Release: pairs with
        // the consumer's load of the header.
        unsafe { word(ptr::with_exposed_provenance_mut(self.record)) }
            .store(self.header & !BUSY | flags, Ordering::Release);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.finish(UNWANTED);
    }
}
