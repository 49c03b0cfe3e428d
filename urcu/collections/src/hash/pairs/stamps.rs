//! Stamps of slots: since when they are empty, in a byte each.

/// The slot was emptied, and nobody has asked yet which grace period is to be waited for.
pub(super) const UNASKED: u8 = 255;
/// Numbers of grace periods are kept modulo this.
const NUMBERS: u64 = 253;

/// What a grace period's number is kept as.
pub(super) fn stamp(number: u64) -> u8 {
    (number % NUMBERS) as u8 + 1
}

/// Returns whether the grace period of a stamp is over, if the last that is over is `last`.
///
/// No number was more than two ahead of the last one when it was kept. So it is never taken for one that is
/// over; and one that was over long ago may look as if it were not, which only leaves a slot empty for longer.
pub(super) fn is_over(stamp: u8, last: u64) -> bool {
    let number = u64::from(stamp) - 1;
    (last % NUMBERS + NUMBERS - number) % NUMBERS < NUMBERS / 2
}

pub(super) fn stamp_at(stamps: u64, slot: usize) -> u8 {
    (stamps >> (8 * slot)) as u8
}

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
                assert!(!is_over(stamp(number), last), "{number} after {last}");
            }
            for later in 0..100 {
                assert!(
                    is_over(stamp(number), number + later),
                    "{number}, {later} later"
                );
            }
            assert!(![0, UNASKED].contains(&stamp(number)));
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
