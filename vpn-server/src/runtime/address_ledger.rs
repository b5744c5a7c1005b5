//! The file that remembers, over restarts, which client had which address.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::files::write_atomically;
use crate::addr::{AddressBook, AddressPool, ledger};
use crate::config::InsideSettings;

/// How often the file is written at most.
const INTERVAL: Duration = Duration::from_secs(30);

/// The file, and what of it is written.
pub(super) struct AddressLedger {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Clone, Copy)]
struct Written {
    changes: u64,
    next: Instant,
}

impl AddressLedger {
    /// The ledger at `path`, which need not exist.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, written: Mutex::new(Written { changes: 0, next: Instant::now() + INTERVAL }) }
    }

    /// The addresses for clients, with what the file remembers. One that cannot be read is an empty one.
    pub(super) fn open_book(&self, inside: &InsideSettings) -> AddressBook {
        let v4 = AddressPool::over_v4(inside.client_cidrs.v4.net());
        let v4 = match inside.pool {
            Some(pool) => v4.within(&(pool.first..=pool.last)),
            None => v4,
        };
        let mut book = AddressBook::new(v4, inside.client_cidrs.v6.map(|v6| AddressPool::over_v6(v6.net())));
        for (client, address) in self.read() {
            book.remember(&client, address);
        }
        book
    }

    /// Writes what has changed, if it is time. `history` answers with the addresses, if there are others than at the given
    /// number of changes, and the number now.
    pub(super) fn keep_up(&self, history: impl FnOnce(u64) -> Option<(u64, Vec<(IpAddr, String)>)>) {
        let is_time = self.written.lock().unwrap_or_else(PoisonError::into_inner).next <= Instant::now();
        if is_time {
            self.write(history);
        }
    }

    /// Writes what has changed.
    pub(super) fn write(&self, history: impl FnOnce(u64) -> Option<(u64, Vec<(IpAddr, String)>)>) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.next = Instant::now() + INTERVAL;
        let Some((changes, addresses)) = history(written.changes) else { return };
        match write_atomically(&self.path, ledger::write(addresses).as_bytes()) {
            Ok(()) => written.changes = changes,
            Err(error) => warn!(path = %self.path.display(), %error, "cannot note the addresses of clients"),
        }
    }

    fn read(&self) -> Vec<(String, IpAddr)> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                warn!(path = %self.path.display(), %error, "cannot read the addresses of clients");
                return Vec::new();
            }
        };
        let (entries, skipped) = ledger::read(&text);
        if !skipped.is_empty() {
            warn!(path = %self.path.display(), lines = ?skipped, "lines about addresses of clients that cannot be read");
        }
        debug!(path = %self.path.display(), addresses = entries.len(), "addresses of clients are remembered");
        entries
    }
}

#[cfg(test)]
mod tests {
    use crate::addr::AddressWish;
    use crate::config::{ClientCidrs, Network};

    use super::*;

    #[test]
    fn addresses_are_remembered_over_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("addresses");
        let (first, inside) = (AddressLedger::new(path.clone()), inside());
        let mut book = first.open_book(&inside);
        let of_alice = book.lease("alice", AddressWish::default()).unwrap();
        book.release(of_alice);
        let of_bob = book.lease("bob", AddressWish::default()).unwrap();
        first.write(|known| (known != book.changes()).then(|| (book.changes(), book.history())));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "alice,10.8.0.2,fd00:8::1000\nbob,10.8.0.3,fd00:8::1001\n"
        );
        let mut book = AddressLedger::new(path).open_book(&inside);
        assert_eq!(book.lease("bob", AddressWish::default()), Ok(of_bob));
        assert_eq!(book.lease("alice", AddressWish::default()), Ok(of_alice));
    }

    #[test]
    fn nothing_is_written_before_its_time_or_without_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("addresses");
        let ledger = AddressLedger::new(path.clone());
        let entry = || vec![("10.8.0.2".parse().unwrap(), "alice".to_owned())];
        ledger.keep_up(|_| Some((1, entry())));
        ledger.write(|_| None);
        assert!(!path.exists());
        ledger.write(|known| (known == 0).then(|| (1, entry())));
        fs::remove_file(&path).unwrap();
        ledger.write(|known| (known != 1).then(|| (1, entry())));
        assert!(!path.exists(), "it was written once");
    }

    #[test]
    fn a_file_that_cannot_be_read_or_is_damaged_stops_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let of_directory = AddressLedger::new(directory.path().to_owned());
        assert!(of_directory.read().is_empty());
        let path = directory.path().join("addresses");
        fs::write(&path, "alice,x\nbob,10.8.0.4,\n").unwrap();
        let mut book = AddressLedger::new(path).open_book(&inside());
        assert_eq!(book.lease("bob", AddressWish::default()).unwrap().v4.octets()[3], 4);
    }

    fn inside() -> InsideSettings {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let client_cidrs = ClientCidrs {
            v4: network("10.8.0.0/24").try_into().unwrap(),
            v6: Some(network("fd00:8::/64").try_into().unwrap()),
        };
        InsideSettings { client_cidrs, pool: None, client_networks: vec![], address_file: None }
    }
}
