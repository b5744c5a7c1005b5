//! `postern user`: the users that log in by password.
//!
//! A running server reads the file again by itself.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vpn_server::auth::login::{
    HashParameters, OneTimeSecret, OneTimeSecrets, OneTimeSecretsError, Password, PasswordFile,
    PasswordFileError, PasswordHash, Username,
};

use super::Session;
use crate::args::user::{OneTimeCodes, OneUser, UserCommand, UserFile, WithPassword};
use crate::error::CliError;
use crate::output::Answer;
use crate::output::qr::LinkCode;

pub(super) fn run(session: &Session, command: &UserCommand) -> Result<Answer, CliError> {
    match command {
        UserCommand::Add(arguments) => add(session, arguments),
        UserCommand::Passwd(arguments) => change_password(session, arguments),
        UserCommand::Totp(arguments) => new_one_time_secret(session, arguments),
        UserCommand::Delete(arguments) => delete(session, arguments),
        UserCommand::List(arguments) => list(arguments),
    }
}

fn add(session: &Session, arguments: &WithPassword) -> Result<Answer, CliError> {
    let username = username(&arguments.user)?;
    let path = &arguments.user.file.users;
    if load_or_empty(path)?.contains(&username) {
        return Err(CliError::UserExists { name: username.to_string(), path: path.clone() });
    }
    let hash = new_hash(session, arguments, &username)?;
    let _lock = lock(session, path)?;
    let mut file = load_or_empty(path)?;
    if file.contains(&username) {
        return Err(CliError::UserExists { name: username.to_string(), path: path.clone() });
    }
    file.set(username.clone(), hash);
    file.save(path)?;
    Ok(about(&username, "added"))
}

fn change_password(session: &Session, arguments: &WithPassword) -> Result<Answer, CliError> {
    let username = username(&arguments.user)?;
    let path = &arguments.user.file.users;
    require(&PasswordFile::load(path)?, &username, path)?;
    let hash = new_hash(session, arguments, &username)?;
    let _lock = lock(session, path)?;
    let mut file = PasswordFile::load(path)?;
    require(&file, &username, path)?;
    file.set(username.clone(), hash);
    file.save(path)?;
    Ok(about(&username, "changed"))
}

fn delete(session: &Session, arguments: &OneUser) -> Result<Answer, CliError> {
    let username = username(arguments)?;
    let path = &arguments.file.users;
    let _lock = lock(session, path)?;
    let mut file = PasswordFile::load(path)?;
    require(&file, &username, path)?;
    file.remove(&username);
    file.save(path)?;
    Ok(about(&username, "deleted"))
}

/// The secret is printed once; whoever has it can make the codes of the user.
fn new_one_time_secret(session: &Session, arguments: &OneTimeCodes) -> Result<Answer, CliError> {
    let username = parse_username(&arguments.name)?;
    let path = &arguments.secrets;
    let secret = OneTimeSecret::generate().map_err(|cause| CliError::File {
        operation: "make a secret for",
        path: path.clone(),
        cause,
    })?;
    let _lock = lock(session, path)?;
    let mut secrets = secrets_or_none(path)?;
    let is_new = secrets.set(username.clone(), secret.clone());
    secrets.save(path)?;
    let uri = secret.to_uri(&arguments.issuer, username.as_str());
    if !is_new {
        session.output.note(&format!("The former secret of {username} makes no valid codes any longer."));
    }
    let value = json!({ "user": username.as_str(), "uri": uri.as_str(), "replaced": !is_new });
    let picture = if arguments.qr { LinkCode::of(&uri)?.to_text() } else { String::new() };
    Ok(Answer { text: format!("{picture}{}\n", *uri), value, warnings: Vec::new() })
}

fn secrets_or_none(path: &Path) -> Result<OneTimeSecrets, CliError> {
    match OneTimeSecrets::load(path) {
        Err(OneTimeSecretsError::Inaccessible { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(OneTimeSecrets::default())
        }
        other => Ok(other?),
    }
}

fn list(arguments: &UserFile) -> Result<Answer, CliError> {
    let file = PasswordFile::load(&arguments.users)?;
    let names: Vec<&str> = file.usernames().map(Username::as_str).collect();
    let text = names.iter().map(|name| format!("{name}\n")).collect();
    Ok(Answer { text, value: json!({ "users": names }), warnings: Vec::new() })
}

fn about(username: &Username, what: &str) -> Answer {
    let value: Value = json!({ "user": username.as_str(), "event": what });
    Answer { text: format!("User {username} {what}.\n"), value, warnings: Vec::new() }
}

fn username(arguments: &OneUser) -> Result<Username, CliError> {
    parse_username(&arguments.name)
}

fn parse_username(name: &str) -> Result<Username, CliError> {
    Username::parse(name).map_err(|cause| CliError::Username { name: name.to_owned(), cause })
}

fn require(file: &PasswordFile, username: &Username, path: &Path) -> Result<(), CliError> {
    if file.contains(username) {
        return Ok(());
    }
    Err(CliError::NoSuchUser { name: username.to_string(), path: path.to_owned() })
}

fn load_or_empty(path: &Path) -> Result<PasswordFile, CliError> {
    match PasswordFile::load(path) {
        Err(PasswordFileError::Inaccessible { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(PasswordFile::default())
        }
        other => Ok(other?),
    }
}

/// The password is asked for before anybody is locked out.
fn new_hash(
    session: &Session,
    arguments: &WithPassword,
    username: &Username,
) -> Result<PasswordHash, CliError> {
    let password = match &arguments.password {
        Some(source) => source.resolve(session.prompter())?,
        None if session.prompter().is_batch() => {
            return Err(CliError::NoPassphrase("nobody is asked in batch mode; use --password".to_owned()));
        }
        None => session.prompter().new_passphrase(&format!("Password for {username}: "))?,
    };
    let text = std::str::from_utf8(password.as_bytes()).map_err(|_| CliError::BadPassword("is not text"))?;
    if text.is_empty() {
        return Err(CliError::BadPassword("is empty"));
    }
    if text.len() > LONGEST_PASSWORD {
        return Err(CliError::BadPassword("is longer than 128 octets, which is what stock clients can send"));
    }
    let password = Password::new(text.to_owned());
    PasswordHash::of(&password, HashParameters::DEFAULT).map_err(|cause| CliError::File {
        operation: "hash the password for",
        path: PathBuf::from(username.as_str()),
        cause,
    })
}

/// Stock clients send no more (protocol reference section 6).
const LONGEST_PASSWORD: usize = 128;

/// Two changes at once do not lose each other; a lock ends with its process.
fn lock(session: &Session, path: &Path) -> Result<File, CliError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |cause| CliError::File { operation: "lock", path: path.clone(), cause };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let deadline = Instant::now() + session.lock().timeout;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Err(failed(io::ErrorKind::TimedOut.into())),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
    }
}
