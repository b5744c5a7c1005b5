//! The fuzzer's seeds of profiles and configurations, replayed.

#[path = "support/stock_files.rs"]
mod stock_files;

#[test]
fn cfg_02_seeds_of_profiles_pass() {
    let folder = "../testdata/fuzz/profile";
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} has no seeds");
    for file in files {
        stock_files::profile(&std::fs::read(&file).unwrap());
    }
}
