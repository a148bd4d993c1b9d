//! Rows of fields out of lines, as RFC 4180 has them. Not by a library: those that are had are lenient, and take the rest
//! of a file for one field where a quotation mark was forgotten.

use zeroize::Zeroizing;

/// What a line made of a row.
pub(super) enum Row {
    Whole(Vec<Zeroizing<String>>),
    /// A quoted field goes on in the next line.
    Open,
    /// Something follows the end of a quoted field.
    Malformed,
}

enum Within {
    /// At the beginning of a field.
    Start,
    Plain,
    Quoted,
    /// Behind a quotation mark that ended the field, or is the first of two.
    Closed,
}

/// Reads one row, a line at a time.
pub(super) struct RowReader {
    delimiter: char,
    within: Within,
    field: Zeroizing<String>,
    fields: Vec<Zeroizing<String>>,
}

impl RowReader {
    pub fn new(delimiter: char) -> Self {
        Self { delimiter, within: Within::Start, field: Zeroizing::default(), fields: Vec::new() }
    }

    /// Takes one more line. Not after `Whole` or `Malformed`.
    pub fn line(&mut self, line: &str) -> Row {
        if matches!(self.within, Within::Quoted) {
            self.field.push('\n');
        }
        // A mark of byte order precedes the first row of a file.
        for c in line.strip_prefix('\u{feff}').unwrap_or(line).chars() {
            match (&self.within, c) {
                (Within::Start, '"') => self.within = Within::Quoted,
                (Within::Start | Within::Plain | Within::Closed, c) if c == self.delimiter => {
                    self.end_field()
                }
                (Within::Start | Within::Plain, c) => {
                    self.within = Within::Plain;
                    self.field.push(c);
                }
                (Within::Quoted, '"') => self.within = Within::Closed,
                (Within::Quoted, c) => self.field.push(c),
                (Within::Closed, '"') => {
                    self.within = Within::Quoted;
                    self.field.push('"');
                }
                (Within::Closed, _) => return Row::Malformed,
            }
        }
        if matches!(self.within, Within::Quoted) {
            return Row::Open;
        }
        self.end_field();
        Row::Whole(std::mem::take(&mut self.fields))
    }

    fn end_field(&mut self) {
        self.within = Within::Start;
        self.fields.push(std::mem::take(&mut self.field));
    }
}
