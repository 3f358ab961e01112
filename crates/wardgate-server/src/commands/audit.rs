//! `wardgate audit`.

use std::collections::HashSet;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::time::Duration;

use wardgate::{AuditCheck, AuditEvent, AuditFilter, PageRequest, Position, TenantId, Timestamp, Wardgate};

use crate::cli::{Audit as Command, Common};
use crate::failure::Failure;
use crate::output::{self, List};

const TENANT: TenantId = TenantId::DEFAULT;

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

async fn dispatch(common: &Common, gate: &Wardgate, command: Command) -> Result<(), Failure> {
    match command {
        Command::Tail { lines, follow } => tail(common, gate, lines, follow).await,
        Command::List { which, limit } => list(common, gate, which.into(), limit).await,
        Command::Verify => verify(common, gate).await,
        Command::Export { which } => export(gate, which.into()).await,
    }
}

async fn tail(common: &Common, gate: &Wardgate, lines: u32, follow: bool) -> Result<(), Failure> {
    // A follower also has to know what it does not show, or it would take that for new.
    let known = gate.audit().newest(if follow { LOOK_BACK.max(lines) } else { lines }).await?;
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

async fn list(common: &Common, gate: &Wardgate, filter: AuditFilter, limit: u32) -> Result<(), Failure> {
    let out = &mut BufWriter::new(io::stdout().lock());
    let mut list =
        List::new(common.json, ["TIME", "OUTCOME", "ACTION", "ACTOR", "TARGET", "SOURCE", "COUNT"]);
    let (mut left, mut after) = (limit, None);
    loop {
        let page = PageRequest { limit: left.min(PageRequest::MAX_LIMIT), after };
        let (events, next) = gate.audit().list(TENANT, filter.clone(), page).await?;
        left -= events.len() as u32;
        list.batch(out, &events, cells)?;
        after = next;
        if left == 0 || after.is_none() {
            return Ok(list.end(out)?);
        }
    }
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

async fn verify(common: &Common, gate: &Wardgate) -> Result<(), Failure> {
    let shows_progress = io::stderr().is_terminal();
    let progress = |reached, last| {
        if shows_progress {
            eprint!("\r{reached} of {last} ");
        }
    };
    let check = gate.audit().verify(TENANT, progress).await?;
    if shows_progress {
        eprint!("\r\u{1b}[K");
    }
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
    if !common.json {
        summary(out, &check)?;
    }
    Ok(())
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
async fn export(gate: &Wardgate, filter: AuditFilter) -> Result<(), Failure> {
    let mut export = gate.audit().export(TENANT, filter).await?;
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(page) = export.next_page().await? {
        page.iter().try_for_each(|event| output::json_line(&mut out, event))?;
    }
    Ok(out.flush()?)
}

/// Prints what comes, until the reader goes or the program is stopped.
async fn follow(common: &Common, gate: &Wardgate, known: &[AuditEvent]) -> Result<(), Failure> {
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
