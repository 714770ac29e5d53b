//! The container cannot be built without Docker; that what it copies, ignores and asks cargo for is there can be seen.

use crate::documents::{read, repository};

const DOCKERFILE: &str = ".docker/Dockerfile";

/// The words behind an instruction, of each line that has it.
fn instructions(file: &str, name: &str) -> Vec<Vec<String>> {
    let lines = file.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// What is copied out of the repository.
fn copied(file: &str) -> Vec<String> {
    let from_here = instructions(file, "COPY").into_iter().filter(|words| !words[0].starts_with("--from="));
    from_here.flat_map(|mut words| words.drain(..words.len() - 1).collect::<Vec<_>>()).collect()
}

#[test]
fn what_the_container_copies_is_there_and_not_ignored() {
    let copied = copied(&read(DOCKERFILE));
    assert!(copied.len() > 3, "{copied:?}");
    let ignore = read(".dockerignore");
    let mut taken: Vec<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut wanted: Vec<_> = copied.iter().map(String::as_str).collect();
    for path in &wanted {
        assert!(repository().join(path).exists(), "{path}");
    }
    taken.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(taken, wanted, "what is copied, and what is not ignored");
}

#[test]
fn everything_that_the_program_is_built_of_is_copied() {
    let copied = copied(&read(DOCKERFILE));
    let manifest = read("Cargo.toml");
    let paths =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"")).map(|path| path.trim_end_matches('"'));
    let included = ["src/store/migrations.rs", "src/guide.rs"].map(read).concat();
    let included = included.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let up = format!("{}/", "..").repeat(2);
    let included = included.filter_map(|path| path.strip_prefix(&up));
    let wanted: Vec<_> = paths.chain(included).map(|path| path.split('/').next().unwrap()).collect();
    assert!(wanted.contains(&"xtask") && wanted.contains(&"migrations"), "{wanted:?}");
    for folder in wanted {
        assert!(copied.iter().any(|path| path == folder), "{folder} is not copied");
    }
}

#[test]
fn the_container_runs_the_program_of_the_profile_for_packages_and_not_as_root() {
    let file = read(DOCKERFILE);
    let build = instructions(&file, "RUN").concat().join(" ");
    assert!(build.contains("--locked --profile dist --package vitals"), "{build}");
    assert!(read("Cargo.toml").contains("[profile.dist]"));
    let is_last = |name: &str, value: &str| {
        let told = instructions(&file, name);
        assert_eq!(told.last().unwrap().join(" "), value, "{name}");
    };
    is_last("FROM", "gcr.io/distroless/cc-debian12:nonroot");
    is_last("USER", "nonroot");
    is_last("STOPSIGNAL", "SIGTERM");
    is_last("ENTRYPOINT", "[\"/usr/bin/vitals\"]");
    assert!(file.contains("COPY --from=build /vitals/target/dist/vitals /usr/bin/vitals\n"));
    // The image below is of Debian 12, and the program is built on the same.
    assert!(file.contains("\nFROM rust:1-bookworm AS build\n"));
    assert!(read("compose.yaml").contains(&format!("dockerfile: {DOCKERFILE}\n")));
}
