//! The programs that are run when something happens.
//!
//! A program and its arguments are one word of the directive, taken apart as a line of its own; a program without an
//! absolute path is looked for from the directory of the configuration, and nowhere else. As with OpenVPN, nothing is run
//! without `script-security 2`, and no password stands in an environment without 3; a configuration that names programs
//! and does not allow them is refused, where OpenVPN would refuse every client.

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Files, Verdict, last_argument, parsed};
use crate::config::words::split;
use crate::config::{HookCommand, Options, VerifyCommand, VerifyMethod};

/// What programs may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Programs {
    security: u8,
}

const FORM: &str = "DIRECTIVE \"PROGRAM ARGUMENTS\"";
const VERIFY_FORM: &str = "auth-user-pass-verify \"PROGRAM ARGUMENTS\" via-env|via-file";
const NOT_ALLOWED: &str = "programs are run only with 'script-security 2'";
const NO_PASSWORDS: &str =
    "passwords stand in the environment only with 'script-security 3': write that, or via-file";

impl Programs {
    pub(super) fn new(directives: &[Directive]) -> Self {
        let security = last_argument(directives, "script-security").and_then(|level| level.parse().ok());
        Self { security: security.unwrap_or(1) }
    }

    /// What becomes of `directive`, if it is about programs.
    pub(super) fn take(self, directive: &Directive, files: &Files, options: &mut Options) -> Option<Verdict> {
        let slot = match directive.name.as_str() {
            "script-security" => return Some(take_security(directive)),
            "auth-user-pass-verify" => return Some(self.take_verify(directive, files, options)),
            "client-connect" => &mut options.client_connect,
            "client-disconnect" => &mut options.client_disconnect,
            "client-crresponse" => &mut options.client_crresponse,
            "learn-address" => &mut options.learn_address,
            "tls-verify" => &mut options.tls_verify,
            "tls-crypt-v2-verify" => &mut options.tls_crypt_v2_verify,
            "up" => &mut options.up,
            "route-up" => &mut options.route_up,
            "down" => &mut options.down,
            _ => return None,
        };
        Some(self.take_program(directive, files).map(|command| {
            *slot = Some(command.to_string());
            Fate::Done
        }))
    }

    fn take_program(self, directive: &Directive, files: &Files) -> Result<HookCommand, Problem> {
        let [line] = directive.exactly::<1>(FORM)?;
        self.allow(2, NOT_ALLOWED)?;
        // Older configurations write commas for blanks there.
        let line = if directive.name == "tls-verify" { line.replace(',', " ") } else { line.clone() };
        command(&line, files)
    }

    fn take_verify(self, directive: &Directive, files: &Files, options: &mut Options) -> Verdict {
        let [line, method] = directive.exactly::<2>(VERIFY_FORM)?;
        self.allow(2, NOT_ALLOWED)?;
        let method = match method.as_str() {
            "via-env" => VerifyMethod::ViaEnvironment,
            "via-file" => VerifyMethod::ViaFile,
            _ => return Err(Problem::Arguments(VERIFY_FORM)),
        };
        if method == VerifyMethod::ViaEnvironment {
            self.allow(3, NO_PASSWORDS)?;
        }
        let command = VerifyCommand { command: command(line, files)?, method };
        options.auth_user_pass_verify = Some(command.to_string());
        Ok(Fate::Done)
    }

    fn allow(self, needed: u8, reason: &'static str) -> Result<(), Problem> {
        if self.security < needed { Err(Problem::Unsupported(reason)) } else { Ok(()) }
    }
}

fn take_security(directive: &Directive) -> Verdict {
    let [level] = directive.exactly::<1>("script-security 0...3")?;
    match parsed::<u8>(level, "a number from 0 to 3")? {
        0..=3 => Ok(Fate::Done),
        _ => Err(Problem::Value { value: level.clone(), expected: "a number from 0 to 3" }),
    }
}

fn command(line: &str, files: &Files) -> Result<HookCommand, Problem> {
    let unusable = || Problem::Value { value: line.to_owned(), expected: "a program with arguments" };
    let mut words = split(line).map_err(|_| unusable())?.into_iter();
    let program = words.next().filter(|program| !program.is_empty()).ok_or_else(unusable)?;
    Ok(HookCommand { program: files.path(&program), arguments: words.collect() })
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn a_program_keeps_its_arguments_and_is_found_from_the_directory_of_the_configuration() {
        let options = programs(
            "script-security 2\nclient-connect \"scripts/connect.sh --log 'a b'\"\nup /etc/openvpn/up.sh\n\
             tls-verify \"/bin/check,allowed\"",
        )
        .unwrap();
        assert_eq!(options.client_connect.as_deref(), Some("/srv/scripts/connect.sh --log \"a b\""));
        assert_eq!(options.up.as_deref(), Some("/etc/openvpn/up.sh"));
        assert_eq!(options.tls_verify.as_deref(), Some("/bin/check allowed"));
        let read_back: HookCommand = options.client_connect.unwrap().parse().unwrap();
        assert_eq!(read_back.arguments, ["--log", "a b"]);
    }

    #[test]
    fn every_program_goes_to_its_own_option() {
        for name in [
            "client-connect",
            "client-disconnect",
            "client-crresponse",
            "learn-address",
            "tls-verify",
            "tls-crypt-v2-verify",
            "up",
            "route-up",
            "down",
        ] {
            let options = programs(&format!("script-security 2\n{name} /bin/{name}")).unwrap();
            let text = serde_json::to_value(&options).unwrap();
            assert_eq!(text[name], format!("/bin/{name}"), "{name}");
        }
    }

    #[test]
    fn passwords_go_by_a_file_or_by_the_environment_where_that_is_allowed() {
        let verify = |text: &str| programs(text).map(|options| options.auth_user_pass_verify.unwrap());
        assert_eq!(
            verify("script-security 2\nauth-user-pass-verify \"check.sh -x\" via-file").unwrap(),
            "/srv/check.sh -x via-file"
        );
        assert_eq!(
            verify("script-security 3\nauth-user-pass-verify /check via-env").unwrap(),
            "/check via-env"
        );
        for text in [
            "script-security 2\nauth-user-pass-verify /check via-env",
            "script-security 3\nauth-user-pass-verify /check",
            "script-security 3\nauth-user-pass-verify /check via-mail",
        ] {
            assert!(verify(text).is_err(), "{text}");
        }
    }

    #[test]
    fn acl_08_nothing_is_run_that_the_configuration_does_not_allow() {
        for text in ["client-connect /bin/true", "script-security 1\nup /bin/true", "script-security 4"] {
            assert!(programs(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in ["\"'open\"", "\"\"", "/a /b"] {
            assert!(programs(&format!("script-security 2\nup {line}")).is_err(), "{line}");
        }
    }

    fn programs(text: &str) -> Result<Options, Problem> {
        let files =
            Files { directory: "/srv".into(), inline_directory: "/var/inline".into(), inline: Vec::new() };
        let directives = parse("f", text).unwrap();
        let (programs, mut options) = (Programs::new(&directives), Options::default());
        for directive in &directives {
            programs.take(directive, &files, &mut options).unwrap()?;
        }
        Ok(options)
    }
}
