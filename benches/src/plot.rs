//! The report as a page: `index.html` and the plots that it shows.

use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use plotters::coord::ranged1d::IntoSegmentedCoord;
use plotters::prelude::*;

use crate::curves::{self, Curve};
use crate::report::{NOTE, Report};

/// Why a file of the report could not be written.
#[derive(Debug)]
pub struct PlotError(String);

impl fmt::Display for PlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlotError {}

/// One bar.
struct Bar {
    label: String,
    value: f64,
    ours: bool,
}

/// Writes the page and its plots into `directory`, which is there already.
///
/// # Errors
///
/// Fails if a file cannot be written; the error names it.
pub fn write(report: &Report, directory: &Path) -> Result<(), PlotError> {
    let sections: Vec<Bar> = report
        .sections
        .iter()
        .map(|section| Bar {
            label: section.name.to_owned(),
            value: section.median_ns,
            ours: section.name.starts_with("urcu"),
        })
        .collect();
    let grace: Vec<Bar> = report
        .synchronize
        .iter()
        .map(|result| Bar {
            label: format!("{}, {}", result.library, result.label()),
            value: result.median_us,
            ours: result.library == "urcu",
        })
        .collect();
    let updates: Vec<Bar> = report
        .updates
        .iter()
        .map(|result| Bar {
            label: result.name.to_owned(),
            value: result.median_ns,
            ours: result.name.starts_with("urcu"),
        })
        .collect();
    let charts = [
        ("sections.svg", "A read-side section (median, ns)", sections),
        ("synchronize.svg", "synchronize (median, us)", grace),
        (
            "updates.svg",
            "Swap a 24-byte box and retire the old one (median, ns)",
            updates,
        ),
    ];
    for (name, title, bars) in charts.iter().filter(|(.., bars)| !bars.is_empty()) {
        save(&directory.join(name), &bar_chart(title, bars))?;
    }
    for (name, title, stalled) in [
        ("memory.svg", "2 threads replace 1 KiB: MiB resident", false),
        (
            "memory-stalled.svg",
            "The same, a reader stalls for half of the time: MiB resident",
            true,
        ),
    ] {
        let results = report.memory.iter();
        let curves: Vec<Curve<'_>> = results
            .filter(|result| result.stalled == stalled)
            .map(|result| Curve {
                label: &result.library,
                points: &result.samples,
            })
            .collect();
        if !curves.is_empty() {
            save(&directory.join(name), &curves::chart(title, &curves))?;
        }
    }
    save(&directory.join("index.html"), &page(report))
}

fn save(path: &Path, text: &str) -> Result<(), PlotError> {
    fs::write(path, text)
        .map_err(|error| PlotError(format!("cannot write {}: {error}", path.display())))
}

/// Horizontal bars from zero, the first on top, as SVG.
fn bar_chart(title: &str, bars: &[Bar]) -> String {
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
        let place = (bar.value + most * 0.008, SegmentValue::CenterOf(row(index)));
        let anchor = plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Left,
            plotters::style::text_anchor::VPos::Center,
        );
        let style = ("sans-serif", 13).into_text_style(&root).pos(anchor);
        chart.draw_series([Text::new(format!("{:.2}", bar.value), place, style)])?;
    }
    root.present()
}

fn page(report: &Report) -> String {
    let mut html = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>urcu-percpu beside its peers</title>\n<style>\n\
         body { font: 15px/1.5 sans-serif; max-width: 900px; margin: 2em auto; padding: 0 1em; }\n\
         table { border-collapse: collapse; margin: 1em 0; }\n\
         th, td { padding: 2px 12px; text-align: right; border-bottom: 1px solid #ddd; }\n\
         th:first-child, td:first-child { text-align: left; }\n\
         img { max-width: 100%; }\n</style>\n</head>\n<body>\n\
         <h1>urcu-percpu beside its peers</h1>\n",
    );
    let _ = writeln!(html, "<p>{}</p>", escape(&report.machine_line()));
    for skipped in &report.skipped {
        let _ = writeln!(html, "<p>Skipped: {}</p>", escape(skipped));
    }
    for part in report.parts() {
        let title = part.title;
        let _ = writeln!(html, "<h2>{title}</h2>");
        for plot in part.plots {
            let _ = writeln!(html, "<p><img src=\"{plot}\" alt=\"{title}\"></p>");
        }
        html.push_str(&html_table(part.table.rows()));
    }
    let _ = writeln!(html, "<p>{}</p>\n</body>\n</html>", escape(NOTE.trim_end()));
    html
}

fn html_table(table: &[Vec<String>]) -> String {
    let mut html = String::from("<table>\n");
    for (index, row) in table.iter().enumerate() {
        let tag = if index == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Bar, bar_chart, escape, html_table};

    #[test]
    fn bars_carry_their_labels() {
        let bar = |label: &str, value| Bar {
            label: label.to_owned(),
            value,
            ours: false,
        };
        let svg = bar_chart(
            "title",
            &[
                bar("first", 1.25),
                bar("second", f64::NAN),
                bar("third", 3.0),
            ],
        );
        for text in ["<svg", "title", "first", "second", "third", "1.25", "3.00"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(bar_chart("none", &[]).contains("none"));
    }

    #[test]
    fn html_is_escaped() {
        assert_eq!(escape("a<b & c>d"), "a&lt;b &amp; c&gt;d");
        let html = html_table(&[vec!["<x>".to_owned()]]);
        assert!(html.contains("<th>&lt;x&gt;</th>"));
    }
}
