//! Whom a rule is for.
//!
//! Names of groups and people become [`Tag`]s before packets are judged: a session carries its tags, a rule those it is
//! for, and comparing them needs no table that both would have to share and that names of strangers would grow.

use std::fmt;

use sha2::{Digest, Sha256};

/// Stands for one name of a group or a person: the first half of a SHA-256 over its kind and its octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u128);

/// The tags of one session, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Box<[Tag]>);

/// Whom a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Every session.
    #[default]
    Everybody,
    /// Sessions that have one of these tags.
    AnyOf(Tags),
}

impl Tag {
    /// The tag of a group.
    #[must_use]
    pub fn group(name: &str) -> Self {
        Self::of(b"group\0", name)
    }

    /// The tag of the client with this common name.
    #[must_use]
    pub fn common_name(name: &str) -> Self {
        Self::of(b"common-name\0", name)
    }

    fn of(kind: &[u8], name: &str) -> Self {
        let digest = Sha256::new().chain_update(kind).chain_update(name).finalize();
        Self(digest.iter().take(16).fold(0, |number, octet| number << 8 | u128::from(*octet)))
    }
}

impl Tags {
    /// Whether one of `others` is among them.
    fn meet(&self, others: &Self) -> bool {
        let (few, many) = if self.0.len() <= others.0.len() { (self, others) } else { (others, self) };
        few.0.iter().any(|tag| many.0.binary_search(tag).is_ok())
    }
}

impl FromIterator<Tag> for Tags {
    fn from_iter<I: IntoIterator<Item = Tag>>(tags: I) -> Self {
        let mut tags: Vec<Tag> = tags.into_iter().collect();
        tags.sort_unstable();
        tags.dedup();
        Self(tags.into())
    }
}

impl Audience {
    /// Whether a session with `tags` is meant.
    #[must_use]
    pub fn includes(&self, tags: &Tags) -> bool {
        match self {
            Self::Everybody => true,
            Self::AnyOf(wanted) => wanted.meet(tags),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tag({:08x}…)", self.0 >> 96)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_not_the_person_of_the_same_name() {
        assert_ne!(Tag::group("admins"), Tag::common_name("admins"));
        assert_ne!(Tag::group("admins"), Tag::group("Admins"));
        assert_eq!(Tag::group("admins"), Tag::group("admins"));
    }

    #[test]
    fn an_audience_includes_whoever_has_one_of_its_tags() {
        let of = |names: &[&str]| names.iter().map(|name| Tag::group(name)).collect::<Tags>();
        let audience = Audience::AnyOf(of(&["sales", "it"]));
        for (groups, expected) in
            [(&[][..], false), (&["it"], true), (&["a", "b", "c", "sales"], true), (&["a", "b", "c"], false)]
        {
            assert_eq!(audience.includes(&of(groups)), expected, "{groups:?}");
        }
        assert!(Audience::Everybody.includes(&Tags::default()));
        assert!(!Audience::AnyOf(Tags::default()).includes(&of(&["it"])));
    }
}
