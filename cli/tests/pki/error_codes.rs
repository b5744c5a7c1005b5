//! Collects every error code of the workspace from the tables that define them.
//!
//! The tables are `match`es in functions that end in `code`; what a code means is the documentation of its variant, or else
//! its message. Reading the source needs no registry that somebody would have to keep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The crates whose errors reach a person: their names, and where their sources are.
const CRATES: [&str; 4] = ["cli", "pki-core", "vpn-server", "vpn-server/proto"];

/// The reference page: one row for each code.
pub(crate) fn page() -> String {
    let mut meanings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in CRATES {
        for file in sources(&workspace().join(folder).join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for (code, meaning) in codes(text) {
                let known = meanings.entry(code).or_default();
                if !meaning.is_empty() && !known.contains(&meaning) {
                    known.push(meaning);
                }
            }
        }
    }
    let row = |(code, meanings): (&String, &Vec<String>)| {
        let meaning =
            if meanings.is_empty() { "Its message says what.".into() } else { meanings.join(" / ") };
        format!("| `{code}` | {} |\n", meaning.replace('|', "\\|"))
    };
    format!("{HEAD}{}", meanings.iter().map(row).collect::<String>())
}

const HEAD: &str = "# Error codes\n\n\
    <!-- Collected from the source by the test `the_page_of_error_codes_is_current`; change the source, not this page. -->\n\n\
    Every code that a command (`error[CODE]`, and `code` in JSON), the server's log or the judgement of a certificate can carry. \
    A code never changes once published. What to do about it stands in the `help` line of each error.\n\n\
    | code | meaning |\n|---|---|\n";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Codes with their meanings.
fn codes(text: &str) -> Vec<(String, String)> {
    let variants = variants(text);
    let mut found = Vec::new();
    for function in text.split("fn ").skip(1) {
        let Some((head, body)) = function.split_once('{') else { continue };
        let is_table = head.split('(').next().is_some_and(|name| name.ends_with("code"));
        if !is_table || !head.contains("&'static str") {
            continue;
        }
        let body = body.split("\n    }\n").next().unwrap();
        let mut pending: Vec<&str> = Vec::new();
        let mut arms = body.split("=>").peekable();
        while let Some(before) = arms.next() {
            // What stands before the last arrow's answer belongs to the arm before it.
            let pattern = before.rsplit(['"', ',']).next().filter(|_| before.contains('"')).unwrap_or(before);
            let names =
                pattern.match_indices("Self::").map(|(at, _)| name_at(&pattern[at + "Self::".len()..]));
            pending.splice(.., names);
            let Some(answer) = arms.peek().map(|answer| answer.trim_start()) else { break };
            let Some((code, _)) = answer.strip_prefix('"').and_then(|rest| rest.split_once('"')) else {
                continue;
            };
            let meaning: Vec<&str> =
                pending.iter().filter_map(|name| variants.get(*name)).map(String::as_str).collect();
            found.push((code.to_owned(), meaning.join(" / ")));
        }
    }
    found
}

/// The documentation, or else the message, of every variant of the file's enums.
fn variants(text: &str) -> BTreeMap<&str, String> {
    let mut found = BTreeMap::new();
    let (mut documentation, mut message) = (String::new(), String::new());
    for line in text.lines() {
        let content = line.trim();
        if let Some(more) = content.strip_prefix("///") {
            documentation = format!("{documentation} {}", more.trim()).trim().to_owned();
        } else if let Some(error) = content.strip_prefix("#[error(\"") {
            message = error.split('"').next().unwrap().to_owned();
        } else if !content.starts_with('#') {
            let is_variant = line.starts_with("    ") && !line.starts_with("     ");
            let name = name_at(content);
            if is_variant && name.starts_with(|first: char| first.is_ascii_uppercase()) {
                let meaning = if documentation.is_empty() { &message } else { &documentation };
                found.entry(name).or_insert_with(|| meaning.replace(['[', ']'], ""));
            }
            documentation.clear();
            message.clear();
        }
    }
    found
}

fn name_at(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

#[test]
fn a_table_is_read_with_its_meanings() {
    let text = "pub enum Failure {\n    /// It is broken\n    /// in two.\n    Broken { part: u8 },\n    #[error(\"gone: {0}\")]\n    Gone(u8),\n    /// Never mind.\n    Other(Cause),\n}\n\
        impl Failure {\n    pub const fn code(&self) -> &'static str {\n        match self {\n            Self::Broken { .. }\n            | Self::Gone(_) if true => \"broken-thing\",\n            Self::Other(cause) => cause.code(),\n            Self::Gone(_) => \"gone-thing\",\n        }\n    }\n}\n";
    let found = codes(text);
    let expected = [("broken-thing", "It is broken in two. / gone: {0}"), ("gone-thing", "gone: {0}")];
    assert_eq!(found, expected.map(|(code, meaning)| (code.to_owned(), meaning.to_owned())));
}
