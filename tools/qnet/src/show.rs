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
    let mut text_of = serde_json::to_string_pretty(value)
        .map_err(|error| Problem::new(format!("JSON: {error}")))?;
    text_of.push('\n');
    text(&text_of)
}

/// Shows a line.
pub(crate) fn line(words: &str) -> Result<(), Problem> {
    text(&format!("{words}\n"))
}

/// Shows a text as it is.
pub(crate) fn text(words: &str) -> Result<(), Problem> {
    match io::stdout().write_all(words.as_bytes()) {
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Problem::new(format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::Setting;

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
