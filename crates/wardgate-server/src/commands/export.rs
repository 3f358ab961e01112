//! `wardgate export`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;
use wardgate::{ExportedUser, TransferFormat};

use super::Opened;
use crate::cli::{Common, Export};
use crate::failure::Failure;
use crate::output;

/// Runs the command.
///
/// # Errors
/// A file that is there already or cannot be written.
pub(crate) async fn run(common: &Common, command: Export) -> Result<(), Failure> {
    let Export::Users { format, output, with_password_hashes } = command;
    let path = output.as_deref();
    let format = super::transfer_format(format, path.unwrap_or(Path::new("-")));
    let format = format.unwrap_or(TransferFormat::JsonLines);
    let gate = super::open(common).await?;
    let done = match path {
        None => write(&gate, io::stdout().lock(), format, with_password_hashes).await.map(drop),
        Some(path) => write_file(common, &gate, path, format, with_password_hashes).await,
    };
    gate.close().await;
    done
}

async fn write_file(
    common: &Common,
    gate: &Opened,
    path: &Path,
    format: TransferFormat,
    with_password_hashes: bool,
) -> Result<(), Failure> {
    let shown = path.display().to_string();
    let file = create(path)?;
    let written = write(gate, &file, format, with_password_hashes).await;
    let written = match written.and_then(|written| Ok(file.sync_all().map(|()| written)?)) {
        Ok(written) => written,
        Err(failure) => {
            // Half an export would look like a whole one.
            let _ = fs::remove_file(path);
            return Err(failure);
        }
    };
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &json!({ "exported": written, "output": shown }))?;
    } else {
        writeln!(out, "exported {written} users to {shown}")?;
    }
    Ok(())
}

/// A file of ours alone. One that is there is left alone: it may be another export, or readable for everybody.
fn create(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::Usage(format!("{} is there already: name another file, or remove it", path.display()))
        }
        _ => Failure::Usage(format!("{}: {error}", path.display())),
    })
}

/// Writes every user and says how many.
async fn write(
    gate: &Opened,
    out: impl Write,
    format: TransferFormat,
    with_password_hashes: bool,
) -> Result<u64, Failure> {
    if with_password_hashes {
        let warning =
            "this export holds password hashes; keep it as secret as the database, and remove it after use";
        writeln!(io::stderr().lock(), "warning: {warning}")?;
    }
    let mut out = BufWriter::new(out);
    let mut written = 0;
    let mut export = gate.transfer().export(gate.tenant, with_password_hashes, &gate.operator()).await?;
    if format == TransferFormat::Csv {
        writeln!(out, "{}", ExportedUser::csv_header(with_password_hashes))?;
    }
    while let Some(page) = export.next_page().await? {
        written += page.len() as u64;
        for user in page {
            match format {
                TransferFormat::JsonLines => output::json_line(&mut out, &user)?,
                TransferFormat::Csv => writeln!(out, "{}", user.to_csv())?,
            }
        }
    }
    out.flush()?;
    Ok(written)
}
