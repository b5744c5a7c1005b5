//! The groups that have been found so far, and whose groups are to be looked for next: without end where groups are in
//! each other, were it not for limits.

use std::collections::{BTreeSet, HashSet};
use std::mem;

use super::{DirectorySettings, GroupName};

/// Groups, level by level upwards.
#[derive(Debug)]
pub(super) struct Gathering {
    seen: HashSet<String>,
    names: BTreeSet<GroupName>,
    next: Vec<String>,
    levels_left: u8,
    is_full: bool,
}

impl Gathering {
    /// Nothing yet; groups of groups are followed `depth` levels upwards.
    pub(super) fn new(depth: u8) -> Self {
        Self {
            seen: HashSet::new(),
            names: BTreeSet::new(),
            next: Vec::new(),
            levels_left: depth,
            is_full: false,
        }
    }

    /// Takes a group by its distinguished name; answers whether it is new and counts.
    pub(super) fn meet(&mut self, dn: &str) -> bool {
        let key = dn.to_lowercase();
        if self.seen.contains(&key) {
            return false;
        }
        if self.seen.len() >= DirectorySettings::MOST_GROUPS {
            self.is_full = true;
            return false;
        }
        self.seen.insert(key);
        self.next.push(dn.to_owned());
        true
    }

    /// Notes what rules call a group.
    pub(super) fn name(&mut self, name: GroupName) {
        self.names.insert(name);
    }

    /// The groups that were met since the last call, whose own groups are to be met now; none when it is deep enough.
    pub(super) fn next_level(&mut self) -> Vec<String> {
        match self.levels_left.checked_sub(1) {
            Some(left) => {
                self.levels_left = left;
                mem::take(&mut self.next)
            }
            None => Vec::new(),
        }
    }

    /// Whether groups were left out because there are too many.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// What was found.
    pub(super) fn into_names(self) -> Vec<GroupName> {
        self.names.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_are_in_each_other_are_met_once() {
        let mut gathering = Gathering::new(16);
        assert!(gathering.meet("cn=a"));
        assert_eq!(gathering.next_level(), ["cn=a"]);
        assert!(gathering.meet("cn=b"));
        assert_eq!(gathering.next_level(), ["cn=b"]);
        assert!(!gathering.meet("CN=A"));
        assert!(gathering.next_level().is_empty());
    }

    #[test]
    fn levels_end_where_the_settings_say() {
        let mut gathering = Gathering::new(1);
        gathering.meet("cn=a");
        assert_eq!(gathering.next_level().len(), 1);
        gathering.meet("cn=b");
        assert!(gathering.next_level().is_empty());
        let mut flat = Gathering::new(0);
        flat.meet("cn=a");
        assert!(flat.next_level().is_empty());
    }

    #[test]
    fn two_hundred_groups_count_and_one_more_does_not() {
        let mut gathering = Gathering::new(1);
        for number in 0..DirectorySettings::MOST_GROUPS {
            assert!(gathering.meet(&format!("cn={number}")));
        }
        assert!(!gathering.is_full());
        assert!(!gathering.meet("cn=1") && !gathering.is_full());
        assert!(!gathering.meet("cn=one more") && gathering.is_full());
    }

    #[test]
    fn names_come_once_and_in_order() {
        let mut gathering = Gathering::new(1);
        for name in ["b", "a", "b"] {
            gathering.name(GroupName::parse(name).unwrap());
        }
        let names: Vec<_> = gathering.into_names().into_iter().map(GroupName::into_string).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
