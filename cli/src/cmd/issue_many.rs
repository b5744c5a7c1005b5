//! `postern build-client-full --from-file` and its siblings: one certificate for each row, and a report at the end.

use std::path::Path;

use pki_core::ca::{Issue, Issued, SerialNumbers};
use pki_core::cert::build::Validity;
use pki_core::cert::{CertificateKind, SubjectAltName};
use pki_core::dn::Subject;
use pki_core::key::Protection;
use pki_core::name::FileBase;
use pki_core::{Authority, Explain};
use serde_json::{Value, json};

use super::Session;
use crate::args::issue::IssueArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Answer, Progress, printable};
use crate::users_file::{User, read};

pub(super) fn run(
    session: &Session,
    kind: CertificateKind,
    file: &Path,
    arguments: &IssueArgs,
) -> Result<Exit, CliError> {
    let users = read(file)?;
    let authority = session.open()?;
    let protection = session.protection(is_unprotected(arguments)?, "New passphrase of all these keys: ")?;
    let (mut requests, mut report) = (Vec::new(), Report::default());
    for user in &users {
        match request(session, kind, user, arguments, &protection) {
            Ok(request) => requests.push(request),
            Err(error) => report.failed(&user.name, &error),
        }
    }
    issue(session, &authority, &requests, &mut report)?;
    let exit = if report.failed.is_empty() { Exit::Success } else { Exit::Failure };
    session.output.answer(&report.into_answer())?;
    Ok(exit)
}

/// With a file, the only name there can be is the word `nopass`.
fn is_unprotected(arguments: &IssueArgs) -> Result<bool, CliError> {
    match arguments.name.as_deref() {
        None => Ok(arguments.key.is_unprotected()),
        Some("nopass") => Ok(true),
        Some(name) => Err(CliError::Usage(format!("give either --from-file or a name, not also '{name}'"))),
    }
}

fn request(
    session: &Session,
    kind: CertificateKind,
    user: &User,
    arguments: &IssueArgs,
    protection: &Protection,
) -> Result<Issue, CliError> {
    let name = FileBase::parse(&user.name)?;
    Ok(Issue {
        kind,
        subject: Subject::common_name_only(name.common_name().clone()),
        names: user.alternative_names.as_deref().map(SubjectAltName::parse).transpose()?,
        algorithm: arguments.key.algorithm()?,
        digest: arguments.key.digest(),
        protection: protection.clone(),
        validity: Validity::days_from(session.now, user.days.unwrap_or(arguments.days))?,
        serial_numbers: SerialNumbers::Random159,
        name,
    })
}

fn issue(
    session: &Session,
    authority: &Authority,
    requests: &[Issue],
    report: &mut Report,
) -> Result<(), CliError> {
    let progress = Progress::of(session.output, requests.len());
    let mut show = |done: usize| progress.show(done);
    let outcomes = session.run(|context| authority.issue_many(requests, context, &mut show))?;
    progress.finish();
    for (request, outcome) in requests.iter().zip(outcomes) {
        match outcome {
            Ok(issued) => report.issued(&request.name, issued),
            Err(error) => report.failed(request.name.as_str(), &CliError::from(error)),
        }
    }
    Ok(())
}

/// What came of each row.
#[derive(Default)]
struct Report {
    text: String,
    issued: Vec<Value>,
    failed: Vec<Value>,
    warnings: Vec<pki_core::ca::Warning>,
}

impl Report {
    fn issued(&mut self, name: &FileBase, issued: Issued) {
        self.issued.push(json!({
            "name": name.as_str(),
            "certificate": issued.certificate.display().to_string(),
            "key": issued.key.display().to_string(),
            "serial": issued.serial.to_string(),
            "not_after": issued.not_after.to_string(),
        }));
        self.warnings = issued.warnings;
    }

    fn failed(&mut self, name: &str, error: &CliError) {
        self.text.push_str(&format!("failed   {}  {error}\n", printable(name)));
        self.failed.push(json!({ "name": name, "code": error.code(), "message": error.to_string() }));
    }

    fn into_answer(self) -> Answer {
        let counts = format!("{} certificates created, {} failed.\n", self.issued.len(), self.failed.len());
        Answer {
            text: self.text + &counts,
            value: json!({ "issued": self.issued, "failed": self.failed }),
            warnings: self.warnings,
        }
    }
}
