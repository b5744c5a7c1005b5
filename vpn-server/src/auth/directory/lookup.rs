//! One login, asked of one server: who is it, is the password right, which groups count.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ldap3::Scope;
use vpn_proto::Password;
use zeroize::Zeroizing;

use super::dialog::{Bound, Dialog, Entry, Search};
use super::failure::{Cause, Failure, Step};
use super::groups::groups_of;
use super::{DirectorySettings, GroupName, GroupSource, Template, UserSearch};
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

/// As whom a directory is asked, with what is needed for it.
pub(super) enum Key {
    /// As an account that searches.
    Service(ServiceAccount),
    /// As the user.
    Direct(Template),
}

/// The account that searches.
pub(super) struct ServiceAccount {
    name: String,
    password_file: PathBuf,
    password_at_start: Password,
}

/// Asks about a user name and a password.
pub(super) async fn look_up(
    dialog: &mut Dialog,
    settings: &DirectorySettings,
    key: &Key,
    username: &Username,
    password: &Password,
) -> Result<Outcome, Failure> {
    match key {
        Key::Service(service) => by_service(dialog, settings, service, username, password).await,
        Key::Direct(template) => directly(dialog, settings, template, username, password).await,
    }
}

async fn by_service(
    dialog: &mut Dialog,
    settings: &DirectorySettings,
    service: &ServiceAccount,
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

impl ServiceAccount {
    /// The account `name`, whose password is the first line of a file.
    pub(super) fn open(name: &str, password_file: &Path) -> io::Result<Self> {
        let password_at_start = read_secret(password_file)?;
        Ok(Self { name: name.to_owned(), password_file: password_file.to_owned(), password_at_start })
    }

    /// What stands in the file now, or what stood there at the start: a server that gave up its privileges may not be able to
    /// read it any more.
    fn password(&self) -> Password {
        read_secret(&self.password_file).unwrap_or_else(|_| self.password_at_start.clone())
    }

    async fn bind(&self, dialog: &mut Dialog) -> Result<(), Failure> {
        match dialog.bind(Step::ServiceBind, &self.name, &self.password()).await? {
            Bound::Yes => Ok(()),
            Bound::No { text } => {
                Err(dialog.failure(Step::ServiceBind, Cause::Refused { code: INVALID_CREDENTIALS, text }))
            }
        }
    }
}

/// The first line of a file, without what ends it.
fn read_secret(path: &Path) -> io::Result<Password> {
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
    #[test]
    fn a_new_password_counts_and_a_file_that_cannot_be_read_any_more_does_not_hurt() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        fs::write(&path, "old").unwrap();
        let account = ServiceAccount::open("cn=vpn", &path).unwrap();
        fs::write(&path, "new").unwrap();
        assert_eq!(account.password().as_str(), "new");
        fs::remove_file(&path).unwrap();
        assert_eq!(account.password().as_str(), "old");
    }
}
