//! One directive with its arguments: what it is for, and whether it is dangerous.

use super::doubt::Doubt;
use super::knowledge::{self, Class, Reception};
use super::{At, Explanation, Profile, Severity};
use crate::bundle::document::Directive;

/// Adds what the directive is for.
pub(super) fn explain(profile: &mut Profile, line: usize, found: &Directive) {
    let known = knowledge::of(&found.name);
    let refused = Reception::Refused;
    profile.report.explanations.push(Explanation {
        line,
        directive: shown(&found.name),
        meaning: known.map(|known| known.meaning),
        postern: known.map_or(refused, |known| known.postern),
        aws: known.map_or(refused, |known| known.aws),
        openvpn3: known.map_or(refused, |known| known.openvpn3),
    });
}

/// Adds what there is to say about the directive.
pub(super) fn judge(profile: &mut Profile, line: usize, found: &Directive) {
    let name = shown(&found.name);
    let at = At { line, directive: &name };
    let Some(known) = knowledge::of(&found.name) else {
        return unknown(profile, at, found);
    };
    match known.class {
        Class::Behaviour => {}
        Class::File => file(profile, at, found),
        Class::Password => password(profile, at, found),
        Class::Environment => environment(profile, at, found),
        Class::Control => control(profile, at, found, known.meaning),
        Class::Program => danger(profile, at, Doubt::RunsProgram, known.meaning),
        Class::Code => danger(profile, at, Doubt::LoadsCode, known.meaning),
        Class::Surroundings => danger(profile, at, Doubt::ChangesSurroundings, known.meaning),
        Class::Writes => danger(profile, at, Doubt::WritesFile, known.meaning),
        Class::Server => {
            let message = format!("'{name}' belongs into the configuration of a server");
            profile.add(at, Severity::Warning, Doubt::ServerDirective, message, "Remove the line.");
        }
        Class::Removed => {
            let message = format!("'{name}' is gone: current clients refuse it");
            profile.add(at, Severity::Warning, Doubt::DirectiveRemoved, message, "Remove the line.");
        }
    }
    strength(profile, at, found);
}

fn unknown(profile: &mut Profile, at: At<'_>, found: &Directive) {
    let kind = if found.inline.is_some() { "block" } else { "directive" };
    let message = format!("no client is known to have a {kind} '{}'; most refuse the profile", at.directive);
    profile.add(at, Severity::Warning, Doubt::DirectiveUnknown, message, "Check the spelling, or remove it.");
}

fn danger(profile: &mut Profile, at: At<'_>, doubt: Doubt, meaning: &str) {
    let message =
        format!("'{}' {meaning}, with the rights of the client, which are often root's", at.directive);
    let help = "Remove the line, unless you wrote it yourself and know why.";
    profile.add(at, Severity::Error, doubt, message, help);
}

fn control(profile: &mut Profile, at: At<'_>, found: &Directive, meaning: &str) {
    let is_harmless = found.name == "script-security"
        && matches!(found.arguments.first().map(String::as_str), Some("0" | "1"));
    if !is_harmless {
        danger(profile, at, Doubt::OpensControl, meaning);
    }
}

/// `setenv opt DIRECTIVE` is that directive, for clients that know it.
fn environment(profile: &mut Profile, at: At<'_>, found: &Directive) {
    match found.arguments.split_first() {
        Some((first, [wrapped, arguments @ ..])) if first == "opt" => {
            let inner = Directive {
                name: wrapped.strip_prefix("--").unwrap_or(wrapped).to_owned(),
                arguments: arguments.to_vec(),
                inline: None,
                place: found.place.clone(),
            };
            profile.take(at.line, inner);
        }
        Some((name, _)) if is_told_to_the_server(name) => {}
        _ => danger(profile, at, Doubt::SetsEnvironment, "sets a variable for the programs that it runs"),
    }
}

/// Variables that OpenVPN 3 reads as settings, and those that only go to the server.
fn is_told_to_the_server(variable: &str) -> bool {
    const SETTINGS: [&str; 6] =
        ["CLIENT_CERT", "FRIENDLY_NAME", "USERNAME", "SERVER", "GENERIC_CONFIG", "PUSH_PEER_INFO"];
    variable.starts_with("UV_") || variable.starts_with("IV_") || SETTINGS.contains(&variable)
}

fn file(profile: &mut Profile, at: At<'_>, found: &Directive) {
    match found.arguments.first() {
        Some(path) if found.inline.is_none() && path != "[inline]" => reference(profile, at, path),
        _ => {}
    }
}

fn reference(profile: &mut Profile, at: At<'_>, path: &str) {
    let shown = shown(path);
    if path.starts_with("\\\\") || path.starts_with("//") {
        let message =
            format!("'{shown}' lies on another machine, which learns who you are when it is opened");
        let help = "Put the content into the profile, between tags.";
        return profile.add(at, Severity::Error, Doubt::FileElsewhere, message, help);
    }
    let is_outside = path.starts_with(['/', '\\', '~'])
        || path.get(1..2) == Some(":")
        || path.split(['/', '\\']).any(|part| part == "..");
    if is_outside {
        let message = format!("'{shown}' lies outside of the directory of the profile");
        let help = "Put the content into the profile, between tags.";
        return profile.add(at, Severity::Warning, Doubt::FileOutside, message, help);
    }
    let message = format!("'{shown}' must lie beside the profile");
    profile.add(at, Severity::Note, Doubt::FileBeside, message, "Hand it out together with the profile.");
}

fn password(profile: &mut Profile, at: At<'_>, found: &Directive) {
    let position = if matches!(found.name.as_str(), "http-proxy" | "socks-proxy") { 2 } else { 0 };
    if found.inline.is_some() {
        let message = format!("the password in <{}> can be read by whoever gets the profile", at.directive);
        let help = "Take the block out; the client then asks.";
        return profile.add(at, Severity::Warning, Doubt::PasswordInside, message, help);
    }
    let Some(path) = found.arguments.get(position).filter(|path| !is_word_of_proxies(path)) else {
        return;
    };
    let message = format!("the password is read from '{}', where it lies open", shown(path));
    let help = "Take the file name out; the client then asks.";
    profile.add(at, Severity::Warning, Doubt::PasswordInFile, message, help);
    reference(profile, at, path);
}

fn is_word_of_proxies(word: &str) -> bool {
    matches!(word, "auto" | "auto-nct" | "stdin" | "none" | "basic" | "ntlm" | "ntlm2")
}

/// Ciphers, hashes, versions, compression: what is weaker than it should be.
fn strength(profile: &mut Profile, at: At<'_>, found: &Directive) {
    let first = found.arguments.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    match found.name.as_str() {
        "cipher" | "data-ciphers" | "ncp-ciphers" | "data-ciphers-fallback" => ciphers(profile, at, &first),
        "auth" if matches!(first.as_str(), "MD4" | "MD5" | "NONE" | "RSA-MD5" | "RIPEMD160") => {
            let message = format!("the hash {} protects nothing", shown(&first));
            profile.add(at, Severity::Error, Doubt::HashWeak, message, "Write SHA256, on both ends.");
        }
        "tls-version-min" if matches!(first.as_str(), "1.0" | "1.1") => {
            let message = format!("TLS {first} is broken, and this server refuses it");
            profile.add(at, Severity::Warning, Doubt::TlsVersionWeak, message, "Write tls-version-min 1.2.");
        }
        "tls-cipher"
            if ["NULL", "ANON", "EXPORT", "RC4", "DES", "MD5"].iter().any(|weak| first.contains(weak)) =>
        {
            let message = "the list holds cipher suites that protect nothing".to_owned();
            profile.add(at, Severity::Warning, Doubt::CipherSuiteWeak, message, "Remove the line.");
        }
        "compress" | "comp-lzo" | "allow-compression" => compression(profile, at, found),
        "dev" if first.starts_with("TAP") => {
            let message = "a TAP device carries Ethernet; this server carries IP only, and so does OpenVPN 3";
            profile.add(at, Severity::Error, Doubt::DeviceTap, message.to_owned(), "Write dev tun.");
        }
        "secret" => {
            let message = "a fixed key has no forward secrecy, and no server of today takes it".to_owned();
            profile.add(
                at,
                Severity::Error,
                Doubt::StaticKeyMode,
                message,
                "Ask for a profile with certificates.",
            );
        }
        "fragment" => {
            let message =
                "only stock OpenVPN takes packets in this form; the tunnel would stay silent".to_owned();
            profile.add(
                at,
                Severity::Error,
                Doubt::Fragment,
                message,
                "Remove the line; mssfix does the same for TCP.",
            );
        }
        _ => {}
    }
}

fn ciphers(profile: &mut Profile, at: At<'_>, list: &str) {
    let is_weak = |cipher: &&str| {
        ["BF-", "DES", "RC2", "CAST5", "IDEA", "SEED", "NONE"].iter().any(|weak| cipher.starts_with(weak))
    };
    let names: Vec<&str> = list.split(':').map(|cipher| cipher.trim_start_matches('?')).collect();
    if let Some(weak) = names.iter().copied().find(|cipher| is_weak(cipher)) {
        let message = format!("the cipher {} is broken, and this server refuses it", shown(weak));
        return profile.add(at, Severity::Error, Doubt::CipherWeak, message, "Write AES-256-GCM.");
    }
    if names.iter().all(|cipher| cipher.ends_with("-CBC")) {
        let message = "CBC ciphers are taken only by servers that are told so (--cbc-ciphers)".to_owned();
        profile.add(at, Severity::Warning, Doubt::CipherOld, message, "Write AES-256-GCM.");
    }
}

fn compression(profile: &mut Profile, at: At<'_>, found: &Directive) {
    let argument = found.arguments.first().map(String::as_str);
    let is_framing_only = match found.name.as_str() {
        "compress" => matches!(argument, None | Some("stub" | "stub-v2" | "migrate")),
        "comp-lzo" => argument == Some("no"),
        _ => matches!(argument, None | Some("no" | "asym")),
    };
    let (severity, message) = if is_framing_only {
        (Severity::Note, "nothing is compressed, but the directive changes the form of packets")
    } else {
        (Severity::Warning, "compression gives away what is encrypted (VORACLE); this server never does it")
    };
    profile.add(at, severity, Doubt::Compression, message.to_owned(), "Remove the line.");
}

/// Words of a foreign file, for people: short, and without anything that plays tricks on a terminal.
fn shown(text: &str) -> String {
    text.chars().take(MOST_SHOWN).flat_map(char::escape_debug).collect()
}

const MOST_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::super::{Circumstances, Finding, Severity, lint};
    use crate::time::Timestamp;

    fn findings(text: &str) -> Vec<Finding> {
        let circumstances = Circumstances { now: Timestamp::from_unix_seconds(0), mode: None };
        let found = lint(text.as_bytes(), circumstances).findings;
        found.into_iter().filter(|finding| finding.line.is_some()).collect()
    }

    fn only(text: &str) -> (Severity, &'static str) {
        match findings(text).as_slice() {
            [finding] => (finding.severity, finding.code),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn cfg_02_each_dangerous_directive_is_an_error() {
        for (text, code) in [
            ("route-up x", "runs-program"),
            ("tls-verify x", "runs-program"),
            ("iproute /tmp/ip", "runs-program"),
            ("plugin /tmp/x.so", "loads-code"),
            ("engine x", "loads-code"),
            ("providers x", "loads-code"),
            ("pkcs11-providers x", "loads-code"),
            ("management 127.0.0.1 7505", "opens-control"),
            ("script-security 2", "opens-control"),
            ("script-security", "opens-control"),
            ("cd /tmp", "changes-surroundings"),
            ("config x", "changes-surroundings"),
            ("dev-node /dev/x", "changes-surroundings"),
            ("log /etc/cron.d/x", "writes-file"),
            ("status x", "writes-file"),
            ("writepid x", "writes-file"),
            ("tls-export-cert x", "writes-file"),
            ("setenv LD_PRELOAD /tmp/x.so", "sets-environment"),
            ("setenv opt log x", "writes-file"),
            ("ca \\\\\\\\host\\\\share\\\\ca.crt", "file-elsewhere"),
            ("cert //host/share/a.crt", "file-elsewhere"),
        ] {
            assert_eq!(only(text), (Severity::Error, code), "{text}");
        }
    }

    #[test]
    fn what_is_harmless_gives_no_finding() {
        for text in [
            "script-security 1",
            "setenv FRIENDLY_NAME Office",
            "setenv UV_ID 1",
            "auth-user-pass",
            "http-proxy proxy.example 8080 auto",
            "tls-version-min 1.2",
            "data-ciphers AES-256-GCM:AES-128-GCM:?CHACHA20-POLY1305",
            "dev tun",
            "auth SHA512",
        ] {
            assert_eq!(findings(text), [], "{text}");
        }
    }

    #[test]
    fn cfg_02_files_outside_of_the_bundle_are_named() {
        for path in ["/etc/passwd", "../a.key", "a/../../b", "C:\\\\\\\\a.key", "~/a.key"] {
            assert_eq!(only(&format!("key {path}")), (Severity::Warning, "file-outside"), "{path}");
        }
        assert_eq!(only("key alice.key"), (Severity::Note, "file-beside"));
        assert_eq!(findings("key [inline]"), []);
    }

    #[test]
    fn passwords_in_files_are_named() {
        for text in ["auth-user-pass pass.txt", "askpass pass.txt", "http-proxy p 80 pass.txt basic"] {
            let codes: Vec<_> = findings(text).iter().map(|finding| finding.code).collect();
            assert_eq!(codes, ["password-in-file", "file-beside"], "{text}");
        }
        let inside = "<auth-user-pass>\nalice\nsecret\n</auth-user-pass>";
        assert_eq!(only(inside), (Severity::Warning, "password-inside"));
    }

    #[test]
    fn what_is_weak_is_named() {
        for (text, expected) in [
            ("cipher BF-CBC", (Severity::Error, "cipher-weak")),
            ("cipher none", (Severity::Error, "cipher-weak")),
            ("data-ciphers AES-256-GCM:DES-EDE3-CBC", (Severity::Error, "cipher-weak")),
            ("cipher AES-256-CBC", (Severity::Warning, "cipher-old")),
            ("auth MD5", (Severity::Error, "hash-weak")),
            ("tls-version-min 1.0", (Severity::Warning, "tls-version-weak")),
            ("tls-cipher TLS-RSA-WITH-RC4-128-MD5", (Severity::Warning, "cipher-suite-weak")),
            ("comp-lzo", (Severity::Warning, "compression")),
            ("compress lz4-v2", (Severity::Warning, "compression")),
            ("compress stub-v2", (Severity::Note, "compression")),
            ("comp-lzo no", (Severity::Note, "compression")),
            ("dev tap0", (Severity::Error, "device-tap")),
            ("fragment 1300", (Severity::Error, "fragment")),
            ("server 10.8.0.0 255.255.255.0", (Severity::Warning, "server-directive")),
            ("ncp-disable", (Severity::Warning, "directive-removed")),
            ("remot a", (Severity::Warning, "directive-unknown")),
        ] {
            assert_eq!(only(text), expected, "{text}");
        }
    }

    #[test]
    fn ops_03_words_of_the_file_cannot_steer_the_terminal() {
        let found = findings("nonsense\u{202e}\u{200b}x");
        assert!(found[0].message.contains("\\u{202e}\\u{200b}"), "{found:?}");
    }
}
