//! The programs that an administrator has run when something happens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::words::{InvalidLine, split};

/// All programs; none by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSettings {
    /// Decides about user names and passwords.
    pub auth_user_pass_verify: Option<VerifyCommand>,
    /// Hears the answers of clients to questions.
    pub client_crresponse: Option<HookCommand>,
    /// Decides about certificates, beside all that the server checks.
    pub tls_verify: Option<HookCommand>,
    /// Decides about what stands beside a client's tls-crypt-v2 key.
    pub tls_crypt_v2_verify: Option<HookCommand>,
    /// Decides about a client that has its place, and what it is pushed.
    pub client_connect: Option<HookCommand>,
    /// Hears that a client is gone.
    pub client_disconnect: Option<HookCommand>,
    /// Hears which client has which address.
    pub learn_address: Option<HookCommand>,
    /// Runs when the device is up.
    pub up: Option<HookCommand>,
    /// Runs when the routes are set.
    pub route_up: Option<HookCommand>,
    /// Runs when the server has ended.
    pub down: Option<HookCommand>,
    /// How long each of them may take; deferred decisions have their own time.
    pub timeout: Duration,
}

/// A program with arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCommand {
    /// The program: an absolute path.
    pub program: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<String>,
}

/// The program that decides about passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyCommand {
    /// The program.
    pub command: HookCommand,
    /// How it gets to know them.
    pub method: VerifyMethod,
}

/// How a program gets to know a user name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyMethod {
    /// From the variables `username` and `password`.
    ViaEnvironment,
    /// From the two lines of a file, which is the last argument.
    ViaFile,
}

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHook {
    /// It cannot be taken apart.
    #[error(transparent)]
    Line(#[from] InvalidLine),
    /// There is no program.
    #[error("there is no program")]
    Empty,
    /// The program would be looked for somewhere.
    #[error("the program '{}' has no absolute path", .0.escape_debug())]
    RelativeProgram(String),
    /// Nothing says how the program gets the password.
    #[error("the last word is neither via-file nor via-env")]
    NoMethod,
}

impl HookSettings {
    /// How long programs may take by default.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
}

impl Default for HookSettings {
    fn default() -> Self {
        Self {
            auth_user_pass_verify: None,
            client_crresponse: None,
            tls_verify: None,
            tls_crypt_v2_verify: None,
            client_connect: None,
            client_disconnect: None,
            learn_address: None,
            up: None,
            route_up: None,
            down: None,
            timeout: Self::DEFAULT_TIMEOUT,
        }
    }
}

impl HookCommand {
    fn from_words(words: Vec<String>) -> Result<Self, InvalidHook> {
        let mut words = words.into_iter();
        let program = words.next().ok_or(InvalidHook::Empty)?;
        if !program.starts_with('/') {
            return Err(InvalidHook::RelativeProgram(program));
        }
        Ok(Self { program: program.into(), arguments: words.collect() })
    }
}

impl FromStr for HookCommand {
    type Err = InvalidHook;

    fn from_str(text: &str) -> Result<Self, InvalidHook> {
        Self::from_words(split(text)?)
    }
}

impl FromStr for VerifyCommand {
    type Err = InvalidHook;

    fn from_str(text: &str) -> Result<Self, InvalidHook> {
        let mut words = split(text)?;
        let method = match words.pop().as_deref() {
            Some("via-env") => VerifyMethod::ViaEnvironment,
            Some("via-file") => VerifyMethod::ViaFile,
            Some(_) => return Err(InvalidHook::NoMethod),
            None => return Err(InvalidHook::Empty),
        };
        Ok(Self { command: HookCommand::from_words(words)?, method })
    }
}

impl fmt::Display for HookCommand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", quoted(&self.program.display().to_string()))?;
        self.arguments.iter().try_for_each(|argument| write!(out, " {}", quoted(argument)))
    }
}

impl fmt::Display for VerifyCommand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            VerifyMethod::ViaEnvironment => "via-env",
            VerifyMethod::ViaFile => "via-file",
        };
        write!(out, "{} {method}", self.command)
    }
}

/// The word so that it reads back as one.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "\"'\\#;".contains(c));
    if is_plain {
        return word.to_owned();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back() {
        for text in ["/usr/bin/true", "/a \"b c\" d", "/a \"\" \"it's \\\"\\\\\""] {
            let command: HookCommand = text.parse().unwrap();
            assert_eq!(command.to_string(), text);
        }
        let verify: VerifyCommand = "/usr/local/bin/check --strict via-env".parse().unwrap();
        assert_eq!(verify.command.arguments, ["--strict"]);
        assert_eq!(verify.to_string(), "/usr/local/bin/check --strict via-env");
    }

    #[test]
    fn acl_08_no_program_is_looked_for() {
        for text in ["check", "./check", "bin/check via-file"] {
            assert!(matches!(text.parse::<HookCommand>(), Err(InvalidHook::RelativeProgram(_))), "{text}");
        }
        assert_eq!("".parse::<HookCommand>(), Err(InvalidHook::Empty));
        assert_eq!("via-env".parse::<VerifyCommand>(), Err(InvalidHook::Empty));
    }

    #[test]
    fn how_a_password_is_passed_has_to_be_said() {
        assert_eq!("/usr/bin/check".parse::<VerifyCommand>(), Err(InvalidHook::NoMethod));
        assert_eq!("".parse::<VerifyCommand>(), Err(InvalidHook::Empty));
    }
}
