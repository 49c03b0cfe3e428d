//! Curves on a logarithmic scale, as SVG.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// One curve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve<'c> {
    /// Its name.
    pub(crate) label: &'c str,
    /// The positions, and the figures measured there.
    pub(crate) points: &'c [(f64, f64)],
    /// The spread of each point's rounds, divided by its value; empty without rounds.
    pub(crate) spread: &'c [f64],
}

/// The names of the two axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axes<'a> {
    pub(crate) right: &'a str,
    pub(crate) up: &'a str,
    /// True if the horizontal axis has powers of two.
    pub(crate) powers: bool,
}

/// The colors of the curves. The first is this library's.
const COLORS: [RGBColor; 10] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 96, 39),
    RGBColor(120, 120, 120),
    RGBColor(44, 140, 60),
    RGBColor(180, 60, 160),
    RGBColor(140, 100, 40),
    RGBColor(0, 150, 150),
    RGBColor(200, 50, 60),
    RGBColor(110, 90, 200),
    RGBColor(170, 150, 0),
];

const WIDTH: u32 = 860;
const HEIGHT: u32 = 420;

/// Returns the curves in one chart, as SVG. A vertical line through a point is the middle half of its rounds.
#[must_use]
pub(crate) fn chart(title: &str, axes: Axes<'_>, curves: &[Curve<'_>]) -> String {
    let mut svg = String::new();
    draw(&mut svg, title, axes, curves).expect("drawing into a string cannot fail");
    svg
}

type Drawn<'a> = Result<
    (),
    DrawingAreaErrorKind<<SVGBackend<'a> as plotters::backend::DrawingBackend>::ErrorType>,
>;

/// Returns the range of some numbers, or a default range if there are none.
fn range(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = values.clone().fold(f64::MAX, f64::min);
    let most = values.fold(f64::MIN, f64::max);
    if least < most {
        (least, most)
    } else {
        (least.min(0.0), least.clamp(0.0, 1e9) + 1.0)
    }
}

fn power(of: f64) -> String {
    match of.round() as u32 {
        kibi @ 10..20 if of == of.round() => format!("{}k", 1 << (kibi - 10)),
        mebi @ 20..30 if of == of.round() => format!("{}M", 1 << (mebi - 20)),
        small if of == of.round() => (1u64 << small.min(9)).to_string(),
        _ => String::new(),
    }
}

fn draw<'a>(svg: &'a mut String, title: &str, axes: Axes<'_>, curves: &[Curve<'_>]) -> Drawn<'a> {
    let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let longest = curves
        .iter()
        .map(|curve| curve.label.len())
        .max()
        .unwrap_or(0) as u32;
    let (plot, legend) = root.split_horizontally(WIDTH - 60 - 7 * longest);
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let (begin, end) = range(points().map(|point| point.0));
    let most = points().map(|point| point.1).fold(2.0, f64::max);
    let least = points().map(|point| point.1).fold(f64::MAX, f64::min);
    // Zero has no place on a logarithmic scale.
    let least = least.clamp(1.0f64.min(most / 100.0), most / 2.0);
    let mut chart = ChartBuilder::on(&plot)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(begin..end, (least * 0.8..most * 1.3).log_scale())?;
    let right = |value: &f64| {
        if axes.powers {
            power(*value)
        } else {
            format!("{value:.0}")
        }
    };
    chart
        .configure_mesh()
        .x_desc(axes.right)
        .y_desc(axes.up)
        .y_labels(6)
        .x_label_formatter(&right)
        .y_label_formatter(&|value| {
            if *value < 10.0 {
                format!("{value}")
            } else {
                format!("{value:.0}")
            }
        })
        .light_line_style(WHITE)
        .label_style(("sans-serif", 13))
        .draw()?;
    for (index, (curve, color)) in curves.iter().zip(COLORS.iter().cycle()).enumerate() {
        let points: Vec<(f64, f64)> = curve
            .points
            .iter()
            .map(|(at, value)| (*at, value.max(least)))
            .collect();
        chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?;
        // Curves over time have too many points to mark them.
        if points.len() < 20 {
            chart.draw_series(
                points
                    .iter()
                    .map(|point| Circle::new(*point, 3, color.filled())),
            )?;
        }
        let whiskers = points
            .iter()
            .zip(curve.spread)
            .map(|((at, value), spread)| {
                let half = value * spread / 2.0;
                PathElement::new(
                    [(*at, (value - half).max(least * 0.8)), (*at, value + half)],
                    color.stroke_width(1),
                )
            });
        chart.draw_series(whiskers)?;
        let height = 60 + 20 * index as i32;
        legend.draw(&PathElement::new(
            [(8, height), (28, height)],
            color.stroke_width(2),
        ))?;
        let anchor = Pos::new(HPos::Left, VPos::Center);
        let style = ("sans-serif", 13).into_text_style(&legend).pos(anchor);
        legend.draw(&Text::new(curve.label.to_owned(), (34, height), style))?;
    }
    root.present()
}

#[cfg(test)]
mod tests {
    use super::{Axes, Curve, chart, power};

    #[test]
    fn curves_carry_their_labels() {
        let curve = |label, points, spread| Curve {
            label,
            points,
            spread,
        };
        let axes = Axes {
            right: "seconds",
            up: "MiB",
            powers: false,
        };
        let svg = chart(
            "title",
            axes,
            &[
                curve("first", &[(0.0, 1.0), (1.0, 100.0)], &[0.1, 0.5]),
                curve("second", &[(0.0, 0.0), (1.0, 2.0)], &[]),
            ],
        );
        for text in ["<svg", "title", "first", "second", "MiB", "polyline"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(chart("none", axes, &[]).contains("none"));
        let one = [curve("one", &[(3.0, 5.0)], &[0.0])];
        assert!(chart("one point", axes, &one).contains("circle"));
    }

    #[test]
    fn powers_of_two_are_written_out() {
        let powers = [0.0, 3.0, 9.0, 10.0, 16.0, 22.0, 2.5].map(power);
        assert_eq!(powers, ["1", "8", "512", "1k", "64k", "4M", ""]);
    }
}
