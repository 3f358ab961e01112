//! `wardgate import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;

use wardgate::{ImportError, ImportedBatch, LineFault, TenantId, TransferFormat, UserImport, Wardgate};

use crate::cli::{Common, Import};
use crate::failure::Failure;
use crate::progress::Progress;

/// What became of the lines so far.
#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    made: u64,
    already_there: u64,
    refused: u64,
}

impl Totals {
    fn add(&mut self, batch: &ImportedBatch) {
        self.made += batch.made;
        self.already_there += batch.already_there;
        self.refused += batch.refused;
    }

    fn text(self, dry_run: bool) -> String {
        let Self { made, already_there, refused } = self;
        let verb = if dry_run { "would be made" } else { "made" };
        format!("{made} {verb}, {already_there} already there, {refused} refused")
    }
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read or is of no known format; any line that was refused.
pub(crate) async fn run(common: &Common, command: Import) -> Result<(), Failure> {
    let Import::Users { file, format, dry_run } = command;
    let format = super::transfer_format(format, &file).ok_or_else(|| {
        let shown = file.display();
        Failure::Usage(format!("{shown} does not say what it is: add --format jsonl or --format csv"))
    })?;
    let (input, length) = open(&file)?;
    let gate = super::open(common).await?;
    let done = import(common, &gate, input, length, format, dry_run).await;
    gate.close().await;
    done
}

/// The file and how long it is, if it has an end that is known.
fn open(path: &Path) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::with_capacity(BUFFER, io::stdin())), None));
    }
    let unreadable = |error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::Usage(format!("{} is a folder", path.display())));
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(BUFFER, file)), length))
}

const BUFFER: usize = 64 * 1024;

async fn import(
    common: &Common,
    gate: &Wardgate,
    input: Box<dyn BufRead>,
    length: Option<u64>,
    format: TransferFormat,
    dry_run: bool,
) -> Result<(), Failure> {
    let mut import = gate.transfer().import(TenantId::DEFAULT, input, format, dry_run, &gate.operator())?;
    let mut report =
        Report { common, progress: Progress::new(length), totals: Totals::default(), dry_run, faults: 0 };
    report.begin()?;
    let ended = report.follow(&mut import).await;
    report.end()?;
    ended?;
    match report.totals.refused {
        0 => Ok(()),
        1 => Err(Failure::refused("a line was refused; correct it and run this again")),
        some => Err(Failure::refused(format!("{some} lines were refused; correct them and run this again"))),
    }
}

/// Tells of each fault as it is found, so that however many there are none is kept.
///
/// For people faults go to standard error and the summary to standard output; for programs both are one JSON value.
struct Report<'a> {
    common: &'a Common,
    progress: Progress,
    totals: Totals,
    dry_run: bool,
    faults: u64,
}

impl Report<'_> {
    fn begin(&self) -> io::Result<()> {
        if self.common.json { io::stdout().lock().write_all(b"{\"faults\":[") } else { Ok(()) }
    }

    async fn follow(&mut self, import: &mut UserImport<Box<dyn BufRead>>) -> Result<(), Failure> {
        loop {
            self.progress.show(import.bytes_read(), &self.totals.text(self.dry_run));
            let Some(batch) = import.next_batch().await.map_err(|error| self.cut_short(error))? else {
                return Ok(());
            };
            self.totals.add(&batch);
            if !batch.faults.is_empty() {
                self.progress.clear();
            }
            batch.faults.iter().try_for_each(|fault| self.tell(fault))?;
        }
    }

    fn tell(&mut self, fault: &LineFault) -> io::Result<()> {
        self.faults += 1;
        if !self.common.json {
            return writeln!(io::stderr().lock(), "{fault}");
        }
        let out = &mut io::stdout().lock();
        out.write_all(if self.faults == 1 { b"\n" } else { b",\n" })?;
        Ok(serde_json::to_writer(out, fault)?)
    }

    /// However it ended: what was committed is told.
    fn end(&self) -> io::Result<()> {
        self.progress.clear();
        let out = &mut io::stdout().lock();
        if !self.common.json {
            return writeln!(out, "{}", self.totals.text(self.dry_run));
        }
        let Totals { made, already_there, refused } = self.totals;
        let dry_run = self.dry_run;
        writeln!(
            out,
            "],\"dry_run\":{dry_run},\"made\":{made},\"already_there\":{already_there},\"refused\":{refused}}}"
        )
    }

    fn cut_short(&self, error: ImportError) -> Failure {
        let why = match error {
            ImportError::Refused(error) => Failure::from(error).to_string(),
            other => other.to_string(),
        };
        Failure::refused(format!("{why}\nThe import ended early. Run it again: what is there is passed over"))
    }
}
