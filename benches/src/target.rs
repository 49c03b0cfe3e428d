//! The figures that the library aims at, beside the measured ones.

use serde::{Deserialize, Serialize};

use crate::measure::Ratio;
use crate::table::{Table, cell};

/// A figure that the library aims at, beside the measured one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The two figures of the ratio, in words.
    pub what: String,
    /// The upper limit, if there is one.
    pub limit: Option<f64>,
    /// The lower limit, if there is one. Without any limit, the aim is that the figure does not grow.
    pub at_least: Option<f64>,
    /// The measured ratio; `None` if a peer is missing.
    pub measured: Option<Ratio>,
    /// True if the median of the rounds meets the aim.
    pub met: Option<bool>,
}

impl Target {
    /// Returns the target that `measured` is at most `limit`.
    #[must_use]
    pub fn at_most(
        what: impl Into<String>,
        limit: f64,
        measured: Option<impl Into<Ratio>>,
    ) -> Self {
        let measured: Option<Ratio> = measured.map(Into::into);
        Self {
            what: what.into(),
            limit: Some(limit),
            at_least: None,
            measured,
            met: measured.map(|measured| measured.rounds <= limit),
        }
    }

    /// Returns the target that `measured` is at least `limit`.
    #[must_use]
    pub fn at_least(what: impl Into<String>, limit: f64, measured: Option<Ratio>) -> Self {
        Self {
            what: what.into(),
            limit: None,
            at_least: Some(limit),
            measured,
            met: measured.map(|measured| measured.rounds >= limit),
        }
    }

    /// Returns the target that a figure does not grow, which is for a person to judge.
    #[must_use]
    pub fn not_growing(what: impl Into<String>, measured: Option<Ratio>) -> Self {
        Self {
            what: what.into(),
            limit: None,
            at_least: None,
            measured,
            met: None,
        }
    }
}

/// Returns the table of the targets.
#[must_use]
pub fn table(targets: &[Target]) -> Table {
    let mut table = Table::new(&["target", "aim", "measured", "quiet", "met"]);
    for target in targets {
        let aim = match (target.limit, target.at_least) {
            (Some(limit), _) => format!("<= {limit:.2}"),
            (None, Some(least)) => format!(">= {least:.2}"),
            (None, None) => "not growing".to_owned(),
        };
        table.row([
            target.what.clone(),
            aim,
            cell(target.measured.map(|ratio| ratio.rounds)),
            cell(target.measured.map(|ratio| ratio.quiet)),
            target
                .met
                .map_or("-", |met| if met { "yes" } else { "no" })
                .to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn targets_go_both_ways() {
        let met = |target: Target| target.met;
        assert_eq!(met(Target::at_most("", 1.0, Some(0.9))), Some(true));
        assert_eq!(met(Target::at_most("", 1.0, Some(1.1))), Some(false));
        assert_eq!(met(Target::at_most("", 1.0, None::<f64>)), None);
        let ratio = Some(0.9.into());
        assert_eq!(met(Target::at_least("", 1.0, ratio)), Some(false));
        assert_eq!(met(Target::at_least("", 0.8, ratio)), Some(true));
    }
}
