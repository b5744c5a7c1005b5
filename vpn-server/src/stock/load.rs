//! Reads the files that directives name by `config`, one inside of another.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{Directive, Place, SyntaxError, parse};
use super::report::{Finding, Report};

/// How deep files may name further ones, as in OpenVPN.
const MAXIMUM_DEPTH: usize = 10;

/// Why a stock configuration cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StockError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file names itself, or files are nested too deeply.
    #[error("{} is the {MAXIMUM_DEPTH}th configuration inside of another", .0.display())]
    TooDeep(PathBuf),
    /// A text is not a configuration.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Directives that cannot be done.
    #[error("{}", refusals(.0))]
    Refused(Report),
}

impl StockError {
    /// Stable name of this cause for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "stock-file-unreadable",
            Self::TooDeep(_) => "stock-files-too-deep",
            Self::Syntax(_) => "stock-syntax",
            Self::Refused(_) => "stock-directive-refused",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path and the permissions of the file",
            Self::TooDeep(_) => "remove the directive 'config' that leads back to a file",
            Self::Syntax(error) => error.help(),
            Self::Refused(_) => {
                "change or remove these directives; 'postern config import' reports on all of them at once"
            }
        }
    }
}

/// Puts the directives of a file into the place of each `config FILE`.
///
/// Files are looked for in `directory`, or in the one that `cd` named before.
///
/// # Errors
///
/// [`StockError::Unreadable`], [`StockError::TooDeep`] or [`StockError::Syntax`].
pub fn load(directives: Vec<Directive>, directory: &Path) -> Result<Vec<Directive>, StockError> {
    let mut loader = Loader { directory: directory.to_owned(), directives: Vec::new() };
    loader.take_all(directives, 0)?;
    Ok(loader.directives)
}

/// The files in which `directives` stand, found from `directory` as [`load`] finds them.
#[must_use]
pub fn files(directives: &[Directive], directory: &Path) -> Vec<PathBuf> {
    let (mut directory, mut files) = (directory.to_owned(), Vec::new());
    for directive in directives {
        if let Place::File { file, .. } = &directive.place {
            let path = directory.join(file);
            if !files.contains(&path) {
                files.push(path);
            }
        }
        if let ("cd", [change]) = (directive.name.as_str(), directive.arguments.as_slice()) {
            directory = directory.join(change);
        }
    }
    files
}

struct Loader {
    directory: PathBuf,
    directives: Vec<Directive>,
}

impl Loader {
    fn take_all(&mut self, directives: Vec<Directive>, depth: usize) -> Result<(), StockError> {
        for directive in directives {
            match (directive.name.as_str(), directive.arguments.as_slice()) {
                ("config", [file]) => {
                    let path = self.directory.join(file);
                    self.take_file(&path, file, depth)?;
                }
                ("cd", [directory]) => {
                    self.directory = self.directory.join(directory);
                    self.directives.push(directive);
                }
                _ => self.directives.push(directive),
            }
        }
        Ok(())
    }

    fn take_file(&mut self, path: &Path, name: &str, depth: usize) -> Result<(), StockError> {
        if depth >= MAXIMUM_DEPTH {
            return Err(StockError::TooDeep(path.to_owned()));
        }
        let text = fs::read_to_string(path)
            .map_err(|source| StockError::Unreadable { path: path.to_owned(), source })?;
        self.take_all(parse(name, &text)?, depth + 1)
    }
}

fn refusals(report: &Report) -> String {
    report.refused().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::document::parse_command_line;
    use super::*;

    #[test]
    fn files_are_put_in_place_and_cd_counts_from_where_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("server.conf"), "port 1\ncd sub\nconfig more.conf\nverb 3\n").unwrap();
        fs::write(root.join("sub/more.conf"), "proto tcp\n").unwrap();
        let words: Vec<String> = ["--config", "server.conf", "--port", "2"].map(ToOwned::to_owned).to_vec();
        let directives = load(parse_command_line(&words).unwrap(), root).unwrap();
        let names: Vec<_> = directives.iter().map(|directive| directive.name.as_str()).collect();
        assert_eq!(names, ["port", "cd", "proto", "verb", "port"]);
        assert_eq!(directives[2].place.to_string(), "more.conf:1");
        let files = files(&directives, root);
        assert!(files.contains(&root.join("server.conf")) && files.contains(&root.join("sub/more.conf")));
    }

    #[test]
    fn a_file_that_names_itself_and_one_that_is_missing_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("loop.conf"), "config loop.conf\n").unwrap();
        let load_file =
            |file: &str| load(parse_command_line(&[file.to_owned()]).unwrap(), directory.path()).unwrap_err();
        assert_eq!(load_file("loop.conf").code(), "stock-files-too-deep");
        assert_eq!(load_file("missing.conf").code(), "stock-file-unreadable");
    }
}
