//! Text that fits into a width.

/// The words of `text` in lines of at most `width` characters, the first behind `first`, the others behind `rest`. A
/// word that is longer than a line has one of its own. What would command the terminal is escaped.
pub fn wrapped(first: &str, rest: &str, text: &str, width: usize) -> Vec<String> {
    let text = super::visible::visible(text);
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut has_words = false;
    for word in text.split(' ') {
        let length = line.chars().count() + word.chars().count() + usize::from(has_words);
        if has_words && length > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            has_words = false;
        }
        if has_words {
            line.push(' ');
        }
        line.push_str(word);
        has_words = true;
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn words_go_to_the_next_line_where_they_do_not_fit() {
        assert_eq!(wrapped("- ", "  ", "one two three four", 11), ["- one two", "  three", "  four"]);
        assert_eq!(wrapped("- ", "  ", "one two", 9), ["- one two"]);
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_stays_whole() {
        assert_eq!(wrapped("", "  ", "a http://example.org/long b", 10), ["a", "  http://example.org/long", "  b"]);
    }

    #[test]
    fn what_would_command_the_terminal_is_escaped() {
        assert_eq!(wrapped("", "", "a\u{1b}[2Jb", 80), ["a\\u{1b}[2Jb"]);
    }

    #[test]
    fn columns_made_of_spaces_stay_in_their_places() {
        assert_eq!(wrapped("x ", "  ", "1  up  here", 80), ["x 1  up  here"]);
    }
}
