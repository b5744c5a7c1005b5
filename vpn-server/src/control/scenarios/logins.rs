//! Clients that log in, those that decide about them, and what changes while they are connected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vpn_proto::client::{ClientConfig, ClientEvent, ClientTls};
use vpn_proto::{ClientCertificate, Farewell, Password, Pending, Prompt, TlsVersion};
use zeroize::Zeroizing;

use super::{TestClient, World, events, live};
use crate::auth::login::{
    Acceptance, Answer, Authenticator, ClientFacts, ClientNumber, ClientWitness, Decider, LoginAttempt,
    LoginPolicy, Occasion, TokenKey, TokenMint, TokenSettings, Verdict,
};
use crate::config::{ClientSettings, Config, DuplicatePolicy, IdleLimit, LiveSettings};
use crate::control::connection::{Connection, Usage};
use crate::control::{ClientDirectory, ClientLookupError};
use crate::testing::pki::Issued;

/// Keeps every question until the test answers it.
#[derive(Default)]
struct Desk {
    questions: Mutex<Vec<(Arc<LoginAttempt>, Answer)>>,
    forgotten: Mutex<Vec<(ClientNumber, u32)>>,
    responses: Mutex<Vec<String>>,
}

impl Decider for Desk {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        self.questions.lock().unwrap().push((Arc::clone(attempt), answer));
    }

    fn take_response(&self, _client: ClientNumber, _key: u32, response: &Password) {
        self.responses.lock().unwrap().push(response.as_str().to_owned());
    }

    fn forget(&self, client: ClientNumber, key: u32) {
        self.forgotten.lock().unwrap().push((client, key));
    }
}

impl Desk {
    fn is_asked(&self) -> bool {
        !self.questions.lock().unwrap().is_empty()
    }

    fn take(&self) -> (Arc<LoginAttempt>, Answer) {
        self.questions.lock().unwrap().remove(0)
    }
}

/// Decides at once: the password is `secret`.
struct Secret;

impl Decider for Secret {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let is_right = attempt.password.as_ref().is_some_and(|password| password.as_str() == "secret");
        answer.decide(if is_right {
            Verdict::accept()
        } else {
            Verdict::wrong_credentials("wrong-password", "wrong password")
        });
    }
}

fn world(decider: Arc<dyn Decider>, tokens: Option<TokenMint>) -> World {
    let authenticator = Authenticator::new(LoginPolicy::Required, vec![decider], tokens);
    World::with(|settings| settings.authenticator = Arc::new(authenticator))
}

fn with_credentials(mut config: ClientConfig, password: &str) -> ClientConfig {
    config.credentials = Some(("alice".to_owned(), Password::new(password.to_owned())));
    config
}

fn config(world: &World, issued: &Issued) -> ClientConfig {
    let tls = ClientTls::new(
        vec![issued.certificate.clone()],
        issued.key.clone_key(),
        world.certificate.clone(),
        TlsVersion::Tls12,
    );
    ClientConfig::new(tls)
}

/// A client with the certificate of alice and this password.
fn client(world: &mut World, password: &str, port: u16) -> TestClient {
    let issued = world.issue("alice");
    world.client_of(with_credentials(config(world, &issued), password), port)
}

#[test]
fn a_client_gets_in_with_certificate_and_password_and_stands_in_the_log_by_its_name() {
    let mut world = world(Arc::new(Secret), None);
    let mut right = client(&mut world, "secret", 1);
    world.connect(&mut right);
    let mut wrong = client(&mut world, "Secret", 2);
    let refused = "the user name or the password is wrong".to_owned();
    world.wait_for(&mut wrong, ClientEvent::AuthFailed(refused));
    let log = world.end();
    assert_eq!(
        events(&log),
        ["established alice", "refused alice wrong-password", "closed alice server-stopping"]
    );
    assert_eq!(log[0]["username"], "alice");
}

/// Notes what it hears of, with the number of the client.
#[derive(Default)]
struct Diary(Mutex<Vec<(&'static str, u64)>>);

impl Diary {
    fn note(&self, what: &'static str, client: &ClientFacts) {
        self.0.lock().unwrap().push((what, client.number.0));
    }
}

impl ClientWitness for Diary {
    fn connected(&self, client: &Arc<ClientFacts>, _connection: &Arc<Connection>) {
        self.note("connected", client);
    }

    fn disconnected(&self, client: &Arc<ClientFacts>, _connection: &Arc<Connection>, _usage: Usage) {
        self.note("disconnected", client);
    }

    fn turned_away(&self, client: &Arc<ClientFacts>) {
        self.note("turned away", client);
    }
}

#[test]
fn a_witness_hears_once_of_everybody_who_comes_goes_or_is_turned_away() {
    let (diary, desk) = (Arc::<Diary>::default(), Arc::<Desk>::default());
    let decider: Arc<dyn Decider> = Arc::clone(&desk) as _;
    let authenticator = Authenticator::new(LoginPolicy::Required, vec![decider], None);
    let witness: Arc<dyn ClientWitness> = Arc::clone(&diary) as _;
    let mut world = World::with(|settings| {
        settings.authenticator = Arc::new(authenticator);
        settings.witness = Some(witness);
    });
    let ask = |world: &mut World, port: u16| {
        let mut client = client(world, "secret", port);
        world.run(&mut [&mut client], |_| desk.is_asked());
        (client, desk.take().1)
    };
    let (mut welcome, answer) = ask(&mut world, 1);
    answer.decide(Verdict::accept());
    world.connect(&mut welcome);
    let (mut unwelcome, answer) = ask(&mut world, 2);
    answer.decide(Verdict::wrong_credentials("wrong-password", "wrong password"));
    world.run(&mut [&mut unwelcome], |clients| !clients[0].events.is_empty());
    let (gone, _answer) = ask(&mut world, 3);
    world.disconnect(&gone);
    world.run(&mut [], |_| diary.0.lock().unwrap().len() == 3);
    world.end();
    let expected = [("connected", 0), ("turned away", 1), ("turned away", 2), ("disconnected", 0)];
    assert_eq!(*diary.0.lock().unwrap(), expected);
}

#[test]
fn a_name_that_nobody_checked_does_not_stand_in_the_log() {
    let mut world = World::new();
    let mut client = client(&mut world, "whatever", 1);
    world.connect(&mut client);
    assert_eq!(world.end()[0]["username"], "NA");
}

#[test]
fn where_certificates_are_not_needed_a_password_is_enough() {
    let mut world = World::with_endpoint(
        |settings| {
            let authenticator = Authenticator::new(LoginPolicy::Required, vec![Arc::new(Secret)], None);
            settings.authenticator = Arc::new(authenticator);
        },
        |endpoint| endpoint.client_certificate = ClientCertificate::NotAsked,
    );
    let tls = || ClientTls::without_certificate(world.certificate.clone(), TlsVersion::Tls12);
    let (right, wrong) = (ClientConfig::new(tls()), ClientConfig::new(tls()));
    let mut right = world.client_of(with_credentials(right, "secret"), 1);
    let mut wrong = world.client_of(with_credentials(wrong, "wrong"), 2);
    world.connect(&mut right);
    let refused = "the user name or the password is wrong".to_owned();
    world.wait_for(&mut wrong, ClientEvent::AuthFailed(refused));
    assert_eq!(world.plane().handle().connections().len(), 1);
    let log = world.end();
    assert_eq!(log[0]["common-name"], "alice");
    assert_eq!(log[0]["cert-serial"], "NA");
}

#[test]
fn acl_01_a_client_that_waits_has_no_place_and_keeps_nobody_else_waiting() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let mut waiting: Vec<_> = (1..=8).map(|port| client(&mut world, "secret", port)).collect();
    let mut borrowed: Vec<_> = waiting.iter_mut().collect();
    world.run(&mut borrowed, |_| desk.questions.lock().unwrap().len() == 8);
    assert_eq!(world.plane().handle().connections().len(), 0);
    let (attempt, mut answer) = desk.take();
    assert_eq!((attempt.occasion, attempt.key), (Occasion::Connect, 0));
    let port = attempt.client.remote.port();
    let client = &mut waiting[usize::from(port) - 1];
    answer.wait(Pending { timeout: Duration::from_secs(60), prompt: None });
    world.wait_for(client, ClientEvent::Pending(Some(60)));
    answer.decide(Verdict::accept());
    world.connect(client);
}

#[test]
fn a_client_that_cannot_ask_its_person_is_refused_instead_of_left_waiting() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let mut client = client(&mut world, "secret", 1);
    world.run(&mut [&mut client], |_| desk.is_asked());
    let (_, mut answer) = desk.take();
    let prompt = Some(Prompt::OpenUrl("https://login.test/".to_owned()));
    answer.wait(Pending { timeout: Duration::from_secs(60), prompt });
    let reason = "this client does not support what the login needs".to_owned();
    world.wait_for(&mut client, ClientEvent::AuthFailed(reason));
    assert_eq!(desk.forgotten.lock().unwrap().len(), 1);
}

#[test]
fn an_answer_to_a_question_reaches_whoever_asked_it() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let mut client = client(&mut world, "secret", 1);
    world.run(&mut [&mut client], |_| desk.is_asked());
    let (_, mut answer) = desk.take();
    answer.wait(Pending { timeout: Duration::from_secs(60), prompt: None });
    world.wait_for(&mut client, ClientEvent::Pending(Some(60)));
    client.client.respond(world.clock.now(), "MTIz");
    world.run(&mut [&mut client], |_| !desk.responses.lock().unwrap().is_empty());
    assert_eq!(*desk.responses.lock().unwrap(), ["MTIz"]);
}

#[test]
fn who_decides_hears_that_a_client_is_gone_and_its_answer_comes_to_nothing() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let mut client = client(&mut world, "secret", 1);
    world.run(&mut [&mut client], |_| desk.is_asked());
    world.disconnect(&client);
    world.run(&mut [], |_| !desk.forgotten.lock().unwrap().is_empty());
    let (attempt, answer) = desk.take();
    assert_eq!(*desk.forgotten.lock().unwrap(), [(attempt.client.number, 0)]);
    answer.decide(Verdict::accept());
    let handle = world.plane().handle().clone();
    world.settle();
    assert_eq!((handle.connections().len(), handle.totals().established), (0, 0));
}

#[test]
fn crl_03_who_is_revoked_while_a_decision_is_made_does_not_get_in() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let alice = world.issue("alice");
    let config = with_credentials(config(&world, &alice), "secret");
    let mut client = world.client_of(config, 1);
    world.run(&mut [&mut client], |_| desk.is_asked());
    world.revoke(&alice);
    desk.take().1.decide(Verdict::accept());
    world.wait_for(&mut client, ClientEvent::AuthFailed("certificate revoked".to_owned()));
}

#[test]
fn directives_of_who_decides_count() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let mut client = client(&mut world, "secret", 1);
    world.run(&mut [&mut client], |_| desk.is_asked());
    let directives = ["push-reset", "push \"route 10.1.0.0 255.255.0.0\"", "what is this"];
    let directives = directives.iter().map(|line| (*line).to_owned()).collect();
    desk.take().1.decide(Verdict::Accept(Acceptance { directives, ..Acceptance::default() }));
    let pushed = world.connect(&mut client);
    assert!(pushed.options.contains(&"route 10.1.0.0 255.255.0.0".to_owned()), "{:?}", pushed.options);
    assert!(!pushed.options.contains(&"route 10.7.0.0 255.255.255.0".to_owned()));
}

#[test]
fn a_token_is_pushed_and_replaces_the_password_at_a_renegotiation_and_afterwards() {
    let settings = TokenSettings { lifetime: None, renewal: Duration::from_secs(3600), asks_deciders: false };
    let mint = TokenMint::new(TokenKey::new(Zeroizing::new([1; 32])), settings);
    let mut world = world(Arc::new(Secret), Some(mint));
    let mut first = client(&mut world, "secret", 1);
    let pushed = world.connect(&mut first);
    let token =
        pushed.options.iter().find_map(|option| option.strip_prefix("auth-token ")).unwrap().to_owned();
    first.client.renegotiate(world.clock.now());
    world.run(&mut [&mut first], |clients| clients[0].events.len() >= 2);
    let is_token = |event: &ClientEvent| matches!(event, ClientEvent::Pushed(options) if options[0].starts_with("auth-token SESS_ID_AT_"));
    assert!(first.events.iter().any(is_token), "{:?}", first.events);
    let mut second = client(&mut world, &token, 2);
    world.connect(&mut second);
    let other = if token.starts_with("SESS_ID_AT_A") { "SESS_ID_AT_B" } else { "SESS_ID_AT_A" };
    let forged = format!("{other}{}", &token[other.len()..]);
    let mut forged = client(&mut world, &forged, 3);
    world.wait_for(&mut forged, ClientEvent::AuthFailed("SESSION:the login has expired".to_owned()));
}

#[test]
fn a_no_at_a_renegotiation_ends_the_session() {
    let desk = Arc::<Desk>::default();
    let mut world = world(Arc::clone(&desk) as _, None);
    let mut client = client(&mut world, "secret", 1);
    world.run(&mut [&mut client], |_| desk.is_asked());
    desk.take().1.decide(Verdict::accept());
    let address = world.connect(&mut client).address;
    client.client.renegotiate(world.clock.now());
    world.run(&mut [&mut client], |_| desk.is_asked());
    let (attempt, answer) = desk.take();
    assert_eq!((attempt.occasion, attempt.key), (Occasion::Renegotiation, 1));
    answer.decide(Verdict::wrong_credentials("account-locked", ""));
    world.run(&mut [&mut client], |clients| {
        clients[0].events.iter().any(|event| matches!(event, ClientEvent::AuthFailed(_)))
    });
    assert_eq!(world.tables.peer_id_of(address), None);
    assert_eq!(events(&world.end())[1], "closed alice account-locked");
}

#[test]
fn where_duplicates_are_refused_the_first_session_stays() {
    let mut world = World::with(|settings| settings.limits.when_exceeded = DuplicatePolicy::Refuse);
    let alice = world.issue("alice");
    let (mut first, mut second) = (world.client(&alice, 1), world.client(&alice, 2));
    let address = world.connect(&mut first).address;
    world.wait_for(&mut second, ClientEvent::AuthFailed("this client is connected already".to_owned()));
    assert!(world.tables.peer_id_of(address).is_some());
    assert_eq!(events(&world.end())[1], "refused alice already-connected");
}

#[test]
fn sessions_of_a_user_are_counted_by_the_user_where_that_is_wanted() {
    let mut world = World::with(|settings| {
        let authenticator = Authenticator::new(LoginPolicy::Required, vec![Arc::new(Secret)], None);
        settings.authenticator = Arc::new(authenticator);
        settings.limits.username_as_common_name = true;
    });
    let (laptop, phone) = (world.issue("laptop"), world.issue("phone"));
    let mut on_laptop = world.client_of(with_credentials(config(&world, &laptop), "secret"), 1);
    let mut on_phone = world.client_of(with_credentials(config(&world, &phone), "secret"), 2);
    world.connect(&mut on_laptop);
    world.connect(&mut on_phone);
    let replaced = ClientEvent::Halt("this client connected from another place".to_owned());
    world.wait_for(&mut on_laptop, replaced);
}

#[test]
fn a_session_ends_when_it_lasted_as_long_as_it_may() {
    let mut world = World::with(|settings| settings.limits.session_timeout = Some(Duration::from_secs(1)));
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1);
    world.connect(&mut client);
    world.wait_for(&mut client, ClientEvent::Restart("the session lasted as long as it may".to_owned()));
    assert_eq!(events(&world.end())[1], "closed alice session-timeout");
}

#[test]
fn a_session_that_nobody_uses_ends() {
    let idle = IdleLimit { period: Duration::from_secs(1), octets: 1000 };
    let mut world = World::with(|settings| settings.limits.idle = Some(idle));
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1);
    world.connect(&mut client);
    world.wait_for(&mut client, ClientEvent::Halt("the session was not used".to_owned()));
    assert_eq!(events(&world.end())[1], "closed alice idle-timeout");
}

#[test]
fn a_change_of_routes_reaches_clients_that_take_it_and_makes_others_begin_anew() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let mut config = config(&world, &alice);
    config.peer_info = config.peer_info.replace("IV_PROTO=990", "IV_PROTO=5086");
    let (mut of_alice, mut of_bob) = (world.client_of(config, 1), world.client(&bob, 2));
    world.connect(&mut of_alice);
    world.connect(&mut of_bob);
    world.plane().handle().set_live(LiveSettings { max_sessions: Some(9), ..live() });
    world.settle();
    assert!(of_alice.events.is_empty() && of_bob.events.is_empty(), "nothing changed for them");
    let routes = vec!["10.7.0.0/24".parse().unwrap(), "10.9.0.0/16".parse().unwrap()];
    world.plane().handle().set_live(LiveSettings { routes, ..live() });
    let routes = ["route 10.7.0.0 255.255.255.0", "route 10.9.0.0 255.255.0.0"].map(ToOwned::to_owned);
    world.wait_for(&mut of_alice, ClientEvent::Updated(routes.to_vec()));
    world.wait_for(&mut of_bob, ClientEvent::Restart("[P]the configuration changed".to_owned()));
    assert_eq!(world.plane().handle().connections().len(), 1);
}

#[test]
fn whoever_is_disabled_while_connected_is_told_and_its_session_ends() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) = (world.client(&alice, 1), world.client(&bob, 2));
    world.connect(&mut of_alice);
    world.connect(&mut of_bob);
    let options = "pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/29'\n[client.alice]\ndisabled=true";
    let clients = Config::check(toml::from_str(options).unwrap()).unwrap().live.clients;
    world.plane().handle().set_live(LiveSettings { clients, ..live() });
    world.wait_for(&mut of_alice, ClientEvent::AuthFailed("this client may not connect".to_owned()));
    world.settle();
    assert!(of_bob.events.is_empty(), "{:?}", of_bob.events);
    assert!(events(&world.end()).contains(&"closed alice client-disabled".to_owned()));
}

/// What is decided about a client stands in a file that a reload does not read.
#[test]
fn whoever_is_disabled_elsewhere_is_found_by_the_next_look() {
    struct Register(AtomicBool);

    impl ClientDirectory for Register {
        fn settings_of(&self, _: &str) -> Result<Option<ClientSettings>, ClientLookupError> {
            Ok(Some(ClientSettings { disabled: self.0.load(Ordering::Relaxed), ..ClientSettings::default() }))
        }
    }

    let register = Arc::new(Register(AtomicBool::new(false)));
    let directory = Arc::clone(&register);
    let mut world = World::with(|settings| settings.directory = Some(directory));
    let alice = world.issue("alice");
    let mut client = world.client(&alice, 1);
    world.connect(&mut client);
    world.plane().handle().look_clients_up_again();
    world.settle();
    assert!(client.events.is_empty(), "nothing changed");
    register.0.store(true, Ordering::Relaxed);
    world.plane().handle().look_clients_up_again();
    world.wait_for(&mut client, ClientEvent::AuthFailed("this client may not connect".to_owned()));
}

#[test]
fn an_administrator_ends_one_connection() {
    let mut world = World::new();
    let (alice, bob) = (world.issue("alice"), world.issue("bob"));
    let (mut of_alice, mut of_bob) = (world.client(&alice, 1), world.client(&bob, 2));
    world.connect(&mut of_alice);
    world.connect(&mut of_bob);
    let handle = world.plane().handle().clone();
    let is_alice = |name: &str| name == "alice";
    let connections = handle.connections();
    let number = connections
        .iter()
        .find(|found| is_alice(&found.connection.client.common_name))
        .map(|found| found.connection.number)
        .unwrap();
    assert!(handle.close(number, Farewell::Halt("maintenance".to_owned()), "administrator"));
    world.wait_for(&mut of_alice, ClientEvent::Halt("maintenance".to_owned()));
    assert!(!handle.close(ClientNumber(u64::MAX), Farewell::Silent, "administrator"));
    assert_eq!(handle.connections().len(), 1);
    assert!(of_bob.events.is_empty(), "{:?}", of_bob.events);
}
