//! Throughput and latency against concurrency, as an SVG drawing that any browser shows.

use std::fmt::Write as _;

use super::report::{Report, Row};

const WIDTH: f64 = 720.0;
const PANEL: f64 = 260.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 45.0;

/// Of a report: a panel of events a second, and where the load was paced one of latencies.
pub fn svg(report: &Report) -> String {
    let latencies = report.rows.iter().any(|row| row.latency.is_some());
    let height = PANEL * if latencies { 2.0 } else { 1.0 };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let throughput: Vec<f64> = report.rows.iter().map(|row| row.events_per_s).collect();
    panel(
        &mut out,
        0.0,
        "events a second",
        &report.rows,
        &[("events/s", "#1f6feb", throughput)],
    );
    if latencies {
        let of = |pick: fn(&super::gauge::Latency) -> f64| -> Vec<f64> {
            let ms = |row: &Row| row.latency.as_ref().map_or(0.0, pick);
            report.rows.iter().map(ms).collect()
        };
        let series = [
            ("p50", "#2da44e", of(|latency| latency.p50_ms)),
            ("p99", "#bf8700", of(|latency| latency.p99_ms)),
            ("p99.9", "#cf222e", of(|latency| latency.p999_ms)),
        ];
        panel(
            &mut out,
            PANEL,
            "arrival to invocation, milliseconds",
            &report.rows,
            &series,
        );
    }
    out.push_str("</svg>\n");
    out
}

fn panel(out: &mut String, top: f64, title: &str, rows: &[Row], series: &[(&str, &str, Vec<f64>)]) {
    let highest = series
        .iter()
        .flat_map(|(_, _, values)| values)
        .fold(0.0_f64, |a, b| a.max(*b));
    let scale = round_up(highest);
    let (floor, ceiling) = (top + PANEL - BOTTOM, top + TOP);
    let x = |index: usize| {
        LEFT + (WIDTH - LEFT - RIGHT) * (index as f64 + 0.5) / rows.len().max(1) as f64
    };
    let y = |value: f64| floor - (floor - ceiling) * value / scale;
    // Writing into a text does not fail.
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>",
        top + 22.0
    );
    for part in 0..=4 {
        let value = scale * f64::from(part) / 4.0;
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#d0d7de\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y(value) + 4.0,
            y = y(value),
        );
    }
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(index),
            floor + 18.0,
            row.concurrency
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">concurrency</text>",
        WIDTH - RIGHT,
        floor + 36.0
    );
    for (place, (name, colour, values)) in series.iter().enumerate() {
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(index, value)| format!("{:.1},{:.1}", x(index), y(*value)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for point in &points {
            let (cx, cy) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(
                out,
                "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"3\" fill=\"{colour}\"/>"
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" text-anchor=\"end\">{name}</text>",
            WIDTH - RIGHT - 60.0 * place as f64,
            top + 22.0
        );
    }
}

/// The next of 1, 2, 4, 8, 10, 20, 40 and so on: a quarter of it is short to write.
fn round_up(value: f64) -> f64 {
    let mut power = 0.001;
    loop {
        for step in [1.0, 2.0, 4.0, 8.0] {
            if value <= power * step {
                return power * step;
            }
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_short_number_above_the_highest_value() {
        for (value, end) in [(0.0, 0.001), (7.0, 8.0), (8.5, 10.0), (34_500.0, 40_000.0)] {
            assert!((round_up(value) - end).abs() < end * 1e-9, "{value}");
        }
    }
}
