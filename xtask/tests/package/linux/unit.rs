//! A unit of systemd, read.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The lines of a unit that say something, by their names. One that comes again is added to the first.
pub(super) struct Unit {
    lines: BTreeMap<String, Vec<String>>,
}

impl Unit {
    pub(super) fn read(text: &str) -> Self {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line}"));
            lines.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        Self { lines }
    }

    /// The one value of a setting.
    pub(super) fn value(&self, name: &str) -> &str {
        match self.lines.get(name).map(Vec::as_slice) {
            Some([value]) => value,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub(super) fn seconds(&self, name: &str) -> u64 {
        self.value(name).parse().unwrap_or_else(|_| panic!("{name} is no number of seconds"))
    }

    /// The command that it starts, with what is installed below `root` and the specifiers of this instance, on
    /// any port where it names one.
    pub(super) fn start(&self, root: &Path, instance: &str) -> Command {
        let below = |path: &str| root.join(path.trim_start_matches('/')).to_str().unwrap().to_owned();
        let mut words = self.value("ExecStart").split_whitespace().map(|word| {
            let word = word.replace("%H", "host").replace("%i", instance);
            assert!(!word.contains('%'), "{word}");
            match word.split_once("127.0.0.1:") {
                _ if word.starts_with('/') => below(&word),
                Some(("", _)) => "127.0.0.1:0".to_owned(),
                _ => word,
            }
        });
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env_clear().current_dir(below(self.value("WorkingDirectory")));
        command
    }
}
