//! The list of users for certificates in bulk: CSV (RFC 4180) with the columns `name`, `san` and `days`.
//!
//! A header names the columns in any order; without one, the columns are these three in this order, as far as they are
//! there. Empty lines and lines that begin with `#` are skipped.

use std::path::Path;

use crate::error::CliError;

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) alternative_names: Option<String>,
    pub(crate) days: Option<u32>,
}

/// Reads and understands the whole file, or nothing of it.
pub(crate) fn read(path: &Path) -> Result<Vec<User>, CliError> {
    let failed = |cause| CliError::File { operation: "read", path: path.to_path_buf(), cause };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    parse(&text).map_err(|fault| CliError::Usage(format!("{}: {fault}", path.display())))
}

fn parse(text: &str) -> Result<Vec<User>, String> {
    let mut columns = vec![Column::Name, Column::AlternativeNames, Column::Days];
    let mut users = Vec::new();
    for (number, fields) in (1..).zip(records(text)?) {
        if number == 1
            && let Some(header) = Column::header(&fields)
        {
            columns = header;
            continue;
        }
        users.push(user(&columns, &fields).map_err(|fault| format!("record {number}: {fault}"))?);
    }
    if users.is_empty() { Err("there is no user in it".into()) } else { Ok(users) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    AlternativeNames,
    Days,
}

impl Column {
    /// The columns, if the first record is a header.
    fn header(fields: &[String]) -> Option<Vec<Self>> {
        let column = |field: &String| match field.trim().to_ascii_lowercase().as_str() {
            "name" => Some(Self::Name),
            "san" => Some(Self::AlternativeNames),
            "days" => Some(Self::Days),
            _ => None,
        };
        let columns: Vec<Self> = fields.iter().map(column).collect::<Option<_>>()?;
        columns.contains(&Self::Name).then_some(columns)
    }
}

fn user(columns: &[Column], fields: &[String]) -> Result<User, String> {
    if fields.len() > columns.len() {
        return Err(format!("{} fields, but only {} columns", fields.len(), columns.len()));
    }
    let field = |wanted: Column| {
        let found = columns.iter().zip(fields).find(|(column, _)| **column == wanted);
        found.map(|(_, field)| field.trim()).filter(|field| !field.is_empty())
    };
    let days = match field(Column::Days) {
        None => None,
        Some(digits) => match digits.parse() {
            Ok(0) | Err(_) => return Err(format!("'{digits}' is no number of days")),
            Ok(days) => Some(days),
        },
    };
    Ok(User {
        name: field(Column::Name).ok_or("the name is missing")?.to_owned(),
        alternative_names: field(Column::AlternativeNames).map(str::to_owned),
        days,
    })
}

/// Records with their fields, quotes undone.
fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        if rest.starts_with(['\n', '\r', '#']) {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (record, after) = record(rest).ok_or("a quoted field does not end")?;
        records.push(record);
        rest = after;
    }
    Ok(records)
}

/// One record, and what follows its line end; `None` if a quote is never closed.
fn record(text: &str) -> Option<(Vec<String>, &str)> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let field = fields.last_mut()?;
        match character {
            '"' if is_quoted && characters.next_if(|(_, next)| *next == '"').is_some() => field.push('"'),
            '"' if is_quoted || field.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => return Some((fields, &text[at + 1..])),
            other => field.push(other),
        }
    }
    (!is_quoted).then_some((fields, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, alternative_names: Option<&str>, days: Option<u32>) -> User {
        User { name: name.into(), alternative_names: alternative_names.map(str::to_owned), days }
    }

    #[test]
    fn a_plain_list_of_names_is_enough() {
        let users = parse("alice\r\n\n# a comment\nbob@example.org\n").unwrap();
        assert_eq!(users, [user("alice", None, None), user("bob@example.org", None, None)]);
    }

    #[test]
    fn a_header_names_the_columns_in_any_order() {
        let text = "\u{feff}days,Name,san\n30,web,\"DNS:a.example,DNS:b.example\"\n,\"a \"\"b\"\"\"";
        let expected =
            [user("web", Some("DNS:a.example,DNS:b.example"), Some(30)), user("a \"b\"", None, None)];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_file_that_is_not_understood_issues_nothing() {
        for text in ["", "name\n", "a,b,30,x\n", "a,,never\n", "a,,0\n", ",b\n", "\"a\n"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
