//! Files with a line for each user, `name:VALUE`; lines that are empty or begin with `#` are left alone.
//!
//! Values have no colon, so a name may have some. What values are is for those who keep such files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

use zeroize::Zeroizing;

use super::{InvalidUsername, Username};

/// The largest file, in octets: 64 MiB, far more than half a million users take.
pub(super) const MAXIMUM_SIZE: u64 = 64 << 20;

/// The users of a file, each with a value.
pub(super) type Users<V> = BTreeMap<Username, V>;

/// Why there are no users to be had of a file.
#[derive(Debug)]
pub(super) enum Fault<E> {
    /// It cannot be read, or is no text.
    Unreadable(io::Error),
    /// It is larger than [`MAXIMUM_SIZE`].
    TooLarge,
    /// The line with this number, counted from 1, is none.
    Line(usize, BadUserLine<E>),
}

/// What is wrong with a line; `E` is what can be wrong with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadUserLine<E> {
    /// There is no colon.
    #[error("there is no colon behind the name")]
    NoColon,
    /// The name is none.
    #[error(transparent)]
    Name(InvalidUsername),
    /// The value is none.
    #[error(transparent)]
    Value(E),
    /// The name stands in the file twice.
    #[error("the user has a line already")]
    Repeated,
}

/// Reads a file that was opened. Its text may be secret and does not stay in memory.
pub(super) fn read<V: FromStr>(file: &File) -> Result<Users<V>, Fault<V::Err>> {
    let length = file.metadata().map_err(Fault::Unreadable)?.len();
    if length > MAXIMUM_SIZE {
        return Err(Fault::TooLarge);
    }
    // As long as it will be, so that no copies of a growing text are left behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(MAXIMUM_SIZE).read_to_string(&mut text).map_err(Fault::Unreadable)?;
    parse(&text).map_err(|(line, problem)| Fault::Line(line, problem))
}

/// The users of a text, or the number of a bad line with what is wrong with it.
pub(super) fn parse<V: FromStr>(text: &str) -> Result<Users<V>, (usize, BadUserLine<V::Err>)> {
    let mut users = Users::new();
    for (line, number) in text.lines().zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (username, value) = user(line).map_err(|problem| (number, problem))?;
        if users.insert(username, value).is_some() {
            return Err((number, BadUserLine::Repeated));
        }
    }
    Ok(users)
}

fn user<V: FromStr>(line: &str) -> Result<(Username, V), BadUserLine<V::Err>> {
    let (name, value) = line.rsplit_once(':').ok_or(BadUserLine::NoColon)?;
    let username = Username::parse(name).map_err(BadUserLine::Name)?;
    Ok((username, value.parse().map_err(BadUserLine::Value)?))
}

#[cfg(test)]
mod tests {
    use std::num::ParseIntError;

    use super::*;

    fn numbers(text: &str) -> Result<Users<u8>, (usize, BadUserLine<ParseIntError>)> {
        parse(text)
    }

    #[test]
    fn the_last_colon_ends_the_name_and_comments_are_left_alone() {
        let users = numbers("# users\n\nb:2\ndomain:a:1\n").unwrap();
        let users: Vec<_> = users.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        assert_eq!(users, [("b", 2), ("domain:a", 1)]);
    }

    #[test]
    fn bad_lines_are_numbered() {
        let problem = |line: &str| numbers(&format!("# users\n\na:1\n{line}\n")).unwrap_err();
        assert_eq!(problem("b"), (4, BadUserLine::NoColon));
        assert_eq!(problem(":2"), (4, BadUserLine::Name(InvalidUsername::Empty)));
        assert!(matches!(problem("b:x"), (4, BadUserLine::Value(_))));
        assert_eq!(problem("a:2"), (4, BadUserLine::Repeated));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_and_one_that_is_no_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let large = File::create(&path).unwrap();
        large.set_len(MAXIMUM_SIZE + 1).unwrap();
        assert!(matches!(read::<u8>(&File::open(&path).unwrap()), Err(Fault::TooLarge)));
        std::fs::write(&path, [0xff, b':', b'1']).unwrap();
        assert!(matches!(read::<u8>(&File::open(&path).unwrap()), Err(Fault::Unreadable(_))));
    }
}
