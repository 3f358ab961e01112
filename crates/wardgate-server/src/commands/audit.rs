//! `wardgate audit`.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use wardgate::{AuditCheck, AuditEvent, AuditFilter, PageRequest, Position, Timestamp};

use super::Opened;
use crate::cli::{Audit as Command, Common, Expected};
use crate::failure::Failure;
use crate::output::{self, List};
use crate::progress::Progress;

/// How often a follower looks for more.
const POLL: Duration = Duration::from_millis(500);

/// Nodes commit records of about the same time in any order: a follower looks back this far each time.
const OVERLAP: Duration = Duration::from_secs(10);

/// More records than are made in the overlap.
const LOOK_BACK: u32 = 10_000;

/// Runs the command.
///
/// # Errors
/// What reading and printing give; for `verify`, a record that does not hold.
pub(crate) async fn run(common: &Common, command: Command) -> Result<(), Failure> {
    let gate = super::open(common).await?;
    let done = dispatch(common, &gate, command).await;
    gate.close().await;
    done
}

async fn dispatch(common: &Common, gate: &Opened, command: Command) -> Result<(), Failure> {
    match command {
        Command::Tail { lines, follow } => tail(common, gate, lines, follow).await,
        Command::List { which, limit } => list(common, gate, which.into(), limit).await,
        Command::Verify { expect } => verify(common, gate, expect.as_ref()).await,
        Command::Export { which } => export(common, gate, which.into()).await,
    }
}

async fn tail(common: &Common, gate: &Opened, lines: u32, follow: bool) -> Result<(), Failure> {
    // A follower also has to know what it does not show, or it would take that for new.
    let limit = if follow { LOOK_BACK.max(lines) } else { lines };
    let newest = PageRequest { limit, after: None };
    let (mut known, _) = gate.audit().list(gate.tenant, AuditFilter::default(), newest).await?;
    known.reverse();
    name(common, &mut known);
    let shown = &known[known.len().saturating_sub(lines as usize)..];
    if common.json && !follow {
        output::json(&mut io::stdout().lock(), &shown)?;
    } else {
        shown.iter().try_for_each(|event| print(common, event))?;
    }
    if follow {
        self::follow(common, gate, &known).await?;
    }
    Ok(())
}

async fn list(common: &Common, gate: &Opened, filter: AuditFilter, limit: u32) -> Result<(), Failure> {
    let out = &mut BufWriter::new(io::stdout().lock());
    let mut list =
        List::new(common.json, ["TIME", "OUTCOME", "ACTION", "ACTOR", "TARGET", "SOURCE", "COUNT"]);
    let (mut left, mut after) = (limit, None);
    loop {
        let page = PageRequest { limit: left.min(PageRequest::MAX_LIMIT), after };
        let (mut events, next) = gate.audit().list(gate.tenant, filter.clone(), page).await?;
        left -= events.len() as u32;
        name(common, &mut events);
        list.batch(out, &events, cells)?;
        after = next;
        if left == 0 || after.is_none() {
            return Ok(list.end(out)?);
        }
    }
}

/// The log knows its tenant by an id only.
fn name(common: &Common, events: &mut [AuditEvent]) {
    events.iter_mut().for_each(|event| event.tenant.clone_from(&common.tenant));
}

fn cells(event: &AuditEvent) -> [String; 7] {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    [
        event.at.to_string(),
        event.outcome.clone(),
        event.action.clone(),
        event.actor.clone(),
        or_none(event.target.as_deref()),
        or_none(event.source.as_deref()),
        event.count.unwrap_or(1).to_string(),
    ]
}

async fn verify(common: &Common, gate: &Opened, expected: Option<&Expected>) -> Result<(), Failure> {
    let bar = Progress::new(None);
    let progress = |reached, last| bar.show(0, &format!("{reached} of {last} records"));
    let check = gate.audit().verify(gate.tenant, progress).await;
    bar.clear();
    let check = check?;
    let out = &mut io::stdout().lock();
    if common.json {
        output::json(out, &check)?;
    }
    if let Some(broken) = &check.broken {
        let held = check.records;
        return Err(Failure::refused(format!(
            "the audit log is not as it was written: {broken} ({held} before it hold)"
        )));
    }
    if let Some(expected) = expected {
        compare(gate, &check, expected).await?;
    }
    if !common.json {
        summary(out, &check)?;
    }
    Ok(())
}

/// A log that holds may still be an older one that was put back.
async fn compare(gate: &Opened, check: &AuditCheck, expected: &Expected) -> Result<(), Failure> {
    let Expected { number, link } = expected;
    if *number <= check.removed_to {
        let problem = format!("retention has removed record {number}, so that nothing can be said of it");
        return Err(Failure::refused(format!("{problem}: expect a later one")));
    }
    match gate.audit().link(gate.tenant, *number).await? {
        Some(found) if found == *link => Ok(()),
        Some(_) => Err(Failure::refused(format!(
            "record {number} has another link: the log was put back to before it, and has gone on"
        ))),
        None => Err(Failure::refused(format!(
            "the log ends with record {}, before {number}: it was put back to an earlier state",
            check.last
        ))),
    }
}

fn summary(out: &mut impl Write, check: &AuditCheck) -> io::Result<()> {
    let AuditCheck { records, erased, removed_to, last, link, .. } = check;
    writeln!(out, "all {records} records hold")?;
    if *erased > 0 {
        writeln!(out, "of {erased} of them source and user agent were erased")?;
    }
    if *removed_to > 0 {
        writeln!(out, "retention has removed the first {removed_to}")?;
    }
    writeln!(out, "the last is number {last}, its link {link}")
}

/// One page in memory, however long the log is and however slowly somebody reads.
async fn export(common: &Common, gate: &Opened, filter: AuditFilter) -> Result<(), Failure> {
    let mut export = gate.audit().export(gate.tenant, filter).await?;
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(mut page) = export.next_page().await? {
        name(common, &mut page);
        page.iter().try_for_each(|event| output::json_line(&mut out, event))?;
    }
    Ok(out.flush()?)
}

/// Prints what comes, until the reader goes or the program is stopped.
async fn follow(common: &Common, gate: &Opened, known: &[AuditEvent]) -> Result<(), Failure> {
    let mut newest = known.last().map_or(Timestamp::from_millis(0), |event| event.at);
    let mut seen: HashSet<_> = known.iter().map(|event| (event.at, event.id)).collect();
    loop {
        tokio::time::sleep(POLL).await;
        let mut from = Position { at: newest.minus(OVERLAP), ..Position::BEGINNING };
        loop {
            let mut page = gate.audit().since(gate.tenant, from).await?;
            name(common, &mut page);
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
