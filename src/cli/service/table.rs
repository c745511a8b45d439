//! Rows below a line of headings, and times as people read them.

use crate::config::error::one_line;
use crate::model::utc::Utc;

/// The columns lined up, two blanks between them; ends in a line break. What others wrote moves no cursor.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let rows = rows.iter();
    let rows: Vec<Vec<String>> = rows
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `2026-10-03T09:15:44Z` of epoch seconds; with milliseconds where there are any.
pub fn moment(epoch_s: f64) -> String {
    // Out of range it is the nearest that there is.
    let utc = Utc::at((epoch_s * 1000.0).round() as u64);
    match utc.millisecond {
        0 => utc.seconds(),
        _ => utc.milliseconds(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_moves_the_cursor() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["A", "LONG", "C"]), row(["é\u{1b}[2J", "b", ""])];
        assert_eq!(aligned(&rows), "A           LONG  C\né\\u{1b}[2J  b\n");
    }

    #[test]
    fn times_are_those_of_utc() {
        for (epoch_s, shown) in [
            (0.0, "1970-01-01T00:00:00Z"),
            (1_789_650_000.25, "2026-09-17T13:00:00.250Z"),
            (-1.0, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(moment(epoch_s), shown);
        }
    }
}
