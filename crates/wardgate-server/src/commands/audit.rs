//! `wardgate audit`.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::time::Duration;

use wardgate::{AuditEvent, Position, Timestamp};

use super::Opened;
use crate::cli::{Audit, Common};
use crate::failure::Failure;
use crate::output;

/// How often a follower looks for more.
const POLL: Duration = Duration::from_millis(500);

/// Nodes commit records of about the same time in any order: a follower looks back this far each time.
const OVERLAP: Duration = Duration::from_secs(10);

/// More records than are made in the overlap.
const LOOK_BACK: u32 = 10_000;

/// Runs the command.
///
/// # Errors
/// What reading and printing give.
pub(crate) async fn run(common: &Common, command: &Audit) -> Result<(), Failure> {
    let Audit::Tail { lines, follow } = command;
    let gate = super::open(common).await?;
    // A follower also has to know what it does not show, or it would take that for new.
    let known = gate.audit().newest(if *follow { LOOK_BACK.max(*lines) } else { *lines }).await?;
    let shown = &known[known.len().saturating_sub(*lines as usize)..];
    if common.json && !follow {
        output::json(&mut io::stdout().lock(), &shown)?;
    } else {
        shown.iter().try_for_each(|event| print(common, event))?;
    }
    if *follow {
        self::follow(common, &gate, &known).await?;
    }
    gate.close().await;
    Ok(())
}

/// Prints what comes, until the reader goes or the program is stopped.
async fn follow(common: &Common, gate: &Opened, known: &[AuditEvent]) -> Result<(), Failure> {
    let mut newest = known.last().map_or(Timestamp::from_millis(0), |event| event.at);
    let mut seen: HashSet<_> = known.iter().map(|event| (event.at, event.id)).collect();
    loop {
        tokio::time::sleep(POLL).await;
        let mut from = Position { at: newest.minus(OVERLAP), ..Position::BEGINNING };
        loop {
            let page = gate.audit().since(from).await?;
            let Some(last) = page.last().map(AuditEvent::position) else { break };
            for event in page {
                newest = newest.max(event.at);
                if seen.insert((event.at, event.id)) {
                    print(common, &event)?;
                }
            }
            from = last;
        }
        seen.retain(|(at, _)| *at >= newest.minus(OVERLAP));
    }
}

fn print(common: &Common, event: &AuditEvent) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    if common.json {
        return output::json_line(out, event);
    }
    let AuditEvent { at, action, outcome, actor, .. } = event;
    let target = event.target.as_deref().unwrap_or("-");
    let source = event.source.as_deref().unwrap_or("-");
    let several = event.count.map(|count| format!("  x{count}")).unwrap_or_default();
    writeln!(out, "{at}  {outcome:<7}  {action:<22}  {actor:<36}  {target:<36}  {source}{several}")
}
