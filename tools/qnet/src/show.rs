// SPDX-License-Identifier: GPL-2.0

//! Tables for people, JSON for programs.

use std::io::{
    self,
    Write, //
};

use comfy_table::{
    presets,
    Table as Drawn, //
};
use serde::Serialize;

use crate::problem::Problem;

/// What can be shown as a row of a table.
pub(crate) trait Table: Serialize {
    /// The heads of the columns.
    const HEAD: &'static [&'static str];

    /// What is in them.
    fn cells(&self) -> Vec<String>;
}

/// A text, or a dash for none.
pub(crate) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

/// A time in words that are read at a glance.
pub(crate) fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// Shows rows.
pub(crate) fn rows<T: Table>(as_json: bool, rows: &[T]) -> Result<(), Problem> {
    if as_json {
        return json(rows);
    }
    text(&drawn(rows))
}

/// A table without lines, so that it can be cut into columns by simple tools.
fn drawn<T: Table>(rows: &[T]) -> String {
    let mut table = Drawn::new();
    table.load_preset(presets::NOTHING);
    table.set_header(T::HEAD.iter().copied());
    for row in rows {
        table.add_row(row.cells());
    }
    let count = table.column_count();
    for (n, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if n + 1 == count { 0 } else { 2 }));
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// Shows anything as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Problem> {
    line(&serde_json::to_string_pretty(value).map_err(not_json)?)
}

/// Shows anything as JSON on one line. Says whether somebody still reads.
pub(crate) fn json_line<T: Serialize + ?Sized>(value: &T) -> Result<bool, Problem> {
    line_if_read(&serde_json::to_string(value).map_err(not_json)?)
}

fn not_json(error: serde_json::Error) -> Problem {
    Problem::new(format!("JSON: {error}"))
}

/// Shows a line.
pub(crate) fn line(words: &str) -> Result<(), Problem> {
    text(&format!("{words}\n"))
}

/// Shows a line at once. Says whether somebody still reads.
pub(crate) fn line_if_read(words: &str) -> Result<bool, Problem> {
    written(&format!("{words}\n"))
}

/// Shows a text as it is.
pub(crate) fn text(words: &str) -> Result<(), Problem> {
    // Whoever does not read any more has seen enough.
    written(words).map(|_| ())
}

fn written(words: &str) -> Result<bool, Problem> {
    let mut out = io::stdout();
    match out.write_all(words.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Problem::new(format!("standard output: {error}"))),
        Ok(()) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::Setting;

    #[test]
    fn times() {
        assert_eq!(time(0), "0 ms");
        assert_eq!(time(999), "999 ms");
        assert_eq!(time(30_500), "30 s");
        assert_eq!(time(180_000), "3 min");
        assert_eq!(time(10_000_000), "2 h");
    }

    #[test]
    fn columns() {
        let rows = [
            Setting {
                name: "auto_add".into(),
                value: "150".into(),
            },
            Setting {
                name: "host".into(),
                value: String::new(),
            },
        ];
        assert_eq!(
            drawn(&rows),
            "OPTION    VALUE\nauto_add  150\nhost      -\n"
        );
        assert_eq!(drawn::<Setting>(&[]), "OPTION  VALUE\n");
    }
}
