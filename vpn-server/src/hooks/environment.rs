//! The variables of a program: made one by one, never inherited.

use std::collections::BTreeMap;

use pki_core::text::is_deceptive;

/// Variables by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// Where programs look for other programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Environment {
    /// Nothing but the fixed `PATH`, and what kind of call it is.
    #[must_use]
    pub fn of_script(script_type: &str) -> Self {
        let mut environment = Self::default();
        environment.set("PATH", PATH);
        environment.set("script_type", script_type);
        environment
    }

    /// Sets a variable. Characters that end lines, drive terminals or hide become `_` (ACL-07); a name that is no name
    /// of a variable is left out.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if is_name {
            self.variables.insert(name.to_owned(), harmless(&value.to_string()));
        }
    }

    /// Sets a variable to a secret as it is; the caller knows that it holds no NUL.
    pub(super) fn set_secret(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Takes over the variables of another one.
    pub fn extend(&mut self, other: &Self) {
        let variables = other.variables.iter().map(|(name, value)| (name.clone(), value.clone()));
        self.variables.extend(variables);
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn harmless(value: &str) -> String {
    value.chars().map(|character| if is_deceptive(character) { '_' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acl_07_no_value_ends_a_line_or_hides_anything() {
        let mut environment = Environment::default();
        environment.set("common_name", "a\nb\0c\u{202e}d\u{1b}[31m");
        assert_eq!(environment.get("common_name"), Some("a_b_c_d_[31m"));
    }

    #[test]
    fn acl_08_what_is_no_name_is_left_out() {
        let mut environment = Environment::default();
        for name in ["", "a=b", "LD PRELOAD", "x()", "BASH_FUNC_x%%", "ä"] {
            environment.set(name, "x");
        }
        assert_eq!(environment.iter().count(), 0);
    }

    #[test]
    fn acl_08_the_path_is_fixed() {
        assert_eq!(Environment::of_script("up").get("PATH"), Some(PATH));
    }
}
