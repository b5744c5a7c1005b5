//! Changes of the configuration while clients are connected: told to those that can change, and those that cannot
//! begin anew. Nobody is disturbed whose configuration is the same as before.

use std::collections::BTreeSet;

use tracing::info;
use vpn_proto::{Farewell, Moment, PushChange, PushOption, SessionHandle};

use super::Shard;

/// What a client hears that has to begin anew; it keeps its credentials (`[P]`).
const CHANGED: &str = "[P]the configuration changed";

impl Shard {
    /// Brings every session up to what the configuration says now.
    pub(super) fn follow_live_settings(&mut self, now: Moment) {
        let standing = self.shared.admissions.live.load().standing;
        if let Some((farewell, reason)) = standing.farewell() {
            return self.close_everybody(now, &farewell, reason);
        }
        for handle in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.follow(now, handle);
        }
    }

    fn close_everybody(&mut self, now: Moment, farewell: &Farewell, reason: &'static str) {
        for (handle, _) in self.candidate_addresses() {
            self.endpoint.close(now, handle, farewell.clone());
        }
        for handle in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.close(now, handle, farewell.clone(), reason);
        }
    }

    fn follow(&mut self, now: Moment, handle: SessionHandle) {
        let Some(session) = self.sessions.get_mut(&handle) else { return };
        let has_ipv6 = session.connection.address_v6.is_some();
        let wanted = match self.shared.admissions.options(&session.facts, &session.directives, has_ipv6) {
            Ok(wanted) if wanted == session.pushed => return,
            Ok(wanted) => wanted,
            Err(denial) => return self.close(now, handle, Farewell::AuthFailed(denial.public), denial.code),
        };
        let changes = changes(&session.pushed, &wanted);
        session.pushed = wanted;
        let connection = &session.connection;
        let is_updated = changes.is_some_and(|changes| self.endpoint.push_update(now, handle, &changes));
        info!(connection.id = %connection.id, is_updated, "the configuration of a client changed");
        if !is_updated {
            self.close(now, handle, Farewell::Restart(CHANGED.to_owned()), "configuration-changed");
        }
    }
}

/// Options that a client can change while it is connected (protocol reference section 8.3).
const UPDATABLE: [&str; 12] = [
    "block-ipv6",
    "block-outside-dns",
    "dhcp-option",
    "dns",
    "redirect-gateway",
    "redirect-private",
    "route",
    "route-gateway",
    "route-ipv6",
    "route-metric",
    "topology",
    "tun-mtu",
];

/// What leads from one configuration to another; `None` if no client could do that.
///
/// An option in a change replaces all of its name, so a name of which anything changed comes with all that it has.
fn changes(before: &[PushOption], after: &[PushOption]) -> Option<Vec<PushChange>> {
    let names: BTreeSet<&str> = before.iter().chain(after).map(name).collect();
    let mut changes = Vec::new();
    for changed in names.into_iter().filter(|name| of(before, name) != of(after, name)) {
        if !UPDATABLE.contains(&changed) {
            return None;
        }
        let wanted = of(after, changed);
        if wanted.is_empty() {
            changes.push(PushChange::Remove(PushOption::parse(changed).ok()?));
        }
        changes.extend(wanted.into_iter().cloned().map(PushChange::Set));
    }
    Some(changes)
}

fn name(option: &PushOption) -> &str {
    option.as_str().split(' ').next().unwrap_or_default()
}

fn of<'a>(options: &'a [PushOption], wanted: &str) -> Vec<&'a PushOption> {
    options.iter().filter(|option| name(option) == wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(texts: &[&str]) -> Vec<PushOption> {
        texts.iter().map(|text| PushOption::parse(text).unwrap()).collect()
    }

    /// The changes as they are written, or that there is no way.
    fn between(before: &[&str], after: &[&str]) -> Option<Vec<String>> {
        let changes = changes(&options(before), &options(after))?;
        let text = |change: PushChange| match change {
            PushChange::Set(option) => option.as_str().to_owned(),
            PushChange::Remove(option) => format!("-{}", option.as_str()),
        };
        Some(changes.into_iter().map(text).collect())
    }

    #[test]
    fn a_name_of_which_anything_changed_comes_with_all_it_has() {
        let changed =
            between(&["route a", "dhcp-option DNS x"], &["route a", "route b", "dhcp-option DNS x"]);
        assert_eq!(changed.unwrap(), ["route a", "route b"]);
    }

    #[test]
    fn what_is_there_no_longer_is_removed() {
        let changed = between(&["redirect-gateway def1", "dhcp-option DNS x"], &["route a"]);
        assert_eq!(changed.unwrap(), ["-dhcp-option", "-redirect-gateway", "route a"]);
    }

    #[test]
    fn what_no_client_can_change_needs_a_restart() {
        assert_eq!(between(&["route a"], &["route a", "echo hello"]), None);
        assert_eq!(between(&["inactive 60"], &[]), None);
    }

    #[test]
    fn the_same_in_the_same_order_is_no_change() {
        assert_eq!(between(&["route a", "route b"], &["route a", "route b"]).unwrap().len(), 0);
        assert_eq!(between(&["route a", "route b"], &["route b", "route a"]).unwrap().len(), 2);
    }
}
