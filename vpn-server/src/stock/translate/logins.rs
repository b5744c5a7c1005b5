//! Who logs in by what, with tokens and for how long.

use pki_core::chain::IdentityField;

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Files, Verdict, parsed};
use crate::config::Options;

const TOKEN_FORM: &str = "auth-gen-token [LIFETIME [RENEWAL]] [external-auth]";
const IDLE_FORM: &str = "inactive SECONDS [OCTETS]";
const IDENTITY_FIELDS: &str = "CN, UID, emailAddress or ext:subjectAltName, which is the mail address there";
const SECONDS: &str = "a number of seconds";

/// What becomes of `directive`, if it is about logins.
pub(super) fn take(directive: &Directive, files: &mut Files, options: &mut Options) -> Option<Verdict> {
    Some(match directive.name.as_str() {
        "verify-client-cert" => take_verification(directive, options),
        "auth-user-pass-optional" => directive
            .exactly::<0>("auth-user-pass-optional")
            .map(|[]| set(&mut options.auth_user_pass_optional)),
        "username-as-common-name" => directive
            .exactly::<0>("username-as-common-name")
            .map(|[]| set(&mut options.username_as_common_name)),
        "x509-username-field" => take_identity(directive, options),
        "management-client-auth" => directive
            .exactly::<0>("management-client-auth")
            .map(|[]| set(&mut options.management_client_auth)),
        "auth-gen-token" => take_tokens(directive, options),
        "auth-gen-token-secret" => take_token_key(directive, files, options),
        "session-timeout" => take_session_timeout(directive, options),
        "inactive" => take_idle_timeout(directive, options),
        _ => return None,
    })
}

fn set(slot: &mut Option<bool>) -> Fate {
    *slot = Some(true);
    Fate::Done
}

/// A bare `verify-client-cert` demands one.
fn take_verification(directive: &Directive, options: &mut Options) -> Verdict {
    let wish = match directive.arguments.as_slice() {
        [] => "require",
        [wish] if matches!(wish.as_str(), "none" | "optional" | "require") => wish,
        _ => return Err(Problem::Arguments("verify-client-cert none|optional|require")),
    };
    options.verify_client_cert = Some(wish.to_owned());
    Ok(Fate::Done)
}

/// Fields that mean something else here are refused: a client would get in under the name of another one.
fn take_identity(directive: &Directive, options: &mut Options) -> Verdict {
    let [field] = directive.exactly::<1>("x509-username-field FIELD (one only)")?;
    let identity = match field.as_str() {
        "CN" | "cn" => IdentityField::CommonName,
        "UID" | "uid" => IdentityField::UserId,
        "emailAddress" => IdentityField::SubjectEmail,
        "ext:subjectAltName" => IdentityField::Email,
        "serialNumber" => {
            return Err(Problem::Unsupported(
                "OpenVPN means the number of the certificate, which changes at each renewal",
            ));
        }
        _ => return Err(Problem::Value { value: field.clone(), expected: IDENTITY_FIELDS }),
    };
    options.certificate_identity = Some(identity.to_string());
    Ok(Fate::Done)
}

fn take_tokens(directive: &Directive, options: &mut Options) -> Verdict {
    let is_external = directive.arguments.last().is_some_and(|word| word == "external-auth");
    let numbers = directive.arguments.len() - usize::from(is_external);
    let (lifetime, renewal) = match &directive.arguments[..numbers] {
        [] => (0, None),
        [lifetime] => (parsed(lifetime, SECONDS)?, None),
        [lifetime, renewal] => (parsed(lifetime, SECONDS)?, Some(parsed(renewal, SECONDS)?)),
        _ => return Err(Problem::Arguments(TOKEN_FORM)),
    };
    options.auth_gen_token = Some(lifetime);
    options.auth_gen_token_renewal = renewal;
    options.auth_gen_token_external = is_external.then_some(true);
    Ok(Fate::Done)
}

fn take_token_key(directive: &Directive, files: &mut Files, options: &mut Options) -> Verdict {
    const FORM: &str = "auth-gen-token-secret FILE";
    if directive.inline.is_none() {
        directive.exactly::<1>(FORM)?;
    }
    options.auth_gen_token_secret = Some(files.named(directive, FORM)?);
    Ok(Fate::Done)
}

fn take_session_timeout(directive: &Directive, options: &mut Options) -> Verdict {
    options.session_timeout = Some(directive.number("session-timeout SECONDS")?);
    Ok(Fate::Done)
}

/// Without a number of octets, one is enough.
fn take_idle_timeout(directive: &Directive, options: &mut Options) -> Verdict {
    let (seconds, rest) = directive.first_and_rest(IDLE_FORM)?;
    let octets = match rest {
        [] => 1,
        [octets] => parsed(octets, "a number of octets below 2^32")?,
        _ => return Err(Problem::Arguments(IDLE_FORM)),
    };
    options.idle_timeout = Some([parsed(seconds, SECONDS)?, octets]);
    Ok(Fate::Done)
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn certificates_are_demanded_as_the_directive_says() {
        for (text, wish) in [
            ("verify-client-cert", "require"),
            ("verify-client-cert require", "require"),
            ("verify-client-cert optional", "optional"),
            ("verify-client-cert none", "none"),
        ] {
            assert_eq!(logins(text).unwrap().verify_client_cert.as_deref(), Some(wish), "{text}");
        }
        assert!(logins("verify-client-cert maybe").is_err());
    }

    #[test]
    fn crt_07_the_field_that_names_a_client_is_taken_where_it_means_the_same() {
        for (text, field) in [
            ("CN", IdentityField::CommonName),
            ("cn", IdentityField::CommonName),
            ("UID", IdentityField::UserId),
            ("emailAddress", IdentityField::SubjectEmail),
            ("ext:subjectAltName", IdentityField::Email),
        ] {
            let options = logins(&format!("x509-username-field {text}")).unwrap();
            assert_eq!(options.certificate_identity.unwrap().parse(), Ok(field), "{text}");
        }
    }

    #[test]
    fn cfg_02_fields_that_would_name_somebody_else_are_refused_with_a_reason() {
        let refusal = |text: &str| logins(&format!("x509-username-field {text}")).unwrap_err().to_string();
        assert!(refusal("serialNumber").contains("changes at each renewal"));
        for text in ["OU", "ext:issuerAltName", "EMAILADDRESS", "ext:1.2.3"] {
            assert!(refusal(text).contains("emailAddress or ext:subjectAltName"), "{text}");
        }
        assert!(refusal("CN UID").contains("one only"));
        assert!(refusal("").contains("one only"));
    }

    #[test]
    fn tokens_have_a_lifetime_a_renewal_and_somebody_who_looks_at_them() {
        let tokens = |text: &str| {
            let options = logins(text).unwrap();
            (options.auth_gen_token, options.auth_gen_token_renewal, options.auth_gen_token_external)
        };
        assert_eq!(tokens("auth-gen-token"), (Some(0), None, None));
        assert_eq!(tokens("auth-gen-token 28800"), (Some(28800), None, None));
        assert_eq!(tokens("auth-gen-token 0 external-auth"), (Some(0), None, Some(true)));
        assert_eq!(tokens("auth-gen-token 600 300 external-auth"), (Some(600), Some(300), Some(true)));
        for text in ["auth-gen-token x", "auth-gen-token 1 2 3", "auth-gen-token external-auth 1"] {
            assert!(logins(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_key_for_tokens_is_a_file_or_a_block() {
        let key = |text: &str| logins(text).unwrap().auth_gen_token_secret.unwrap();
        assert_eq!(key("auth-gen-token-secret t.key").to_str(), Some("/srv/t.key"));
        let block = "<auth-gen-token-secret>\nK\n</auth-gen-token-secret>";
        assert_eq!(key(block).to_str(), Some("/var/inline/auth-gen-token-secret.pem"));
    }

    #[test]
    fn sessions_end_by_time_or_by_silence() {
        let options = logins("session-timeout 3600\ninactive 600").unwrap();
        assert_eq!((options.session_timeout, options.idle_timeout), (Some(3600), Some([600, 1])));
        assert_eq!(logins("inactive 600 10000").unwrap().idle_timeout, Some([600, 10_000]));
        assert!(logins("inactive").is_err() && logins("inactive 1 2 3").is_err());
    }

    #[test]
    fn what_has_no_argument_is_switched_on() {
        let options =
            logins("auth-user-pass-optional\nusername-as-common-name\nmanagement-client-auth").unwrap();
        assert_eq!(options.auth_user_pass_optional, Some(true));
        assert_eq!(options.username_as_common_name, Some(true));
        assert_eq!(options.management_client_auth, Some(true));
        assert!(logins("username-as-common-name yes").is_err());
    }

    fn logins(text: &str) -> Result<Options, Problem> {
        let mut files =
            Files { directory: "/srv".into(), inline_directory: "/var/inline".into(), inline: Vec::new() };
        let mut options = Options::default();
        for directive in parse("f", text).unwrap() {
            take(&directive, &mut files, &mut options).unwrap()?;
        }
        Ok(options)
    }
}
