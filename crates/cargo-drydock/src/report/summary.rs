//! What is said at the end of a build.

use std::time::Duration;

use drydock_build::{ContextSummary, Transfer};
use unicode_width::UnicodeWidthStr;

use super::units;
use crate::shell::{DONE, FAINT, WRONG, status_line};

/// A target that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    /// Its name.
    pub(crate) target: String,
    /// The image's references.
    pub(crate) tags: Vec<String>,
    /// The image's id.
    pub(crate) image_id: Option<String>,
    /// The image's size in bytes.
    pub(crate) size: Option<u64>,
    /// How long its solve took.
    pub(crate) duration: Duration,
    /// Steps that came from the cache.
    pub(crate) cached_steps: u32,
    /// Steps that ran.
    pub(crate) run_steps: u32,
}

/// The lines at the end: how it went as a whole, and one for each image. `failed` targets count those that were
/// blocked or stopped too.
pub(crate) fn summary(
    built: &[Built],
    failed: usize,
    elapsed: Duration,
    context: ContextSummary,
    transfer: Transfer,
    width: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    let total = units::count((built.len() + failed) as u64, "target");
    let sent = if transfer.files == 0 {
        format!("nothing of {} sent", units::count(context.files, "file"))
    } else {
        format!("{} of {} sent", units::count(transfer.files, "file"), context.files)
            + &format!(" ({})", units::bytes(transfer.bytes))
    };
    let time = units::duration(elapsed);
    lines.push(if failed == 0 {
        status_line(DONE, "Finished", &format!("{total} in {time}{FAINT}, {sent}{FAINT:#}"))
    } else {
        status_line(WRONG, "Failed", &format!("{failed} of {total} in {time}{FAINT}, {sent}{FAINT:#}"))
    });
    let cells: Vec<[String; 5]> = built.iter().map(cells).collect();
    let column = |index: usize| cells.iter().map(|row| row[index].width()).max().unwrap_or_default();
    let widths = [column(0), column(1), column(2), column(3), column(4)];
    for row in &cells {
        lines.push(line(row, widths, width));
    }
    lines
}

/// Image, id, size, time, steps.
fn cells(built: &Built) -> [String; 5] {
    let image = if built.tags.is_empty() { built.target.clone() } else { built.tags.join(", ") };
    let id = built.image_id.as_deref().unwrap_or_default();
    let id: String = id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect();
    let steps = match (built.run_steps, built.cached_steps) {
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
