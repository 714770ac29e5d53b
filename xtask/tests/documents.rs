//! Reading the README and the guide.

use std::path::Path;

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the table whose first line begins like this.
pub(crate) fn table_rows(document: &str, title: &str) -> Vec<String> {
    let rows = document.lines().skip_while(|line| !line.starts_with(title)).skip(2);
    rows.take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

/// Splits as a shell does, as far as double quotes.
pub(crate) fn words(text: &str) -> Vec<String> {
    let quoted = text.split('"').enumerate();
    let parts = quoted.flat_map(|(at, part)| if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
    parts.map(str::to_owned).collect()
}
