//! What keeps a whole file from being read. It shows in the first line, and is told once instead of for every line.

use crate::reading::bytes::is_utf16;

/// What is wrong with the first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirstLine {
    /// The file is UTF-16, as some programs save it.
    #[error("UTF-16, not UTF-8")]
    Utf16,
    /// It is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Something else stands between the columns, as spreadsheets write it where the comma is the decimal point.
    #[error("{0} between the columns instead of commas")]
    Separator(&'static str),
    /// It does not name these columns.
    #[error("no column {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// It names a column twice.
    #[error("the column {0} is there twice")]
    Twice(&'static str),
    /// It names no columns, and is no row either.
    #[error("no names of columns, and {found} cells instead of {expected}")]
    CellCount {
        /// How many it has.
        found: usize,
        /// How many a row has.
        expected: usize,
    },
    /// It is not one JSON object.
    #[error("not one JSON object")]
    NotAnObject,
}

impl FirstLine {
    /// How a file was saved whose first line falls into these cells, where that explains why they are not the right ones.
    pub(crate) fn saved<'a>(cells: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let cells: Vec<_> = cells.into_iter().collect();
        if cells.first().is_some_and(|cell| is_utf16(cell)) {
            return Some(Self::Utf16);
        }
        let commas = cells.len().saturating_sub(1);
        let separates = |sign: u8| cells.iter().flat_map(|cell| *cell).filter(|byte| **byte == sign).count() > commas;
        let names = [(b';', "semicolons"), (b'\t', "tabs"), (b'|', "vertical bars")];
        names.into_iter().find(|(sign, _)| separates(*sign)).map(|(_, name)| Self::Separator(name))
    }

    /// What to do; `columns` tells what the first line has to be.
    pub fn hint(&self, columns: &str) -> String {
        match self {
            Self::Utf16 | Self::NotUtf8 => "save the file as UTF-8",
            Self::Separator(_) => {
                "save it as CSV with commas between the columns and points in the numbers: P001,36.8 and not P001;36,8"
            }
            Self::NotAnObject => "write one object a line; `jq -c` does so, and `jq -c '.[]'` with a list of them",
            Self::Missing(_) | Self::Twice(_) | Self::CellCount { .. } => columns,
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(line: &str) -> Option<FirstLine> {
        FirstLine::saved(line.as_bytes().split(|byte| *byte == b','))
    }

    #[test]
    fn what_stands_between_the_columns_is_what_there_is_most_of() {
        assert_eq!(saved("patient_id;heart_rate;temperature"), Some(FirstLine::Separator("semicolons")));
        assert_eq!(saved("\"patient_id\"\t\"heart_rate\""), Some(FirstLine::Separator("tabs")));
        assert_eq!(saved("P001|95|36.8"), Some(FirstLine::Separator("vertical bars")));
        assert_eq!(saved("P001;2025-10-26T10:30:15+00:00;95;36,8"), Some(FirstLine::Separator("semicolons")));
        for line in ["", "patient_id", "patient_id,heart_rate,note;remark", "a;b,c,d"] {
            assert_eq!(saved(line), None, "{line}");
        }
    }
}
