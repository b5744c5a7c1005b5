//! Clients that show a user name and a password, and servers that take their time or ask questions.

use std::sync::Arc;
use std::time::Duration;

use vpn_proto::client::{ClientConfig, ClientEvent};
use vpn_proto::{
    Advance, Authorization, ClientCertificate, CloseReason, Denial, DynamicChallenge, EndpointConfig,
    Password, Pending, Prompt, PushChange, PushOption, Question, Reauthorization, TlsVersion,
};

use crate::certificates::{Authority, CLIENTS, Identity, SERVER};
use crate::network::Conditions;
use crate::random::Random;
use crate::server::Server;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const PORT: u16 = 5000;

fn world() -> World {
    let config = EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), Arc::<Authority>::default());
    let quiet = Conditions { latency: Duration::from_millis(10), ..Conditions::default() };
    World::new(1, Server::new(config, Random::new(2)), quiet)
}

/// A client with credentials that announces `protocol`.
fn client(protocol: u32) -> ClientConfig {
    let mut config = ClientConfig::new(CLIENTS[0].client_tls());
    config.credentials = Some(("alice".to_owned(), Password::new("secret".to_owned())));
    config.peer_info = config.peer_info.replace("IV_PROTO=990", &format!("IV_PROTO={protocol}"));
    config
}

fn denial(public: &str) -> Denial {
    Denial { code: "test", public: public.to_owned(), detail: String::new() }
}

fn pending(prompt: Option<Prompt>) -> Authorization {
    Authorization::Pending(Pending { timeout: 300 * SECOND, prompt })
}

fn question() -> Question {
    Question { echo: false, response_required: true, text: "Code?".to_owned() }
}

fn ended(world: &World) -> Option<&ClientEvent> {
    world.hosts[&PORT].ended.as_ref()
}

#[test]
fn credentials_reach_whoever_decides() {
    let mut world = world();
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    let (_, username, password) = &world.server.asked[0];
    assert_eq!((username.as_deref(), password.as_deref()), (Some("alice"), Some("secret")));
    assert!(world.hosts[&PORT].connected.is_some());
}

#[test]
fn acl_01_a_client_that_waits_for_a_decision_has_neither_address_nor_keys_and_then_gets_in() {
    let mut world = world();
    world.server.decisions.push_back(pending(Some(Prompt::OpenUrl("https://login.test/".to_owned()))));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(200 * SECOND);
    let host = &world.hosts[&PORT];
    let prompt = ClientEvent::Prompt("OPEN_URL:https://login.test/".to_owned());
    assert_eq!(host.heard, [ClientEvent::Pending(Some(300)), prompt]);
    assert!(host.connected.is_none() && host.ended.is_none());
    assert!(world.server.peers.is_empty());
    let session = world.server.asked[0].0;
    world.with_server(|server, now| server.let_in(now, session, "client1"));
    assert!(world.run_until(SECOND, |world| world.hosts[&PORT].connected.is_some()));
}

#[test]
fn a_decision_that_does_not_come_in_time_ends_the_attempt() {
    let mut world = world();
    world.server.decisions.push_back(pending(None));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(320 * SECOND);
    assert_eq!(world.server.failures[0].code, "handshake-timeout");
    assert_eq!(world.server.endpoint.half_open(), 0);
}

#[test]
fn clients_that_know_no_times_are_told_to_wait_without_one() {
    let mut world = world();
    world.server.decisions.push_back(pending(None));
    world.start_client(PORT, Arc::new(client(990 - 16)));
    world.run(2 * SECOND);
    assert_eq!(world.hosts[&PORT].heard, [ClientEvent::Pending(None)]);
}

#[test]
fn a_question_is_asked_and_its_answer_comes_back() {
    let mut world = world();
    world.server.decisions.push_back(pending(Some(Prompt::Question(question()))));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    assert!(world.hosts[&PORT].heard.contains(&ClientEvent::Prompt("CR_TEXT:R:Code?".to_owned())));
    world.with_client(PORT, |client, now| client.respond(now, "MTIzNDU2"));
    world.run(SECOND);
    assert_eq!(world.server.answers_to_questions, ["MTIzNDU2"]);
}

#[test]
fn acl_06_three_answers_count_at_once_and_then_one_a_second() {
    let mut world = world();
    world.server.decisions.push_back(pending(Some(Prompt::Question(question()))));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    for _ in 0..4 {
        world.with_client(PORT, |client, now| client.respond(now, "MTIz"));
    }
    world.run(2 * SECOND);
    assert_eq!(world.server.answers_to_questions.len(), 3);
    world.with_client(PORT, |client, now| client.respond(now, "MTIz"));
    world.run(SECOND);
    assert_eq!(world.server.answers_to_questions.len(), 4);
}

#[test]
fn a_dynamic_challenge_refuses_with_a_question() {
    let mut world = world();
    let challenge = DynamicChallenge {
        question: question(),
        state_id: "state7".to_owned(),
        username_base64: "YWxpY2U=".to_owned(),
    };
    world.server.decisions.push_back(Authorization::Challenge(challenge));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    assert_eq!(ended(&world), Some(&ClientEvent::AuthFailed("CRV1:R:state7:YWxpY2U=:Code?".to_owned())));
}

#[test]
fn a_temporary_refusal_is_marked_for_clients_that_understand_it() {
    for (protocol, reason) in [(990, "TEMP[backoff 20,advance remote]:full"), (990 - 256, "full")] {
        let mut world = world();
        let decision =
            Authorization::DenyFor { denial: denial("full"), backoff: 20 * SECOND, advance: Advance::Remote };
        world.server.decisions.push_back(decision);
        world.start_client(PORT, Arc::new(client(protocol)));
        world.run(SECOND);
        assert_eq!(ended(&world), Some(&ClientEvent::AuthFailed(reason.to_owned())), "IV_PROTO={protocol}");
    }
}

#[test]
fn an_expired_token_makes_the_client_ask_for_credentials() {
    let mut world = world();
    world.server.decisions.push_back(Authorization::DenyToken(denial("token expired")));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    assert_eq!(ended(&world), Some(&ClientEvent::AuthFailed("SESSION:token expired".to_owned())));
}

/// A connected client that must show its credentials at each renegotiation.
fn reauthenticating_world() -> World {
    let mut world = world();
    world.server.reauthenticates = true;
    world.start_client(PORT, Arc::new(client(990)));
    assert!(world.run_until(SECOND, |world| world.hosts[&PORT].connected.is_some()));
    world
}

#[test]
fn credentials_are_shown_again_at_a_renegotiation_and_a_fresh_token_is_pushed() {
    let mut world = reauthenticating_world();
    let token = PushOption::parse("auth-token SESS_ID_AT_x").unwrap();
    world.server.redecisions.push_back(Reauthorization::Accept(vec![token]));
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(2 * SECOND);
    assert_eq!(world.server.asked[1].2.as_deref(), Some("secret"));
    let host = &world.hosts[&PORT];
    assert_eq!(host.heard, [ClientEvent::Pushed(vec!["auth-token SESS_ID_AT_x".to_owned()])]);
    assert_eq!((host.renegotiations, world.server.renegotiations), (1, 1));
}

#[test]
fn credentials_that_are_not_good_any_longer_end_the_session() {
    let decisions = [
        (Reauthorization::Deny(denial("locked")), "locked"),
        (Reauthorization::DenyToken(denial("token expired")), "SESSION:token expired"),
    ];
    for (decision, reason) in decisions {
        let mut world = reauthenticating_world();
        world.server.redecisions.push_back(decision);
        world.with_client(PORT, |client, now| client.renegotiate(now));
        world.run(2 * SECOND);
        assert_eq!(ended(&world), Some(&ClientEvent::AuthFailed(reason.to_owned())));
        assert!(matches!(world.server.closed[..], [(_, CloseReason::RenegotiationDenied(_))]));
    }
}

#[test]
fn a_client_that_leaves_while_its_credentials_are_checked_again_is_heard() {
    let mut world = reauthenticating_world();
    let pending = Pending { timeout: 120 * SECOND, prompt: None };
    world.server.redecisions.push_back(Reauthorization::Pending(pending));
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(2 * SECOND);
    assert_eq!(world.server.asked.len(), 2);
    world.with_client(PORT, |client, now| client.exit(now));
    world.run(SECOND);
    assert!(matches!(world.server.closed[..], [(_, CloseReason::ClientExit)]), "{:?}", world.server.closed);
}

#[test]
fn a_client_that_asks_again_after_a_change_hears_the_configuration_of_the_present() {
    let mut world = world();
    world.start_client(PORT, Arc::new(client(990 + 4096)));
    world.run(SECOND);
    let session = world.server.session_of("client1").unwrap();
    let route = PushOption::route([10, 9, 0, 0].into(), [255, 255, 0, 0].into());
    world.with_server(|server, now| {
        assert!(server.endpoint.push_update(now, session, &[PushChange::Set(route)]));
    });
    world.run(2 * SECOND);
    world.with_client(PORT, |client, now| client.request_push(now));
    world.run(SECOND);
    let Some(ClientEvent::Pushed(options)) = world.hosts[&PORT].heard.last() else {
        panic!("{:?}", world.hosts[&PORT].heard);
    };
    assert!(options.contains(&"route 10.9.0.0 255.255.0.0".to_owned()), "{options:?}");
    assert!(options.iter().any(|option| option.starts_with("ifconfig ")), "{options:?}");
}

#[test]
fn a_change_of_the_configuration_reaches_clients_that_take_it_without_a_restart() {
    for (protocol, takes_it) in [(990 + 4096, true), (990, false)] {
        let mut world = world();
        world.start_client(PORT, Arc::new(client(protocol)));
        world.run(SECOND);
        let session = world.server.session_of("client1").unwrap();
        let route = PushOption::route([10, 9, 0, 0].into(), [255, 255, 0, 0].into());
        let mut done = None;
        world.with_server(|server, now| {
            done = Some(server.endpoint.push_update(now, session, &[PushChange::Set(route)]));
        });
        world.run(SECOND);
        assert_eq!(done, Some(takes_it));
        let expected = ClientEvent::Updated(vec!["route 10.9.0.0 255.255.0.0".to_owned()]);
        assert_eq!(world.hosts[&PORT].heard, if takes_it { vec![expected] } else { vec![] });
    }
}

/// A server that lets clients in without a certificate, if `demand` says so.
fn world_that_demands(demand: ClientCertificate) -> World {
    let mut config =
        EndpointConfig::new(SERVER.server_settings(TlsVersion::Tls12), Arc::<Authority>::default());
    config.client_certificate = demand;
    let quiet = Conditions { latency: Duration::from_millis(10), ..Conditions::default() };
    World::new(1, Server::new(config, Random::new(2)), quiet)
}

/// A client without a certificate.
fn nobody(username: Option<&str>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::new(Identity::nobodys_tls());
    config.credentials = username.map(|name| (name.to_owned(), Password::new("secret".to_owned())));
    Arc::new(config)
}

#[test]
fn without_a_certificate_a_user_name_says_who_somebody_is() {
    for demand in [ClientCertificate::Optional, ClientCertificate::NotAsked] {
        let mut world = world_that_demands(demand);
        world.start_client(PORT, nobody(Some("alice")));
        world.run(SECOND);
        assert!(world.hosts[&PORT].connected.is_some(), "{demand:?}");
        assert!(world.server.session_of("alice").is_some());
    }
}

#[test]
fn without_a_certificate_and_a_user_name_nobody_gets_in() {
    for demand in [ClientCertificate::Optional, ClientCertificate::NotAsked] {
        let mut world = world_that_demands(demand);
        world.start_client(PORT, nobody(None));
        world.run(SECOND);
        assert_eq!(ended(&world), Some(&ClientEvent::AuthFailed("no certificate".to_owned())));
        assert_eq!(world.server.failures[0].code, "no-client-certificate");
    }
}

#[test]
fn where_a_certificate_is_required_a_user_name_does_not_replace_it() {
    let mut world = world_that_demands(ClientCertificate::Required);
    world.start_client(PORT, nobody(Some("alice")));
    world.run(5 * SECOND);
    assert!(world.hosts[&PORT].connected.is_none());
    assert!(world.server.asked.is_empty());
}

#[test]
fn an_optional_certificate_still_says_who_its_owner_is() {
    let mut world = world_that_demands(ClientCertificate::Optional);
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    assert!(world.server.session_of("client1").is_some());
}

#[test]
fn a_client_without_a_certificate_renegotiates_under_the_same_name() {
    let mut world = world_that_demands(ClientCertificate::NotAsked);
    world.start_client(PORT, nobody(Some("alice")));
    world.run(SECOND);
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(2 * SECOND);
    assert_eq!(world.server.renegotiations, 1);
}

#[test]
fn net_10_a_name_without_proof_does_not_end_the_session_of_its_owner() {
    let mut world = world_that_demands(ClientCertificate::NotAsked);
    world.start_client(PORT, nobody(Some("alice")));
    world.run(SECOND);
    world.server.decisions.push_back(Authorization::Deny(denial("wrong password")));
    world.start_client(PORT, nobody(Some("alice")));
    world.run(SECOND);
    assert_eq!(ended(&world), Some(&ClientEvent::AuthFailed("wrong password".to_owned())));
    assert!(world.server.closed.is_empty(), "{:?}", world.server.closed);
    world.start_client(PORT, nobody(Some("alice")));
    world.run(SECOND);
    assert!(matches!(world.server.closed[..], [(_, CloseReason::ReplacedBySamePort)]));
}

#[test]
fn a_client_that_leaves_while_it_waits_needs_no_decision_any_longer() {
    let mut world = world();
    world.server.decisions.push_back(pending(None));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(SECOND);
    let session = world.server.asked[0].0;
    world.with_client(PORT, |client, now| client.exit(now));
    world.run(400 * SECOND);
    assert_eq!(world.server.abandoned, [session]);
    assert_eq!(world.server.failures.len(), 1);
}

#[test]
fn a_decision_that_was_made_abandons_nothing() {
    let mut world = world();
    world.server.decisions.push_back(Authorization::Deny(denial("no")));
    world.start_client(PORT, Arc::new(client(990)));
    world.run(40 * SECOND);
    assert!(world.server.abandoned.is_empty() && world.server.failures.is_empty());
}

#[test]
fn a_decision_about_credentials_that_are_shown_again_may_take_its_time() {
    let mut world = reauthenticating_world();
    let prompt = Some(Prompt::Question(question()));
    world.server.redecisions.push_back(Reauthorization::Pending(Pending { timeout: 120 * SECOND, prompt }));
    world.with_client(PORT, |client, now| client.renegotiate(now));
    world.run(50 * SECOND);
    let session = world.server.asked[1].0;
    assert_eq!(world.server.renegotiations, 0);
    world.with_server(|server, now| {
        server.endpoint.reauthorize(now, session, Reauthorization::Accept(vec![]))
    });
    world.run(2 * SECOND);
    assert_eq!(world.server.renegotiations, 1);
    assert!(world.server.closed.is_empty());
}
