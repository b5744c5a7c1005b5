//! What is remembered of each user's codes, in a file that outlives the server: which was used last, and how often they
//! were wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pki_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::Username;
use super::code::{OneTimeSecret, Step};
use crate::runtime::files::write_atomically;

/// The standings of all users.
#[derive(Debug)]
pub(super) struct Standings {
    path: PathBuf,
    users: Mutex<BTreeMap<String, Standing>>,
}

/// That of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Standing {
    /// The step of the last code that was used.
    last_step: Option<u64>,
    /// Wrong codes since then.
    failures: u32,
    /// Codes are not looked at before that time, in seconds since 1970.
    blocked_until: i64,
}

/// Why a code does not count.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodeRefusal {
    /// It is wrong.
    #[error("the code is wrong, for the {failures}. time in a row")]
    Wrong {
        /// How often that was the case.
        failures: u32,
    },
    /// It, or one after it, was used before.
    #[error("the code was used before")]
    Used,
    /// There were too many wrong ones.
    #[error("there were {failures} wrong codes in a row: none counts for another {} s", wait.as_secs())]
    Blocked {
        /// How many.
        failures: u32,
        /// How long none counts.
        wait: Duration,
    },
    /// It is right, but that could not be written down.
    #[error("the file with used codes cannot be written: {0}")]
    NotNoted(#[source] io::Error),
}

/// So many wrong codes cost nothing.
const FREE_TRIES: u32 = 4;
const FIRST_BLOCK: i64 = 30;
const LONGEST_BLOCK: i64 = 900;

impl Standings {
    /// What is in the file, or nothing if there is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let users = match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), users: Mutex::new(users) })
    }

    /// Looks at a code of somebody whose password was right. One that counts is written down before this returns.
    pub(super) fn judge(
        &self,
        username: &Username,
        secret: &OneTimeSecret,
        code: &str,
        now: Timestamp,
    ) -> Result<(), CodeRefusal> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let before = users.get(username.as_str()).copied().unwrap_or_default();
        let (after, verdict) = before.judge(secret, code, now);
        if after != before {
            users.insert(username.as_str().to_owned(), after);
            let text = serde_json::to_vec(&*users).map_err(io::Error::other);
            text.and_then(|text| write_atomically(&self.path, &text)).map_err(CodeRefusal::NotNoted)?;
        }
        verdict
    }
}

impl Standing {
    /// What is remembered after a code, and what it is worth.
    fn judge(self, secret: &OneTimeSecret, code: &str, now: Timestamp) -> (Self, Result<(), CodeRefusal>) {
        let wait = self.blocked_until.saturating_sub(now.unix_seconds());
        if let Ok(wait @ 1..) = u64::try_from(wait) {
            let wait = Duration::from_secs(wait);
            return (self, Err(CodeRefusal::Blocked { failures: self.failures, wait }));
        }
        match secret.step_of(code, now) {
            Some(Step(step)) if self.last_step.is_some_and(|last| step <= last) => {
                (self, Err(CodeRefusal::Used))
            }
            Some(Step(step)) => (Self { last_step: Some(step), ..Self::default() }, Ok(())),
            None => {
                let failures = self.failures.saturating_add(1);
                let blocked_until = now.unix_seconds().saturating_add(block_after(failures));
                (Self { failures, blocked_until, ..self }, Err(CodeRefusal::Wrong { failures }))
            }
        }
    }
}

/// Seconds for which no code counts: none at first, then twice as many each time.
fn block_after(failures: u32) -> i64 {
    match failures.checked_sub(FREE_TRIES + 1) {
        None => 0,
        Some(more) => FIRST_BLOCK.saturating_mul(1 << more.min(10)).min(LONGEST_BLOCK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    /// The code of RFC 6238 for this moment.
    const RIGHT: (&str, i64) = ("005924", 1_234_567_890);

    struct World {
        directory: tempfile::TempDir,
        standings: Standings,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let standings = Standings::open(&directory.path().join("one-time.json")).unwrap();
            Self { directory, standings }
        }

        fn restart(&mut self) {
            self.standings = Standings::open(&self.directory.path().join("one-time.json")).unwrap();
        }

        fn judge(&self, user: &str, code: &str, seconds: i64) -> Result<(), CodeRefusal> {
            let user = Username::parse(user).unwrap();
            self.standings.judge(&user, &SECRET.parse().unwrap(), code, Timestamp::from_unix_seconds(seconds))
        }
    }

    #[test]
    fn a_code_is_good_once_also_after_a_restart_and_for_each_user() {
        let mut world = World::new();
        let (code, now) = RIGHT;
        world.judge("alice", code, now).unwrap();
        assert!(matches!(world.judge("alice", code, now), Err(CodeRefusal::Used)));
        world.restart();
        assert!(matches!(world.judge("alice", code, now + 20), Err(CodeRefusal::Used)));
        world.judge("bob", code, now).unwrap();
    }

    #[test]
    fn a_code_from_before_the_last_one_is_used_up_too() {
        let world = World::new();
        world.judge("alice", "050471", 1_111_111_111).unwrap();
        assert!(matches!(world.judge("alice", "081804", 1_111_111_111), Err(CodeRefusal::Used)));
    }

    #[test]
    fn four_wrong_codes_cost_nothing_and_one_more_costs_time() {
        let mut world = World::new();
        let (code, now) = RIGHT;
        for failures in 1..=5 {
            let refusal = world.judge("alice", "000000", now - 5).unwrap_err();
            assert!(matches!(refusal, CodeRefusal::Wrong { failures: counted } if counted == failures));
        }
        world.restart();
        let blocked = world.judge("alice", code, now).unwrap_err();
        assert!(
            matches!(blocked, CodeRefusal::Blocked { failures: 5, wait } if wait.as_secs() == 25),
            "{blocked}"
        );
        world.judge("bob", code, now).unwrap();
        world.judge("alice", code, now + 25).unwrap();
        assert!(matches!(world.judge("alice", "000000", now + 60), Err(CodeRefusal::Wrong { failures: 1 })));
    }

    #[test]
    fn blocks_grow_and_have_an_end() {
        let seconds: Vec<i64> = (4..12).map(block_after).collect();
        assert_eq!(seconds, [0, 30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(block_after(u32::MAX), LONGEST_BLOCK);
    }

    #[test]
    fn a_code_that_cannot_be_noted_does_not_count() {
        let world = World::new();
        let (code, now) = RIGHT;
        fs::create_dir(world.directory.path().join("one-time.json")).unwrap();
        assert!(matches!(world.judge("alice", code, now), Err(CodeRefusal::NotNoted(_))));
    }

    #[test]
    fn a_broken_file_is_an_error_and_not_a_fresh_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one-time.json");
        fs::write(&path, "{").unwrap();
        assert_eq!(Standings::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
