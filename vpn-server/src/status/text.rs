//! The three forms of a status (protocol reference, section 11.3; seen on OpenVPN 2.6.14).
//!
//! A separator inside of a name would shift columns, so names are written with it replaced. Times are in UTC.

use std::fmt::Write;
use std::net::SocketAddr;

use pki_core::time::{Calendar, Timestamp};

use super::TITLE;
use super::report::{ClientStatus, RouteStatus, StatusReport};

/// A form of the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusVersion {
    /// Sections for people, separated by commas; the default.
    #[default]
    One,
    /// A tag in each line, separated by commas.
    Two,
    /// A tag in each line, separated by tabs.
    Three,
}

const CLIENT_COLUMNS: &[&str] = &[
    "Common Name",
    "Real Address",
    "Virtual Address",
    "Virtual IPv6 Address",
    "Bytes Received",
    "Bytes Sent",
    "Connected Since",
    "Connected Since (time_t)",
    "Username",
    "Client ID",
    "Peer ID",
    "Data Channel Cipher",
];

const ROUTE_COLUMNS: &[&str] =
    &["Virtual Address", "Common Name", "Real Address", "Last Ref", "Last Ref (time_t)"];

/// What OpenVPN writes for a name that is not there.
const UNDEFINED: &str = "UNDEF";

impl StatusVersion {
    /// Reads the number that `status-version` and the command `status` take.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            3 => Some(Self::Three),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// The report in this form; the last line is `END`.
    #[must_use]
    pub fn write(self, report: &StatusReport) -> String {
        match self {
            Self::One => write_sections(report),
            Self::Two => write_tagged(report, ','),
            Self::Three => write_tagged(report, '\t'),
        }
    }
}

fn write_sections(report: &StatusReport) -> String {
    let mut text = format!(
        "OpenVPN CLIENT LIST\nUpdated,{}\nCommon Name,Real Address,Bytes Received,Bytes Sent,Connected Since\n",
        time(report.at)
    );
    for client in &report.clients {
        let ClientStatus { common_name, remote, received, sent, since, .. } = client;
        line(
            &mut text,
            ',',
            &[common_name, &real_address(*remote), &received.to_string(), &sent.to_string(), &time(*since)],
        );
    }
    text.push_str("ROUTING TABLE\nVirtual Address,Common Name,Real Address,Last Ref\n");
    for route in &report.routes {
        let RouteStatus { destination, common_name, remote, last_reference } = route;
        line(&mut text, ',', &[destination, common_name, &real_address(*remote), &time(*last_reference)]);
    }
    text.push_str("GLOBAL STATS\nMax bcast/mcast queue length,0\nEND\n");
    text
}

fn write_tagged(report: &StatusReport, separator: char) -> String {
    let mut text = String::new();
    line(&mut text, separator, &["TITLE", TITLE]);
    line(&mut text, separator, &["TIME", &time(report.at), &report.at.unix_seconds().to_string()]);
    line(&mut text, separator, &[&["HEADER", "CLIENT_LIST"], CLIENT_COLUMNS].concat());
    for client in &report.clients {
        write_client(&mut text, separator, client);
    }
    line(&mut text, separator, &[&["HEADER", "ROUTING_TABLE"], ROUTE_COLUMNS].concat());
    for route in &report.routes {
        let RouteStatus { destination, common_name, remote, last_reference } = route;
        let seconds = last_reference.unix_seconds().to_string();
        let fields = [
            "ROUTING_TABLE",
            destination,
            common_name,
            &real_address(*remote),
            &time(*last_reference),
            &seconds,
        ];
        line(&mut text, separator, &fields);
    }
    line(&mut text, separator, &["GLOBAL_STATS", "Max bcast/mcast queue length", "0"]);
    line(&mut text, separator, &["GLOBAL_STATS", "dco_enabled", "0"]);
    text.push_str("END\n");
    text
}

fn write_client(text: &mut String, separator: char, client: &ClientStatus) {
    let fields = [
        "CLIENT_LIST",
        &client.common_name,
        &real_address(client.remote),
        &client.address,
        &client.address_v6,
        &client.received.to_string(),
        &client.sent.to_string(),
        &time(client.since),
        &client.since.unix_seconds().to_string(),
        client.username.as_deref().unwrap_or(UNDEFINED),
        &client.client_id.to_string(),
        &client.peer_id.to_string(),
        client.cipher,
    ];
    line(text, separator, &fields);
}

/// Separators and control characters inside of a field become `_`, so that no name makes a column or a line.
fn line(text: &mut String, separator: char, fields: &[&str]) {
    for (number, field) in fields.iter().enumerate() {
        if number > 0 {
            text.push(separator);
        }
        let is_unsafe = |character: char| character == separator || character.is_control();
        text.extend(field.chars().map(|character| if is_unsafe(character) { '_' } else { character }));
    }
    text.push('\n');
}

/// As 2.6 writes it: IPv6 addresses without brackets and without the port's colon being told apart.
fn real_address(remote: SocketAddr) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write!(text, "{}:{}", remote.ip().to_canonical(), remote.port());
    text
}

/// `YYYY-MM-DD HH:MM:SS`.
fn time(at: Timestamp) -> String {
    let Calendar { year, month, day, hour, minute, second } = at.calendar();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What OpenVPN 2.6.14 wrote; see testdata/README.md.
    const STOCK: [(StatusVersion, &str); 3] = [
        (StatusVersion::One, include_str!("../../../testdata/openvpn-status/version-1.txt")),
        (StatusVersion::Two, include_str!("../../../testdata/openvpn-status/version-2.txt")),
        (StatusVersion::Three, include_str!("../../../testdata/openvpn-status/version-3.txt")),
    ];

    #[test]
    fn each_version_has_the_lines_and_columns_of_a_stock_server() {
        for (version, stock) in STOCK {
            let separator = if version == StatusVersion::Three { '\t' } else { ',' };
            let shape = |text: &str| -> Vec<(String, usize)> {
                let keyword = |line: &str| line.split(separator).next().unwrap_or_default().to_owned();
                text.lines().map(|line| (keyword(line), line.split(separator).count())).collect()
            };
            // The stock server had one client with two addresses and two networks behind it.
            assert_eq!(shape(&version.write(&report()))[0].1, shape(stock)[0].1);
            let headers = |text: &str| -> Vec<String> {
                let is_fixed = |line: &&str| {
                    line.starts_with("HEADER")
                        || line.starts_with("Common")
                        || line.starts_with("Virtual")
                        || line.starts_with("GLOBAL")
                        || line.starts_with("ROUTING TABLE")
                        || *line == "END"
                };
                text.lines().filter(is_fixed).map(|line| line.replace(['0', '1'], "N")).collect()
            };
            assert_eq!(headers(&version.write(&report())), headers(stock), "{version:?}");
            let client = |text: &str| {
                let line =
                    text.lines().find(|line| line.starts_with("client1,") || line.starts_with("CLIENT_LIST"));
                line.map(|line| line.split(separator).count())
            };
            assert_eq!(client(&version.write(&report())), client(stock), "{version:?}");
        }
    }

    #[test]
    fn version_2_is_written_out() {
        let text = StatusVersion::Two.write(&report());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "TIME,2026-11-20 07:21:48,1795159308");
        assert_eq!(
            lines[3],
            "CLIENT_LIST,client1,192.0.2.2:59974,10.8.0.2,,84,168,2026-11-20 07:21:40,1795159300,UNDEF,7,3,AES-256-GCM"
        );
        assert_eq!(lines[5], "ROUTING_TABLE,10.8.0.2,client1,192.0.2.2:59974,2026-11-20 07:21:45,1795159305");
        assert_eq!(lines.last(), Some(&"END"));
    }

    #[test]
    fn ops_03_a_name_makes_neither_a_column_nor_a_line() {
        for version in [StatusVersion::One, StatusVersion::Two, StatusVersion::Three] {
            let mut hostile = report();
            hostile.clients[0].common_name = "a,b\tc\nEND\u{85}".to_owned();
            hostile.routes[0].common_name.clone_from(&hostile.clients[0].common_name);
            hostile.clients[0].username = Some("x,y\tz\n".to_owned());
            let (hostile, plain) = (version.write(&hostile), version.write(&report()));
            let columns = |text: &str| {
                let separator = if version == StatusVersion::Three { '\t' } else { ',' };
                text.lines().map(|line| line.split(separator).count()).collect::<Vec<_>>()
            };
            assert_eq!(columns(&hostile), columns(&plain), "{hostile}");
        }
    }

    #[test]
    fn versions_have_numbers() {
        for number in 0..5 {
            let version = StatusVersion::from_number(number);
            assert_eq!(version.is_some(), (1..=3).contains(&number));
            assert!(version.is_none_or(|version| version.number() == number));
        }
    }

    fn report() -> StatusReport {
        let remote = "[::ffff:192.0.2.2]:59974".parse().unwrap();
        StatusReport {
            at: Timestamp::from_unix_seconds(1_795_159_308),
            clients: vec![ClientStatus {
                common_name: "client1".to_owned(),
                remote,
                address: "10.8.0.2".to_owned(),
                address_v6: String::new(),
                received: 84,
                sent: 168,
                since: Timestamp::from_unix_seconds(1_795_159_300),
                username: None,
                client_id: 7,
                peer_id: 3,
                cipher: "AES-256-GCM",
            }],
            routes: vec![RouteStatus {
                destination: "10.8.0.2".to_owned(),
                common_name: "client1".to_owned(),
                remote,
                last_reference: Timestamp::from_unix_seconds(1_795_159_305),
            }],
        }
    }
}
