//! What is decided about an endpoint as a whole, and about identities: who is refused, what those hear who are connected.

use pki_core::time::Timestamp;
use vpn_proto::client::ClientEvent;

use super::super::{Block, BlockedIdentity};
use super::{World, events, live};
use crate::config::{CertificateGroups, EndpointStanding, LiveSettings};

#[test]
fn a_pending_endpoint_says_so_and_takes_clients_as_soon_as_it_is_available() {
    let mut world = World::with(|settings| settings.live.standing = EndpointStanding::Pending);
    let alice = world.issue("alice");
    let refusal = "this endpoint is not associated with a network yet";
    let mut early = world.client(&alice, 1);
    world.wait_for(&mut early, ClientEvent::AuthFailed(refusal.to_owned()));
    assert_eq!(world.plane().handle().totals().unavailable, 1);
    world.plane().handle().set_live(live());
    let mut client = world.client(&alice, 2);
    world.connect(&mut client);
    let log = world.end();
    assert_eq!(events(&log)[..2], ["refused alice endpoint-pending", "established alice"]);
}

#[test]
fn whoever_is_connected_hears_that_the_endpoint_takes_no_clients_any_longer() {
    for (standing, farewell, reason) in [
        (
            EndpointStanding::Pending,
            ClientEvent::Restart("this endpoint is not associated with a network any longer".to_owned()),
            "closed alice endpoint-pending",
        ),
        (
            EndpointStanding::Closing,
            ClientEvent::Halt("this endpoint is being closed".to_owned()),
            "closed alice endpoint-closing",
        ),
    ] {
        let mut world = World::new();
        let alice = world.issue("alice");
        let mut client = world.client(&alice, 1);
        let address = world.connect(&mut client).address;
        world.plane().handle().set_live(LiveSettings { standing, ..live() });
        world.wait_for(&mut client, farewell);
        assert_eq!(world.tables.peer_id_of(address), None);
        assert_eq!(events(&world.end())[1], reason);
    }
}

#[test]
fn a_blocked_client_loses_its_session_and_is_refused_until_its_time_is_over() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) = (world.client(&alice, 1), world.client(&bob, 2));
    world.connect(&mut of_alice);
    world.connect(&mut of_bob);
    let block = |until: Timestamp| Block {
        who: BlockedIdentity::CommonName("alice".to_owned()),
        until,
        reason: "come back after lunch".to_owned(),
    };
    let now: Timestamp = std::time::SystemTime::now().into();
    world.plane().handle().set_blocks(vec![block(now.plus_seconds(3600))]);
    let told = || ClientEvent::AuthFailed("come back after lunch".to_owned());
    world.wait_for(&mut of_alice, told());
    let mut again = world.client(&alice, 3);
    world.wait_for(&mut again, told());
    assert!(of_bob.events.is_empty(), "{:?}", of_bob.events);
    world.plane().handle().set_blocks(vec![block(now)]);
    let mut later = world.client(&alice, 4);
    world.connect(&mut later);
    let log = world.end();
    let of_blocks: Vec<_> = events(&log).into_iter().filter(|event| event.ends_with("blocked")).collect();
    assert_eq!(of_blocks, ["closed alice blocked", "refused alice blocked"]);
}

#[test]
fn groups_in_a_certificate_are_those_of_the_session() {
    let mut world = World::new();
    world
        .keeper
        .trust()
        .take_groups_from(CertificateGroups { organization: false, organizational_unit: true });
    let alice = world.pki.issue_client_of("alice", "it");
    let mut client = world.client(&alice, 1);
    let address = world.connect(&mut client).address;
    let connections = world.plane().handle().connections();
    assert_eq!(connections[0].connection.groups, ["it"]);
    let peer = world.tables.peers().find(|peer| peer.address == address).unwrap();
    assert_eq!(peer.tags, connections[0].connection.subject().tags());
    assert_eq!(world.end()[0]["groups"], "it");
}
