//! Comma-separated values (RFC 4180), with plain line feeds.

/// Appends one record.
pub(crate) fn push_record(text: &mut String, fields: &[&str]) {
    for (position, field) in fields.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        push_field(text, field);
    }
    text.push('\n');
}

fn push_field(text: &mut String, field: &str) {
    if !field.contains(['"', ',', '\n', '\r']) {
        return text.push_str(field);
    }
    text.push('"');
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_when_they_must_be() {
        let mut text = String::new();
        push_record(&mut text, &["plain", "", "a,b", "say \"x\"", "two\nlines"]);
        assert_eq!(text, "plain,,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\n");
    }
}
