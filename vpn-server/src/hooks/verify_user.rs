//! A program that decides about user names and passwords: `auth-user-pass-verify`.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vpn_proto::{Denial, DynamicChallenge, Password, Pending};
use zeroize::Zeroizing;

use super::deferred::{Deferral, Deferrals};
use super::facts::describe_attempt;
use super::runner::{Conclusion, report};
use super::scratch::{ScratchDirectory, ScratchFile};
use super::{Environment, HookFailure, Runner};
use crate::auth::login::{Answer, ClientNumber, Decider, LoginAttempt, Verdict};
use crate::config::{HookCommand, VerifyCommand, VerifyMethod};
use crate::errands::{Errands, Lane};

/// Asks a program about each login.
pub struct VerifyUser {
    verifier: Arc<Verifier>,
    errands: Arc<Errands>,
}

struct Verifier {
    command: VerifyCommand,
    respond: Option<HookCommand>,
    runner: Runner,
    scratch: ScratchDirectory,
    deferrals: Arc<Deferrals>,
    /// How long a deferred decision may take.
    patience: Duration,
}

/// The files of one run.
struct Files {
    control: ScratchFile,
    pending: ScratchFile,
    reason: ScratchFile,
    login: Option<ScratchFile>,
}

impl VerifyUser {
    /// A decider that runs `command`, and `respond` for the answers of persons to its questions.
    pub(super) fn new(
        command: VerifyCommand,
        respond: Option<HookCommand>,
        runner: Runner,
        scratch: ScratchDirectory,
        deferrals: Arc<Deferrals>,
        patience: Duration,
        errands: Arc<Errands>,
    ) -> Self {
        let verifier = Verifier { command, respond, runner, scratch, deferrals, patience };
        Self { verifier: Arc::new(verifier), errands }
    }
}

impl Decider for VerifyUser {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let (verifier, attempt) = (Arc::clone(&self.verifier), Arc::clone(attempt));
        let lane = Lane::of_source(attempt.client.remote.ip());
        self.errands.submit(
            lane,
            answer,
            move |answer| verifier.decide(&attempt, answer),
            |answer| {
                answer.decide(Verdict::busy("too many logins wait for the program that decides about them"));
            },
        );
    }

    fn take_response(&self, client: ClientNumber, key: u32, response: &Password) {
        let (verifier, response) = (Arc::clone(&self.verifier), response.clone());
        let lane = Lane::Client(client.0);
        self.errands.submit(lane, (), move |()| verifier.pass_on(client, key, &response), |()| {});
    }

    fn forget(&self, client: ClientNumber, key: u32) {
        self.verifier.deferrals.forget(client, key);
    }
}

impl Verifier {
    fn decide(&self, attempt: &LoginAttempt, mut answer: Answer) {
        let files = match self.files(attempt) {
            Ok(files) => files,
            Err(error) => return answer.decide(Verdict::Deny(broken(&error))),
        };
        let mut environment = Environment::of_script("user-pass-verify");
        environment.extend(&describe_attempt(attempt));
        self.add_login(&mut environment, attempt, &files);
        let arguments: Vec<OsString> =
            files.login.iter().map(|file| file.path().as_os_str().to_owned()).collect();
        match self.runner.run_deferrable(&self.command.command, &arguments, &environment) {
            Ok((Conclusion::Success, _)) => {
                drop(files);
                answer.decide(Verdict::accept());
            }
            Ok((Conclusion::Deferred, _)) => {
                answer.wait(Pending { timeout: self.patience, prompt: None });
                self.defer(attempt, files, answer);
            }
            Err(failure) => {
                report_unless_refused(&failure);
                let reason = files.reason.text();
                drop(files);
                answer.decide(refusal(&reason, failure.code(), &failure.to_string()));
            }
        }
    }

    fn defer(&self, attempt: &LoginAttempt, files: Files, answer: Answer) {
        let Files { control, pending, reason, login } = files;
        // The program may read the login as long as it has not decided.
        let conclude = Box::new(move |is_yes| {
            drop(login);
            if is_yes {
                Verdict::accept()
            } else {
                refusal(&reason.text(), "hook-refused", "the program said no")
            }
        });
        self.deferrals.wait(Deferral {
            client: attempt.client.number,
            key: attempt.key,
            control,
            pending: Some(pending),
            answer,
            conclude,
            deadline: Instant::now() + self.patience,
        });
    }

    fn files(&self, attempt: &LoginAttempt) -> io::Result<Files> {
        let file = |kind| self.scratch.file(kind, b"");
        let login = match self.command.method {
            VerifyMethod::ViaEnvironment => None,
            VerifyMethod::ViaFile => Some(self.scratch.file("login", &two_lines(attempt)?)?),
        };
        Ok(Files { control: file("control")?, pending: file("pending")?, reason: file("reason")?, login })
    }

    fn add_login(&self, environment: &mut Environment, attempt: &LoginAttempt, files: &Files) {
        environment.set("auth_control_file", files.control.path().display());
        environment.set("auth_pending_file", files.pending.path().display());
        environment.set("auth_failed_reason_file", files.reason.path().display());
        let is_harmless = |password: &&Password| !password.as_str().contains('\0');
        if let Some(password) = attempt.password.as_ref().filter(is_harmless)
            && self.command.method == VerifyMethod::ViaEnvironment
        {
            environment.set_secret("password", password.as_str());
        }
    }

    /// Has a program look at the answer of a person; it tells its decision as the one that asked would have.
    fn pass_on(&self, client: ClientNumber, key: u32, response: &Password) {
        let Some((command, control)) = self.respond.as_ref().zip(self.deferrals.control_file(client, key))
        else {
            return;
        };
        let Ok(file) = self.scratch.file("response", response.as_str().as_bytes()) else { return };
        let mut environment = Environment::of_script("client-crresponse");
        environment.set("auth_control_file", control.display());
        let arguments = [file.path().as_os_str().to_owned()];
        if let Err(failure) = self.runner.run(command, &arguments, &environment) {
            report(&failure);
        }
    }
}

/// User name and password in two lines. A password with a line break in it would become another one.
fn two_lines(attempt: &LoginAttempt) -> io::Result<Zeroizing<Vec<u8>>> {
    let username = attempt.username.as_ref().map_or("", |username| username.as_str());
    let password = attempt.password.as_ref().map_or("", Password::as_str);
    if password.contains(['\n', '\r', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the password has a line break"));
    }
    Ok(Zeroizing::new(format!("{username}\n{password}\n").into_bytes()))
}

/// A no, with the reason that the program gave for the client, which may be a question.
fn refusal(reason: &str, code: &'static str, detail: &str) -> Verdict {
    let reason = reason.trim();
    if let Some(challenge) = DynamicChallenge::parse(reason) {
        return Verdict::Challenge(challenge);
    }
    if reason.is_empty() {
        return Verdict::wrong_credentials(code, detail);
    }
    Verdict::Deny(Denial { code, public: reason.to_owned(), detail: detail.to_owned() })
}

/// A no is what such a program is for, and stands in the log with the client.
fn report_unless_refused(failure: &HookFailure) {
    if !matches!(failure, HookFailure::Refused { .. }) {
        report(failure);
    }
}

fn broken(error: &io::Error) -> Denial {
    Denial {
        code: "hook-not-started",
        public: "authentication failed".to_owned(),
        detail: format!("the files for the program could not be made: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::super::runner::tests::script;
    use super::*;
    use crate::auth::login::LoginUpdate;
    use crate::testing::login::attempt;

    const LONG: Duration = Duration::from_secs(60);

    struct World {
        decider: VerifyUser,
        _directory: tempfile::TempDir,
    }

    impl World {
        fn new(text: &str, method: VerifyMethod, respond: Option<&str>) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let command = VerifyCommand { command: script(directory.path(), "verify", text), method };
            let respond = respond.map(|text| script(directory.path(), "respond", text));
            let decider = VerifyUser::new(
                command,
                respond,
                Runner::new(LONG),
                ScratchDirectory::open(directory.path()).unwrap(),
                Arc::new(Deferrals::start().unwrap()),
                LONG,
                Arc::new(Errands::start("test", 2).unwrap()),
            );
            Self { decider, _directory: directory }
        }

        fn ask(&self, username: &str, password: &str) -> Receiver<LoginUpdate> {
            let (sender, updates) = channel();
            let answer = Answer::new(move |update| sender.send(update).unwrap());
            self.decider.decide(&Arc::new(attempt(username, password)), answer);
            updates
        }
    }

    fn next(updates: &Receiver<LoginUpdate>) -> String {
        match updates.recv_timeout(LONG).unwrap() {
            LoginUpdate::Decided(Verdict::Accept(_)) => "accepted".to_owned(),
            LoginUpdate::Decided(Verdict::Deny(denial)) => format!("{}: {}", denial.code, denial.public),
            LoginUpdate::Decided(Verdict::Challenge(challenge)) => {
                format!("challenge {}", challenge.state_id)
            }
            LoginUpdate::Wait(pending) => format!("wait {}", pending.timeout.as_secs()),
            other => panic!("{other:?}"),
        }
    }

    const VIA_ENVIRONMENT: VerifyMethod = VerifyMethod::ViaEnvironment;
    const VIA_FILE: VerifyMethod = VerifyMethod::ViaFile;

    #[test]
    fn a_program_reads_the_login_from_its_environment_or_a_file() {
        let env = World::new("test \"$username:$password\" = 'alice:a secret'", VIA_ENVIRONMENT, None);
        let text = "test -z \"$password\" && test \"$(cat \"$1\")\" = 'alice\na secret'";
        let file = World::new(text, VIA_FILE, None);
        for world in [env, file] {
            assert_eq!(next(&world.ask("alice", "a secret")), "accepted");
            let refused = next(&world.ask("alice", "another"));
            assert_eq!(refused, "hook-refused: the user name or the password is wrong");
        }
    }

    #[test]
    fn a_program_knows_who_asks_and_how() {
        let text = "test \"$common_name $untrusted_ip $untrusted_port $IV_VER $script_type\" = \
                    'client1 192.0.2.2 59974 2.6.14 user-pass-verify'";
        assert_eq!(next(&World::new(text, VIA_FILE, None).ask("alice", "x")), "accepted");
    }

    #[test]
    fn a_password_with_a_line_break_does_not_become_another_one() {
        let world = World::new("exit 0", VIA_FILE, None);
        assert!(next(&world.ask("alice", "a\nb")).starts_with("hook-not-started"));
    }

    #[test]
    fn a_program_gives_the_reason_that_the_client_is_told() {
        let world = World::new("echo 'account locked' > $auth_failed_reason_file; exit 1", VIA_FILE, None);
        assert_eq!(next(&world.ask("alice", "x")), "hook-refused: account locked");
    }

    #[test]
    fn a_program_refuses_with_a_question() {
        let text = "echo 'CRV1:R,E:state7:YWxpY2U=:Code?' > $auth_failed_reason_file; exit 1";
        assert_eq!(next(&World::new(text, VIA_FILE, None).ask("alice", "x")), "challenge state7");
    }

    #[test]
    fn a_program_decides_later() {
        for (decision, expected) in
            [("1", "accepted"), ("0", "hook-refused: the user name or the password is wrong")]
        {
            let text = format!("(sleep 0.3; printf {decision} > $auth_control_file) & exit 2");
            let world = World::new(&text, VIA_FILE, None);
            let updates = world.ask("alice", "x");
            assert_eq!(next(&updates), format!("wait {}", LONG.as_secs()));
            assert_eq!(next(&updates), expected);
        }
    }

    #[test]
    fn the_answer_of_a_person_reaches_a_program_that_decides() {
        let verify = "printf '90\\ncrtext\\nCR_TEXT:R:Code?\\n' > $auth_pending_file; exit 2";
        let respond = "test \"$(cat $1)\" = MTIz && printf 1 > $auth_control_file";
        let world = World::new(verify, VIA_FILE, Some(respond));
        let updates = world.ask("alice", "x");
        let waits = [format!("wait {}", LONG.as_secs()), "wait 90".to_owned()];
        assert_eq!([next(&updates), next(&updates)], waits);
        world.decider.take_response(ClientNumber(7), 0, &Password::new("MTIz".to_owned()));
        assert_eq!(next(&updates), "accepted");
    }

    #[test]
    fn acl_08_a_program_that_is_not_there_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let mut world = World::new("exit 0", VIA_FILE, None);
        let verifier = Arc::get_mut(&mut world.decider.verifier).unwrap();
        verifier.command.command.program = directory.path().join("nothing");
        assert!(next(&world.ask("alice", "x")).starts_with("hook-not-started"));
    }

    #[test]
    fn acl_08_no_login_is_left_on_the_disk() {
        let world = World::new("exit 1", VIA_FILE, None);
        next(&world.ask("alice", "secret"));
        let left = std::fs::read_dir(world._directory.path().join("hooks")).unwrap().count();
        assert_eq!(left, 0);
    }
}
