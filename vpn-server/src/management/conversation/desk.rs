//! What outlives a management client: histories, the hold, the verbosity.

use zeroize::Zeroizing;

use super::super::history::{History, LogLine};
use super::super::notice::StateEntry;
use crate::status::StatusVersion;

const STATES: usize = 100;

/// What all management clients share, one after another.
pub(in crate::management) struct Desk {
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
    pub(super) log: History<LogLine>,
    pub(super) states: History<StateEntry>,
    pub(super) default_status: StatusVersion,
    pub(super) is_held: bool,
    pub(super) is_waiting: bool,
    pub(super) verbosity: u8,
    pub(super) mute: u32,
    pub(super) auth_retry: String,
}

impl Desk {
    pub(in crate::management) fn new(
        password: Option<Zeroizing<Vec<u8>>>,
        log_lines: usize,
        is_held: bool,
    ) -> Self {
        Self {
            password,
            log: History::new(log_lines),
            states: History::new(STATES),
            default_status: StatusVersion::One,
            is_held,
            is_waiting: is_held,
            verbosity: 3,
            mute: 0,
            auth_retry: "none".to_owned(),
        }
    }

    /// The form of a status that is asked for without a number.
    pub(in crate::management) fn set_default_status(&mut self, version: StatusVersion) {
        self.default_status = version;
    }
}
