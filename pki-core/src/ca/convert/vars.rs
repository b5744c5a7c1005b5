//! The settings of easy-rsa 2's `vars` file, `export KEY_SIZE=2048` and the like, as those of easy-rsa 3.

/// A `vars` file for the new PKI.
pub(super) struct ConvertedVars {
    pub(super) text: String,
    /// Names of settings that cannot be taken over as they are written.
    pub(super) left_out: Vec<String>,
}

/// Takes over every plain setting that has a meaning in easy-rsa 3.
pub(super) fn convert(text: &str) -> ConvertedVars {
    let mut converted = ConvertedVars { text: HEADER.into(), left_out: Vec::new() };
    for line in text.lines() {
        let Some((name, value)) = line.trim().strip_prefix("export ").and_then(|rest| rest.split_once('='))
        else {
            continue;
        };
        let Some((_, successor)) = SUCCESSORS.iter().find(|(old, _)| *old == name.trim()) else {
            continue;
        };
        match plain(value.trim()) {
            Some(value) => converted.text += &format!("set_var {successor} \"{value}\"\n"),
            None => converted.left_out.push(name.trim().to_owned()),
        }
    }
    converted
}

/// A value that means the same in single, double and no quotes.
fn plain(value: &str) -> Option<&str> {
    let unquoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let content = unquoted.unwrap_or(value);
    let is_plain = |character: char| {
        !character.is_control() && !matches!(character, '"' | '\'' | '$' | '`' | '\\' | '#' | ';' | '&' | '|')
    };
    let is_one_word = unquoted.is_some() || !content.contains(char::is_whitespace);
    (is_one_word && content.chars().all(is_plain)).then_some(content)
}

const SUCCESSORS: [(&str, &str); 9] = [
    ("KEY_SIZE", "EASYRSA_KEY_SIZE"),
    ("CA_EXPIRE", "EASYRSA_CA_EXPIRE"),
    ("KEY_EXPIRE", "EASYRSA_CERT_EXPIRE"),
    ("KEY_COUNTRY", "EASYRSA_REQ_COUNTRY"),
    ("KEY_PROVINCE", "EASYRSA_REQ_PROVINCE"),
    ("KEY_CITY", "EASYRSA_REQ_CITY"),
    ("KEY_ORG", "EASYRSA_REQ_ORG"),
    ("KEY_EMAIL", "EASYRSA_REQ_EMAIL"),
    ("KEY_OU", "EASYRSA_REQ_OU"),
];

/// easy-rsa 2 knew no other form of names.
const HEADER: &str =
    "# Settings of easy-rsa 2, taken over by `postern pki convert`.\nset_var EASYRSA_DN \"org\"\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_settings_get_their_present_names_and_others_are_named() {
        let converted = convert(
            "# comment\nexport EASY_RSA=\"`pwd`\"\nexport KEY_SIZE=2048\nexport KEY_CITY=\"San Francisco\"\n\
             export KEY_ORG='Fort-Funston'\nexport KEY_OU=$(hostname)\nexport KEY_EMAIL=a b\nexport KEY_NAME=x\n",
        );
        let settings: Vec<&str> = converted.text.lines().skip(2).collect();
        assert_eq!(
            settings,
            [
                "set_var EASYRSA_KEY_SIZE \"2048\"",
                "set_var EASYRSA_REQ_CITY \"San Francisco\"",
                "set_var EASYRSA_REQ_ORG \"Fort-Funston\"",
            ]
        );
        assert_eq!(converted.left_out, ["KEY_OU", "KEY_EMAIL"]);
    }
}
