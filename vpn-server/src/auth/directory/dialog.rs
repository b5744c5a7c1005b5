//! One connection to one server: each step with its limit, each answer as values of our own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions};
use rustls::ClientConfig;
use tokio::time::timeout;
use tracing::debug;
use vpn_proto::Password;

use super::failure::{Cause, Failure, Step};
use super::{Security, ServerUrl, TimeLimits};

/// A connection.
pub(super) struct Dialog {
    ldap: Ldap,
    server: String,
    limit: Duration,
}

/// What a server says to a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// They belong together.
    Yes,
    /// They do not, or the account may not log in.
    No {
        /// What the server says about it.
        text: String,
    },
}

/// An entry of the directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its distinguished name.
    pub(super) dn: String,
    /// The values of its attributes, by their names in small letters and without options.
    attributes: HashMap<String, Vec<Vec<u8>>>,
}

/// What is searched.
pub(super) struct Search<'a> {
    /// Below which entry, or which one itself.
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a str,
    /// What is read of what is found.
    pub(super) attributes: &'a [&'a str],
    /// More are not wanted.
    pub(super) at_most: usize,
}

/// Result codes of RFC 4511.
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const REFERRAL: u32 = 10;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN_SYNTAX: u32 = 34;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const INSUFFICIENT_ACCESS: u32 = 50;
const UNWILLING_TO_PERFORM: u32 = 53;

impl Dialog {
    /// Connects, with TLS where the server is spoken to over it.
    pub(super) async fn open(
        server: &ServerUrl,
        tls: Option<&Arc<ClientConfig>>,
        limits: TimeLimits,
    ) -> Result<Self, Failure> {
        let mut settings = LdapConnSettings::new().set_starttls(server.security() == Security::StartTls);
        if let Some(tls) = tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let failed = |cause| Failure { server: server.to_string(), step: Step::Connect, cause };
        let connected = timeout(limits.connect, LdapConnAsync::with_settings(settings, server.as_str()))
            .await
            .map_err(|_| failed(Cause::TimedOut(limits.connect)))?;
        let (connection, ldap) = connected.map_err(|error| failed(Cause::Broken(Box::new(error))))?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                debug!(%error, "a connection to the directory ended");
            }
        });
        Ok(Self { ldap, server: server.to_string(), limit: limits.operation })
    }

    /// Shows a name and a password. An empty password is not shown: servers take it for a wish to stay anonymous.
    pub(super) async fn bind(
        &mut self,
        step: Step,
        name: &str,
        password: &Password,
    ) -> Result<Bound, Failure> {
        if password.as_str().is_empty() {
            return Ok(Bound::No { text: "the password is empty".to_owned() });
        }
        let bound = timeout(self.limit, self.ldap.simple_bind(name, password.as_str())).await;
        let result = self.within_limit(step, bound)?;
        match result.rc {
            SUCCESS => Ok(Bound::Yes),
            NO_SUCH_OBJECT
            | INVALID_DN_SYNTAX
            | INAPPROPRIATE_AUTHENTICATION
            | INVALID_CREDENTIALS
            | UNWILLING_TO_PERFORM => Ok(Bound::No { text: result.text }),
            code => Err(self.refused(step, code, result.text)),
        }
    }

    /// The entries that a search finds, at most as many as are wanted.
    pub(super) async fn search(&mut self, step: Step, search: &Search<'_>) -> Result<Vec<Entry>, Failure> {
        let limit = i32::try_from(search.at_most).unwrap_or(i32::MAX);
        let seconds = i32::try_from(self.limit.as_secs().max(1)).unwrap_or(i32::MAX);
        self.ldap.with_search_options(SearchOptions::new().sizelimit(limit).timelimit(seconds));
        let found = self.ldap.search(search.base, search.scope, search.filter, search.attributes);
        let found = timeout(self.limit, found).await;
        let ldap3::SearchResult(entries, result) = self.within_limit(step, found)?;
        match result.rc {
            SUCCESS | SIZE_LIMIT_EXCEEDED => Ok(entries
                .into_iter()
                .take(search.at_most)
                .map(SearchEntry::construct)
                .map(Entry::from)
                .collect()),
            code => Err(self.refused(step, code, result.text)),
        }
    }

    /// One entry by its name; `None` where there is none, or none that may be read.
    pub(super) async fn read(
        &mut self,
        step: Step,
        dn: &str,
        attributes: &[&str],
    ) -> Result<Option<Entry>, Failure> {
        let search =
            Search { base: dn, scope: Scope::Base, filter: "(objectClass=*)", attributes, at_most: 1 };
        match self.search(step, &search).await {
            Ok(entries) => Ok(entries.into_iter().next()),
            Err(Failure {
                cause: Cause::Refused { code: NO_SUCH_OBJECT | INSUFFICIENT_ACCESS, .. }, ..
            }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Says goodbye; nobody waits for it.
    pub(super) async fn close(mut self) {
        let goodbye = timeout(GOODBYE, self.ldap.unbind()).await;
        debug!(server = self.server, ?goodbye, "the directory has been asked");
    }

    /// Why something about this connection does not work.
    pub(super) fn failure(&self, step: Step, cause: Cause) -> Failure {
        Failure { server: self.server.clone(), step, cause }
    }

    fn within_limit<T>(
        &self,
        step: Step,
        answer: Result<Result<T, LdapError>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        let cause = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Cause::Broken(Box::new(error)),
            Err(_) => Cause::TimedOut(self.limit),
        };
        Err(self.failure(step, cause))
    }

    fn refused(&self, step: Step, code: u32, text: String) -> Failure {
        let cause = match code {
            REFERRAL => Cause::Referral,
            code => Cause::Refused { code, text },
        };
        self.failure(step, cause)
    }
}

/// How long the end of a connection is worth waiting for.
const GOODBYE: Duration = Duration::from_millis(200);

impl Entry {
    /// An entry of which nothing is known but its name.
    pub(super) fn named(dn: &str) -> Self {
        Self { dn: dn.to_owned(), attributes: HashMap::new() }
    }

    /// The values of an attribute.
    pub(super) fn octets(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes.get(&attribute.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Those of them that are text.
    pub(super) fn texts(&self, attribute: &str) -> impl Iterator<Item = &str> {
        self.octets(attribute).iter().filter_map(|octets| std::str::from_utf8(octets).ok())
    }
}

impl From<SearchEntry> for Entry {
    fn from(found: SearchEntry) -> Self {
        let texts = found
            .attrs
            .into_iter()
            .map(|(name, values)| (name, values.into_iter().map(String::into_bytes).collect::<Vec<_>>()));
        let mut attributes: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
        for (name, values) in texts.chain(found.bin_attrs) {
            let name = name.split(';').next().unwrap_or_default().to_ascii_lowercase();
            attributes.entry(name).or_default().extend(values);
        }
        Self { dn: found.dn, attributes }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An entry with texts.
    pub(in crate::auth::directory) fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> Entry {
        let attributes = attributes.iter().map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
        });
        Entry::from(SearchEntry { dn: dn.to_owned(), attrs: attributes.collect(), bin_attrs: HashMap::new() })
    }

    #[test]
    fn names_of_attributes_are_found_however_they_are_written() {
        let entry = entry("cn=a", &[("memberOf;range=0-1", &["cn=x", "cn=y"]), ("MAIL", &["a@b"])]);
        assert_eq!(entry.texts("MemberOf").collect::<Vec<_>>(), ["cn=x", "cn=y"]);
        assert_eq!(entry.texts("mail").collect::<Vec<_>>(), ["a@b"]);
        assert_eq!(entry.octets("cn"), &[] as &[Vec<u8>]);
    }

    #[test]
    fn octets_that_are_no_text_stay_octets() {
        let bin_attrs = HashMap::from([("objectSid".to_owned(), vec![vec![1, 0xff]])]);
        let entry = Entry::from(SearchEntry { dn: String::new(), attrs: HashMap::new(), bin_attrs });
        assert_eq!(entry.octets("objectSid"), [[1, 0xff]]);
        assert_eq!(entry.texts("objectSid").count(), 0);
    }
}
