//! Bars on a terminal: a line for each stage that runs right now, one bar for all of it. What is through scrolls up as
//! a line of its own; what came from the cache is only counted, so that sixty targets fit on a small screen.

use std::time::{Duration, Instant};

use anstyle::Style;
use drydock_build::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthStr;

use super::Reporter;
use super::board::{Board, Row, RowKind, RowState};
use super::units;
use crate::shell::{DONE, FAINT, Shell, UNDERWAY, Verbosity, WRONG, status_line};

/// Rows that stay free for the bar, the line of what is not shown, and the line that was there before.
const OTHER_LINES: usize = 4;
/// Labels are cut to this many columns, so that something of the step is seen beside them.
const LABEL_COLUMNS: usize = 28;
/// Work on a base that took less is not worth a line.
const NOTABLE: Duration = Duration::from_secs(1);
/// Redraws a second; more only costs.
const REDRAWS: u8 = 12;

/// See the module.
pub(super) struct Tty {
    board: Board,
    begun: Instant,
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    colors: bool,
    verbose: bool,
    announced: Vec<bool>,
    label_columns: usize,
}

impl Tty {
    pub(super) fn new(board: Board, shell: &Shell) -> Self {
        let widest = board.rows.iter().map(|row| row.spec.label.width()).max().unwrap_or_default();
        Self {
            announced: vec![false; board.rows.len()],
            board,
            begun: Instant::now(),
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS)),
            lines: Vec::new(),
            colors: shell.colors_err(),
            verbose: shell.verbosity() == Verbosity::Verbose,
            label_columns: widest.min(LABEL_COLUMNS),
        }
    }

    /// A line that stays, above what is drawn.
    fn scroll(&self, line: &str) {
        // The terminal is gone: there is nobody to tell.
        let _ = self.screen.println(self.colored(line));
    }

    fn colored(&self, text: &str) -> String {
        if self.colors { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
    }

    /// Says that a stage is through.
    fn announce(&mut self, index: usize) {
        let row = &self.board.rows[index];
        if std::mem::replace(&mut self.announced[index], row.state != RowState::Cached || self.verbose) {
            return;
        }
        let (style, verb) = match (row.state, row.spec.kind) {
            (RowState::Failed, _) => (WRONG, "Failed"),
            (RowState::Cached, _) if self.verbose => (FAINT, "Cached"),
            // Everybody's stage begins with it, and pulling is told while it lasts.
            (RowState::Done, RowKind::Base) if row.ran() < NOTABLE => return,
            (RowState::Done, RowKind::Base) => (DONE, "Prepared"),
            (RowState::Done, RowKind::Install) => (DONE, "Installed"),
            (RowState::Done, RowKind::Build) => (DONE, "Built"),
            (RowState::Done, RowKind::Check) => (DONE, "Checked"),
            (RowState::Done, RowKind::Target) => (DONE, "Assembled"),
            _ => return,
        };
        let label = units::fit(&row.spec.label, crate::shell::width().saturating_sub(30));
        let time = if row.state == RowState::Cached { String::new() } else { units::duration(row.ran()) };
        let line = status_line(style, verb, &format!("{label} {FAINT}{time}{FAINT:#}"));
        self.scroll(line.trim_end());
    }

    fn draw(&mut self) {
        let (width, height) = size();
        let mut lines: Vec<String> = Vec::new();
        let active = self.board.active();
        let room = height.saturating_sub(OTHER_LINES).max(1);
        let shown = if active.len() > room { room - 1 } else { active.len() };
        lines.extend(active[..shown].iter().map(|row| self.row_line(row, width)));
        if active.len() > shown {
            lines.push(format!("{FAINT}{:>12} … and {} more{FAINT:#}", "", active.len() - shown));
        }
        lines.push(self.bar_line(width));
        while self.lines.len() > lines.len() {
            if let Some(line) = self.lines.pop() {
                self.screen.remove(&line);
            }
        }
        while self.lines.len() < lines.len() {
            let line = ProgressBar::no_length().with_style(ProgressStyle::with_template("{msg}").expect("a template"));
            self.lines.push(self.screen.add(line));
        }
        for (bar, line) in self.lines.iter().zip(lines) {
            bar.set_message(self.colored(&line));
        }
    }

    /// `      @chat/client 4/6 RUN npm run build            8.2s`.
    fn row_line(&self, row: &Row, width: usize) -> String {
        let elapsed = units::duration(row.since.map_or(Duration::ZERO, |since| since.elapsed()));
        let label = units::pad(&units::fit(&row.spec.label, self.label_columns), self.label_columns);
        let (position, instruction) = row
            .step
            .as_ref()
            .map_or((String::new(), ""), |step| (format!("{}/{}", step.step, step.steps), &*step.instruction));
        let fixed = 13 + self.label_columns + 1 + 5 + 1 + 1 + elapsed.width().max(7);
        let room = width.saturating_sub(fixed);
        let mut text = units::fit(&plain_instruction(instruction), room);
        let mut faint = String::new();
        let left = room.saturating_sub(text.width());
        if let Some((pulled, total)) = row.pulled.filter(|_| instruction.starts_with("FROM ") && left >= 20) {
            faint = format!("  {} of {}", units::bytes(pulled), units::bytes(total));
        } else if let Some(output) = row.output.as_deref().filter(|_| left >= 20) {
            faint = format!("  {}", units::fit(anstream::adapter::strip_str(output).to_string().trim(), left - 2));
        } else {
            text = units::pad(&text, room);
        }
        let faint = units::pad(&faint, room.saturating_sub(text.width()));
        let verb = match row.spec.kind {
            RowKind::Base => "Preparing",
            RowKind::Install => "Installing",
            RowKind::Build => "Building",
            RowKind::Check => "Checking",
            RowKind::Target => "Assembling",
        };
        let style: Style = UNDERWAY;
        format!(
            "{style}{verb:>12}{style:#} {label} {FAINT}{position:>5}{FAINT:#} {text}{FAINT}{faint}{FAINT:#} {elapsed:>7}"
        )
    }

    /// `    Building [=====>    ] 5/11 stages, 4 cached   12.4s`.
    fn bar_line(&self, width: usize) -> String {
        let total = self.board.rows.len().max(1);
        let finished = self.board.finished();
        let elapsed = units::duration(self.begun.elapsed());
        let mut facts = vec![format!("{finished}/{} stages", self.board.rows.len())];
        if self.board.cached() > 0 {
            facts.push(format!("{} cached", self.board.cached()));
        }
        if self.board.targets > 1 {
            facts.push(format!("{}/{} targets", self.board.targets_finished, self.board.targets));
        }
        facts.extend(self.beside());
        let facts = facts.join(", ");
        let bar_columns = if width >= 100 { 30 } else { 15 };
        let full = bar_columns * finished / total;
        let head = if full < bar_columns { ">" } else { "" };
        let rest = bar_columns - full - head.len();
        let bar = format!("[{}{head}{:rest$}]", "=".repeat(full), "");
        let room = width.saturating_sub(13 + bar_columns + 2 + 1 + 1 + elapsed.width().max(7));
        let facts = units::pad(&units::fit(&facts, room), room);
        format!("{UNDERWAY}{:>12}{UNDERWAY:#} {bar} {facts} {elapsed:>7}", "Building")
    }

    /// What goes on when no stage moves: never is there nothing to name.
    fn beside(&self) -> Option<String> {
        if let Some((reference, layers)) = self.board.pushes.first_key_value() {
            let sum = |(all, totals): (u64, u64), (current, total): &(u64, u64)| (all + current, totals + total);
            let (sent, total) = layers.values().fold((0, 0), sum);
            let more = match self.board.pushes.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Some(format!("pushing {reference}{more} ({} of {})", units::bytes(sent), units::bytes(total)));
        }
        if let Some(name) = self.board.beside.values().next() {
            return Some(if name.contains("load build context") {
                format!("sending the context ({})", units::bytes(self.board.transfer.bytes))
            } else {
                in_words(name)
            });
        }
        self.board.awaited.clone().filter(|_| self.board.active().is_empty())
    }
}

/// What BuildKit does beside the steps, as a person would say it.
fn in_words(name: &str) -> String {
    let image = |name: &str| name.trim_start_matches("docker.io/library/").trim_start_matches("docker.io/").to_owned();
    if let Some((_, name)) = name.split_once("internal] load metadata for ") {
        format!("asking the registry for {}", image(name))
    } else if let Some(rest) = name.strip_prefix("[auth] ") {
        format!("logging in to {}", rest.rsplit(' ').next().unwrap_or(rest))
    } else if let Some(cache) = name.strip_prefix("importing cache manifest from ") {
        format!("reading the cache {cache}")
    } else if name.starts_with("exporting cache") {
        "writing the cache".to_owned()
    } else if name.starts_with("exporting") {
        "writing the image".to_owned()
    } else {
        name.trim_start_matches("[internal] ").to_owned()
    }
}

/// An instruction as it is read at a glance: without the options of `RUN` and `COPY`.
fn plain_instruction(instruction: &str) -> String {
    let mut words = instruction.split_whitespace().peekable();
    let keyword = words.next().unwrap_or_default().to_owned();
    let mut rest = Vec::new();
    for word in words {
        let is_option = rest.is_empty()
            && (word.starts_with("--") && !word.starts_with("--from=") || word == "NODE_DISABLE_COMPILE_CACHE=1");
        if !is_option {
            rest.push(word);
        }
    }
    if let ("FROM", Some(image)) = (keyword.as_str(), rest.first_mut()) {
        // The digest says nothing that is read at a glance.
        *image = image.split_once("@sha256:").map_or(*image, |(name, _)| name);
    }
    format!("{keyword} {}", rest.join(" "))
}

/// Columns and rows of the terminal, one column left free because some terminals wrap at the last.
fn size() -> (usize, usize) {
    terminal_size::terminal_size_of(std::io::stderr())
        .map_or((80, 24), |(width, height)| (usize::from(width.0).saturating_sub(1).max(20), usize::from(height.0)))
}

impl Reporter for Tty {
    fn begins(&mut self, verb: &'static str, what: &str, _shell: &mut Shell) {
        self.board.awaited = Some(format!("{} {what}", verb.to_lowercase()));
        self.draw();
    }

    fn event(&mut self, event: &Event, _shell: &mut Shell) {
        if self.verbose
            && let Event::Log(line) = event
        {
            self.scroll(&format!("{:>12} {FAINT}{}{FAINT:#}", "", line.text));
        }
        if let Event::Pushed(pushed) = event {
            self.scroll(&status_line(DONE, "Pushed", &pushed.reference));
        }
        if let Some(index) = self.board.take(event, Instant::now()) {
            self.announce(index);
        }
        self.draw();
    }

    fn tick(&mut self, _shell: &mut Shell) {
        self.draw();
        for line in &self.lines {
            line.tick();
        }
    }

    fn finish(&mut self, _shell: &mut Shell) {
        for line in self.lines.drain(..) {
            line.finish_and_clear();
        }
        // The terminal is gone: there is nobody to tell.
        let _ = self.screen.clear();
        let cached = self.board.cached();
        if cached > 0 && !self.verbose {
            self.scroll(&status_line(FAINT, "Cached", &units::count(cached as u64, "stage")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_at_a_glance() {
        assert_eq!(plain_instruction("RUN --mount=type=cache,id=npm npm ci"), "RUN npm ci");
        assert_eq!(plain_instruction("RUN --mount=x NODE_DISABLE_COMPILE_CACHE=1 npm ci"), "RUN npm ci");
        assert_eq!(plain_instruction("COPY --from=build /app/dist dist"), "COPY --from=build /app/dist dist");
        assert_eq!(plain_instruction("FROM docker.io/library/node:22@sha256:ab"), "FROM docker.io/library/node:22");
    }

    #[test]
    fn what_goes_on_beside_the_steps_is_said_in_words() {
        assert_eq!(
            in_words("[internal] load metadata for docker.io/library/node:22"),
            "asking the registry for node:22"
        );
        assert_eq!(in_words("[auth] acme/shop:pull token for ghcr.io"), "logging in to ghcr.io");
        assert_eq!(in_words("importing cache manifest from ghcr.io/acme/c"), "reading the cache ghcr.io/acme/c");
        assert_eq!(in_words("exporting to image"), "writing the image");
    }
}
