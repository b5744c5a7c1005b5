//! What a program says about one client, in the words of a file of `client-config-dir`: a script of `client-connect`,
//! or whoever let the client in.
//!
//! Only what can be changed for a client that already has its place is here. Directives of other kinds are named, not
//! obeyed.

use vpn_proto::PushOption;

use super::words::split;

/// The directives about one client, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientDirectives {
    /// Pushed to it beside everything else.
    push: Vec<PushOption>,
    /// Nothing of what all clients are pushed is pushed to it.
    push_reset: bool,
    /// Options that begin with one of these are not pushed to it.
    push_remove: Vec<String>,
    /// It may not connect.
    is_disabled: bool,
}

/// A line that is not obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line '{}' is ignored: {reason}", line.escape_debug())]
pub struct IgnoredLine {
    /// The line.
    pub line: String,
    /// Why.
    pub reason: String,
}

impl ClientDirectives {
    /// Reads lines; answers also with those that are not obeyed. Empty lines and comments are neither.
    #[must_use]
    pub fn parse(lines: &[String]) -> (Self, Vec<IgnoredLine>) {
        let mut directives = Self::default();
        let mut ignored = Vec::new();
        for line in lines.iter().map(|line| line.trim()) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Err(reason) = directives.take_line(line) {
                ignored.push(IgnoredLine { line: line.to_owned(), reason });
            }
        }
        (directives, ignored)
    }

    /// Whether the client may not connect.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Options that are pushed to this client, whatever all clients are pushed.
    pub fn push(&mut self, options: impl IntoIterator<Item = PushOption>) {
        self.push.extend(options);
    }

    /// What this client is pushed where all clients are pushed `common`.
    #[must_use]
    pub fn apply(&self, common: Vec<PushOption>) -> Vec<PushOption> {
        let mut options = if self.push_reset { Vec::new() } else { common };
        options.retain(|option| !self.push_remove.iter().any(|start| begins_with(option, start)));
        options.extend(self.push.iter().cloned());
        options
    }

    fn take_line(&mut self, line: &str) -> Result<(), String> {
        let words = split(line).map_err(|problem| problem.to_string())?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["push", option] => {
                self.push.push(PushOption::parse(option).map_err(|problem| problem.to_string())?)
            }
            ["push-reset"] => self.push_reset = true,
            ["push-remove", start] => self.push_remove.push(start.to_owned()),
            ["disable"] => self.is_disabled = true,
            ["push" | "push-reset" | "push-remove" | "disable", ..] => {
                return Err("it has too few or too many words".to_owned());
            }
            _ => return Err("it cannot be changed for a client that has its place already".to_owned()),
        }
        Ok(())
    }
}

/// As stock servers compare for `push-remove`: whole words from the beginning.
fn begins_with(option: &PushOption, start: &str) -> bool {
    let rest = option.as_str().strip_prefix(start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (ClientDirectives, Vec<IgnoredLine>) {
        let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        ClientDirectives::parse(&lines)
    }

    /// What a client is pushed, where all are pushed a route, another one, and a name server.
    fn pushed(text: &str) -> Vec<String> {
        let common =
            ["route 10.7.0.0 255.255.255.0", "route 10.9.0.0 255.255.0.0", "dhcp-option DNS 10.7.0.53"];
        let common = common.iter().map(|option| PushOption::parse(option).unwrap()).collect();
        parsed(text).0.apply(common).iter().map(|option| option.as_str().to_owned()).collect()
    }

    #[test]
    fn options_are_added_behind_those_of_everybody() {
        let options = pushed("push \"route 10.1.0.0 255.255.0.0\"\n# a comment\n\npush 'echo hello'");
        assert_eq!(options[3..], ["route 10.1.0.0 255.255.0.0", "echo hello"]);
    }

    #[test]
    fn a_reset_leaves_only_what_is_the_clients_own() {
        assert_eq!(pushed("push 'echo hello'\npush-reset"), ["echo hello"]);
    }

    #[test]
    fn options_are_removed_by_whole_words_from_their_beginning() {
        assert_eq!(pushed("push-remove route"), ["dhcp-option DNS 10.7.0.53"]);
        assert_eq!(pushed("push-remove \"route 10.9.0.0\"").len(), 2);
        assert_eq!(pushed("push-remove rout").len(), 3);
    }

    #[test]
    fn a_client_can_be_shut_out() {
        assert!(parsed("disable").0.is_disabled());
        assert!(!parsed("").0.is_disabled());
    }

    #[test]
    fn cfg_03_no_line_becomes_two_options() {
        let (directives, ignored) = parsed("push \"route 10.1.0.0 255.255.0.0,script-security 2\"");
        assert_eq!(directives, ClientDirectives::default());
        assert!(ignored[0].to_string().contains("comma"), "{}", ignored[0]);
    }

    #[test]
    fn what_is_not_obeyed_is_named() {
        let (_, ignored) = parsed("ifconfig-push 10.8.0.9 255.255.255.0\npush a b\npush \"a\ndisable");
        let reasons: Vec<String> = ignored.iter().map(ToString::to_string).collect();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(reasons[0].starts_with("line 'ifconfig-push 10.8.0.9 255.255.255.0' is ignored"));
        assert!(reasons[1].contains("too many words") && reasons[2].contains("not closed"));
    }
}
