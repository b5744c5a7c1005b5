//! The `vars` file: a shell script in easy-rsa, a list of settings here.
//!
//! Read are `set_var NAME value` and `force_set_var NAME value` with shell quoting and plain `$VAR`, comments, and the
//! guard at the top of the standard file. Anything else is refused loudly: a file that is half understood would issue
//! certificates that nobody asked for.

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

/// Reads the settings of a file.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, EasyRsaError> {
    let unreadable = |_| EasyRsaError::NoVarsFile(path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(&path.display().to_string(), &text)
}

fn parse(file: &str, text: &str) -> Result<BTreeMap<String, String>, EasyRsaError> {
    let mut settings = Settings::default();
    let mut is_in_guard = false;
    for (number, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        refuse_forbidden(file, number + 1, content)?;
        if is_in_guard {
            is_in_guard = content != "fi";
        } else if content.starts_with("if ") && content.contains("EASYRSA_CALLER") {
            is_in_guard = true;
        } else if settings.apply(content).is_none() {
            return Err(EasyRsaError::VarsLine {
                file: file.to_owned(),
                line: number + 1,
                text: content.to_owned(),
            });
        }
    }
    Ok(settings.0)
}

/// What easy-rsa refuses in a vars file as well.
fn refuse_forbidden(file: &str, line: usize, content: &str) -> Result<(), EasyRsaError> {
    let is_assignment = content
        .split_whitespace()
        .next()
        .is_some_and(|word| word.split_once('=').is_some_and(|(name, _)| name.starts_with("EASYRSA")));
    let what = if content.contains("EASYRSA_PASSIN") || content.contains("EASYRSA_PASSOUT") {
        "a passphrase"
    } else if content.contains('`') {
        "a backtick"
    } else if content.starts_with("export ") {
        "export"
    } else if content.starts_with("unset ") {
        "unset"
    } else if is_assignment {
        "an assignment without set_var"
    } else {
        return Ok(());
    };
    Err(EasyRsaError::VarsForbidden { file: file.to_owned(), line, what: what.to_owned() })
}

#[derive(Default)]
struct Settings(BTreeMap<String, String>);

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
            "set_var" if self.0.contains_key(name) => {}
            "set_var" | "force_set_var" => {
                self.0.insert(name.to_owned(), value);
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
        let value = self.0.get(name).cloned().or_else(|| std::env::var(name).ok()).unwrap_or_default();
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
        parse("vars", text).unwrap()
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
    fn the_first_set_var_wins_unless_it_is_forced() {
        let found = settings(
            "set_var EASYRSA_A 1\nset_var EASYRSA_A 2\nset_var EASYRSA_B 1\nforce_set_var EASYRSA_B 2\n",
        );
        assert_eq!(found["EASYRSA_A"], "1");
        assert_eq!(found["EASYRSA_B"], "2");
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
    fn everything_else_is_refused_loudly() {
        for line in [
            "set_var EASYRSA_A $(date)",
            "set_var EASYRSA_A \"$(date)\"",
            "set_var EASYRSA_A ${B:-c}",
            "set_var EASYRSA_A one two",
            "set_var EASYRSA_A one; rm -rf /",
            "set_var EASYRSA_A \"open",
            "set_var",
            "if true; then",
            "source other",
        ] {
            assert!(matches!(parse("vars", line), Err(EasyRsaError::VarsLine { line: 1, .. })), "{line}");
        }
    }

    #[test]
    fn what_easy_rsa_forbids_is_forbidden() {
        for line in [
            "set_var EASYRSA_PASSIN pass:x",
            "set_var EASYRSA_A `date`",
            "export EASYRSA_A=1",
            "unset EASYRSA_A",
            "EASYRSA_A=1",
        ] {
            assert!(matches!(parse("vars", line), Err(EasyRsaError::VarsForbidden { .. })), "{line}");
        }
    }
}
