//! Who may be connected and how sessions are kept: limits, keepalive, ciphers, renegotiation.

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Verdict, parsed};
use crate::config::Options;

/// Sessions, as far as directives describe them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    keepalive: Option<[u32; 2]>,
    ping: Option<u32>,
    ping_restart: Option<u32>,
    data_ciphers: Option<String>,
    meets_clients: bool,
}

/// What stands for any number of sessions of one name.
const ANY_NUMBER: u32 = u32::MAX;

const NEGOTIATED: &str = "clients since 2.4 negotiate the cipher; older ones cannot connect";
const OLD_DIGEST: &str = "it holds for tls-auth; data packets are authenticated by their cipher";

impl Clients {
    /// What becomes of `directive`, if it is about sessions.
    pub(super) fn take(&mut self, directive: &Directive, options: &mut Options) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "keepalive" => self.take_keepalive(directive),
            "ping" => directive.number("ping SECONDS").map(|seconds| self.ping = Some(seconds)).map(done),
            "ping-restart" => directive
                .number("ping-restart SECONDS")
                .map(|seconds| self.ping_restart = Some(seconds))
                .map(done),
            "data-ciphers" | "ncp-ciphers" => self.take_ciphers(directive),
            "cipher" | "data-ciphers-fallback" => {
                directive.exactly::<1>("cipher NAME").map(|_| Fate::Ignored(NEGOTIATED))
            }
            "auth" => take_digest(directive, options),
            "tls-version-min" => take_tls_version(directive, options),
            "reneg-sec" => take_renegotiation(directive, options),
            "hand-window" => directive
                .number("hand-window SECONDS")
                .map(|seconds| options.hand_window = Some(seconds))
                .map(done),
            "max-clients" => take_limit(directive, options),
            "duplicate-cn" => {
                options.duplicate_cn = Some(ANY_NUMBER);
                directive.exactly::<0>("duplicate-cn").map(|[]| Fate::Done)
            }
            "client-to-client" => {
                self.meets_clients = true;
                directive.exactly::<0>("client-to-client").map(|[]| Fate::Done)
            }
            _ => return None,
        })
    }

    /// Writes what belongs together: the timers, and the rule that lets clients meet.
    pub(super) fn finish(self, options: &mut Options) {
        options.keepalive = match (self.keepalive, self.ping, self.ping_restart) {
            (Some(both), _, _) => Some(both),
            (None, Some(ping), Some(restart)) => Some([ping, restart]),
            (None, _, _) => None,
        };
        options.data_ciphers = self.data_ciphers;
        if self.meets_clients {
            options.authorize.get_or_insert_default().extend(options.client_cidr.clone());
        }
    }

    fn take_keepalive(&mut self, directive: &Directive) -> Verdict {
        let [ping, restart] = directive.exactly::<2>("keepalive PING RESTART")?;
        self.keepalive =
            Some([parsed(ping, "a number of seconds")?, parsed(restart, "a number of seconds")?]);
        Ok(Fate::Done)
    }

    /// A cipher behind `?` may be unknown; those that are not authenticated are left out, as long as one remains.
    fn take_ciphers(&mut self, directive: &Directive) -> Verdict {
        let [list] = directive.exactly::<1>("data-ciphers CIPHER[:CIPHER...]")?;
        if list == "DEFAULT" {
            return Ok(Fate::Done);
        }
        let names: Vec<&str> = list.split(':').map(|name| name.trim_start_matches('?')).collect();
        let usable: Vec<&str> = names.iter().copied().filter(|name| is_authenticated(name)).collect();
        if usable.is_empty() {
            return Err(Problem::Value {
                value: list.clone(),
                expected: "a list with an authenticated cipher",
            });
        }
        let fate = if usable.len() == names.len() {
            Fate::Done
        } else {
            Fate::Adapted(
                "only its authenticated ciphers are used: AES-256-GCM, AES-128-GCM, CHACHA20-POLY1305",
            )
        };
        self.data_ciphers = Some(usable.join(":"));
        Ok(fate)
    }
}

fn done((): ()) -> Fate {
    Fate::Done
}

fn is_authenticated(name: &str) -> bool {
    name.parse::<vpn_proto::DataCipher>().is_ok()
}

fn take_digest(directive: &Directive, options: &mut Options) -> Verdict {
    let [digest] = directive.exactly::<1>("auth DIGEST")?;
    options.auth = Some(digest.clone());
    Ok(Fate::Adapted(OLD_DIGEST))
}

/// Versions below 1.2 are not spoken, so asking for 1.2 or less is the same.
fn take_tls_version(directive: &Directive, options: &mut Options) -> Verdict {
    let (version, rest) = directive.first_and_rest("tls-version-min VERSION [or-highest]")?;
    if !matches!(rest, [] | [_]) {
        return Err(Problem::Arguments("tls-version-min VERSION [or-highest]"));
    }
    let (version, fate) = match version {
        "1.0" | "1.1" => ("1.2", Fate::Adapted("TLS below 1.2 is never spoken")),
        "1.2" | "1.3" => (version, Fate::Done),
        other => return Err(Problem::Value { value: other.to_owned(), expected: "a TLS version" }),
    };
    options.tls_version_min = Some(version.to_owned());
    Ok(fate)
}

/// `reneg-sec MAX [MIN]`: a server draws a time between the two.
fn take_renegotiation(directive: &Directive, options: &mut Options) -> Verdict {
    let (most, rest) = directive.first_and_rest("reneg-sec SECONDS [MINIMUM]")?;
    options.reneg_sec = Some(parsed(most, "a number of seconds")?);
    match rest {
        [] => Ok(Fate::Done),
        [_] => Ok(Fate::Adapted("the first number counts for every client")),
        _ => Err(Problem::Arguments("reneg-sec SECONDS [MINIMUM]")),
    }
}

fn take_limit(directive: &Directive, options: &mut Options) -> Verdict {
    options.max_sessions = Some(directive.number("max-clients NUMBER")?);
    Ok(Fate::Done)
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn limits_and_timers_keep_their_numbers() {
        let options =
            clients("keepalive 10 120\nmax-clients 100\nreneg-sec 0\ntls-version-min 1.3\nauth SHA256")
                .unwrap();
        assert_eq!(options.keepalive, Some([10, 120]));
        assert_eq!(options.max_sessions, Some(100));
        assert_eq!(options.reneg_sec, Some(0));
        assert_eq!(clients("hand-window 20").unwrap().hand_window, Some(20));
        assert_eq!(options.tls_version_min.as_deref(), Some("1.3"));
        assert_eq!(options.auth.as_deref(), Some("SHA256"));
        assert_eq!(clients("ping 5\nping-restart 30").unwrap().keepalive, Some([5, 30]));
        assert_eq!(clients("ping 5").unwrap().keepalive, None);
    }

    #[test]
    fn key_01_ciphers_without_authentication_are_left_out_and_nothing_is_put_in_their_place() {
        let ciphers =
            |list: &str| clients(&format!("data-ciphers {list}")).map(|options| options.data_ciphers);
        assert_eq!(ciphers("AES-256-GCM:AES-128-GCM").unwrap().as_deref(), Some("AES-256-GCM:AES-128-GCM"));
        assert_eq!(ciphers("?CHACHA20-POLY1305:AES-256-CBC").unwrap().as_deref(), Some("CHACHA20-POLY1305"));
        assert_eq!(ciphers("DEFAULT").unwrap(), None);
        assert!(ciphers("AES-256-CBC:BF-CBC").is_err());
    }

    #[test]
    fn clients_meet_only_where_it_is_said() {
        assert_eq!(clients("client-to-client").unwrap().authorize, Some(vec!["10.8.0.0/24".to_owned()]));
        assert_eq!(clients("duplicate-cn").unwrap().authorize, None);
    }

    #[test]
    fn old_tls_versions_become_1_2() {
        assert_eq!(
            clients("tls-version-min 1.0 or-highest").unwrap().tls_version_min.as_deref(),
            Some("1.2")
        );
        assert!(clients("tls-version-min 2").is_err());
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["keepalive 10", "keepalive a b", "max-clients -1", "reneg-sec x", "ping", "duplicate-cn 3"]
        {
            assert!(clients(text).is_err(), "{text}");
        }
    }

    fn clients(text: &str) -> Result<Options, Problem> {
        let mut options = Options { client_cidr: Some("10.8.0.0/24".to_owned()), ..Options::default() };
        let mut clients = Clients::default();
        for directive in parse("f", text).unwrap() {
            clients.take(&directive, &mut options).unwrap()?;
        }
        clients.finish(&mut options);
        Ok(options)
    }
}
