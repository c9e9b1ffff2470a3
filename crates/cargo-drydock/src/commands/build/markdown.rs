//! `--summary`: how the build went, in Markdown, for the page of a CI job.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use drydock_build::TargetResult;

use crate::report::{Ending, units};

/// Adds the summary to the end of a file, as GitHub's step summaries are written.
pub(super) fn append(path: &Path, ending: &Ending<'_>) -> io::Result<()> {
    let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text(ending).as_bytes())
}

/// A row for each target: what became of it, how long that took, its size, why it was to be built, and what is
/// said of it.
fn text(ending: &Ending<'_>) -> String {
    let mut text = "\n| target | state | time | size | why | |\n| --- | --- | ---: | ---: | --- | --- |\n".to_owned();
    for target in &ending.outcome.targets {
        let name = target.target.as_str();
        let built = ending.built.iter().find(|built| built.target == name);
        let (state, said) = match (&target.result, built) {
            (TargetResult::Built(image), built) => {
                let digest = built.and_then(|built| built.digest.as_deref()).unwrap_or_default();
                let steps = match (image.run_steps, image.cached_steps) {
                    (0, 0) => String::new(),
                    (run, cached) => format!("{run} steps run, {cached} cached "),
                };
                (built.map_or("built", |built| built.state.as_str()), format!("{steps}`{digest}`"))
            }
            (TargetResult::Failed(failure), _) => ("**failed**", failure.message.clone()),
            (TargetResult::Blocked { by, .. }, _) => ("blocked", format!("by what failed for {}", by.as_str())),
            (TargetResult::Cancelled, _) => ("stopped", String::new()),
        };
        let size = built.and_then(|built| built.size).map(units::bytes).unwrap_or_default();
        let time = units::duration(target.duration);
        let why = ending.why.get(name).map(|why| why.join(", ")).unwrap_or_default();
        writeln!(text, "| {} | {state} | {time} | {size} | {} | {} |", cell(name), cell(&why), cell(&said))
            .expect("writing to a string does not fail");
    }
    let time = units::duration(ending.elapsed);
    writeln!(text, "\n{} in {time}", units::count(ending.outcome.targets.len() as u64, "target"))
        .expect("writing to a string does not fail");
    text
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_in_its_cell() {
        assert_eq!(cell("exit | 1\nagain"), "exit \\| 1 again");
    }
}
