//! `easyrsa help` and `easyrsa version`.

use super::error::EasyRsaError;
use crate::output;

/// Prints one topic, or the overview.
pub(super) fn show(topic: Option<&str>) -> Result<(), EasyRsaError> {
    let Some(topic) = topic else {
        return Ok(output::print(OVERVIEW)?);
    };
    let found = TOPICS.iter().find(|(names, _)| names.contains(&topic));
    match found {
        Some((_, text)) => Ok(output::print(text)?),
        None => Err(EasyRsaError::UnknownTopic(topic.to_owned())),
    }
}

/// The version of easy-rsa whose behaviour this is, and our own; scripts look for `^Version:`.
pub(super) fn version() -> String {
    format!(
        "EasyRSA Version Information\n\
         Version:     3.2 (postern {})\n\
         Generated:   with postern\n\
         SSL Lib:     built in\n\
         Git Commit:  {}\n\
         Source Repo: postern\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_VERSION"),
    )
}

pub(super) const OVERVIEW: &str = "\
Usage: easyrsa [ OPTIONS.. ] <COMMAND> <TARGET> [ cmd-opts.. ]

Options stand before the command and are written --name=value; see `easyrsa help options`.

  init-pki [ rsa | ec | ed | CURVE ] [ soft ]
  build-ca [ nopass subca rawca ]
  gen-req <file_name_base> [ nopass text ]
  import-req <request_file_path> <file_name_base>
  sign-req <type> <file_name_base> [ newsubj preserve ]
  build-client-full <file_name_base> [ nopass ]
  build-server-full <file_name_base> [ nopass ]
  build-serverClient-full <file_name_base> [ nopass ]
  self-sign-server <file_name_base> [ nopass ]
  self-sign-client <file_name_base> [ nopass ]
  inline <file_name_base>
  expire <file_name_base>
  renew <file_name_base>
  renew-ca
  revoke-issued | revoke <file_name_base> [ reason ]
  revoke-expired <file_name_base> [ reason ]
  revoke-renewed <file_name_base> [ reason ]
  gen-crl
  update-db
  show-req | show-cert <file_name_base> [ full ]
  show-ca [ full ]
  show-crl
  show-expire | show-revoke | show-renew [ <name> ]
  verify-cert <file_name_base> [ batch ]
  serial | check-serial <SERIAL>
  show-eku <file_name_base> | <FILE>
  display-dn req | x509 <FILE>
  export-p12 <file_name_base> [ nopass noca nokey nofn legacy ]
  export-p7 <file_name_base> [ noca ]
  export-p8 | export-p1 <file_name_base> [ nopass ]
  set-pass <file_name_base> [ nopass file ]
  gen-dh
  gen-tls-auth-key | gen-tls-crypt-key
  import-tls-key <FILE>
  import-ca <FILE>
  write vars | ssl-cnf | safe-cnf | COMMON | <type> | legacy | legacy-hard
  rand <number>
  help [ options | COMMAND | TOPIC ]
  version
";

/// Names of a topic, and what it says.
const TOPICS: &[(&[&str], &str)] = &[
    (&["commands", "usage"], OVERVIEW),
    (&["options", "opts"], OPTIONS),
    (&["init-pki", "clean-all"], INIT_PKI),
    (&["build-ca"], BUILD_CA),
    (&["gen-req"], GEN_REQ),
    (&["import-req"], IMPORT_REQ),
    (&["sign-req", "sign"], SIGN_REQ),
    (&["build", "build-client-full", "build-server-full", "build-serverClient-full"], BUILD_FULL),
    (&["self-sign", "self-sign-server", "self-sign-client"], SELF_SIGN),
    (&["inline"], INLINE),
    (&["renew", "expire"], RENEW),
    (&["renew-ca"], RENEW_CA),
    (&["revoke", "revoke-issued", "revoke-expired", "revoke-renewed"], REVOKE),
    (&["gen-crl", "crl"], GEN_CRL),
    (&["update-db"], UPDATE_DB),
    (&["show-req", "show-cert", "show-ca", "show-crl", "show"], SHOW),
    (&["show-expire", "show-revoke", "show-renew", "status", "renewable"], REPORTS),
    (&["verify-cert", "verify", "serial", "check-serial", "show-eku", "x509-eku", "display-dn"], CHECKS),
    (&["export-p12", "export-p7", "export-p8", "export-p1", "export"], EXPORT),
    (&["friendly", "usefn"], FRIENDLY),
    (&["set-pass", "set-rsa-pass", "set-ec-pass", "set-ed-pass"], SET_PASS),
    (&["gen-dh"], GEN_DH),
    (&["gen-tls", "gen-tls-auth-key", "gen-tls-crypt-key", "import-tls-key", "tls"], TLS_KEYS),
    (&["import-ca"], IMPORT_CA),
    (&["write"], WRITE),
    (&["rand", "random"], RAND),
    (&["days"], DAYS),
    (&["san", "altname", "subjectaltname", "auto-san", "san-crit"], NAMES),
    (&["copyext", "copy-ext"], COPY_EXTENSIONS),
    (&["subject", "new-subject", "newsubj"], SUBJECT),
    (&["vars"], VARS),
    (&["types", "x509-types"], TYPES),
];

const OPTIONS: &str = "\
  --pki=DIR, --pki-dir=DIR PKI directory (EASYRSA_PKI) [./pki]
  --vars=FILE             use this vars file only (EASYRSA_VARS_FILE)
  --force-vars            accept what a vars file should not contain (EASYRSA_FORCE_VARS)
  --batch, -b             ask nothing (EASYRSA_BATCH)
  --silent, -s            no notices and warnings
  --silent-ssl, -S        nothing of what openssl would say
  --sbatch, --sb          both --silent and --batch
  --nopass                leave new keys unencrypted (EASYRSA_NO_PASS)
  --passin=, --passout=   pass:TEXT, file:PATH, env:NAME, fd:NUMBER or stdin
  --rawca                 ask for the CA passphrase (EASYRSA_RAW_CA)
  --days=N                days of validity of what the command makes; see `help days`
  --startdate=, --enddate=[YY]YYMMDDhhmmssZ
  --algo=rsa|ec|ed        kind of key (EASYRSA_ALGO) [rsa]
  --curve=NAME            prime256v1, secp384r1, secp521r1, ed25519 (EASYRSA_CURVE)
  --keysize=BITS          size of RSA keys and DH groups (EASYRSA_KEY_SIZE) [2048]
  --digest=NAME           sha256, sha384, sha512 (EASYRSA_DIGEST)
  --dn-mode=cn_only|org   form of subjects (EASYRSA_DN) [cn_only]
  --req-cn= --req-c= --req-st= --req-city= --req-org= --req-ou= --req-email= --req-serial=
  --san=NAMES, --auto-san subject alternative names; see `help san`
  --san-crit, --bc-crit, --ku-crit, --eku-crit  mark extensions critical
  --copy-ext              grant names that a request asks for; see `help copyext`
  --subca-len=N           authorities that may stand below a signed authority
  --new-subject=SUBJECT   with sign-req ... newsubj; see `help subject`
  --ns-cert[=yes|no], --ns-comment=TEXT  Netscape's extensions
  --usefn=NAME            friendly name of export-p12
  --text, --notext        requests with, certificates without OpenSSL's text in front
  --noinline              no inline files (EASYRSA_NO_INLINE)
  --no-lockfile           neither honour nor create lock.file
  --lock-timeout=SECONDS  how long to wait for other commands [30]
  --force                 with gen-crl: publish a list that ends before the published one
  --profile=strict|easyrsa  field forms of certificates and lists (POSTERN_PROFILE) [strict]
  --umask= --no-umask --tmp-dir= --keep-tmp= --ssl-cnf= --force-safe-ssl
                          accepted; there is nothing to set
";

const INIT_PKI: &str = "\
  init-pki [ rsa | ec | ed | CURVE ] [ soft ]

Makes a new, empty PKI. An existing one is moved aside, after a confirmation or, with
--batch, without one. With ec, ed or a curve, keys of this PKI are of that kind.

  soft    - keep the vars file of the existing PKI
";

const BUILD_CA: &str = "\
  build-ca [ nopass subca rawca ]

Makes the key and certificate of the authority.

  nopass  - leave the CA key unencrypted
  subca   - make a request for another authority to sign; also: intca
  rawca   - ask for the passphrase whatever else is set
";

const GEN_REQ: &str = "\
  gen-req <file_name_base> [ nopass text ]

Makes a key and a certificate request, which this or any other authority can sign.

  nopass  - leave the key unencrypted
  text    - put OpenSSL's text in front of the request
";

const IMPORT_REQ: &str = "\
  import-req <request_file_path> <file_name_base>

Takes a request over that was made elsewhere. Nothing is overwritten.
";

const SIGN_REQ: &str = "\
  sign-req <type> <file_name_base> [ newsubj preserve ]

Makes a certificate for a request. The type is ca, server, client, serverClient, code-signing,
email, or the name of a file in x509-types.

  newsubj  - take the subject from --new-subject
  preserve - keep the order of the fields in the request's subject
";

const BUILD_FULL: &str = "\
  build-client-full <file_name_base> [ nopass ]
  build-server-full <file_name_base> [ nopass ]
  build-serverClient-full <file_name_base> [ nopass ]

Makes a key and a certificate for it.

  nopass  - leave the key unencrypted
";

const SELF_SIGN: &str = "\
  self-sign-server <file_name_base> [ nopass ]
  self-sign-client <file_name_base> [ nopass ]

Makes a key and a certificate that signs itself, in a PKI without an authority. Peers know it by
the fingerprint in inline/pfp-server.list-inline or inline/pfp-client.list-inline.
";

const INLINE: &str = "\
  inline <file_name_base>

Makes the inline file of a certificate anew: certificate, key, CA and TLS key as blocks.
";

const RENEW: &str = "\
  renew <file_name_base>
  expire <file_name_base>

renew makes a new certificate for the same key, with every extension of the old one. The old one
stays valid in renewed/issued until it is revoked with revoke-renewed.
expire puts a certificate aside, so that its request can be signed again.
";

const RENEW_CA: &str = "\
  renew-ca

Makes a new certificate for the CA key. The old one is added to expired-ca.list.
";

const REVOKE: &str = "\
  revoke-issued <file_name_base> [ reason ]     also: revoke
  revoke-expired <file_name_base> [ reason ]
  revoke-renewed <file_name_base> [ reason ]

Revokes the certificate in issued, expired or renewed/issued. Run gen-crl afterwards.

  reason  - us unspecified, kc keyCompromise, cc CACompromise, ac affiliationChanged,
            ss superseded, co cessationOfOperation, ch certificateHold
";

const GEN_CRL: &str = "\
  gen-crl

Signs a new revocation list of everything that is revoked: crl.pem and crl.der.
";

const UPDATE_DB: &str = "\
  update-db

Marks certificates in the index that have ended.
";

const SHOW: &str = "\
  show-req | show-cert <file_name_base> [ full ]
  show-ca [ full ]
  show-crl

Shows what a request, a certificate or the revocation list says.

  full    - with key and signature
";

const REPORTS: &str = "\
  show-expire [ <name> ]
  show-revoke [ <name> ]
  show-renew [ <name> ]

Lists certificates that end within --days (EASYRSA_PRE_EXPIRY_WINDOW) [90], that are revoked, or
that were renewed and not yet revoked.
";

const CHECKS: &str = "\
  verify-cert <file_name_base> [ batch ]
  check-serial <SERIAL>
  show-eku <file_name_base> | <FILE>
  display-dn req | x509 <FILE>

verify-cert checks a certificate against ca.crt; with batch a failure is an error.
check-serial tells whether a number is in use; in batch mode by its exit code.
";

const EXPORT: &str = "\
  export-p12 <file_name_base> [ nopass noca nokey nofn legacy ]
  export-p7 <file_name_base> [ noca ]
  export-p8 <file_name_base> [ nopass ]
  export-p1 <file_name_base> [ nopass ]

  nopass  - no export passphrase
  noca    - without the CA certificate
  nokey   - without the key
  nofn    - without a friendly name
  legacy  - algorithms that old importers know
";

const FRIENDLY: &str = "\
  --usefn=NAME

The name that importers show for a PKCS#12 file; by default the file_name_base.
";

const SET_PASS: &str = "\
  set-pass <file_name_base> [ nopass file ]

Changes the passphrase of a key; `ca` is the CA key.

  nopass  - leave the key unencrypted
  file    - <file_name_base> is the path of a key file
";

const GEN_DH: &str = "\
  gen-dh

Writes dh.pem: the group of RFC 7919 with --keysize bits.
";

const TLS_KEYS: &str = "\
  gen-tls-auth-key
  gen-tls-crypt-key
  import-tls-key <FILE>

Makes, or takes over, private/easyrsa-tls.key: one for each PKI, part of every inline file.
";

const IMPORT_CA: &str = "\
  import-ca <FILE>

Adds CA certificates to inline/external-ca.list, which becomes part of every inline file.
";

const WRITE: &str = "\
  write vars | ssl-cnf | safe-cnf | COMMON | <type>
  write legacy | legacy-hard

Prints a template, or puts all of them into the PKI; legacy-hard overwrites.
";

const RAND: &str = "\
  rand <number>

Prints so many random octets in hexadecimal.
";

const DAYS: &str = "\
  --days=N

  build-ca, renew-ca                       EASYRSA_CA_EXPIRE [3650]
  sign-req, build-*-full, renew, self-sign EASYRSA_CERT_EXPIRE [825]
  gen-crl                                  EASYRSA_CRL_DAYS [180]
  show-expire                              EASYRSA_PRE_EXPIRY_WINDOW [90]
";

const NAMES: &str = "\
  --san=DNS:name, IP:address, email:address, URI:uri

Names beside the subject, joined with commas or given several times. --auto-san takes the common
name: IP: if it is an IPv4 address, else DNS:. --san-crit marks them critical.
";

const COPY_EXTENSIONS: &str = "\
  --copy-ext

Grants names, TLS features, comments and policies that a request asks for and the type does not
set. Anything that would give a certificate a power is never granted.
";

const SUBJECT: &str = "\
  --new-subject=/C=DE/O=Acme/CN=name sign-req <type> <file_name_base> newsubj [ preserve ]

Signs a request for another subject. Fields stand in the order of the CA policy unless preserve is
given; a slash in a value is written \\/.
";

const VARS: &str = "\
Settings are taken from the first of --vars, $EASYRSA_PKI/vars, $EASYRSA/vars, ./pki/vars (if
neither variable is set) and ./vars. Lines are `set_var NAME value`; anything else is evaluated by
/bin/sh. `easyrsa write vars` prints a template.
";

const TYPES: &str = "\
x509-types/TYPE holds the extensions of a type in the notation of OpenSSL's x509v3_config, COMMON
those of every certificate. The directory is looked for in the PKI, in $EASYRSA, here, beside the
program, and in /usr/local/share/easy-rsa, /usr/share/easy-rsa and /etc/easy-rsa.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_overview_has_a_topic() {
        let commands = OVERVIEW.lines().filter(|line| line.starts_with("  "));
        for line in commands.filter(|line| !line.contains("help [") && line.trim() != "version") {
            let command = line.split_whitespace().next().unwrap();
            assert!(TOPICS.iter().any(|(names, _)| names.contains(&command)), "{command}");
        }
    }

    #[test]
    fn no_line_of_a_topic_is_wider_than_a_hundred_characters() {
        for (names, text) in TOPICS {
            assert!(text.lines().all(|line| line.len() <= 100), "{names:?}");
        }
    }
}
