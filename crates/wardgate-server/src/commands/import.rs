//! `wardgate import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;

use wardgate::{ImportError, ImportedBatch, LineFault, TransferFormat, UserImport};

use super::Opened;
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

/// A file about to be read.
struct Input {
    reader: Box<dyn BufRead>,
    /// How long it is, if it has an end that is known.
    length: Option<u64>,
    format: TransferFormat,
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
    let input = open(&file, format)?;
    let gate = super::open(common).await?;
    let done = import(common, &gate, input, dry_run).await;
    gate.close().await;
    done
}

fn open(path: &Path, format: TransferFormat) -> Result<Input, Failure> {
    const BUFFER: usize = 64 * 1024;
    if path == Path::new("-") {
        let reader = Box::new(BufReader::with_capacity(BUFFER, io::stdin()));
        return Ok(Input { reader, length: None, format });
    }
    let unreadable = |error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::Usage(format!("{} is a folder", path.display())));
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok(Input { reader: Box::new(BufReader::with_capacity(BUFFER, file)), length, format })
}

async fn import(common: &Common, gate: &Opened, input: Input, dry_run: bool) -> Result<(), Failure> {
    let Input { reader, length, format } = input;
    let mut import = gate.transfer().import(gate.tenant, reader, format, dry_run, &gate.operator())?;
    let progress = Progress::new(length);
    let mut report =
        Report { json: common.json, progress, totals: Totals::default(), dry_run, faults: 0, unheard: None };
    report.begin();
    let ended = report.follow(&mut import).await;
    report.end();
    ended?;
    match (report.totals.refused, report.unheard) {
        (0, None) => Ok(()),
        (0, Some(error)) => Err(error.into()),
        (1, _) => Err(Failure::refused("a line was refused; correct it and run this again")),
        (some, _) => {
            Err(Failure::refused(format!("{some} lines were refused; correct them and run this again")))
        }
    }
}

/// Tells of each fault as it is found, so that however many there are none is kept.
///
/// For people faults go to standard error and the summary to standard output; for programs both are one JSON value.
/// That nobody listens any more is no reason to leave half of the users out.
struct Report {
    json: bool,
    progress: Progress,
    totals: Totals,
    dry_run: bool,
    faults: u64,
    /// Why the first thing that could not be told was not.
    unheard: Option<io::Error>,
}

impl Report {
    fn hear(&mut self, told: io::Result<()>) {
        if let Err(error) = told {
            self.unheard.get_or_insert(error);
        }
    }

    fn begin(&mut self) {
        if self.json {
            let told = io::stdout().lock().write_all(b"{\"faults\":[");
            self.hear(told);
        }
    }

    async fn follow(&mut self, import: &mut UserImport<Box<dyn BufRead>>) -> Result<(), Failure> {
        loop {
            self.progress.show(import.bytes_read(), &self.totals.text(self.dry_run));
            let Some(batch) = import.next_batch().await.map_err(cut_short)? else {
                return Ok(());
            };
            self.totals.add(&batch);
            if !batch.faults.is_empty() {
                self.progress.clear();
            }
            for fault in &batch.faults {
                self.faults += 1;
                let told = self.tell(fault);
                self.hear(told);
            }
        }
    }

    fn tell(&self, fault: &LineFault) -> io::Result<()> {
        if !self.json {
            return writeln!(io::stderr().lock(), "{fault}");
        }
        let out = &mut io::stdout().lock();
        out.write_all(if self.faults == 1 { b"\n" } else { b",\n" })?;
        Ok(serde_json::to_writer(out, fault)?)
    }

    /// However it ended: what was committed is told.
    fn end(&mut self) {
        self.progress.clear();
        let Totals { made, already_there, refused } = self.totals;
        let dry_run = self.dry_run;
        let text = if self.json {
            format!(
                "],\"dry_run\":{dry_run},\"made\":{made},\"already_there\":{already_there},\"refused\":{refused}}}"
            )
        } else {
            self.totals.text(dry_run)
        };
        let told = writeln!(io::stdout().lock(), "{text}");
        self.hear(told);
    }
}

fn cut_short(error: ImportError) -> Failure {
    let why = match error {
        ImportError::Refused(error) => Failure::from(error).to_string(),
        other => other.to_string(),
    };
    Failure::refused(format!("{why}\nThe import ended early. Run it again: what is there is passed over"))
}
