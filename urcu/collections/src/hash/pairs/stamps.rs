//! Stamps: one byte for each slot, which says after which grace period the slot may be filled again.

/// The slot was emptied, and its grace period is not determined yet.
pub(super) const UNASKED: u8 = 255;
/// The modulus of the numbers of grace periods in stamps.
const NUMBERS: u64 = 253;

/// Returns the stamp of a grace period's number.
pub(super) fn stamp(number: u64) -> u8 {
    (number % NUMBERS) as u8 + 1
}

/// The last grace period that is over, as stamps count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now(u8);

impl Now {
    #[inline]
    pub(super) fn of(last: u64) -> Now {
        Now((last % NUMBERS) as u8)
    }

    /// Returns whether the grace period of a stamp is over. That of [`UNASKED`] never is.
    ///
    /// When a stamp is made, its number is at most two ahead of the last grace period that is over. So a grace
    /// period that is not over never looks as if it were. One that was over long ago may look as if it were not,
    /// which only leaves a slot empty for longer.
    #[inline]
    pub(super) fn is_after(self, stamp: u8) -> bool {
        const MODULUS: i32 = NUMBERS as i32;
        let since = i32::from(self.0) + 1 - i32::from(stamp);
        let since = if since < 0 { since + MODULUS } else { since };
        stamp != UNASKED && since < MODULUS / 2
    }
}

#[inline]
pub(super) fn stamp_at(stamps: u64, slot: usize) -> u8 {
    (stamps >> (8 * slot)) as u8
}

#[inline]
pub(super) fn with_stamp(stamps: u64, slot: usize, stamp: u8) -> u64 {
    stamps & !(0xff << (8 * slot)) | u64::from(stamp) << (8 * slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::bucket::SLOTS as ROOM;

    #[test]
    fn the_stamp_of_a_grace_period_says_that_it_is_over_from_its_end_on() {
        for number in 0..3 * NUMBERS {
            for ahead in 1..=2 {
                let Some(last) = number.checked_sub(ahead) else {
                    continue;
                };
                assert!(
                    !Now::of(last).is_after(stamp(number)),
                    "{number} after {last}"
                );
            }
            for later in 0..100 {
                assert!(
                    Now::of(number + later).is_after(stamp(number)),
                    "{number}, {later} later"
                );
            }
            assert!(![0, UNASKED].contains(&stamp(number)));
            assert!(!Now::of(number).is_after(UNASKED), "{number}");
        }
    }

    #[test]
    fn a_stamp_changes_no_other_one() {
        for slot in 0..ROOM {
            let stamps = with_stamp(u64::MAX, slot, 7);
            for other in 0..ROOM {
                let expected = if other == slot { 7 } else { 255 };
                assert_eq!(stamp_at(stamps, other), expected);
            }
        }
    }
}
