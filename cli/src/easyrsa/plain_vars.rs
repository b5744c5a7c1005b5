//! `vars` files in the plain form, which need no shell: `set_var NAME value` and `force_set_var NAME value` with shell
//! quoting and plain `$VAR`, comments, and the guard at the top of the standard file.
//!
//! Whatever a shell could understand in another way is not understood here. Blanks are space and tab only, as for a shell;
//! a carriage return before the end of a line is forgiven, because files come from other systems.

use std::collections::BTreeMap;

/// What a `vars` file sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct VarsFile {
    /// By `set_var`: counts where nothing else says anything.
    pub(crate) set: BTreeMap<String, String>,
    /// By `force_set_var`: counts before everything else.
    pub(crate) forced: BTreeMap<String, String>,
}

/// Answers with the value of a variable of the environment.
pub(crate) type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The settings of a file in the plain form; `None` for anything that only a shell understands.
pub(crate) fn parse(text: &str, environment: &Environment<'_>) -> Option<VarsFile> {
    let mut settings = Settings { found: VarsFile::default(), environment };
    let mut is_in_guard = false;
    for line in text.split('\n') {
        let content = line.strip_suffix('\r').unwrap_or(line).trim_matches(is_blank);
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if content.chars().any(|character| character.is_control() && character != '\t') {
            return None;
        }
        if is_in_guard {
            is_in_guard = content != "fi";
            if is_in_guard && !is_harmless(content) {
                return None;
            }
        } else if content == GUARD {
            is_in_guard = true;
        } else {
            settings.apply(content)?;
        }
    }
    (!is_in_guard).then_some(settings.found)
}

/// The first line of the guard in easy-rsa's own example.
const GUARD: &str = "if [ -z \"$EASYRSA_CALLER\" ]; then";

/// What the standard guard does: it says something and returns. Anything else could end the guard, or be its other branch.
fn is_harmless(line: &str) -> bool {
    let quoted = line.strip_prefix("echo \"").and_then(|rest| rest.split_once('"'));
    match quoted {
        Some((message, rest)) => {
            let rest = rest.trim_matches(is_blank);
            !message.contains(['\\', '$', '`']) && (rest.is_empty() || rest == ">&2" || rest == "1>&2")
        }
        None => line == "return 1",
    }
}

struct Settings<'a> {
    found: VarsFile,
    environment: &'a Environment<'a>,
}

impl Settings<'_> {
    /// `None` if the line is anything but a setting.
    fn apply(&mut self, line: &str) -> Option<()> {
        let (verb, rest) = line.split_once(is_blank)?;
        let rest = rest.trim_start_matches(is_blank);
        let (name, value) = rest.split_once(is_blank).unwrap_or((rest, ""));
        if !is_name(name) {
            return None;
        }
        let value = self.word(value.trim_start_matches(is_blank))?;
        match verb {
            "set_var" => {
                self.found.set.entry(name.to_owned()).or_insert(value);
            }
            "force_set_var" => {
                self.found.forced.insert(name.to_owned(), value);
            }
            _ => return None,
        }
        Some(())
    }

    /// One shell word that may be followed by a comment only.
    fn word(&self, text: &str) -> Option<String> {
        if text.starts_with('#') {
            return Some(String::new());
        }
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
                    if value.contains(SPLIT_OR_MATCHED) {
                        return None;
                    }
                    word.push_str(&value);
                    rest = after;
                }
                active if ACTIVE.contains(&active) => return None,
                plain => {
                    word.push(plain);
                    rest = &rest[plain.len_utf8()..];
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
                '`' => return None,
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
        if !is_name(name) {
            return None;
        }
        // `set_var` leaves alone what the environment has; `force_set_var` does not.
        let forced = self.found.forced.get(name).cloned();
        let value = forced.or_else(|| (self.environment)(name)).or_else(|| self.found.set.get(name).cloned());
        Some((value.unwrap_or_default(), after))
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

fn is_comment_or_nothing(text: &str) -> bool {
    let text = text.trim_start_matches(is_blank);
    text.is_empty() || text.starts_with('#')
}

/// What means something to one shell or another outside quotes.
const ACTIVE: [char; 15] = [';', '&', '|', '(', ')', '<', '>', '\\', '*', '?', '[', '~', '`', '{', '}'];

/// What a shell would split an unquoted value at, or look for files with.
const SPLIT_OR_MATCHED: [char; 7] = [' ', '\t', '\n', '*', '?', '[', '\\'];

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<VarsFile> {
        parse(text, &|name| (name == "HOME_OF_TEST").then(|| "/home/test".to_owned()))
    }

    fn settings(text: &str) -> BTreeMap<String, String> {
        plain(text).unwrap().set
    }

    #[test]
    fn settings_with_quoting_and_comments_are_read() {
        let found = settings(
            "# comment\n\nif [ -z \"$EASYRSA_CALLER\" ]; then\n\techo \"no\" >&2\n\treturn 1\nfi\n\
             set_var EASYRSA_ALGO ec # elliptic\n\
             set_var EASYRSA_CURVE\t\"secp521r1\"\r\n\
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
        let found = plain(
            "set_var EASYRSA_A 1\nset_var EASYRSA_A 2\nset_var EASYRSA_B 1\nforce_set_var EASYRSA_B 2\n",
        )
        .unwrap();
        assert_eq!(found.set["EASYRSA_A"], "1");
        assert_eq!(found.forced["EASYRSA_B"], "2");
    }

    #[test]
    fn earlier_settings_and_the_environment_can_be_referred_to() {
        let found = settings(
            "set_var EASYRSA_A base\nset_var EASYRSA_B \"${EASYRSA_A}/x\"\nset_var EASYRSA_C $EASYRSA_A/y\n\
             set_var HOME_OF_TEST /nowhere\nset_var EASYRSA_D $HOME_OF_TEST\n",
        );
        assert_eq!(found["EASYRSA_B"], "base/x");
        assert_eq!(found["EASYRSA_C"], "base/y");
        assert_eq!(found["EASYRSA_D"], "/home/test", "the environment wins over set_var");
        let forced = settings("force_set_var HOME_OF_TEST /forced\nset_var EASYRSA_D $HOME_OF_TEST\n");
        assert_eq!(forced["EASYRSA_D"], "/forced", "but not over force_set_var");
    }

    #[test]
    fn a_comment_in_the_place_of_a_value_is_no_value() {
        assert_eq!(settings("set_var EASYRSA_A #none\n")["EASYRSA_A"], "");
        assert_eq!(settings("set_var EASYRSA_A a#b\n")["EASYRSA_A"], "a#b");
    }

    #[test]
    fn what_is_more_than_settings_is_left_to_the_shell() {
        for line in [
            "set_var EASYRSA_A $(date)",
            "set_var EASYRSA_A \"$(date)\"",
            "set_var EASYRSA_A \"`date`\"",
            "set_var EASYRSA_A `date`",
            "set_var EASYRSA_A ${B:-c}",
            "set_var EASYRSA_A {a,b}",
            "set_var EASYRSA_A one two",
            "set_var EASYRSA_A one; true",
            "set_var EASYRSA_A \"open",
            "set_var EASYRSA_A \"\u{1b}[31m\"",
            "set_var 1A x",
            "set_var\u{a0}EASYRSA_A x",
            "set_var",
            "if true; then",
            "if [ -n \"$EASYRSA_CALLER\" ]; then",
            "source other",
        ] {
            assert!(plain(line).is_none(), "{line}");
        }
    }

    #[test]
    fn an_unquoted_value_that_a_shell_would_split_or_match_is_left_to_the_shell() {
        for value in ["a  b", "*.crt", "a?"] {
            let unquoted = format!("set_var EASYRSA_A '{value}'\nset_var EASYRSA_B $EASYRSA_A\n");
            assert_eq!(plain(&unquoted), None, "{value}");
            let quoted = format!("set_var EASYRSA_A '{value}'\nset_var EASYRSA_B \"$EASYRSA_A\"\n");
            assert_eq!(settings(&quoted)["EASYRSA_B"], value);
        }
    }

    #[test]
    fn a_guard_that_does_more_than_the_standard_one_is_left_to_the_shell() {
        let guard = |body: &str| format!("if [ -z \"$EASYRSA_CALLER\" ]; then\n{body}\nfi\n");
        assert!(plain(&guard("return 1")).is_some());
        for body in [
            "return 1\nelse\nset_var EASYRSA_A x",
            "return 1; fi; set_var EASYRSA_A x; if true; then",
            "echo \"$(date)\" >&2",
            "echo 'open\nfi",
        ] {
            assert_eq!(plain(&guard(body)), None, "{body}");
        }
    }

    #[test]
    fn cfg_01_seeds_of_the_fuzzer_pass() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/fuzz/vars");
        let mut understood = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let text = String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned();
            let found = plain(&text);
            assert_eq!(plain(&format!("# comment\n{text}\n# comment")), found, "{text}");
            understood += usize::from(found.is_some());
        }
        assert!(understood > 0);
    }
}
