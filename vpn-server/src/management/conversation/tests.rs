//! Whole conversations, against what a stock server answers.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use tracing::Level;
use vpn_proto::{Farewell, Password, Prompt};
use zeroize::Zeroizing;

use super::logins::MAXIMUM_BLOCK;
use super::*;
use crate::auth::login::{Answer, ClientNumber, Decider, LoginAttempt, LoginUpdate, Occasion, Verdict};
use crate::management::Reception;
use crate::management::managed::{LoadStatistics, ProcessSignal};
use crate::status::{ClientStatus, StatusReport};
use crate::testing::login::attempt;

/// What OpenVPN 2.6.14 answered; see testdata/README.md.
const STOCK: &str = include_str!("../../../../testdata/openvpn-management/commands.txt");

#[test]
fn every_command_is_answered_as_a_stock_server_answers_it() {
    let mut world = World::new(None, false);
    world.log_in();
    let mut commands = 0;
    for exchange in STOCK.split("C: ").skip(1) {
        let (command, answers) = exchange.split_once('\n').unwrap();
        let expected: Vec<&str> = answers.lines().map(|line| line.strip_prefix("S: ").unwrap()).collect();
        assert_eq!(normalized(&world.ask(command)), expected, "{command}");
        commands += 1;
    }
    assert!(commands > 40, "{commands}");
}

#[test]
fn nothing_is_answered_before_the_password_and_three_wrong_ones_end_it() {
    let mut world = World::new(Some("secret"), false);
    assert_eq!(world.hear(), "ENTER PASSWORD:");
    assert_eq!(world.say("status\n"), "ENTER PASSWORD:");
    assert_eq!(
        world.say("secret\r\n"),
        "SUCCESS: password is correct\r\n>INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n"
    );
    let mut thief = World::new(Some("secret"), false);
    for _ in 0..PASSWORD_TRIES {
        assert!(!thief.conversation.is_over());
        thief.say("secre\n");
    }
    assert!(thief.conversation.is_over());
    assert_eq!(thief.say("secret\n"), "");
}

#[test]
fn clients_are_told_of_nothing_before_the_password() {
    let mut world = World::new(Some("secret"), false);
    world.hear();
    let _updates = world.ask_in("alice", 0);
    let news = world.server.reception.take_news();
    world.conversation.tell_clients(news);
    assert_eq!(world.hear(), "");
    let greeted = world.say("secret\n");
    assert!(greeted.contains(">CLIENT:CONNECT,7,1\r\n"), "{greeted}");
}

#[test]
fn a_hold_is_announced_until_it_is_released() {
    let mut world = World::new(None, true);
    assert!(world.hear().ends_with(">HOLD:Waiting for hold release:0\r\n"));
    assert_eq!(world.ask("hold release"), ["SUCCESS: hold release succeeded"]);
    assert_eq!(world.server.released.get(), 1);
    let mut next = Conversation::open(&world.desk, &world.server);
    assert!(!String::from_utf8(next.take_output()).unwrap().contains("HOLD"));
}

#[test]
fn killing_ends_every_session_of_a_name_or_the_one_at_an_address() {
    let mut world = World::new(None, false);
    world.log_in();
    world.server.clients.borrow_mut().extend([
        client(1),
        client(2),
        ClientStatus {
            common_name: "other".to_owned(),
            remote: "[::ffff:192.0.2.9]:9".parse().unwrap(),
            ..client(3)
        },
    ]);
    assert_eq!(world.ask("kill client1"), ["SUCCESS: common name 'client1' found, 2 client(s) killed"]);
    assert_eq!(world.ask("kill udp4:192.0.2.9:9"), ["SUCCESS: 1 client(s) at address 192.0.2.9:9 killed"]);
    assert_eq!(world.ask("client-kill 2 HALT"), ["SUCCESS: client-kill command succeeded"]);
    assert_eq!(
        *world.server.closed.borrow(),
        [
            (1, Farewell::Restart(String::new())),
            (2, Farewell::Restart(String::new())),
            (3, Farewell::Restart(String::new())),
            (2, Farewell::Halt(String::new())),
        ]
    );
}

#[test]
fn byte_counts_come_at_their_interval() {
    let mut world = World::new(None, false);
    world.log_in();
    world.server.clients.borrow_mut().push(client(4));
    world.ask("bytecount 2");
    let mut heard = Vec::new();
    for tenth in 1..=65 {
        let now = Moment::from_micros(tenth * 100_000);
        world.conversation.look(now, &world.server);
        heard.push(world.hear());
    }
    let counts: Vec<usize> = heard
        .iter()
        .zip(1..)
        .filter(|(text, _)| text.contains("BYTECOUNT_CLI:4,84,168"))
        .map(|(_, at)| at)
        .collect();
    assert_eq!(counts, [20, 40, 60]);
    world.ask("bytecount 0");
    world.conversation.look(Moment::from_micros(99_000_000), &world.server);
    assert_eq!(world.hear(), "");
}

#[test]
fn log_and_states_are_kept_for_later_and_shown_to_those_who_listen() {
    let mut world = World::new(None, false);
    world.log_in();
    world.tell_log("before");
    assert_eq!(world.hear(), "");
    assert_eq!(
        world.ask("log on all"),
        ["SUCCESS: real-time log notification set to ON", "7,I,before", "END"]
    );
    world.tell_log("after");
    assert_eq!(world.hear(), ">LOG:7,I,after\r\n");
    world.ask("state on");
    world.tell_state(ServerState::Exiting);
    assert_eq!(world.hear(), ">STATE:8,EXITING,SIGTERM,,,,,,\r\n");
    assert_eq!(world.ask("state"), ["8,EXITING,SIGTERM,,,,,,", "END"]);
}

#[test]
fn signals_and_verbosity_reach_the_server() {
    let mut world = World::new(None, false);
    world.log_in();
    assert_eq!(world.ask("signal SIGTERM"), ["SUCCESS: signal SIGTERM thrown"]);
    world.ask("verb 5");
    assert_eq!(*world.server.signals.borrow(), [ProcessSignal::Terminate]);
    assert_eq!(world.server.verbosity.get(), 5);
    world.ask("quit");
    assert!(world.conversation.is_over());
}

#[test]
fn a_block_without_an_end_ends_the_conversation() {
    let mut world = World::new(None, false);
    world.log_in();
    world.ask("client-auth 1 1");
    for _ in 0..MAXIMUM_BLOCK - 1 {
        assert_eq!(world.ask("push \"route 10.0.0.0\""), [""; 0]);
        assert!(!world.conversation.is_over());
    }
    world.ask("one more");
    assert!(world.conversation.is_over());
}

#[test]
fn a_client_that_asks_is_let_in_with_directives() {
    let mut world = World::new(None, false);
    world.log_in();
    let updates = world.ask_in("alice", 0);
    let news = world.news();
    assert!(news.starts_with(">CLIENT:CONNECT,7,1\r\n"), "{news}");
    assert!(news.contains(">CLIENT:ENV,username=alice\r\n>"), "{news}");
    assert!(news.contains(">CLIENT:ENV,password=secret\r\n"), "{news}");
    assert!(news.ends_with(">CLIENT:ENV,END\r\n"), "{news}");
    for wrong in ["client-auth 0 1", "client-auth 7 7", "client-auth 7 0"] {
        assert_eq!(world.ask(wrong), [""; 0]);
        assert_eq!(world.ask("END"), ["ERROR: client-auth command failed"]);
    }
    world.ask("client-auth 7 1");
    world.ask("push \"echo hello\"");
    assert_eq!(world.ask("END"), ["SUCCESS: client-auth command succeeded"]);
    let Ok(LoginUpdate::Decided(Verdict::Accept(acceptance))) = updates.try_recv() else {
        panic!("the client was not let in");
    };
    assert_eq!(acceptance.directives, ["push \"echo hello\""]);
}

/// What openvpn-auth-oauth2 says and hears: a page to log in on, then the decision; the same at a renegotiation.
#[test]
fn a_helper_for_single_sign_on_finds_what_it_needs() {
    let mut world = World::new(None, false);
    world.log_in();
    let version = world.ask("version");
    assert!(version[0].starts_with("OpenVPN Version: ") && version[1].ends_with('5'), "{version:?}");
    assert_eq!(version.len(), 3);
    for (key, occasion) in [(0, "CONNECT"), (1, "REAUTH")] {
        let updates = world.ask_again("alice", key, occasion == "REAUTH");
        let kid = key + 1;
        assert!(world.news().starts_with(&format!(">CLIENT:{occasion},7,{kid}\r\n")));
        let command = format!("client-pending-auth 7 {kid} \"WEB_AUTH::https://sso.example/?s=a,b\" 180");
        assert_eq!(world.ask(&command), ["SUCCESS: client-pending-auth command succeeded"]);
        let url = "https://sso.example/?s=a,b".to_owned();
        let prompt = Some(Prompt::WebAuth { flags: String::new(), url });
        let expected = vpn_proto::Pending { timeout: Duration::from_secs(180), prompt };
        assert!(matches!(updates.try_recv(), Ok(LoginUpdate::Wait(pending)) if pending == expected));
        let answer = world.ask(&format!("client-auth-nt 7 {kid}"));
        assert_eq!(answer, ["SUCCESS: client-auth command succeeded"]);
        assert!(matches!(updates.try_recv(), Ok(LoginUpdate::Decided(Verdict::Accept(_)))));
    }
}

#[test]
fn a_client_is_denied_with_what_it_is_told_or_a_question() {
    let mut world = World::new(None, false);
    world.log_in();
    let mut deny = |arguments: &str| {
        let updates = world.ask_in("alice", 0);
        let answer = world.ask(&format!("client-deny 7 1 {arguments}"));
        assert_eq!(answer, ["SUCCESS: client-deny command succeeded"]);
        match updates.try_recv() {
            Ok(LoginUpdate::Decided(verdict)) => verdict,
            other => panic!("{other:?}"),
        }
    };
    let told = deny("\"log reason\" \"client reason\"");
    assert!(
        matches!(&told, Verdict::Deny(denial) if denial.detail == "log reason" && denial.public == "client reason")
    );
    let untold = deny("\"no such user\"");
    assert!(matches!(&untold, Verdict::Deny(denial) if !denial.public.contains("no such user")));
    let question = deny("challenge \"CRV1:R,E:state:YWxpY2U=:Your code?\"");
    assert!(matches!(&question, Verdict::Challenge(challenge) if challenge.state_id == "state"));
}

#[test]
fn a_client_that_is_connected_is_sent_away_by_a_denial() {
    let mut world = World::new(None, false);
    world.log_in();
    world.server.clients.borrow_mut().push(client(4));
    assert_eq!(world.ask("client-deny 4 1 late \"too late\""), ["SUCCESS: client-deny command succeeded"]);
    assert_eq!(*world.server.closed.borrow(), [(4, Farewell::AuthFailed("too late".to_owned()))]);
    assert_eq!(world.ask("client-deny 5 1 late"), ["ERROR: client-deny command failed"]);
}

#[test]
fn an_answer_of_a_person_is_passed_on_with_the_question_it_is_about() {
    let mut world = World::new(None, false);
    world.log_in();
    let _updates = world.ask_in("alice", 0);
    world.news();
    world.server.reception.take_response(ClientNumber(7), 0, &Password::new("MTIzNDU2".to_owned()));
    let news = world.news();
    assert!(news.starts_with(">CLIENT:CR_RESPONSE,7,1,MTIzNDU2\r\n>CLIENT:ENV,"), "{news}");
    assert!(!news.contains("password"), "{news}");
}

#[test]
fn the_environment_can_be_filtered() {
    let mut world = World::new(None, false);
    world.log_in();
    world.ask("env-filter 2");
    let _updates = world.ask_in("alice", 0);
    let news = world.news();
    let names: Vec<&str> =
        news.lines().filter_map(|line| line.split_once("ENV,")).map(|(_, rest)| rest).collect();
    assert_eq!(names, ["username=alice", "password=secret", "END"], "{news}");
}

#[test]
fn what_cannot_be_asked_of_a_person_is_refused() {
    let mut world = World::new(None, false);
    world.log_in();
    let _updates = world.ask_in("alice", 0);
    for extra in ["nonsense", "DANCE::now"] {
        let answer = world.ask(&format!("client-pending-auth 7 1 {extra} 60"));
        assert_eq!(
            answer,
            ["ERROR: client-pending-auth command failed. Extra parameter might be too long"],
            "{extra}"
        );
    }
    assert_eq!(world.ask("client-auth x y"), ["ERROR: cannot parse CID"]);
}

#[test]
fn a_conversation_takes_any_octets_in_any_pieces() {
    let octets: Vec<u8> = (0..=255_u8).cycle().take(4096).collect();
    for size in [1, 7, 4096] {
        let mut world = World::new(None, false);
        world.log_in();
        for piece in octets.chunks(size) {
            let now = Moment::from_micros(0);
            world.conversation.receive(piece, now, &mut world.desk, &world.server);
        }
        assert!(!world.conversation.is_over());
    }
}

struct World {
    desk: Desk,
    conversation: Conversation,
    server: TestServer,
}

struct TestServer {
    reception: Reception,
    clients: RefCell<Vec<ClientStatus>>,
    closed: RefCell<Vec<(u64, Farewell)>>,
    signals: RefCell<Vec<ProcessSignal>>,
    verbosity: Cell<u8>,
    released: Cell<u32>,
}

impl TestServer {
    fn new() -> Self {
        Self {
            reception: Reception::open().unwrap(),
            clients: RefCell::default(),
            closed: RefCell::default(),
            signals: RefCell::default(),
            verbosity: Cell::default(),
            released: Cell::default(),
        }
    }
}

impl Managed for TestServer {
    fn status(&self) -> StatusReport {
        let clients = self.clients.borrow().clone();
        StatusReport { at: Timestamp::from_unix_seconds(0), clients, routes: Vec::new() }
    }

    fn load(&self) -> LoadStatistics {
        LoadStatistics::default()
    }

    fn close(&self, client_id: u64, farewell: Farewell) -> bool {
        let is_there = self.clients.borrow().iter().any(|client| client.client_id == client_id);
        if is_there {
            self.closed.borrow_mut().push((client_id, farewell));
        }
        is_there
    }

    fn signal(&self, signal: ProcessSignal) {
        self.signals.borrow_mut().push(signal);
    }

    fn set_verbosity(&self, verbosity: u8) {
        self.verbosity.set(verbosity);
    }

    fn release_hold(&self) {
        self.released.set(self.released.get() + 1);
    }

    fn reception(&self) -> &Reception {
        &self.reception
    }
}

impl World {
    fn new(password: Option<&str>, is_held: bool) -> Self {
        let password = password.map(|password| Zeroizing::new(password.as_bytes().to_vec()));
        let desk = Desk::new(password, 10, is_held);
        let server = TestServer::new();
        Self { conversation: Conversation::open(&desk, &server), desk, server }
    }

    fn log_in(&mut self) {
        assert!(self.hear().starts_with(">INFO:"));
    }

    fn ask(&mut self, command: &str) -> Vec<String> {
        let answer = self.say(&format!("{command}\n"));
        assert!(answer.is_empty() || answer.ends_with("\r\n"));
        answer.lines().map(ToOwned::to_owned).collect()
    }

    /// A client with the CID 7 asks to be let in.
    fn ask_in(&self, username: &str, key: u32) -> Receiver<LoginUpdate> {
        self.ask_again(username, key, false)
    }

    fn ask_again(&self, username: &str, key: u32, is_connected: bool) -> Receiver<LoginUpdate> {
        let (sender, updates) = channel();
        let answer = Answer::new(move |update| drop(sender.send(update)));
        let occasion = if is_connected { Occasion::Renegotiation } else { Occasion::Connect };
        let attempt = LoginAttempt { key, occasion, ..attempt(username, "secret") };
        self.server.reception.decide(&Arc::new(attempt), answer);
        updates
    }

    fn news(&mut self) -> String {
        let news = self.server.reception.take_news();
        self.conversation.tell_clients(news);
        self.hear()
    }

    fn say(&mut self, text: &str) -> String {
        let now = Moment::from_micros(0);
        self.conversation.receive(text.as_bytes(), now, &mut self.desk, &self.server);
        self.hear()
    }

    fn hear(&mut self) -> String {
        String::from_utf8(self.conversation.take_output()).unwrap()
    }

    fn tell_log(&mut self, text: &str) {
        let line = LogLine { unix_time: 7, level: Level::INFO, text: text.to_owned() };
        Conversation::tell_log(Some(&mut self.conversation), line, &mut self.desk);
    }

    fn tell_state(&mut self, state: ServerState) {
        let at = Timestamp::from_unix_seconds(8);
        Conversation::tell_state(Some(&mut self.conversation), at, state, &mut self.desk);
    }
}

fn client(client_id: u64) -> ClientStatus {
    ClientStatus {
        common_name: "client1".to_owned(),
        remote: "192.0.2.2:59974".parse().unwrap(),
        address: "10.8.0.2".to_owned(),
        address_v6: String::new(),
        received: 84,
        sent: 168,
        since: Timestamp::from_unix_seconds(1),
        username: None,
        client_id,
        peer_id: 3,
        cipher: "AES-256-GCM",
    }
}

/// The moment and the name of the program stand for any.
fn normalized(lines: &[String]) -> Vec<String> {
    let normalize = |line: &String| {
        let separator = if line.contains('\t') { "\t" } else { "," };
        match line.split(separator).next() {
            Some("TITLE") => format!("TITLE{separator}VERSION"),
            Some("TIME") => format!("TIME{separator}NOW"),
            Some("Updated") => "Updated,NOW".to_owned(),
            _ => line.clone(),
        }
    };
    lines.iter().map(normalize).collect()
}
