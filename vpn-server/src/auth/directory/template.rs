//! Filters and names with a place for what a client sent, which is escaped wherever it goes.

use std::borrow::Cow;
use std::fmt;

use ldap3::{dn_escape, ldap_escape, parse_filter};

/// A text with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    syntax: Syntax,
}

/// What stands in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{user}`: the user name.
    User,
    /// `{dn}`: the distinguished name of an entry.
    Dn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Placeholder),
}

/// By which rules values are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    /// RFC 4515.
    Filter,
    /// RFC 4514.
    DistinguishedName,
    /// A principal name such as `{user}@corp.example`, in which nothing has a meaning.
    Plain,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// There is no place for a value.
    #[error("{0} does not stand in it")]
    NoPlace(Placeholder),
    /// A place that has no value here.
    #[error("'{{{}}}' has no meaning here", .0.escape_debug())]
    UnknownPlace(String),
    /// A brace that is not closed.
    #[error("a brace is not closed")]
    Unclosed,
    /// Not a search filter.
    #[error("it is no search filter of RFC 4515")]
    NotFilter,
}

impl Template {
    /// A search filter in which `needed` has to stand.
    ///
    /// # Errors
    ///
    /// [`InvalidTemplate`]: braces or filter are not right, or `needed` is missing.
    pub fn filter(text: &str, needed: Placeholder) -> Result<Self, InvalidTemplate> {
        let template = Self::parse(text, &[Placeholder::User, Placeholder::Dn], needed, Syntax::Filter)?;
        match parse_filter(template.fill("name", "cn=name")) {
            Ok(_) => Ok(template),
            Err(_) => Err(InvalidTemplate::NotFilter),
        }
    }

    /// The name by which a user binds: a distinguished name, or a principal name as Active Directory takes it.
    ///
    /// # Errors
    ///
    /// [`InvalidTemplate`]: braces are not right, or `{user}` is missing.
    pub fn bind_name(text: &str) -> Result<Self, InvalidTemplate> {
        let syntax = if text.contains('=') { Syntax::DistinguishedName } else { Syntax::Plain };
        Self::parse(text, &[Placeholder::User], Placeholder::User, syntax)
    }

    /// The text with values in their places.
    #[must_use]
    pub fn fill(&self, user: &str, dn: &str) -> String {
        self.pieces.iter().map(|piece| self.fill_piece(piece, user, dn)).collect()
    }

    fn fill_piece<'a>(&self, piece: &'a Piece, user: &'a str, dn: &'a str) -> Cow<'a, str> {
        let value = match piece {
            Piece::Text(text) => return Cow::Borrowed(text),
            Piece::Place(Placeholder::User) => user,
            Piece::Place(Placeholder::Dn) => dn,
        };
        match self.syntax {
            Syntax::Filter => ldap_escape(value),
            Syntax::DistinguishedName => dn_escape(value),
            Syntax::Plain => Cow::Borrowed(value),
        }
    }

    fn parse(
        text: &str,
        allowed: &[Placeholder],
        needed: Placeholder,
        syntax: Syntax,
    ) -> Result<Self, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or(InvalidTemplate::Unclosed)?;
            let place = allowed.iter().find(|place| place.name() == name);
            let place = place.ok_or_else(|| InvalidTemplate::UnknownPlace(name.to_owned()))?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Place(*place)]);
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        if !pieces.contains(&Piece::Place(needed)) {
            return Err(InvalidTemplate::NoPlace(needed));
        }
        Ok(Self { pieces, syntax })
    }
}

impl Placeholder {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Dn => "dn",
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{}}}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_filter(user: &str) -> String {
        Template::filter("(&(objectClass=person)(uid={user}))", Placeholder::User).unwrap().fill(user, "")
    }

    #[test]
    fn ordinary_names_stand_in_a_filter_as_they_are() {
        assert_eq!(user_filter("alice@corp.example"), "(&(objectClass=person)(uid=alice@corp.example))");
        assert_eq!(user_filter("Zoë"), "(&(objectClass=person)(uid=Zoë))");
    }

    #[test]
    fn names_never_become_syntax_of_a_filter() {
        for (name, escaped) in [
            ("*", r"\2a"),
            ("a*", r"a\2a"),
            ("*)(uid=*))(|(uid=*", r"\2a\29\28uid=\2a\29\29\28|\28uid=\2a"),
            ("admin)(&)", r"admin\29\28&\29"),
            (r"a\2a", r"a\5c2a"),
            ("a\0b", r"a\00b"),
        ] {
            let filter = user_filter(name);
            assert_eq!(filter, format!("(&(objectClass=person)(uid={escaped}))"));
            assert!(parse_filter(&filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn names_never_become_parts_of_a_distinguished_name() {
        let template = Template::bind_name("uid={user},ou=people,dc=example,dc=org").unwrap();
        for (name, escaped) in [
            ("alice", "alice"),
            ("alice,ou=admins", r"alice\2cou\3dadmins"),
            ("a+cn=b", r"a\2bcn\3db"),
            (" a ", r"\20a\20"),
            ("#a", r"\23a"),
        ] {
            assert_eq!(template.fill(name, ""), format!("uid={escaped},ou=people,dc=example,dc=org"));
        }
    }

    #[test]
    fn a_principal_name_takes_the_user_name_as_it_is() {
        let template = Template::bind_name("{user}@corp.example").unwrap();
        assert_eq!(template.fill("alice", ""), "alice@corp.example");
    }

    #[test]
    fn a_value_that_looks_like_a_place_is_not_filled() {
        let filter = Template::filter("(&(member={dn})(uid={user}))", Placeholder::Dn).unwrap();
        assert_eq!(filter.fill("{dn}", "cn=a,dc=b"), "(&(member=cn=a,dc=b)(uid={dn}))");
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said() {
        let filter = |text| Template::filter(text, Placeholder::User).unwrap_err();
        assert_eq!(filter("(uid=*)"), InvalidTemplate::NoPlace(Placeholder::User));
        assert_eq!(filter("(uid={name})"), InvalidTemplate::UnknownPlace("name".to_owned()));
        assert_eq!(filter("(uid={user)"), InvalidTemplate::Unclosed);
        assert_eq!(filter("(&(uid={user})"), InvalidTemplate::NotFilter);
        assert_eq!(
            Template::bind_name("uid={dn},dc=b").unwrap_err(),
            InvalidTemplate::UnknownPlace("dn".to_owned())
        );
    }
}
