//! The values that are tortured: places, each with one current version of a value, and the versions that
//! were replaced.
//!
//! # What a reader verifies
//! * The version is whole: its stamp and its canary belong together; now and then all of its words are
//!   checked. A reclaimed version is poisoned and rests in a quarantine, so a reader that looks too late
//!   sees the poison and not the next value.
//! * The version does not change while the section lasts.
//! * The version is not too old. An updater numbers its versions, and notes in [`Place`] the last one
//!   whose grace period has *ended*. A section that holds a version must end before that grace period
//!   does. So no section may see a version **and** the note that its grace period is over, in whatever
//!   order it looks. (Both looks are relaxed loads: the grace period alone must order them, without help
//!   from the check. The same check also catches a section that begins later and sees the old version.)
//!
//! # Why a broken library does not crash the program
//! Versions live in memory that is never freed, and all of their words are atomic: a read that comes too
//! late gets a wrong number, and is not undefined behaviour.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU64};
use std::sync::{Mutex, PoisonError};

use urcu::{Domain, ReadGuard};

/// The number of words in a version: a cache line, so that reading two of them costs one miss.
pub const WORDS: usize = 8;

/// The contents of reclaimed versions.
const POISON: u64 = 0xDEAD_DEAD_DEAD_DEAD;

const CANARY: u64 = 0x5AFE_C0DE_0BAD_F00D;

/// The least number of reclaimed versions that rest before one is used again.
const QUARANTINE: usize = 2048;

/// The number of versions that are allocated together.
const CHUNK: usize = 256;

/// A version, in memory that lives for ever.
#[derive(Debug)]
#[repr(C, align(64))]
struct Version([AtomicU64; WORDS]);

/// Returns the value of a word in a live version; the first word is the stamp.
fn word(stamp: u64, place: usize) -> u64 {
    match place {
        0 => stamp,
        1 => stamp ^ CANARY,
        _ => (stamp ^ CANARY).rotate_left(7 * place as u32),
    }
}

impl Version {
    fn fill(&self, stamp: u64) {
        for (place, cell) in self.0.iter().enumerate() {
            cell.store(word(stamp, place), Relaxed);
        }
    }

    fn poison(&self) {
        self.0.iter().for_each(|cell| cell.store(POISON, Relaxed));
    }

    fn is_poisoned(&self) -> bool {
        self.0.iter().all(|cell| cell.load(Relaxed) == POISON)
    }

    fn stamp(&self) -> u64 {
        self.0[0].load(Relaxed)
    }
}

/// The faults found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The memory was reclaimed.
    Reclaimed {
        /// The version that was seen first, if one was.
        stamp: Option<u64>,
        /// The last version whose grace period had ended.
        ended: u64,
    },
    /// A version was seen after its grace period.
    TooOld {
        /// The version.
        stamp: u64,
        /// The last version whose grace period had ended.
        ended: u64,
    },
    /// The words of a version do not belong together.
    Torn {
        /// The contents of its first words.
        words: [u64; 2],
    },
    /// A version turned into another one while a section held it.
    Changed {
        /// The stamp before.
        from: u64,
        /// The stamp now.
        to: u64,
    },
    /// Anything else.
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Reclaimed {
                stamp: Some(stamp),
                ended,
            } => write!(
                f,
                "version {stamp} was reclaimed inside a section that read it (last version whose grace period had ended: {ended})"
            ),
            Fault::Reclaimed { stamp: None, ended } => write!(
                f,
                "a section reached reclaimed memory (last version whose grace period had ended: {ended})"
            ),
            Fault::TooOld { stamp, ended } => write!(
                f,
                "a section saw version {stamp} after the grace period of version {ended} had ended"
            ),
            Fault::Torn { words } => write!(f, "a torn version: {words:#x?}"),
            Fault::Changed { from, to } => {
                write!(f, "version {from} became version {to} inside a section")
            }
            Fault::Other(text) => f.write_str(text),
        }
    }
}

/// One published pointer, its versions and their quarantine.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Place {
    current: AtomicPtr<Version>,
    /// The last version that was replaced and whose grace period has ended.
    ended: AtomicU64,
    domain: &'static Domain,
    /// The rest, on cache lines of its own.
    shelf: Box<Mutex<Shelf>>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// The version that was published last.
    stamp: u64,
    /// The reclaimed versions, the one that has rested longest first.
    quarantine: VecDeque<&'static Version>,
    /// The number of versions that were replaced and not yet reclaimed.
    outstanding: usize,
}

/// A version that a section holds. It does not borrow the section: versions live for ever, and a look
/// after the section must be able to happen and to fail.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    place: &'static Place,
    version: &'static Version,
    stamp: u64,
}

impl Seen {
    /// Returns the version's number.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Checks that the version is unchanged and not too old, while the section lasts.
    ///
    /// # Errors
    /// Returns the fault in it.
    #[inline(always)]
    pub fn still(&self) -> Result<(), Fault> {
        let now = self.version.stamp();
        if now == self.stamp && self.place.ended.load(Relaxed) < self.stamp {
            Ok(())
        } else {
            Err(self.place.diagnose(self.version, Some(self.stamp), now))
        }
    }

    /// Checks all words of the version as well.
    ///
    /// # Errors
    /// As [`Seen::still`].
    pub fn whole(&self) -> Result<(), Fault> {
        let good =
            (0..WORDS).all(|place| self.version.0[place].load(Relaxed) == word(self.stamp, place));
        if good {
            self.still()
        } else {
            let now = self.version.stamp();
            Err(self.place.diagnose(self.version, Some(self.stamp), now))
        }
    }
}

impl Place {
    /// Returns a place with its first version. It lives as long as the process.
    pub fn leak(domain: &'static Domain) -> &'static Place {
        let place = Place {
            current: AtomicPtr::default(),
            ended: AtomicU64::new(0),
            domain,
            shelf: Box::default(),
        };
        let mut shelf = place.shelf();
        let first = shelf.take().unwrap_or_else(|_| unreachable!("a new one"));
        shelf.stamp = 1;
        drop(shelf);
        first.fill(1);
        place
            .current
            .store(std::ptr::from_ref(first).cast_mut(), Release);
        Box::leak(Box::new(place))
    }

    /// Returns the domain whose sections read here.
    pub fn domain(&self) -> &'static Domain {
        self.domain
    }

    /// Returns the number of replaced versions that are not yet reclaimed.
    pub fn outstanding(&self) -> usize {
        self.shelf().outstanding
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline(always)]
    fn current(&self) -> &'static Version {
        // Acquire: what the version holds was stored before it was published.
        // SAFETY: `leak` and `publish` store only pointers to versions, which live for ever.
        unsafe { &*self.current.load(Acquire) }
    }

    /// Looks at the current version, inside a section. Async-signal-safe.
    ///
    /// # Errors
    /// Returns the fault in it.
    #[inline(always)]
    pub fn look(&'static self, section: &ReadGuard<'_>) -> Result<Seen, Fault> {
        let _ = section;
        self.look_inside()
    }

    /// Looks at the current version, inside a section without a guard. Async-signal-safe.
    ///
    /// # Errors
    /// Returns the fault in it.
    #[inline(always)]
    pub fn look_inside(&'static self) -> Result<Seen, Fault> {
        let version = self.current();
        let stamp = version.stamp();
        if version.0[1].load(Relaxed) == stamp ^ CANARY {
            Ok(Seen {
                place: self,
                version,
                stamp,
            })
        } else {
            Err(self.diagnose(version, None, stamp))
        }
    }

    /// Does the whole check of the shortest sections: two words and the age.
    ///
    /// # Errors
    /// As [`Place::look`] and [`Seen::still`].
    #[inline(always)]
    pub fn glance(&'static self, section: &ReadGuard<'_>) -> Result<(), Fault> {
        let seen = self.look(section)?;
        if self.ended.load(Relaxed) < seen.stamp {
            Ok(())
        } else {
            Err(self.diagnose(seen.version, Some(seen.stamp), seen.stamp))
        }
    }

    #[cold]
    #[inline(never)]
    fn diagnose(&self, version: &Version, before: Option<u64>, now: u64) -> Fault {
        let ended = self.ended.load(Relaxed);
        let canary = version.0[1].load(Relaxed);
        match before {
            _ if now == POISON || canary == POISON => Fault::Reclaimed {
                stamp: before,
                ended,
            },
            Some(stamp) if now != stamp => Fault::Changed {
                from: stamp,
                to: now,
            },
            Some(stamp) if stamp <= ended => Fault::TooOld { stamp, ended },
            _ => Fault::Torn {
                words: [now, canary],
            },
        }
    }

    /// Publishes the next version, and returns the one before, which the caller reclaims after a grace
    /// period. `filled_late` is wrong on purpose: it fills the version after publishing it.
    ///
    /// # Errors
    /// If somebody has written to a version in quarantine.
    pub fn publish(&'static self, filled_late: bool) -> Result<Retired, Fault> {
        let mut shelf = self.shelf();
        let next = shelf.take()?;
        shelf.stamp += 1;
        shelf.outstanding += 1;
        let stamp = shelf.stamp;
        if !filled_late {
            next.fill(stamp);
        }
        // Under the lock, so that the stamps at this place only grow.
        let old = self
            .current
            .swap(std::ptr::from_ref(next).cast_mut(), Release);
        if filled_late {
            std::thread::yield_now();
            next.fill(stamp);
        }
        Ok(Retired {
            place: self,
            // SAFETY: a version is never freed: it lies in this place's quarantine or on its shelf, for
            // good.
            version: unsafe { &*old },
            stamp: stamp - 1,
        })
    }
}

impl Shelf {
    /// Returns a version to be filled.
    fn take(&mut self) -> Result<&'static Version, Fault> {
        if self.quarantine.len() < QUARANTINE {
            let chunk: Box<[Version]> = (0..CHUNK)
                .map(|_| Version([const { AtomicU64::new(POISON) }; WORDS]))
                .collect();
            // New versions go to the front, so that those that rest go on resting.
            for version in Box::leak(chunk) {
                self.quarantine.push_front(version);
            }
        }
        let version = self.quarantine.pop_front().expect("there are some");
        if version.is_poisoned() {
            Ok(version)
        } else {
            Err(Fault::Other(format!(
                "reclaimed memory was written to: {version:x?}"
            )))
        }
    }
}

/// A version that was replaced.
#[derive(Debug)]
#[must_use = "to be reclaimed after a grace period"]
pub struct Retired {
    place: &'static Place,
    version: &'static Version,
    stamp: u64,
}

impl Retired {
    /// Poisons the version. A grace period must have passed since it was replaced.
    ///
    /// # Errors
    /// If the version has changed, as when it is reclaimed twice.
    pub fn reclaim(self) -> Result<(), Fault> {
        let Retired {
            place,
            version,
            stamp,
        } = self;
        let now = version.stamp();
        // The grace period of this version is over, so those of earlier versions are too: a section that
        // held one of them was open when this one was replaced.
        // Relaxed: see the module. The store comes before the poison only for better reports.
        place.ended.fetch_max(stamp, Relaxed);
        version.poison();
        let mut shelf = place.shelf();
        shelf.outstanding -= 1;
        shelf.quarantine.push_back(version);
        drop(shelf);
        if now == stamp {
            Ok(())
        } else {
            Err(Fault::Other(format!(
                "version {stamp} holds {now:#x} when it is reclaimed"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_version_is_good_and_a_reclaimed_one_is_not() {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let place = Place::leak(domain);
        let guard = domain.read_lock();
        let seen = place.look(&guard).unwrap();
        assert_eq!((seen.stamp(), seen.whole()), (1, Ok(())));
        let retired = place.publish(false).unwrap();
        assert_eq!(seen.whole(), Ok(()));
        assert_eq!(place.outstanding(), 1);
        // There was no grace period, which readers must notice.
        retired.reclaim().unwrap();
        let reclaimed = Fault::Reclaimed {
            stamp: Some(1),
            ended: 1,
        };
        assert_eq!(seen.still(), Err(reclaimed.clone()));
        assert_eq!(seen.whole(), Err(reclaimed));
        assert_eq!(place.glance(&guard), Ok(()));
        assert_eq!(place.look(&guard).unwrap().stamp(), 2);
    }

    #[test]
    fn a_version_that_is_not_reclaimed_yet_is_too_old_after_its_grace_period() {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let place = Place::leak(domain);
        let guard = domain.read_lock();
        let seen = place.look(&guard).unwrap();
        let first = place.publish(false).unwrap();
        let second = place.publish(false).unwrap();
        second.reclaim().unwrap();
        let too_old = Fault::TooOld { stamp: 1, ended: 2 };
        assert_eq!(seen.still(), Err(too_old));
        first.reclaim().unwrap();
    }

    #[test]
    fn a_version_in_which_any_word_differs_is_not_whole() {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let place = Place::leak(domain);
        let guard = domain.read_lock();
        let seen = place.look(&guard).unwrap();
        for number in 0..WORDS {
            let cell = &seen.version.0[number];
            let before = cell.swap(7, Relaxed);
            assert!(seen.whole().is_err(), "word {number}");
            cell.store(before, Relaxed);
        }
        assert!(seen.whole().is_ok());
    }

    #[test]
    fn what_is_written_to_in_quarantine_is_noticed() {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let place = Place::leak(domain);
        let retired = place.publish(false).unwrap();
        let version = retired.version;
        retired.reclaim().unwrap();
        version.0[3].store(1, Relaxed);
        let failed = (0..2 * QUARANTINE).find_map(|_| {
            let published = place.publish(false);
            published.and_then(Retired::reclaim).err()
        });
        assert!(failed.unwrap().to_string().contains("written to"));
    }
}
