//! Large transfers arrive as they were sent.
//!
//! These scenarios also run against a stock server (`INTEROP_SERVER=openvpn`).

use test_support::lab::TARGET;
use test_support::traffic::transfer::{Direction, Load, Transfer, transfer};
use test_support::{Implementation, Lab, Result, ServerPlan, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
/// The environment variable with the size of a transfer in MiB.
const SIZE: &str = "INTEROP_TRANSFER_MIB";
const DEFAULT_MIB: u64 = 64;

fn move_through_a_tunnel(direction: Direction) -> Result<Transfer> {
    let mebibytes = std::env::var(SIZE).map_or(DEFAULT_MIB, |size| size.parse().unwrap_or(DEFAULT_MIB));
    let lab = Lab::new(1)?;
    let vpn = Vpn::start(&lab, &Implementation::under_test(POSTERN)?, &["alice"], ServerPlan::default())?;
    let _client = vpn.connect(lab.client(1), "alice", &[])?;
    transfer(lab.client(1), lab.target(), TARGET, Load::new(direction, mebibytes << 20))
}

#[test]
fn an_upload_arrives_unchanged() {
    println!("upload: {}", move_through_a_tunnel(Direction::Upload).unwrap());
}

#[test]
fn a_download_arrives_unchanged() {
    println!("download: {}", move_through_a_tunnel(Direction::Download).unwrap());
}
