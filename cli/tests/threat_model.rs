//! The threat model names the tests that hold it, and they are there.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const THREAT_MODEL: &str = include_str!("../../docs/threat-model.md");

/// Requirements of each chapter, as many as the threat model has.
const CHAPTERS: [(&str, usize); 7] =
    [("NET", 13), ("TLS", 2), ("CRT", 7), ("CRL", 5), ("KEY", 7), ("ACL", 8), ("CFG", 4)];

#[test]
fn every_requirement_names_tests_that_carry_its_number() {
    let rows = rows_below("## Requirements");
    let listed: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let expected =
        CHAPTERS.iter().flat_map(|(chapter, count)| (1..=*count).map(move |n| format!("{chapter}-{n:02}")));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    for row in &rows {
        let number = row[0].to_lowercase().replace('-', "_");
        let tests = names_in(row.last().unwrap());
        assert!(!tests.is_empty(), "{} names no test", row[0]);
        for test in tests {
            assert!(test.contains(&number), "{test} does not carry the number {}", row[0]);
        }
    }
}

#[test]
fn every_limit_names_a_test() {
    for row in rows_below("## Limits") {
        assert!(!names_in(row.last().unwrap()).is_empty(), "{} names no test", row[0]);
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut existing = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for directory in ["pki-core", "vpn-server", "cli"] {
        collect_tests(&root.join(directory), &mut existing);
    }
    assert!(existing.len() > 1000, "only {} tests were found", existing.len());
    let rows = [rows_below("## Requirements"), rows_below("## Limits")].concat();
    let named = rows.iter().flat_map(|row| names_in(row.last().unwrap()));
    let missing: Vec<&str> = named.filter(|test| !existing.contains(*test)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// The rows of the first table below a heading, without its head.
fn rows_below(heading: &str) -> Vec<Vec<&'static str>> {
    let chapter = THREAT_MODEL.lines().skip_while(|line| *line != heading);
    let table = chapter.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    table.skip(2).map(cells).collect()
}

/// What stands between backticks.
fn names_in(cell: &'static str) -> Vec<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The functions below an attribute `#[test]`.
fn collect_tests(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect_tests(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let after = text.split("#[test]").skip(1);
            let name = |after: &str| Some(after.split_once("fn ")?.1.split_once('(')?.0.to_owned());
            found.extend(after.filter_map(name));
        }
    }
}
