//! `postern expiry`: for people, for a monitoring system that looks at exit codes, and for Prometheus.

use pki_core::ca::{Ending, Expiring, ExpiryReport};
use pki_core::time::Timestamp;
use serde_json::{Value, json};

use super::Session;
use super::list::EntryObject;
use crate::args::expiry::ExpiryArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Answer, Table, csv, prometheus};

/// Shows what ends and answers with an exit code for it.
pub(super) fn run(session: &Session, arguments: &ExpiryArgs) -> Result<Exit, CliError> {
    let report = session.read()?.expiry(session.now, arguments.within.after(session.now))?;
    if let Some(path) = &arguments.prometheus {
        prometheus::write(path, &metrics(&report))?;
    }
    session.output.answer(&answer(session, arguments, &report))?;
    let has_ended = |ending: &Ending| ending.at < session.now;
    Ok(match report.endings.as_slice() {
        [] => Exit::Success,
        endings if endings.iter().any(has_ended) => Exit::Ended,
        _ => Exit::Ending,
    })
}

fn answer(session: &Session, arguments: &ExpiryArgs, report: &ExpiryReport) -> Answer {
    if arguments.csv {
        return Answer::of_text(to_csv(session.now, report));
    }
    if session.output.is_json() {
        Answer::of_value(to_value(session.now, report))
    } else {
        Answer::of_text(to_text(session.now, report))
    }
}

fn to_text(now: Timestamp, report: &ExpiryReport) -> String {
    let summary = format!(
        "{} certificates are valid, {} expired, {} revoked.\n",
        report.valid, report.expired, report.revoked
    );
    if report.endings.is_empty() {
        return format!("Nothing ends soon. {summary}");
    }
    let mut table = Table::with_header(&["WHAT", "ENDS", "LEFT", "SERIAL", "NAME"]);
    for Ending { what, at } in &report.endings {
        let (serial, name) = match what {
            Expiring::Authority => (String::new(), "ca.crt"),
            Expiring::RevocationList => (String::new(), "crl.pem"),
            Expiring::Certificate(record) => (record.serial.to_string(), record.common_name.as_str()),
        };
        table.push(&[what.as_str(), &at.to_string(), &time_left(now, *at), &serial, name]);
    }
    table.to_text() + &summary
}

fn to_value(now: Timestamp, report: &ExpiryReport) -> Value {
    let ending = |Ending { what, at }: &Ending| {
        let mut value = match what {
            Expiring::Authority | Expiring::RevocationList => json!({}),
            Expiring::Certificate(record) => EntryObject::new((record, record.state(now))).to_value(),
        };
        value["what"] = what.as_str().into();
        value["not_after"] = at.to_string().into();
        value["seconds_left"] = (at.unix_seconds() - now.unix_seconds()).into();
        value
    };
    json!({
        "endings": report.endings.iter().map(ending).collect::<Vec<Value>>(),
        "valid": report.valid,
        "expired": report.expired,
        "revoked": report.revoked,
        "unreadable_rows": report.unreadable,
        "ca_not_after": report.authority_ends.map(|at| at.to_string()),
        "crl_next_update": report.list_ends.map(|at| at.to_string()),
    })
}

fn to_csv(now: Timestamp, report: &ExpiryReport) -> String {
    let mut text = String::from("what,not_after,seconds_left,serial,name,subject\n");
    for Ending { what, at } in &report.endings {
        let left = (at.unix_seconds() - now.unix_seconds()).to_string();
        let (serial, name, subject) = match what {
            Expiring::Authority | Expiring::RevocationList => (String::new(), "", ""),
            Expiring::Certificate(record) => {
                (record.serial.to_string(), record.common_name.as_str(), record.subject.as_str())
            }
        };
        csv::push_record(&mut text, &[what.as_str(), &at.to_string(), &left, &serial, name, subject]);
    }
    text
}

/// The largest unit that is not zero: `12 days`, `5 hours`, `ended`.
fn time_left(now: Timestamp, at: Timestamp) -> String {
    let seconds = at.unix_seconds() - now.unix_seconds();
    match seconds {
        i64::MIN..0 => "ended".into(),
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        172_800.. => format!("{} days", seconds / 86_400),
    }
}

fn metrics(report: &ExpiryReport) -> String {
    let mut text = prometheus::Text::default();
    text.family("postern_certificates", "gauge", "Certificates in index.txt by state.");
    for (state, count) in [("valid", report.valid), ("expired", report.expired), ("revoked", report.revoked)]
    {
        text.sample("postern_certificates", &[("state", state)], &count);
    }
    text.family("postern_index_unreadable_rows", "gauge", "Rows of index.txt that cannot be understood.");
    text.sample("postern_index_unreadable_rows", &[], &report.unreadable);
    if let Some(at) = report.authority_ends {
        text.family("postern_ca_not_after_seconds", "gauge", "End of the authority, in seconds since 1970.");
        text.sample("postern_ca_not_after_seconds", &[], &at.unix_seconds());
    }
    if let Some(at) = report.list_ends {
        let help = "When the revocation list must have been replaced, in seconds since 1970.";
        text.family("postern_crl_next_update_seconds", "gauge", help);
        text.sample("postern_crl_next_update_seconds", &[], &at.unix_seconds());
    }
    let help = "End of each certificate that ends within the asked time, in seconds since 1970.";
    text.family("postern_certificate_not_after_seconds", "gauge", help);
    for Ending { what, at } in &report.endings {
        if let Expiring::Certificate(record) = what {
            let serial = record.serial.to_string();
            let labels = [("serial", serial.as_str()), ("name", &record.common_name)];
            text.sample("postern_certificate_not_after_seconds", &labels, &at.unix_seconds());
        }
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_in_the_largest_sensible_unit() {
        let now = Timestamp::from_unix_seconds(1_795_161_600);
        let left = |seconds| time_left(now, now.plus_seconds(seconds));
        assert_eq!(left(-1), "ended");
        assert_eq!(left(90), "1 minutes");
        assert_eq!(left(7_200), "2 hours");
        assert_eq!(left(30 * 86_400), "30 days");
    }
}
