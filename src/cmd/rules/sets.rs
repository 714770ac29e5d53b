//! A set of rules by the name or the file that was typed.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use super::RulesCommandError;
use crate::alarm::rules::RuleSet;

/// The longest file of rules. As many rules as a set may have, each with every key, take a tenth of it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A set of rules, and the text that it was read from.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) rules: RuleSet,
    pub(super) text: String,
}

/// The set that is built in under this name, or that of this file: a path has a separator, ends in `.toml`, or is there.
pub(super) fn find(named: &Path) -> Result<Sheet, RulesCommandError> {
    let name = named.to_str().unwrap_or_default();
    if let (Some(rules), Some(text)) = (RuleSet::built_in(name), RuleSet::built_in_text(name)) {
        return Ok(Sheet { rules, text: text.to_owned() });
    }
    let is_path = named.components().count() > 1 || named.extension().is_some_and(|ending| ending == "toml");
    if is_path || named.is_absolute() || named.exists() {
        read(named)
    } else {
        Err(RulesCommandError::NoSet(named.to_owned()))
    }
}

/// The set of this file, named as the file is.
pub(super) fn read(path: &Path) -> Result<Sheet, RulesCommandError> {
    let text = text_of(path)?;
    let rules = RuleSet::parse(&path.display().to_string(), &text);
    let rules = rules.map_err(|mistake| RulesCommandError::Mistake(path.to_owned(), mistake))?;
    Ok(Sheet { rules, text })
}

fn text_of(path: &Path) -> Result<String, RulesCommandError> {
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => RulesCommandError::Missing(path.to_owned()),
        _ => RulesCommandError::Unreadable(path.to_owned(), error),
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(RulesCommandError::TooLong(path.to_owned(), MAX_FILE_BYTES));
    }
    String::from_utf8(bytes).map_err(|_| RulesCommandError::NotUtf8(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Advice as _, Code};

    fn refused(named: &Path) -> RulesCommandError {
        find(named).expect_err("refused")
    }

    #[test]
    fn a_set_is_found_by_its_name_and_its_text_is_that_of_the_file() {
        let Sheet { rules, text } = find(Path::new("ward")).expect("built in");
        assert_eq!((rules.name.as_str(), RuleSet::parse("ward", &text)), ("ward", Ok(rules.clone())));
        assert!(rules.own().count() + 8 == rules.rules.len() && rules.own().all(|rule| rule.limit().is_some()));
    }

    #[test]
    fn a_name_that_is_none_gets_the_nearest_and_a_path_is_looked_for() {
        let error = refused(Path::new("wrad"));
        assert_eq!(error.to_string(), "there is no set of rules named 'wrad'");
        assert_eq!(
            error.hint().unwrap(),
            "did you mean ward? `vitals rules list` shows the sets; a file is named by its path"
        );
        assert!(!refused(Path::new("intensive")).hint().unwrap().contains("did you mean"));
        for path in ["none.toml", "./none", "some/none"] {
            let error = refused(Path::new(path));
            assert!(matches!(error, RulesCommandError::Missing(_)) && error.code() == Code::Usage, "{path}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_read_whatever_it_is_called_and_a_mistake_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine");
        std::fs::write(&file, RuleSet::built_in_text("classic").unwrap()).unwrap();
        assert_eq!(find(&file).unwrap().rules.rules, RuleSet::built_in("classic").unwrap().rules);
        std::fs::write(&file, "[[rule]]\nname = \"a\"\nsign = \"spo3\"\nbelow = 92\n").unwrap();
        let error = refused(&file);
        assert_eq!(error.to_string(), format!("{}, line 3, column 8: there is no sign named 'spo3'", file.display()));
        assert_eq!((error.code(), error.hint()), (Code::BadData, Some("did you mean spo2?".to_owned())));
    }

    #[test]
    fn what_is_no_text_is_bad_data_and_a_folder_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let longest = usize::try_from(MAX_FILE_BYTES).unwrap();
        for content in [vec![0xff], vec![b'#'; longest + 1]] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(refused(&file).code(), Code::BadData);
        }
        std::fs::write(&file, vec![b'#'; longest]).unwrap();
        assert!(refused(&file).to_string().contains("there is no rule"));
        let error = refused(folder.path());
        assert!(matches!(error, RulesCommandError::Unreadable(..)) && error.code() == Code::Usage, "{error}");
    }
}
