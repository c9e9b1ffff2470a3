//! Running commands several times, interleaved, and comparing their times.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::host;

/// A command to time, made anew for each run.
pub(crate) struct Candidate<'a> {
    pub(crate) name: String,
    pub(crate) command: Box<dyn Fn() -> Command + 'a>,
    /// Brings the state back that a run changes; its time is not counted.
    pub(crate) prepare: Box<dyn Fn() -> Result<()> + 'a>,
}

/// The wall times of one candidate, in the order of the runs.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) times: Vec<Duration>,
}

impl Sample {
    /// The middle time; of an even number, the mean of the two in the middle.
    pub(crate) fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        let middle = times.len() / 2;
        match times.len() {
            0 => Duration::ZERO,
            count if count % 2 == 1 => times[middle],
            _ => (times[middle - 1] + times[middle]) / 2,
        }
    }
}

/// Runs each candidate `runs` times in turns (a, b, a, b, …), so that what else the machine does
/// meets all of them alike. A failing run ends the measurement.
pub(crate) fn interleaved(candidates: &[Candidate<'_>], runs: usize) -> Result<Vec<Sample>> {
    let mut samples: Vec<Sample> =
        candidates.iter().map(|candidate| Sample { name: candidate.name.clone(), times: Vec::new() }).collect();
    for run in 1..=runs {
        for (candidate, sample) in candidates.iter().zip(&mut samples) {
            (candidate.prepare)()?;
            let mut command = (candidate.command)();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let begun = Instant::now();
            let output = command.output().with_context(|| format!("cannot run `{}`", host::shown(&command)))?;
            let time = begun.elapsed();
            if !output.status.success() {
                let log = String::from_utf8_lossy(&output.stderr);
                bail!("`{}` failed: {}\n{}", host::shown(&command), output.status, host::tail(&log, 20));
            }
            eprintln!("  run {run}/{runs}: {} took {}", candidate.name, seconds(time));
            sample.times.push(time);
        }
    }
    Ok(samples)
}

/// A Markdown table of medians, ranges and ratios to the first sample.
pub(crate) fn table(samples: &[Sample]) -> String {
    let mut text = String::from("| | median | min … max | ratio |\n| --- | ---: | ---: | ---: |\n");
    let base = samples.first().map_or(0.0, |sample| sample.median().as_secs_f64());
    for sample in samples {
        let median = sample.median();
        let min = sample.times.iter().min().copied().unwrap_or_default();
        let max = sample.times.iter().max().copied().unwrap_or_default();
        let ratio = if base > 0.0 { median.as_secs_f64() / base } else { f64::NAN };
        text.push_str(&format!(
            "| {} | {} | {} … {} | {ratio:.2} |\n",
            sample.name,
            seconds(median),
            seconds(min),
            seconds(max)
        ));
    }
    text
}

/// Short and comparable: three significant digits or so.
pub(crate) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn sample(name: &str, millis: &[u64]) -> Sample {
        let times = millis.iter().copied().map(Duration::from_millis).collect();
        Sample { name: name.to_owned(), times }
    }

    #[test]
    fn medians_ignore_outliers() {
        assert_eq!(sample("odd", &[30, 10, 900]).median(), Duration::from_millis(30));
        assert_eq!(sample("even", &[10, 40, 20, 900]).median(), Duration::from_millis(30));
        assert_eq!(sample("none", &[]).median(), Duration::ZERO);
    }

    #[test]
    fn ratios_are_to_the_first() {
        let table = table(&[sample("ours", &[100, 100, 100]), sample("theirs", &[1500, 1000, 1250])]);
        assert_eq!(
            table,
            "| | median | min … max | ratio |\n\
             | --- | ---: | ---: | ---: |\n\
             | ours | 100.0 ms | 100.0 ms … 100.0 ms | 1.00 |\n\
             | theirs | 1.25 s | 1.00 s … 1.50 s | 12.50 |\n"
        );
    }

    #[test]
    fn candidates_take_turns() -> Result<()> {
        let order = RefCell::new(Vec::new());
        let candidate = |name: &'static str| Candidate {
            name: name.to_owned(),
            command: Box::new(|| Command::new("true")),
            prepare: Box::new({
                let order = &order;
                move || {
                    order.borrow_mut().push(name);
                    Ok(())
                }
            }),
        };
        let candidates = [candidate("a"), candidate("b")];
        let samples = interleaved(&candidates, 2)?;
        assert_eq!(*order.borrow(), ["a", "b", "a", "b"]);
        assert_eq!(samples.iter().map(|sample| sample.times.len()).collect::<Vec<_>>(), [2, 2]);
        Ok(())
    }
}
