//! `easyrsa help` and `easyrsa version`.

use super::error::EasyRsaError;
use crate::output;

/// Prints one topic, or the overview.
pub(super) fn show(topic: Option<&str>) -> Result<(), EasyRsaError> {
    let text = match topic {
        None | Some("commands") => OVERVIEW,
        Some("options" | "opts") => OPTIONS,
        Some("init-pki" | "clean-all") => INIT_PKI,
        Some("build-ca") => BUILD_CA,
        Some("build-client-full" | "build-server-full" | "build-serverClient-full") => BUILD_FULL,
        Some("revoke" | "revoke-issued") => REVOKE,
        Some("gen-crl") => GEN_CRL,
        Some(other) => return Err(EasyRsaError::UnknownTopic(other.to_owned())),
    };
    Ok(output::print(text)?)
}

/// The version of easy-rsa whose behaviour this is, and our own; scripts look for `^Version:`.
pub(super) fn version() -> String {
    format!(
        "EasyRSA Version Information\n\
         Version:     3.2 (postern {})\n\
         SSL Lib:     built in\n",
        env!("CARGO_PKG_VERSION")
    )
}

pub(super) const OVERVIEW: &str = "\
Usage: easyrsa [ OPTIONS.. ] <COMMAND> <TARGET> [ cmd-opts.. ]

Options stand before the command and are written --name=value.

  init-pki [ rsa | ec | ed | CURVE ]
  build-ca [ nopass ]
  build-client-full <file_name_base> [ nopass ]
  build-server-full <file_name_base> [ nopass ]
  build-serverClient-full <file_name_base> [ nopass ]
  revoke <file_name_base> [ reason ]
  gen-crl
  help [ options | COMMAND ]
  version
";

const OPTIONS: &str = "\
  --pki-dir=DIR           PKI directory (EASYRSA_PKI) [./pki]
  --vars=FILE             use this vars file only (EASYRSA_VARS_FILE)
  --batch                 ask nothing (EASYRSA_BATCH)
  --silent, --silent-ssl  say less
  --nopass                leave new keys unencrypted (EASYRSA_NO_PASS)
  --passin=, --passout=   pass:TEXT, file:PATH, env:NAME, fd:NUMBER or stdin
  --days=N                days of validity of what the command makes
  --startdate=, --enddate=[YY]YYMMDDhhmmssZ
  --algo=rsa|ec|ed        kind of key (EASYRSA_ALGO) [rsa]
  --curve=NAME            prime256v1, secp384r1, secp521r1, ed25519 (EASYRSA_CURVE)
  --keysize=BITS          size of RSA keys (EASYRSA_KEY_SIZE) [2048]
  --digest=NAME           sha256, sha384, sha512 (EASYRSA_DIGEST)
  --dn-mode=cn_only|org   form of subjects (EASYRSA_DN) [cn_only]
  --req-cn= --req-c= --req-st= --req-city= --req-org= --req-ou= --req-email= --req-serial=
  --san=NAMES, --auto-san subject alternative names
  --no-lockfile           neither honour nor create lock.file
  --lock-timeout=SECONDS  how long to wait for other commands [30]
  --profile=strict|easyrsa  field forms of certificates and lists (POSTERN_PROFILE) [strict]
";

const INIT_PKI: &str = "\
  init-pki [ rsa | ec | ed | CURVE ]

Makes a new, empty PKI. An existing one is moved aside, after a confirmation or, with
--batch, without one. With ec, ed or a curve, keys of this PKI are of that kind.
";

const BUILD_CA: &str = "\
  build-ca [ nopass ]

Makes the key and certificate of the authority.

  nopass  - leave the CA key unencrypted
";

const BUILD_FULL: &str = "\
  build-client-full <file_name_base> [ nopass ]
  build-server-full <file_name_base> [ nopass ]
  build-serverClient-full <file_name_base> [ nopass ]

Makes a key and a certificate for it.

  nopass  - leave the key unencrypted
";

const REVOKE: &str = "\
  revoke <file_name_base> [ reason ]

Revokes the certificate issued/<file_name_base>.crt. Run gen-crl afterwards.

  reason  - unspecified, keyCompromise, CACompromise, affiliationChanged, superseded,
            cessationOfOperation, certificateHold
";

const GEN_CRL: &str = "\
  gen-crl

Signs a new revocation list of everything that is revoked: crl.pem and crl.der.
";
