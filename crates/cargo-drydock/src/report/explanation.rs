//! What was foretold of stages, and what came of it.

use serde::Serialize;

use super::units;
use crate::shell::{DONE, FAINT, WRONG, status_line};

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
            Verdict::First => format!("ran{from}: it was never built here"),
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
            Verdict::Forced => format!("ran{from}: the cache was not to be used"),
            Verdict::Unasked => "had no step to do".to_owned(),
        }
    }

    /// Whether it did what was foretold.
    fn is_as_foretold(&self) -> bool {
        matches!(self.verdict, Verdict::Changed | Verdict::Unchanged | Verdict::First | Verdict::Forced)
    }
}

/// A line for each stage, of which those that need no word are counted only.
pub(crate) fn explanation(stages: &[Explained]) -> Vec<String> {
    let mut lines = Vec::new();
    let plain = |stage: &&Explained| matches!(stage.verdict, Verdict::Unchanged | Verdict::Unasked);
    for stage in stages.iter().filter(|stage| !plain(stage)) {
        let style = if stage.verdict == Verdict::Evicted { WRONG } else { DONE };
        let text = format!("{} {FAINT}{}{FAINT:#}", stage.stage, stage.sentence());
        lines.push(status_line(style, if stage.is_as_foretold() { "Explained" } else { "But" }, &text));
    }
    let unchanged = stages.iter().filter(plain).count() as u64;
    if unchanged > 0 {
        let text = format!("{} cached {FAINT}as foretold{FAINT:#}", units::count(unchanged, "stage"));
        lines.push(status_line(DONE, "Explained", &text));
    }
    lines
}
