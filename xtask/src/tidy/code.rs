//! A Rust file's text without its comments and without what its texts say, line for line.
//!
//! Rules look for words in code; in a comment or a message the same words are allowed.

/// The same text, with comments and the inside of texts and characters replaced by blanks.
pub(super) fn only(source: &str) -> String {
    Blanking { source: source.chars().collect(), at: 0, code: String::with_capacity(source.len()) }.run()
}

struct Blanking {
    source: Vec<char>,
    at: usize,
    code: String,
}

impl Blanking {
    fn run(mut self) -> String {
        while let Some(letter) = self.peek(0) {
            match (letter, self.peek(1)) {
                ('/', Some('/')) => self.blank_until_line_end(),
                ('/', Some('*')) => self.blank_block_comment(),
                ('"', _) => self.blank_text(),
                ('r', Some('"' | '#')) if self.raw_text_starts() => self.blank_raw_text(),
                ('\'', _) if self.character_starts() => self.blank_character(),
                _ => self.keep(),
            }
        }
        self.code
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.source.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.code.extend(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self) {
        self.code.extend(self.peek(0).map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        self.at += 1;
    }

    fn blank_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.blank());
    }

    fn blank_until_line_end(&mut self) {
        while self.peek(0).is_some_and(|letter| letter != '\n') {
            self.blank();
        }
    }

    /// Block comments may hold others.
    fn blank_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return,
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.blank_many(2);
                }
                (Some('*'), Some('/')) => {
                    depth = depth.saturating_sub(1);
                    self.blank_many(2);
                }
                _ => self.blank(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn blank_text(&mut self) {
        self.keep();
        while let Some(letter) = self.peek(0) {
            match letter {
                '"' => return self.keep(),
                '\\' => self.blank_many(2),
                _ => self.blank(),
            }
        }
    }

    /// `r"`, `r#"`, `br"` and so on, but neither `r#type` nor a name that ends with r.
    fn raw_text_starts(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.source.get(at)).copied();
        let inside_a_name = before.is_some_and(|letter| is_word(letter) && letter != 'b' && letter != 'c');
        !inside_a_name && self.peek(1 + self.hashes(1)) == Some('"')
    }

    fn hashes(&self, from: usize) -> usize {
        self.source.iter().skip(self.at + from).take_while(|letter| **letter == '#').count()
    }

    fn blank_raw_text(&mut self) {
        let hashes = self.hashes(1);
        self.blank_many(hashes + 2);
        while let Some(letter) = self.peek(0) {
            if letter == '"' && self.hashes(1) >= hashes {
                return self.blank_many(hashes + 1);
            }
            self.blank();
        }
    }

    /// `'x'` and `'\n'`, but not the lifetime in `&'a str`.
    fn character_starts(&self) -> bool {
        self.peek(1) == Some('\\') || self.peek(2) == Some('\'')
    }

    fn blank_character(&mut self) {
        self.blank();
        while let Some(letter) = self.peek(0) {
            match letter {
                '\'' => return self.blank(),
                '\\' => self.blank_many(2),
                _ => self.blank(),
            }
        }
    }
}

/// Whether a letter can be part of a name.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blank_and_code_stays() {
        assert_eq!(only("a // b\nc"), "a     \nc");
        assert_eq!(only("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(only("f(\"x\\\"y\", z)"), "f(\"    \", z)");
        assert_eq!(only("r#\"a \"b\" c\"# d"), "             d");
    }

    #[test]
    fn a_character_is_blank_and_a_lifetime_stays() {
        assert_eq!(only("'\"' x"), "    x");
        assert_eq!(only("'\\'' x"), "     x");
        assert_eq!(only("&'a str, 'b: 'a"), "&'a str, 'b: 'a");
    }

    #[test]
    fn a_raw_name_is_no_raw_text() {
        assert_eq!(only("r#type \"t\""), "r#type \" \"");
        assert_eq!(only("writer\"t\""), "writer\" \"");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let source = "a\n\"two\nlines\"\n/* two\nlines */\nb";
        assert_eq!(only(source).lines().count(), source.lines().count());
    }
}
