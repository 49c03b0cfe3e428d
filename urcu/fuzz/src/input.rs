//! What the fuzzer's bytes mean: a header, then four bytes for each step of a program.

use arbitrary::{Arbitrary, Result, Unstructured};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One thread takes all steps.
    Alone,
    /// Two take them, one at a time, in the order of the input.
    Turns,
    /// Two take them at once, each its own in order.
    Free,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Step {
    /// The lower seven bits: what to do. The highest: who does it.
    what: u8,
    pub a: u8,
    pub b: u8,
    pub c: u8,
}

impl Step {
    pub fn thread(&self) -> usize {
        usize::from(self.what >> 7)
    }

    pub fn what(&self) -> u8 {
        self.what & 0x7F
    }
}

#[derive(Debug)]
pub struct Input {
    pub mode: Mode,
    /// Runner and budget of the domains that are there from the beginning.
    pub domains: [[u8; 2]; 2],
    /// Kind and domain of the cells.
    pub cells: [u8; 6],
    pub ring: u8,
    pub steps: Vec<Step>,
}

/// So that a program is over in a few milliseconds.
const STEPS: usize = 160;

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let mut input = Input {
            mode: match u8::arbitrary(bytes)? % 4 {
                0 | 1 => Mode::Alone,
                2 => Mode::Turns,
                _ => Mode::Free,
            },
            domains: Arbitrary::arbitrary(bytes)?,
            cells: Arbitrary::arbitrary(bytes)?,
            ring: Arbitrary::arbitrary(bytes)?,
            steps: Vec::new(),
        };
        while input.steps.len() < STEPS && bytes.len() >= size_of::<Step>() {
            input.steps.push(Step::arbitrary(bytes)?);
        }
        Ok(input)
    }
}
