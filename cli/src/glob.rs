//! Patterns for names: `*` stands for any characters, `?` for one.

/// A pattern.
pub(crate) struct Glob(Vec<char>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.chars().collect())
    }

    /// Whether the whole text fits. Takes at most `pattern` times `text` steps, whatever the pattern is.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut in_pattern) = (0, 0);
        // The last star, and how much of the text it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(in_pattern) {
                Some('*') => {
                    star = Some((in_pattern, at));
                    in_pattern += 1;
                }
                Some(expected) if *expected == '?' || *expected == text[at] => {
                    at += 1;
                    in_pattern += 1;
                }
                Some(_) | None => {
                    let Some((star_at, taken)) = star else {
                        return false;
                    };
                    star = Some((star_at, taken + 1));
                    (at, in_pattern) = (taken + 1, star_at + 1);
                }
            }
        }
        self.0[in_pattern..].iter().all(|rest| *rest == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (pattern, text, fits) in [
            ("*@company.com", "alice@company.com", true),
            ("*@company.com", "alice@company.com.evil", false),
            ("client?", "client1", true),
            ("client?", "client10", false),
            ("j?rgen", "jürgen", true),
            ("*a*b*", "xaxxbx", true),
            ("*a*b", "xbxa", false),
            ("", "", true),
            ("*", "", true),
            ("alice", "alice", true),
            ("alice", "malice", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let pattern = "*a".repeat(200);
        assert!(!Glob::new(&pattern).matches(&"a".repeat(199)));
    }
}
