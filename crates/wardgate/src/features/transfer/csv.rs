//! Rows of CSV.

/// Takes the lines of one row of CSV apart (RFC 4180 section 2), strictly: a quote stands around a whole field, and
/// twice for one inside.
#[derive(Default)]
pub(super) struct Splitter {
    cells: Vec<String>,
    cell: String,
    state: Cell,
    fault: Option<&'static str>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Cell {
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first of two.
    Closed,
}

impl Splitter {
    /// Takes a line without its end; `false` if the row goes on in the next one.
    pub(super) fn push_line(&mut self, line: &str) -> bool {
        for c in line.chars() {
            self.state = self.step(c);
        }
        if self.state == Cell::Quoted {
            self.cell.push('\n');
        }
        self.state != Cell::Quoted
    }

    fn step(&mut self, c: char) -> Cell {
        match (self.state, c) {
            (Cell::Start, '"') => return Cell::Quoted,
            (Cell::Quoted, '"') => return Cell::Closed,
            (Cell::Start | Cell::Plain | Cell::Closed, ',') => {
                self.cells.push(std::mem::take(&mut self.cell));
                return Cell::Start;
            }
            (Cell::Quoted, _) | (Cell::Closed, '"') => {
                self.cell.push(c);
                return Cell::Quoted;
            }
            (Cell::Plain, '"') => {
                self.fault = Some("has a quote inside a field that does not begin with one");
            }
            (Cell::Closed, _) => {
                self.fault = Some("has something between a closing quote and the next comma");
            }
            (Cell::Start | Cell::Plain, _) => self.cell.push(c),
        }
        Cell::Plain
    }

    /// The cells of a complete row, or what is wrong with it.
    pub(super) fn cells(mut self) -> Result<Vec<String>, &'static str> {
        self.cells.push(self.cell);
        self.fault.map_or(Ok(self.cells), Err)
    }
}
