//! The configuration that a server pushes: single options, and their packing into `PUSH_REPLY` messages.
//!
//! An option can hold neither comma nor control character, whoever made it (CFG-03).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of one message; stock senders and receivers agree on 1024.
const MAX_MESSAGE: usize = 1024;
/// Room kept for `,push-continuation N` and the terminating NUL.
const CONTINUATION_ROOM: usize = 24;
/// The longest option that stock clients take.
pub const MAX_OPTION: usize = 255;

/// One option as it is pushed, for example `route 10.7.0.0 255.255.255.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOption(String);

impl PushOption {
    /// Checks that a text can be pushed.
    ///
    /// # Errors
    /// [`InvalidPushOption`] for an empty text, one longer than [`MAX_OPTION`] octets, or one with a comma or a
    /// control character.
    pub fn parse(text: &str) -> Result<Self, InvalidPushOption> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > MAX_OPTION {
            "it is longer than 255 octets"
        } else if text.contains(',') {
            "it contains a comma"
        } else if text.chars().any(char::is_control) {
            "it contains a control character"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(InvalidPushOption { option: text.escape_debug().take(80).collect(), reason })
    }

    /// Sends traffic for a network into the tunnel.
    #[must_use]
    pub fn route(network: Ipv4Addr, netmask: Ipv4Addr) -> Self {
        Self(format!("route {network} {netmask}"))
    }

    /// Sends traffic for an IPv6 network into the tunnel.
    #[must_use]
    pub fn route_ipv6(network: Ipv6Addr, prefix_length: u8) -> Self {
        Self(format!("route-ipv6 {network}/{prefix_length}"))
    }

    /// Names a DNS server.
    #[must_use]
    pub fn dns(server: IpAddr) -> Self {
        match server {
            IpAddr::V4(address) => Self(format!("dhcp-option DNS {address}")),
            IpAddr::V6(address) => Self(format!("dhcp-option DNS6 {address}")),
        }
    }

    /// The name of the option: its first word.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn formatted(option: fmt::Arguments<'_>) -> Self {
        let text = option.to_string();
        debug_assert!(Self::parse(&text).is_ok(), "options of our own are made of numbers and fixed words");
        Self(text)
    }

    /// The option's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be pushed to clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the option '{option}' cannot be pushed: {reason}")]
pub struct InvalidPushOption {
    /// The text, shortened and escaped.
    pub option: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Packs options into as few `PUSH_REPLY` messages as they fit into, in their order.
///
/// More than one message are marked `push-continuation 2`, the last of them `push-continuation 1`.
#[must_use]
pub fn push_reply(options: &[PushOption]) -> Vec<String> {
    pack("PUSH_REPLY", options.iter().map(|option| option.0.clone()))
}

/// A change of one option at a connected client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushChange {
    /// Replaces all options of this name that the client has.
    Set(PushOption),
    /// Removes all options of this name.
    Remove(PushOption),
}

/// Packs changes into as few `PUSH_UPDATE` messages as they fit into (protocol reference section 8.3).
#[must_use]
pub fn push_update(changes: &[PushChange]) -> Vec<String> {
    pack(
        "PUSH_UPDATE",
        changes.iter().map(|change| match change {
            PushChange::Set(option) => option.0.clone(),
            PushChange::Remove(option) => format!("-{}", option.0),
        }),
    )
}

/// The `PUSH_REPLY` messages after `changes`: what is changed comes last.
pub(crate) fn updated_reply(reply: &[String], changes: &[PushChange]) -> Vec<String> {
    let is_changed = |option: &str| {
        let name = option.split(' ').next().unwrap_or_default();
        changes.iter().any(|change| change.name() == name)
    };
    let kept = reply
        .iter()
        .flat_map(|message| message.split(',').skip(1))
        .filter(|option| !option.starts_with("push-continuation ") && !is_changed(option));
    let set = changes.iter().filter_map(|change| match change {
        PushChange::Set(option) => Some(option.as_str()),
        PushChange::Remove(_) => None,
    });
    pack("PUSH_REPLY", kept.chain(set).map(ToOwned::to_owned))
}

impl PushChange {
    fn name(&self) -> &str {
        match self {
            Self::Set(option) | Self::Remove(option) => option.name(),
        }
    }
}

fn pack(word: &str, options: impl Iterator<Item = String>) -> Vec<String> {
    let mut messages = vec![word.to_owned()];
    let mut last = 0;
    for option in options {
        if messages[last].len() + 1 + option.len() + CONTINUATION_ROOM > MAX_MESSAGE {
            messages.push(word.to_owned());
            last += 1;
        }
        messages[last].push(',');
        messages[last].push_str(&option);
    }
    mark_continuations(&mut messages);
    messages
}

fn mark_continuations(messages: &mut [String]) {
    let count = messages.len();
    if count < 2 {
        return;
    }
    for (index, message) in messages.iter_mut().enumerate() {
        message.push_str(if index + 1 == count { ",push-continuation 1" } else { ",push-continuation 2" });
    }
}

/// The options of one `PUSH_REPLY` message.
pub fn options(message: &str) -> impl Iterator<Item = &str> {
    message.split(',').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_03_refuses_what_could_become_a_second_option() {
        for text in ["", "route 1.2.3.4,script-security 2", "setenv x\ny", "a\0b"] {
            assert!(PushOption::parse(text).is_err(), "{text:?}");
        }
        assert!(PushOption::parse(&"x".repeat(MAX_OPTION)).is_ok());
        assert!(PushOption::parse(&"x".repeat(MAX_OPTION + 1)).is_err());
    }

    #[test]
    fn a_short_reply_is_one_message_without_continuation() {
        let reply =
            push_reply(&[PushOption::route(Ipv4Addr::new(10, 7, 0, 0), Ipv4Addr::new(255, 255, 255, 0))]);
        assert_eq!(reply, ["PUSH_REPLY,route 10.7.0.0 255.255.255.0"]);
    }

    #[test]
    fn the_first_word_is_the_name() {
        assert_eq!(PushOption::route_ipv6("fd07::".parse().unwrap(), 64).as_str(), "route-ipv6 fd07::/64");
        for (option, name) in [("dhcp-option DNS 1.1.1.1", "dhcp-option"), ("block-ipv6", "block-ipv6")] {
            assert_eq!(PushOption::parse(option).unwrap().name(), name);
        }
    }

    #[test]
    fn a_change_sets_and_removes() {
        let option = |text| PushOption::parse(text).unwrap();
        let changes = [
            PushChange::Set(option("route 10.9.0.0 255.255.0.0")),
            PushChange::Remove(option("dhcp-option")),
        ];
        assert_eq!(push_update(&changes), ["PUSH_UPDATE,route 10.9.0.0 255.255.0.0,-dhcp-option"]);
    }

    #[test]
    fn what_was_changed_stands_in_the_reply_from_then_on() {
        let option = |text: &str| PushOption::parse(text).unwrap();
        let options = [
            "route 10.7.0.0 255.255.0.0",
            "ping 10",
            "dns server 1 address 10.7.0.53",
            "route-gateway 10.8.0.1",
        ];
        let reply = push_reply(&options.map(option));
        let changes = [
            PushChange::Set(option("route 10.9.0.0 255.255.0.0")),
            PushChange::Set(option("route 10.10.0.0 255.255.0.0")),
            PushChange::Remove(option("dns")),
        ];
        assert_eq!(
            updated_reply(&reply, &changes),
            [
                "PUSH_REPLY,ping 10,route-gateway 10.8.0.1,route 10.9.0.0 255.255.0.0,route 10.10.0.0 255.255.0.0"
            ]
        );
    }

    #[test]
    fn a_change_of_a_long_reply_leaves_no_marks_of_its_parts_behind() {
        let options: Vec<_> = (0..=255)
            .map(|n| PushOption::route(Ipv4Addr::new(10, n, 0, 0), Ipv4Addr::new(255, 255, 0, 0)))
            .chain([PushOption::parse("ping 10").unwrap()])
            .collect();
        let change = PushChange::Set(PushOption::parse("ping 20").unwrap());
        let (before, after) = (push_reply(&options), updated_reply(&push_reply(&options), &[change]));
        assert_eq!(after.len(), before.len());
        assert_eq!(after.concat().matches("push-continuation").count(), after.len());
        assert!(after.last().unwrap().contains(",ping 20,push-continuation 1"));
    }

    #[test]
    fn a_long_reply_is_split_between_options() {
        let options: Vec<_> = (0..=255)
            .map(|n| PushOption::route(Ipv4Addr::new(10, n, 0, 0), Ipv4Addr::new(255, 255, 0, 0)))
            .collect();
        let reply = push_reply(&options);
        assert!(reply.len() > 5);
        assert!(reply.iter().all(|message| message.len() < MAX_MESSAGE));
        let (last, first) = reply.split_last().unwrap();
        assert!(first.iter().all(|message| message.ends_with(",push-continuation 2")));
        assert!(last.ends_with(",push-continuation 1"));
        let unpacked: Vec<_> = reply
            .iter()
            .flat_map(|message| super::options(message))
            .filter(|option| !option.starts_with("push-continuation"))
            .collect();
        let wanted: Vec<_> = options.iter().map(PushOption::as_str).collect();
        assert_eq!(unpacked, wanted);
    }
}
