//! Cuts a file into its records, with the number of the line each begins at, without ever holding more than one.

use std::io::{self, BufRead};

use super::csv::Splitter;
use super::model::{LineFault, TransferFormat};

/// The longest record, in bytes; as much as a request body may have (S-145).
const MAX_RECORD: usize = 64 * 1024;

/// What the next lines are.
pub(super) enum Record {
    /// A line of JSON.
    Json(u64, String),
    /// The cells of a row of CSV.
    Cells(u64, Vec<String>),
    /// No record, and why.
    Broken(LineFault),
}

/// A file as a sequence of records.
pub(super) struct Records<R> {
    input: R,
    format: TransferFormat,
    /// Of the last line read.
    line: u64,
    /// How many bytes were read.
    bytes: u64,
}

/// A line without its end.
enum Line {
    Text(String),
    TooLong,
    NotUtf8,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R, format: TransferFormat) -> Self {
        Self { input, format, line: 0, bytes: 0 }
    }

    /// What the records are.
    pub(super) fn format(&self) -> TransferFormat {
        self.format
    }

    /// How much was read, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next record that is not an empty line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        while let Some(line) = self.line(MAX_RECORD)? {
            let number = self.line;
            let text = match line {
                Line::Text(text) if text.trim().is_empty() => continue,
                Line::Text(text) => text,
                Line::TooLong => return Ok(Some(too_long(number))),
                Line::NotUtf8 => return Ok(Some(not_utf8(number, number))),
            };
            return match self.format {
                TransferFormat::JsonLines => Ok(Some(Record::Json(number, text))),
                TransferFormat::Csv => self.row(number, &text).map(Some),
            };
        }
        Ok(None)
    }

    /// A row that begins with `text`; a line end in quotes belongs to its field (RFC 4180 section 2.6).
    fn row(&mut self, first: u64, text: &str) -> io::Result<Record> {
        let mut splitter = Splitter::default();
        let mut length = text.len();
        let mut complete = splitter.push_line(text);
        while !complete {
            match self.line(MAX_RECORD.saturating_sub(length))? {
                Some(Line::Text(text)) => {
                    length += text.len() + 1;
                    complete = splitter.push_line(&text);
                }
                Some(Line::NotUtf8) => return Ok(not_utf8(first, self.line)),
                // What follows is read as rows again: there is no telling where the quote should have ended.
                Some(Line::TooLong) | None => return Ok(unclosed(first, self.line)),
            }
        }
        Ok(match splitter.cells() {
            Ok(cells) => Record::Cells(first, cells),
            Err(what) => {
                Record::Broken(LineFault::whole(first, "malformed_csv", extent(what, first, self.line)))
            }
        })
    }

    /// The next line, of which no more than `room` bytes are kept; the rest of a longer one is passed over.
    fn line(&mut self, room: usize) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let (mut any, mut too_long) = (false, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let kept = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= bytes.len() + kept.len() > room;
            if !too_long {
                bytes.extend_from_slice(kept);
            }
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            self.bytes += used as u64;
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.line += 1;
        if too_long {
            return Ok(Some(Line::TooLong));
        }
        let Ok(mut text) = String::from_utf8(bytes) else { return Ok(Some(Line::NotUtf8)) };
        if text.ends_with('\r') {
            text.pop();
        }
        // What Windows puts before a file, which no name of a column begins with.
        if self.line == 1 && text.starts_with('\u{feff}') {
            text.remove(0);
        }
        Ok(Some(Line::Text(text)))
    }
}

fn too_long(line: u64) -> Record {
    Record::Broken(LineFault::whole(line, "too_long", "is longer than 64 KiB"))
}

fn not_utf8(first: u64, last: u64) -> Record {
    Record::Broken(LineFault::whole(first, "not_utf8", extent("is not UTF-8 text", first, last)))
}

fn unclosed(first: u64, last: u64) -> Record {
    let what = extent("has a quote that is not closed within 64 KiB or before the end", first, last);
    Record::Broken(LineFault::whole(first, "malformed_csv", what))
}

/// Says which lines went with the first one.
fn extent(what: &str, first: u64, last: u64) -> String {
    if first == last {
        what.to_owned()
    } else {
        format!("{what}; all to line {last} was taken as part of it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: TransferFormat, text: &[u8]) -> Vec<String> {
        // Small chunks, so that every line lies across several.
        let mut records = Records::new(io::BufReader::with_capacity(3, text), format);
        let mut found = Vec::new();
        while let Some(record) = records.next().unwrap() {
            found.push(match record {
                Record::Json(line, text) => format!("{line}: {text}"),
                Record::Cells(line, cells) => format!("{line}: {}", cells.join("|")),
                Record::Broken(fault) => format!("{}! {}", fault.line, fault.code),
            });
        }
        assert_eq!(records.bytes(), text.len() as u64);
        found
    }

    #[test]
    fn lines_keep_their_numbers_whatever_ends_them() {
        let text = "\u{feff}{}\r\n\n  \n{\"a\":1}\r\n\u{feff}x\nlast".as_bytes();
        assert_eq!(
            read(TransferFormat::JsonLines, text),
            ["1: {}", "4: {\"a\":1}", "5: \u{feff}x", "6: last"]
        );
        assert!(read(TransferFormat::JsonLines, b"").is_empty());
        assert!(read(TransferFormat::Csv, b"\n\n").is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_passed_over() {
        let mut text = vec![b'x'; MAX_RECORD];
        text.extend_from_slice(b"\nshort\n");
        text.extend(vec![b'y'; MAX_RECORD + 1]);
        text.extend_from_slice(b"\n\xff\nend\n");
        let found = read(TransferFormat::JsonLines, &text);
        assert_eq!(found[1..], ["2: short", "3! too_long", "4! not_utf8", "5: end"]);
        assert_eq!(found[0].len(), MAX_RECORD + 3);
    }

    #[test]
    fn quoted_line_ends_belong_to_the_row() {
        let text = b"a,b\n\"one\r\ntwo\",\"say \"\"hi\"\"\"\n,\n\"\",x\n";
        assert_eq!(read(TransferFormat::Csv, text), ["1: a|b", "2: one\ntwo|say \"hi\"", "4: |", "5: |x"]);
    }

    #[test]
    fn quotes_in_the_wrong_place_spoil_their_row_only() {
        let text = b"a\"b,c\n1,2\n\"x\"y,3\n4,5\n\"open,6\n7,8";
        let found = read(TransferFormat::Csv, text);
        assert_eq!(found, ["1! malformed_csv", "2: 1|2", "3! malformed_csv", "4: 4|5", "5! malformed_csv"]);
    }

    #[test]
    fn a_quote_left_open_does_not_take_the_rest_of_a_long_file_with_it() {
        let mut text = b"\"open,1\n".to_vec();
        for _ in 0..MAX_RECORD / 4 {
            text.extend_from_slice(b"1,2\n");
        }
        text.extend_from_slice(b"3,4\n");
        let found = read(TransferFormat::Csv, &text);
        assert_eq!(found[0], "1! malformed_csv");
        assert!(found.last().unwrap().ends_with(": 3|4"), "{:?}", found.last());
        assert!(found[1..].iter().all(|row| !row.contains('!')));
    }
}
