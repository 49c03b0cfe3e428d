//! `copy_through` and its like: every size, and sources that are reclaimed after a restart.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rseq_ops::delay::{self, Point};
use rseq_ops::ops::{self, COPY_MAX, Outcome};
use rseq_ops::{current_thread, membarrier};

use crate::support::{alone, until_committed};

#[test]
fn a_copy_has_exactly_the_bytes_of_its_size() {
    let Some(handle) = current_thread() else {
        return println!("skipped: no sequences in this process");
    };
    let source: Vec<u8> = (0..COPY_MAX + 8).map(|i| (i * 31 + 7) as u8).collect();
    let pointer = AtomicPtr::new(ptr::null_mut::<u8>());
    let sizes = (0..=80).chain([100, 127, 128, 255, 256, 500, 512, 1000, 1023, COPY_MAX]);
    for size in sizes {
        for misaligned in 0..8 {
            pointer.store(source[misaligned..].as_ptr().cast_mut(), Ordering::Release);
            let mut target = vec![0xEE; size + 16];
            until_committed(|| {
                let through = pointer.as_ptr().cast::<*const u8>().cast_const();
                // SAFETY: this thread's handle; source and target have room for `size` bytes.
                unsafe { ops::copy_through(handle, through, target.as_mut_ptr().add(8), size) }
            });
            assert_eq!(target[8..8 + size], source[misaligned..misaligned + size]);
            let around = target[..8].iter().chain(&target[8 + size..]);
            assert!(
                around.copied().all(|byte| byte == 0xEE),
                "{size} bytes: too many"
            );
        }
    }
}

#[test]
fn a_copy_of_a_part_has_exactly_the_bytes_at_its_offset() {
    let Some(handle) = current_thread() else {
        return println!("skipped: no sequences in this process");
    };
    const PART: usize = 4096 + 8;
    let source: Vec<u8> = (0..PART + 2 * COPY_MAX)
        .map(|i| (i * 31 + 7) as u8)
        .collect();
    let pointer = AtomicPtr::new(source.as_ptr().cast_mut());
    let sizes = (0..=66).chain([100, 127, 128, 500, 1023, COPY_MAX]);
    for size in sizes {
        for offset in [0, 1, 2, 7, 8, 40, 127, 128, 2047, 2048, 4095, PART] {
            let mut target = vec![0xEE; size + 16];
            until_committed(|| {
                let through = pointer.as_ptr().cast::<*const u8>().cast_const();
                let target = target[8..].as_mut_ptr();
                // SAFETY: this thread's handle; source and target have room for `size` bytes there.
                unsafe { ops::copy_part_through(handle, through, offset, target, size) }
            });
            let part = &source[offset..offset + size];
            assert_eq!(&target[8..8 + size], part, "{size} bytes at {offset}");
            let around = target[..8].iter().chain(&target[8 + size..]);
            assert!(around.copied().all(|byte| byte == 0xEE), "{size}: too many");
        }
    }
}

#[test]
fn a_copy_behind_a_second_pointer_has_exactly_the_bytes_at_its_offset_there() {
    let Some(handle) = current_thread() else {
        return println!("skipped: no sequences in this process");
    };
    const PART: usize = 2048;
    let inner: Vec<u8> = (0..PART + 2 * COPY_MAX)
        .map(|i| (i * 31 + 7) as u8)
        .collect();
    let words = [8, 0, 8 * 511, PART].map(|offset| offset / 8);
    let mut outer = vec![ptr::null::<u8>(); 600];
    let pointer = AtomicPtr::new(ptr::null_mut::<u8>());
    let sizes = (0..=66).chain([100, 127, 128, 500, 1023, COPY_MAX]);
    for size in sizes {
        for (number, behind) in [0, 1, 7, 8, 127, 128, 2047, PART].into_iter().enumerate() {
            let word = words[number % words.len()];
            outer.fill(ptr::null());
            outer[word] = inner.as_ptr();
            pointer.store(outer.as_mut_ptr().cast(), Ordering::Release);
            let mut target = vec![0xEE; size + 16];
            until_committed(|| {
                let through = pointer.as_ptr().cast::<*const u8>().cast_const();
                let target = target[8..].as_mut_ptr();
                // SAFETY: this thread's handle; the word is a pointer, behind which there are `size` bytes.
                unsafe { ops::copy_behind_through(handle, through, 8 * word, behind, target, size) }
            });
            let part = &inner[behind..behind + size];
            assert_eq!(&target[8..8 + size], part, "{size} bytes, {behind} behind");
            let around = target[..8].iter().chain(&target[8 + size..]);
            assert!(around.copied().all(|byte| byte == 0xEE), "{size}: too many");
        }
    }
}

/// Which of the copies.
#[derive(Clone, Copy, Debug)]
enum Copied {
    Whole,
    /// At an offset.
    Part(usize),
    /// The same, of what a word of another buffer points to, which is taken back together with that.
    Behind(usize),
}

impl Copied {
    fn offset(self) -> usize {
        match self {
            Copied::Whole => 0,
            Copied::Part(offset) | Copied::Behind(offset) => offset,
        }
    }
}

/// A writer replaces a buffer, restarts the sequences, and poisons the old one at once.
fn assert_restartable<const SIZE: usize>(copied: Copied) {
    if current_thread().is_none() || membarrier::register().is_err() {
        return println!("skipped: no sequences, or nothing that restarts them");
    }
    let offset = copied.offset();
    let mut buffers = [vec![1u8; offset + SIZE], vec![2u8; offset + SIZE]];
    let [first, second] = &mut buffers;
    let buffers = [first.as_mut_ptr(), second.as_mut_ptr()].map(AtomicPtr::new);
    // A place for readers that come by a pointer that was taken back: its contents are in no buffer.
    let poison = vec![0xDDu8; offset + SIZE];
    let outer: [[AtomicPtr<u8>; 2]; 2] = Default::default();
    let root = |turn: usize| match copied {
        Copied::Behind(_) => (&raw const outer[turn]).cast_mut().cast::<u8>(),
        _ => buffers[turn].load(Ordering::Relaxed),
    };
    outer[0][1].store(buffers[0].load(Ordering::Relaxed), Ordering::Relaxed);
    let current = AtomicPtr::new(root(0));
    let (over, has_read) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let (current, over, has_read) = (&current, &over, &has_read);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let handle = current_thread().unwrap();
                    let (mut reads, mut wrong) = (0, 0);
                    while !over.load(Ordering::Relaxed) {
                        let mut target = [0u8; SIZE];
                        let through = current.as_ptr().cast::<*const u8>().cast_const();
                        // SAFETY: this thread's handle; the buffers have this size, and change
                        // only after a restart that follows their replacement.
                        let outcome = unsafe {
                            let target = target.as_mut_ptr();
                            match copied {
                                Copied::Whole => ops::copy_through(handle, through, target, SIZE),
                                Copied::Part(offset) => {
                                    ops::copy_part_through(handle, through, offset, target, SIZE)
                                }
                                Copied::Behind(behind) => {
                                    let to = (target, SIZE);
                                    ops::copy_behind_through(handle, through, 8, behind, to.0, to.1)
                                }
                            }
                        };
                        if outcome == Outcome::Committed {
                            let value = target[0];
                            let whole = target.iter().all(|&byte| byte == value);
                            wrong += u64::from(!(whole && (value == 1 || value == 2)));
                            reads += 1;
                            has_read.store(true, Ordering::Relaxed);
                        }
                    }
                    (reads, wrong)
                })
            })
            .collect();
        let end = Instant::now() + Duration::from_millis(150);
        let mut turn = 0;
        // On a busy machine a reader may get to run late.
        while Instant::now() < end || !has_read.load(Ordering::Relaxed) {
            let (old, new) = (turn % 2, (turn + 1) % 2);
            let fill = |buffer: usize, byte: u8| {
                let buffer = buffers[buffer].load(Ordering::Relaxed);
                for place in offset..offset + SIZE {
                    // SAFETY: this buffer is not current, and no copy from it is in flight.
                    unsafe { buffer.add(place).write_volatile(byte) };
                }
            };
            fill(new, 1 + new as u8);
            outer[new][1].store(buffers[new].load(Ordering::Relaxed), Ordering::Relaxed);
            current.store(root(new), Ordering::Release);
            membarrier::restart().unwrap();
            outer[old][1].store(poison.as_ptr().cast_mut(), Ordering::Relaxed);
            fill(old, 0xDD);
            turn += 1;
        }
        over.store(true, Ordering::Relaxed);
        let mut reads = 0;
        for reader in readers {
            let (read, wrong) = reader.join().unwrap();
            assert_eq!(wrong, 0, "of {read} copies of {SIZE} bytes");
            reads += read;
        }
        assert!(reads > 0 && turn > 0);
    });
}

#[test]
fn no_copy_sees_what_was_reclaimed_after_a_restart() {
    let _alone = alone();
    for point in [Point::CopyThroughLoaded, Point::CopyBehindLoaded] {
        delay::set(point, 20_000);
        for copied in [Copied::Whole, Copied::Part(72), Copied::Behind(72)] {
            if point == Point::CopyBehindLoaded && !matches!(copied, Copied::Behind(_)) {
                continue;
            }
            assert_restartable::<1>(copied);
            assert_restartable::<24>(copied);
            assert_restartable::<200>(copied);
            assert_restartable::<COPY_MAX>(copied);
        }
        delay::set(point, 0);
    }
}
