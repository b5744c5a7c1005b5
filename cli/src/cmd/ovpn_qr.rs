//! `postern ovpn qr`

use std::ffi::OsStr;
use std::io;

use serde_json::json;

use super::new_file::write_new;
use crate::args::ovpn::QrArgs;
use crate::error::CliError;
use crate::link::ProfileLink;
use crate::output::Answer;
use crate::output::qr::LinkCode;

pub(super) fn run(arguments: &QrArgs) -> Result<Answer, CliError> {
    let link = ProfileLink::parse(&arguments.link)?;
    let link = if arguments.plain { link.as_str().to_owned() } else { link.for_connect() };
    let code = LinkCode::of(&link)?;
    let Some(path) = &arguments.output else {
        let blocks = code.to_text();
        let value = json!({ "link": link, "blocks": blocks });
        return Ok(Answer { text: format!("{blocks}{link}\n"), value, warnings: Vec::new() });
    };
    match path.extension().and_then(OsStr::to_str) {
        Some("svg") => write_new(path, code.to_svg())?,
        Some("png") => {
            let failed = |cause: png::EncodingError| CliError::File {
                operation: "write",
                path: path.clone(),
                cause: io::Error::other(cause),
            };
            write_new(path, code.to_png().map_err(failed)?)?;
        }
        _ => return Err(CliError::Usage("the file must end in .svg or .png".into())),
    }
    let path = path.display().to_string();
    Ok(Answer {
        text: format!("QR code written: {path}\n  link  {link}\n"),
        value: json!({ "link": link, "file": path }),
        warnings: Vec::new(),
    })
}
