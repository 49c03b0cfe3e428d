//! Bars, as SVG.

use plotters::coord::ranged1d::IntoSegmentedCoord;
use plotters::prelude::*;

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// The name of the bar.
    pub(crate) label: String,
    /// The length of the bar.
    pub(crate) value: f64,
    /// The beginning and the end of the middle half of the rounds.
    pub(crate) middle: Option<(f64, f64)>,
    /// True if it is this library's.
    pub(crate) ours: bool,
}

/// Returns horizontal bars from zero, the first on top, as SVG. A line across the end of a bar is the
/// middle half of the rounds.
#[must_use]
pub(crate) fn chart(title: &str, bars: &[Bar]) -> String {
    let mut svg = String::new();
    draw(&mut svg, title, bars).expect("drawing into a string cannot fail");
    svg
}

type Drawn<'a> = Result<
    (),
    DrawingAreaErrorKind<<SVGBackend<'a> as plotters::backend::DrawingBackend>::ErrorType>,
>;

fn draw<'a>(svg: &'a mut String, title: &str, bars: &[Bar]) -> Drawn<'a> {
    let height = 110 + 34 * bars.len() as u32;
    let root = SVGBackend::with_string(svg, (860, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let most = bars
        .iter()
        .map(|bar| bar.value)
        .filter(|value| value.is_finite());
    let most = most.fold(f64::MIN_POSITIVE, f64::max) * 1.15;
    let rows = bars.len().max(1);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(220)
        .build_cartesian_2d(0.0..most, (0..rows - 1).into_segmented())?;
    // The axis counts upwards, the table downwards.
    let row = |index: usize| rows - 1 - index;
    let label = |segment: &SegmentValue<usize>| match segment {
        SegmentValue::CenterOf(index) | SegmentValue::Exact(index) => bars
            .get(row(*index))
            .map_or(String::new(), |bar| bar.label.clone()),
        SegmentValue::Last => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .y_labels(rows)
        .y_label_formatter(&label)
        .label_style(("sans-serif", 13))
        .draw()?;
    for (index, bar) in bars
        .iter()
        .enumerate()
        .filter(|(_, bar)| bar.value.is_finite())
    {
        let color = if bar.ours {
            RGBColor(31, 119, 180)
        } else {
            RGBColor(150, 150, 150)
        };
        let (low, high) = (
            SegmentValue::Exact(row(index)),
            SegmentValue::Exact(row(index) + 1),
        );
        let mut body = Rectangle::new([(0.0, low), (bar.value, high)], color.filled());
        body.set_margin(5, 5, 0, 0);
        chart.draw_series([body])?;
        if let Some((low, high)) = bar.middle {
            let middle = SegmentValue::CenterOf(row(index));
            let ends = [(low, middle.clone()), (high, middle)];
            chart.draw_series([PathElement::new(ends, BLACK.stroke_width(2))])?;
        }
        let end = bar
            .middle
            .map_or(bar.value, |(_, high)| high.max(bar.value));
        let place = (end + most * 0.008, SegmentValue::CenterOf(row(index)));
        let anchor = plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Left,
            plotters::style::text_anchor::VPos::Center,
        );
        let style = ("sans-serif", 13).into_text_style(&root).pos(anchor);
        chart.draw_series([Text::new(format!("{:.2}", bar.value), place, style)])?;
    }
    root.present()
}

#[cfg(test)]
mod tests {
    use super::{Bar, chart};

    #[test]
    fn bars_carry_their_labels() {
        let bar = |label: &str, value| Bar {
            label: label.to_owned(),
            value,
            middle: Some((value * 0.9, value * 1.1)),
            ours: false,
        };
        let bars = [
            bar("first", 1.25),
            bar("second", f64::NAN),
            bar("third", 3.0),
        ];
        let svg = chart("title", &bars);
        for text in ["<svg", "title", "first", "second", "third", "1.25", "3.00"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(chart("none", &[]).contains("none"));
    }
}
