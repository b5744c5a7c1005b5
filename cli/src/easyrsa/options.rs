//! easy-rsa's command line: global options before the command, each of them a variable in disguise.
//!
//! A value is looked up in this order: option, environment, `vars` file, built-in default. Passphrase sources are taken
//! from options and the environment only.

use std::collections::BTreeMap;

use super::error::EasyRsaError;
use super::vars::VarsFile;

/// What a command line says, before anything is looked up.
pub(super) struct Invocation {
    pub(super) variables: Variables,
    /// Nothing, an option such as `--version`, or a word such as `build-ca`.
    pub(super) command: Option<String>,
    /// The words after the command.
    pub(super) words: Vec<String>,
}

impl Invocation {
    pub(super) fn parse(arguments: Vec<String>) -> Result<Self, EasyRsaError> {
        let mut variables = Variables::from_environment();
        let mut arguments = arguments.into_iter();
        let command = loop {
            let Some(argument) = arguments.next() else {
                break None;
            };
            if !argument.starts_with('-') || ASKING_OPTIONS.contains(&argument.as_str()) {
                break Some(argument);
            }
            variables.set_by_option(&argument)?;
        };
        Ok(Self { variables, command, words: arguments.collect() })
    }
}

/// easy-rsa's variables with the values that options, environment and vars file give them.
#[derive(Default)]
pub(super) struct Variables {
    by_option: BTreeMap<&'static str, String>,
    forced: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    vars_file: BTreeMap<String, String>,
}

impl Variables {
    fn from_environment() -> Self {
        let of_easyrsa = |(name, _): &(String, String)| {
            name == "EASYRSA" || name.starts_with("EASYRSA_") || name.starts_with("POSTERN_")
        };
        let pairs = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { environment: pairs.filter(of_easyrsa).collect(), ..Self::default() }
    }

    /// The value of a variable; an empty one counts as none.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.even_if_empty(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable for which empty means something: easy-rsa drops an empty DN field.
    pub(super) fn even_if_empty(&self, name: &str) -> Option<&str> {
        let forced = self.forced.get(name);
        let found = forced.or_else(|| self.by_option.get(name)).or_else(|| self.environment.get(name));
        found.or_else(|| self.vars_file.get(name)).map(String::as_str)
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// What an option says, whatever the environment holds.
    pub(super) fn given_by_option(&self, name: &str) -> Option<&str> {
        self.by_option.get(name).map(String::as_str)
    }

    /// What options and environment say, for a script that looks at it.
    pub(super) fn for_scripts(&self) -> impl Iterator<Item = (&str, &str)> {
        let options = self.by_option.iter().map(|(name, value)| (*name, value.as_str()));
        options.filter(|(name, _)| name.starts_with("EASYRSA"))
    }

    pub(super) fn add_vars_file(&mut self, settings: VarsFile) {
        self.vars_file = settings.set;
        self.forced = settings.forced;
    }

    fn set_by_option(&mut self, argument: &str) -> Result<(), EasyRsaError> {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument, None),
        };
        let rule = OPTIONS
            .iter()
            .find(|rule| rule.names.contains(&name))
            .ok_or_else(|| EasyRsaError::UnknownOption(name.to_owned()))?;
        match (rule.value, value) {
            (Value::Given | Value::Repeated, None) => Err(EasyRsaError::MissingValue(name.to_owned())),
            (Value::Given | Value::Repeated, Some("")) if !rule.variable.starts_with("EASYRSA_REQ_") => {
                Err(EasyRsaError::MissingValue(name.to_owned()))
            }
            (Value::Given, Some(value)) => {
                self.by_option.insert(rule.variable, value.to_owned());
                Ok(())
            }
            (Value::Repeated, Some(value)) => {
                let list = self.by_option.entry(rule.variable).or_default();
                let separator = if list.is_empty() { "" } else { ", " };
                list.push_str(separator);
                list.push_str(value);
                Ok(())
            }
            (Value::Flag(value), None) => {
                self.by_option.insert(rule.variable, value.to_owned());
                if SILENT_BATCH.contains(&name) {
                    self.by_option.insert("EASYRSA_SILENT", "1".to_owned());
                }
                Ok(())
            }
            (Value::FlagOr(value), None) => {
                self.by_option.insert(rule.variable, value.to_owned());
                Ok(())
            }
            (Value::FlagOr(_), Some(value)) => {
                self.by_option.insert(rule.variable, value.to_owned());
                Ok(())
            }
            (Value::Flag(_), Some(_)) => Err(EasyRsaError::UnknownOption(argument.to_owned())),
        }
    }
}

struct OptionRule {
    names: &'static [&'static str],
    variable: &'static str,
    value: Value,
}

#[derive(Clone, Copy)]
enum Value {
    /// `--name=value`
    Given,
    /// `--name=value`, any number of times, joined with commas.
    Repeated,
    /// `--name`, which stands for this value.
    Flag(&'static str),
    /// `--name=value`, or `--name` for this value.
    FlagOr(&'static str),
}

const fn rule(names: &'static [&'static str], variable: &'static str, value: Value) -> OptionRule {
    OptionRule { names, variable, value }
}

/// The options that mean two.
const SILENT_BATCH: [&str; 3] = ["--sbatch", "--sb", "--silent-batch"];

/// Options that are commands of their own.
const ASKING_OPTIONS: [&str; 4] = ["--version", "--help", "-h", "--usage"];

/// Options about temporary files, the umask and text dumps are understood and have nothing to do: there are no
/// temporary files, modes do not depend on the umask, and certificates are written without a dump.
const OPTIONS: &[OptionRule] = &[
    rule(&["--pki-dir", "--pki"], "EASYRSA_PKI", Value::Given),
    rule(&["--vars"], "EASYRSA_VARS_FILE", Value::Given),
    rule(&["--batch", "-b"], "EASYRSA_BATCH", Value::Flag("1")),
    rule(&SILENT_BATCH, "EASYRSA_BATCH", Value::Flag("1")),
    rule(&["--silent", "-s"], "EASYRSA_SILENT", Value::Flag("1")),
    rule(&["--silent-ssl", "-S"], "EASYRSA_SILENT_SSL", Value::Flag("1")),
    rule(&["--verbose", "-v"], "EASYRSA_VERBOSE", Value::Flag("1")),
    rule(&["--nopass", "--no-pass"], "EASYRSA_NO_PASS", Value::Flag("1")),
    rule(&["--passin"], "EASYRSA_PASSIN", Value::Given),
    rule(&["--passout"], "EASYRSA_PASSOUT", Value::Given),
    rule(&["--days"], DAYS, Value::Given),
    rule(&["--startdate"], "EASYRSA_START_DATE", Value::Given),
    rule(&["--enddate"], "EASYRSA_END_DATE", Value::Given),
    rule(&["--algo", "--use-algo"], "EASYRSA_ALGO", Value::Given),
    rule(&["--curve"], "EASYRSA_CURVE", Value::Given),
    rule(&["--keysize"], "EASYRSA_KEY_SIZE", Value::Given),
    rule(&["--digest"], "EASYRSA_DIGEST", Value::Given),
    rule(&["--dn-mode"], "EASYRSA_DN", Value::Given),
    rule(&["--req-cn"], "EASYRSA_REQ_CN", Value::Given),
    rule(&["--req-c"], "EASYRSA_REQ_COUNTRY", Value::Given),
    rule(&["--req-st"], "EASYRSA_REQ_PROVINCE", Value::Given),
    rule(&["--req-city"], "EASYRSA_REQ_CITY", Value::Given),
    rule(&["--req-org"], "EASYRSA_REQ_ORG", Value::Given),
    rule(&["--req-ou"], "EASYRSA_REQ_OU", Value::Given),
    rule(&["--req-email"], "EASYRSA_REQ_EMAIL", Value::Given),
    rule(&["--req-serial"], "EASYRSA_REQ_SERIAL", Value::Given),
    rule(&["--subject-alt-name", "--san"], "EASYRSA_SAN", Value::Repeated),
    rule(&["--auto-san"], "EASYRSA_AUTO_SAN", Value::Flag("1")),
    rule(&["--san-crit", "--san-critical"], "EASYRSA_SAN_CRIT", Value::Flag("critical")),
    rule(&["--bc-crit", "--bc-critical"], "EASYRSA_BC_CRIT", Value::Flag("1")),
    rule(&["--ku-crit", "--ku-critical"], "EASYRSA_KU_CRIT", Value::Flag("1")),
    rule(&["--eku-crit", "--eku-critical"], "EASYRSA_EKU_CRIT", Value::Flag("1")),
    rule(&["--subca-len"], "EASYRSA_SUBCA_LEN", Value::Given),
    rule(&["--new-subject", "--new-subj"], "EASYRSA_NEW_SUBJECT", Value::Given),
    rule(&["--usefn"], "EASYRSA_P12_FR_NAME", Value::Given),
    rule(&["--rawca", "--raw-ca"], "EASYRSA_RAW_CA", Value::Flag("1")),
    rule(&["--ns-cert"], "EASYRSA_NS_SUPPORT", Value::FlagOr("yes")),
    rule(&["--ns-comment"], "EASYRSA_NS_COMMENT", Value::Given),
    rule(&["--ssl-cnf", "--ssl-conf"], "EASYRSA_SSL_CONF", Value::Given),
    rule(&["--force-safe-ssl"], "EASYRSA_FORCE_SAFE_SSL", Value::Flag("1")),
    rule(&["--force-vars"], "EASYRSA_FORCE_VARS", Value::Flag("1")),
    rule(&["--renew-days"], "EASYRSA_CERT_RENEW", Value::Given),
    rule(&["--fix-offset"], "EASYRSA_FIX_OFFSET", Value::Given),
    rule(&["--copy-ext"], "EASYRSA_CP_EXT", Value::Flag("1")),
    rule(&["--nolockfile", "--no-lockfile"], "EASYRSA_NO_LOCKFILE", Value::Flag("1")),
    rule(&["--noinline", "--no-inline"], "EASYRSA_NO_INLINE", Value::Flag("1")),
    rule(&["--umask"], "EASYRSA_UMASK", Value::Given),
    rule(&["--no-umask", "--noumask"], "EASYRSA_NO_UMASK", Value::Flag("1")),
    rule(&["--tmp-dir"], "EASYRSA_TEMP_DIR", Value::Given),
    rule(&["--keep-tmp"], "EASYRSA_KEEP_TEMP", Value::Given),
    rule(&["--text"], "EASYRSA_TEXT_ON", Value::Flag("1")),
    rule(&["--notext"], "EASYRSA_TEXT_OFF", Value::Flag("1")),
    rule(&["--profile"], "POSTERN_PROFILE", Value::Given),
    rule(&["--ca-key"], crate::env::POSTERN_CA_KEY, Value::Given),
    rule(&["--lock-timeout"], LOCK_TIMEOUT, Value::Given),
    rule(&["--force"], FORCE, Value::Flag("1")),
];

/// Not a variable of easy-rsa: `--days` means another one for each command.
pub(super) const DAYS: &str = "--days";

/// Not an option of easy-rsa: publish a list that is worse than the published one.
pub(super) const FORCE: &str = "--force";

/// Seconds to wait for other commands; easy-rsa does not wait at all.
pub(super) const LOCK_TIMEOUT: &str = "--lock-timeout";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Invocation, EasyRsaError> {
        Invocation::parse(arguments.iter().map(|argument| (*argument).to_owned()).collect())
    }

    #[test]
    fn global_options_stand_before_the_command_and_its_words_after_it() {
        let invocation = parsed(&["--batch", "--days=7", "build-client-full", "alice", "nopass"]).unwrap();
        assert_eq!(invocation.command.as_deref(), Some("build-client-full"));
        assert_eq!(invocation.words, ["alice", "nopass"]);
        assert!(invocation.variables.is_set("EASYRSA_BATCH"));
        assert_eq!(invocation.variables.value(DAYS), Some("7"));
    }

    #[test]
    fn no_command_and_asking_options_are_understood() {
        assert_eq!(parsed(&[]).unwrap().command, None);
        assert_eq!(parsed(&["--batch", "--version"]).unwrap().command.as_deref(), Some("--version"));
    }

    #[test]
    fn alternative_names_are_joined() {
        let invocation = parsed(&["--san=DNS:a", "--subject-alt-name=IP:::1"]).unwrap();
        assert_eq!(invocation.variables.value("EASYRSA_SAN"), Some("DNS:a, IP:::1"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(
            matches!(parsed(&["--nonsense"]).err(), Some(EasyRsaError::UnknownOption(name)) if name == "--nonsense")
        );
        assert!(
            matches!(parsed(&["--days", "7"]).err(), Some(EasyRsaError::MissingValue(name)) if name == "--days")
        );
        assert!(matches!(parsed(&["--days="]).err(), Some(EasyRsaError::MissingValue(_))));
        assert!(matches!(parsed(&["--batch=1"]).err(), Some(EasyRsaError::UnknownOption(_))));
        assert!(parsed(&["--req-email="]).is_ok());
    }

    #[test]
    fn silent_batch_is_both() {
        for option in ["--sbatch", "--sb", "--silent-batch"] {
            let variables = parsed(&[option]).unwrap().variables;
            assert!(variables.is_set("EASYRSA_BATCH") && variables.is_set("EASYRSA_SILENT"), "{option}");
        }
        assert!(!parsed(&["--batch"]).unwrap().variables.is_set("EASYRSA_SILENT"));
    }

    #[test]
    fn options_beat_the_vars_file() {
        let mut variables = parsed(&["--keysize=4096"]).unwrap().variables;
        let pairs =
            |pairs: [(&str, &str); 2]| pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        variables.add_vars_file(VarsFile {
            set: pairs([("EASYRSA_KEY_SIZE", "3072"), ("EASYRSA_CURVE", "secp521r1")]),
            forced: BTreeMap::default(),
        });
        assert_eq!(variables.value("EASYRSA_KEY_SIZE"), Some("4096"));
        assert_eq!(variables.value("EASYRSA_CURVE"), Some("secp521r1"));
        variables.add_vars_file(VarsFile {
            set: BTreeMap::default(),
            forced: pairs([("EASYRSA_KEY_SIZE", "3072"), ("EASYRSA_CURVE", "secp521r1")]),
        });
        assert_eq!(variables.value("EASYRSA_KEY_SIZE"), Some("3072"), "force_set_var beats everything");
    }
}
