//! One login, asked of one server: who is it, is the password right, which groups count.

use std::fs;
use std::io;
use std::path::Path;

use ldap3::Scope;
use vpn_proto::Password;
use zeroize::Zeroizing;

use super::dialog::{Bound, Dialog, Entry, Search};
use super::failure::{Cause, Failure, Step};
use super::groups::groups_of;
use super::{DirectorySettings, GroupName, GroupSource, SignOn, Template, UserSearch};
use crate::auth::login::Username;

/// What a directory says about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The password is right; these groups count.
    Known(Vec<GroupName>),
    /// No entry is that of the user.
    NoSuchUser,
    /// Several entries could be that of the user.
    Ambiguous,
    /// The password is wrong, or the account may not log in.
    WrongPassword {
        /// What the server says about it.
        text: String,
    },
}

/// Asks about a user name and a password.
pub(super) async fn look_up(
    dialog: &mut Dialog,
    settings: &DirectorySettings,
    username: &Username,
    password: &Password,
) -> Result<Outcome, Failure> {
    match &settings.sign_on {
        SignOn::Service { name, password_file } => {
            let service = Service { name, password_file };
            by_service(dialog, settings, &service, username, password).await
        }
        SignOn::Direct(template) => directly(dialog, settings, template, username, password).await,
    }
}

/// The account that searches.
struct Service<'a> {
    name: &'a str,
    password_file: &'a Path,
}

async fn by_service(
    dialog: &mut Dialog,
    settings: &DirectorySettings,
    service: &Service<'_>,
    username: &Username,
    password: &Password,
) -> Result<Outcome, Failure> {
    service.bind(dialog).await?;
    let Some(users) = &settings.users else { return Ok(Outcome::NoSuchUser) };
    let user = match find(dialog, settings, users, username).await? {
        Found::One(user) => user,
        Found::None => return Ok(Outcome::NoSuchUser),
        Found::Several => return Ok(Outcome::Ambiguous),
    };
    if let Bound::No { text } = dialog.bind(Step::UserBind, &user.dn, password).await? {
        return Ok(Outcome::WrongPassword { text });
    }
    if settings.groups.source == GroupSource::Nowhere {
        return Ok(Outcome::Known(Vec::new()));
    }
    service.bind(dialog).await?;
    Ok(Outcome::Known(groups_of(dialog, &settings.groups, &user).await?))
}

async fn directly(
    dialog: &mut Dialog,
    settings: &DirectorySettings,
    template: &Template,
    username: &Username,
    password: &Password,
) -> Result<Outcome, Failure> {
    let name = template.fill(username.as_str(), "");
    if let Bound::No { text } = dialog.bind(Step::UserBind, &name, password).await? {
        return Ok(Outcome::WrongPassword { text });
    }
    let user = match &settings.users {
        None => return Ok(Outcome::Known(Vec::new())),
        Some(users) => match find(dialog, settings, users, username).await? {
            Found::One(user) => user,
            Found::None => return Ok(Outcome::NoSuchUser),
            Found::Several => return Ok(Outcome::Ambiguous),
        },
    };
    Ok(Outcome::Known(groups_of(dialog, &settings.groups, &user).await?))
}

impl Service<'_> {
    async fn bind(&self, dialog: &mut Dialog) -> Result<(), Failure> {
        let password = read_secret(self.password_file);
        let password = password.map_err(|error| dialog.failure(Step::ServiceBind, Cause::NoSecret(error)))?;
        match dialog.bind(Step::ServiceBind, self.name, &password).await? {
            Bound::Yes => Ok(()),
            Bound::No { text } => {
                Err(dialog.failure(Step::ServiceBind, Cause::Refused { code: INVALID_CREDENTIALS, text }))
            }
        }
    }
}

/// The first line of a file, without what ends it.
pub(super) fn read_secret(path: &Path) -> io::Result<Password> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Password::new(line.to_owned())),
        Some(_) | None => Err(io::Error::new(io::ErrorKind::InvalidData, "the first line is empty")),
    }
}

const INVALID_CREDENTIALS: u32 = 49;

/// The entries that could be that of a user.
enum Found {
    None,
    One(Entry),
    Several,
}

async fn find(
    dialog: &mut Dialog,
    settings: &DirectorySettings,
    users: &UserSearch,
    username: &Username,
) -> Result<Found, Failure> {
    let filter = users.filter.fill(username.as_str(), "");
    let attributes = [settings.groups.attribute_of_members()];
    let search = Search {
        base: &users.base,
        scope: Scope::Subtree,
        filter: &filter,
        attributes: &attributes,
        at_most: 2,
    };
    let mut entries = dialog.search(Step::UserSearch, &search).await?.into_iter();
    Ok(match (entries.next(), entries.next()) {
        (None, _) => Found::None,
        (Some(entry), None) => Found::One(entry),
        (Some(_), Some(_)) => Found::Several,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_the_account_is_the_first_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (text, expected) in [("secret\n", "secret"), (" a b \r\nmore", " a b "), ("x", "x")] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_secret(&path).unwrap().as_str(), expected);
        }
        for text in ["", "\n", "\nsecret"] {
            fs::write(&path, text).unwrap();
            assert!(read_secret(&path).is_err(), "{text:?}");
        }
    }
}
