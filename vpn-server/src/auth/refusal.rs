//! What a refused client is told: enough to know whom to ask, nothing about how the decision was made.

/// The text for a client whose certificate was refused for the reason with this code.
pub(super) fn public_reason(code: &str) -> &'static str {
    match code {
        "revoked" => "certificate revoked",
        "expired" => "certificate expired",
        "not-yet-valid" => "certificate not yet valid",
        "ca-expired" | "ca-not-yet-valid" => "certificate authority not valid at this time",
        "crl-missing" | "crl-expired" | "crl-not-yet-valid" | "crl-issuer-may-not-sign" => {
            "certificate status not available, try again later"
        }
        "ca-as-end-entity"
        | "signing-end-entity"
        | "server-as-client"
        | "wrong-purpose"
        | "missing-purpose"
        | "ca-purpose"
        | "may-not-sign-handshakes" => "certificate not made for clients",
        "weak-signature" | "weak-key" => "certificate too weak",
        _ => "certificate not accepted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_could_be_mistaken_for_a_protocol_option() {
        for code in
            ["revoked", "expired", "not-yet-valid", "crl-missing", "server-as-client", "weak-key", "other"]
        {
            let text = public_reason(code);
            assert!(!text.contains(':') && text.is_ascii(), "{text}");
            assert!(!text.contains("crl") && !text.contains("list"), "{text}");
        }
    }
}
