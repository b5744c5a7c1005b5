//! A directory: OpenLDAP's `slapd` from the distribution, in a namespace of the laboratory, with people and groups.
//!
//! ```text
//!   dc=test
//!     ou=people   alice, bob (both with the password `secret`), mallory
//!     ou=groups   staff: alice, bob      admins: alice      everything: cn=admins (a group in a group)
//!     cn=postern  the account that searches, with the password `search`
//! ```
//!
//! Searches outside of `dc=test` are answered by a referral to a server that is not there.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::{self, Finished};
use crate::failure::{Context, Result};
use crate::host::Host;
use crate::log::Log;
use crate::pki::Pki;
use crate::process::Process;
use crate::wait;

/// Where Debian's and Ubuntu's packages put the server.
const SLAPD: &str = "/usr/sbin/slapd";
const LIMIT: Duration = Duration::from_secs(60);

/// A running directory on a host of the laboratory. Killed when dropped.
pub struct Directory {
    process: Process,
    port: u16,
    tls_port: u16,
}

impl Directory {
    /// Starts one on the loopback address of `host`, with the certificate `localhost` of `pki`.
    pub fn start(host: &Host, scratch: &Path, pki: &Pki) -> Result<Self> {
        let home = scratch.join("directory");
        fs::create_dir_all(home.join("data")).context("making the directory's home")?;
        let [port, tls_port] = free_ports(host)?;
        let configuration = home.join("slapd.conf");
        fs::write(&configuration, configuration_text(&home, pki)).context("writing slapd.conf")?;
        fill(host, &home, &configuration)?;
        let urls = format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/");
        let mut command = host.command(SLAPD);
        command.args(["-d", "stats", "-h", &urls, "-f"]).arg(&configuration);
        let process = host.start("slapd", command)?;
        let directory = Self { process, port, tls_port };
        wait::until("the directory to listen", LIMIT, || {
            Ok(host.has_bound_tcp_port(tls_port)?.then_some(()))
        })?;
        Ok(directory)
    }

    /// Its URL for StartTLS, or for no TLS at all.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.port)
    }

    /// Its URL for TLS from the beginning.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// What it logs.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.process.log()
    }
}

/// Two that differ: both are held until both are known. Nobody else listens on the loopback address of `host` yet.
fn free_ports(host: &Host) -> Result<[u16; 2]> {
    let listeners = [host.tcp_listener(Ipv4Addr::LOCALHOST)?, host.tcp_listener(Ipv4Addr::LOCALHOST)?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    let [first, second] =
        listeners.each_ref().map(|listener| port(listener).context("asking for a free port"));
    Ok([first?, second?])
}

fn configuration_text(home: &Path, pki: &Pki) -> String {
    let path = |path: PathBuf| path.display().to_string();
    format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         moduleload memberof\n\
         attributetype ( 1.2.840.113556.1.4.146 NAME 'objectSid' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )\n\
         objectclass ( 1.3.6.1.4.1.99999.1 NAME 'withSid' SUP top AUXILIARY MAY objectSid )\n\
         TLSCACertificateFile {}\n\
         TLSCertificateFile {}\n\
         TLSCertificateKeyFile {}\n\
         referral ldap://127.0.0.1:1/\n\
         database mdb\n\
         suffix dc=test\n\
         rootdn cn=root,dc=test\n\
         rootpw root\n\
         directory {}\n\
         overlay memberof\n\
         memberof-group-oc groupOfNames\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"cn=postern,dc=test\" read by self read by users search by * none\n",
        path(pki.ca_certificate()),
        path(pki.certificate("localhost")),
        path(pki.private_key("localhost")),
        path(home.join("data")),
    )
}

/// Puts the people and groups in, as the server itself would: `memberOf` comes from the overlay.
fn fill(host: &Host, home: &Path, configuration: &Path) -> Result<()> {
    let entries = home.join("entries.ldif");
    fs::write(&entries, ENTRIES).context("writing the entries")?;
    let mut base = host.command("/usr/sbin/slapadd");
    base.arg("-f").arg(configuration).arg("-l").arg(&entries);
    command::finish(base).and_then(Finished::success).map(drop)
}

/// `memberOf` is written out: the overlay keeps it only while the server runs.
const ENTRIES: &str = "\
dn: dc=test
objectClass: dcObject
objectClass: organization
dc: test
o: Test

dn: cn=postern,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: postern
userPassword: search

dn: ou=people,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=test
objectClass: organizationalUnit
ou: groups

dn: uid=alice,ou=people,dc=test
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
userPassword: secret
memberOf: cn=staff,ou=groups,dc=test
memberOf: cn=admins,ou=groups,dc=test

dn: uid=bob,ou=people,dc=test
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
userPassword: secret
memberOf: cn=staff,ou=groups,dc=test

dn: uid=mallory,ou=people,dc=test
objectClass: inetOrgPerson
uid: mallory
cn: Mallory
sn: M
userPassword: secret

dn: cn=staff,ou=groups,dc=test
objectClass: groupOfNames
objectClass: withSid
cn: staff
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6QMAAA==
member: uid=alice,ou=people,dc=test
member: uid=bob,ou=people,dc=test

dn: cn=admins,ou=groups,dc=test
objectClass: groupOfNames
objectClass: withSid
cn: admins
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6gMAAA==
member: uid=alice,ou=people,dc=test
memberOf: cn=everything,ou=groups,dc=test

dn: cn=everything,ou=groups,dc=test
objectClass: groupOfNames
objectClass: withSid
cn: everything
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6wMAAA==
member: cn=admins,ou=groups,dc=test
";
