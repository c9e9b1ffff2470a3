//! What is said at the end of a build.

use std::collections::BTreeMap;
use std::time::Duration;

use drydock_build::{BuildOutcome, TargetResult};
use unicode_width::UnicodeWidthStr;

use super::clock::Link;
use super::explanation::Explained;
use super::failure::FailureContext;
use super::units;
use crate::shell::{DONE, FAINT, WRONG, status_line};

/// A target that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    /// Its name.
    pub(crate) target: String,
    /// How it came about.
    pub(crate) state: BuiltState,
    /// The image's references.
    pub(crate) tags: Vec<String>,
    /// Where the result is, when it is not an image of a store or a registry.
    pub(crate) place: Option<String>,
    /// Where it was built, when there are several builders.
    pub(crate) builder: Option<String>,
    /// The image's id.
    pub(crate) image_id: Option<String>,
    /// The digest of the image's manifest: the registry's, once it was pushed.
    pub(crate) digest: Option<String>,
    /// The image's size in bytes.
    pub(crate) size: Option<u64>,
    /// How long its solve took.
    pub(crate) duration: Duration,
    /// Steps that came from the cache.
    pub(crate) cached_steps: u32,
    /// Steps that ran.
    pub(crate) run_steps: u32,
}

/// How an image came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltState {
    /// It was built.
    Built,
    /// It was there, under its references.
    Fresh,
    /// It was there, and was given references.
    Retagged,
}

impl BuiltState {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Fresh => "fresh",
            Self::Retagged => "retagged",
        }
    }
}

/// How a build ended.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    /// What became of the targets.
    pub(crate) outcome: &'a BuildOutcome,
    /// Those that were built.
    pub(crate) built: &'a [Built],
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// The stages that it waited for, in order.
    pub(crate) chain: Vec<Link>,
    /// Whether an image did not arrive where it should.
    pub(crate) push_failed: bool,
    /// What failures are explained with.
    pub(crate) context: &'a FailureContext,
    /// Why targets were to be built, in sentences.
    pub(crate) why: &'a BTreeMap<String, Vec<String>>,
    /// What was foretold of stages, and what came of it, where that was asked for.
    pub(crate) explained: &'a [Explained],
}

impl Ending<'_> {
    /// Targets that could not be built because of what `target` tells of.
    pub(crate) fn blocked_by(&self, target: &str) -> Vec<&str> {
        let blocked = self
            .outcome
            .targets
            .iter()
            .filter(|other| matches!(&other.result, TargetResult::Blocked { by, .. } if by.as_str() == target));
        blocked.map(|other| other.target.as_str()).collect()
    }
}

/// A chain that took less is not worth a line.
const NOTABLE: Duration = Duration::from_secs(1);

/// The lines at the end: how it went as a whole, one for each image, what the build waited for, and why targets were not
/// built that have no error of their own.
pub(crate) fn summary(ending: &Ending<'_>, width: usize) -> Vec<String> {
    let Ending { outcome, built, elapsed, chain, push_failed, context, .. } = ending;
    let mut lines = Vec::new();
    let failed = outcome.targets.len() - built.len();
    let total = units::count(outcome.targets.len() as u64, "target");
    let (files, transfer) = (outcome.context.files, outcome.transfer);
    let sent = if built.len() == outcome.targets.len() && built.iter().all(|one| one.state != BuiltState::Built) {
        "all fresh".to_owned()
    } else if transfer.files == 0 {
        format!("nothing of {} sent", units::count(files, "file"))
    } else {
        format!("{} of {files} sent", units::count(transfer.files, "file"))
            + &format!(" ({})", units::bytes(transfer.bytes))
    };
    let time = units::duration(*elapsed);
    lines.push(match (failed, push_failed) {
        (0, false) => status_line(DONE, "Finished", &format!("{total} in {time}{FAINT}, {sent}{FAINT:#}")),
        (0, true) => status_line(WRONG, "Failed", &format!("to publish {total} after {time}{FAINT}, {sent}{FAINT:#}")),
        _ => status_line(WRONG, "Failed", &format!("{failed} of {total} in {time}{FAINT}, {sent}{FAINT:#}")),
    });
    let cells: Vec<[String; 5]> = built.iter().map(cells).collect();
    let column = |index: usize| cells.iter().map(|row| row[index].width()).max().unwrap_or_default();
    let widths = [column(0), column(1), column(2), column(3), column(4)];
    for row in &cells {
        lines.push(line(row, widths, width));
    }
    let waited: Duration = chain.iter().map(|link| link.ran).sum();
    if chain.len() > 1 && waited >= NOTABLE {
        lines.push(chain_line(chain, width));
    }
    let label = |stage: &str| match context.stages.get(stage) {
        Some(origin) => origin.label.clone(),
        None => stage.to_owned(),
    };
    for target in &outcome.targets {
        let name = &target.target;
        match &target.result {
            TargetResult::Blocked { by, stage: Some(stage) } => {
                lines.push(status_line(WRONG, "Blocked", &format!("{name}, by {} that {by} needs too", label(stage))));
            }
            TargetResult::Blocked { by, stage: None } => {
                lines.push(status_line(WRONG, "Blocked", &format!("{name}, by what failed for {by}")));
            }
            TargetResult::Cancelled => {
                lines.push(status_line(
                    FAINT,
                    "Stopped",
                    &format!("{name}{FAINT}, `--keep-going` builds it all the same{FAINT:#}"),
                ));
            }
            TargetResult::Built(_) | TargetResult::Failed(_) => {}
        }
    }
    lines
}

/// `Longest chain: install 21.0s → @acme/client 40.2s`. Where there is little room, the links that took least are left
/// out.
fn chain_line(chain: &[Link], width: usize) -> String {
    let text = |link: &Link| format!("{} {}", link.label, units::duration(link.ran));
    let mut shown: Vec<&Link> = chain.iter().collect();
    let line = |shown: &[&Link]| {
        let links: Vec<String> = shown.iter().map(|link| text(link)).collect();
        let more = if shown.len() < chain.len() { ", …" } else { "" };
        format!("chain: {}{more}", links.join(" → "))
    };
    while shown.len() > 1 && line(&shown).width() + 14 > width {
        let least = (0..shown.len()).min_by_key(|index| shown[*index].ran).expect("there are links");
        shown.remove(least);
    }
    status_line(DONE, "Longest", &line(&shown))
}

/// Image, id, size, time, steps.
fn cells(built: &Built) -> [String; 5] {
    let image = match &built.place {
        Some(place) => format!("{} {place}", built.target),
        None if built.tags.is_empty() => built.target.clone(),
        None => built.tags.join(", "),
    };
    let image = match &built.builder {
        Some(builder) => format!("{image} on {builder}"),
        None => image,
    };
    let id = built.image_id.as_deref().filter(|_| built.place.is_none()).unwrap_or_default();
    let id: String = id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect();
    let steps = match (built.run_steps, built.cached_steps) {
        _ if built.state != BuiltState::Built => built.state.as_str().to_owned(),
        (0, cached) => format!("{cached} cached"),
        (run, 0) => format!("{run} run"),
        (run, cached) => format!("{run} run, {cached} cached"),
    };
    [image, id, built.size.map(units::bytes).unwrap_or_default(), units::duration(built.duration), steps]
}

/// One image. Where there is little room the steps are left out, then the time, and the name is cut last.
fn line(row: &[String; 5], widths: [usize; 5], width: usize) -> String {
    let [image, id, size, time, steps] = row;
    let room = width.saturating_sub(14);
    let wide = |columns: &[usize]| columns.iter().sum::<usize>() + 2 * (columns.len() - 1);
    let image_columns = if wide(&widths) <= room {
        widths[0]
    } else {
        widths[0].min(room.saturating_sub(wide(&widths[1..4]) + 2)).max(12)
    };
    let image = units::pad(&units::fit(image, image_columns), image_columns);
    let mut text = format!("{:>12} {image}  {FAINT}{}{FAINT:#}", "", units::pad(id, widths[1]));
    let numbers = [
        format!("{size:>columns$}", columns = widths[2]),
        format!("{time:>columns$}", columns = widths[3]),
        format!("{FAINT}{steps}{FAINT:#}"),
    ];
    let shown = if wide(&widths) <= room { 3 } else { 2 };
    for number in &numbers[..shown] {
        text.push_str("  ");
        text.push_str(number);
    }
    text
}
