//! `postern generate`: the reference page, manual pages and completions, all from the definition of the command line, for
//! packages and for this project's documentation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::args::Cli;
use crate::args::generate::{Artefact, GenerateArgs};
use crate::error::CliError;
use crate::output::Answer;
use crate::reference;

pub(super) fn run(arguments: &GenerateArgs) -> Result<Answer, CliError> {
    let directory = &arguments.directory;
    let written = fs::create_dir_all(directory).and_then(|()| match arguments.artefact {
        Artefact::Docs => docs(directory),
        Artefact::Man => man(directory),
        Artefact::Completions => completions(directory),
    });
    let files = written.map_err(|cause| CliError::File {
        operation: "write into",
        path: directory.clone(),
        cause,
    })?;
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Ok(Answer { text: files.join("\n") + "\n", value: json!({ "files": files }), warnings: Vec::new() })
}

fn docs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let page = directory.join("cli.md");
    fs::write(&page, reference::page(Cli::command()))?;
    Ok(vec![page])
}

fn man(directory: &Path) -> io::Result<Vec<PathBuf>> {
    clap_mangen::generate_to(Cli::command(), directory)?;
    let mut pages = Vec::new();
    for entry in fs::read_dir(directory)? {
        pages.push(entry?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|section| section == "1"));
    pages.sort_unstable();
    Ok(pages)
}

fn completions(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let generate = |shell: &Shell| {
        let mut command = Cli::command();
        let program = command.get_name().to_owned();
        clap_complete::generate_to(*shell, &mut command, program, directory)
    };
    Shell::value_variants().iter().map(generate).collect()
}
