//! The fuzzer's seeds of files, replayed.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "support/fuzzing.rs"]
mod fuzzing;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = format!("../testdata/fuzz/{target}");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no seeds");
    for file in files {
        let octets = std::fs::read(&file).unwrap();
        let outcome = std::panic::catch_unwind(|| run(&octets));
        assert!(outcome.is_ok(), "{} fails", file.display());
    }
}

#[test]
fn pki_09_seeds_of_index_txt_pass() {
    replay("index_txt", fuzzing::index_txt);
}

#[test]
fn cfg_01_seeds_of_extension_files_pass() {
    replay("extension_file", fuzzing::extension_file);
}

#[test]
fn pki_11_seeds_of_requests_pass() {
    replay("request", fuzzing::request);
}

#[test]
fn crt_05_seeds_of_certificates_pass() {
    replay("certificate", fuzzing::certificate);
}

#[test]
fn crl_01_seeds_of_revocation_lists_pass() {
    replay("revocation_list", fuzzing::revocation_list);
}

#[test]
fn pki_12_seeds_of_private_keys_pass() {
    replay("private_key", fuzzing::private_key);
}

#[test]
fn cfg_02_seeds_of_judged_profiles_pass() {
    replay("lint", fuzzing::lint);
}

#[test]
fn pki_12_seeds_of_containers_pass() {
    replay("container", fuzzing::container);
}
