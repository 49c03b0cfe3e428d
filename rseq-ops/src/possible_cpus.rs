//! The number of CPUs for which memory is reserved.

use core::sync::atomic::{AtomicU32, Ordering};

/// Returns the number of indexes that have memory, from 1 to 65,536. It is the same at every call.
///
/// These are the *possible* CPUs of the kernel, as far as they can be found out. They are not only the CPUs on line,
/// nor only those that this process may use.
///
/// The number comes from the file `/sys/devices/system/cpu/possible`. That file may be hidden, or another one may be
/// mounted over it, as some containers do. So the kernel's own masks (`sched_getaffinity`) are asked too. If the two
/// contradict each other, or the file cannot be read, `/proc/self/status` and the names of the CPUs' folders decide.
/// (The names can be checked without a file descriptor.)
///
/// The number may still be too small, for example if a process was checkpointed and continues on a larger machine. That
/// only costs speed: the sequences compare each index with the number, and on a CPU beyond it everything works as on
/// threads without rseq.
///
/// # Cost
/// One load. The first call makes some five system calls, and a few more where the file is of no use.
///
/// # Async-signal safety
/// Takes no lock, allocates nothing, leaves errno alone.
///
/// ```
/// let cpus = rseq_ops::percpu::possible_cpus();
/// assert!((rseq_ops::current_cpu() as usize) < cpus);
/// assert_eq!(cpus, rseq_ops::percpu::possible_cpus());
/// ```
#[inline]
pub fn possible_cpus() -> usize {
    match KNOWN.load(Ordering::Relaxed) {
        0 => first_call(),
        known => known as usize,
    }
}

// Relaxed: nothing else is published with the number.
static KNOWN: AtomicU32 = AtomicU32::new(0);

#[cold]
fn first_call() -> usize {
    // Concurrent first calls could disagree if files appear or vanish meanwhile. The first answer stays.
    let found = system::possible_cpus().clamp(1, MOST) as u32;
    match KNOWN.compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => found as usize,
        Err(first) => first as usize,
    }
}

/// The largest answer, which is more CPUs than Linux is built for.
const MOST: usize = 1 << 16;

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use core::ffi::CStr;

    use super::{MOST, Width, decide, last_in_list, name_of};

    /// Returns the number. All buffers are small, because this may run on the stack of a signal handler.
    pub(super) fn possible_cpus() -> usize {
        // SAFETY: errno is the calling thread's.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: errno is the calling thread's.
        let before = unsafe { *errno };
        // This thread may be pinned where the process is not.
        let own = mask_of(0).unwrap_or(Mask::UNKNOWN);
        // SAFETY: takes nothing.
        let leader = mask_of(unsafe { libc::getpid() }).unwrap_or(Mask::UNKNOWN);
        let found = decide(
            listed(),
            own.allowed.max(leader.allowed),
            own.bits.min(leader.bits),
            || shown().max(named()),
        );
        // SAFETY: errno is the calling thread's.
        unsafe { *errno = before };
        found
    }

    /// The kernel's mask of the CPUs that a thread may use.
    #[derive(Clone, Copy)]
    struct Mask {
        /// The number of the last allowed CPU, plus 1; 0 where that is not known.
        allowed: usize,
        /// The number of bits of the kernel's masks: at least as many as there can be CPUs.
        bits: usize,
    }

    impl Mask {
        const UNKNOWN: Self = Mask {
            allowed: 0,
            bits: MOST,
        };
    }

    fn mask_of(thread: libc::pid_t) -> Option<Mask> {
        // Tries larger masks if the kernel says that this one is too small.
        mask_in::<16>(thread)
            .or_else(|| mask_in::<128>(thread))
            .or_else(|| mask_in::<{ MOST / 64 }>(thread))
    }

    #[inline(never)]
    fn mask_in<const WORDS: usize>(thread: libc::pid_t) -> Option<Mask> {
        let mut mask = [0usize; WORDS];
        // SAFETY: writes at most the mask's size into the mask, and answers with how much.
        let bytes = unsafe {
            let size = size_of_val(&mask);
            libc::syscall(libc::SYS_sched_getaffinity, thread, size, mask.as_mut_ptr())
        };
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0)?;
        let last = mask.iter().rposition(|word| *word != 0);
        let allowed = last.map_or(0, |word| {
            (word + 1) * usize::BITS as usize - mask[word].leading_zeros() as usize
        });
        let bits = bytes * 8;
        Some(Mask { allowed, bits })
    }

    /// Returns the number of possible CPUs as /sys tells it.
    fn listed() -> Option<usize> {
        let mut text = [0u8; 256];
        let length = read(c"/sys/devices/system/cpu/possible", &mut text, |_| false)?;
        last_in_list(&text[..length])?.checked_add(1)
    }

    /// Returns the number of CPUs by the width of a mask in `/proc/self/status`; 0 if there is none.
    fn shown() -> usize {
        let mut width = Width::default();
        let mut text = [0u8; 256];
        read(c"/proc/self/status", &mut text, |text| width.look(text));
        width.bits()
    }

    /// Returns how many CPUs have a folder in /sys, counted from the first; 0 if none has.
    fn named() -> usize {
        let mut path = [0u8; 48];
        (0..MOST)
            .find(|cpu| {
                let path = name_of(*cpu, &mut path);
                // SAFETY: a C string.
                (unsafe { libc::access(path.as_ptr(), libc::F_OK) }) != 0
            })
            .unwrap_or(MOST)
    }

    /// Reads a file, piece by piece, as long as `more` returns true. Returns the length of the last piece.
    fn read(path: &CStr, text: &mut [u8], mut more: impl FnMut(&[u8]) -> bool) -> Option<usize> {
        // There may be anything at this path: opening it must not wait, nor make a terminal ours.
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        // SAFETY: a C string.
        let file = unsafe { libc::open(path.as_ptr(), flags) };
        if file < 0 {
            return None;
        }
        let length = loop {
            // SAFETY: reads at most the buffer's size into the buffer.
            let length = unsafe { libc::read(file, text.as_mut_ptr().cast(), text.len()) };
            let length = usize::try_from(length).ok();
            if !length.is_some_and(|length| length > 0 && more(&text[..length])) {
                break length;
            }
        };
        // SAFETY: opened above.
        unsafe { libc::close(file) };
        length
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_sources_agree() {
            let mask = mask_of(0).expect("the kernel's mask");
            assert!(mask.bits.is_multiple_of(usize::BITS as usize), "not bytes");
            assert!((1..=mask.bits).contains(&mask.allowed));
            assert_eq!(mask_in::<{ MOST / 64 }>(0).unwrap().bits, mask.bits);
            if let Some(listed) = listed() {
                assert!(mask.allowed <= listed && listed <= mask.bits);
                let shown = shown();
                assert!(
                    shown == 0 || (listed..listed + 4).contains(&shown),
                    "{shown}"
                );
                assert!(named() <= listed);
                assert_eq!(super::possible_cpus(), listed);
            }
        }

        #[test]
        fn a_file_that_is_no_file_is_not_waited_for() {
            assert_eq!(read(c"/no such file", &mut [0; 8], |_| true), None);
            assert_eq!(read(c"/sys", &mut [0; 8], |_| true), None);
            assert_eq!(read(c"/dev/null", &mut [0; 8], |_| true), Some(0));
            // A pipe into which nobody writes.
            let path = std::format!("/tmp/rseq-ops-pipe-{}\0", std::process::id());
            let path = CStr::from_bytes_with_nul(path.as_bytes()).unwrap();
            // SAFETY: C strings.
            if unsafe { libc::mkfifo(path.as_ptr(), 0o600) } == 0 {
                let found = read(path, &mut [0; 8], |_| true);
                // SAFETY: a C string.
                unsafe { libc::unlink(path.as_ptr()) };
                assert_eq!(found, Some(0));
            }
            let mut pieces = 0;
            let more = |_: &[u8]| {
                pieces += 1;
                pieces < 3
            };
            assert_eq!(read(c"/dev/zero", &mut [0; 8], more), Some(8));
            assert_eq!(pieces, 3);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    /// Returns the number of stripes for the atomics of the fallback. There are no indexes to cover here.
    pub(super) fn possible_cpus() -> usize {
        16
    }
}

/// Returns the answer. It is made from the list in /sys, from the last CPU that this process may use (counted from 1),
/// and from the number of bits of the kernel's masks, which no number of CPUs exceeds. If the list is missing or cannot
/// be true, the other sources decide.
#[cfg(any(all(target_os = "linux", not(miri)), test))]
fn decide(
    listed: Option<usize>,
    allowed: usize,
    bits: usize,
    others: impl FnOnce() -> usize,
) -> usize {
    /// The number that is assumed if nothing is known.
    const SOME: usize = 64;
    let found = match listed {
        Some(listed) if listed >= allowed => listed,
        _ => match listed.unwrap_or(0).max(allowed).max(others()) {
            0 => SOME,
            found => found,
        },
    };
    found.min(bits)
}

/// Returns the last number of a list such as `0-3,8-11`.
#[cfg(any(all(target_os = "linux", not(miri)), test))]
fn last_in_list(text: &[u8]) -> Option<usize> {
    // A list that fills the buffer may be cut short, so it is not trusted.
    if text.len() >= 255 {
        return None;
    }
    let text = core::str::from_utf8(text).ok()?.trim_end();
    text.rsplit([',', '-']).next()?.parse().ok()
}

/// Returns the path of a CPU's folder, written into `path`.
#[cfg(any(all(target_os = "linux", not(miri)), test))]
fn name_of(cpu: usize, path: &mut [u8; 48]) -> &core::ffi::CStr {
    let folder = b"/sys/devices/system/cpu/cpu";
    path[..folder.len()].copy_from_slice(folder);
    let digits = cpu.max(1).ilog10() as usize + 1;
    let mut left = cpu;
    for digit in path[folder.len()..folder.len() + digits].iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    path[folder.len() + digits] = 0;
    core::ffi::CStr::from_bytes_until_nul(path).unwrap_or_default()
}

/// Finds how wide the mask after `Cpus_allowed:` is, in a text that comes in pieces.
#[cfg(any(all(target_os = "linux", not(miri)), test))]
#[derive(Default)]
struct Width {
    /// The length of the part of the label that was just seen.
    seen: usize,
    digits: usize,
    over: bool,
}

#[cfg(any(all(target_os = "linux", not(miri)), test))]
impl Width {
    const LABEL: &'static [u8] = b"\nCpus_allowed:";

    /// Takes the next piece of the text. Returns whether another one is needed.
    fn look(&mut self, text: &[u8]) -> bool {
        for byte in text {
            if self.seen == Self::LABEL.len() {
                self.digits += usize::from(byte.is_ascii_hexdigit());
                self.over = *byte == b'\n';
                if self.over {
                    break;
                }
            } else if *byte == Self::LABEL[self.seen] {
                self.seen += 1;
            } else {
                // Only a new line can begin the label again: no later part of the label looks like its beginning.
                self.seen = usize::from(*byte == Self::LABEL[0]);
            }
        }
        !self.over
    }

    /// Returns the width of the mask in bits, or 0 unless the whole mask was seen.
    fn bits(&self) -> usize {
        if self.over { self.digits * 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn lists_of_cpus_end_with_the_last_one() {
        assert_eq!(last_in_list(b"0\n"), Some(0));
        assert_eq!(last_in_list(b"0-1\n"), Some(1));
        assert_eq!(last_in_list(b"0-3,8-11\n"), Some(11));
        assert_eq!(last_in_list(b"0,4\n"), Some(4));
        for garbage in [
            &b""[..],
            b"\n",
            b"0-",
            b"all\n",
            b"0-3x\n",
            b"\xff",
            &[b'1'; 255],
        ] {
            assert_eq!(last_in_list(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn the_larger_number_counts_and_no_more_than_the_masks_have_bits() {
        let nobody = || unreachable!("nobody else is asked where the list may be true");
        assert_eq!(decide(Some(4), 2, 64, nobody), 4);
        assert_eq!(decide(Some(2), 2, 64, nobody), 2);
        assert_eq!(decide(Some(usize::MAX), 2, 64, nobody), 64);
        // A list that cannot be true, and none.
        assert_eq!(decide(Some(1), 2, 64, || 4), 4);
        assert_eq!(decide(Some(1), 8, 64, || 4), 8);
        assert_eq!(decide(None, 2, 64, || 0), 2);
        assert_eq!(decide(None, 2, 64, || 99), 64);
        assert_eq!(decide(None, 0, 128, || 0), 64);
        assert_eq!(decide(None, 0, 32, || 0), 32);
    }

    #[test]
    fn the_width_of_a_mask_is_found_wherever_the_text_is_cut() {
        let text =
            b"Name:\tCpus_allowed:\t7\n\nCpus_allowed:\tff,ffffffff\nCpus_allowed_list:\t0-39\n";
        for cut in 0..text.len() {
            let mut width = Width::default();
            let _ = width.look(&text[..cut]) && width.look(&text[cut..]);
            assert_eq!(width.bits(), 40, "{cut}");
        }
        let mut width = Width::default();
        assert!(width.look(b"\nCpus_allowed:\tf"));
        assert_eq!(width.bits(), 0, "cut in the middle");
    }

    #[test]
    fn cpus_have_folders_with_their_number() {
        let mut path = [1; 48];
        for cpu in [0, 7, 10, 99, 100, MOST - 1, usize::MAX] {
            let expected = format!("/sys/devices/system/cpu/cpu{cpu}");
            assert_eq!(name_of(cpu, &mut path).to_str(), Ok(expected.as_str()));
        }
    }
}
