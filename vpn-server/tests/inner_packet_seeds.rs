//! The fuzzer's seeds of inner packets, replayed.

#[path = "support/inner_packets.rs"]
mod inner_packets;

#[test]
fn acl_03_net_12_seeds_of_inner_packets_pass() {
    let folder = "../testdata/fuzz/inner_packets";
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} has no seeds");
    for file in files {
        inner_packets::inner_packets(&std::fs::read(&file).unwrap());
    }
}
