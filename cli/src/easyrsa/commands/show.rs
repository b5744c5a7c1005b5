//! `show-*` and `display-*`: what lies in the PKI, as text.

use pki_core::ca::{IndexRow, RowStatus};
use pki_core::cert::Certificate;
use pki_core::cert::csr::Request;
use pki_core::cert::dump::{self, Extent, multiline_name, openssl_date};
use pki_core::crl::{Crl, RevocationReason};
use pki_core::name::FileBase;
use pki_core::time::Timestamp;

use super::{Outcome, Words, read_file, sign};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::help;
use crate::easyrsa::session::Session;
use crate::output::{self, revocation_list};

pub(super) fn request(session: &Session, words: &[String]) -> Outcome {
    let (name, extent) = name_and_extent("show-req", words)?;
    let request = session.open()?.request(&name)?;
    announce(session, "req", &name, &format!("reqs/{name}.req"))?;
    Ok(output::print(&dump::request(&request, extent))?)
}

pub(super) fn certificate(session: &Session, words: &[String]) -> Outcome {
    let (name, extent) = name_and_extent("show-cert", words)?;
    let certificate = session.open()?.issued_certificate(&name)?;
    announce(session, "cert", &name, &format!("issued/{name}.crt"))?;
    Ok(output::print(&dump::certificate(&certificate, extent))?)
}

pub(super) fn authority(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let extent = if words.takes(&["full"]) { Extent::Full } else { Extent::Brief };
    words.finish()?;
    let certificates = session.open()?.reader().authority()?;
    session.messages.notice(&format!(
        "Showing details for CA certificate, at:\n* {}",
        session.directory()?.join("ca.crt").display()
    ));
    let text: String = certificates.first().map(|first| dump::certificate(first, extent)).unwrap_or_default();
    Ok(output::print(&text)?)
}

pub(super) fn revocation_list(session: &Session, words: &[String]) -> Outcome {
    Words::new(words).finish()?;
    let file = session.directory()?.join("crl.pem");
    let Some(content) = session.open()?.published_list_file()? else {
        return Err(EasyRsaError::NoRevocationList(file.display().to_string()));
    };
    let lists = Crl::parse_file(&content).map_err(|error| EasyRsaError::RevocationList(error.to_string()))?;
    session.messages.notice(&format!(
        "Showing 'crl' details for: 'crl'\n\nThis file is stored at:\n* {}",
        file.display()
    ));
    lists.iter().try_for_each(|list| Ok(output::print(&revocation_list::to_text(list))?))
}

/// Certificates in use that end within the window, by what stands in the index: names of files do not matter.
pub(super) fn expiring(session: &Session, words: &[String]) -> Outcome {
    let wanted = optional_name(words)?;
    let window = session.window()?;
    let authority = session.open()?;
    let end = session.now.plus_days(window.into());
    session
        .messages
        .notice(&format!("* Showing certificates which expire in less than {window} days (--days):"));
    let ends_soon = |row: &IndexRow| row.status == RowStatus::Valid && row.not_after < end;
    print_rows(&authority.index_rows()?, &wanted, ends_soon, |row| {
        format!("V | Serial: {} | {} | CN: {}", row.serial, report_date(row.not_after), row.common_name())
    })?;
    let certificates = authority.reader().authority()?;
    for ca in certificates.iter().filter(|ca| ca.not_after() < end) {
        output::print(&format!(
            "CA certificate | Serial: {} | {} | CN: {}\n",
            ca.serial(),
            report_date(ca.not_after()),
            ca.common_name().unwrap_or_default()
        ))?;
    }
    Ok(())
}

pub(super) fn revoked(session: &Session, words: &[String]) -> Outcome {
    let wanted = optional_name(words)?;
    let rows = session.open()?.index_rows()?;
    session.messages.notice("* Showing certificates which are revoked:");
    let is_revoked = |row: &IndexRow| matches!(row.status, RowStatus::Revoked { .. });
    print_rows(&rows, &wanted, is_revoked, |row| {
        let RowStatus::Revoked { at, reason } = row.status else { return String::new() };
        format!(
            "R | Serial: {} | Revoked: {} | Reason: {} | CN: {}",
            row.serial,
            report_date(at),
            reason.map_or("None given", RevocationReason::as_str),
            row.common_name()
        )
    })
}

pub(super) fn renewed(session: &Session, words: &[String]) -> Outcome {
    let wanted = optional_name(words)?;
    let authority = session.open()?;
    authority.index_rows()?;
    session.messages.notice("* Showing certificates which have been renewed but NOT revoked:");
    let directory = session.directory()?.join("renewed/issued");
    let mut names: Vec<FileBase> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| sign::stem(&entry.ok()?.path()))
        .filter(|name| wanted.as_ref().is_none_or(|wanted| wanted == name.as_str()))
        .collect();
    names.sort();
    for name in names {
        let Some(certificate) = authority.renewed_certificate(&name)? else { continue };
        output::print(&format!(
            "V | Serial: {} | Expires: {} | CN: {}\n",
            certificate.serial(),
            openssl_date(certificate.not_after()),
            certificate.common_name().unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// easy-rsa 3.1: which certificates are close enough to their end; an error if there are none.
pub(super) fn renewable(session: &Session, words: &[String]) -> Outcome {
    let window = session.renewal_window()?;
    let end = session.now.plus_days(window.into());
    let rows = session.open()?.index_rows()?;
    let is_meant = |row: &&IndexRow| {
        let is_named = words.is_empty() || words.iter().any(|word| word == row.common_name());
        row.status == RowStatus::Valid && row.not_after < end && is_named
    };
    let names: Vec<&str> = rows.iter().filter(is_meant).map(IndexRow::common_name).collect();
    if names.is_empty() {
        return Err(EasyRsaError::NothingRenewable);
    }
    Ok(output::print(&format!("{}\n", names.join("\n")))?)
}

pub(super) fn host() -> Outcome {
    let host = format!("Host: {} | {} | built in\n", std::env::consts::FAMILY, std::env::consts::OS);
    Ok(output::print(&format!("{}\n{host}", help::version()))?)
}

/// `display-dn req|x509 FILE`
pub(super) fn display_dn(words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let (form, file) = (words.required("display-dn")?, words.required("display-dn")?);
    words.finish()?;
    let content = read_file(file)?;
    let name = match form {
        "req" => Request::from_file(&content)?.subject_der().to_vec(),
        "x509" => Certificate::from_pem(&content)?.subject_der().to_vec(),
        other => return Err(EasyRsaError::UnknownWord(other.to_owned())),
    };
    Ok(output::print(&format!("subject=\n{}", multiline_name(&name)))?)
}

/// `display-san req|x509 FILE`, of easy-rsa 3.1.
pub(super) fn display_san(words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let (form, file) = (words.required("display-san")?, words.required("display-san")?);
    words.finish()?;
    let content = read_file(file)?;
    let names = match form {
        "req" => dump::alternative_names_of_request(&Request::from_file(&content)?),
        "x509" => dump::alternative_names_of_certificate(&Certificate::from_pem(&content)?),
        other => return Err(EasyRsaError::UnknownWord(other.to_owned())),
    };
    Ok(output::print(&format!("{}\n", names.unwrap_or_default()))?)
}

/// The name that a server's certificate would get, from its request.
pub(super) fn default_san(words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let file = words.required("default-san")?;
    words.finish()?;
    let name = Request::from_file(&read_file(file)?)?.common_name().unwrap_or_default();
    Ok(output::print(&format!("{}\n", Session::automatic_name(&name)))?)
}

fn print_rows(
    rows: &[IndexRow],
    wanted: &Option<String>,
    is_meant: impl Fn(&IndexRow) -> bool,
    line: impl Fn(&IndexRow) -> String,
) -> Outcome {
    let named = |row: &&IndexRow| wanted.as_ref().is_none_or(|name| name == row.common_name());
    let text: String =
        rows.iter().filter(|row| is_meant(row)).filter(named).map(|row| line(row) + "\n").collect();
    Ok(output::print(&text)?)
}

fn announce(session: &Session, what: &str, name: &FileBase, file: &str) -> Outcome {
    session.messages.notice(&format!(
        "Showing '{what}' details for: '{name}'\n\nThis file is stored at:\n* {}",
        session.directory()?.join(file).display()
    ));
    Ok(())
}

fn name_and_extent(command: &str, words: &[String]) -> Result<(FileBase, Extent), EasyRsaError> {
    let mut words = Words::new(words);
    let name = words.name(command)?;
    let extent = if words.takes(&["full"]) { Extent::Full } else { Extent::Brief };
    words.finish()?;
    Ok((name, extent))
}

fn optional_name(words: &[String]) -> Result<Option<String>, EasyRsaError> {
    let mut words = Words::new(words);
    let name = words.optional().map(str::to_owned);
    words.finish()?;
    Ok(name)
}

/// `2029-02-22 07:21:48Z`
fn report_date(at: Timestamp) -> String {
    at.to_string().replace('T', " ")
}
