//! The exit codes of both front ends, in one table.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done as asked; also help and version.
    Success,
    /// 1: not done; the message says why. easy-rsa knows no other code for errors.
    Failure,
    /// 2: the command line was not understood (`postern` only).
    Usage,
    /// 3: something ends within the asked time (`expiry` only).
    Ending,
    /// 4: something has ended already (`expiry` only).
    Ended,
    /// 3: the file can be used, but should be better (`ovpn lint` only).
    Questionable,
    /// 4: the file should not be used as it is (`ovpn lint` only).
    Dangerous,
    /// 17: another command holds the PKI, as in easy-rsa.
    Locked,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Ending | Exit::Questionable => 3,
            Exit::Ended | Exit::Dangerous => 4,
            Exit::Locked => 17,
        })
    }
}
