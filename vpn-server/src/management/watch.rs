//! Who came and who left between two looks at the server.

use std::collections::BTreeMap;

use super::notice::{disconnected, established};
use crate::status::{ClientStatus, StatusReport};

/// The clients that were there at the last look.
#[derive(Debug, Default)]
pub(super) struct ClientWatch {
    present: Option<BTreeMap<u64, ClientStatus>>,
}

impl ClientWatch {
    /// The notices for what changed since the last look; the first look finds everybody there already.
    pub(super) fn look(&mut self, report: &StatusReport) -> Vec<String> {
        let now: BTreeMap<u64, ClientStatus> =
            report.clients.iter().map(|client| (client.client_id, client.clone())).collect();
        let before = self.present.replace(now);
        let (Some(before), Some(now)) = (before, &self.present) else { return Vec::new() };
        let left = before.values().filter(|client| !now.contains_key(&client.client_id)).map(disconnected);
        let came = now.values().filter(|client| !before.contains_key(&client.client_id)).map(established);
        left.chain(came).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use pki_core::time::Timestamp;

    use super::*;

    #[test]
    fn who_comes_and_who_leaves_is_told_once() {
        let mut watch = ClientWatch::default();
        assert_eq!(heads(watch.look(&report(&[1, 2]))), [""; 0], "they were there before");
        assert_eq!(heads(watch.look(&report(&[2, 3]))), [">CLIENT:DISCONNECT,1", ">CLIENT:ESTABLISHED,3"]);
        assert_eq!(heads(watch.look(&report(&[2, 3]))), [""; 0]);
    }

    fn heads(lines: Vec<String>) -> Vec<String> {
        lines.into_iter().filter(|line| line.contains("ESTABLISHED") || line.contains("DISCONNECT")).collect()
    }

    fn report(ids: &[u64]) -> StatusReport {
        let client = |client_id: &u64| ClientStatus {
            common_name: "client1".to_owned(),
            remote: "192.0.2.2:1".parse().unwrap(),
            address: "10.8.0.2".to_owned(),
            address_v6: String::new(),
            received: 0,
            sent: 0,
            since: Timestamp::from_unix_seconds(1),
            username: None,
            client_id: *client_id,
            peer_id: 0,
            cipher: "AES-256-GCM",
        };
        StatusReport {
            at: Timestamp::from_unix_seconds(1),
            clients: ids.iter().map(client).collect(),
            routes: Vec::new(),
        }
    }
}
