//! Pages of the reference are made from the program, and are as current as it is.

use std::path::{Path, PathBuf};

use crate::error_codes;
use crate::support::Place;

#[test]
fn the_page_of_the_command_line_is_current() {
    let place = Place::new();
    place.postern(&["generate", "docs", "docs"]).succeeds().says("cli.md");
    let committed = committed("cli.md");
    assert!(
        std::fs::read_to_string(&committed).unwrap_or_default() == place.read("docs/cli.md"),
        "{} is not current: run `cargo run --package postern -- generate docs docs/reference`",
        committed.display()
    );
}

/// `UPDATE_REFERENCE=1 cargo test --package postern --test pki reference` writes it.
#[test]
fn the_page_of_error_codes_is_current() {
    let (committed, page) = (committed("errors.md"), error_codes::page());
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&committed, &page).unwrap();
    }
    let is_current = std::fs::read_to_string(&committed).unwrap_or_default() == page;
    assert!(is_current, "{} is not current: run this test with UPDATE_REFERENCE=1", committed.display());
    assert!(page.contains("| `disk-full` |") && page.contains("| `no-pki` |"));
}

#[test]
fn every_command_gets_a_manual_page_and_every_shell_its_completions() {
    let place = Place::new();
    let pages = place.json(&["generate", "man", "man"])["files"].as_array().unwrap().len();
    assert!(pages > 20, "{pages} pages");
    assert!(place.read("man/postern.1").contains(".TH postern 1"));
    assert!(place.read("man/postern-build-client-full.1").contains("build\\-client\\-full"));
    assert!(!place.file("man/postern-generate.1").exists(), "what is hidden has no page");

    let files = place.json(&["generate", "completions", "completions"])["files"].as_array().unwrap().len();
    assert_eq!(files, 5);
    assert!(place.read("completions/postern.bash").contains("build-client-full"));
    assert!(place.read("completions/_postern").starts_with("#compdef postern"));
}

fn committed(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(page)
}
