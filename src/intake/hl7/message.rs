//! A message in its segments, fields and components. Nothing is copied or collected: a segment is looked at when it is
//! its turn.

use std::borrow::Cow;

use super::escape::unescape;
use super::refusal::{Place, Problem, Refusal};

/// So many fields of a segment are looked at; what is read here stands before.
const FIELDS: usize = 25;

/// The delimiters that a message's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    pub(super) field: char,
    pub(super) component: char,
    pub(super) repetition: char,
    /// None in messages that leave it out, as `MSH|^~&|` does.
    pub(super) escape: Option<char>,
    pub(super) subcomponent: char,
}

/// As nearly every message has them.
impl Default for Marks {
    fn default() -> Self {
        Self { field: '|', component: '^', repetition: '~', escape: Some('\\'), subcomponent: '&' }
    }
}

impl Marks {
    /// Out of the header, which begins with `MSH`.
    fn read(header: &str) -> Option<Self> {
        let mut behind = header.strip_prefix("MSH")?.chars();
        let field = behind.next().filter(char::is_ascii_punctuation)?;
        let marks: Vec<char> = behind.take_while(|mark| *mark != field).take(5).collect();
        let (component, repetition, escape, subcomponent) = match marks[..] {
            [component, repetition, escape, subcomponent] | [component, repetition, escape, subcomponent, _] => {
                (component, repetition, Some(escape), subcomponent)
            }
            [component, repetition, '&'] | [component, repetition] => (component, repetition, None, '&'),
            [component, repetition, escape] => (component, repetition, Some(escape), '&'),
            _ => return None,
        };
        let are_marks = [component, repetition, subcomponent].iter().all(char::is_ascii_punctuation);
        are_marks.then_some(Self { field, component, repetition, escape, subcomponent })
    }

    /// As the second field of a header.
    pub(super) fn written(self) -> String {
        [Some(self.component), Some(self.repetition), self.escape, Some(self.subcomponent)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'t> {
    text: &'t str,
    /// Its delimiters.
    pub marks: Marks,
}

impl<'t> Message<'t> {
    /// Takes a text that begins with a header, behind blank lines.
    ///
    /// # Errors
    /// It does not, or is a batch.
    pub fn of(text: &'t str) -> Result<Self, Refusal> {
        let text = text.trim_start_matches(['\u{feff}', '\r', '\n', '\0', ' ']);
        if text.starts_with("FHS") || text.starts_with("BHS") {
            return Err(Refusal::new(Place { segment: "BHS", number: 1, field: 0 }, Problem::Batch));
        }
        let not_hl7 = Refusal::new(Place::header(2), Problem::NotHl7);
        // The marks end before the line does.
        let header = text.split(['\r', '\n']).next().unwrap_or_default();
        Ok(Self { text, marks: Marks::read(header).ok_or(not_hl7)? })
    }

    /// Its segments. They end with a carriage return; a message that has none ends them with a line feed, which in others
    /// may stand in a field.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'t>> + use<'t> {
        let (text, marks) = (self.text, self.marks);
        let end = if text.trim_end().contains('\r') { '\r' } else { '\n' };
        let lines = text.split(end).map(|line| line.trim_start_matches('\n').trim_end_matches(['\n', '\0']));
        lines.filter(|line| !line.trim().is_empty()).map(move |line| Segment { line, marks })
    }
}

/// One segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'t> {
    line: &'t str,
    marks: Marks,
}

impl<'t> Segment<'t> {
    /// What stands before its first delimiter.
    pub fn name(&self) -> &'t str {
        self.line.split(self.marks.field).next().unwrap_or_default().trim_matches(['\0', ' '])
    }

    /// Its fields.
    pub fn fields(&self) -> Fields<'t> {
        let mut fields = [""; FIELDS];
        // The first field of a header is the delimiter itself: its name stands for that here.
        let skipped = usize::from(self.name() != "MSH");
        for (field, text) in fields.iter_mut().zip(self.line.split(self.marks.field).skip(skipped)) {
            *field = text;
        }
        Fields { fields, marks: self.marks }
    }
}

/// The fields of a segment.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'t> {
    fields: [&'t str; FIELDS],
    marks: Marks,
}

impl<'t> Fields<'t> {
    /// The field of this number, from 1, as it came; empty where it is not there.
    pub fn raw(&self, number: usize) -> &'t str {
        number.checked_sub(1).and_then(|at| self.fields.get(at)).copied().unwrap_or_default()
    }

    /// The same as text. `""` is a field that was emptied, and as such no text.
    pub fn field(&self, number: usize) -> Part<'t> {
        Part { raw: self.raw(number), marks: self.marks }
    }
}

/// A field, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct Part<'t> {
    raw: &'t str,
    marks: Marks,
}

impl<'t> Part<'t> {
    fn of(self, raw: &'t str) -> Self {
        Self { raw, ..self }
    }

    /// What it says, without white space around it.
    pub fn text(self) -> Cow<'t, str> {
        match self.raw.trim_matches(['\0', ' ', '\t', '\n']) {
            "\"\"" => Cow::Borrowed(""),
            raw => unescape(raw, self.marks),
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(self) -> bool {
        matches!(self.raw.trim_matches(['\0', ' ', '\t', '\n']), "" | "\"\"")
    }

    /// The component of this number, from 1.
    #[must_use]
    pub fn component(self, number: usize) -> Self {
        let found = self.raw.split(self.marks.component).nth(number.saturating_sub(1));
        self.of(found.unwrap_or_default())
    }

    /// The subcomponent of this number, from 1.
    #[must_use]
    pub fn subcomponent(self, number: usize) -> Self {
        let found = self.raw.split(self.marks.subcomponent).nth(number.saturating_sub(1));
        self.of(found.unwrap_or_default())
    }

    /// Its repetitions: one at least.
    pub fn repetitions(self) -> impl Iterator<Item = Part<'t>> {
        self.raw.split(self.marks.repetition).map(move |raw| self.of(raw))
    }

    /// As it came, with the delimiters that most messages have.
    pub fn usual(self) -> Cow<'t, str> {
        let Marks { component, subcomponent, .. } = self.marks;
        if (component, subcomponent) == ('^', '&') {
            return Cow::Borrowed(self.raw);
        }
        let usual = |letter| match letter {
            letter if letter == component => '^',
            letter if letter == subcomponent => '&',
            letter => letter,
        };
        self.raw.chars().map(usual).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        Message::of(text).unwrap().segments().map(|segment| segment.name()).collect()
    }

    #[test]
    fn segments_end_with_returns_or_with_line_feeds_where_there_are_none() {
        for text in [
            "MSH|^~\\&|a\rPID|1\rOBX|1",
            "MSH|^~\\&|a\nPID|1\nOBX|1\n",
            "\u{feff}MSH|^~\\&|a\r\nPID|1\r\n\r\nOBX|1\r\0\0",
        ] {
            assert_eq!(names(text), ["MSH", "PID", "OBX"], "{text:?}");
        }
        let text = "MSH|^~\\&|a\rNTE|1||two\nlines\rOBX|1";
        let segments: Vec<_> = Message::of(text).unwrap().segments().map(|segment| segment.fields().raw(3)).collect();
        assert_eq!(segments, ["a", "two\nlines", ""], "a line feed in a field ends nothing");
    }

    #[test]
    fn fields_are_counted_as_hl7_counts_them() {
        let message = Message::of("\r\nMSH|^~\\&|app|fac\rOBX|1|NM|101^HR&x^MDC~2||\"\"|").unwrap();
        let fields: Vec<_> = message.segments().map(|segment| segment.fields()).collect();
        assert_eq!([fields[0].raw(2), fields[0].raw(3), fields[0].raw(4)], ["^~\\&", "app", "fac"]);
        let code = fields[1].field(3);
        assert_eq!((code.component(2).subcomponent(2).text(), code.repetitions().count()), ("x".into(), 2));
        assert!(
            fields[1].field(5).is_empty() && fields[1].field(5).text().is_empty() && fields[1].field(24).is_empty()
        );
    }

    #[test]
    fn delimiters_are_those_of_the_header_and_the_escape_may_be_missing() {
        let marks = |text: &str| Message::of(text).map(|message| message.marks);
        assert_eq!(marks("MSH|^~\\&|"), Ok(Marks::default()));
        assert_eq!(marks("MSH|^~&|"), Ok(Marks { escape: None, ..Marks::default() }));
        assert_eq!(marks("MSH|^~\\&#|"), Ok(Marks::default()), "the mark of cut texts is of version 2.7");
        let others = Marks { field: '$', component: '*', repetition: '%', escape: Some('!'), subcomponent: '+' };
        assert_eq!(marks("MSH$*%!+$"), Ok(others));
        for text in ["", "MSH", "MSH|", "MSH|^|", "MSHx^~\\&x", "PID|1", "{\"a\":1}", "MSH|abcd|"] {
            assert_eq!(marks(text).unwrap_err().problem, Problem::NotHl7, "{text}");
        }
        assert_eq!(marks("FHS|^~\\&|").unwrap_err().problem, Problem::Batch);
    }
}
