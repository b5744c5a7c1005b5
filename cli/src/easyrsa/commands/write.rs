//! `write`: templates of the files that easy-rsa reads.

use super::{Outcome, Words, built_in_kind};
use crate::easyrsa::error::EasyRsaError;
use crate::easyrsa::session::Session;
use crate::easyrsa::templates;
use crate::error::CliError;
use crate::output;

pub(super) fn write(session: &Session, words: &[String]) -> Outcome {
    let mut words = Words::new(words);
    let what = words.required("write")?;
    words.finish()?;
    match what {
        "vars" => Ok(output::print(templates::VARS)?),
        "ssl-cnf" | "safe-cnf" => Ok(output::print(templates::OPENSSL_CONFIGURATION)?),
        "legacy" => write_all(session, false),
        "legacy-hard" => {
            session.prompter.confirm("WARNING!!!\n\nThis overwrites the support files in the PKI.")?;
            write_all(session, true)
        }
        "COMMON" => Ok(output::print(templates::COMMON)?),
        type_name => match templates::type_file(type_name).filter(|_| built_in_kind(type_name).is_some()) {
            Some(text) => Ok(output::print(&text)?),
            None => Err(EasyRsaError::UnknownTemplate(type_name.to_owned())),
        },
    }
}

/// Puts the templates into the PKI, where they are found before any other.
fn write_all(session: &Session, overwrite: bool) -> Outcome {
    session.open()?;
    let directory = session.directory()?;
    let types = directory.join("x509-types");
    let failed = |path: &std::path::Path| {
        let path = path.to_path_buf();
        move |cause| CliError::File { operation: "write", path: path.clone(), cause }
    };
    std::fs::create_dir_all(&types).map_err(failed(&types))?;
    let mut files = vec![
        (directory.join("vars.example"), templates::VARS.to_owned()),
        (directory.join("openssl-easyrsa.cnf"), templates::OPENSSL_CONFIGURATION.to_owned()),
        (types.join("COMMON"), templates::COMMON.to_owned()),
    ];
    for name in templates::TYPES {
        files.extend(templates::type_file(name).map(|text| (types.join(name), text)));
    }
    for (path, text) in files {
        if overwrite || !path.exists() {
            std::fs::write(&path, text).map_err(failed(&path))?;
        }
    }
    session.messages.notice(&format!("Support files are in:\n* {}", directory.display()));
    Ok(())
}
