//! How the table of options becomes [`Options`](super::Options): everything that is the same for each of them.
//!
//! Knows no single option. A line of the table is a documentation comment, the option's name as a flag and in a file, its
//! field, the type of its value, and whether a running server takes on a new value (`live`) or not (`restart`). Tables of a file
//! stand at the end; they are no flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Declares [`Options`](super::Options) with its names, its merge and what a reload needs to know.
macro_rules! option_table {
    (@is_live live) => { true };
    (@is_live restart) => { false };
    (
        $($(#[$attribute:meta])* $name:literal $field:ident: $value:ty, $reload:ident;)*
        tables {
            $($(#[$table_attribute:meta])* $table_name:literal $table:ident: $table_value:ty, $table_reload:ident;)*
        }
    ) => {
        /// Every option, each of them possibly absent. [`Config::check`](super::Config::check) makes a configuration of it.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[serde(default)]
        pub struct Options {
            $($(#[$attribute])* #[serde(rename = $name)] pub $field: Option<$value>,)*
            $(
                $(#[$table_attribute])*
                #[serde(rename = $table_name, skip_serializing_if = "Option::is_none")]
                pub $table: Option<$table_value>,
            )*
        }

        impl Options {
            /// The names of all options, as flags and in a file.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The tables that a file can have beside options.
            pub const TABLES: &'static [&'static str] = &[$($table_name),*];

            /// Whether a reload can change the option or table `name` while clients are connected.
            pub(super) fn is_live(name: &str) -> bool {
                match name {
                    $($name => option_table!(@is_live $reload),)*
                    $($table_name => option_table!(@is_live $table_reload),)*
                    _ => false,
                }
            }

            /// Each option of these, or if it is absent that of `fallback`.
            fn each_or(self, fallback: Self) -> Self {
                Self {
                    $($field: self.$field.or(fallback.$field),)*
                    $($table: self.$table.or(fallback.$table),)*
                }
            }

            /// The options that are paths, by name; tables are not looked into.
            pub(crate) fn paths(&self) -> Vec<(&'static str, &Path)> {
                let paths = [$(($name, self.$field.as_ref().and_then(OptionValue::as_path))),*];
                paths.into_iter().filter_map(|(name, path)| Some((name, path?))).collect()
            }

            /// The options whose values are paths taken from `directory`.
            fn with_paths_in(self, directory: &Path) -> Self {
                Self {
                    $($field: self.$field.map(|value| value.taken_from(directory)),)*
                    $($table: self.$table.map(|value| value.taken_from(directory)),)*
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

    /// The path that the value is, if it is one.
    fn as_path(&self) -> Option<&Path> {
        None
    }
}

impl OptionValue for PathBuf {
    fn as_path(&self) -> Option<&Path> {
        Some(self)
    }

    fn taken_from(self, directory: &Path) -> Self {
        directory.join(self)
    }
}

impl OptionValue for String {}
impl<T> OptionValue for Vec<T> {}
impl<T> OptionValue for BTreeMap<String, T> {}
impl OptionValue for bool {}
impl OptionValue for u16 {}
impl OptionValue for u32 {}
impl OptionValue for [u32; 2] {}
