//! `vitals guide`: the pages of the [guide](crate::guide), readable without a network.

use std::fmt::Write as _;

use color_eyre::eyre::Result;

use super::Context;
use crate::advice::{Advice, Code};
use crate::guide::{PAGES, Page};
use crate::settings::nearest;

/// Which page.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without PAGE the pages are listed. A page is Markdown and is printed as it is;
where it names settings.md, that is the page settings.

Examples:
  vitals guide
  vitals guide settings | less")]
pub struct Args {
    /// The page
    #[arg(value_name = "PAGE")]
    page: Option<String>,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum GuideError {
    /// There is no such page.
    #[error("there is no page named '{name}'")]
    UnknownPage {
        /// The page that was asked for.
        name: String,
    },
}

impl Advice for GuideError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        let Self::UnknownPage { name } = self;
        Some(match nearest(name, PAGES.iter().map(|page| page.name)) {
            Some(meant) => format!("did you mean {meant}? `vitals guide` lists the pages"),
            None => "`vitals guide` lists the pages".to_owned(),
        })
    }
}

/// Prints the page, or the list of pages.
///
/// # Errors
/// There is no such page, or it cannot be printed.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    if let Some(name) = args.page {
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
    PAGES.iter().copied().find(|page| page.name == name).ok_or(GuideError::UnknownPage { name })
}

fn list() -> String {
    PAGES.iter().fold(String::new(), |mut list, page| {
        // Writing into a text cannot fail.
        let _ = writeln!(list, "{:<12} {}", page.name, page.summary);
        list
    })
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
