//! Bytes that no sound program sends.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::chaos::Run;
use crate::chaos::verdict::Findings;
use crate::error::{Error, Result};
use crate::test::FEATURES;
use crate::{environment, fuzz, repository};

/// R8: inputs that libFuzzer invents, guided by which code they reach, for every decoder, one after the other: none ends
/// one, or takes it too long, or too much memory. As `cargo xtask fuzz`; the corpus of the runs before is gone on from.
///
/// A time that is given is divided among the decoders.
pub(in crate::chaos) fn fuzzed(run: &mut Run<'_>) -> Result<()> {
    let share = run.schedule.share(fuzz::targets());
    let tried = fuzz::all(share)?;
    for decoder in &tried {
        run.verdict.faults("invented inputs", u32::try_from(decoder.inputs).unwrap_or(u32::MAX));
        match &decoder.crash {
            Some(crash) => run.verdict.breaks(format!("the decoder {}: {crash}", decoder.target)),
            // Nothing has been shown then.
            None if decoder.inputs == 0 => run.verdict.breaks(format!("the decoder {} took no input", decoder.target)),
            None => {}
        }
    }
    let inputs: Vec<_> = tried.iter().map(|decoder| format!("{} for {}", decoder.inputs, decoder.target)).collect();
    run.verdict.measured(format!("in {} s each: {}", share.as_secs(), inputs.join(", ")));
    let checked = tried.iter().map(|decoder| decoder.inputs).sum();
    run.verdict.conclude(Findings { checked, ..Findings::default() });
    Ok(())
}

const SESSIONS: &str = "the hostile sessions";
/// So many of each kind: the test takes its own time to begin and to end.
const AT_A_TIME: u32 = 500;
/// What they may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// What building the test may take.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// R9: sessions in which a server, or a client, sends what no sound program sends: harmed frames, lying lengths, endless
/// answers. Nothing of ours panics or hangs, and memory stays within its limit.
///
/// The sessions are those of xtask/tests/hostile, with other seeds each time.
pub(in crate::chaos) fn hostile(run: &mut Run<'_>) -> Result<()> {
    let program = build(run)?;
    let mut peak_mib = 0;
    let mut checked = 0;
    loop {
        let count = run.schedule.take(AT_A_TIME);
        if count == 0 {
            break;
        }
        let first = run.schedule.below(u32::MAX);
        let told = |name: &str, value: u32| OsString::from(format!("VITALS_TEST_HOSTILE_{name}={value}"));
        let mut command = vec!["env".into(), told("SESSIONS", count), told("FIRST", first)];
        command.extend([program.clone().into_os_string(), "--nocapture".into()]);
        let ended = run.harness.ended(SESSIONS, &command, LIMIT)?;
        let sessions = count_before(&ended.said, " sessions in ");
        run.verdict.faults("hostile sessions", u32::try_from(sessions).unwrap_or(u32::MAX));
        checked += sessions;
        peak_mib = peak_mib.max(most_before(&ended.said, " MiB at most"));
        if ended.code != Some(0) {
            let found: Vec<_> = ended.said.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = found.get(found.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default().join("\n  ");
            run.verdict
                .breaks(format!("{count} sessions from the seed {first} on ended with {:?}\n  {last}", ended.code));
            break;
        }
    }
    run.verdict.measured(format!("the process with all sides of them had {peak_mib} MiB at most"));
    run.verdict.conclude(Findings { checked, ..Findings::default() });
    Ok(())
}

/// How much of what a failed test says is shown.
const SHOWN_LINES: usize = 12;

fn build(run: &Run<'_>) -> Result<PathBuf> {
    let root = repository::root();
    let mut command = vec![environment::cargo()];
    let what = ["test", "--workspace", "--features", FEATURES, "--test", "hostile", "--no-run"];
    command.extend(what.map(OsString::from));
    command.extend(["--message-format=json".into(), "--manifest-path".into(), root.join("Cargo.toml").into()]);
    // Named, since the user may have another target folder.
    command.extend(["--target-dir".into(), root.join("target").into_os_string()]);
    let said = run.harness.run(SESSIONS, &command, BUILD_LIMIT)?;
    executable(&said).ok_or(Error::Unclear {
        what: SESSIONS,
        missing: "counts",
        said: "no program of this test".to_owned(),
    })
}

/// Out of cargo's messages, one a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_ours = message.pointer("/target/name")? == "hostile";
        is_ours.then(|| message.get("executable")?.as_str().map(PathBuf::from)).flatten()
    })
}

/// The numbers before each of these words, together.
fn count_before(said: &str, words: &str) -> u64 {
    numbers_before(said, words).sum()
}

fn most_before(said: &str, words: &str) -> u64 {
    numbers_before(said, words).max().unwrap_or_default()
}

fn numbers_before<'a>(said: &'a str, words: &'a str) -> impl Iterator<Item = u64> {
    said.lines().filter_map(move |line| line.split_once(words)?.0.rsplit(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_of_every_kind_are_counted() {
        let said = "hostile Cassandras: 25 sessions in 5.0 s, the longest 5.0 s\n\
                    hostile servers: 250 sessions in 7.9 s; 164 MiB at most\n\
                    hostile clients: 250 sessions in 7.9 s; 165 MiB at most\n";
        assert_eq!((count_before(said, " sessions in "), most_before(said, " MiB at most")), (525, 165));
    }

    #[test]
    fn the_program_is_found_among_the_messages_of_cargo() {
        let said = "   Compiling vitals\n{\"reason\":\"x\",\"target\":{\"name\":\"vitals\"},\"executable\":null}\n\
                    {\"target\":{\"name\":\"hostile\"},\"executable\":\"/t/hostile-1\"}";
        assert_eq!(executable(said), Some(PathBuf::from("/t/hostile-1")));
    }
}
