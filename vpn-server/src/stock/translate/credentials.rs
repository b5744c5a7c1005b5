//! Certificates, keys and revocation, and the keys around the control channel.

use std::path::PathBuf;

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Files, Verdict, parsed};
use crate::auth::NameRule;
use crate::config::Options;

/// Files with certificates and keys, as far as directives name them.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    pkcs12: Option<PathBuf>,
    extra_certs: Option<PathBuf>,
    crl: Option<PathBuf>,
    revoked_serials: Option<PathBuf>,
    client_name: Option<String>,
    askpass: Option<PathBuf>,
    tls_auth: Option<PathBuf>,
    key_direction: Option<String>,
    tls_crypt: Option<PathBuf>,
    tls_crypt_v2: Option<PathBuf>,
    tls_crypt_v2_cookie: Option<String>,
}

impl Credentials {
    /// What becomes of `directive`, if it is about certificates or keys.
    pub(super) fn take(&mut self, directive: &Directive, files: &mut Files) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "ca" => store(&mut self.ca, directive, files, "ca FILE"),
            "cert" => store(&mut self.cert, directive, files, "cert FILE"),
            "key" => store(&mut self.key, directive, files, "key FILE"),
            "tls-crypt" => store(&mut self.tls_crypt, directive, files, "tls-crypt FILE"),
            "pkcs12" => store(&mut self.pkcs12, directive, files, "pkcs12 FILE"),
            "extra-certs" => store(&mut self.extra_certs, directive, files, "extra-certs FILE"),
            "verify-x509-name" => self.take_client_name(directive),
            "crl-verify" => self.take_crl(directive, files),
            "askpass" => self.take_askpass(directive, files),
            "tls-auth" => self.take_tls_auth(directive, files),
            "key-direction" => self.take_direction(directive),
            "tls-crypt-v2" => self.take_tls_crypt_v2(directive, files),
            "remote-cert-tls" => take_purpose(directive),
            _ => return None,
        })
    }

    /// Writes the files.
    pub(super) fn finish(self, options: &mut Options) {
        let direction = self.key_direction.map_or_else(String::new, |direction| format!(":{direction}"));
        options.tls_auth = self.tls_auth.map(|file| format!("{}{direction}", file.display()));
        options.ca = self.ca;
        options.cert = self.cert;
        options.key = self.key;
        options.pkcs12 = self.pkcs12;
        options.extra_certs = self.extra_certs;
        options.crl = self.crl;
        options.revoked_serials = self.revoked_serials;
        options.verify_x509_name = self.client_name;
        options.askpass = self.askpass;
        options.tls_crypt = self.tls_crypt;
        options.tls_crypt_v2 = self.tls_crypt_v2;
        options.tls_crypt_v2_cookie = self.tls_crypt_v2_cookie;
    }

    /// The last one counts, of whichever kind it is.
    fn take_crl(&mut self, directive: &Directive, files: &mut Files) -> Verdict {
        const FORM: &str = "crl-verify FILE, or crl-verify DIRECTORY dir";
        let path = files.named(directive, FORM)?;
        match directive.arguments.as_slice() {
            [_] | [] => {
                (self.crl, self.revoked_serials) = (Some(path), None);
                Ok(Fate::Adapted("the file is watched: whoever is revoked in it is disconnected at once"))
            }
            [_, kind] if kind == "dir" => {
                (self.crl, self.revoked_serials) = (None, Some(path));
                Ok(Fate::Adapted(
                    "the directory is watched: whose serial number appears in it is disconnected at once",
                ))
            }
            _ => Err(Problem::Arguments(FORM)),
        }
    }

    fn take_client_name(&mut self, directive: &Directive) -> Verdict {
        const FORM: &str = "verify-x509-name NAME [subject|name|name-prefix]";
        let (name, kind) = match directive.arguments.as_slice() {
            [name] => (name, "subject"),
            [name, kind] => (name, kind.as_str()),
            _ => return Err(Problem::Arguments(FORM)),
        };
        let rule = format!("{name} {kind}");
        parsed::<NameRule>(&rule, "a name, then subject, name or name-prefix")?;
        self.client_name = Some(rule);
        Ok(Fate::Done)
    }

    fn take_askpass(&mut self, directive: &Directive, files: &mut Files) -> Verdict {
        if directive.arguments.is_empty() {
            return Err(Problem::Unsupported("a server cannot ask: write 'askpass FILE'"));
        }
        store(&mut self.askpass, directive, files, "askpass FILE")
    }

    fn take_tls_auth(&mut self, directive: &Directive, files: &mut Files) -> Verdict {
        self.tls_auth = Some(files.named(directive, "tls-auth FILE [0|1]")?);
        match directive.arguments.as_slice() {
            [] | [_] => Ok(Fate::Done),
            [_, direction] => self.set_direction(direction),
            _ => Err(Problem::Arguments("tls-auth FILE [0|1]")),
        }
    }

    fn take_direction(&mut self, directive: &Directive) -> Verdict {
        let [direction] = directive.exactly::<1>("key-direction 0|1")?;
        self.set_direction(direction)
    }

    fn set_direction(&mut self, direction: &str) -> Verdict {
        if !matches!(direction, "0" | "1") {
            return Err(Problem::Value { value: direction.to_owned(), expected: "0 or 1" });
        }
        self.key_direction = Some(direction.to_owned());
        Ok(Fate::Done)
    }

    fn take_tls_crypt_v2(&mut self, directive: &Directive, files: &mut Files) -> Verdict {
        const FORM: &str = "tls-crypt-v2 FILE [allow-noncookie|force-cookie]";
        self.tls_crypt_v2 = Some(files.named(directive, FORM)?);
        match directive.arguments.as_slice() {
            [] | [_] => Ok(Fate::Done),
            [_, mode] if matches!(mode.as_str(), "allow-noncookie" | "force-cookie") => {
                self.tls_crypt_v2_cookie = Some(mode.clone());
                Ok(Fate::Done)
            }
            _ => Err(Problem::Arguments(FORM)),
        }
    }
}

fn store(
    slot: &mut Option<PathBuf>,
    directive: &Directive,
    files: &mut Files,
    form: &'static str,
) -> Verdict {
    if directive.inline.is_none() {
        directive.exactly::<1>(form)?;
    }
    *slot = Some(files.named(directive, form)?);
    Ok(Fate::Done)
}

fn take_purpose(directive: &Directive) -> Verdict {
    let [purpose] = directive.exactly::<1>("remote-cert-tls client")?;
    match purpose.as_str() {
        "client" => Ok(Fate::Done),
        _ => Err(Problem::Unsupported("the peers of a server are clients: write 'remote-cert-tls client'")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn files_are_named_from_the_directory_and_blocks_become_files() {
        let text = "ca ca.crt\n<cert>\nC\n</cert>\nkey /etc/key.pem\ncrl-verify crl.pem\n<tls-crypt>\nK\n</tls-crypt>";
        let (options, files) = credentials(text).unwrap();
        assert_eq!(options.ca, Some("/srv/ca.crt".into()));
        assert_eq!(options.cert, Some("/var/inline/cert.pem".into()));
        assert_eq!(options.key, Some("/etc/key.pem".into()));
        assert_eq!(options.crl, Some("/srv/crl.pem".into()));
        let blocks: Vec<_> =
            files.inline.iter().map(|file| (file.path.display().to_string(), file.text.as_str())).collect();
        assert_eq!(
            blocks,
            [("/var/inline/cert.pem".to_owned(), "C\n"), ("/var/inline/tls-crypt.pem".to_owned(), "K\n")]
        );
    }

    #[test]
    fn the_direction_of_tls_auth_stands_in_either_place() {
        for text in
            ["tls-auth ta.key 0", "tls-auth ta.key\nkey-direction 0", "key-direction 0\ntls-auth ta.key"]
        {
            assert_eq!(credentials(text).unwrap().0.tls_auth.as_deref(), Some("/srv/ta.key:0"), "{text}");
        }
        let block = "<tls-auth>\nK\n</tls-auth>\nkey-direction 1";
        assert_eq!(credentials(block).unwrap().0.tls_auth.as_deref(), Some("/var/inline/tls-auth.pem:1"));
    }

    #[test]
    fn a_second_block_replaces_the_first() {
        let (_, files) = credentials("<ca>\n1\n</ca>\n<ca>\n2\n</ca>").unwrap();
        assert_eq!(files.inline.len(), 1);
        assert_eq!(files.inline[0].text.as_str(), "2\n");
    }

    #[test]
    fn the_last_crl_verify_is_a_file_or_a_directory() {
        let options = |text| credentials(text).unwrap().0;
        let directory = options("crl-verify crl.pem\ncrl-verify revoked dir");
        assert_eq!((directory.crl, directory.revoked_serials), (None, Some("/srv/revoked".into())));
        let file = options("crl-verify revoked dir\ncrl-verify crl.pem");
        assert_eq!((file.crl, file.revoked_serials), (Some("/srv/crl.pem".into()), None));
    }

    #[test]
    fn a_container_further_certificates_and_the_name_of_clients() {
        let text = "pkcs12 server.p12\nextra-certs chain.pem\nverify-x509-name \"C=US, CN=a b\"";
        let options = credentials(text).unwrap().0;
        assert_eq!(options.pkcs12, Some("/srv/server.p12".into()));
        assert_eq!(options.extra_certs, Some("/srv/chain.pem".into()));
        assert_eq!(options.verify_x509_name.as_deref(), Some("C=US, CN=a b subject"));
        let options = credentials("verify-x509-name client- name-prefix").unwrap().0;
        assert_eq!(options.verify_x509_name.as_deref(), Some("client- name-prefix"));
    }

    #[test]
    fn what_would_weaken_the_check_of_clients_is_refused() {
        for text in [
            "remote-cert-tls server",
            "crl-verify crls dirs",
            "verify-x509-name alice common",
            "pkcs12 a b",
            "tls-auth ta.key 2",
            "tls-crypt-v2 v2.key maybe",
            "askpass",
            "ca",
            "ca a b",
        ] {
            assert!(credentials(text).is_err(), "{text}");
        }
    }

    fn credentials(text: &str) -> Result<(Options, Files), Problem> {
        let mut files =
            Files { directory: "/srv".into(), inline_directory: "/var/inline".into(), inline: Vec::new() };
        let mut credentials = Credentials::default();
        for directive in parse("f", text).unwrap() {
            credentials.take(&directive, &mut files).unwrap()?;
        }
        let mut options = Options::default();
        credentials.finish(&mut options);
        Ok((options, files))
    }
}
