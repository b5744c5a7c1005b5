//! Stock clients that log in by a directory: real OpenLDAP, over StartTLS and LDAPS, with groups, dead servers, codes and
//! a connect handler.

use std::cell::Cell;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_support::lab::TARGET;
use test_support::traffic::ping;
use test_support::{
    Context, Directory, Implementation, KeyKind, Lab, Pki, Result, ServerPlan, StockClient, Vpn, wait,
};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
const STAFF: &str = "S-1-5-21-1-2-3-1001";
const ADMINS: &str = "S-1-5-21-1-2-3-1002";
const EVERYTHING: &str = "S-1-5-21-1-2-3-1003";

/// A laboratory with a directory on the server's host, and a certificate authority.
struct World {
    lab: Lab,
    pki: Cell<Option<Pki>>,
    directory: Directory,
}

impl World {
    fn new(clients: u8) -> Result<Self> {
        let lab = Lab::new(clients)?;
        let pki = Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), KeyKind::P256)?;
        pki.run(["--subject-alt-name=DNS:localhost", "build-server-full", "localhost", "nopass"])?;
        let directory = Directory::start(lab.server(), lab.scratch(), &pki)?;
        Ok(Self { lab, pki: Cell::new(Some(pki)), directory })
    }

    /// A server with this table `[directory]` behind the usual beginning, and with these options.
    fn serve(&self, urls: &[String], table: &str, options: &[&str]) -> Result<Vpn<'_>> {
        let pki = self.pki.take().ok_or("it was used before").context("taking the authority")?;
        let password = self.lab.scratch().join("bind-password");
        fs::write(&password, "search\n").context("writing a password")?;
        let text = format!(
            "[directory]\nurl = {urls:?}\nca = {:?}\n{}\n",
            pki.ca_certificate(),
            table.replace("PASSWORD", password.to_str().unwrap_or_default()),
        );
        let file = self.lab.scratch().join("postern.toml");
        fs::write(&file, text).context("writing a configuration")?;
        let file = file.display().to_string();
        let plan = ServerPlan::default().with_options(&["--config", &file]).with_options(options);
        Vpn::start_with_pki(&self.lab, &Implementation::Postern(POSTERN.into()), pki, &["alice", "bob"], plan)
    }
}

/// The account that searches, and groups by search, nested ones too.
const SERVICE: &str = "bind-dn = \"cn=postern,dc=test\"\nbind-password-file = \"PASSWORD\"\nbase = \"ou=people,dc=test\"\n\
                       groups = \"search\"\ngroup-base = \"ou=groups,dc=test\"\n";

/// A file with a user name and a password, for the client.
fn login(lab: &Lab, user: &str, password: &str) -> Result<String> {
    let name: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
    let path = lab.scratch().join(format!("login-{name}-{}", password.len()));
    fs::write(&path, format!("{user}\n{password}\n")).context("writing a login")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).context("writing a login")?;
    Ok(path.display().to_string())
}

/// A handler that notes what it is told, and answers this.
fn handler(lab: &Lab, answer: &str) -> Result<(String, PathBuf)> {
    let (path, notes) = (lab.scratch().join("handler"), lab.scratch().join("asked"));
    let text = format!("#!/bin/sh\n(cat; echo) >> {}\ncat <<'END'\n{answer}\nEND\n", notes.display());
    fs::write(&path, text).context("writing a handler")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("writing a handler")?;
    Ok((format!("exec:{}", path.display()), notes))
}

const ALLOW: &str = "{\"allow\":true,\"error-msg-on-denied-connection\":\"\",\
                     \"posture-compliance-statuses\":[],\"schema-version\":\"v2\"}";

/// The groups that the handler was told of a user.
fn groups_of(notes: &PathBuf, user: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(notes).context("reading what the handler was told")?;
    let told = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let about = told
        .into_iter()
        .find(|told| told["username"] == user)
        .ok_or(user)
        .context("looking for a request")?;
    let groups = about["groups"].as_array().cloned().unwrap_or_default();
    Ok(groups.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}

const WRONG: &str = "AUTH: Received control message: AUTH_FAILED,the user name or the password is wrong";

#[test]
fn two_users_by_starttls_are_in_their_own_groups_nested_ones_too() {
    let world = World::new(2).unwrap();
    let (handler, notes) = handler(&world.lab, ALLOW).unwrap();
    let (alice, bob) =
        (login(&world.lab, "alice", "secret").unwrap(), login(&world.lab, "bob", "secret").unwrap());
    let urls = [world.directory.url()];
    let table = format!("{SERVICE}group-id = \"sid\"");
    let vpn = world.serve(&urls, &table, &["--connect-handler", &handler]).unwrap();
    let _alice = vpn.connect(world.lab.client(1), "alice", &["--auth-user-pass", &alice]).unwrap();
    let _bob = vpn.connect(world.lab.client(2), "bob", &["--auth-user-pass", &bob]).unwrap();
    ping::require(world.lab.client(1), TARGET, LIMIT).unwrap();
    ping::require(world.lab.client(2), TARGET, LIMIT).unwrap();
    assert_eq!(groups_of(&notes, "alice").unwrap(), [STAFF, ADMINS, EVERYTHING]);
    assert_eq!(groups_of(&notes, "bob").unwrap(), [STAFF]);
}

#[test]
fn by_ldaps_and_the_attribute_of_members_after_servers_that_are_dead_and_hang() {
    let world = World::new(1).unwrap();
    let hanging: TcpListener = world.lab.server().tcp_listener(Ipv4Addr::LOCALHOST).unwrap();
    let hanging_url = format!("ldaps://localhost:{}", hanging.local_addr().unwrap().port());
    let (handler, notes) = handler(&world.lab, ALLOW).unwrap();
    let alice = login(&world.lab, "alice", "secret").unwrap();
    let urls = ["ldaps://localhost:1".to_owned(), hanging_url, world.directory.tls_url()];
    let table =
        SERVICE.replace("\"search\"\ngroup-base = \"ou=groups,dc=test\"", "\"member-of\"\ngroup-id = \"cn\"");
    let table = format!("{table}connect-timeout = 5");
    let mut vpn = world.serve(&urls, &table, &["--connect-handler", &handler]).unwrap();
    let _client = vpn.connect(world.lab.client(1), "alice", &["--auth-user-pass", &alice]).unwrap();
    assert_eq!(groups_of(&notes, "alice").unwrap(), ["admins", "everything", "staff"]);
    let log = vpn.server().process().log();
    for failure in ["directory-unreachable", "directory-timed-out"] {
        log.wait_for(failure, LIMIT).unwrap();
        assert_eq!(log.matching(failure).len(), 1, "{}", log.tail());
    }
}

#[test]
fn wrong_passwords_unknown_users_and_filters_as_names_are_refused_alike() {
    let world = World::new(1).unwrap();
    let logins = [("alice", "wrong"), ("nobody", "secret"), ("*", "secret"), ("alice)(uid=*", "secret")];
    let logins = logins.map(|(user, password)| login(&world.lab, user, password).unwrap());
    let urls = [world.directory.tls_url()];
    let vpn = world.serve(&urls, SERVICE, &[]).unwrap();
    let profile = vpn.profile("alice").unwrap();
    for login in logins {
        let host = world.lab.client(1);
        let mut client = StockClient::start(host, &profile, &["--auth-user-pass", &login]).unwrap();
        client.wait_refused(WRONG, LIMIT).unwrap();
    }
}

#[test]
fn a_referral_is_not_followed_and_the_client_learns_nothing_of_it() {
    let world = World::new(1).unwrap();
    let alice = login(&world.lab, "alice", "secret").unwrap();
    let urls = [world.directory.tls_url()];
    let table = SERVICE.replace("ou=people,dc=test", "dc=elsewhere");
    let mut vpn = world.serve(&urls, &table, &[]).unwrap();
    let profile = vpn.profile("alice").unwrap();
    let client = StockClient::start(world.lab.client(1), &profile, &["--auth-user-pass", &alice]).unwrap();
    client.log().wait_for("logins are not possible at the moment, try again later", LIMIT).unwrap();
    let log = vpn.server().process().log();
    log.wait_for("directory-referral", LIMIT).unwrap();
    assert_eq!(log.matching("directory-referral").len(), 1);
}

#[test]
fn a_directory_with_a_foreign_certificate_never_sees_a_password() {
    let world = World::new(1).unwrap();
    let alice = login(&world.lab, "alice", "secret").unwrap();
    // The certificate is for localhost.
    let urls = [world.directory.url().replace("localhost", "127.0.0.1")];
    let mut vpn = world.serve(&urls, SERVICE, &[]).unwrap();
    let profile = vpn.profile("alice").unwrap();
    let client = StockClient::start(world.lab.client(1), &profile, &["--auth-user-pass", &alice]).unwrap();
    client.log().wait_for("logins are not possible at the moment, try again later", LIMIT).unwrap();
    vpn.server().process().log().wait_for("certificate not valid for name", LIMIT).unwrap();
    drop(client);
    drop(vpn);
    assert!(world.directory.log().matching("BIND dn=").is_empty(), "{}", world.directory.log().tail());
}

#[test]
fn a_user_who_binds_directly_needs_a_code_beside_the_password() {
    let world = World::new(1).unwrap();
    let secrets = world.lab.scratch().join("secrets");
    let uri = one_time_secret(&secrets).unwrap();
    let (handler, notes) = handler(&world.lab, ALLOW).unwrap();
    let table = "user-name = \"uid={user},ou=people,dc=test\"\nbase = \"ou=people,dc=test\"\ngroups = \"member-of\"\n\
                 group-depth = 0";
    let without = login(&world.lab, "alice", "secret").unwrap();
    let urls = [world.directory.tls_url()];
    let secrets = secrets.display().to_string();
    let options =
        ["--one-time-secrets", &secrets, "--auth-gen-token", "3600", "--connect-handler", handler.as_str()];
    let vpn = world.serve(&urls, table, &options).unwrap();
    let profile = vpn.profile("alice").unwrap();
    let host = world.lab.client(1);
    let mut question = StockClient::start(host, &profile, &["--auth-user-pass", &without]).unwrap();
    question.wait_refused("AUTH_FAILED,CRV1:E,R:", LIMIT).unwrap();
    drop(question);
    // At the last moment: it holds for half a minute.
    let static_answer = static_response("secret", &code(&uri).unwrap());
    let alice = login(&world.lab, "alice", &static_answer).unwrap();
    let client = vpn.connect(host, "alice", &["--auth-user-pass", &alice]).unwrap();
    ping::require(host, TARGET, LIMIT).unwrap();
    let groups = ["cn=admins,ou=groups,dc=test", "cn=staff,ou=groups,dc=test"];
    assert_eq!(groups_of(&notes, "alice").unwrap(), groups);
    drop(client);
    let mut again = StockClient::start(host, &profile, &["--auth-user-pass", &alice]).unwrap();
    again.wait_refused(WRONG, LIMIT).unwrap();
}

#[test]
fn a_handler_that_says_no_is_heard_by_the_client_and_the_log() {
    let world = World::new(1).unwrap();
    let answer = ALLOW.replace("true", "false").replace(
        "\"error-msg-on-denied-connection\":\"\"",
        "\"error-msg-on-denied-connection\":\"update your system\"",
    );
    let (handler, _) = handler(&world.lab, &answer).unwrap();
    let alice = login(&world.lab, "alice", "secret").unwrap();
    let urls = [world.directory.tls_url()];
    let vpn = world.serve(&urls, SERVICE, &["--connect-handler", &handler]).unwrap();
    let profile = vpn.profile("alice").unwrap();
    let mut client =
        StockClient::start(world.lab.client(1), &profile, &["--auth-user-pass", &alice]).unwrap();
    client.wait_refused("AUTH_FAILED,update your system", LIMIT).unwrap();
    let log = test_support::postern::connection_log(vpn.pki());
    wait::until("the refusal in the connection log", LIMIT, || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let reason = "\"connection-attempt-failure-reason\":\"client-connect-failed\"";
        Ok(text.contains(reason).then_some(()))
    })
    .unwrap();
}

/// A new secret for Alice; answers with the link for her app.
fn one_time_secret(file: &PathBuf) -> Result<String> {
    let output = Command::new(POSTERN).args(["user", "totp", "alice", "--secrets"]).arg(file).output();
    let output = output.context("making a secret")?;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).context("reading the link")
}

/// The code of this moment, as an implementation of somebody else makes it.
fn code(uri: &str) -> Result<String> {
    let program = "import base64,hashlib,hmac,struct,sys,time,urllib.parse\n\
                   secret=urllib.parse.parse_qs(urllib.parse.urlparse(sys.argv[1]).query)['secret'][0]\n\
                   mac=hmac.new(base64.b32decode(secret),struct.pack('>Q',int(time.time())//30),hashlib.sha1).digest()\n\
                   at=mac[-1]&15\n\
                   print('%06d'%((struct.unpack('>I',mac[at:at+4])[0]&0x7fffffff)%10**6))";
    let output =
        Command::new("python3").args(["-c", program, uri.trim()]).output().context("running python3")?;
    assert!(output.status.success(), "{output:?}");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What a client with `static-challenge` in its profile sends.
fn static_response(password: &str, code: &str) -> String {
    let encode = |text: &str| {
        let output = Command::new("python3")
            .args(["-c", "import base64,sys; print(base64.b64encode(sys.argv[1].encode()).decode())", text])
            .output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    format!("SCRV1:{}:{}", encode(password), encode(code))
}
