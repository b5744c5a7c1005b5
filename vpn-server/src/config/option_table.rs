//! How the table of options becomes [`Options`](super::Options): everything that is the same for each of them.
//!
//! Knows no single option. A line of the table is a documentation comment, the option's name as a flag and in a file, its
//! field, the type of its value, and whether a running server takes on a new value (`live`) or not (`restart`).

use std::path::{Path, PathBuf};

/// Declares [`Options`](super::Options) with its names, its merge and what a reload needs to know.
macro_rules! option_table {
    (@is_live live) => { true };
    (@is_live restart) => { false };
    ($($(#[$attribute:meta])* $name:literal $field:ident: $value:ty, $reload:ident;)*) => {
        /// Every option, each of them possibly absent. [`Config::check`](super::Config::check) makes a configuration of it.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[serde(default)]
        pub struct Options {
            $($(#[$attribute])* #[serde(rename = $name)] pub $field: Option<$value>,)*
            /// What is decided about single clients, by the common name of their certificates. A table of a file, no flag.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub client: Option<BTreeMap<String, ClientOptions>>,
            /// The directory that decides about logins. A table of a file, no flag.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub directory: Option<DirectoryOptions>,
        }

        impl Options {
            /// The names of all options, as flags and in a file.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Whether a reload can change the option `name` while clients are connected.
            pub(super) fn is_live(name: &str) -> bool {
                match name {
                    $($name => option_table!(@is_live $reload),)*
                    _ => false,
                }
            }

            /// Each option of these, or if it is absent that of `fallback`.
            fn each_or(self, fallback: Self) -> Self {
                Self {
                    $($field: self.$field.or(fallback.$field),)*
                    client: self.client.or(fallback.client),
                    directory: self.directory.or(fallback.directory),
                }
            }

            /// The options whose values are paths taken from `directory`.
            fn with_paths_in(self, directory: &Path) -> Self {
                Self {
                    $($field: self.$field.map(|value| value.taken_from(directory)),)*
                    client: self.client,
                    directory: self.directory.map(|table| table.relative_to(directory)),
                }
            }
        }
    };
}
pub(super) use option_table;

/// What the value of an option is for a file that stands in some directory.
pub(super) trait OptionValue: Sized {
    /// The value with a relative path taken from `directory`; what is no path stays as it is.
    fn taken_from(self, _directory: &Path) -> Self {
        self
    }
}

impl OptionValue for PathBuf {
    fn taken_from(self, directory: &Path) -> Self {
        directory.join(self)
    }
}

impl OptionValue for String {}
impl OptionValue for Vec<String> {}
impl OptionValue for bool {}
impl OptionValue for u16 {}
impl OptionValue for u32 {}
impl OptionValue for [u32; 2] {}
