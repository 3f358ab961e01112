//! What commands print: aligned tables for people, JSON for programs.
//!
//! Every write can fail with a closed pipe, which `print!` would turn into a panic.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// One value as indented JSON and a newline.
///
/// # Errors
/// What writing gives.
pub(crate) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// One value as a line of JSON.
///
/// # Errors
/// What writing gives.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// Text in bold, if standard output is a terminal whose user has not asked for none (`NO_COLOR`).
pub(crate) fn bold(text: &str) -> String {
    let wanted = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if wanted { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Rows that arrive in batches and end up aligned, or as one JSON array.
///
/// Widths only grow, so a later batch with longer cells is wider than the ones before it.
pub(crate) enum List<const N: usize> {
    Table { header: Option<[&'static str; N]>, widths: [usize; N] },
    Array { empty: bool },
}

impl<const N: usize> List<N> {
    /// A list that begins with its first batch.
    pub(crate) fn new(json: bool, header: [&'static str; N]) -> Self {
        if json {
            Self::Array { empty: true }
        } else {
            Self::Table { header: Some(header), widths: header.map(str::len) }
        }
    }

    /// Writes a batch; `cells` gives a row's texts.
    ///
    /// # Errors
    /// What writing gives.
    pub(crate) fn batch<T: Serialize>(
        &mut self,
        out: &mut impl Write,
        rows: &[T],
        cells: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        match self {
            Self::Array { empty } => rows.iter().try_for_each(|row| {
                out.write_all(if std::mem::take(empty) { b"[\n  " } else { b",\n  " })?;
                Ok(serde_json::to_writer(&mut *out, row)?)
            }),
            Self::Table { header, widths } => {
                let rows: Vec<[String; N]> = rows.iter().map(cells).collect();
                grow(widths, &rows);
                if let Some(header) = header.take() {
                    line(out, &header.map(str::to_owned), widths)?;
                }
                rows.iter().try_for_each(|row| line(out, row, widths))
            }
        }
    }

    /// Ends the list.
    ///
    /// # Errors
    /// What writing gives.
    pub(crate) fn end(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Array { empty: true } => out.write_all(b"[]\n")?,
            Self::Array { empty: false } => out.write_all(b"\n]\n")?,
            Self::Table { .. } => {}
        }
        out.flush()
    }
}

fn grow<const N: usize>(widths: &mut [usize; N], rows: &[[String; N]]) {
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
}

fn line<const N: usize>(out: &mut impl Write, cells: &[String; N], widths: &[usize; N]) -> io::Result<()> {
    let padded: String = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
    writeln!(out, "{}", padded.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(json: bool, batches: &[&[(&str, u32)]]) -> String {
        let mut out = Vec::new();
        let mut list = List::new(json, ["NAME", "N"]);
        for batch in batches {
            list.batch(&mut out, batch, |(name, n)| [(*name).to_owned(), n.to_string()]).unwrap();
        }
        list.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_by_characters_with_one_header() {
        let text = listed(false, &[&[("Zoë Müller", 1), ("a", 22)], &[("b", 3)]]);
        assert_eq!(text, "NAME        N\nZoë Müller  1\na           22\nb           3\n");
    }

    #[test]
    fn an_empty_table_still_has_its_header() {
        assert_eq!(listed(false, &[&[]]), "NAME  N\n");
    }

    #[test]
    fn batches_are_one_json_value() {
        let (none, one, two): (&[(&str, u32)], &[_], &[_]) = (&[], &[("a", 1)], &[("b", 2), ("c", 3)]);
        for batches in [vec![], vec![none], vec![one], vec![one, two], vec![none, two, one]] {
            let expected: Vec<_> = batches.concat();
            let read: serde_json::Value = serde_json::from_str(&listed(true, &batches)).unwrap();
            assert_eq!(read, serde_json::json!(expected));
        }
    }

    #[test]
    fn a_write_that_fails_is_an_error_of_its_kind() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(json(&mut Closed, &1).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut list = List::new(true, ["N"]);
        let failed = list.batch(&mut Closed, &[1], |n| [n.to_string()]);
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
