//! Who a session is by name, before rules are asked.

use super::audience::{Tag, Tags};

/// The most groups of a session that count; the rest is left out, as AWS Client VPN does.
const MOST_GROUPS: usize = 200;

/// The names by which rules can mean a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The common name of its certificate, or its user name where that counts instead.
    pub common_name: Option<String>,
    /// The groups it is in.
    pub groups: Vec<String>,
}

impl Subject {
    /// What rules compare.
    #[must_use]
    pub fn tags(&self) -> Tags {
        let groups = self.groups.iter().take(MOST_GROUPS).map(|name| Tag::group(name));
        groups.chain(self.common_name.as_deref().map(Tag::common_name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::audience::Audience;
    use super::*;

    #[test]
    fn a_subject_is_meant_by_its_name_and_by_each_of_its_groups() {
        let groups = vec!["it".to_owned(), "board".to_owned()];
        let tags = Subject { common_name: Some("alice".to_owned()), groups }.tags();
        let means = |tag| Audience::AnyOf([tag].into_iter().collect()).includes(&tags);
        assert!(means(Tag::group("it")) && means(Tag::group("board")) && means(Tag::common_name("alice")));
        assert!(!means(Tag::group("alice")) && !means(Tag::common_name("it")));
    }

    #[test]
    fn groups_beyond_the_first_two_hundred_do_not_count() {
        let groups = (0..=MOST_GROUPS).map(|number| number.to_string()).collect();
        let tags = Subject { common_name: None, groups }.tags();
        let means = |name: &str| Audience::AnyOf([Tag::group(name)].into_iter().collect()).includes(&tags);
        assert!(means("199") && !means("200"));
    }
}
