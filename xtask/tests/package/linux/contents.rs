//! What is in the packages.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::read::GzDecoder;
use md5::{Digest as _, Md5};
use vitals::shutdown::END_LIMIT;

use super::unit::Unit;
use super::unpacked::{Item, TIME, VERSION, has, making, opened, packages, tar_gz};
use crate::documents::read;

const UNITS: [&str; 4] = [
    "usr/lib/systemd/system/vitals-broker.service",
    CONSUMER,
    "usr/lib/systemd/system/vitals-listen.service",
    "usr/lib/systemd/system/vitals-serve.service",
];

const CONSUMER: &str = "usr/lib/systemd/system/vitals-consume@.service";

const SETTINGS: &str = "etc/vitals.toml";

fn text(items: &BTreeMap<String, Item>, path: &str) -> String {
    let item = items.get(path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(item.content.clone()).unwrap()
}

fn run(command: &mut Command) -> (bool, String) {
    let ended = command.stdin(Stdio::null()).output().unwrap();
    (ended.status.success(), String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned())
}

#[test]
fn both_packages_hold_the_same_and_all_of_it_is_roots() {
    let (data, _) = opened();
    for path in [
        "usr/bin/vitals",
        SETTINGS,
        UNITS[0],
        UNITS[1],
        UNITS[2],
        UNITS[3],
        "usr/lib/sysusers.d/vitals.conf",
        "usr/share/man/man1/vitals.1.gz",
        "usr/share/man/man1/vitals-consume.1.gz",
        "usr/share/man/man1/vitals-topic-tail.1.gz",
        "usr/share/bash-completion/completions/vitals",
        "usr/share/zsh/vendor-completions/_vitals",
        "usr/share/fish/vendor_completions.d/vitals.fish",
        "usr/share/doc/vitals/copyright",
        "usr/share/doc/vitals/changelog.gz",
    ] {
        assert!(data.contains_key(path), "no {path}");
    }
    for (path, item) in data {
        let mode = if item.is_folder || path == "usr/bin/vitals" { 0o755 } else { 0o644 };
        assert_eq!((item.mode, item.time), (mode, TIME), "{path}");
        assert_eq!(item.owner, (0, 0, "root".to_owned(), "root".to_owned()), "{path}");
        // Who unpacks it makes the folder before what is in it.
        let folder = Path::new(path).parent().and_then(Path::to_str).unwrap();
        assert!(folder.is_empty() || data[folder].is_folder, "{path} has no folder");
    }
    assert_eq!(data["usr/bin/vitals"].content, fs::read(env!("CARGO_BIN_EXE_vitals")).unwrap());
    let same = *data == tar_gz(&packages().tar_gz);
    assert!(same, "the .tar.gz holds something else than the .deb");
}

#[test]
fn the_deb_tells_what_it_is_and_what_it_needs() {
    let (data, control) = opened();
    let names: Vec<_> = control.keys().map(String::as_str).collect();
    assert_eq!(names, ["conffiles", "control", "md5sums", "postinst", "postrm", "prerm"]);
    assert_eq!(text(control, "conffiles"), "/etc/vitals.toml\n");
    let told = text(control, "control");
    for line in ["Package: vitals\n", &format!("Version: {VERSION}\n"), "Depends: libc6 (>= 2.", "libgcc-s1"] {
        assert!(told.contains(line), "{line}: {told}");
    }
    for line in text(control, "md5sums").lines() {
        let (sum, path) = line.split_once("  ").unwrap();
        assert_eq!(sum, format!("{:x}", Md5::digest(&data[path].content)), "{path}");
    }
    let files = data.values().filter(|item| !item.is_folder).count();
    assert_eq!(text(control, "md5sums").lines().count(), files - 1, "all but the settings");
    for script in ["postinst", "prerm", "postrm"] {
        assert_eq!(control[script].mode, 0o755);
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(&control[script].content).unwrap();
        assert!(shell.wait().unwrap().success(), "{script}");
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn debians_own_tools_take_the_deb() {
    if !has("dpkg-deb") {
        return;
    }
    let path = &packages().deb;
    let (well, told) = run(Command::new("dpkg-deb").arg("-I").arg(path));
    assert!(well && ["conffiles", "* postinst ", VERSION].iter().all(|text| squeezed(&told).contains(text)), "{told}");
    let (well, list) = run(Command::new("dpkg-deb").arg("-c").arg(path));
    assert!(well, "{list}");
    let line = |path: &str| list.lines().find(|line| line.ends_with(path)).unwrap_or_else(|| panic!("{path}: {list}"));
    assert!(line("usr/bin/vitals").starts_with("-rwxr-xr-x root/root"), "{list}");
    assert!(line("etc/vitals.toml").starts_with("-rw-r--r-- root/root"), "{list}");
    let folder = tempfile::tempdir().unwrap();
    let (well, told) = run(Command::new("dpkg-deb").arg("-x").arg(path).arg(folder.path()));
    assert!(well, "{told}");
    for (path, item) in opened().0.iter().filter(|(_, item)| !item.is_folder) {
        assert!(fs::read(folder.path().join(path)).unwrap() == item.content, "{path}");
    }
}

#[test]
fn two_runs_make_the_same_bytes_and_another_page_makes_others() {
    // A small program, since all of it is compressed here.
    let program = fs::canonicalize("/bin/sh").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bytes = |run: &str, pages: &[&str]| {
        let (output, written) = (folder.path().join(run), folder.path().join(run).join("man"));
        fs::create_dir_all(&written).unwrap();
        for name in pages {
            fs::write(written.join(name), name).unwrap();
        }
        let made = making(&program, &written, Compression::best()).make(&output).unwrap();
        [made.tar_gz, made.deb].map(|path| fs::read(path).unwrap())
    };
    let first = bytes("first", &["a.1", "b.1", "c.1"]);
    // A folder may tell its files in another order, and they are of another time.
    let second = bytes("second", &["c.1", "b.1", "a.1"]);
    assert!(first == second, "two runs differ");
    let third = bytes("third", &["a.1", "b.1", "d.1"]);
    assert!(first[0] != third[0] && first[1] != third[1]);
}

/// What the program says of its settings, with this file.
fn shown(file: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.toml");
    fs::write(&path, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
    command.args(["config", "show", "-o", "json", "--config"]).arg(&path).env_clear();
    let ended = command.output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&ended.stdout).unwrap();
    let word = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let of_file = rows.iter().filter(|row| word(row, "source").contains("file"));
    of_file.map(|row| (word(row, "name"), word(row, "value"))).collect()
}

#[test]
fn the_settings_file_is_one_and_so_is_each_of_its_examples() {
    let (data, _) = opened();
    let file = text(data, SETTINGS);
    assert!(shown(&file).is_empty(), "it changes something by itself");
    let is_example = |line: &&str| {
        let key = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")).map(|(key, _)| key);
        let is_of_a_key = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        key.is_some_and(|key| key.chars().all(is_of_a_key))
    };
    let examples: Vec<_> = file.lines().filter(is_example).collect();
    assert!(examples.len() > 10, "{examples:?}");
    for example in examples {
        let written = file.replacen(example, &example[2..], 1);
        let key = example[2..].split(' ').next().unwrap();
        let shown = shown(&written);
        assert!(matches!(&shown[..], [(name, _)] if name == key), "{example}: {shown:?}");
    }
}

#[test]
fn the_units_are_of_the_user_that_is_made_and_outlast_the_drain() {
    let (data, _) = opened();
    let users = text(data, "usr/lib/sysusers.d/vitals.conf");
    for path in UNITS {
        let unit = Unit::read(&text(data, path));
        for (name, value) in [
            ("Type", "notify"),
            ("Restart", "on-failure"),
            ("StartLimitIntervalSec", "0"),
            ("KillSignal", "SIGTERM"),
            ("NoNewPrivileges", "yes"),
            ("ProtectSystem", "strict"),
            ("CapabilityBoundingSet", ""),
            ("LimitCORE", "0"),
        ] {
            assert_eq!(unit.value(name), value, "{path}: {name}");
        }
        let user = format!("\nu {} - ", unit.value("User"));
        assert!(users.contains(&user), "{users}");
        assert!(unit.seconds("TimeoutStopSec") > END_LIMIT.as_secs());
        assert!(unit.seconds("WatchdogSec") > 0 && unit.seconds("RestartSec") > 0);
        assert!(unit.value("ExecStart").contains(" --config /etc/vitals.toml "));
        let page = unit.value("Documentation").strip_prefix("man:").unwrap().strip_suffix("(1)").unwrap();
        assert!(data.contains_key(&format!("usr/share/man/man1/{page}.1.gz")), "{page}");
    }
    // What every reading shows is no log.
    assert!(Unit::read(&text(data, CONSUMER)).value("ExecStart").ends_with(" --quiet"));
    let (_, control) = opened();
    for path in UNITS {
        let name = path.rsplit_once('/').unwrap().1.replace('@', "@*");
        for script in ["postinst", "prerm", "postrm"] {
            assert!(text(control, script).contains(&name), "{script} knows nothing of {name}");
        }
    }
}

#[test]
fn systemd_takes_the_units() {
    if !has("systemd-analyze") {
        return;
    }
    let (data, _) = opened();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]);
    for path in UNITS {
        let name = path.rsplit_once('/').unwrap().1.replace('@', "@1");
        // It looks whether the program is there.
        let unit = text(data, path).replace("/usr/bin/vitals", env!("CARGO_BIN_EXE_vitals"));
        fs::write(folder.path().join(&name), unit).unwrap();
        command.arg(folder.path().join(name));
    }
    let (_, told) = run(&mut command);
    let of_ours: Vec<_> = told.lines().filter(|line| line.contains("vitals-")).collect();
    assert!(of_ours.is_empty(), "{told}");
}

#[test]
fn systemd_makes_the_user() {
    if !has("systemd-sysusers") {
        return;
    }
    let (data, _) = opened();
    let root = tempfile::tempdir().unwrap();
    let (settings, etc) = (root.path().join("usr/lib/sysusers.d"), root.path().join("etc"));
    fs::create_dir_all(&settings).unwrap();
    fs::create_dir_all(&etc).unwrap();
    fs::write(settings.join("vitals.conf"), text(data, "usr/lib/sysusers.d/vitals.conf")).unwrap();
    let (well, told) = run(Command::new("systemd-sysusers").arg("--root").arg(root.path()).arg("vitals.conf"));
    assert!(well, "{told}");
    let users = fs::read_to_string(etc.join("passwd")).unwrap();
    let user = users.lines().find(|line| line.starts_with("vitals:")).expect("the user");
    assert!(user.contains(":/var/lib/vitals:") && user.ends_with("/nologin"), "{user}");
}

#[test]
fn every_man_page_is_taken_without_a_warning() {
    let (data, _) = opened();
    let pages: Vec<_> = data.iter().filter(|(path, _)| path.ends_with(".1.gz")).collect();
    assert!(pages.len() > 30, "{}", pages.len());
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("groff");
    command.args(["-man", "-Tutf8", "-ww", "-z"]);
    for (path, item) in pages {
        let mut page = String::new();
        GzDecoder::new(item.content.as_slice()).read_to_string(&mut page).unwrap();
        assert!(page.contains("\n.SH SYNOPSIS\n"), "{path}: {page}");
        let file = folder.path().join(Path::new(path).file_stem().unwrap());
        fs::write(&file, page).unwrap();
        command.arg(file);
    }
    if has("groff") {
        let (well, told) = run(&mut command);
        assert!(well && told.is_empty(), "{told}");
    }
}

#[test]
fn a_shell_loads_its_completions_from_the_program() {
    let (data, _) = opened();
    let folder = tempfile::tempdir().unwrap();
    for (shell, path, asked) in [
        ("bash", "usr/share/bash-completion/completions/vitals", "complete -p vitals"),
        ("fish", "usr/share/fish/vendor_completions.d/vitals.fish", "complete --command vitals"),
        ("zsh", "usr/share/zsh/vendor-completions/_vitals", "whence -w _clap_dynamic_completer_vitals"),
    ] {
        let script = text(data, path);
        assert!(script.contains(&format!("/usr/bin/vitals completions {shell}")), "{script}");
        if has(shell) {
            // A completing shell has called what it loaded; there is nothing to be completed here.
            let script = script.replace("/usr/bin/vitals", env!("CARGO_BIN_EXE_vitals"));
            let script = script.lines().filter(|line| !line.starts_with("_clap")).collect::<Vec<_>>().join("\n");
            let file = folder.path().join(shell);
            fs::write(&file, script).unwrap();
            let before = if shell == "zsh" { "autoload -Uz compinit && compinit -D && " } else { "" };
            let line = format!("{before}source {} && {asked}", file.display());
            let (well, told) = run(Command::new(shell).args(["-c", &line]));
            assert!(well && told.contains("vitals"), "{shell}: {told}");
        }
    }
}

#[test]
fn what_is_told_of_the_licence_and_of_changes_is_the_projects() {
    let (data, _) = opened();
    assert_eq!(text(data, "usr/share/doc/vitals/copyright"), read("LICENSE"));
    let mut changes = String::new();
    let packed = &data["usr/share/doc/vitals/changelog.gz"].content;
    GzDecoder::new(packed.as_slice()).read_to_string(&mut changes).unwrap();
    assert_eq!(changes, read("src/guide/changes.md"));
}
