//! Programs that decide about certificates, and about what stands beside a client's tls-crypt-v2 key: `tls-verify` and
//! `tls-crypt-v2-verify`. They are asked when everything that the server checks by itself was good.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use pki_core::x509::Certificate;
use vpn_proto::Denial;

use super::facts::describe_attempt;
use super::runner::report;
use super::{Environment, HookFailure, Runner, ScratchDirectory};
use crate::auth::login::{Answer, Decider, LoginAttempt, Verdict};
use crate::config::HookCommand;
use crate::errands::{Errands, Lane};

/// Asks a program about each certificate of a client, the authority's end of the chain first.
pub struct VerifyCertificate {
    command: Arc<HookCommand>,
    runner: Runner,
    errands: Arc<Errands>,
}

/// Asks a program about what stands beside a tls-crypt-v2 key; clients without such a key are not asked about.
pub struct VerifyKeyMetadata {
    command: Arc<HookCommand>,
    runner: Runner,
    scratch: ScratchDirectory,
    errands: Arc<Errands>,
}

impl VerifyCertificate {
    pub(super) fn new(command: HookCommand, runner: Runner, errands: Arc<Errands>) -> Self {
        Self { command: Arc::new(command), runner, errands }
    }
}

impl VerifyKeyMetadata {
    pub(super) fn new(
        command: HookCommand,
        runner: Runner,
        scratch: ScratchDirectory,
        errands: Arc<Errands>,
    ) -> Self {
        Self { command: Arc::new(command), runner, scratch, errands }
    }
}

impl Decider for VerifyCertificate {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let (command, runner, attempt) = (Arc::clone(&self.command), self.runner, Arc::clone(attempt));
        let lane = Lane::of_source(attempt.client.remote.ip());
        let work = move |answer: Answer| answer.decide(verify_chain(&command, runner, &attempt));
        self.errands.submit(lane, answer, work, busy);
    }
}

impl Decider for VerifyKeyMetadata {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let Some(metadata) = attempt.client.tls_crypt_v2_metadata.clone() else {
            return answer.decide(Verdict::accept());
        };
        let (command, runner, attempt) = (Arc::clone(&self.command), self.runner, Arc::clone(attempt));
        let scratch = self.scratch.clone();
        let lane = Lane::of_source(attempt.client.remote.ip());
        let work = move |answer: Answer| {
            answer.decide(verify_metadata(&command, runner, &scratch, &attempt, &metadata));
        };
        self.errands.submit(lane, answer, work, busy);
    }
}

fn verify_chain(command: &HookCommand, runner: Runner, attempt: &LoginAttempt) -> Verdict {
    let mut environment = Environment::of_script("tls-verify");
    environment.extend(&describe_attempt(attempt));
    let chain = attempt.client.chain.iter().flat_map(|chain| chain.iter()).zip(0_u32..);
    for (der, depth) in chain.collect::<Vec<_>>().into_iter().rev() {
        let Ok(certificate) = Certificate::parse(der) else { continue };
        let arguments = [depth.to_string().into(), OsString::from(certificate.subject().to_string())];
        if let Err(failure) = runner.run(command, &arguments, &environment) {
            return refused(&failure);
        }
    }
    Verdict::accept()
}

fn verify_metadata(
    command: &HookCommand,
    runner: Runner,
    scratch: &ScratchDirectory,
    attempt: &LoginAttempt,
    metadata: &[u8],
) -> Verdict {
    let (kind, content) = metadata.split_first().map_or((0, &[][..]), |(kind, content)| (*kind, content));
    let file = match scratch.file("metadata", content) {
        Ok(file) => file,
        Err(error) => return broken(&error),
    };
    let mut environment = Environment::of_script("tls-crypt-v2-verify");
    environment.extend(&describe_attempt(attempt));
    environment.set("metadata_type", kind);
    environment.set("metadata_file", file.path().display());
    environment.set("metadata_base64", Base64::encode_string(content));
    match runner.run(command, &[], &environment) {
        Ok(()) => Verdict::accept(),
        Err(failure) => refused(&failure),
    }
}

fn refused(failure: &HookFailure) -> Verdict {
    if !matches!(failure, HookFailure::Refused { .. }) {
        report(failure);
    }
    let public = "the certificate or key is not accepted".to_owned();
    Verdict::Deny(Denial { code: failure.code(), public, detail: failure.to_string() })
}

fn broken(error: &io::Error) -> Verdict {
    Verdict::Deny(Denial {
        code: "hook-not-started",
        public: "authentication failed".to_owned(),
        detail: format!("the file for the program could not be made: {error}"),
    })
}

fn busy(answer: Answer) {
    answer.decide(Verdict::busy("too many clients wait for the programs that check them"));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::runner::tests::script;
    use super::*;
    use crate::auth::login::ClientFacts;
    use crate::testing::login::{facts, nobody};
    use crate::testing::pki::TestPki;

    const RUNNER: Runner = Runner::new(Duration::from_secs(60));

    fn is_accepted(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Accept(_))
    }

    fn client(change: impl FnOnce(&mut ClientFacts)) -> LoginAttempt {
        let mut client = facts(true);
        change(&mut client);
        LoginAttempt { client: Arc::new(client), ..nobody(true) }
    }

    #[test]
    fn a_program_sees_each_certificate_with_its_depth_the_leaf_last() {
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace");
        let text = format!("echo \"$1 $2 $X509_0_CN\" >> {}; test \"$2\" != CN=mallory", trace.display());
        let command = script(directory.path(), "verify", &text);
        let mut pki = TestPki::new();
        let (leaf, middle) = (pki.issue_client("alice"), pki.issue_client("middle"));
        let chain = Arc::from([leaf.certificate, middle.certificate]);
        let alice = client(|client| client.chain = Some(chain));
        assert!(is_accepted(&verify_chain(&command, RUNNER, &alice)));
        assert_eq!(std::fs::read_to_string(&trace).unwrap(), "1 CN=middle alice\n0 CN=alice alice\n");
        let mallory = pki.issue_client("mallory");
        let mallory = client(|client| client.chain = Some(Arc::from([mallory.certificate])));
        let refused = verify_chain(&command, RUNNER, &mallory);
        assert!(matches!(&refused, Verdict::Deny(denial) if denial.code == "hook-refused"), "{refused:?}");
    }

    #[test]
    fn a_program_sees_what_stands_beside_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = ScratchDirectory::open(directory.path()).unwrap();
        let text = "test \"$metadata_type $(cat $metadata_file) $metadata_base64\" = '0 laptop bGFwdG9w'";
        let command = script(directory.path(), "verify", text);
        let verdict = |metadata: &[u8]| verify_metadata(&command, RUNNER, &scratch, &nobody(true), metadata);
        assert!(is_accepted(&verdict(b"\0laptop")));
        assert!(!is_accepted(&verdict(b"\0phone")));
        assert!(!is_accepted(&verdict(b"")));
    }
}
