//! The drop-in: `postern` called as `easyrsa` understands easy-rsa 3.2's command line and answers in its phrases.
//!
//! Only grammar and wording live here. Everything is done by the same authority as in `cmd`, so the two front ends
//! differ in defaults (RSA 2048, `init-pki` that replaces), never in rules.

mod commands;
mod error;
mod help;
mod messages;
mod options;
mod plain_vars;
mod session;
mod templates;
mod vars;

use std::path::Path;

use self::messages::Messages;
use self::options::Invocation;
use crate::exit::Exit;

/// Whether the program was called under easy-rsa's name.
pub(crate) fn is_called_as_easyrsa(program: Option<&str>) -> bool {
    program.map(Path::new).and_then(Path::file_name).is_some_and(|name| name == "easyrsa")
}

/// Runs one command line, given without the program's name.
pub(crate) fn run(arguments: Vec<String>) -> Exit {
    let outcome = Invocation::parse(arguments).and_then(commands::run);
    match outcome {
        Ok(()) => Exit::Success,
        Err(error) => {
            Messages::default().error(&error);
            error.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_7_the_name_decides_wherever_the_link_lies() {
        assert!(is_called_as_easyrsa(Some("./easyrsa")));
        assert!(is_called_as_easyrsa(Some("/usr/local/bin/easyrsa")));
        assert!(!is_called_as_easyrsa(Some("/usr/share/easyrsa/postern")));
        assert!(!is_called_as_easyrsa(None));
    }
}
