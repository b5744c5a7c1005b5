//! Users and their hashed passwords in a file, one line each: `name:hash`. Lines that are empty or begin with `#` are
//! left alone.
//!
//! The file is read again when it changes; while it is broken, what was read last stays in force. Whoever changes it
//! with [`PasswordFile::save`] replaces it whole, so that a reader sees the old file or the new one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::{error, info};

use super::password_hash::InvalidPasswordHash;
use super::user_lines::{self, BadUserLine, Fault, MAXIMUM_SIZE, Users};
use super::{Answer, Decider, LoginAttempt, PasswordHash, Shown, Username, Verdict};
use crate::errands::{Errands, Lane};
use crate::runtime::files::write_atomically;

/// The users of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordFile {
    users: Users<PasswordHash>,
}

/// Why a file with users cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordFileError {
    /// It cannot be read or written.
    #[error("cannot use the user file {}: {source}", path.display())]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// It is larger than any file of users.
    #[error("the user file {} is larger than {MAXIMUM_SIZE} octets", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is not `name:hash`.
    #[error("line {line} of the user file {}: {problem}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: BadUserLine<InvalidPasswordHash>,
    },
}

impl PasswordFileError {
    fn of(path: &Path, fault: Fault<InvalidPasswordHash>) -> Self {
        let path = path.to_owned();
        match fault {
            Fault::Unreadable(source) => Self::Inaccessible { path, source },
            Fault::TooLarge => Self::TooLarge { path },
            Fault::Line(line, problem) => Self::BadLine { path, line, problem },
        }
    }

    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Inaccessible { .. } => "user-file-inaccessible",
            Self::TooLarge { .. } | Self::BadLine { .. } => "user-file-malformed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Inaccessible { .. } => {
                "the file must be readable by the server; 'postern user add' makes one"
            }
            Self::TooLarge { .. } => "name a file that 'postern user add' made",
            Self::BadLine { .. } => {
                "lines are NAME:HASH as 'postern user add' writes them; delete or repair the line"
            }
        }
    }
}

impl PasswordFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`PasswordFileError`]: the file cannot be read, is too large, or has a line that is not `name:hash`.
    pub fn load(path: &Path) -> Result<Self, PasswordFileError> {
        let file = File::open(path)
            .map_err(|source| PasswordFileError::Inaccessible { path: path.to_owned(), source })?;
        let users = user_lines::read(&file).map_err(|fault| PasswordFileError::of(path, fault))?;
        Ok(Self { users })
    }

    /// Replaces a file, readable by its owner only.
    ///
    /// # Errors
    ///
    /// [`PasswordFileError::Inaccessible`] when that is not possible.
    pub fn save(&self, path: &Path) -> Result<(), PasswordFileError> {
        write_atomically(path, self.to_text().as_bytes())
            .map_err(|source| PasswordFileError::Inaccessible { path: path.to_owned(), source })
    }

    /// Gives a user a password; answers whether the user is new.
    pub fn set(&mut self, username: Username, hash: PasswordHash) -> bool {
        self.users.insert(username, hash).is_none()
    }

    /// Takes a user out; answers whether there was one.
    pub fn remove(&mut self, username: &Username) -> bool {
        self.users.remove(username).is_some()
    }

    /// Whether there is such a user.
    #[must_use]
    pub fn contains(&self, username: &Username) -> bool {
        self.users.contains_key(username)
    }

    /// The users, by name.
    pub fn usernames(&self) -> impl Iterator<Item = &Username> {
        self.users.keys()
    }

    fn to_text(&self) -> String {
        self.users.iter().map(|(name, hash)| format!("{name}:{hash}\n")).collect()
    }
}

/// Lets in whoever stands in a file with the password that was shown.
pub struct PasswordFileDecider {
    kept: Arc<Kept>,
    errands: Arc<Errands>,
}

/// A file and what was read from it.
struct Kept {
    path: PathBuf,
    state: Mutex<(Option<Stamp>, Arc<PasswordFile>)>,
    nobody: PasswordHash,
}

/// By what a changed file is known.
type Stamp = (SystemTime, u64);

impl PasswordFileDecider {
    /// A decider by the file at `path`, whose passwords are checked on the threads of `errands`.
    ///
    /// # Errors
    ///
    /// [`PasswordFileError`] when the file cannot be used at the start.
    pub fn open(path: &Path, errands: Arc<Errands>) -> Result<Self, PasswordFileError> {
        let stamp = stamp(path);
        let file = Arc::new(PasswordFile::load(path)?);
        let state = Mutex::new((stamp, file));
        let kept = Kept { path: path.to_owned(), state, nobody: PasswordHash::of_nobody() };
        Ok(Self { kept: Arc::new(kept), errands })
    }
}

impl Decider for PasswordFileDecider {
    fn decide(&self, attempt: &Arc<LoginAttempt>, answer: Answer) {
        let (kept, attempt) = (Arc::clone(&self.kept), Arc::clone(attempt));
        let lane = Lane::of_source(attempt.client.remote.ip());
        self.errands.submit(
            lane,
            answer,
            move |answer| answer.decide(kept.judge(&attempt)),
            |answer| {
                answer.decide(Verdict::busy("too many passwords wait to be checked"));
            },
        );
    }

    fn still_knows(&self, username: &Username) -> bool {
        self.kept.current().contains(username)
    }
}

impl Kept {
    /// A user that does not exist costs as much time as a wrong password.
    fn judge(&self, attempt: &LoginAttempt) -> Verdict {
        let (Some(username), Some(shown)) = (&attempt.username, &attempt.shown) else {
            return Verdict::wrong_credentials("no-credentials", "no user name or no password was sent");
        };
        let Shown::Password(password) = shown else {
            let detail = format!("user {:?} answered a question that was not asked", username.as_str());
            return Verdict::wrong_credentials("unexpected-response", detail);
        };
        let file = self.current();
        let hash = file.users.get(username);
        let matches = hash.unwrap_or(&self.nobody).matches(password);
        match hash {
            Some(_) if matches => Verdict::accept(),
            Some(_) => Verdict::wrong_credentials(
                "wrong-password",
                format!("wrong password for user {:?}", username.as_str()),
            ),
            None => {
                let detail = format!("there is no user {:?} in {}", username.as_str(), self.path.display());
                Verdict::wrong_credentials("unknown-user", detail)
            }
        }
    }

    /// The users as they stand in the file now, or as they stood when it was last usable.
    fn current(&self) -> Arc<PasswordFile> {
        let found = stamp(&self.path);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 != found {
            state.0 = found;
            match PasswordFile::load(&self.path) {
                Ok(file) => {
                    info!(users = file.users.len(), "the user file was read again");
                    state.1 = Arc::new(file);
                }
                Err(error) => error!(%error, "the user file stays as it was read before"),
            }
        }
        Arc::clone(&state.1)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use vpn_proto::Password;

    use super::*;
    use crate::auth::login::{HashParameters, LoginUpdate};
    use crate::testing::login::attempt;

    const CHEAP: HashParameters = HashParameters { memory: 32, passes: 1, lanes: 1 };

    fn hash(password: &str) -> PasswordHash {
        PasswordHash::of(&Password::new(password.to_owned()), CHEAP).unwrap()
    }

    fn user(name: &str) -> Username {
        Username::parse(name).unwrap()
    }

    fn file(users: &[(&str, &str)]) -> PasswordFile {
        let mut file = PasswordFile::default();
        for (name, password) in users {
            file.set(user(name), hash(password));
        }
        file
    }

    struct World {
        directory: tempfile::TempDir,
        decider: PasswordFileDecider,
    }

    impl World {
        fn new(users: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            file(users).save(&directory.path().join("users")).unwrap();
            let errands = Arc::new(Errands::start("test", 2).unwrap());
            let decider = PasswordFileDecider::open(&directory.path().join("users"), errands).unwrap();
            Self { directory, decider }
        }

        fn decide(&self, username: &str, password: &str) -> String {
            let (sender, updates) = channel();
            let answer = Answer::new(move |update| sender.send(update).unwrap());
            self.decider.decide(&Arc::new(attempt(username, password)), answer);
            match updates.recv_timeout(Duration::from_secs(60)).unwrap() {
                LoginUpdate::Decided(Verdict::Accept(_)) => "accepted".to_owned(),
                LoginUpdate::Decided(Verdict::Deny(denial)) => denial.code.to_owned(),
                other @ (LoginUpdate::Wait(_) | LoginUpdate::Decided(_)) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn users_get_in_with_their_own_password_only() {
        let world = World::new(&[("alice", "secret"), ("bob", "other")]);
        assert_eq!(world.decide("alice", "secret"), "accepted");
        assert_eq!(world.decide("alice", "other"), "wrong-password");
        assert_eq!(world.decide("carol", "secret"), "unknown-user");
        assert_eq!(world.decide("alice", "SCRV1:c2VjcmV0:MTIz"), "unexpected-response");
    }

    #[test]
    fn a_client_does_not_learn_whether_a_user_exists() {
        let said = |verdict| {
            let Verdict::Deny(denial) = verdict else { panic!("{verdict:?}") };
            denial.public
        };
        let world = World::new(&[("alice", "secret")]);
        let judge = |name| said(world.decider.kept.judge(&attempt(name, "wrong")));
        assert_eq!(judge("alice"), judge("nobody"));
    }

    #[test]
    fn a_changed_file_counts_from_the_next_login_on() {
        let world = World::new(&[("alice", "secret")]);
        let path = world.directory.path().join("users");
        file(&[("bob", "longer secret"), ("carol", "x")]).save(&path).unwrap();
        assert_eq!(world.decide("alice", "secret"), "unknown-user");
        assert_eq!(world.decide("bob", "longer secret"), "accepted");
        assert!(!world.decider.still_knows(&user("alice")) && world.decider.still_knows(&user("bob")));
    }

    #[test]
    fn a_broken_or_lost_file_changes_nothing() {
        let world = World::new(&[("alice", "secret")]);
        let path = world.directory.path().join("users");
        fs::write(&path, "alice").unwrap();
        assert_eq!(world.decide("alice", "secret"), "accepted");
        fs::remove_file(&path).unwrap();
        assert_eq!(world.decide("alice", "secret"), "accepted");
    }

    #[test]
    fn a_file_reads_back_with_names_that_have_colons() {
        let written = file(&[("alice", "a"), ("domain:bob", "b")]);
        assert_eq!(user_lines::parse(&written.to_text()), Ok(written.users));
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, format!("alice:{}\nbob:secret\n", hash("x"))).unwrap();
        let error = PasswordFile::load(&path).unwrap_err();
        assert_eq!(error.code(), "user-file-malformed");
        assert!(error.to_string().contains("line 2 of the user file"), "{error}");
    }

    #[test]
    fn pki_02_the_file_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        file(&[("alice", "a")]).save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_with_a_way_out() {
        let error = PasswordFile::load(Path::new("/nonexistent/users")).unwrap_err();
        assert_eq!(error.code(), "user-file-inaccessible");
        assert!(error.help().contains("postern user add"));
    }
}
