//! Large transfers arrive as they were sent.
//!
//! These scenarios also run against a stock server (`INTEROP_SERVER=openvpn`).

use test_support::lab::TARGET;
use test_support::traffic::transfer::{Direction, Load, Transfer, transfer};
use test_support::{Implementation, Lab, Result, ServerPlan, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const GIB: u64 = 1 << 30;

fn move_through_a_tunnel(direction: Direction) -> Result<Transfer> {
    let lab = Lab::new(1)?;
    let vpn = Vpn::start(&lab, &Implementation::under_test(POSTERN)?, &["alice"], ServerPlan::default())?;
    let _client = vpn.connect(lab.client(1), "alice", &[])?;
    transfer(lab.client(1), lab.target(), TARGET, Load::new(direction, GIB))
}

#[test]
fn a_gibibyte_up_arrives_unchanged() {
    println!("upload: {}", move_through_a_tunnel(Direction::Upload).unwrap());
}

#[test]
fn a_gibibyte_down_arrives_unchanged() {
    println!("download: {}", move_through_a_tunnel(Direction::Download).unwrap());
}
