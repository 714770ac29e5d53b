//! Every error that gives advice is asked for it: `src/exit.rs` finds the code and the hint of a report by trying all of
//! them.

use super::finding::{Finding, Weight};
use super::source::SourceFile;

/// Where they are listed.
const LIST: &str = "src/exit.rs";

/// Every error of `src` that gives advice and is not in the list.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let list = files.iter().find(|file| file.path == LIST).map(|file| file.text.as_str()).unwrap_or_default();
    let is_listed = |name: &str| list.contains(&format!("recognise::<{name}>,"));
    let in_src = files.iter().filter(|file| file.is_in("src"));
    in_src
        .flat_map(|file| {
            advisers(file).filter(|(_, name)| !is_listed(name)).map(|(line, name)| finding(file, line, name))
        })
        .collect()
}

/// The types of `file` that give advice, each with its line.
fn advisers(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(&file.code).filter(|(_, line)| !line.is_test);
    lines.filter_map(|(number, line)| {
        let rest = line.text.strip_prefix("impl Advice for ")?;
        Some((number, rest.split_whitespace().next()?))
    })
}

fn finding(file: &SourceFile, line: usize, name: &str) -> Finding {
    Finding {
        path: file.path.clone(),
        line,
        rule: "advice-is-asked-for",
        reason: format!("nobody asks {name} for its advice: its errors end with the code of a bug"),
        hint: "add it to ADVISERS in src/exit.rs",
        weight: Weight::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_not_in_the_list_is_found() {
        let list = SourceFile::new(LIST, "const ADVISERS: &[Recognise] = &[recognise::<KnownError>,];");
        let known = SourceFile::new("src/a.rs", "impl Advice for KnownError {}");
        let new = SourceFile::new("src/b.rs", "\nimpl Advice for NewError {}\n");
        let found = check(&[list, known, new]);
        let places: Vec<_> = found.iter().map(|finding| (finding.path.as_str(), finding.line)).collect();
        assert_eq!(places, [("src/b.rs", 2)]);
    }
}
