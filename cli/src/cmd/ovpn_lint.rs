//! `postern ovpn lint`

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pki_core::bundle::document::MAXIMUM_SIZE;
use pki_core::bundle::lint::{self, Circumstances, Explanation, Finding, LintReport, Reception, Severity};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Session;
use crate::args::ovpn::LintArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Answer, Table, printable};

/// Shows what a profile does and answers with an exit code for it.
pub(super) fn run(session: &Session, arguments: &LintArgs) -> Result<Exit, CliError> {
    let (text, mode) = read(&arguments.file)?;
    let report = lint::lint(&text, Circumstances { now: session.now, mode });
    let name = printable(&arguments.file.display().to_string());
    session.output.answer(&Answer {
        text: to_text(&name, &report, arguments.all),
        value: to_value(&name, &report),
        warnings: Vec::new(),
    })?;
    Ok(match report.worst() {
        Some(Severity::Error) => Exit::Dangerous,
        Some(Severity::Warning) => Exit::Questionable,
        Some(Severity::Note) | None => Exit::Success,
    })
}

/// The octets of one open file and its mode: what is judged is what was read. One octet more than is judged, so that a
/// longer file is seen to be one.
fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), CliError> {
    let failed = |cause| CliError::File { operation: "read", path: path.to_owned(), cause };
    let mut text = Zeroizing::new(Vec::with_capacity(16 << 10));
    let most = MAXIMUM_SIZE as u64 + 1;
    if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut text).map_err(failed)?;
        return Ok((text, None));
    }
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    file.take(most).read_to_end(&mut text).map_err(failed)?;
    Ok((text, Some(mode)))
}

fn to_text(name: &str, report: &LintReport, all: bool) -> String {
    let mut table = Table::with_header(&["LINE", "DIRECTIVE", "POSTERN", "AWS", "OPENVPN 3", "WHAT IT DOES"]);
    let shown: Vec<&Explanation> =
        report.explanations.iter().filter(|explanation| all || is_remarkable(explanation)).collect();
    for explanation in &shown {
        let Explanation { line, directive, meaning, postern, aws, openvpn3 } = explanation;
        let receptions = [postern, aws, openvpn3].map(|reception| reception.as_str());
        let meaning = meaning.unwrap_or("nobody knows");
        table.push(&[&line.to_string(), directive, receptions[0], receptions[1], receptions[2], meaning]);
    }
    let table = if shown.is_empty() { String::new() } else { table.to_text() + "\n" };
    let findings: String = report.findings.iter().map(|finding| finding_text(name, finding)).collect();
    table + &findings + &summary(report)
}

fn is_remarkable(explanation: &Explanation) -> bool {
    [explanation.postern, explanation.aws, explanation.openvpn3] != [Reception::Works; 3]
}

fn finding_text(name: &str, finding: &Finding) -> String {
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    let severity = finding.severity.as_str();
    let Finding { code, message, help, .. } = finding;
    format!("{name}{line}: {severity}[{code}]: {}\n  help: {help}\n", printable(message))
}

fn summary(report: &LintReport) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let [errors, warnings, notes] = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    format!("{errors} errors, {warnings} warnings, {notes} notes.\n")
}

fn to_value(name: &str, report: &LintReport) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "line": finding.line,
            "directive": finding.directive,
            "severity": finding.severity.as_str(),
            "code": finding.code,
            "message": finding.message,
            "help": finding.help,
        })
    };
    let explanation = |told: &Explanation| {
        json!({
            "line": told.line,
            "directive": told.directive,
            "meaning": told.meaning,
            "postern": told.postern.as_str(),
            "aws": told.aws.as_str(),
            "openvpn3": told.openvpn3.as_str(),
        })
    };
    json!({
        "file": name,
        "severity": report.worst().map(Severity::as_str),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "directives": report.explanations.iter().map(explanation).collect::<Vec<_>>(),
    })
}
