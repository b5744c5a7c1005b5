//! What is different over TCP: packets come in frames.

use vpn_proto::wire::tcp::{FrameError, prefix};
use vpn_server::dataplane::ControlInput;
use vpn_server::dataplane::counters::DropReason;
use vpn_server::dataplane::pipeline::Intake;

use crate::packets::{announced_segment_size, syn, udp};
use crate::world::{ALICE, BOB, TARGET, World};

#[test]
fn the_frames_of_a_connection_are_judged_like_datagrams() {
    let mut world = World::over_tcp(&["192.168.0.0/16"]);
    let (alice, bob) = (world.join(ALICE), world.join(BOB));
    let now = world.sessions.now();
    let good = udp(ALICE, TARGET, b"hello");
    let reset = vec![0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0];
    let packets = [
        alice.seal(now, &good),
        alice.seal(now, &udp(BOB, TARGET, &[2; 900])),
        reset.clone(),
        alice.seal(now, &good),
    ];
    let (delivered, outcome) = world.receive_frames(bob.path.remote, &framed(&packets));
    assert_eq!(
        (delivered, outcome),
        (vec![], Ok(Intake::Complete)),
        "a peer's packets on another peer's connection"
    );
    assert_eq!(world.drops(), [(DropReason::ForeignPath, 3)]);
    world.heard();
    let (delivered, outcome) = world.receive_frames(alice.path.remote, &framed(&packets));
    assert_eq!((delivered, outcome), (vec![good.clone(), good], Ok(Intake::Complete)));
    assert_eq!(world.drops(), [(DropReason::ForeignPath, 3), (DropReason::SourceNotAssigned, 1)]);
    assert_eq!(world.heard(), [ControlInput::Datagram { path: alice.path, bytes: reset }]);
}

#[test]
fn net_06_what_comes_before_a_bad_frame_is_taken_and_nothing_after_it() {
    let mut world = World::over_tcp(&["192.168.0.0/16"]);
    let alice = world.join(ALICE);
    let now = world.sessions.now();
    let [first, second] = [(); 2].map(|()| alice.seal(now, &udp(ALICE, TARGET, b"hello")));
    let octets = [framed(&[first]), vec![0, 0], framed(&[second])].concat();
    let (delivered, outcome) = world.receive_frames(alice.path.remote, &octets);
    assert_eq!((delivered.len(), outcome), (1, Err(FrameError::Empty)));
}

#[test]
fn over_tcp_segments_are_smaller_in_both_directions() {
    let mut world = World::over_tcp(&["192.168.0.0/16"]);
    let mut alice = world.join(ALICE);
    let datagram = alice.seal(world.sessions.now(), &syn(ALICE, TARGET, 1460));
    let (delivered, _) = world.receive_frames(alice.path.remote, &framed(&[datagram]));
    assert_eq!(announced_segment_size(&delivered[0]), Some(1386));
    let sent = world.network_sends(&[syn(TARGET, ALICE, 1460)]);
    let opened = alice.open(world.sessions.now(), &sent[0].1[0]);
    assert_eq!(announced_segment_size(&opened), Some(1386));
}

fn framed(packets: &[Vec<u8>]) -> Vec<u8> {
    let frame = |packet: &Vec<u8>| [&prefix(packet.len()).unwrap()[..], packet].concat();
    packets.iter().flat_map(frame).collect()
}
