//! Answers and errors for programs: one JSON object per line.

use pki_core::ca::Warning;
use pki_core::{ErrorKind, Explain};
use serde_json::{Value, json};

use super::Answer;
use crate::error::CliError;

pub(super) fn answer(answer: &Answer) -> String {
    let mut value = answer.value.clone();
    if let (Value::Object(fields), false) = (&mut value, answer.warnings.is_empty()) {
        let warnings = answer.warnings.iter().map(warning).collect();
        fields.insert("warnings".into(), Value::Array(warnings));
    }
    format!("{value}\n")
}

pub(super) fn error(error: &CliError) -> String {
    let value = json!({
        "error": {
            "code": error.code(),
            "kind": kind(error.kind()),
            "message": error.to_string(),
            "help": error.help(),
        }
    });
    format!("{value}\n")
}

fn warning(warning: &Warning) -> Value {
    let code = match warning {
        Warning::ExposedKey { .. } => "key-file-exposed",
        Warning::WeakEncryption { .. } => "key-encryption-weak",
        Warning::NotGranted { .. } => "extension-not-granted",
        Warning::IncompleteInline { .. } => "inline-incomplete",
        Warning::OutlivesAuthority { .. } => "outlives-authority",
    };
    json!({ "code": code, "message": super::human::warning(warning) })
}

fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::User => "user",
        ErrorKind::Environment => "environment",
        ErrorKind::Denied => "denied",
        ErrorKind::Bug => "bug",
    }
}
