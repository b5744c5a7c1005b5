//! OpenSSL's extension syntax, as people write it into `x509-types/TYPE` and `EASYRSA_EXTRA_EXTS`.
//!
//! A file is read completely before anything is made of it, and whatever is not understood is an error that names the
//! line: an extension that silently went missing would be worse than no certificate. What the single extensions mean
//! is in `values`, the notation for arbitrary ASN.1 in `asn1_text`.

mod asn1_text;
mod values;

use super::CertificateError;
use super::extension::{Extension, IssuerAndSerial, oid};
use crate::serial::Serial;

/// A parsed file: settings in sections, variables already replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionFile {
    sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    name: String,
    settings: Vec<Setting>,
}

/// `name = value`, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    name: String,
    value: String,
    line: usize,
}

/// What the values of a file may refer to.
pub(crate) struct ExtensionContext<'a> {
    /// Key identifier of the certificate that is about to be made.
    pub(crate) subject_key: &'a [u8],
    /// Key identifier of the key that signs it.
    pub(crate) issuer_key: &'a [u8],
    /// The certificate of the key that signs it.
    pub(crate) issuer: IssuerAndSerial<'a>,
    /// Value of the issuer's subjectAltName, for `issuer:copy`.
    pub(crate) issuer_names: Option<&'a [u8]>,
}

impl ExtensionFile {
    /// Reads a file; `environment` answers `${ENV::NAME}`.
    ///
    /// # Errors
    /// [`CertificateError::ExtensionFile`] for the first line that is not understood.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, CertificateError> {
        let mut file = Self { sections: vec![Section { name: DEFAULT.into(), settings: Vec::new() }] };
        for (line, content) in logical_lines(text) {
            let content = without_comment(&content).trim().to_owned();
            if content.is_empty() {
                continue;
            }
            if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                file.sections.push(Section { name: name.trim().to_owned(), settings: Vec::new() });
                continue;
            }
            let refused = |problem: &str| refusal(line, &content, problem);
            let (name, value) = content.split_once('=').ok_or_else(|| refused("it has no '='"))?;
            let value = file.expand(value.trim(), &environment).map_err(|problem| refused(&problem))?;
            if let Some(section) = file.sections.last_mut() {
                section.settings.push(Setting { name: name.trim().to_owned(), value, line });
            }
        }
        Ok(file)
    }

    /// Whether the file sets nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.iter().all(|section| section.settings.is_empty())
    }

    /// Whether this is the file that easy-rsa brings for a type, rather than one that somebody has changed.
    #[must_use]
    pub fn is_easyrsas_own(&self, type_name: &str) -> bool {
        let mut settings: Vec<(&str, String)> = self.settings().collect();
        settings.sort();
        let is_own = |(name, stock): &&(&str, &[(&str, &str)])| {
            let same = |((name, value), (stock_name, stock_value)): (&(&str, String), &(&str, &str))| {
                name == stock_name && value == stock_value
            };
            *name == type_name && stock.len() == settings.len() && settings.iter().zip(*stock).all(same)
        };
        self.sections.len() == 1 && STOCK.iter().find(is_own).is_some()
    }

    /// The settings before the first section, without white space around commas.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, String)> {
        let first = self.sections.first().map_or(&[][..], |section| &section.settings);
        first.iter().map(|setting| {
            let parts: Vec<&str> = setting.value.split(',').map(str::trim).collect();
            (setting.name.as_str(), parts.join(","))
        })
    }

    /// The extensions that the file describes, in its order.
    pub(crate) fn resolve(&self, context: &ExtensionContext<'_>) -> Result<Vec<Extension>, CertificateError> {
        let mut extensions = Vec::new();
        for setting in self.sections.first().map_or(&[][..], |section| &section.settings) {
            let made = values::extension(self, setting, context)
                .map_err(|problem| refusal(setting.line, &setting.name, &problem))?;
            extensions.extend(made);
        }
        Ok(extensions)
    }

    /// The extensions that a request can ask for: none that need to know the issuer.
    ///
    /// # Errors
    /// [`CertificateError::ExtensionFile`] for the first setting that is not understood.
    pub fn resolve_for_request(&self) -> Result<Vec<Extension>, CertificateError> {
        let nothing = Serial::from_be_bytes(&[]);
        let context = ExtensionContext {
            subject_key: &[],
            issuer_key: &[],
            issuer: IssuerAndSerial { issuer: &[], serial: &nothing },
            issuer_names: None,
        };
        let all = self.resolve(&context)?.into_iter();
        let needs_keys = [oid::SUBJECT_KEY_IDENTIFIER, oid::AUTHORITY_KEY_IDENTIFIER];
        Ok(all.filter(|extension| !needs_keys.contains(&extension.oid)).collect())
    }

    fn section(&self, name: &str) -> Result<&[Setting], String> {
        let found = self.sections.iter().find(|section| section.name == name.trim());
        found
            .map(|section| section.settings.as_slice())
            .ok_or_else(|| format!("there is no section [{name}]"))
    }

    /// Replaces `$x`, `${x}`, `$(x)`, `${section::x}` and `${ENV::x}`, and takes quotes and escapes away.
    fn expand(&self, value: &str, environment: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = value;
        while let Some(first) = rest.chars().next() {
            let after = &rest[first.len_utf8()..];
            match first {
                '"' | '\'' => {
                    let (quoted, after) = after.split_once(first).ok_or("a quote is not closed")?;
                    expanded.push_str(quoted);
                    rest = after;
                }
                '\\' => {
                    let escaped = after.chars().next().ok_or("it ends with a backslash")?;
                    expanded.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                    rest = &after[escaped.len_utf8()..];
                }
                '$' => {
                    let (reference, after) = reference(after)?;
                    expanded.push_str(&self.lookup(reference, environment)?);
                    rest = after;
                }
                _ => {
                    expanded.push(first);
                    rest = after;
                }
            }
            // As in OpenSSL: every line could double the one before it otherwise.
            if expanded.len() > LONGEST_VALUE {
                return Err(format!("it becomes longer than {LONGEST_VALUE} octets"));
            }
        }
        Ok(expanded)
    }

    fn lookup(
        &self,
        reference: &str,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<String, String> {
        let unknown = || format!("the variable {reference} has no value");
        if let Some(name) = reference.strip_prefix("ENV::") {
            return environment(name).ok_or_else(unknown);
        }
        let (section, name) = match reference.split_once("::") {
            Some((section, name)) => (Some(section), name),
            None => (None, reference),
        };
        let is_meant = |candidate: &&Section| match section {
            Some(section) => candidate.name == section,
            None => true,
        };
        let mut candidates = self.sections.iter().rev().filter(is_meant);
        let value = candidates.find_map(|section| {
            section.settings.iter().rev().find(|setting| setting.name == name).map(|setting| &setting.value)
        });
        value.cloned().ok_or_else(unknown)
    }
}

/// Lines with their numbers, those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        // Two backslashes at the end are one that is escaped.
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        let continues = backslashes % 2 == 1;
        let content = if continues { &line[..line.len() - 1] } else { line };
        match lines.last_mut().filter(|_| is_open) {
            Some((_, open)) => open.push_str(content),
            None => lines.push((index + 1, content.to_owned())),
        }
        is_open = continues;
    }
    lines
}

/// The part before a `#` that is neither quoted nor escaped.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            _ if is_escaped => is_escaped = false,
            (None, '\\') => is_escaped = true,
            (None, '#') => return &line[..at],
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if character == open => quote = None,
            _ => {}
        }
    }
    line
}

/// The name after a `$`, and what follows it.
fn reference(text: &str) -> Result<(&str, &str), String> {
    let closed = |open: char, close: char| text.strip_prefix(open).map(|rest| rest.split_once(close));
    match closed('{', '}').or_else(|| closed('(', ')')) {
        Some(found) => found.ok_or_else(|| "a variable is not closed".to_owned()),
        None => {
            let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
            let end = text.find(|character| !is_part(character)).unwrap_or(text.len());
            if end == 0 { Err("a '$' stands alone".into()) } else { Ok(text.split_at(end)) }
        }
    }
}

fn refusal(line: usize, text: &str, problem: &str) -> CertificateError {
    CertificateError::ExtensionFile {
        line,
        text: text.escape_debug().to_string(),
        problem: problem.to_owned(),
    }
}

const DEFAULT: &str = "default";

/// The longest value, in octets, after its variables were replaced.
const LONGEST_VALUE: usize = 64 << 10;

/// What the files of easy-rsa 3.0 to 3.2 set, sorted by name. A type of `kdc` has sections and is always taken as it is.
const STOCK: &[(&str, &[(&str, &str)])] = &[
    ("COMMON", &[]),
    ("ca", &[CA_AUTHORITY_KEY, ("basicConstraints", "CA:TRUE"), CA_USAGE, SUBJECT_KEY]),
    ("ca", &[CA_AUTHORITY_KEY, ("basicConstraints", "critical,CA:TRUE"), CA_USAGE, SUBJECT_KEY]),
    ("server", &[AUTHORITY_KEY, LEAF, ("extendedKeyUsage", "serverAuth"), SIGN_AND_ENCIPHER, SUBJECT_KEY]),
    ("client", &[AUTHORITY_KEY, LEAF, ("extendedKeyUsage", "clientAuth"), SIGN, SUBJECT_KEY]),
    ("serverClient", &[AUTHORITY_KEY, LEAF, BOTH_ENDS, SIGN_AND_ENCIPHER, SUBJECT_KEY]),
    ("code-signing", &[AUTHORITY_KEY, LEAF, ("extendedKeyUsage", "codeSigning"), SIGN, SUBJECT_KEY]),
    ("email", &[AUTHORITY_KEY, LEAF, ("extendedKeyUsage", "emailProtection"), MAIL_USAGE, SUBJECT_KEY]),
];

const AUTHORITY_KEY: (&str, &str) = ("authorityKeyIdentifier", "keyid,issuer:always");
const CA_AUTHORITY_KEY: (&str, &str) = ("authorityKeyIdentifier", "keyid:always,issuer:always");
const SUBJECT_KEY: (&str, &str) = ("subjectKeyIdentifier", "hash");
const LEAF: (&str, &str) = ("basicConstraints", "CA:FALSE");
const BOTH_ENDS: (&str, &str) = ("extendedKeyUsage", "serverAuth,clientAuth");
const CA_USAGE: (&str, &str) = ("keyUsage", "cRLSign,keyCertSign");
const SIGN: (&str, &str) = ("keyUsage", "digitalSignature");
const SIGN_AND_ENCIPHER: (&str, &str) = ("keyUsage", "digitalSignature,keyEncipherment");
const MAIL_USAGE: (&str, &str) = ("keyUsage", "digitalSignature,keyEncipherment,nonRepudiation");

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ExtensionFile, CertificateError> {
        ExtensionFile::parse(text, |name| (name == "EASYRSA_KDC_REALM").then(|| "EXAMPLE.NET".to_owned()))
    }

    fn value(text: &str) -> String {
        parse(text).unwrap().sections.last().unwrap().settings.last().unwrap().value.clone()
    }

    #[test]
    fn comments_continuations_quotes_and_variables_are_openssls() {
        assert_eq!(value("a = b # comment"), "b");
        assert_eq!(value("a = \"b # c\" d"), "b # c d");
        assert_eq!(value("a = b\\#c\\\\"), "b#c\\");
        assert_eq!(value("a = b,\\\n  c"), "b,  c");
        assert_eq!(value("base = x\na = $base/${base}/$(base)"), "x/x/x");
        assert_eq!(value("[one]\nv = 1\n[two]\na = ${one::v}"), "1");
        assert_eq!(value("a = realm:${ENV::EASYRSA_KDC_REALM}"), "realm:EXAMPLE.NET");
    }

    #[test]
    fn what_is_not_understood_names_its_line() {
        for text in
            ["\nno equals sign", "\na = $unknown", "\na = ${ENV::HOME}", "\na = \"open", "\na = ${open"]
        {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, CertificateError::ExtensionFile { line: 2, .. }), "{text}: {error}");
        }
    }

    #[test]
    fn lines_that_double_each_other_and_values_without_end_are_refused() {
        let doubling: String = (0..60).map(|line| format!("v{} = $v{line}$v{line}\n", line + 1)).collect();
        let error = parse(&format!("v0 = x\n{doubling}")).unwrap_err();
        assert!(error.to_string().contains("65536"), "{error}");

        let laughs: String = (0..10)
            .map(|level| format!("[s{level}]\n") + &format!("x = SEQUENCE:s{}\n", level + 1).repeat(30))
            .collect();
        let wrapped = format!("1.2.3 = ASN1:{}NULL\n", "EXP:0,".repeat(20_000 / 6));
        for text in [format!("1.2.3 = ASN1:SEQUENCE:s0\n{laughs}[s10]\n"), wrapped] {
            let file = parse(&text).unwrap();
            assert!(file.resolve_for_request().is_err());
        }
    }

    #[test]
    fn easyrsas_own_types_are_told_from_changed_ones() {
        let server = "# X509 extensions\nbasicConstraints = CA:FALSE\nsubjectKeyIdentifier = hash\n\
                      authorityKeyIdentifier = keyid, issuer:always\nextendedKeyUsage = serverAuth\n\
                      keyUsage = digitalSignature,keyEncipherment\n";
        assert!(parse(server).unwrap().is_easyrsas_own("server"));
        assert!(!parse(server).unwrap().is_easyrsas_own("client"));
        let changed = format!("{server}crlDistributionPoints = URI:http://a.example/\n");
        assert!(!parse(&changed).unwrap().is_easyrsas_own("server"));
        assert!(parse("# nothing\n").unwrap().is_easyrsas_own("COMMON"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "([a-z=$\\\\{}():\"'#\\[\\] ]{0,12}\n){0,6}") {
            let _ = parse(&text);
        }
    }
}
