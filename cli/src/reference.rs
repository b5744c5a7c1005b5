//! The command line as a page of Markdown: every command with its usage, arguments, defaults, values and variables.
//!
//! The text is that of `--help`; nothing is written here that is not in the definitions under `args`.

use clap::builder::StyledStr;
use clap::{Arg, Command};

/// The page for a command and everything below it that is not hidden.
pub(crate) fn page(mut command: Command) -> String {
    command.build();
    let mut page = format!("# `{}`\n\n{NOTE}\n", command.get_name());
    write_paragraphs(&mut page, about(&command));
    page += "\nCommands:\n\n";
    write_contents(&mut page, &command, "");
    page += "\n## Global options\n\nEvery command takes them.\n\n";
    for argument in visible(&command).filter(|argument| argument.is_global_set()) {
        write_argument(&mut page, argument);
    }
    write_commands(&mut page, &command);
    page
}

fn write_contents(page: &mut String, command: &Command, indent: &str) {
    for below in subcommands(command) {
        let name = full_name(below);
        let anchor: String = name.to_lowercase().replace(' ', "-");
        let first_line = about(below).lines().next().unwrap_or_default().to_owned();
        *page += &format!("{indent}- [`{name}`](#{anchor}): {first_line}\n");
        write_contents(page, below, &format!("{indent}  "));
    }
}

fn write_commands(page: &mut String, command: &Command) {
    for below in subcommands(command) {
        *page += &format!("\n## `{}`\n\n", full_name(below));
        write_paragraphs(page, about(below));
        let usage = below.clone().render_usage().to_string();
        *page += &format!("\n    {}\n", usage.trim_start_matches("Usage: ").replace('\n', "\n    "));
        write_arguments(page, below);
        write_commands(page, below);
    }
}

/// In the groups in which `--help` shows them.
fn write_arguments(page: &mut String, command: &Command) {
    let own: Vec<&Arg> = visible(command).filter(|argument| !argument.is_global_set()).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for argument in &own {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    for heading in headings {
        *page += &heading.map_or_else(|| "\n".to_owned(), |heading| format!("\n{heading}:\n\n"));
        for argument in own.iter().filter(|argument| argument.get_help_heading() == heading) {
            write_argument(page, argument);
        }
    }
}

fn write_argument(page: &mut String, argument: &Arg) {
    let help = argument.get_long_help().or(argument.get_help()).map(StyledStr::to_string).unwrap_or_default();
    let mut text = help.trim().replace('\n', "\n  ");
    for remark in remarks(argument) {
        let separator = if text.is_empty() || text.ends_with('.') { " " } else { ". " };
        text += separator;
        text += &remark;
    }
    *page += &format!("- `{}`: {}\n", spelling(argument), text.trim());
}

/// `-s, --long <VALUE>`, or `<VALUE>` for what stands by itself.
fn spelling(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = [short, long].into_iter().flatten().collect();
    if names.is_empty() {
        return argument.to_string();
    }
    if !argument.get_action().takes_values() {
        return names.join(", ");
    }
    let values: Vec<String> =
        argument.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
    format!("{} {}", names.join(", "), values.join(" "))
}

fn remarks(argument: &Arg) -> Vec<String> {
    if !argument.get_action().takes_values() {
        return argument.get_env().map(variable).into_iter().collect();
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    let values = (!values.is_empty()).then(|| format!("One of {}.", values.join(", ")));
    let default = (!defaults.is_empty()).then(|| format!("Default: {}.", defaults.join(" ")));
    [values, default, argument.get_env().map(variable)].into_iter().flatten().collect()
}

fn variable(name: &std::ffi::OsStr) -> String {
    format!("Variable: `{}`.", name.to_string_lossy())
}

fn write_paragraphs(page: &mut String, text: String) {
    *page += text.trim();
    *page += "\n";
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    about.map(StyledStr::to_string).unwrap_or_default()
}

fn full_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
}

fn visible(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_own = |argument: &&Arg| {
        !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version")
    };
    command.get_arguments().filter(is_own)
}

const NOTE: &str =
    "<!-- Written by `postern generate docs docs/reference`; change the definitions, not this page. -->\n";

#[cfg(test)]
mod tests {
    use clap::value_parser;

    use super::*;

    fn example() -> Command {
        let level = Arg::new("level").long("level").short('l').value_name("LEVEL").env("EXAMPLE_LEVEL");
        let level = level.value_parser(["low", "high"]).default_value("low").help("How much");
        let count = Arg::new("count").value_name("COUNT").value_parser(value_parser!(u8)).required(true);
        Command::new("example")
            .about("An example.")
            .arg(
                Arg::new("quiet")
                    .long("quiet")
                    .global(true)
                    .action(clap::ArgAction::SetTrue)
                    .help("Say less"),
            )
            .subcommand(
                Command::new("measure").about("Measure something").arg(level).arg(count.help("How often")),
            )
            .subcommand(Command::new("secret").hide(true))
    }

    #[test]
    fn a_page_names_every_command_argument_default_value_and_variable() {
        let page = page(example());
        assert!(page.starts_with("# `example`\n"), "{page}");
        assert!(page.contains("- [`example measure`](#example-measure): Measure something\n"), "{page}");
        assert!(page.contains("\n    example measure [OPTIONS] <COUNT>\n"), "{page}");
        assert!(page.contains("- `<COUNT>`: How often\n"), "{page}");
        let level = "- `-l, --level <LEVEL>`: How much. One of `low`, `high`. Default: `low`. Variable: `EXAMPLE_LEVEL`.\n";
        assert!(page.contains(level), "{page}");
    }

    #[test]
    fn what_is_hidden_stays_hidden_and_global_options_stand_there_once() {
        let page = page(example());
        assert!(!page.contains("secret") && !page.contains("help"), "{page}");
        assert_eq!(page.matches("- `--quiet`: Say less\n").count(), 1, "{page}");
    }
}
