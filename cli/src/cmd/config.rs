//! `postern config import`: a stock configuration as a file for `postern serve`.

use std::path::{Path, PathBuf};

use serde_json::json;
use vpn_server::config::{Config, Options};
use vpn_server::stock::{
    self, ClientConfigDirectory, Finding, Report, StockError, Surroundings, Translation,
};

use super::new_file::write_new;
use crate::args::config::{ConfigArgs, ConfigCommand, ImportArgs};
use crate::error::CliError;
use crate::output::Answer;

pub(super) fn run(arguments: &ConfigArgs) -> Result<Answer, CliError> {
    match &arguments.command {
        ConfigCommand::Import(arguments) => import(arguments),
    }
}

fn import(arguments: &ImportArgs) -> Result<Answer, CliError> {
    let mut translation = translate(arguments)?;
    let config = Config::check(translation.options.clone())?;
    if let Some(directory) = translation.client_directory.take() {
        let clients = ClientConfigDirectory::new(directory, config.inside).read_all()?;
        translation.options.client = Some(clients).filter(|clients| !clients.is_empty());
        Config::check(translation.options.clone())?;
    }
    let file = to_file(&translation.options, &translation.report);
    let report = report_value(&translation.report);
    let Some(output) = &arguments.output else {
        if !translation.inline_files.is_empty() {
            return Err(CliError::Usage(
                "the configuration holds certificates or keys, which become files beside --output FILE"
                    .to_owned(),
            ));
        }
        let value = json!({ "config": translation.options, "report": report });
        return Ok(Answer { text: file, value, warnings: Vec::new() });
    };
    for inline in &translation.inline_files {
        write_new(&inline.path, inline.text.as_str())?;
    }
    write_new(output, &file)?;
    let written: Vec<String> = translation
        .inline_files
        .iter()
        .map(|inline| &inline.path)
        .chain([output])
        .map(|path| path.display().to_string())
        .collect();
    Ok(Answer {
        text: format!("{}Written: {}\n", translation.report, written.join(", ")),
        value: json!({ "files": written, "report": report }),
        warnings: Vec::new(),
    })
}

fn translate(arguments: &ImportArgs) -> Result<Translation, CliError> {
    let file = absolute(&arguments.file)?;
    let directory = match &arguments.cd {
        Some(directory) => absolute(directory)?,
        None => directory_of(&file),
    };
    let inline_directory =
        arguments.output.as_deref().map(absolute).transpose()?.map(|path| directory_of(&path));
    let words = [file.display().to_string()];
    let command_line = stock::parse_command_line(&words).map_err(StockError::from)?;
    let directives = stock::load(command_line, &directory)?;
    let surroundings = Surroundings { directory, free_device: "tun0".to_owned(), inline_directory };
    Ok(stock::translate(&directives, &surroundings)?)
}

/// The report stands at the head of the file, for those who read it later.
fn to_file(options: &Options, report: &Report) -> String {
    let findings = report.remarkable().map(|finding| format!("# {finding}\n"));
    let head = "# Made from a stock OpenVPN configuration by 'postern config import'.\n";
    let remarks: String = findings.collect();
    format!("{head}{remarks}\n{}", options.to_toml())
}

fn report_value(report: &Report) -> Vec<serde_json::Value> {
    let value = |finding: &Finding| {
        json!({
            "directive": finding.directive,
            "place": finding.place.to_string(),
            "fate": finding.fate.code(),
            "reason": finding.fate.reason(),
        })
    };
    report.findings().iter().map(value).collect()
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|cause| CliError::File {
        operation: "find",
        path: path.to_owned(),
        cause,
    })
}

fn directory_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).to_owned()
}
