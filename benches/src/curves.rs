//! Curves on a logarithmic scale, as SVG.

use plotters::prelude::*;

/// One curve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve<'c> {
    /// Its name.
    pub(crate) label: &'c str,
    /// Where, and what was measured there.
    pub(crate) points: &'c [(f64, f64)],
}

/// The first is ours.
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

/// Returns the curves in one chart, as SVG; `axes` name what runs to the right and upwards.
#[must_use]
pub(crate) fn chart(title: &str, axes: (&str, &str), curves: &[Curve<'_>]) -> String {
    let mut svg = String::new();
    draw(&mut svg, title, axes, curves).expect("drawing into a string cannot fail");
    svg
}

type Drawn<'a> = Result<
    (),
    DrawingAreaErrorKind<<SVGBackend<'a> as plotters::backend::DrawingBackend>::ErrorType>,
>;

fn draw<'a>(
    svg: &'a mut String,
    title: &str,
    axes: (&str, &str),
    curves: &[Curve<'_>],
) -> Drawn<'a> {
    let root = SVGBackend::with_string(svg, (860, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|curve| curve.points);
    let end = points().map(|point| point.0).fold(1e-3, f64::max);
    let least = points().map(|point| point.1).fold(f64::MAX, f64::min);
    let most = points().map(|point| point.1).fold(2.0, f64::max);
    // Zero has no place on a logarithmic scale.
    let least = least.clamp(1.0, most / 2.0);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..end, (least * 0.8..most * 1.5).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(axes.0)
        .y_desc(axes.1)
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(WHITE)
        .label_style(("sans-serif", 13))
        .draw()?;
    for (curve, color) in curves.iter().zip(COLORS.iter().cycle()) {
        let points = curve
            .points
            .iter()
            .map(|(at, value)| (*at, value.max(least)));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(curve.label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .border_style(BLACK)
        .background_style(WHITE)
        .label_font(("sans-serif", 13))
        .draw()?;
    root.present()
}

#[cfg(test)]
mod tests {
    use super::{Curve, chart};

    #[test]
    fn curves_carry_their_labels() {
        let curve = |label, points| Curve { label, points };
        let svg = chart(
            "title",
            ("seconds", "MiB"),
            &[
                curve("first", &[(0.0, 1.0), (1.0, 100.0)]),
                curve("second", &[(0.0, 0.0), (1.0, 2.0)]),
            ],
        );
        for text in ["<svg", "title", "first", "second", "MiB", "polyline"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(chart("none", ("", ""), &[]).contains("none"));
    }
}
