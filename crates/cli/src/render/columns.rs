//! Rows as aligned columns without any lines, which a person reads as a table and `awk` as fields.

use comfy_table::{ContentArrangement, Table, presets};

/// Lines of aligned columns, indented by two, without trailing blanks.
pub(super) fn columns(rows: Vec<Vec<String>>) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let width = rows.iter().map(Vec::len).max().unwrap_or_default();
    for mut row in rows {
        row.resize(width, String::new());
        table.add_row(row);
    }
    for (nth, column) in table.column_iter_mut().enumerate() {
        // The first column is the sign or the word that the line begins with, close to what it is about.
        column.set_padding((0, if nth == 0 { 1 } else { 2 }));
    }
    table.lines().map(|line| format!("  {}", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_have_no_trailing_blanks() {
        let rows = vec![vec!["+".into(), "10.200.0.0/24".into(), "a".into()], vec!["~".into(), "x".into()]];
        assert_eq!(columns(rows), ["  + 10.200.0.0/24  a", "  ~ x"]);
    }
}
