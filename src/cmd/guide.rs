//! `vitals guide`: the pages of the [guide](crate::guide), readable without a network.

mod man;

use std::io;
use std::path::PathBuf;

use color_eyre::eyre::Result;

use super::Context;
use crate::advice::{Advice, Code};
use crate::guide::{PAGES, Page};
use crate::suggestion::nearest;

/// Which page.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without PAGE the pages are listed. A page is Markdown and is printed as it is;
where it names settings.md, that is the page settings.

--man writes what --help says, of each command: vitals.1, vitals-consume.1 and
so on.

Examples:
  vitals guide
  vitals guide settings | less")]
pub struct Args {
    /// The page
    #[arg(value_name = "PAGE")]
    page: Option<String>,
    /// Write the man pages of all commands into this folder, and end
    #[arg(long, value_name = "FOLDER", conflicts_with = "page")]
    man: Option<PathBuf>,
}

/// Why nothing is shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuideError {
    #[error("there is no page named '{0}'")]
    NoPage(String),
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

impl Advice for GuideError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        let Self::NoPage(name) = self else { return Some("name a folder that this user may write to".to_owned()) };
        let meant = nearest(name, PAGES.iter().map(|page| page.name));
        let question = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
        Some(format!("{question}`vitals guide` lists the pages"))
    }
}

/// Prints the page, or the list of pages.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    if let Some(folder) = args.man {
        man::write(&folder)?;
    } else if let Some(name) = args.page {
        let Page { text, .. } = find(name)?;
        context.output.own(text, text)?;
    } else {
        let list = list();
        context.output.own(&list, &list)?;
        context.output.note("read one: vitals guide start");
    }
    Ok(Code::Done)
}

fn find(name: String) -> Result<Page, GuideError> {
    PAGES.iter().copied().find(|page| page.name == name).ok_or(GuideError::NoPage(name))
}

fn list() -> String {
    PAGES.iter().map(|page| format!("{:<12} {}\n", page.name, page.summary)).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_a_line_of_at_most_eighty_columns_for_each_page() {
        let list = list();
        assert_eq!(list.lines().count(), PAGES.len());
        for (line, page) in list.lines().zip(PAGES) {
            assert!(line.starts_with(&format!("{} ", page.name)) && line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn a_page_is_found_by_its_name_and_another_name_gets_the_nearest() {
        assert!(find("settings".to_owned()).unwrap().text.starts_with("# Settings\n"));
        let hint = |name: &str| find(name.to_owned()).unwrap_err().hint().unwrap();
        assert_eq!(hint("setings"), "did you mean settings? `vitals guide` lists the pages");
        assert_eq!(hint("weather"), "`vitals guide` lists the pages");
    }
}
