//! The variables of one invocation, turned into typed values with easy-rsa's defaults.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pki_core::ca::{CertificateForm, Context, ExposedKeys, LockedKey, SerialNumbers, Settings};
use pki_core::cert::build::Validity;
use pki_core::cert::{CertificateKind, CriticalMarks, Customisation, ExtensionFile, Profile, SubjectAltName};
use pki_core::dn::{Organisation, OrganisationField, Subject};
use pki_core::key::pkcs11::{Pkcs11Uri, UriError};
use pki_core::key::{Digest, KeyAlgorithm, Protection};
use pki_core::name::{CommonName, FileBase};
use pki_core::random::SystemSource;
use pki_core::secret::Passphrase;
use pki_core::time::Timestamp;
use pki_core::{Authority, LockPolicy, PkiError};

use super::commands;
use super::error::EasyRsaError;
use super::messages::Messages;
use super::options::{DAYS, LOCK_TIMEOUT, Variables};
use crate::env;
use crate::error::CliError;
use crate::input::read_file;
use crate::output::printable;
use crate::passphrase::PassphraseArgument;
use crate::prompt::Prompter;

/// One run of the drop-in.
pub(super) struct Session {
    pub(super) variables: Variables,
    pub(super) messages: Messages,
    pub(super) prompter: Prompter,
    pub(super) now: Timestamp,
}

/// What a certificate of some type is, and which extensions it gets.
pub(super) struct CertificateType {
    pub(super) kind: CertificateKind,
    pub(super) customisation: Customisation,
}

impl Session {
    pub(super) fn new(variables: Variables) -> Self {
        let is_batch = variables.is_set("EASYRSA_BATCH");
        Self {
            messages: Messages {
                is_silent: variables.is_set("EASYRSA_SILENT"),
                is_openssl_silent: is_batch && variables.is_set("EASYRSA_SILENT_SSL"),
            },
            prompter: Prompter::new(is_batch),
            now: SystemTime::now().into(),
            variables,
        }
    }

    /// `EASYRSA_PKI`, or `pki` below `EASYRSA`, or `pki` here: always absolute, as easy-rsa prints it.
    pub(super) fn directory(&self) -> Result<PathBuf, EasyRsaError> {
        let base = self.variables.value("EASYRSA").unwrap_or(".");
        let directory =
            self.variables.value("EASYRSA_PKI").map_or_else(|| Path::new(base).join("pki"), PathBuf::from);
        let no_current_directory =
            |cause| CliError::File { operation: "find", path: PathBuf::from("."), cause };
        let absolute = std::path::absolute(directory).map_err(no_current_directory)?;
        Ok(absolute)
    }

    pub(super) fn lock(&self) -> Result<LockPolicy, EasyRsaError> {
        let seconds = self.number(LOCK_TIMEOUT)?.unwrap_or(DEFAULT_LOCK_TIMEOUT);
        Ok(LockPolicy {
            timeout: Duration::from_secs(seconds.into()),
            use_lock_file: !self.variables.is_set("EASYRSA_NO_LOCKFILE"),
        })
    }

    pub(super) fn open(&self) -> Result<Authority, EasyRsaError> {
        let settings = Settings {
            lock: self.lock()?,
            profile: self.profile()?,
            exposed_keys: ExposedKeys::Warn,
            ignore_clock: false,
        };
        let authority = Authority::open(&self.directory()?, settings)?;
        Ok(match self.ca_key()? {
            Some(uri) => authority.with_key_in_token(uri),
            None => authority,
        })
    }

    /// The token that holds, or shall hold, the authority's key, if the directory does not say so itself.
    pub(super) fn ca_key(&self) -> Result<Option<Pkcs11Uri>, EasyRsaError> {
        let uri = self.variables.value(env::POSTERN_CA_KEY).map(str::parse).transpose();
        uri.map_err(|cause: UriError| CliError::from(cause).into())
    }

    pub(super) fn profile(&self) -> Result<Profile, EasyRsaError> {
        match self.variables.value("POSTERN_PROFILE") {
            None | Some("strict") => Ok(Profile::Strict),
            Some("easyrsa") => Ok(Profile::EasyRsa),
            Some(value) => Err(invalid("--profile", value, "strict or easyrsa")),
        }
    }

    pub(super) fn serial_numbers(&self) -> Result<SerialNumbers, EasyRsaError> {
        if self.variables.value("EASYRSA_RAND_SN") == Some("no") {
            return Ok(SerialNumbers::Sequential);
        }
        Ok(match self.profile()? {
            Profile::Strict => SerialNumbers::Random159,
            Profile::EasyRsa => SerialNumbers::Random128,
        })
    }

    /// RSA 2048 unless told otherwise; a curve implies its kind of key.
    pub(super) fn algorithm(&self) -> Result<KeyAlgorithm, EasyRsaError> {
        let curve = self.variables.value("EASYRSA_CURVE");
        match (self.variables.value("EASYRSA_ALGO"), curve) {
            (Some("rsa"), Some(curve)) => Err(invalid("--curve", curve, "an RSA key has no curve")),
            (Some("rsa") | None, None) => Ok(KeyAlgorithm::Rsa { bits: self.key_size()? }),
            (Some("ec"), None) => self.curve_of_parameters(),
            (Some("ed"), None) => Ok(KeyAlgorithm::Ed25519),
            (Some("ec" | "ed") | None, Some(curve)) => {
                KeyAlgorithm::from_curve(curve).map_err(|error| CliError::from(error).into())
            }
            (Some(other), _) => Err(invalid("--algo", other, "rsa, ec or ed")),
        }
    }

    /// The curve of the file that EASYRSA_ALGO_PARAMS names, or easy-rsa's default.
    fn curve_of_parameters(&self) -> Result<KeyAlgorithm, EasyRsaError> {
        let Some(file) = self.variables.value("EASYRSA_ALGO_PARAMS") else {
            return Ok(KeyAlgorithm::P384);
        };
        let content = read_file(Path::new(file))?;
        KeyAlgorithm::from_ec_parameters(&content).map_err(|error| CliError::from(error).into())
    }

    /// The digest that was asked for.
    pub(super) fn digest(&self) -> Result<Option<Digest>, EasyRsaError> {
        let Some(name) = self.variables.value("EASYRSA_DIGEST") else {
            return Ok(None);
        };
        match Digest::from_name(name) {
            Some(digest) => Ok(Some(digest)),
            None => Err(invalid("--digest", name, "sha256, sha384 or sha512")),
        }
    }

    /// Days of validity: `--days`, the command's own variable, or its default.
    pub(super) fn days(&self, variable: &str, default: u32) -> Result<u32, EasyRsaError> {
        let days = match self.number(DAYS)? {
            Some(days) => Some(days),
            None => self.number(variable)?,
        };
        match days {
            Some(0) => Err(invalid(DAYS, "0", "a positive number")),
            days => Ok(days.unwrap_or(default)),
        }
    }

    /// From `--startdate` to `--enddate`, or so many days from now.
    pub(super) fn validity(&self) -> Result<Validity, EasyRsaError> {
        let start = self.date("EASYRSA_START_DATE")?;
        let end = self.date("EASYRSA_END_DATE")?;
        match (start, end) {
            (Some(_), None) => Err(invalid("--startdate", "", "it needs --enddate as well")),
            (start, Some(end)) => Ok(Validity::between(start.unwrap_or(self.now), end)?),
            (None, None) => match self.number("EASYRSA_FIX_OFFSET")? {
                Some(offset) => self.fixed_validity(offset),
                None => Ok(Validity::days_from(self.now, self.days("EASYRSA_CERT_EXPIRE", 825)?)?),
            },
        }
    }

    /// easy-rsa 3.1: from the first of January for as many whole years as the days make, and `offset` days.
    fn fixed_validity(&self, offset: u32) -> Result<Validity, EasyRsaError> {
        let years = i64::from(self.days("EASYRSA_CERT_EXPIRE", 825)? / 365);
        let this_year = self.now.calendar().year;
        let first_of = |year| Timestamp::from_calendar(year, 1, 1, 0, 0, 0);
        let (Some(start), Some(end)) = (first_of(this_year), first_of(this_year + years)) else {
            return Err(invalid("--fix-offset", &offset.to_string(), "the year 9999 at most"));
        };
        Ok(Validity::between(start, end.plus_days(offset.into()))?)
    }

    /// The subject with this common name, in the DN mode that is set.
    pub(super) fn subject(&self, common_name: CommonName, ask: bool) -> Result<Subject, EasyRsaError> {
        match self.variables.value("EASYRSA_DN") {
            None | Some("cn_only") => Ok(Subject::common_name_only(common_name)),
            Some("org") => Ok(Subject::in_organisation(common_name, self.organisation(ask)?)),
            Some(other) => Err(invalid("--dn-mode", other, "cn_only or org")),
        }
    }

    /// The names of `--san`.
    pub(super) fn given_names(&self) -> Result<Option<SubjectAltName>, EasyRsaError> {
        Ok(self.variables.value("EASYRSA_SAN").map(SubjectAltName::parse).transpose()?)
    }

    /// The names of `--san`, or the common name itself with `--auto-san`.
    pub(super) fn alternative_names(
        &self,
        common_name: &str,
    ) -> Result<Option<SubjectAltName>, EasyRsaError> {
        match self.given_names()? {
            None if self.variables.is_set("EASYRSA_AUTO_SAN") => {
                Ok(Some(SubjectAltName::parse(&Self::automatic_name(common_name))?))
            }
            names => Ok(names),
        }
    }

    /// `IP:n.n.n.n` or `DNS:name`.
    pub(super) fn automatic_name(common_name: &str) -> String {
        let is_address = common_name.parse::<std::net::Ipv4Addr>().is_ok();
        format!("{}:{common_name}", if is_address { "IP" } else { "DNS" })
    }

    /// A certificate type by its name: a file in `x509-types`, or built in.
    ///
    /// In the strict profile a file that easy-rsa itself brings is no reason to write easy-rsa's forms; one that somebody
    /// has changed always counts.
    pub(super) fn certificate_type(&self, name: &str) -> Result<CertificateType, EasyRsaError> {
        let unknown = || EasyRsaError::UnknownType(name.escape_debug().to_string());
        let is_plain = FileBase::parse(name).is_ok() && name != "COMMON";
        let own_file = if is_plain { self.type_file(name)? } else { None };
        let kind = match (commands::built_in_kind(name), &own_file) {
            (Some(kind), _) => kind,
            (None, Some(_)) => CertificateKind::Client,
            (None, None) => return Err(unknown()),
        };
        let is_followed = |file: &ExtensionFile| match self.profile() {
            Ok(Profile::Strict) => !file.is_easyrsas_own(name),
            _ => true,
        };
        let mut customisation = self.customisation_for(name, kind)?;
        customisation.type_file = own_file.filter(is_followed);
        Ok(CertificateType { kind, customisation })
    }

    /// Extensions beyond those of a type.
    pub(super) fn customisation(&self) -> Result<Customisation, EasyRsaError> {
        self.customisation_for("", CertificateKind::Client)
    }

    fn customisation_for(
        &self,
        type_name: &str,
        kind: CertificateKind,
    ) -> Result<Customisation, EasyRsaError> {
        let is_set = |name| self.variables.is_set(name);
        Ok(Customisation {
            type_file: None,
            common: self.type_file("COMMON")?.filter(|file| !file.is_empty()),
            extra: self.extra_extensions(type_name, kind)?,
            critical: CriticalMarks {
                basic_constraints: is_set("EASYRSA_BC_CRIT"),
                key_usage: is_set("EASYRSA_KU_CRIT"),
                extended_key_usage: is_set("EASYRSA_EKU_CRIT"),
                names: is_set("EASYRSA_SAN_CRIT"),
            },
            copies_request: is_set("EASYRSA_CP_EXT"),
        })
    }

    /// EASYRSA_EXTRA_EXTS, Netscape's extensions, and a path length if the type comes from a file.
    fn extra_extensions(
        &self,
        type_name: &str,
        kind: CertificateKind,
    ) -> Result<Option<ExtensionFile>, EasyRsaError> {
        let mut text = self.variables.value("EASYRSA_EXTRA_EXTS").unwrap_or_default().to_owned();
        if let Some(netscape_type) = self.netscape_type(type_name)? {
            let default = "Easy-RSA Generated Certificate";
            let comment = self.variables.even_if_empty("EASYRSA_NS_COMMENT").unwrap_or(default);
            text.push_str(&format!("\nnsCertType = {netscape_type}\nnsComment = \"{comment}\"\n"));
        }
        if let (CertificateKind::Authority(_), Some(length)) = (kind, self.subca_length()?) {
            text.push_str(&format!("\nbasicConstraints = critical,CA:TRUE,pathlen:{length}\n"));
        }
        let file = ExtensionFile::parse(&text, |name| self.variables.value(name).map(str::to_owned))?;
        Ok(Some(file).filter(|file| !file.is_empty()))
    }

    fn netscape_type(&self, type_name: &str) -> Result<Option<&'static str>, EasyRsaError> {
        match self.variables.value("EASYRSA_NS_SUPPORT") {
            None | Some("no") => return Ok(None),
            Some("yes") => {}
            Some(other) => return Err(invalid("--ns-cert", other, "yes or no")),
        }
        Ok(match type_name {
            "server" => Some("server"),
            "client" => Some("client"),
            "serverClient" => Some("server,client"),
            "ca" => Some("sslCA"),
            _ => None,
        })
    }

    /// The first file of this name in the directories where easy-rsa looks.
    fn type_file(&self, name: &str) -> Result<Option<ExtensionFile>, EasyRsaError> {
        for directory in self.type_directories()? {
            let path = directory.join(name);
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(CliError::File { operation: "read", path, cause }.into()),
            };
            let file = ExtensionFile::parse(&text, |name| self.variables.value(name).map(str::to_owned));
            let file = file.map_err(|cause| PkiError::Certificate { path, cause })?;
            return Ok(Some(file));
        }
        Ok(None)
    }

    fn type_directories(&self) -> Result<Vec<PathBuf>, EasyRsaError> {
        if let Some(directory) = self.variables.value("EASYRSA_EXT_DIR") {
            return Ok(vec![PathBuf::from(directory)]);
        }
        let program =
            std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
        let own = [
            Some(self.directory()?),
            self.variables.value("EASYRSA").map(PathBuf::from),
            Some(".".into()),
            program,
        ];
        let system = ["/usr/local/share/easy-rsa", "/usr/share/easy-rsa", "/etc/easy-rsa"].map(PathBuf::from);
        let all = own.into_iter().flatten().chain(system);
        let found = all.map(|directory| directory.join("x509-types")).find(|directory| directory.is_dir());
        Ok(found.into_iter().collect())
    }

    pub(super) fn subca_length(&self) -> Result<Option<u8>, EasyRsaError> {
        let length = self.number("EASYRSA_SUBCA_LEN")?;
        length
            .map(|length| {
                u8::try_from(length).map_err(|_| invalid("--subca-len", &length.to_string(), "at most 255"))
            })
            .transpose()
    }

    /// How the files of certificates look.
    pub(super) fn form(&self) -> CertificateForm {
        let has_inline =
            !self.variables.is_set("EASYRSA_NO_INLINE") && !self.variables.is_set("EASYRSA_DISABLE_INLINE");
        CertificateForm { text: !self.variables.is_set("EASYRSA_TEXT_OFF"), inline: has_inline }
    }

    /// Bits of RSA keys and Diffie-Hellman groups.
    pub(super) fn key_size(&self) -> Result<u32, EasyRsaError> {
        Ok(self.number("EASYRSA_KEY_SIZE")?.unwrap_or(2048))
    }

    /// Days before its end from which a certificate is reported.
    pub(super) fn window(&self) -> Result<u32, EasyRsaError> {
        match self.number(DAYS)? {
            Some(days) => Ok(days),
            None => Ok(self.number("EASYRSA_PRE_EXPIRY_WINDOW")?.unwrap_or(90)),
        }
    }

    /// easy-rsa 3.1: days before its end from which a certificate may be renewed.
    pub(super) fn renewal_window(&self) -> Result<u32, EasyRsaError> {
        Ok(self.number("EASYRSA_CERT_RENEW")?.unwrap_or(30))
    }

    /// The passphrase of a container: `--passout`, none, or asked for.
    pub(super) fn export_passphrase(&self, is_unprotected: bool) -> Result<Option<Passphrase>, EasyRsaError> {
        if let Some(passphrase) = self.passphrase_from("EASYRSA_PASSOUT")? {
            return Ok(Some(passphrase));
        }
        if is_unprotected || self.variables.is_set("EASYRSA_NO_PASS") {
            return Ok(None);
        }
        Ok(Some(self.prompter.new_passphrase("Enter Export Password: ")?))
    }

    /// `--passout` beats `nopass`, which beats asking.
    pub(super) fn protection(
        &self,
        is_unprotected: bool,
        question: &str,
    ) -> Result<Protection, EasyRsaError> {
        if let Some(passphrase) = self.passphrase_from("EASYRSA_PASSOUT")? {
            return Ok(Protection::with(passphrase));
        }
        if is_unprotected || self.variables.is_set("EASYRSA_NO_PASS") {
            return Ok(Protection::None);
        }
        Ok(self.prompter.new_passphrase(question).map(Protection::with)?)
    }

    /// Runs one operation of the authority.
    pub(super) fn run<T>(
        &self,
        operate: impl FnOnce(&mut Context<'_>) -> Result<T, PkiError>,
    ) -> Result<T, EasyRsaError> {
        let mut passphrases = |key: LockedKey<'_>| self.passphrase_of(key).map_err(|error| error.to_string());
        let mut context =
            Context { now: self.now, random: &mut SystemSource::new(), passphrases: &mut passphrases };
        Ok(operate(&mut context)?)
    }

    fn passphrase_of(&self, key: LockedKey<'_>) -> Result<Passphrase, EasyRsaError> {
        if let Some(given) = self.passphrase_from("EASYRSA_PASSIN")? {
            return Ok(given);
        }
        let question = match key {
            LockedKey::File(path) => format!("Enter pass phrase for {}:", path.display()),
            LockedKey::Token { pin_source: Some(source), .. } => {
                return Ok(PassphraseArgument::from_pin_source(source)?.resolve(&self.prompter)?);
            }
            LockedKey::Token { label, .. } => format!("Enter PIN for token '{}':", printable(label)),
        };
        Ok(self.prompter.passphrase(&question)?)
    }

    fn passphrase_from(&self, variable: &str) -> Result<Option<Passphrase>, EasyRsaError> {
        let Some(text) = self.variables.value(variable) else {
            return Ok(None);
        };
        // The text itself must not stand in a message: it may be the passphrase.
        let argument: PassphraseArgument = text.parse().map_err(|_| CliError::UnreadablePassphrase {
            argument: variable.to_owned(),
            cause: "the form is not known".into(),
        })?;
        Ok(Some(argument.resolve(&self.prompter)?))
    }

    fn organisation(&self, ask: bool) -> Result<Organisation, EasyRsaError> {
        let mut organisation = Organisation::default();
        for (field, variable, question, default) in ORGANISATION {
            let configured = self.variables.even_if_empty(variable).unwrap_or(default);
            let value = if ask { self.prompter.text(question, configured)? } else { configured.to_owned() };
            let is_dropped = ask && value == ".";
            organisation.set(field, if is_dropped { "" } else { &value })?;
        }
        Ok(organisation)
    }

    fn number(&self, variable: &str) -> Result<Option<u32>, EasyRsaError> {
        let Some(text) = self.variables.value(variable) else {
            return Ok(None);
        };
        let has_leading_zero = text.len() > 1 && text.starts_with('0');
        let is_plain = text.bytes().all(|digit| digit.is_ascii_digit()) && !has_leading_zero;
        match text.parse().ok().filter(|_| is_plain) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(variable, text, "a positive number without leading zeros")),
        }
    }

    fn date(&self, variable: &str) -> Result<Option<Timestamp>, EasyRsaError> {
        let Some(text) = self.variables.value(variable) else {
            return Ok(None);
        };
        match Timestamp::from_digits(text) {
            Some(date) => Ok(Some(date)),
            None => Err(invalid(variable, text, "[YY]YYMMDDhhmmssZ")),
        }
    }
}

pub(super) fn invalid(name: &str, value: &str, rule: &'static str) -> EasyRsaError {
    EasyRsaError::Value { name: name.to_owned(), value: value.escape_debug().to_string(), rule }
}

const DEFAULT_LOCK_TIMEOUT: u32 = 30;

/// Fields of the `org` mode: variable, question, built-in default.
const ORGANISATION: [(OrganisationField, &str, &str, &str); 7] = [
    (OrganisationField::Country, "EASYRSA_REQ_COUNTRY", "Country Name (2 letter code)", "US"),
    (OrganisationField::Province, "EASYRSA_REQ_PROVINCE", "State or Province Name (full name)", "California"),
    (OrganisationField::City, "EASYRSA_REQ_CITY", "Locality Name (eg, city)", "San Francisco"),
    (
        OrganisationField::Organisation,
        "EASYRSA_REQ_ORG",
        "Organization Name (eg, company)",
        "Copyleft Certificate Co",
    ),
    (
        OrganisationField::Unit,
        "EASYRSA_REQ_OU",
        "Organizational Unit Name (eg, section)",
        "My Organizational Unit",
    ),
    (OrganisationField::Email, "EASYRSA_REQ_EMAIL", "Email Address", "me@example.net"),
    (OrganisationField::SerialNumber, "EASYRSA_REQ_SERIAL", "Serial-number (eg, device serial-number)", ""),
];
