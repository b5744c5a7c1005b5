//! Which client had which address, as a text: what `ifconfig-pool-persist` of stock servers reads and writes.
//!
//! One line for each client: its name, its IPv4 address, its IPv6 address, separated by commas; either address may be
//! missing. What follows a `#` or `;` at the beginning of a line is a comment.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The longest line that is looked at: a name of the longest kind and two addresses.
const LONGEST_LINE: usize = 512;

/// Reads a ledger: clients and the addresses that they had, in its order. Lines that are none are skipped; their numbers
/// come with the rest.
#[must_use]
pub fn read(text: &str) -> (Vec<(String, IpAddr)>, Vec<usize>) {
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        match entries_of(line) {
            Some(found) => entries.extend(found),
            None => skipped.push(number),
        }
    }
    (entries, skipped)
}

/// Writes a ledger. Names that would not read back are left out.
#[must_use]
pub fn write(history: Vec<(IpAddr, String)>) -> String {
    let mut lines: BTreeMap<String, Vec<[Option<IpAddr>; 2]>> = BTreeMap::new();
    for (address, client) in history.into_iter().filter(|(_, client)| is_writable(client)) {
        let of_client = lines.entry(client).or_default();
        let family = usize::from(address.is_ipv6());
        match of_client.iter_mut().find(|line| line[family].is_none()) {
            Some(line) => line[family] = Some(address),
            None => {
                let mut line = [None; 2];
                line[family] = Some(address);
                of_client.push(line);
            }
        }
    }
    let text = |address: Option<IpAddr>| address.map(|address| address.to_string()).unwrap_or_default();
    let all = lines.iter().flat_map(|(client, lines)| lines.iter().map(move |line| (client, line)));
    all.map(|(client, [v4, v6])| format!("{client},{},{}\n", text(*v4), text(*v6))).collect()
}

fn entries_of(line: &str) -> Option<Vec<(String, IpAddr)>> {
    let mut fields = line.split(',');
    let client = fields.next().filter(|client| is_writable(client) && line.len() <= LONGEST_LINE)?;
    let addresses = fields.map(str::trim).filter(|field| !field.is_empty());
    addresses.map(|field| Some((client.to_owned(), field.parse().ok()?))).collect()
}

fn is_writable(client: &str) -> bool {
    !client.is_empty()
        && client.trim() == client
        && !client.starts_with(['#', ';'])
        && !client.contains(|c: char| c == ',' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_stock_servers_write() {
        let text = "# comment\n; another\n\nalice,10.8.0.2,fd00:8::1000\nbob,10.8.0.3,\ncarol,,fd00:8::1002\ndave,10.8.0.5\n";
        let (entries, skipped) = read(text);
        let entries: Vec<_> = entries.iter().map(|(client, address)| format!("{client} {address}")).collect();
        assert_eq!(
            entries,
            ["alice 10.8.0.2", "alice fd00:8::1000", "bob 10.8.0.3", "carol fd00:8::1002", "dave 10.8.0.5"]
        );
        assert!(skipped.is_empty());
    }

    #[test]
    fn lines_that_are_none_are_skipped_and_named() {
        let long = format!("{},10.8.0.2", "x".repeat(600));
        let text = format!("alice,10.8.0.300\n,10.8.0.2\nbob,x\n{long}\ncarol,10.8.0.4");
        let (entries, skipped) = read(&text);
        assert_eq!(entries, [("carol".to_owned(), "10.8.0.4".parse().unwrap())]);
        assert_eq!(skipped, [1, 2, 3, 4]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let entry = |client: &str, address: &str| (address.parse().unwrap(), client.to_owned());
        let history = vec![
            entry("alice", "10.8.0.2"),
            entry("bob", "10.8.0.3"),
            entry("alice", "10.8.0.4"),
            entry("alice", "fd00:8::1000"),
            entry("j\u{f6}rg@example.org", "fd00:8::1001"),
            entry("a,b", "10.8.0.5"),
            entry("a\nb", "10.8.0.5"),
            entry("#c", "10.8.0.5"),
        ];
        let text = write(history);
        assert_eq!(
            text,
            "alice,10.8.0.2,fd00:8::1000\nalice,10.8.0.4,\nbob,10.8.0.3,\nj\u{f6}rg@example.org,,fd00:8::1001\n"
        );
        let (entries, skipped) = read(&text);
        assert_eq!((entries.len(), skipped.len()), (5, 0));
    }

    #[test]
    fn any_text_is_survived() {
        proptest::proptest!(|(text in ".{0,200}")| {
            let _ = read(&text);
        });
    }
}
