//! What was foretold of stages, and what came of it.

use anstyle::Style;
use serde::Serialize;

use super::units;
use crate::shell::{DONE, FAINT, WRONG, status_line};

/// The columns before what a status line says.
const INDENT: usize = 13;

/// A stage that was asked of BuildKit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Explained {
    /// Its name.
    pub(crate) stage: String,
    /// What to think of it.
    pub(crate) verdict: Verdict,
    /// What is not what it was when it was last built here, in sentences.
    pub(crate) causes: Vec<String>,
    /// The first instruction that ran.
    pub(crate) first: Option<String>,
    /// How many steps ran.
    pub(crate) ran: u32,
    /// How many came from the cache.
    pub(crate) cached: u32,
}

/// Whether BuildKit did what fingerprints foretold, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// It changed, and ran.
    Changed,
    /// It is what it was, and came from the cache.
    Unchanged,
    /// It was never built here, and ran.
    First,
    /// It ran, or ran from an earlier step than it had to, though it is what was built here: the cache has lost it.
    Evicted,
    /// It is not what it was last, but what it was before that, and came from the cache.
    Known,
    /// Stages that it takes from changed, made the same bytes again, and it came from the cache.
    SameInput,
    /// It came from the cache though it was never built from this checkout with success.
    Elsewhere,
    /// What changed in it runs nothing.
    Empty,
    /// It ran because the cache was not to be used.
    Forced,
    /// BuildKit had no step of it to do.
    Unasked,
}

impl Explained {
    /// In one line, without the name of the stage.
    fn sentence(&self) -> String {
        let from = self.first.as_deref().map(|first| format!(" from `{}`", units::fit(first, 60))).unwrap_or_default();
        let causes = if self.causes.is_empty() { String::new() } else { format!(": {}", self.causes.join(", ")) };
        match self.verdict {
            Verdict::Changed => format!("ran{from}{causes}"),
            Verdict::Unchanged => "cached: it is what it was".to_owned(),
            Verdict::First => "ran: never built here before".to_owned(),
            Verdict::Evicted if self.causes.is_empty() => {
                format!("ran{from}, though it is what it was: the builder's cache has lost it")
            }
            Verdict::Evicted => format!("ran{from}, before what changed{causes}: the builder's cache has lost that"),
            Verdict::Known => format!("cached, as it was built so before{causes}"),
            Verdict::SameInput => format!("cached, as what it takes is the same again{causes}"),
            Verdict::Elsewhere => {
                format!("cached, as something else than a success of this checkout built the same{causes}")
            }
            Verdict::Empty => format!("cached, as nothing of it runs after what changed{causes}"),
            Verdict::Forced => "ran: the cache was not to be used".to_owned(),
            Verdict::Unasked => "had no step to do".to_owned(),
        }
    }

    /// Whether it did what was foretold.
    fn is_as_foretold(&self) -> bool {
        matches!(self.verdict, Verdict::Changed | Verdict::Unchanged | Verdict::First | Verdict::Forced)
    }
}

/// A line for each stage, of which those that need no word are only counted, and those of which nothing was foretold are
/// told together. Lines have at most `width` columns; what does not fit goes on below, indented.
pub(crate) fn explanation(stages: &[Explained], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for verdict in [Verdict::First, Verdict::Elsewhere, Verdict::Forced] {
        let alike: Vec<&Explained> =
            stages.iter().filter(|stage| stage.verdict == verdict && stage.causes.is_empty()).collect();
        if let Some(first) = alike.first() {
            let names = alike.iter().map(|stage| stage.stage.as_str()).collect::<Vec<_>>().join(", ");
            lines.extend(paragraph(DONE, "Explained", &names, &first.sentence(), width));
        }
    }
    let plain = |stage: &Explained| matches!(stage.verdict, Verdict::Unchanged | Verdict::Unasked);
    let alike = |verdict| matches!(verdict, Verdict::First | Verdict::Elsewhere | Verdict::Forced);
    let together = |stage: &Explained| plain(stage) || (alike(stage.verdict) && stage.causes.is_empty());
    for stage in stages.iter().filter(|stage| !together(stage)) {
        let style = if stage.verdict == Verdict::Evicted { WRONG } else { DONE };
        let verb = if stage.is_as_foretold() { "Explained" } else { "But" };
        lines.extend(paragraph(style, verb, &stage.stage, &stage.sentence(), width));
    }
    let unchanged = stages.iter().filter(|stage| plain(stage)).count() as u64;
    if unchanged > 0 {
        let count = format!("{} cached", units::count(unchanged, "stage"));
        lines.extend(paragraph(DONE, "Explained", &count, "as foretold", width));
    }
    lines
}

/// `verb subject text`, the text faint, in as many lines as it takes.
fn paragraph(style: Style, verb: &str, subject: &str, text: &str, width: usize) -> Vec<String> {
    let columns = width.saturating_sub(INDENT).max(INDENT);
    let mut faint_from = subject.len();
    let lines = units::wrap(&format!("{subject} {text}"), columns).into_iter().enumerate();
    let lines = lines.map(|(index, line)| {
        let (plain, faint) = line.split_at(faint_from.min(line.len()));
        // The blank that the break took counts.
        faint_from = faint_from.saturating_sub(line.len() + 1);
        let line = if faint.is_empty() { plain.to_owned() } else { format!("{plain}{FAINT}{faint}{FAINT:#}") };
        if index == 0 { status_line(style, verb, &line) } else { format!("{:INDENT$}{line}", "") }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(stage: &str, verdict: Verdict, first: Option<&str>, causes: &[&str]) -> Explained {
        let causes = causes.iter().map(|cause| (*cause).to_owned()).collect();
        Explained { stage: stage.to_owned(), verdict, causes, first: first.map(str::to_owned), ran: 1, cached: 0 }
    }

    fn shown(width: usize) -> String {
        let stages = [
            explained("install-api", Verdict::First, Some("COPY .drydock/install/install-api ./"), &[]),
            explained("install-client", Verdict::First, Some("COPY .drydock/install/install-client ./"), &[]),
            explained(
                "build-data-provider",
                Verdict::Changed,
                Some("COPY packages/data-provider packages/data-provider"),
                &[
                    "packages/data-provider/src/index.ts modified",
                    "packages/data-provider/src/roles.ts added",
                    "4 more",
                ],
            ),
            explained("runtime-base", Verdict::Elsewhere, None, &[]),
            explained("build-api", Verdict::SameInput, None, &["stage build-data-provider is another"]),
            explained("build-ui", Verdict::Evicted, Some("RUN npm run build"), &[]),
            explained("base", Verdict::Unchanged, None, &[]),
        ];
        let lines = explanation(&stages, width);
        let plain: Vec<String> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        for line in &plain {
            assert!(line.chars().count() <= width, "{line}");
        }
        plain.join("\n")
    }

    #[test]
    fn lines_fit_into_a_terminal() {
        insta::assert_snapshot!(shown(80), @"
        Explained install-api, install-client ran: never built here before
        Explained runtime-base cached, as something else than a success of this
                  checkout built the same
        Explained build-data-provider ran from
                  `COPY packages/data-provider packages/data-provider`:
                  packages/data-provider/src/index.ts modified,
                  packages/data-provider/src/roles.ts added, 4 more
              But build-api cached, as what it takes is the same again: stage
                  build-data-provider is another
              But build-ui ran from `RUN npm run build`, though it is what it was:
                  the builder's cache has lost it
        Explained 1 stage cached as foretold
        ");
        insta::assert_snapshot!(shown(200), @"
        Explained install-api, install-client ran: never built here before
        Explained runtime-base cached, as something else than a success of this checkout built the same
        Explained build-data-provider ran from `COPY packages/data-provider packages/data-provider`: packages/data-provider/src/index.ts modified, packages/data-provider/src/roles.ts added, 4 more
              But build-api cached, as what it takes is the same again: stage build-data-provider is another
              But build-ui ran from `RUN npm run build`, though it is what it was: the builder's cache has lost it
        Explained 1 stage cached as foretold
        ");
    }
}
