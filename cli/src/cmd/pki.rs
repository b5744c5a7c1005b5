//! `postern pki check`, `postern pki audit` and `postern pki convert`

use std::path::PathBuf;

use pki_core::ca::{Convert, Finding, RepairReport, Severity, convert};
use serde_json::{Value, json};

use super::Session;
use crate::args::pki::{CheckArgs, ConvertArgs, PkiArgs, PkiCommand};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Answer, printable};

pub(super) fn run(session: &Session, arguments: &PkiArgs) -> Result<Exit, CliError> {
    match &arguments.command {
        PkiCommand::Check(CheckArgs { repair: false }) => check(session),
        PkiCommand::Check(CheckArgs { repair: true }) => repair(session),
        PkiCommand::Audit => audit(session),
        PkiCommand::Convert(arguments) => take_over(session, arguments),
    }
}

fn check(session: &Session) -> Result<Exit, CliError> {
    let report = session.read()?.check(session.now)?;
    let summary = format!("{} certificates, {} findings.\n", report.certificates, report.findings.len());
    session.output.answer(&Answer {
        text: report.findings.iter().map(to_text).collect::<String>() + &summary,
        value: json!({
            "certificates": report.certificates,
            "findings": report.findings.iter().map(to_value).collect::<Vec<Value>>(),
        }),
        warnings: Vec::new(),
    })?;
    Ok(exit(&report.findings))
}

fn repair(session: &Session) -> Result<Exit, CliError> {
    let report = session.open()?.repair(session.now)?;
    session.output.answer(&Answer {
        text: repair_text(&report),
        value: json!({
            "repaired": report.repaired.iter().map(to_value).collect::<Vec<Value>>(),
            "failed": report.failed.iter().map(|(finding, _)| to_value(finding)).collect::<Vec<Value>>(),
            "left": report.left.iter().map(to_value).collect::<Vec<Value>>(),
        }),
        warnings: Vec::new(),
    })?;
    Ok(if report.failed.is_empty() { exit(&report.left) } else { Exit::Failure })
}

fn audit(session: &Session) -> Result<Exit, CliError> {
    let report = session.read()?.audit()?;
    let head = report.head.as_deref().unwrap_or("none");
    let verdict = match report.broken_at {
        Some(line) => format!("The chain is broken at line {line}.\n"),
        None => "The chain is unbroken.\n".into(),
    };
    session.output.answer(&Answer {
        text: format!("{verdict}  entries    {}\n  head       {head}\n", report.entries),
        value: json!({ "entries": report.entries, "head": report.head, "broken_at": report.broken_at }),
        warnings: Vec::new(),
    })?;
    Ok(if report.broken_at.is_some() { Exit::Failure } else { Exit::Success })
}

fn take_over(session: &Session, arguments: &ConvertArgs) -> Result<Exit, CliError> {
    let request = Convert { lock: session.lock(), vars: vars_text(arguments)? };
    let converted = convert(&arguments.keys, &session.directory(), &request, session.now)?;
    let left_out: String = converted
        .left_out
        .iter()
        .map(|left_out| format!("Left out: {}: {}.\n", printable(&left_out.what), left_out.reason))
        .collect();
    let summary = format!(
        "{left_out}{} valid and {} revoked certificates are in {} now; {} is as it was.\n",
        converted.valid,
        converted.revoked,
        converted.directory.display(),
        arguments.keys.display()
    );
    session.output.answer(&Answer {
        text: summary,
        value: json!({
            "directory": converted.directory,
            "valid": converted.valid,
            "revoked": converted.revoked,
            "left_out": converted
                .left_out
                .iter()
                .map(|left_out| json!({ "what": left_out.what, "reason": left_out.reason }))
                .collect::<Vec<Value>>(),
        }),
        warnings: Vec::new(),
    })?;
    Ok(Exit::Success)
}

fn vars_text(arguments: &ConvertArgs) -> Result<Option<String>, CliError> {
    let usual = || Some(arguments.keys.join("../vars")).filter(|path| path.is_file());
    let path: Option<PathBuf> = arguments.vars.clone().or_else(usual);
    path.map(|path| {
        std::fs::read_to_string(&path).map_err(|cause| CliError::File { operation: "read", path, cause })
    })
    .transpose()
}

/// Untidiness alone is no failure.
fn exit(findings: &[Finding]) -> Exit {
    let is_serious = |finding: &Finding| finding.severity > Severity::Notice;
    if findings.iter().any(is_serious) { Exit::Failure } else { Exit::Success }
}

fn to_text(finding: &Finding) -> String {
    let by_repair = if finding.is_repairable() { " (--repair does it)" } else { "" };
    format!(
        "{}[{}] {}: {}\n  help: {}{by_repair}\n",
        finding.severity,
        finding.code,
        printable(&finding.about),
        printable(&finding.problem),
        finding.advice
    )
}

fn to_value(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "about": finding.about,
        "problem": finding.problem,
        "advice": finding.advice,
        "repairable": finding.is_repairable(),
    })
}

fn repair_text(report: &RepairReport) -> String {
    let mut text = String::new();
    for finding in &report.repaired {
        text.push_str(&format!("repaired[{}] {}\n", finding.code, printable(&finding.about)));
    }
    for (finding, error) in &report.failed {
        text.push_str(&format!("failed[{}] {}: {error}\n", finding.code, printable(&finding.about)));
    }
    text.extend(report.left.iter().map(to_text));
    let (repaired, failed, left) = (report.repaired.len(), report.failed.len(), report.left.len());
    text + &format!("{repaired} repaired, {failed} failed, {left} left.\n")
}
