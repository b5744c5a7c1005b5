//! How far a running server is confined to what it needs.

use std::fmt;
use std::str::FromStr;

use super::hooks::HookSettings;
use super::login::UnknownWord;
use crate::auth::connect_handler::{ConnectHandlerSettings, HandlerTarget};

/// What a server takes from itself at its start (OPS-04).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// System calls that no server needs, and, if it runs no programs of the administrator, every file that its
    /// configuration does not name. What the kernel cannot do is done without.
    #[default]
    Auto,
    /// Both in any case, for programs as well; a kernel that cannot do it is refused.
    Always,
    /// Nothing.
    Off,
}

impl Confinement {
    const WORDS: [(Self, &'static str); 3] =
        [(Self::Auto, "auto"), (Self::Always, "always"), (Self::Off, "off")];
}

impl FromStr for Confinement {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let known = Self::WORDS.into_iter().find(|(_, word)| *word == text);
        known.map(|(confinement, _)| confinement).ok_or(UnknownWord("auto, always or off"))
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.into_iter().find(|(confinement, _)| confinement == self);
        out.write_str(word.map_or("auto", |(_, word)| word))
    }
}

impl HookSettings {
    /// The programs that are run when something happens.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &std::path::Path> {
        let others = [
            &self.client_crresponse,
            &self.tls_verify,
            &self.tls_crypt_v2_verify,
            &self.client_connect,
            &self.client_disconnect,
            &self.learn_address,
            &self.up,
            &self.route_up,
            &self.down,
        ];
        let verify = self.auth_user_pass_verify.as_ref().map(|verify| &verify.command);
        others.into_iter().flatten().chain(verify).map(|command| command.program.as_path())
    }
}

impl ConnectHandlerSettings {
    /// The program that decides, if it is one.
    pub(crate) fn program(&self) -> Option<&std::path::Path> {
        match &self.target {
            HandlerTarget::Program(program) => Some(program),
            HandlerTarget::Service(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_as_they_are_written() {
        for (confinement, word) in Confinement::WORDS {
            assert_eq!(word.parse(), Ok(confinement));
            assert_eq!(confinement.to_string(), word);
        }
        assert_eq!("yes".parse::<Confinement>(), Err(UnknownWord("auto, always or off")));
    }
}
