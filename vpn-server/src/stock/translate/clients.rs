//! Who may be connected and how sessions are kept: limits, keepalive, ciphers, renegotiation.

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Verdict, last_argument, parsed};
use crate::config::Options;

/// Sessions, as far as directives describe them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    keepalive: Option<[u32; 2]>,
    ping: Option<u32>,
    ping_restart: Option<u32>,
    data_ciphers: Option<String>,
    cbc_ciphers: Option<String>,
    meets_clients: bool,
    waits_for_ever: bool,
}

/// What stands for any number of sessions of one name.
const ANY_NUMBER: u32 = u32::MAX;

const NEGOTIATED: &str = "clients since 2.4 negotiate the cipher; older ones cannot connect";
const OLD_DIGEST: &str = "it holds for tls-auth; data packets are authenticated by their cipher";

/// Seconds of silence after which a client is gone that no directive gives a time.
const SILENCE: u32 = 60;

const NO_RESTART: &str =
    "clients that are silent for 60 s, or for two intervals, count as gone: there is no 'ping-restart'";

impl Clients {
    pub(super) fn new(directives: &[Directive]) -> Self {
        let waits_for_ever = last_argument(directives, "ping-restart").is_none();
        Self { waits_for_ever, ..Self::default() }
    }

    /// What becomes of `directive`, if it is about sessions.
    pub(super) fn take(&mut self, directive: &Directive, options: &mut Options) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "keepalive" => self.take_keepalive(directive),
            "ping" => self.take_ping(directive),
            "ping-restart" => directive
                .number("ping-restart SECONDS")
                .map(|seconds| self.ping_restart = Some(seconds))
                .map(done),
            "data-ciphers" | "ncp-ciphers" => self.take_ciphers(directive),
            "cipher" => directive.exactly::<1>("cipher NAME").map(|_| Fate::Ignored(NEGOTIATED)),
            "data-ciphers-fallback" => self.take_fallback(directive),
            "ccd-exclusive" => {
                options.listed_clients_only = Some(true);
                directive.exactly::<0>("ccd-exclusive").map(|[]| Fate::Done)
            }
            "tun-mtu" => take_mtu(directive, options),
            "mssfix" => take_mssfix(directive, options),
            "replay-window" => take_replay_window(directive, options),
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

    /// Writes what belongs together.
    pub(super) fn finish(self, options: &mut Options) {
        options.keepalive = match (self.keepalive, self.ping, self.ping_restart) {
            (Some(both), _, _) => Some(both),
            (None, Some(ping), Some(restart)) => Some([ping, restart]),
            (None, Some(ping), None) if ping > 0 => Some([ping, SILENCE.max(ping.saturating_mul(2))]),
            (None, _, _) => None,
        };
        options.data_ciphers = self.data_ciphers;
        options.client_to_client = self.meets_clients.then_some(true);
        options.cbc_digest = options.auth.clone().filter(|_| self.cbc_ciphers.is_some());
        options.cbc_ciphers = self.cbc_ciphers;
    }

    fn take_ping(&mut self, directive: &Directive) -> Verdict {
        self.ping = Some(directive.number("ping SECONDS")?);
        Ok(if self.waits_for_ever { Fate::Adapted(NO_RESTART) } else { Fate::Done })
    }

    fn take_keepalive(&mut self, directive: &Directive) -> Verdict {
        let [ping, restart] = directive.exactly::<2>("keepalive PING RESTART")?;
        self.keepalive =
            Some([parsed(ping, "a number of seconds")?, parsed(restart, "a number of seconds")?]);
        Ok(Fate::Done)
    }

    /// A cipher behind `?` may be unknown. CBC ciphers are for clients without the others, because the list says so.
    fn take_ciphers(&mut self, directive: &Directive) -> Verdict {
        let [list] = directive.exactly::<1>("data-ciphers CIPHER[:CIPHER...]")?;
        if list == "DEFAULT" {
            return Ok(Fate::Done);
        }
        let names: Vec<&str> = list.split(':').map(|name| name.trim_start_matches('?')).collect();
        let chosen = |choose: fn(&str) -> bool| {
            let names: Vec<&str> = names.iter().copied().filter(|name| choose(name)).collect();
            (!names.is_empty()).then(|| (names.len(), names.join(":")))
        };
        let Some((authenticated, ciphers)) = chosen(is_authenticated) else {
            return Err(Problem::Value {
                value: list.clone(),
                expected: "a list with an authenticated cipher",
            });
        };
        self.data_ciphers = Some(ciphers);
        let cbc = chosen(is_cbc);
        let known = authenticated + cbc.as_ref().map_or(0, |(count, _)| *count);
        self.cbc_ciphers = cbc.map(|(_, ciphers)| ciphers).or(self.cbc_ciphers.take());
        Ok(if known == names.len() { Fate::Done } else { Fate::Adapted("unsafe ciphers are left out") })
    }

    /// For clients that negotiate nothing; an authenticated cipher is none that such a client has.
    fn take_fallback(&mut self, directive: &Directive) -> Verdict {
        let [cipher] = directive.exactly::<1>("data-ciphers-fallback NAME")?;
        if !is_cbc(cipher) {
            return Ok(Fate::Ignored(NEGOTIATED));
        }
        self.cbc_ciphers.get_or_insert_with(|| cipher.clone());
        Ok(Fate::Done)
    }
}

fn done((): ()) -> Fate {
    Fate::Done
}

fn is_authenticated(name: &str) -> bool {
    name.parse::<vpn_proto::DataCipher>().is_ok()
}

fn is_cbc(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    matches!(name.as_str(), "AES-128-CBC" | "AES-192-CBC" | "AES-256-CBC")
}

/// `tun-mtu SIZE`.
fn take_mtu(directive: &Directive, options: &mut Options) -> Verdict {
    options.tun_mtu = Some(directive.number("tun-mtu OCTETS")?);
    Ok(Fate::Done)
}

/// `mssfix [SIZE [mtu|fixed]]`: without a size it is the default.
fn take_mssfix(directive: &Directive, options: &mut Options) -> Verdict {
    match directive.arguments.as_slice() {
        [] => Ok(Fate::Done),
        [size] => {
            options.mssfix = Some(parsed(size, "a number of octets")?);
            Ok(Fate::Done)
        }
        [size, unit] if unit == "mtu" => {
            options.mssfix = Some(parsed(size, "a number of octets")?);
            Ok(Fate::Done)
        }
        [_, unit] if unit == "fixed" => {
            Ok(Fate::Ignored("TCP connections inside are shaped so that outer packets fit"))
        }
        _ => Err(Problem::Arguments("mssfix [OCTETS [mtu]]")),
    }
}

/// `replay-window PACKETS [SECONDS]`.
fn take_replay_window(directive: &Directive, options: &mut Options) -> Verdict {
    let (packets, rest) = directive.first_and_rest("replay-window PACKETS [SECONDS]")?;
    options.replay_window = Some(parsed(packets, "a number of packets")?);
    match rest {
        [] => Ok(Fate::Done),
        [_] => Ok(Fate::Adapted("only the number of packets counts")),
        _ => Err(Problem::Arguments("replay-window PACKETS [SECONDS]")),
    }
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
        assert_eq!(clients("ping 5").unwrap().keepalive, Some([5, 60]));
        assert_eq!(clients("ping 45").unwrap().keepalive, Some([45, 90]));
        assert_eq!(clients("ping 0").unwrap().keepalive, None);
    }

    #[test]
    fn key_01_cbc_ciphers_are_taken_only_where_they_are_named_and_never_instead_of_authenticated_ones() {
        let ciphers = |text: &str| clients(text).map(|options| (options.data_ciphers, options.cbc_ciphers));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            ciphers("data-ciphers AES-256-GCM:AES-128-GCM").unwrap(),
            (some("AES-256-GCM:AES-128-GCM"), None)
        );
        assert_eq!(
            ciphers("data-ciphers ?CHACHA20-POLY1305:AES-256-CBC:BF-CBC").unwrap(),
            (some("CHACHA20-POLY1305"), some("AES-256-CBC"))
        );
        assert_eq!(ciphers("data-ciphers DEFAULT\ncipher AES-256-CBC").unwrap(), (None, None));
        assert_eq!(ciphers("data-ciphers-fallback AES-128-CBC").unwrap(), (None, some("AES-128-CBC")));
        assert_eq!(ciphers("data-ciphers-fallback AES-256-GCM").unwrap(), (None, None));
        assert!(ciphers("data-ciphers AES-256-CBC:BF-CBC").is_err());
    }

    #[test]
    fn the_size_of_packets_is_said_in_octets() {
        let options = clients("tun-mtu 1400\nmssfix 1360 mtu\nreplay-window 128 15").unwrap();
        assert_eq!(
            (options.tun_mtu, options.mssfix, options.replay_window),
            (Some(1400), Some(1360), Some(128))
        );
        assert_eq!(clients("mssfix").unwrap().mssfix, None);
        assert!(clients("mssfix 1 2 3").is_err() && clients("tun-mtu x").is_err());
    }

    #[test]
    fn clients_meet_only_where_it_is_said() {
        assert_eq!(clients("client-to-client").unwrap().client_to_client, Some(true));
        assert_eq!(clients("duplicate-cn").unwrap().client_to_client, None);
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
        let mut options = Options::default();
        let directives = parse("f", text).unwrap();
        let mut clients = Clients::new(&directives);
        for directive in directives {
            clients.take(&directive, &mut options).unwrap()?;
        }
        clients.finish(&mut options);
        Ok(options)
    }
}
