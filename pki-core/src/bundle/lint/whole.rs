//! The profile as a whole: what is missing, and the certificates and keys that must fit together.

use super::doubt::Doubt;
use super::{At, Profile, Severity, credentials};
use crate::bundle::document::Directive;
use crate::bundle::ovpn::Host;

/// Adds what can only be said once everything was read.
pub(super) fn judge(profile: &mut Profile) {
    server(profile);
    authority(profile);
    identity(profile);
    remotes(profile);
    credentials::judge(profile);
}

/// Any client of the same authority could pose as the server if nothing says that it must not.
fn server(profile: &mut Profile) {
    let has = |name| profile.find(name).is_some();
    let is_named = ["verify-x509-name", "peer-fingerprint", "verify-hash"].into_iter().any(has);
    let is_of_a_kind = ["remote-cert-tls", "remote-cert-eku", "ns-cert-type"].into_iter().any(has);
    let purpose = profile.find("remote-cert-tls").and_then(|found| found.arguments.first());
    if purpose.is_some_and(|purpose| purpose != "server") {
        let message = "remote-cert-tls asks for the certificate of a client, not of a server".to_owned();
        return profile.missing(
            Severity::Error,
            Doubt::ServerUnverified,
            message,
            "Write remote-cert-tls server.",
        );
    }
    if !is_named && !is_of_a_kind {
        let message =
            "nothing checks that the other end is a server: every client of the same authority can pose \
                       as one"
                .to_owned();
        return profile.missing(
            Severity::Error,
            Doubt::ServerUnverified,
            message,
            "Add remote-cert-tls server.",
        );
    }
    if !is_named {
        let message = "verify-x509-name is missing: every server of the same authority is taken".to_owned();
        let help = "Add verify-x509-name \"NAME\" name if the authority has several servers.";
        profile.missing(Severity::Note, Doubt::ServerUnnamed, message, help);
    }
}

fn authority(profile: &mut Profile) {
    let has = |name| profile.find(name).is_some();
    if !["ca", "capath", "pkcs12", "peer-fingerprint", "secret"].into_iter().any(has) {
        let message = "no authority is named that the server's certificate could come from".to_owned();
        profile.missing(Severity::Error, Doubt::AuthorityMissing, message, "Add a <ca> block.");
    }
}

fn identity(profile: &mut Profile) {
    let has = |name| profile.find(name).is_some();
    let logs_in = ["auth-user-pass", "auth-federate", "pkcs12", "cryptoapicert", "pkcs11-id", "secret"];
    if logs_in.into_iter().any(has) || has("cert") && (has("key") || has("management-external-key")) {
        return;
    }
    let message = "there is neither a certificate with its key nor a login by password".to_owned();
    let help = "Append <cert> and <key>, or export the profile with the name of a client.";
    profile.missing(Severity::Warning, Doubt::IdentityMissing, message, help);
}

fn remotes(profile: &mut Profile) {
    let is_remote = |directive: &&(usize, Directive)| directive.1.name == "remote";
    let remotes: Vec<(usize, Option<String>)> = profile
        .directives
        .iter()
        .filter(is_remote)
        .map(|(line, directive)| (*line, directive.arguments.first().cloned()))
        .collect();
    if remotes.is_empty() {
        let message = "no server is named".to_owned();
        profile.missing(Severity::Error, Doubt::RemoteMissing, message, "Add remote HOST PORT.");
    }
    for (line, host) in remotes {
        if host.is_none_or(|host| Host::parse(&host).is_err()) {
            let at = At { line, directive: "remote" };
            let message = "the server is neither a host name nor an address".to_owned();
            profile.add(at, Severity::Error, Doubt::RemoteUnusable, message, "Write remote HOST PORT.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Circumstances, lint};
    use crate::time::Timestamp;

    fn codes(text: &str) -> Vec<&'static str> {
        let circumstances = Circumstances { now: Timestamp::from_unix_seconds(0), mode: None };
        lint(text.as_bytes(), circumstances).findings.iter().map(|finding| finding.code).collect()
    }

    const REST: &str = "remote vpn.example.net\nca [inline]\nauth-user-pass\n";

    #[test]
    fn an_empty_profile_lacks_everything() {
        let expected = ["server-unverified", "authority-missing", "identity-missing", "remote-missing"];
        assert_eq!(codes(""), expected);
    }

    #[test]
    fn a_server_that_anybody_can_pose_as_is_an_error_and_one_without_a_name_is_noted() {
        assert_eq!(codes(REST), ["server-unverified"]);
        assert_eq!(codes(&format!("{REST}remote-cert-tls client\n")), ["server-unverified"]);
        assert_eq!(codes(&format!("{REST}remote-cert-tls server\n")), ["server-unnamed"]);
        let named = format!("{REST}remote-cert-tls server\nverify-x509-name server name\n");
        assert_eq!(codes(&named), [""; 0]);
    }

    #[test]
    fn a_remote_must_be_a_host() {
        let rest = "ca [inline]\nauth-user-pass\nverify-x509-name a\n";
        for host in ["\"a b\"", "a\\\"", "-x"] {
            assert_eq!(codes(&format!("{rest}remote {host}\n")), ["remote-unusable"], "{host}");
        }
        assert_eq!(
            codes(&format!("{rest}<connection>\nremote 2001:db8::1 443 tcp\n</connection>\n")),
            [""; 0]
        );
    }
}
