//! `wardgate config`.

use std::io::{self, Write as _};

use serde_json::json;

use crate::cli::{Common, Config as Command};
use crate::config::{Config, Mode, schema, show, show_json};
use crate::failure::Failure;
use crate::{output, wire};

/// Runs the command.
///
/// # Errors
/// The faults that `check` finds.
pub(crate) fn run(common: &Common, command: &Command) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    match command {
        Command::Check => check(common, out)?,
        Command::Show if common.json => output::json(out, &show_json(&wire::read(common, &[])?))?,
        Command::Show => write!(out, "{}", show(&wire::read(common, &[])?))?,
        Command::Schema => output::json(out, &schema())?,
    }
    Ok(())
}

fn check(common: &Common, out: &mut impl io::Write) -> Result<(), Failure> {
    match Config::check(&wire::read(common, &[])?, Mode::Production) {
        Ok(_) if common.json => output::json(out, &json!({ "faults": [] }))?,
        Ok(_) => writeln!(out, "The configuration is good.")?,
        Err(faults) => {
            if common.json {
                output::json(out, &json!({ "faults": faults }))?;
            }
            return Err(Failure::Configuration(faults));
        }
    }
    Ok(())
}
