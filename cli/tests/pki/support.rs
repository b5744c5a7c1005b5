//! A directory to run `postern` in, under either of its names.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A working directory that goes away with its owner.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// An empty directory with a link that makes `easyrsa` of `postern`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_postern"), directory.path().join("easyrsa")).unwrap();
        Self { directory }
    }

    /// A directory with a PKI and an authority whose key is not encrypted.
    pub(crate) fn with_authority() -> Self {
        let place = Self::new();
        place.postern(&["init-pki"]).succeeds();
        place.postern(&["build-ca", "nopass"]).succeeds();
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn postern(&self, arguments: &[&str]) -> Answer {
        self.answer(&mut self.command("postern", arguments), "")
    }

    pub(crate) fn easyrsa(&self, arguments: &[&str]) -> Answer {
        self.answer(&mut self.command("easyrsa", arguments), "")
    }

    /// A command that only waits to be run, without any variable that could disturb it.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = match program {
            "postern" => PathBuf::from(env!("CARGO_BIN_EXE_postern")),
            name => self.file(name),
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars() {
            if name.starts_with("EASYRSA") || name.starts_with("POSTERN") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command with this input.
    pub(crate) fn answer(&self, command: &mut Command, input: &str) -> Answer {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that has failed already does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Answer::new(&output, self.path())
    }

    /// What a command answers in JSON, with nothing replaced.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.command("postern", &[&["--json", "--batch"], arguments].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Panics with the names of the files that are not as they were.
    pub(crate) fn is_unchanged_since(&self, before: &Snapshot) {
        let after = self.snapshot("pki");
        let differing = before.iter().filter(|entry| !after.contains(entry)).map(|(path, _)| path);
        let new = after.iter().filter(|entry| !before.contains(entry)).map(|(path, _)| path);
        let changed: Vec<_> = differing.chain(new).collect();
        assert!(changed.is_empty(), "changed: {changed:?}");
    }

    /// Every file with its content, to see whether anything changed.
    pub(crate) fn snapshot(&self, directory: &str) -> Snapshot {
        let mut found = Vec::new();
        let mut waiting = vec![self.file(directory)];
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path.clone());
                }
                let content = path.is_file().then(|| std::fs::read(&path).unwrap());
                found.push((path, content));
            }
        }
        found.sort();
        found
    }
}

/// Paths and contents; directories have none.
pub(crate) type Snapshot = Vec<(PathBuf, Option<Vec<u8>>)>;

/// What a command said, with everything replaced that differs from run to run.
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    fn new(output: &Output, directory: &Path) -> Self {
        let text = |octets: &[u8]| redacted(&String::from_utf8_lossy(octets), directory);
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    pub(crate) fn fails_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    pub(crate) fn says(self, phrase: &str) -> Self {
        assert!(self.stdout.contains(phrase) || self.stderr.contains(phrase), "no '{phrase}' in:\n{self}");
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr } = self;
        let code = code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        write!(out, "exit: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

/// Serial numbers, dates and paths become placeholders.
fn redacted(text: &str, directory: &Path) -> String {
    let text = text.replace(directory.to_str().unwrap(), "[DIR]");
    let mut result = String::new();
    for piece in text
        .split_inclusive(|character: char| !character.is_ascii_alphanumeric() && !"-:".contains(character))
    {
        let (word, end) =
            piece.split_at(piece.trim_end_matches(|last: char| !last.is_ascii_alphanumeric()).len());
        let is_serial = word.len() >= 32 && word.bytes().all(|octet| octet.is_ascii_hexdigit());
        let is_date = word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
        let is_backup = word.starts_with("backup-20");
        result.push_str(match word {
            _ if is_serial => "[SERIAL]",
            _ if is_date => "[DATE]",
            _ if is_backup => "backup-[TIME]",
            other => other,
        });
        result.push_str(end);
    }
    openssl_dates_redacted(&result)
}

/// `Feb 22 09:48:06 2029 GMT`
fn openssl_dates_redacted(text: &str) -> String {
    let mut parts: Vec<&str> = text.split(" GMT").collect();
    let last = parts.pop().unwrap_or_default();
    let dated: String =
        parts.iter().map(|part| format!("{}[DATE]", &part[..part.len().saturating_sub(20)])).collect();
    dated + last
}

/// Runs openssl and gives what it said; panics when it fails.
pub(crate) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    said
}

impl Place {
    /// A directory with a copy of a PKI that the real easy-rsa wrote, with the modes that git does not keep.
    pub(crate) fn with_golden(name: &str) -> Self {
        Self::with_fixture(&format!("easyrsa/{name}"), "pki")
    }

    /// A directory with a copy of a folder of `testdata` under this name, for nobody else to read.
    pub(crate) fn with_fixture(folder: &str, name: &str) -> Self {
        let place = Self::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder);
        copy_private(&source, &place.file(name));
        place
    }
}

fn copy_private(source: &Path, target: &Path) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::create_dir(target).unwrap();
    std::fs::set_permissions(target, std::fs::Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), target.join(entry.file_name()))
        };
        if from.is_dir() {
            copy_private(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}
