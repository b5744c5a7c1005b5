//! The `vars` file: a shell script in easy-rsa, a list of settings here.
//!
//! A file in the plain form is read by [`plain_vars`]; one with anything else in it is evaluated by /bin/sh, as easy-rsa
//! does: half understood it would issue certificates that nobody asked for.

use std::path::{Path, PathBuf};

use super::error::EasyRsaError;
use super::options::Variables;
use super::plain_vars;
pub(super) use super::plain_vars::VarsFile;

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
pub(super) fn read(path: &Path, variables: &Variables) -> Result<VarsFile, EasyRsaError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|_| EasyRsaError::NoVarsFile(file.clone()))?;
    refuse_forbidden(&file, &text, variables.is_set("EASYRSA_FORCE_VARS"))?;
    match plain_vars::parse(&text, &|name| std::env::var(name).ok()) {
        Some(settings) => Ok(settings),
        None => by_shell(path, variables),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(text: &str) -> Result<VarsFile, EasyRsaError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vars");
        std::fs::write(&path, text).unwrap();
        read(&path, &Variables::default())
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

    /// Settings with quotes, blanks, comments and expansions thrown together; nothing that a shell could run.
    #[test]
    fn cfg_01_what_is_read_without_a_shell_means_the_same_to_a_shell() {
        const PIECES: [&str; 22] = [
            "a",
            "b c",
            " ",
            "  ",
            "\t",
            "\"",
            "'",
            "\\",
            "$",
            "${",
            "}",
            "$EASYRSA_A",
            "${EASYRSA_B}",
            "#",
            " # c",
            "=",
            "~",
            "*",
            "!",
            "\\\"",
            "\\$",
            "\u{a0}",
        ];
        let mut draw = (0_u64..).map(|number| {
            let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            usize::try_from((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33).unwrap()
        });
        let mut compared = 0;
        for _ in 0..8000 {
            let mut text = String::new();
            for name in ["EASYRSA_A", "EASYRSA_B", "EASYRSA_C"] {
                let verb = ["set_var", "force_set_var"][draw.next().unwrap() % 2];
                let count = draw.next().unwrap() % 6;
                let value: String =
                    draw.by_ref().take(count).map(|drawn| PIECES[drawn % PIECES.len()]).collect();
                text += &format!("{verb} {name} {value}\n");
            }
            let Some(ours) = plain_vars::parse(&text, &|_| None) else { continue };
            if compared == 300 {
                break;
            }
            compared += 1;
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("vars");
            std::fs::write(&path, &text).unwrap();
            let theirs =
                by_shell(&path, &Variables::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((ours.set, ours.forced), (theirs.set, theirs.forced), "{text}");
        }
        assert_eq!(compared, 300);
    }
}
