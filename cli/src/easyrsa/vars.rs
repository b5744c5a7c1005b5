//! The `vars` file: a shell script in easy-rsa, a list of settings here.
//!
//! Read here are `set_var NAME value` and `force_set_var NAME value` with shell quoting and plain `$VAR`, comments, and the
//! guard at the top of the standard file. A file with anything else in it is evaluated by /bin/sh, as easy-rsa does: half
//! understood it would issue certificates that nobody asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::EasyRsaError;
use super::options::Variables;

/// The file that easy-rsa 3.2 would use, if there is one.
pub(super) fn find(variables: &Variables) -> Result<Option<PathBuf>, EasyRsaError> {
    if variables.is_set("EASYRSA_NO_VARS") {
        return Ok(None);
    }
    if let Some(named) = variables.value("EASYRSA_VARS_FILE") {
        let path = PathBuf::from(named);
        return if path.is_file() { Ok(Some(path)) } else { Err(EasyRsaError::NoVarsFile(named.to_owned())) };
    }
    let (pki, base) = (variables.value("EASYRSA_PKI"), variables.value("EASYRSA"));
    let usual = if pki.is_none() && base.is_none() { Some("pki") } else { None };
    let directories = [pki, base, usual, Some(".")];
    Ok(directories
        .into_iter()
        .flatten()
        .map(|directory| Path::new(directory).join("vars"))
        .find(|path| path.is_file()))
}

/// What a `vars` file sets.
#[derive(Default)]
pub(super) struct VarsFile {
    /// By `set_var`: counts where nothing else says anything.
    pub(super) set: BTreeMap<String, String>,
    /// By `force_set_var`: counts before everything else.
    pub(super) forced: BTreeMap<String, String>,
}

/// Reads the settings of a file.
pub(super) fn read(path: &Path, variables: &Variables) -> Result<VarsFile, EasyRsaError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|_| EasyRsaError::NoVarsFile(file.clone()))?;
    refuse_forbidden(&file, &text, variables.is_set("EASYRSA_FORCE_VARS"))?;
    match parse(&text) {
        Some(settings) => Ok(settings),
        None => by_shell(path, variables),
    }
}

/// The settings of a file in the plain form; `None` for anything that only a shell understands.
fn parse(text: &str) -> Option<VarsFile> {
    let mut settings = Settings::default();
    let mut is_in_guard = false;
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if is_in_guard {
            is_in_guard = content != "fi";
        } else if content == GUARD {
            is_in_guard = true;
        } else {
            settings.apply(content)?;
        }
    }
    (!is_in_guard).then_some(settings.0)
}

/// Has /bin/sh evaluate the file, as easy-rsa does, and takes over what it sets. What the file prints goes to stderr.
fn by_shell(path: &Path, variables: &Variables) -> Result<VarsFile, EasyRsaError> {
    let file = path.display().to_string();
    let failed = |reason: String| EasyRsaError::VarsShell { file: file.clone(), reason };
    let absolute = std::path::absolute(path).map_err(|cause| failed(cause.to_string()))?;
    let answer = std::process::Command::new("/bin/sh")
        .args(["-c", SHELL_SCRIPT, "easyrsa"])
        .arg(absolute)
        .envs(variables.for_scripts())
        .env_remove("EASYRSA_PASSIN")
        .env_remove("EASYRSA_PASSOUT")
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|cause| failed(cause.to_string()))?;
    if !answer.status.success() {
        return Err(failed(format!("it ends with {}", answer.status)));
    }
    settings_of_shell(&answer.stdout).ok_or_else(|| failed("its answer is not understood".into()))
}

/// Reads `NAME=value` records that end in NUL, a word in front of each telling how it was set.
fn settings_of_shell(answer: &[u8]) -> Option<VarsFile> {
    let mut settings = VarsFile::default();
    let text = std::str::from_utf8(answer).ok()?;
    for record in text.split_terminator('\0') {
        let (how, assignment) = record.split_once(' ')?;
        let (name, value) = assignment.split_once('=')?;
        let target = if how == "force" { &mut settings.forced } else { &mut settings.set };
        target.insert(name.to_owned(), value.to_owned());
    }
    Some(settings)
}

/// `set_var` leaves alone what has a value; every setting is told at once, so that later ones may change earlier ones.
const SHELL_SCRIPT: &str = r#"
set -e
exec 3>&1 1>&2
tell() { eval "told=\${$2-}"; printf '%s %s=%s\0' "$1" "$2" "$told" >&3; }
set_var() {
    name=$1; shift
    eval "present=\${$name+present}"
    [ -n "$present" ] || { eval "export $name=\$*"; tell set "$name"; }
}
force_set_var() { name=$1; shift; eval "export $name=\$*"; tell force "$name"; }
EASYRSA_CALLER=1
. "$1"
"#;

/// What easy-rsa refuses in a vars file as well. Passphrases are refused even if everything else is forced.
fn refuse_forbidden(file: &str, text: &str, is_forced: bool) -> Result<(), EasyRsaError> {
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let what = if line.contains("EASYRSA_PASSIN") || line.contains("EASYRSA_PASSOUT") {
            "a passphrase"
        } else if is_forced {
            continue;
        } else if line.contains('`') {
            "a backtick"
        } else if ["export ", "export\t"].iter().any(|word| line.contains(word)) {
            "export"
        } else if ["unset ", "unset\t"].iter().any(|word| line.contains(word)) {
            "unset"
        } else if assigns_directly(line) {
            "an assignment without set_var"
        } else {
            continue;
        };
        return Err(EasyRsaError::VarsForbidden {
            file: file.to_owned(),
            line: number + 1,
            what: what.to_owned(),
        });
    }
    Ok(())
}

/// Whether `EASYRSA_NAME=` stands anywhere in the line.
fn assigns_directly(line: &str) -> bool {
    line.match_indices("EASYRSA_").any(|(at, prefix)| {
        let rest = line[at + prefix.len()..].trim_start_matches(|c: char| c == '_' || c.is_ascii_uppercase());
        rest.starts_with('=')
    })
}

/// The first line of the guard in easy-rsa's own example.
const GUARD: &str = "if [ -z \"$EASYRSA_CALLER\" ]; then";

#[derive(Default)]
struct Settings(VarsFile);

impl Settings {
    /// `None` if the line is anything but a setting.
    fn apply(&mut self, line: &str) -> Option<()> {
        let (verb, rest) = line.split_once(char::is_whitespace)?;
        let (name, value) =
            rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim_start(), ""));
        let is_name =
            !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
        if !is_name {
            return None;
        }
        let value = self.word(value.trim_start())?;
        match verb {
            "set_var" => {
                self.0.set.entry(name.to_owned()).or_insert(value);
            }
            "force_set_var" => {
                self.0.forced.insert(name.to_owned(), value);
            }
            _ => return None,
        }
        Some(())
    }

    /// One shell word that may be followed by a comment only.
    fn word(&self, text: &str) -> Option<String> {
        let mut word = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match first {
                ' ' | '\t' => return is_comment_or_nothing(rest).then_some(word),
                '\'' => {
                    let (literal, after) = rest[1..].split_once('\'')?;
                    word.push_str(literal);
                    rest = after;
                }
                '"' => {
                    let (quoted, after) = self.double_quoted(&rest[1..])?;
                    word.push_str(&quoted);
                    rest = after;
                }
                '$' => {
                    let (value, after) = self.expansion(&rest[1..])?;
                    word.push_str(&value);
                    rest = after;
                }
                ';' | '&' | '|' | '(' | ')' | '<' | '>' | '\\' | '*' | '?' | '[' | '~' => return None,
                _ => {
                    word.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        Some(word)
    }

    fn double_quoted<'a>(&self, text: &'a str) -> Option<(String, &'a str)> {
        let mut content = String::new();
        let mut rest = text;
        loop {
            let first = rest.chars().next()?;
            let after = &rest[first.len_utf8()..];
            match first {
                '"' => return Some((content, after)),
                '$' => {
                    let (value, after) = self.expansion(after)?;
                    content.push_str(&value);
                    rest = after;
                }
                '\\' => {
                    let escaped =
                        after.chars().next().filter(|escaped| matches!(escaped, '"' | '\\' | '$'))?;
                    content.push(escaped);
                    rest = &after[1..];
                }
                _ => {
                    content.push(first);
                    rest = after;
                }
            }
        }
    }

    /// `$NAME` or `${NAME}`: an earlier setting, or the environment.
    fn expansion<'a>(&self, text: &'a str) -> Option<(String, &'a str)> {
        let (name, after) = match text.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => {
                let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
                text.split_at(text.find(|character| !is_part(character)).unwrap_or(text.len()))
            }
        };
        let is_name = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
        if !is_name {
            return None;
        }
        let file = self.0.forced.get(name).or_else(|| self.0.set.get(name)).cloned();
        // The environment comes before `set_var`, as in a shell where the variable keeps its value.
        let value = std::env::var(name).ok().or(file).unwrap_or_default();
        Some((value, after))
    }
}

fn is_comment_or_nothing(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> BTreeMap<String, String> {
        parse(text).unwrap().set
    }

    fn evaluated(text: &str) -> Result<VarsFile, EasyRsaError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vars");
        std::fs::write(&path, text).unwrap();
        read(&path, &Variables::default())
    }

    #[test]
    fn settings_with_quoting_and_comments_are_read() {
        let found = settings(
            "# comment\n\nif [ -z \"$EASYRSA_CALLER\" ]; then\n\techo \"no\" >&2\n\treturn 1\nfi\n\
             set_var EASYRSA_ALGO ec # elliptic\n\
             set_var EASYRSA_CURVE\t\"secp521r1\"\n\
             set_var EASYRSA_REQ_ORG 'Copy \"left\"'\n\
             set_var EASYRSA_REQ_OU \"a \\\"b\\\" \\$c\"\n\
             set_var EASYRSA_REQ_CITY \"\"\n",
        );
        assert_eq!(found["EASYRSA_ALGO"], "ec");
        assert_eq!(found["EASYRSA_CURVE"], "secp521r1");
        assert_eq!(found["EASYRSA_REQ_ORG"], "Copy \"left\"");
        assert_eq!(found["EASYRSA_REQ_OU"], "a \"b\" $c");
        assert_eq!(found["EASYRSA_REQ_CITY"], "");
    }

    #[test]
    fn the_first_set_var_wins_and_a_forced_one_is_kept_apart() {
        let found = parse(
            "set_var EASYRSA_A 1\nset_var EASYRSA_A 2\nset_var EASYRSA_B 1\nforce_set_var EASYRSA_B 2\n",
        )
        .unwrap();
        assert_eq!(found.set["EASYRSA_A"], "1");
        assert_eq!(found.forced["EASYRSA_B"], "2");
    }

    #[test]
    fn earlier_settings_can_be_referred_to() {
        let found = settings(
            "set_var EASYRSA_A base\nset_var EASYRSA_B \"${EASYRSA_A}/x\"\nset_var EASYRSA_C $EASYRSA_A/y\n",
        );
        assert_eq!(found["EASYRSA_B"], "base/x");
        assert_eq!(found["EASYRSA_C"], "base/y");
    }

    #[test]
    fn what_is_more_than_settings_is_left_to_the_shell() {
        for line in [
            "set_var EASYRSA_A $(date)",
            "set_var EASYRSA_A \"$(date)\"",
            "set_var EASYRSA_A ${B:-c}",
            "set_var EASYRSA_A one two",
            "set_var EASYRSA_A one; true",
            "set_var EASYRSA_A \"open",
            "set_var",
            "if true; then",
            "if [ -n \"$EASYRSA_CALLER\" ]; then",
            "source other",
        ] {
            assert!(parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_shell_evaluates_conditions_substitutions_and_functions() {
        let found = evaluated(
            "echo chatter\nset_var EASYRSA_A \"$(printf '%s-%s' one two)\"\nif [ \"$EASYRSA_A\" = one-two ]; then\n\
             \tset_var EASYRSA_B yes\nelse\n\tset_var EASYRSA_B no\nfi\nset_var EASYRSA_A late\n\
             force_set_var EASYRSA_C \"a=b c\"\nset_var EASYRSA_D ${EASYRSA_UNSET:-default}\n",
        )
        .unwrap();
        assert_eq!(found.set["EASYRSA_A"], "one-two");
        assert_eq!(found.set["EASYRSA_B"], "yes");
        assert_eq!(found.forced["EASYRSA_C"], "a=b c");
        assert_eq!(found.set["EASYRSA_D"], "default");
    }

    #[test]
    fn a_file_that_the_shell_cannot_evaluate_is_refused_loudly() {
        for text in
            ["set_var EASYRSA_A \"open\n", "no_such_command_of_anybody\n", "if true; then\n", "false\n"]
        {
            assert!(matches!(evaluated(text), Err(EasyRsaError::VarsShell { .. })), "{text}");
        }
    }

    #[test]
    fn what_easy_rsa_forbids_is_forbidden_unless_forced_and_passphrases_always() {
        for line in [
            "set_var EASYRSA_A `date`",
            "export EASYRSA_A=1",
            "unset EASYRSA_A",
            "EASYRSA_A=1",
            "[ -z \"$X\" ] && EASYRSA_A_B=1",
        ] {
            assert!(
                matches!(refuse_forbidden("vars", line, false), Err(EasyRsaError::VarsForbidden { .. })),
                "{line}"
            );
            assert!(refuse_forbidden("vars", line, true).is_ok(), "{line}");
        }
        let passphrase = "set_var EASYRSA_PASSIN pass:x";
        assert!(refuse_forbidden("vars", passphrase, true).is_err());
        assert!(refuse_forbidden("vars", "# EASYRSA_PASSIN and `date`", false).is_ok());
    }
}
