//! Which directory decides about logins: `[directory]` in a configuration file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, InvalidValue};
use super::login::UnknownWord;
use super::option_table::OptionValue;
use super::options::one_or_many;
use crate::auth::directory::{
    DirectorySettings, GroupIdentifier, GroupSettings, GroupSource, InvalidServerUrl, InvalidTemplate,
    Placeholder, ServerUrl, SignOn, Template, TimeLimits, UserSearch,
};

/// The keys of `[directory]`, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct DirectoryOptions {
    /// The servers: `ldaps://HOST[:PORT]`, or `ldap://HOST[:PORT]` for StartTLS.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub url: Option<Vec<String>>,
    /// PEM file with the authorities of the servers.
    pub ca: Option<PathBuf>,
    /// Speak to `ldap://` servers without TLS: everybody on the way sees the passwords.
    pub without_tls: Option<bool>,
    /// The account that searches.
    pub bind_dn: Option<String>,
    /// File whose first line is its password.
    pub bind_password_file: Option<PathBuf>,
    /// The name by which users bind themselves, with `{user}` in it.
    pub user_name: Option<String>,
    /// Below which entry users are.
    pub base: Option<String>,
    /// Which of them it is, with `{user}` in it.
    pub filter: Option<String>,
    /// `none`, `member-of`, `search` or `in-chain`.
    pub groups: Option<String>,
    /// The attribute of members that names their groups.
    pub group_attribute: Option<String>,
    /// Below which entry groups are.
    pub group_base: Option<String>,
    /// Which of them somebody is in, with `{dn}` in it.
    pub group_filter: Option<String>,
    /// What rules call a group: `dn`, `sid`, or the name of an attribute.
    pub group_id: Option<String>,
    /// How many groups of groups are followed upwards.
    pub group_depth: Option<u8>,
    /// Seconds to connect to a server.
    pub connect_timeout: Option<u32>,
    /// Seconds for one question.
    pub operation_timeout: Option<u32>,
    /// Seconds for a whole login.
    pub timeout: Option<u32>,
    /// How many logins are decided at once.
    pub threads: Option<u16>,
}

/// A directory: as it was given, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryTable {
    given: DirectoryOptions,
    settings: DirectorySettings,
}

/// Why a text in `[directory]` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDirectory {
    /// Not a server.
    #[error(transparent)]
    Url(#[from] InvalidServerUrl),
    /// Not a filter or a name.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
    /// Too high a number.
    #[error("at most {0} is possible")]
    TooMuch(u32),
}

/// The filter by which Active Directory finds all groups of somebody at once, nested ones too.
const IN_CHAIN: &str = "(member:1.2.840.113556.1.4.1941:={dn})";
/// The filter by which groups are found otherwise.
const BY_MEMBER: &str = "(|(member={dn})(uniqueMember={dn}))";
const MEMBER_OF: &str = "memberOf";
const USER_FILTER: &str = "(uid={user})";
const DEFAULT_DEPTH: u8 = 8;
const MOST_THREADS: u16 = 256;
const LONGEST_TIMEOUT: u32 = 60;

impl InvalidDirectory {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Url(_) => "write ldaps://dc1.example.com or ldap://dc1.example.com:389",
            Self::Template(_) => "write a filter such as (sAMAccountName={user}) or (member={dn})",
            Self::TooMuch(_) => "choose a smaller number",
        }
    }
}

impl OptionValue for DirectoryOptions {
    fn taken_from(mut self, directory: &Path) -> Self {
        for path in [&mut self.ca, &mut self.bind_password_file].into_iter().flatten() {
            *path = directory.join(&*path);
        }
        self
    }
}

impl DirectoryOptions {
    fn sign_on(&self) -> Result<SignOn, ConfigError> {
        match (&self.user_name, &self.bind_dn) {
            (Some(_), Some(_)) => {
                Err(ConfigError::Exclusive { first: "directory.user-name", second: "directory.bind-dn" })
            }
            (Some(name), None) => {
                let template = Template::bind_name(name);
                template.map(SignOn::Direct).map_err(|problem| invalid("directory.user-name", name, problem))
            }
            (None, Some(name)) => {
                let file = self.bind_password_file.clone();
                let password_file = file.ok_or(ConfigError::Missing {
                    option: "directory.bind-password-file",
                    meaning: "the file whose first line is the password of bind-dn",
                })?;
                Ok(SignOn::Service { name: name.clone(), password_file })
            }
            (None, None) => Err(ConfigError::Missing {
                option: "directory.bind-dn",
                meaning: "the account that searches, or user-name, the name by which users bind themselves",
            }),
        }
    }

    fn users(&self, sign_on: &SignOn) -> Result<Option<UserSearch>, ConfigError> {
        let is_needed = matches!(sign_on, SignOn::Service { .. }) || self.groups.is_some();
        match &self.base {
            None if is_needed => Err(ConfigError::Missing {
                option: "directory.base",
                meaning: "the entry below which users are, e.g. dc=example,dc=com",
            }),
            None => Ok(None),
            Some(base) => {
                let filter = self.filter.as_deref().unwrap_or(USER_FILTER);
                let filter = Template::filter(filter, Placeholder::User)
                    .map_err(|problem| invalid("directory.filter", filter, problem))?;
                Ok(Some(UserSearch { base: base.clone(), filter }))
            }
        }
    }

    fn group_settings(&self) -> Result<GroupSettings, ConfigError> {
        let word = self.groups.as_deref().unwrap_or("none");
        let (source, depth) = match word {
            "none" => (GroupSource::Nowhere, 0),
            "member-of" => {
                let attribute = self.group_attribute.as_deref().unwrap_or(MEMBER_OF);
                (GroupSource::Attribute(attribute.to_owned()), DEFAULT_DEPTH)
            }
            "search" => (self.group_search(BY_MEMBER)?, DEFAULT_DEPTH),
            "in-chain" => (self.group_search(IN_CHAIN)?, 0),
            _ => {
                let problem = UnknownWord("none, member-of, search or in-chain");
                return Err(invalid("directory.groups", word, problem));
            }
        };
        let identifier = match self.group_id.as_deref() {
            None | Some("dn") => GroupIdentifier::DistinguishedName,
            Some("sid") => GroupIdentifier::Sid,
            Some(attribute) => GroupIdentifier::Attribute(attribute.to_owned()),
        };
        let depth = self.group_depth.unwrap_or(depth);
        let most = DirectorySettings::GREATEST_DEPTH;
        if depth > most {
            let problem = InvalidDirectory::TooMuch(most.into());
            return Err(invalid("directory.group-depth", &depth.to_string(), problem));
        }
        Ok(GroupSettings { source, identifier, depth })
    }

    fn group_search(&self, preset: &str) -> Result<GroupSource, ConfigError> {
        let base = self.group_base.as_ref().or(self.base.as_ref()).cloned().unwrap_or_default();
        let filter = self.group_filter.as_deref().unwrap_or(preset);
        let filter = Template::filter(filter, Placeholder::Dn)
            .map_err(|problem| invalid("directory.group-filter", filter, problem))?;
        Ok(GroupSource::Search { base, filter })
    }

    fn servers(&self) -> Result<Vec<ServerUrl>, ConfigError> {
        let without_tls = self.without_tls.unwrap_or(false);
        let urls = self.url.iter().flatten();
        let servers: Vec<ServerUrl> = urls
            .map(|url| {
                ServerUrl::parse(url, without_tls).map_err(|problem| invalid("directory.url", url, problem))
            })
            .collect::<Result<_, _>>()?;
        if servers.is_empty() {
            let meaning = "the servers of the directory, e.g. ldaps://dc1.example.com";
            return Err(ConfigError::Missing { option: "directory.url", meaning });
        }
        Ok(servers)
    }

    fn limits(&self) -> Result<TimeLimits, ConfigError> {
        let default = TimeLimits::default();
        Ok(TimeLimits {
            connect: time_limit("directory.connect-timeout", self.connect_timeout)?
                .unwrap_or(default.connect),
            operation: time_limit("directory.operation-timeout", self.operation_timeout)?
                .unwrap_or(default.operation),
            total: time_limit("directory.timeout", self.timeout)?.unwrap_or(default.total),
        })
    }

    fn threads(&self) -> Result<usize, ConfigError> {
        match self.threads {
            None => Ok(DirectorySettings::DEFAULT_THREADS),
            Some(0) => Err(invalid("directory.threads", "0", InvalidValue::Zero)),
            Some(threads) if threads > MOST_THREADS => {
                let problem = InvalidDirectory::TooMuch(MOST_THREADS.into());
                Err(invalid("directory.threads", &threads.to_string(), problem))
            }
            Some(threads) => Ok(threads.into()),
        }
    }
}

impl DirectoryTable {
    pub(super) fn check(given: &DirectoryOptions) -> Result<Self, ConfigError> {
        let sign_on = given.sign_on()?;
        let settings = DirectorySettings {
            servers: given.servers()?,
            authorities: given.ca.clone(),
            users: given.users(&sign_on)?,
            sign_on,
            groups: given.group_settings()?,
            limits: given.limits()?,
            threads: given.threads()?,
        };
        Ok(Self { given: given.clone(), settings })
    }

    /// What it means.
    #[must_use]
    pub const fn settings(&self) -> &DirectorySettings {
        &self.settings
    }

    /// As it was given.
    pub(crate) fn options(&self) -> DirectoryOptions {
        self.given.clone()
    }
}

fn time_limit(option: &'static str, seconds: Option<u32>) -> Result<Option<Duration>, ConfigError> {
    match seconds {
        Some(0) => Err(invalid(option, "0", InvalidValue::Zero)),
        Some(seconds) if seconds > LONGEST_TIMEOUT => {
            Err(invalid(option, &seconds.to_string(), InvalidDirectory::TooMuch(LONGEST_TIMEOUT)))
        }
        other => Ok(other.map(|seconds| Duration::from_secs(seconds.into()))),
    }
}

fn invalid(option: &'static str, value: &str, problem: impl Into<DirectoryProblem>) -> ConfigError {
    let DirectoryProblem(problem) = problem.into();
    ConfigError::InvalidValue { option, value: value.to_owned(), problem }
}

/// Anything that can be wrong with a value here.
struct DirectoryProblem(InvalidValue);

impl From<InvalidValue> for DirectoryProblem {
    fn from(problem: InvalidValue) -> Self {
        Self(problem)
    }
}

impl From<UnknownWord> for DirectoryProblem {
    fn from(problem: UnknownWord) -> Self {
        Self(problem.into())
    }
}

impl From<InvalidDirectory> for DirectoryProblem {
    fn from(problem: InvalidDirectory) -> Self {
        Self(problem.into())
    }
}

impl From<InvalidServerUrl> for DirectoryProblem {
    fn from(problem: InvalidServerUrl) -> Self {
        Self(InvalidDirectory::from(problem).into())
    }
}

impl From<InvalidTemplate> for DirectoryProblem {
    fn from(problem: InvalidTemplate) -> Self {
        Self(InvalidDirectory::from(problem).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::directory::Security;

    fn check(text: &str) -> Result<DirectorySettings, ConfigError> {
        DirectoryTable::check(&toml::from_str(text).unwrap()).map(|table| table.settings)
    }

    fn error(text: &str) -> String {
        check(text).unwrap_err().to_string()
    }

    const SERVICE: &str =
        "url='ldaps://dc1.test'\nbind-dn='cn=vpn'\nbind-password-file='p'\nbase='dc=test'\n";
    const DIRECT: &str = "url='ldap://dc1.test'\nuser-name='{user}@corp.test'\n";

    #[test]
    fn little_has_to_be_said() {
        let settings = check(SERVICE).unwrap();
        assert_eq!(settings.servers[0].security(), Security::Tls);
        assert_eq!(settings.users.unwrap().filter.fill("a*", ""), r"(uid=a\2a)");
        assert_eq!(settings.groups.source, GroupSource::Nowhere);
        let direct = check(DIRECT).unwrap();
        assert_eq!((direct.servers[0].security(), direct.users), (Security::StartTls, None));
        let plain = check(&format!("{DIRECT}without-tls=true")).unwrap();
        assert_eq!(plain.servers[0].security(), Security::Nothing);
    }

    #[test]
    fn groups_come_from_members_or_from_groups_or_all_at_once() {
        let groups = |more: &str| check(&format!("{SERVICE}{more}")).unwrap().groups;
        let member_of = groups("groups='member-of'");
        assert_eq!(member_of.source, GroupSource::Attribute("memberOf".to_owned()));
        assert_eq!((member_of.identifier, member_of.depth), (GroupIdentifier::DistinguishedName, 8));
        let in_chain = groups("groups='in-chain'\ngroup-base='ou=g'\ngroup-id='sid'");
        let GroupSource::Search { base, filter } = in_chain.source else { panic!("{:?}", in_chain.source) };
        assert_eq!(base, "ou=g");
        assert_eq!(filter.fill("", "cn=(a)"), r"(member:1.2.840.113556.1.4.1941:=cn=\28a\29)");
        assert_eq!((in_chain.identifier, in_chain.depth), (GroupIdentifier::Sid, 0));
        let search = groups("groups='search'\ngroup-id='cn'\ngroup-depth=0");
        let GroupSource::Search { base, .. } = search.source else { panic!("{:?}", search.source) };
        assert_eq!((base.as_str(), search.depth), ("dc=test", 0));
        assert_eq!(search.identifier, GroupIdentifier::Attribute("cn".to_owned()));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert!(error("bind-dn='a'\nbind-password-file='p'\nbase='b'").contains("url is missing"));
        assert!(error("url='ldaps://a'").contains("bind-dn is missing"));
        assert!(error("url='ldaps://a'\nbind-dn='a'").contains("bind-password-file is missing"));
        assert!(error("url='ldaps://a'\nbind-dn='a'\nbind-password-file='p'").contains("base is missing"));
        assert!(error(&format!("{DIRECT}groups='member-of'")).contains("base is missing"));
        assert!(error(&format!("{DIRECT}bind-dn='a'")).contains("exclude each other"));
        for (line, said) in [
            ("groups='some'", "none, member-of, search or in-chain"),
            ("filter='(uid=x)'", "{user} does not stand in it"),
            ("groups='search'\ngroup-filter='(member={user})'", "{dn} does not stand in it"),
            ("group-depth=17", "at most 16"),
            ("timeout=61", "at most 60"),
            ("connect-timeout=0", "at least 1"),
            ("threads=0", "at least 1"),
            ("threads=257", "at most 256"),
        ] {
            let said_in_fact = error(&format!("{SERVICE}{line}"));
            assert!(said_in_fact.contains(said), "{line}: {said_in_fact}");
        }
        assert!(error("url='https://a'\nuser-name='{user}'").contains("neither with ldap://"));
    }

    #[test]
    fn paths_are_taken_from_the_directory_of_the_file() {
        let options: DirectoryOptions = toml::from_str("ca='ca.pem'\nbind-password-file='/p'").unwrap();
        let options = options.taken_from(Path::new("/etc/postern"));
        assert_eq!(options.ca.unwrap(), Path::new("/etc/postern/ca.pem"));
        assert_eq!(options.bind_password_file.unwrap(), Path::new("/p"));
    }
}
