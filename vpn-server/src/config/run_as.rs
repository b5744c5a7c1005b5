//! Whom the server becomes once everything is set up that only root can do.

use super::error::{ConfigError, InvalidValue};
use super::options::Options;

/// The user and the group that a server runs as; by default those that started it. Whether they exist is found out at
/// the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAs {
    /// The user, by name or number.
    pub user: Option<String>,
    /// The group, by name or number; by default that of the user.
    pub group: Option<String>,
}

impl RunAs {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self {
            user: account("user", options.user.as_deref())?,
            group: account("group", options.group.as_deref())?,
        })
    }
}

fn account(option: &'static str, name: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(name) = name else { return Ok(None) };
    if name.is_empty() || name.contains(|character: char| character == ':' || character.is_control()) {
        let problem = InvalidValue::NotAccountName;
        return Err(ConfigError::InvalidValue { option, value: name.to_owned(), problem });
    }
    Ok(Some(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_taken_and_what_no_account_is_called_is_not() {
        let check = |text: &str| RunAs::check(&toml::from_str(text).unwrap());
        assert_eq!(check("").unwrap(), RunAs::default());
        let given = check("user='nobody'\ngroup='65534'").unwrap();
        assert_eq!((given.user.as_deref(), given.group.as_deref()), (Some("nobody"), Some("65534")));
        for wrong in ["user=''", "user='a:b'", "group=\"a\\nb\""] {
            assert_eq!(check(wrong).unwrap_err().code(), "config-value-invalid", "{wrong}");
        }
    }
}
