//! R8: inputs that libFuzzer invents, guided by which code they reach, for every decoder, one after the other: none ends
//! one, or takes it too long, or too much memory. As `cargo xtask fuzz`; the corpus of the runs before is gone on from.
//!
//! A time that is given is divided among the decoders.

use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::error::Error;
use crate::fuzz;

/// Tries them all.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let share = run.schedule.share(fuzz::targets());
    let tried = fuzz::all(share, run.stand.interrupt())?;
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
