//! What is known about directives of client profiles: what they do, and which programs know them.
//!
//! Columns of the table: what a Postern server makes of it, what the AWS VPN Client and OpenVPN 3 (OpenVPN Connect) do
//! with it, its class, and what it does. The AWS client takes what its user guide lists and refuses the rest.

use Class::{
    Behaviour, Code, Control, Environment, File, Password, Program, Removed, Server, Surroundings, Writes,
};
use Reception::{Ignored as I, Refused as R, Works as W};

/// What becomes of a directive in one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It is done.
    Works,
    /// It has no effect.
    Ignored,
    /// The program refuses the profile, or does not connect with it.
    Refused,
}

impl Reception {
    /// The word for lists and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

/// What kind of thing a directive does, as far as it matters for safety.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing that could harm by itself.
    Behaviour,
    /// Reads a file, or stands for one as a block.
    File,
    /// Reads a password from a file.
    Password,
    /// Runs a program.
    Program,
    /// Loads code.
    Code,
    /// Gives somebody else the control.
    Control,
    /// Changes where the other directives find things.
    Surroundings,
    /// Sets an environment variable.
    Environment,
    /// Writes a file.
    Writes,
    /// Belongs into a server's configuration.
    Server,
    /// No current version knows it.
    Removed,
}

/// One row of the table.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) postern: Reception,
    pub(super) aws: Reception,
    pub(super) openvpn3: Reception,
    pub(super) class: Class,
    pub(super) meaning: &'static str,
}

/// What is known about a directive.
pub(super) fn of(name: &str) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.name == name)
}

const fn row(
    name: &'static str,
    [postern, aws, openvpn3]: [Reception; 3],
    class: Class,
    meaning: &'static str,
) -> Known {
    Known { name, postern, aws, openvpn3, class, meaning }
}

const TABLE: &[Known] = &[
    // The connection.
    row("client", [W, W, W], Behaviour, "connects as a client and takes what the server pushes"),
    row("tls-client", [W, R, W], Behaviour, "is the client of the TLS handshake"),
    row("pull", [W, R, W], Behaviour, "takes what the server pushes"),
    row("dev", [W, W, W], Behaviour, "names the kind of tunnel device"),
    row("dev-type", [W, R, W], Behaviour, "says which kind of device an own device name means"),
    row("proto", [W, W, W], Behaviour, "chooses UDP or TCP"),
    row("proto-force", [W, R, W], Behaviour, "takes only servers of this transport"),
    row("remote", [W, W, W], Behaviour, "names a server; the first that answers is taken"),
    row("connection", [W, R, W], Behaviour, "describes one of several servers"),
    row("remote-random", [W, R, W], Behaviour, "tries the servers in any order"),
    row("remote-random-hostname", [W, W, W], Behaviour, "puts a random label in front of the host name"),
    row("port", [W, R, W], Behaviour, "gives the port of the server"),
    row("rport", [W, R, W], Behaviour, "gives the port of the server"),
    row("lport", [W, R, I], Behaviour, "fixes the port of the client"),
    row("local", [W, R, I], Behaviour, "fixes the address of the client"),
    row("bind", [W, R, I], Behaviour, "fixes address and port of the client"),
    row("nobind", [W, W, I], Behaviour, "leaves the port of the client to the system"),
    row("float", [W, R, W], Behaviour, "takes answers of the server from other addresses, too"),
    row("resolv-retry", [W, W, I], Behaviour, "asks again when the name of the server has no address"),
    row("connect-retry", [W, W, I], Behaviour, "waits between attempts"),
    row("connect-retry-max", [W, R, I], Behaviour, "limits the attempts"),
    row("connect-timeout", [W, R, I], Behaviour, "limits one attempt"),
    row("server-poll-timeout", [W, R, W], Behaviour, "limits one attempt"),
    row("http-proxy", [W, R, W], Password, "goes through an HTTP proxy (TCP only)"),
    row("http-proxy-option", [W, R, W], Behaviour, "says how to talk to the proxy"),
    row("http-proxy-user-pass", [W, R, W], Password, "gives the password of the proxy"),
    row("socks-proxy", [W, R, R], Password, "goes through a SOCKS proxy"),
    row("explicit-exit-notify", [W, R, I], Behaviour, "tells the server over UDP that it leaves"),
    row("preresolve", [W, R, I], Behaviour, "looks all names up at the start"),
    row("mark", [I, R, I], Behaviour, "marks its packets for the firewall of the client"),
    row("socket-flags", [I, R, I], Behaviour, "sets options of the socket"),
    row("tcp-nodelay", [I, R, I], Behaviour, "sends small packets over TCP at once"),
    row("sndbuf", [I, R, I], Behaviour, "sets the size of the send buffer"),
    row("rcvbuf", [I, R, I], Behaviour, "sets the size of the receive buffer"),
    row("txqueuelen", [I, R, I], Behaviour, "sets the length of the device's queue"),
    row("fast-io", [I, R, I], Behaviour, "saves a system call per packet"),
    row("multihome", [I, R, I], Behaviour, "answers from the address that was asked"),
    // Who is who.
    row("ca", [W, W, W], File, "trusts servers of these authorities"),
    row("capath", [W, R, R], File, "trusts servers of the authorities in a directory"),
    row("cert", [W, W, W], File, "is the client's certificate"),
    row("extra-certs", [W, R, W], File, "are certificates between the client's and its authority"),
    row("key", [W, W, W], File, "is the client's key"),
    row("pkcs12", [W, R, R], File, "is certificate and key in one container"),
    row("cryptoapicert", [W, W, R], Behaviour, "takes the certificate from the Windows store"),
    row("crl-verify", [W, R, W], File, "refuses servers with revoked certificates"),
    row("remote-cert-tls", [W, W, W], Behaviour, "takes only certificates that are meant for servers"),
    row("remote-cert-ku", [W, R, W], Behaviour, "demands a key usage of the server's certificate"),
    row("remote-cert-eku", [W, R, W], Behaviour, "demands an extended key usage of the server's certificate"),
    row("verify-x509-name", [W, W, W], Behaviour, "takes only the server of this name"),
    row("verify-hash", [W, R, R], Behaviour, "takes only this certificate"),
    row("peer-fingerprint", [W, R, R], Behaviour, "takes only this certificate, without an authority"),
    row("ns-cert-type", [W, R, W], Behaviour, "demands an extension that nobody issues any more"),
    row("x509-username-field", [I, R, R], Behaviour, "takes the name from another field"),
    row("auth-user-pass", [W, W, W], Password, "asks for user name and password"),
    row("auth-nocache", [W, W, W], Behaviour, "forgets passwords as soon as they are used"),
    row("auth-retry", [W, W, I], Behaviour, "says what happens after a wrong password"),
    row("auth-federate", [R, W, R], Behaviour, "logs in through a browser, in the AWS client's own way"),
    row("auth-token", [W, R, R], Behaviour, "is what the server gives in the place of a password"),
    row("auth-token-user", [W, R, R], Behaviour, "is the user name that goes with a token"),
    row("static-challenge", [W, W, W], Behaviour, "asks one more question, such as for a code"),
    row("askpass", [W, R, R], Password, "reads the passphrase of the key from a file"),
    row("push-peer-info", [W, R, W], Behaviour, "tells the server more about the client's machine"),
    // The control channel.
    row("tls-auth", [W, R, W], File, "signs the control channel with a key that all share"),
    row("tls-crypt", [W, R, W], File, "encrypts the control channel with a key that all share"),
    row("tls-crypt-v2", [W, R, W], File, "encrypts the control channel with a key of this client"),
    row("key-direction", [W, R, W], Behaviour, "says which half of the tls-auth key is whose"),
    row("tls-version-min", [W, R, W], Behaviour, "refuses older versions of TLS"),
    row("tls-version-max", [W, R, I], Behaviour, "refuses newer versions of TLS"),
    row("tls-cipher", [W, R, W], Behaviour, "limits the cipher suites of TLS 1.2"),
    row("tls-ciphersuites", [W, R, W], Behaviour, "limits the cipher suites of TLS 1.3"),
    row("tls-groups", [W, R, W], Behaviour, "limits the groups of the key exchange"),
    row("tls-cert-profile", [W, R, W], Behaviour, "sets how strong certificates must be"),
    row("ecdh-curve", [I, R, I], Behaviour, "chose a curve; TLS negotiates it"),
    row("tls-timeout", [W, R, W], Behaviour, "waits for an answer before it repeats a control packet"),
    row("hand-window", [W, R, W], Behaviour, "limits the time of a handshake"),
    row("tran-window", [W, R, W], Behaviour, "keeps the old key for a while"),
    row("reneg-sec", [W, W, W], Behaviour, "renews keys by its own clock; 0 leaves it to the server"),
    row("reneg-bytes", [W, R, I], Behaviour, "renews keys by traffic"),
    row("reneg-pkts", [W, R, I], Behaviour, "renews keys by packets"),
    row("tls-exit", [W, R, I], Behaviour, "ends when TLS fails"),
    row("single-session", [I, R, R], Behaviour, "allows one session in a life"),
    // The data channel.
    row("cipher", [W, W, W], Behaviour, "names the cipher of clients that cannot negotiate"),
    row("data-ciphers", [W, R, I], Behaviour, "offers these ciphers"),
    row("ncp-ciphers", [W, R, I], Behaviour, "offers these ciphers, in the words of OpenVPN 2.4"),
    row("data-ciphers-fallback", [W, R, I], Behaviour, "names the cipher for servers that cannot negotiate"),
    row("auth", [W, R, W], Behaviour, "names the hash of tls-auth and of CBC ciphers"),
    row("compress", [I, R, W], Behaviour, "compresses before it encrypts"),
    row("comp-lzo", [I, R, W], Behaviour, "compresses before it encrypts"),
    row("allow-compression", [I, R, I], Behaviour, "says whether compressed packets are taken"),
    row("comp-noadapt", [I, R, I], Behaviour, "compresses even what does not shrink"),
    row("replay-window", [W, R, I], Behaviour, "tolerates packets that overtake others"),
    row("mute-replay-warnings", [I, R, I], Behaviour, "does not log replayed packets"),
    row("tun-mtu", [W, W, W], Behaviour, "sets the size of packets in the tunnel"),
    row("tun-mtu-extra", [I, W, I], Behaviour, "makes room for packets of TAP devices"),
    row("tun-mtu-max", [W, R, W], Behaviour, "limits the size that the server may push"),
    row("link-mtu", [I, R, I], Behaviour, "computes sizes in an old way"),
    row("udp-mtu", [I, R, I], Behaviour, "computes sizes in an old way"),
    row("mtu-disc", [I, R, I], Behaviour, "asks the system to find the path's MTU"),
    row("mtu-test", [I, R, I], Behaviour, "measures the path's MTU"),
    row("mssfix", [W, R, W], Behaviour, "makes TCP connections fit into the tunnel"),
    row("fragment", [R, R, R], Behaviour, "cuts packets into pieces in a way of its own"),
    row("keepalive", [W, R, I], Behaviour, "pings and gives up; the server pushes its own values"),
    row("ping", [W, R, R], Behaviour, "pings; the server pushes its own value"),
    row("ping-restart", [W, R, R], Behaviour, "starts again after silence; the server pushes its own value"),
    row("ping-exit", [W, R, R], Behaviour, "ends after silence"),
    row("ping-timer-rem", [W, R, R], Behaviour, "counts silence only while there is a server"),
    row("inactive", [W, R, W], Behaviour, "ends when nothing is sent for a while"),
    row("session-timeout", [W, R, I], Behaviour, "ends after this time"),
    row("disable-dco", [W, R, I], Behaviour, "does not use the kernel's data channel"),
    row("shaper", [W, R, I], Behaviour, "limits the speed"),
    // Inside the tunnel.
    row("route", [W, R, W], Behaviour, "leads a network through the tunnel, whatever the server pushes"),
    row("route-ipv6", [W, R, W], Behaviour, "leads an IPv6 network through the tunnel"),
    row("route-gateway", [W, R, R], Behaviour, "names the gateway in the tunnel"),
    row("route-metric", [W, R, W], Behaviour, "ranks its routes"),
    row("route-delay", [W, R, I], Behaviour, "waits before it sets routes"),
    row("route-method", [W, R, I], Behaviour, "says how Windows sets routes"),
    row("route-nopull", [W, R, W], Behaviour, "refuses the routes that the server pushes"),
    row("route-noexec", [W, R, I], Behaviour, "leaves routes to a script"),
    row("allow-pull-fqdn", [W, R, I], Behaviour, "lets the server push names instead of addresses"),
    row("max-routes", [I, R, I], Behaviour, "limits the routes"),
    row("redirect-gateway", [W, R, W], Behaviour, "leads everything through the tunnel"),
    row("redirect-private", [W, R, W], Behaviour, "keeps the way to the server outside of the tunnel"),
    row("client-nat", [W, R, R], Behaviour, "translates addresses"),
    row("dhcp-option", [W, R, W], Behaviour, "sets name servers and search domains"),
    row("dns", [W, R, W], Behaviour, "sets name servers"),
    row("block-outside-dns", [W, R, W], Behaviour, "keeps Windows from asking other name servers"),
    row("register-dns", [W, R, W], Behaviour, "has Windows register the new addresses"),
    row("block-ipv6", [W, R, W], Behaviour, "keeps IPv6 from going past the tunnel"),
    row("pull-filter", [W, R, W], Behaviour, "refuses some of what the server pushes"),
    row("topology", [W, R, R], Behaviour, "says how addresses are given out; the server pushes it"),
    row("ifconfig", [W, R, R], Behaviour, "gives the tunnel device an address by hand"),
    row("ifconfig-ipv6", [W, R, R], Behaviour, "gives the tunnel device an IPv6 address by hand"),
    row("ifconfig-noexec", [W, R, I], Behaviour, "leaves addresses to a script"),
    row("ifconfig-nowarn", [W, R, I], Behaviour, "does not warn of odd addresses"),
    row("ip-win32", [W, R, I], Behaviour, "says how Windows gets its address"),
    row("tun-ipv6", [I, R, I], Behaviour, "was needed for IPv6 once"),
    row("lladdr", [I, R, R], Behaviour, "sets the hardware address of a TAP device"),
    row("allow-recursive-routing", [W, R, I], Behaviour, "lets the tunnel lead through itself"),
    // The process.
    row("persist-key", [W, W, I], Behaviour, "keeps the key while it starts again"),
    row("persist-tun", [W, W, I], Behaviour, "keeps the device while it starts again"),
    row("persist-local-ip", [W, R, I], Behaviour, "keeps its address while it starts again"),
    row("persist-remote-ip", [W, R, I], Behaviour, "keeps the server's address while it starts again"),
    row("remap-usr1", [W, R, I], Behaviour, "changes what a signal does"),
    row("verb", [W, W, I], Behaviour, "sets how much is logged"),
    row("mute", [W, R, I], Behaviour, "logs less of the same"),
    row("user", [W, R, I], Behaviour, "gives up the rights of root"),
    row("group", [W, R, I], Behaviour, "gives up the rights of root"),
    row("nice", [W, R, I], Behaviour, "runs with another priority"),
    row("mlock", [W, R, I], Behaviour, "keeps its memory from being swapped out"),
    row("daemon", [W, R, R], Behaviour, "goes to the background"),
    row("syslog", [W, R, R], Behaviour, "logs to syslog"),
    row("suppress-timestamps", [W, R, I], Behaviour, "logs without times"),
    row("machine-readable-output", [W, R, I], Behaviour, "logs for programs"),
    row("errors-to-stderr", [W, R, R], Behaviour, "writes errors to another stream"),
    row("show-net-up", [W, R, I], Behaviour, "logs the routes of Windows"),
    row("compat-mode", [W, R, I], Behaviour, "behaves like an older version"),
    row("ignore-unknown-option", [W, R, W], Behaviour, "passes over directives that it does not know"),
    row("disable-occ", [W, R, I], Behaviour, "does not compare settings with the server"),
    row("opt-verify", [I, R, I], Behaviour, "compares settings with the server"),
    row("passtos", [I, R, I], Behaviour, "copies the type of service to the outside"),
    row("prng", [I, R, I], Behaviour, "chose a generator"),
    row("auth-gen-token", [R, R, R], Server, "gives tokens to clients"),
    // What a profile from somebody else must not do (threat model CFG-02).
    row("script-security", [I, R, I], Control, "allows programs to be run"),
    row("up", [I, R, I], Program, "runs a program when the tunnel is there"),
    row("up-restart", [I, R, I], Program, "runs the programs again at each restart"),
    row("up-delay", [I, R, I], Behaviour, "waits before the program is run"),
    row("down", [I, R, I], Program, "runs a program when the tunnel is gone"),
    row("down-pre", [I, R, I], Behaviour, "runs that program earlier"),
    row("route-up", [I, R, I], Program, "runs a program when the routes are set"),
    row("route-pre-down", [I, R, I], Program, "runs a program before the routes go"),
    row("ipchange", [I, R, I], Program, "runs a program when the server's address is known"),
    row("tls-verify", [I, R, I], Program, "runs a program to judge certificates"),
    row("dns-updown", [I, R, R], Program, "runs a program that sets name servers"),
    row("iproute", [I, R, R], Program, "runs another program in the place of ip"),
    row("auth-user-pass-verify", [I, R, R], Program, "runs a program to judge passwords"),
    row("client-connect", [I, R, R], Program, "runs a program when a client comes"),
    row("client-disconnect", [I, R, R], Program, "runs a program when a client goes"),
    row("client-crresponse", [I, R, R], Program, "runs a program when a client answers"),
    row("learn-address", [I, R, I], Program, "runs a program when an address is learnt"),
    row("tls-crypt-v2-verify", [I, R, R], Program, "runs a program to judge client keys"),
    row("plugin", [I, R, I], Code, "loads code into the client"),
    row("engine", [I, R, I], Code, "loads code into OpenSSL"),
    row("providers", [I, R, I], Code, "loads code into OpenSSL"),
    row("pkcs11-providers", [W, R, R], Code, "loads the library of a smart card"),
    row("pkcs11-id", [W, R, R], Behaviour, "names the certificate on a smart card"),
    row("pkcs11-id-management", [W, R, R], Behaviour, "asks which certificate on a smart card to take"),
    row("pkcs11-pin-cache", [W, R, R], Behaviour, "remembers the PIN of a smart card"),
    row("pkcs11-protected-authentication", [W, R, R], Behaviour, "asks for the PIN at the reader"),
    row("pkcs11-private-mode", [W, R, R], Behaviour, "says how the smart card signs"),
    row("pkcs11-cert-private", [W, R, R], Behaviour, "asks for the PIN to read the certificate"),
    row("management", [I, R, R], Control, "lets whoever connects there control the client"),
    row("management-client", [I, R, R], Control, "lets another program control the client"),
    row("management-hold", [I, R, W], Behaviour, "waits for the management interface"),
    row("management-query-passwords", [I, R, W], Behaviour, "asks the management interface for passwords"),
    row("management-query-remote", [I, R, W], Behaviour, "asks the management interface for the server"),
    row("management-external-key", [I, R, W], Behaviour, "has the management interface sign"),
    row(
        "management-external-cert",
        [I, R, W],
        Behaviour,
        "has the management interface give the certificate",
    ),
    row("management-up-down", [I, R, W], Behaviour, "tells the management interface of the tunnel"),
    row("setenv", [I, R, I], Environment, "sets a variable in the environment"),
    row("setenv-safe", [I, R, I], Environment, "sets a variable whose name begins with OPENVPN_"),
    row("cd", [I, R, R], Surroundings, "finds files in another directory"),
    row("chroot", [I, R, R], Surroundings, "locks itself into a directory"),
    row("config", [I, R, R], Surroundings, "reads another configuration"),
    row("dev-node", [I, R, R], Surroundings, "opens another device file"),
    row("tmp-dir", [I, R, I], Surroundings, "writes temporary files elsewhere"),
    row("setcon", [I, R, R], Surroundings, "changes the SELinux context"),
    row("log", [I, R, R], Writes, "replaces a file by its log"),
    row("log-append", [I, R, R], Writes, "appends its log to a file"),
    row("status", [I, R, R], Writes, "replaces a file by its status"),
    row("status-version", [I, R, R], Behaviour, "chooses the form of the status file"),
    row("writepid", [I, R, R], Writes, "replaces a file by its process number"),
    row("replay-persist", [I, R, I], Writes, "replaces a file by its replay protection"),
    row("tls-export-cert", [I, R, I], Writes, "writes the server's certificate into a directory"),
    row("echo", [I, R, R], Behaviour, "logs a text"),
    row("parameter", [I, R, R], Behaviour, "logs a text"),
    // What belongs to servers, and what is gone.
    row("secret", [R, R, R], File, "encrypts with a fixed key instead of TLS"),
    row("server", [R, R, R], Server, "gives addresses to clients"),
    row("server-ipv6", [R, R, R], Server, "gives IPv6 addresses to clients"),
    row("server-bridge", [R, R, R], Server, "gives addresses of a bridge to clients"),
    row("tls-server", [R, R, R], Server, "is the server of the TLS handshake"),
    row("mode", [R, R, R], Server, "serves many clients"),
    row("push", [R, R, R], Server, "tells clients something"),
    row("dh", [R, R, R], Server, "gives the server's Diffie-Hellman parameters"),
    row("client-config-dir", [R, R, R], Server, "has settings of single clients"),
    row("client-to-client", [R, R, R], Server, "lets clients talk to each other"),
    row("duplicate-cn", [R, R, R], Server, "lets one certificate connect several times"),
    row("max-clients", [R, R, R], Server, "limits the clients"),
    row("ifconfig-pool", [R, R, R], Server, "gives addresses to clients"),
    row("ifconfig-pool-persist", [R, R, R], Server, "remembers the addresses of clients"),
    row("username-as-common-name", [R, R, R], Server, "calls clients by their user names"),
    row("verify-client-cert", [R, R, R], Server, "says whether clients need certificates"),
    row("iroute", [R, R, R], Server, "says which networks lie behind a client"),
    row("tls-remote", [R, R, W], Removed, "took only the server of this name"),
    row("no-iv", [R, R, R], Removed, "left the initialisation vector out"),
    row("no-replay", [R, R, R], Removed, "took replayed packets"),
    row("ncp-disable", [R, R, R], Removed, "did not negotiate ciphers"),
    row("key-method", [R, R, R], Removed, "chose an old way to exchange keys"),
    row("keysize", [R, R, R], Removed, "changed the length of keys"),
    row("client-cert-not-required", [R, R, W], Removed, "let clients in without certificates"),
    row("compat-names", [R, R, R], Removed, "wrote names in an old form"),
    row("no-name-remapping", [R, R, R], Removed, "left names as they were"),
    row("mtu-dynamic", [R, R, R], Removed, "cut packets into pieces"),
    row("max-routes-per-client", [R, R, R], Server, "limits the networks behind a client"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directive_has_two_rows() {
        let mut names: Vec<&str> = TABLE.iter().map(|known| known.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn cfg_02_what_a_foreign_profile_must_not_do_is_of_a_class_that_is_refused() {
        for name in
            "up down route-up route-pre-down ipchange tls-verify auth-user-pass-verify client-connect \
            client-disconnect learn-address plugin script-security setenv log log-append writepid status \
            management iproute engine providers pkcs11-providers tls-export-cert dev-node config cd chroot"
                .split_whitespace()
        {
            let class = of(name).unwrap().class;
            assert!(!matches!(class, Behaviour | File | Password | Server | Removed), "{name}: {class:?}");
        }
    }

    #[test]
    fn aws_takes_what_its_guide_lists_and_nothing_else() {
        let taken: Vec<&str> =
            TABLE.iter().filter(|known| known.aws == Reception::Works).map(|known| known.name).collect();
        for name in "auth-user-pass ca cert cipher client connect-retry cryptoapicert dev key nobind \
            persist-key persist-tun proto remote remote-cert-tls remote-random-hostname reneg-sec \
            resolv-retry static-challenge tun-mtu tun-mtu-extra verb verify-x509-name auth-federate \
            auth-retry auth-nocache"
            .split_whitespace()
        {
            assert!(taken.contains(&name), "{name}");
        }
        assert_eq!(taken.len(), 26);
    }
}
