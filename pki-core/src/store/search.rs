//! Finding a line in a file of any size, with only a small part of it in memory at a time.

use std::io;

use super::disk::Disk;
use super::path::PkiPath;
use super::publish::octets;

/// A whole line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundLine {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    pub(crate) text: Vec<u8>,
}

/// The first line from `begin` on that contains `needle` and is accepted. `needle` has no line break; what stands at
/// `begin` counts as the beginning of a line.
pub(super) fn find_line(
    disk: &dyn Disk,
    path: &PkiPath,
    begin: u64,
    needle: &[u8],
    accepts: impl Fn(&[u8]) -> bool,
) -> io::Result<Option<FoundLine>> {
    let (mut offset, mut length) = (begin, CHUNK);
    loop {
        let chunk = disk.read_range(path, offset, length)?.unwrap_or_default();
        let is_end = chunk.len() < length;
        let last_break = memchr::memrchr(b'\n', &chunk).filter(|_| !is_end);
        let whole_lines = match last_break {
            Some(last_break) => &chunk[..=last_break],
            None if is_end => &chunk,
            None => {
                length *= 2;
                continue;
            }
        };
        if let Some(line) = line_with(whole_lines, needle, &accepts) {
            let offset = offset + octets(line.start);
            return Ok(Some(FoundLine { offset, text: whole_lines[line].to_vec() }));
        }
        if is_end {
            return Ok(None);
        }
        (offset, length) = (offset + octets(whole_lines.len()), CHUNK);
    }
}

fn line_with(text: &[u8], needle: &[u8], accepts: impl Fn(&[u8]) -> bool) -> Option<std::ops::Range<usize>> {
    let lines = memchr::memmem::find_iter(text, needle).map(|at| {
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length);
        start..end
    });
    lines.into_iter().find(|line| accepts(&text[line.clone()]))
}

/// Small enough that its memory is used again for the next one.
const CHUNK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::super::simulated_disk::SimulatedDisk;
    use super::*;

    fn find(text: &str, begin: u64, needle: &str) -> Option<(u64, String)> {
        let disk = SimulatedDisk::with(&[("index.txt", text)], &[]);
        let path = PkiPath::parse("index.txt").unwrap();
        let whole_line = |line: &[u8]| line == needle.as_bytes();
        let found = find_line(&disk, &path, begin, needle.as_bytes(), whole_line).unwrap();
        found.map(|line| (line.offset, String::from_utf8(line.text).unwrap()))
    }

    #[test]
    fn every_line_of_a_file_of_many_chunks_is_found_where_it_stands() {
        let lines: Vec<String> = (0..20_000).map(|number| format!("line {number}")).collect();
        let text = lines.join("\n");
        for wanted in [0, 1, 6_000, 6_001, 6_002, 19_998, 19_999] {
            let (offset, line) = find(&text, 0, &lines[wanted]).unwrap();
            assert_eq!(line, lines[wanted]);
            let begin = usize::try_from(offset).unwrap();
            assert!(text[begin..].starts_with(&line), "{wanted}");
        }
        assert_eq!(find(&text, 0, "line 20000"), None);
    }

    #[test]
    fn a_line_longer_than_a_chunk_and_a_file_of_whole_chunks_are_no_obstacle() {
        let long = "x".repeat(3 * CHUNK);
        assert_eq!(find(&format!("{long}\nwanted\n"), 0, "wanted").unwrap().0, octets(long.len() + 1));
        assert_eq!(find(&format!("a\n{long}"), 0, &long).unwrap().0, 2);
        let text = format!("{}\n", "y".repeat(CHUNK - 1));
        assert_eq!(find(&text, 0, "wanted"), None);
        assert_eq!(find("", 0, "wanted"), None);
    }

    #[test]
    fn what_comes_before_the_beginning_is_not_looked_at() {
        assert_eq!(find("same\nsame\n", 5, "same").unwrap().0, 5);
    }
}
