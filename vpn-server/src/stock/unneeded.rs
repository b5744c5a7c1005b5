//! Directives that change nothing here, each with the reason, and directives that cannot be done.

/// Directives that are ignored, with the reason.
pub(super) const IGNORED: &[(&str, &str)] = &[
    ("dh", NO_DH),
    ("ecdh-curve", TLS_CHOICE),
    ("tls-cipher", TLS_CHOICE),
    ("tls-ciphersuites", TLS_CHOICE),
    ("tls-groups", TLS_CHOICE),
    ("tls-cert-profile", "which algorithms certificates may have is the policy of this server"),
    ("tls-version-max", "the newest TLS version that both sides speak is always used"),
    ("tls-server", "a server is what this is"),
    ("up-restart", "the device stays up over reloads, and so is 'up' run once"),
    ("persist-key", PERSISTENT),
    ("persist-tun", PERSISTENT),
    ("persist-local-ip", PERSISTENT),
    ("persist-remote-ip", PERSISTENT),
    ("explicit-exit-notify", "clients are always told when the server stops"),
    ("float", "a client that proves who it is may always move"),
    ("multihome", "answers always leave from the address that was asked"),
    ("nobind", "a server always has a port"),
    ("remap-usr1", SIGNALS),
    ("single-session", CLIENT_SIDE),
    ("resolv-retry", CLIENT_SIDE),
    ("connect-retry", CLIENT_SIDE),
    ("connect-retry-max", CLIENT_SIDE),
    ("connect-timeout", CLIENT_SIDE),
    ("server-poll-timeout", CLIENT_SIDE),
    ("auth-retry", CLIENT_SIDE),
    ("auth-nocache", CLIENT_SIDE),
    ("push-peer-info", CLIENT_SIDE),
    ("route-delay", CLIENT_SIDE),
    ("route-method", CLIENT_SIDE),
    ("ip-win32", CLIENT_SIDE),
    ("register-dns", "it has a meaning for clients only: write push \"register-dns\""),
    ("block-outside-dns", "it has a meaning for clients only: write push \"block-outside-dns\""),
    ("dhcp-option", "it has a meaning for clients only: write push \"dhcp-option ...\""),
    ("redirect-gateway", "it has a meaning for clients only: write push \"redirect-gateway ...\""),
    ("route-gateway", "clients are always told the server's address"),
    ("route-metric", "no routes of this host are changed"),
    ("sndbuf", BUFFERS),
    ("rcvbuf", BUFFERS),
    ("txqueuelen", BUFFERS),
    ("tcp-queue-limit", BUFFERS),
    ("bcast-buffers", BUFFERS),
    ("socket-flags", BUFFERS),
    ("tcp-nodelay", "small packets are never held back"),
    ("fast-io", "packets are always moved in batches"),
    ("mtu-disc", "datagrams are never fragmented by this host"),
    ("mtu-test", "OpenVPN has no longer a use for it"),
    ("hash-size", TABLES),
    ("max-routes-per-client", TABLES),
    ("max-routes", TABLES),
    ("stale-routes-check", TABLES),
    ("mlock", "use LimitMEMLOCK= and disable swap on the host; core dumps are switched off"),
    ("nice", "use Nice= of systemd"),
    ("chroot", "use RootDirectory= or ProtectSystem= of systemd"),
    ("setcon", "use SELinuxContext= of systemd"),
    ("passtos", "the type of service of inner packets is not shown outside"),
    ("mark", "use a rule of nftables on the listening port"),
    ("mute", "messages that repeat are counted instead of printed"),
    ("mute-replay-warnings", "replayed packets are counted instead of printed"),
    ("errors-to-stderr", "errors always go there"),
    ("suppress-timestamps", LOG_FORM),
    ("machine-readable-output", LOG_FORM),
    ("echo", "it has a meaning for clients only: write push \"echo ...\""),
    ("disable-occ", OCC),
    ("opt-verify", OCC),
    ("ncp-disable", "ciphers are always negotiated; old clients get what data-ciphers-fallback says"),
    ("no-replay", "replayed packets are always dropped"),
    ("no-iv", "OpenVPN has no longer a use for it"),
    ("key-method", "there is only method 2"),
    ("keysize", "each cipher has one"),
    ("prng", "the operating system has one"),
    ("tun-ipv6", "the device always carries both"),
    ("iproute", "no program is run to set up the device"),
    ("lladdr", "a routed device has none"),
    ("disable-dco", DCO),
    ("allow-recursive-routing", CLIENT_SIDE),
    ("link-mtu", "it is reckoned from tun-mtu"),
    ("reneg-bytes", KEY_LIMITS),
    ("reneg-pkts", KEY_LIMITS),
    ("tls-timeout", HANDSHAKE_TIMERS),
    ("tran-window", HANDSHAKE_TIMERS),
    ("connect-freq", FLOODS),
    ("connect-freq-initial", FLOODS),
    ("ping-timer-rem", "pings are always sent to clients that are there"),
    ("compress", COMPRESSION),
    ("comp-lzo", COMPRESSION),
    ("comp-noadapt", COMPRESSION),
    ("allow-compression", COMPRESSION),
    ("x509-track", "hooks and logs get serial numbers and fingerprints"),
];

/// Directives that cannot be done, with the way out.
pub(super) const REFUSED: &[(&str, &str)] = &[
    (
        "secret",
        "static keys without certificates have no forward secrecy: make a PKI with 'postern init-pki'",
    ),
    ("server-bridge", BRIDGE),
    (
        "fragment",
        "fragmentation inside the protocol is not spoken: use 'mssfix', and remove 'fragment' from the profiles",
    ),
    ("vlan-tagging", BRIDGE),
    ("vlan-accept", BRIDGE),
    ("vlan-pvid", BRIDGE),
    ("plugin", "plugins run inside of OpenVPN: use its script directives or 'management-client-auth'"),
    ("capath", "write the authorities into one file and name it with 'ca'"),
    ("pkcs11-id", PKCS11),
    ("pkcs11-providers", PKCS11),
    ("cryptoapicert", PKCS11),
    ("engine", "there are no engines: name the key file with 'key'"),
    ("providers", "there are no OpenSSL providers"),
    ("remote-cert-ku", "the policy for key usage is that of RFC 5280"),
    ("remote-cert-eku", "client certificates need the purpose clientAuth: write 'remote-cert-tls client'"),
    ("ns-cert-type", "the purpose stands in another extension: write 'remote-cert-tls client'"),
    ("tls-export-cert", "hooks get the certificate's fingerprint and serial number"),
    ("bind-dev", "use a VRF-aware unit: ExecStart=ip vrf exec NAME postern ..."),
    ("ifconfig-ipv6", IPV6),
    ("ifconfig-ipv6-pool", IPV6),
    ("client-cert-not-required", "it has another name by now: write 'verify-client-cert none'"),
    ("down-pre", "'down' is run when the device is closed"),
    ("up-delay", "the device is up before clients connect, and so is 'up' run"),
    ("route-pre-down", "no routes of this host are taken away before the device: use 'down'"),
    ("ipchange", "a server has many peers: use 'learn-address' or 'client-connect'"),
    ("ping-exit", "a server goes on when a client falls silent: write 'ping-restart'"),
    ("tun-mtu-extra", "the tunnel carries packets of 1500 octets"),
    ("tun-mtu-max", "the tunnel carries packets of 1500 octets"),
    ("ifconfig-push", IN_CCD),
    ("ifconfig-ipv6-push", IN_CCD),
    ("iroute", IN_CCD),
    ("iroute-ipv6", IN_CCD),
    ("push-reset", IN_CCD),
    ("push-remove", IN_CCD),
    ("disable", IN_CCD),
    ("client", A_CLIENT),
    ("tls-client", A_CLIENT),
    ("pull", A_CLIENT),
    ("pull-filter", A_CLIENT),
    ("route-nopull", A_CLIENT),
    ("remote", A_CLIENT),
    ("remote-random", A_CLIENT),
    ("remote-random-hostname", A_CLIENT),
    ("connection", A_CLIENT),
    ("auth-user-pass", A_CLIENT),
    ("static-challenge", A_CLIENT),
    ("http-proxy", A_CLIENT),
    ("socks-proxy", A_CLIENT),
    ("management-client", "the management interface is a server here: leave 'management-client' out"),
    ("management-query-passwords", "use 'askpass FILE' for the passphrase of the key"),
    ("management-query-remote", A_CLIENT),
    ("management-query-proxy", A_CLIENT),
    ("management-external-key", PKCS11),
    ("management-external-cert", PKCS11),
    ("inetd", "start it as a service of its own"),
    ("genkey", NOT_A_SERVER),
    ("test-crypto", NOT_A_SERVER),
    ("mktun", NOT_A_SERVER),
    ("rmtun", NOT_A_SERVER),
    ("show-ciphers", NOT_A_SERVER),
    ("show-digests", NOT_A_SERVER),
    ("show-tls", NOT_A_SERVER),
    ("show-curves", NOT_A_SERVER),
    ("show-groups", NOT_A_SERVER),
    ("show-engines", NOT_A_SERVER),
];

const IPV6: &str = "write 'server-ipv6 NETWORK/BITS', which stands for it";
const NO_DH: &str = "keys are agreed on by elliptic curves, which need no parameters";
const TLS_CHOICE: &str = "only TLS 1.2 and 1.3 suites with forward secrecy are spoken, best first";
const PERSISTENT: &str = "keys, device and addresses stay over reloads";
const CLIENT_SIDE: &str = "it has a meaning for clients only";
const BUFFERS: &str = "buffers are sized by the server itself";
const TABLES: &str = "tables are sized by the server itself";
const LOG_FORM: &str = "the log has one form; 'postern serve --log-json' has another one for programs";
const OCC: &str = "ciphers are negotiated, options are not compared";
const DCO: &str = "packets are moved in user space";
const SIGNALS: &str = "SIGHUP and SIGUSR1 both reload, and clients stay connected";
const KEY_LIMITS: &str = "keys are renewed before the safe number of packets under them is reached";
const HANDSHAKE_TIMERS: &str = "the protocol's usual timers are used";
const FLOODS: &str = "floods are held down by limits per network that are always on";
const COMPRESSION: &str =
    "nothing is ever compressed, because that betrays content; clients that expect the framing get it";
const BRIDGE: &str = "Ethernet bridging is not done: use 'dev tun' with 'server'";
const PKCS11: &str = "keys are read from files only: name it with 'key'";
const IN_CCD: &str = "it belongs into a file of 'client-config-dir'";
const A_CLIENT: &str = "this is the configuration of a client; 'postern openvpn' is a server";
const NOT_A_SERVER: &str = "this is no server: call openvpn for it";

/// The reason of `directive` in one of the tables.
pub(super) fn reason(table: &[(&'static str, &'static str)], directive: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| *name == directive).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_directive_stands_in_a_table_twice() {
        let names: Vec<_> = IGNORED.iter().chain(REFUSED).map(|(name, _)| *name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn every_reason_is_a_sentence() {
        for (name, reason) in IGNORED.iter().chain(REFUSED) {
            assert!(reason.split_whitespace().count() > 3 && !reason.contains("  "), "{name}: {reason}");
        }
    }
}
