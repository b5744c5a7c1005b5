//! The record of a change in progress, as octets.
//!
//! ```text
//! postern journal 1
//! directory <path>
//! create <mode> <path>
//! replace <mode> <path>
//! append <offset> <path> TAB <lines, separated by U+001E>
//! revise <octets of the old line> <path> TAB <old line> TAB <new line>
//! revise-tail <offset> <octets of the old line> <path> TAB <old line> TAB <new line, and all lines after it>
//! move <path> TAB <path>
//! remove <path>
//! intent <SHA-256 of everything above>
//! commit <SHA-256 of everything above>
//! ```
//!
//! Without a valid `intent` line nothing has happened yet; with it, staged files may lie around; with a valid `commit`
//! line the change has been decided and must be completed. Contents of files never stand here, so no key does.

use sha2::{Digest, Sha256};

use super::disk::FileMode;
use super::path::PkiPath;

/// One step of a change, without the content of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A directory that did not exist.
    MakeDirectory(PkiPath),
    /// A file that did not exist; its content is staged.
    Create(PkiPath, FileMode),
    /// A file that may have existed; its content is staged.
    Replace(PkiPath, FileMode),
    /// Lines at the end of a file that was `offset` octets long.
    AppendLines { path: PkiPath, offset: u64, lines: Vec<String> },
    /// Another line in the place of one line; the whole new content is staged.
    ReviseLine { path: PkiPath, old: String, new: String },
    /// Another line in the place of the one that begins at `offset`, in a file that is written in place from there on.
    ReviseTail { path: PkiPath, offset: u64, old: String, tail: Tail },
    /// A file that gets another place.
    Move(PkiPath, PkiPath),
    /// A file that goes away.
    Remove(PkiPath),
}

/// The lines of a file from some line on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail(pub(super) Vec<String>);

impl Tail {
    /// The first line.
    pub(super) fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The same lines with another first one.
    pub(super) fn with_first(&self, line: &str) -> Self {
        Self(std::iter::once(line.to_owned()).chain(self.0.iter().skip(1).cloned()).collect())
    }

    /// What the file holds.
    pub(super) fn text(&self) -> String {
        self.0.join("\n")
    }
}

/// How far an interrupted change had come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing has happened.
    Torn,
    /// Files may be staged, nothing is published.
    Intended(Vec<Step>),
    /// The change is decided.
    Committed(Vec<Step>),
    /// No journal of this program.
    Foreign,
}

/// The journal up to its `intent` line.
pub(super) fn intent(steps: &[Step]) -> Vec<u8> {
    let mut record = HEADER.as_bytes().to_vec();
    for step in steps {
        record.extend_from_slice(step.to_line().as_bytes());
        record.push(b'\n');
    }
    let seal = seal("intent", &record);
    record.extend_from_slice(seal.as_bytes());
    record
}

/// The line that decides the change whose intent is given.
pub(super) fn commit(intent: &[u8]) -> String {
    seal("commit", intent)
}

/// Reads what an interrupted command left.
pub(super) fn parse(record: &[u8]) -> Found {
    if !record.starts_with(HEADER.as_bytes()) {
        let is_beginning = HEADER.as_bytes().starts_with(record) || record.iter().all(|octet| *octet == 0);
        return if is_beginning { Found::Torn } else { Found::Foreign };
    }
    let Some((steps, intent_length)) = sealed_steps(record) else {
        return Found::Torn;
    };
    let (intent, rest) = record.split_at(intent_length);
    if rest == commit(intent).as_bytes() { Found::Committed(steps) } else { Found::Intended(steps) }
}

fn sealed_steps(record: &[u8]) -> Option<(Vec<Step>, usize)> {
    let mut steps = Vec::new();
    let mut position = HEADER.len();
    loop {
        let length = record[position..].iter().position(|octet| *octet == b'\n')? + 1;
        let line = std::str::from_utf8(&record[position..position + length]).ok()?;
        if line.starts_with("intent ") {
            let is_intact = line == seal("intent", &record[..position]);
            return is_intact.then_some((steps, position + length));
        }
        steps.push(Step::from_line(line.trim_end_matches('\n'))?);
        position += length;
    }
}

fn seal(kind: &str, record: &[u8]) -> String {
    use std::fmt::Write;

    let mut line = format!("{kind} ");
    for octet in Sha256::digest(record) {
        // Writing to a String cannot fail.
        let _ = write!(line, "{octet:02x}");
    }
    line.push('\n');
    line
}

impl Step {
    fn to_line(&self) -> String {
        match self {
            Self::MakeDirectory(path) => format!("directory {path}"),
            Self::Create(path, mode) => format!("create {:o} {path}", mode.bits()),
            Self::Replace(path, mode) => format!("replace {:o} {path}", mode.bits()),
            Self::AppendLines { path, offset, lines } => {
                format!("append {offset} {path}\t{}", lines.join(LINE_SEPARATOR))
            }
            Self::ReviseLine { path, old, new } => format!("revise {} {path}\t{old}\t{new}", old.len()),
            Self::ReviseTail { path, offset, old, tail } => {
                format!("revise-tail {offset} {} {path}\t{old}\t{}", old.len(), tail.0.join(LINE_SEPARATOR))
            }
            Self::Move(from, to) => format!("move {from}\t{to}"),
            Self::Remove(path) => format!("remove {path}"),
        }
    }

    fn from_line(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ')?;
        match verb {
            "directory" => PkiPath::parse(rest).map(Self::MakeDirectory),
            "create" => mode_and_path(rest).map(|(mode, path)| Self::Create(path, mode)),
            "replace" => mode_and_path(rest).map(|(mode, path)| Self::Replace(path, mode)),
            "append" => {
                let (offset, rest) = rest.split_once(' ')?;
                let (path, lines) = rest.split_once('\t')?;
                Some(Self::AppendLines {
                    path: PkiPath::parse(path)?,
                    offset: offset.parse().ok()?,
                    lines: lines.split(LINE_SEPARATOR).map(str::to_owned).collect(),
                })
            }
            "revise" => {
                let (path, old, new) = path_and_lines(rest)?;
                Some(Self::ReviseLine { path, old, new })
            }
            "revise-tail" => {
                let (offset, rest) = rest.split_once(' ')?;
                let (path, old, tail) = path_and_lines(rest)?;
                let tail = Tail(tail.split(LINE_SEPARATOR).map(str::to_owned).collect());
                Some(Self::ReviseTail { path, offset: offset.parse().ok()?, old, tail })
            }
            "move" => {
                let (from, to) = rest.split_once('\t')?;
                Some(Self::Move(PkiPath::parse(from)?, PkiPath::parse(to)?))
            }
            "remove" => PkiPath::parse(rest).map(Self::Remove),
            _ => None,
        }
    }
}

/// `<octets of the old line> <path> TAB <old line> TAB <new line>`
fn path_and_lines(text: &str) -> Option<(PkiPath, String, String)> {
    let (length, rest) = text.split_once(' ')?;
    let (path, lines) = rest.split_once('\t')?;
    let (old, new) = lines.split_at_checked(length.parse().ok()?)?;
    Some((PkiPath::parse(path)?, old.to_owned(), new.strip_prefix('\t')?.to_owned()))
}

fn mode_and_path(text: &str) -> Option<(FileMode, PkiPath)> {
    let (mode, path) = text.split_once(' ')?;
    let mode = FileMode::from_bits(u32::from_str_radix(mode, 8).ok()?)?;
    Some((mode, PkiPath::parse(path)?))
}

const HEADER: &str = "postern journal 1\n";

/// Stands in no line of ours; a file in which it does is never revised in place.
pub(super) const LINE_SEPARATOR: &str = "\u{1e}";

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PkiPath {
        PkiPath::parse(text).unwrap()
    }

    fn every_step() -> Vec<Step> {
        vec![
            Step::MakeDirectory(path("revoked/certs_by_serial")),
            Step::Create(path("private/john doe.key"), FileMode::Private),
            Step::Replace(path("crl.pem"), FileMode::Public),
            Step::AppendLines {
                path: path("index.txt"),
                offset: 80,
                lines: vec![
                    "V\t480707074218Z\t\t01\tunknown\t/CN=jürgen".into(),
                    "V\t480707074218Z\t\t02\tunknown\t/CN=b".into(),
                ],
            },
            Step::ReviseLine {
                path: path("index.txt"),
                old: "V\t480707074218Z\t\t01\tunknown\t/CN=a".into(),
                new: "R\t480707074218Z\t261120074219Z\t01\tunknown\t/CN=a".into(),
            },
            Step::ReviseTail {
                path: path("index.txt"),
                offset: 12,
                old: "V\t480707074218Z\t\t01\tunknown\t/CN=a".into(),
                tail: Tail(vec!["R\t480707074218Z\t261120074219Z\t01\tunknown\t/CN=a".into(), String::new()]),
            },
            Step::Move(path("issued/a.crt"), path("revoked/certs_by_serial/01.crt")),
            Step::Remove(path("private/a.p12")),
        ]
    }

    #[test]
    fn pki_04_every_step_survives_the_record() {
        let mut record = intent(&every_step());
        assert_eq!(parse(&record), Found::Intended(every_step()));
        let commit = commit(&record);
        record.extend_from_slice(commit.as_bytes());
        assert_eq!(parse(&record), Found::Committed(every_step()));
    }

    #[test]
    fn pki_04_no_beginning_of_a_record_counts_as_more_than_it_is() {
        let intent = intent(&every_step());
        let full = [intent.as_slice(), commit(&intent).as_bytes()].concat();
        for length in 0..full.len() {
            let expected = if length < intent.len() { Found::Torn } else { Found::Intended(every_step()) };
            assert_eq!(parse(&full[..length]), expected, "{length}");
        }
    }

    #[test]
    fn pki_04_a_flipped_octet_never_commits() {
        let intent = intent(&every_step());
        let full = [intent.as_slice(), commit(&intent).as_bytes()].concat();
        for position in 0..full.len() {
            let mut flipped = full.clone();
            flipped[position] ^= 1;
            assert!(!matches!(parse(&flipped), Found::Committed(_)), "{position}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_recognised() {
        assert_eq!(parse(b"shopping list"), Found::Foreign);
        assert_eq!(parse(&[0; 512]), Found::Torn);
    }

    #[test]
    fn pki_02_a_record_cannot_name_files_outside() {
        let mut record = HEADER.as_bytes().to_vec();
        record.extend_from_slice(b"remove ../../etc/passwd\n");
        let seal = seal("intent", &record);
        record.extend_from_slice(seal.as_bytes());
        assert_eq!(parse(&record), Found::Torn);
    }
}
