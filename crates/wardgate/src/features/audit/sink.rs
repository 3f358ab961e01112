//! Where records go besides the table.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::pin::Pin;

use super::model::AuditEvent;
use crate::kernel::time::Timestamp;

/// Receives the records of the audit log after they were committed and sealed: each at least once, in the order of the
/// chain. Whoever must not take one twice goes by its `id`.
pub trait EventSink: Send + Sync {
    /// Under which its place in the log is kept: a sink of another name begins at the beginning.
    fn name(&self) -> &str;

    /// How many records it takes at once.
    fn batch(&self) -> u32 {
        100
    }

    /// Takes these. When it fails, or takes longer than ten seconds, the same come again later.
    fn deliver<'a>(&'a self, records: &'a [AuditEvent], now: Timestamp) -> Delivery<'a>;
}

/// How a delivery ends.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// Why a sink did not take records; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(String);

impl SinkError {
    /// With its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Appends each record to a file, as a line of JSON, and waits for the disk.
///
/// The file is opened for each batch, so that it may be renamed and made anew (logrotate). A line that was cut off,
/// because the disk was full or the machine stopped, stays; all of its batch comes again behind it.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
}

impl FileSink {
    /// Appends to the file at `path`, which is made if it is not there: readable by this user only.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let sink = Self { path: path.into() };
        open(&sink.path).map(|_| sink)
    }
}

impl EventSink for FileSink {
    fn name(&self) -> &str {
        "file"
    }

    fn batch(&self) -> u32 {
        500
    }

    fn deliver<'a>(&'a self, records: &'a [AuditEvent], _: Timestamp) -> Delivery<'a> {
        Box::pin(async move {
            let path = self.path.clone();
            let lines = lines(records).map_err(|error| SinkError::new(error.to_string()))?;
            // A disk may take its time.
            let written = tokio::task::spawn_blocking(move || append(&path, &lines)).await;
            let path = self.path.display();
            match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(SinkError::new(format!("{path}: {error}"))),
                Err(error) => Err(SinkError::new(error.to_string())),
            }
        })
    }
}

fn lines(records: &[AuditEvent]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn open(path: &std::path::Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // A pipe or a terminal keeps nothing, and cannot be waited for.
    let is_file = file.metadata()?.is_file();
    if is_file { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "is no regular file")) }
}

fn append(path: &std::path::Path, lines: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    if is_cut_off(&mut file)? {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_data()
}

/// Whether it ends within a line.
fn is_cut_off(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
