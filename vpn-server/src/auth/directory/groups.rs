//! The groups of one user: those that it is in, and those that these are in.

use ldap3::Scope;
use pki_core::text::Printable;
use tracing::{debug, warn};

use super::dialog::{Dialog, Entry, Search};
use super::failure::{Failure, Step};
use super::gathering::Gathering;
use super::{DirectorySettings, GroupIdentifier, GroupName, GroupSettings, GroupSource, Template, sid};

/// The groups that count for whoever `user` is.
pub(super) async fn groups_of(
    dialog: &mut Dialog,
    settings: &GroupSettings,
    user: &Entry,
) -> Result<Vec<GroupName>, Failure> {
    let mut gathering = Gathering::new(settings.depth);
    match &settings.source {
        GroupSource::Nowhere => {}
        GroupSource::Attribute(attribute) => {
            let identifier = &settings.identifier;
            let by_attribute = ByAttribute { attribute, identifier, reads: settings.reads_entries() };
            by_attribute.gather(dialog, user, &mut gathering).await?;
        }
        GroupSource::Search { base, filter } => {
            let by_search = BySearch { base, filter, identifier: &settings.identifier };
            by_search.gather(dialog, user, &mut gathering).await?;
        }
    }
    if gathering.is_full() {
        let most = DirectorySettings::MOST_GROUPS;
        warn!(
            user = Printable(&user.dn).to_string(),
            most, "the user is in more groups than count; others are left out"
        );
    }
    Ok(gathering.into_names())
}

/// The entry of a member names its groups.
struct ByAttribute<'a> {
    attribute: &'a str,
    identifier: &'a GroupIdentifier,
    reads: bool,
}

impl ByAttribute<'_> {
    async fn gather(
        &self,
        dialog: &mut Dialog,
        user: &Entry,
        gathering: &mut Gathering,
    ) -> Result<(), Failure> {
        self.meet_groups_in(dialog, user, gathering).await?;
        loop {
            let level = gathering.next_level();
            if level.is_empty() {
                return Ok(());
            }
            for dn in level {
                let attributes = [self.attribute];
                if let Some(group) = dialog.read(Step::GroupSearch, &dn, &attributes).await? {
                    self.meet_groups_in(dialog, &group, gathering).await?;
                }
            }
        }
    }

    async fn meet_groups_in(
        &self,
        dialog: &mut Dialog,
        member: &Entry,
        gathering: &mut Gathering,
    ) -> Result<(), Failure> {
        for dn in member.texts(self.attribute) {
            if !gathering.meet(dn) {
                continue;
            }
            let group = if self.reads { self.read(dialog, dn).await? } else { Some(Entry::named(dn)) };
            note(gathering, self.identifier, group.as_ref(), dn);
        }
        Ok(())
    }

    async fn read(&self, dialog: &mut Dialog, dn: &str) -> Result<Option<Entry>, Failure> {
        let attributes: Vec<&str> = self.identifier.attribute().into_iter().collect();
        dialog.read(Step::GroupSearch, dn, &attributes).await
    }
}

/// The entries of groups name their members.
struct BySearch<'a> {
    base: &'a str,
    filter: &'a Template,
    identifier: &'a GroupIdentifier,
}

impl BySearch<'_> {
    async fn gather(
        &self,
        dialog: &mut Dialog,
        user: &Entry,
        gathering: &mut Gathering,
    ) -> Result<(), Failure> {
        self.meet_groups_of(dialog, &user.dn, gathering).await?;
        loop {
            let level = gathering.next_level();
            if level.is_empty() {
                return Ok(());
            }
            for dn in level {
                self.meet_groups_of(dialog, &dn, gathering).await?;
            }
        }
    }

    async fn meet_groups_of(
        &self,
        dialog: &mut Dialog,
        member: &str,
        gathering: &mut Gathering,
    ) -> Result<(), Failure> {
        let filter = self.filter.fill("", member);
        let attributes = [self.identifier.attribute().unwrap_or(NO_ATTRIBUTES)];
        let search = Search {
            base: self.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &attributes,
            at_most: DirectorySettings::MOST_GROUPS + 1,
        };
        for group in dialog.search(Step::GroupSearch, &search).await? {
            if gathering.meet(&group.dn) {
                note(gathering, self.identifier, Some(&group), &group.dn);
            }
        }
        Ok(())
    }
}

/// Asks for no attribute at all (RFC 4511, 4.5.1.8).
pub(super) const NO_ATTRIBUTES: &str = "1.1";

fn note(gathering: &mut Gathering, identifier: &GroupIdentifier, group: Option<&Entry>, dn: &str) {
    let text = group.and_then(|group| identifier.text_in(group));
    match text.as_deref().map(GroupName::parse) {
        Some(Ok(name)) => gathering.name(name),
        Some(Err(problem)) => {
            warn!(group = Printable(dn).to_string(), %problem, "a group of the directory does not count");
        }
        None => {
            debug!(group = Printable(dn).to_string(), "a group of the directory has no name that rules know")
        }
    }
}

impl GroupIdentifier {
    /// What it is in an entry.
    fn text_in(&self, group: &Entry) -> Option<String> {
        match self {
            Self::DistinguishedName => Some(group.dn.clone()),
            Self::Sid => group.octets("objectSid").first().and_then(|octets| sid::text_of(octets)),
            Self::Attribute(name) => group.texts(name).next().map(ToOwned::to_owned),
        }
    }
}

impl GroupSettings {
    /// Whether the name of a group does not say yet what it is called.
    fn reads_entries(&self) -> bool {
        self.identifier != GroupIdentifier::DistinguishedName
    }

    /// What has to be read of the entry of a user.
    pub(super) fn attribute_of_members(&self) -> &str {
        match &self.source {
            GroupSource::Attribute(name) => name,
            GroupSource::Nowhere | GroupSource::Search { .. } => NO_ATTRIBUTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialog::tests::entry;
    use super::*;

    #[test]
    fn a_group_is_called_as_the_settings_say() {
        let group = entry("cn=admins,dc=a", &[("cn", &["admins", "root"])]);
        assert_eq!(GroupIdentifier::DistinguishedName.text_in(&group).unwrap(), "cn=admins,dc=a");
        assert_eq!(GroupIdentifier::Attribute("CN".to_owned()).text_in(&group).unwrap(), "admins");
        assert_eq!(GroupIdentifier::Sid.text_in(&group), None);
    }

    #[test]
    fn a_group_without_a_usable_name_does_not_count() {
        let mut gathering = Gathering::new(0);
        let (long, by_dn) = ("x".repeat(256), GroupIdentifier::DistinguishedName);
        note(&mut gathering, &by_dn, Some(&Entry::named(&long)), &long);
        note(&mut gathering, &by_dn, Some(&Entry::named("cn=a\nb")), "cn=a\nb");
        note(&mut gathering, &by_dn, None, "cn=gone");
        note(&mut gathering, &by_dn, Some(&Entry::named("cn=a")), "cn=a");
        assert_eq!(gathering.into_names(), [GroupName::parse("cn=a").unwrap()]);
    }
}
