//! The guide: what is more than the README holds, a page for each thing, in this documentation and by `vitals guide`.
//!
//! The pages are the Markdown files of the folder `src/guide`. There they link to each other by their files;
//! `links.txt` says where the same links lead here.

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// By what it is called: the name of its file, without `.md`.
    pub name: &'static str,
    /// What is in it, for a list.
    pub summary: &'static str,
    /// All of it, in Markdown.
    pub text: &'static str,
}

/// A module for each page, and the table of them: the text that is read here is the one that is printed.
macro_rules! pages {
    ($($name:ident: $summary:literal,)+) => {
        $(
            #[doc = $summary]
            #[doc = ""]
            // Of two definitions of a link the first counts: those of the page are for its file.
            #[doc = include_str!("guide/links.txt")]
            #[doc = include_str!(concat!("guide/", stringify!($name), ".md"))]
            pub mod $name {}
        )+

        /// Every page, in reading order.
        pub const PAGES: &[Page] = &[$(
            Page {
                name: stringify!($name),
                summary: $summary,
                text: include_str!(concat!("guide/", stringify!($name), ".md")),
            },
        )+];
    };
}

pages! {
    start: "First steps, terminal by terminal: without servers and with them",
    servers: "The embedded broker, child processes, Docker, servers of your own",
    security: "TLS, passwords and rights at Kafka and Cassandra; the audit trail",
    operators: "Is all well, metrics, what is wrong, topics, groups, begin anew",
    ward: "The ward in a browser, who may see it, its data for programs",
    settings: "Every setting: option, environment variable, file key, default",
    messages: "Messages and why one is refused, tables, alarms, dead letters",
    retention: "How long readings, alarms and messages are kept",
    hl7: "HL7 v2 from monitors and gateways: whose codes, what is refused",
    rules: "Alarm rules: their files, the built-in sets, how to try them first",
    patients: "Admit patients, limits of their own, no data, pauses",
    output: "Formats of what is printed, exit codes, errors",
    promises: "What is promised, how that is attacked, what is not done yet",
    performance: "How fast it is, and the commands that measured it",
    coursework: "The parts and commands of the coursework guide, and ours",
    developers: "Where to find what in the source, tests, tasks",
    changes: "What each version has brought",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_page() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<_> = files.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
        assert_eq!(files, PAGES.iter().map(|page| page.name.to_owned()).collect());
    }

    #[test]
    fn every_page_begins_with_its_title_and_says_of_each_block_what_it_holds() {
        for Page { name, text, .. } in PAGES {
            assert!(text.starts_with("# "), "{name}");
            let mut in_block = false;
            for line in text.lines() {
                // What is indented, or says nothing, is Rust to rustdoc, which would compile it.
                match line.strip_prefix("```") {
                    Some(language) => {
                        assert!(in_block || !language.is_empty(), "{name}: a block of what?");
                        in_block = !in_block;
                    }
                    None => assert!(in_block || !line.starts_with("    "), "{name}: {line}"),
                }
            }
        }
    }
}
