//! `--explain`: what fingerprints foretold of each stage, beside what BuildKit's cache made of it.

use std::collections::{BTreeMap, BTreeSet};

use drydock_build::{BuildOutcome, Event, StepName, TargetName as BuiltName, VertexDigest};
use drydock_dockerfile::{Cause, Fingerprints, StageChange, StageFingerprint, compare};
use drydock_plan::{StageId, TargetName};

use super::fresh::Found;
use super::past::Past;
use crate::commands::reasons::{change_word, is_lockfile, shown};
use crate::report::{Explained, Verdict};

/// How many causes one line tells.
const CAUSES: usize = 3;

/// Which steps BuildKit ran, and which it took from its cache.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    /// A step that is opened again ends again: the last word counts.
    steps: BTreeMap<VertexDigest, (StepName, bool)>,
}

/// What BuildKit said of one stage.
#[derive(Debug, Default)]
struct Seen<'o> {
    ran: u32,
    cached: u32,
    /// The first step that ran.
    first: Option<&'o StepName>,
}

impl Observed {
    /// Takes in what happened.
    pub(super) fn event(&mut self, event: &Event) {
        let Event::VertexFinished(finished) = event else { return };
        // That a base image is at hand is no work of a stage.
        let Some(step) = finished.name.step().filter(|step| !step.instruction.starts_with("FROM ")) else { return };
        self.steps.insert(finished.vertex.clone(), (step.clone(), finished.cached));
    }

    fn stage(&self, id: &StageId) -> Seen<'_> {
        let mut seen = Seen::default();
        for (step, cached) in self.steps.values().filter(|(step, _)| step.stage.as_deref() == Some(id.as_str())) {
            if *cached {
                seen.cached += 1;
                continue;
            }
            seen.ran += 1;
            if seen.first.is_none_or(|first| step.step < first.step) {
                seen.first = Some(step);
            }
        }
        seen
    }
}

/// What is known before the steps are looked at.
pub(super) struct Prediction {
    /// By stage: what it was when it last succeeded, and what has changed since. Stages in the plan's order.
    stages: Vec<(StageFingerprint, Foretold)>,
    /// The stages of each target.
    targets: BTreeMap<String, BTreeSet<StageId>>,
}

enum Foretold {
    /// Nobody remembers that it was built here.
    New {
        /// Whether a stage of other name with its fingerprint was.
        known: bool,
    },
    /// It is what it was.
    Same,
    /// It is not.
    Changed {
        change: StageChange,
        /// Whether it was built as it is now, before it was built as it was last.
        known: bool,
    },
}

impl Prediction {
    /// Compares what is to be built with what was built last. `targets` come with their fingerprints and with what is
    /// known of the builder that they are for, before that is told of this build.
    pub(super) fn new(targets: &[(&BuiltName, &Fingerprints, &Past)]) -> Self {
        let mut stages: Vec<(StageFingerprint, Foretold)> = Vec::new();
        let mut of_targets = BTreeMap::new();
        // The newest record of a stage counts, whichever target it is of.
        let mut records: Vec<_> = targets
            .iter()
            .filter_map(|(name, now, past)| {
                let name = TargetName::new(name.as_str());
                let (time, before) = past.of(&name)?;
                // Told in one form, so that they compare.
                let now = Fingerprints::of_record(&now.record(&name)?)?;
                let changes = compare(&before, &now);
                Some((time, before, changes))
            })
            .collect();
        records.sort_by_key(|(time, ..)| std::cmp::Reverse(*time));
        for (name, now, past) in targets {
            let known = past.known();
            let wanted = TargetName::new(name.as_str());
            let Some(stage) = now.targets().find(|(other, _)| **other == wanted).map(|(_, stage)| stage) else {
                continue;
            };
            let closure = now.closure(stage);
            let ids = closure.iter().map(|stage| stage.id.clone()).collect();
            of_targets.insert(name.as_str().to_owned(), ids);
            for stage in closure {
                if stages.iter().any(|(told, _)| told.id == stage.id) {
                    continue;
                }
                let is_known = known.contains(stage.fingerprint.short().as_str());
                let record = records.iter().find_map(|(_, before, changes)| Some((before.stage(&stage.id)?, changes)));
                let foretold = match record {
                    None => Foretold::New { known: is_known },
                    Some((before, _)) if before.fingerprint == stage.fingerprint => Foretold::Same,
                    Some((_, changes)) => match changes.iter().find(|change| change.id == stage.id) {
                        Some(change) => Foretold::Changed { change: change.clone(), known: is_known },
                        None => Foretold::New { known: is_known },
                    },
                };
                stages.push((stage.clone(), foretold));
            }
        }
        Self { stages, targets: of_targets }
    }

    /// What became of each stage. `forced` is that the cache was not to be used.
    pub(super) fn confirm(&self, observed: &Observed, forced: bool) -> Vec<Explained> {
        let stages = self.stages.iter().map(|(stage, foretold)| {
            let seen = observed.stage(&stage.id);
            let causes = match foretold {
                Foretold::Changed { change, .. } => causes(change),
                Foretold::New { .. } | Foretold::Same => Vec::new(),
            };
            Explained {
                stage: stage.id.to_string(),
                verdict: verdict(stage, foretold, &seen, forced),
                causes,
                first: seen.first.map(|step| step.instruction.clone()),
                ran: seen.ran,
                cached: seen.cached,
            }
        });
        stages.collect()
    }

    /// Why a target is built, in short: what is not what it was when it was last built here.
    pub(super) fn why(&self, target: &str) -> Vec<String> {
        let Some(ids) = self.targets.get(target) else { return Vec::new() };
        let own: Vec<_> = self.stages.iter().filter(|(stage, _)| ids.contains(&stage.id)).collect();
        if own.iter().all(|(_, foretold)| matches!(foretold, Foretold::New { .. })) {
            return vec!["nothing is known of an earlier build here".to_owned()];
        }
        let mut why: Vec<String> = Vec::new();
        for (stage, foretold) in own {
            let told = match foretold {
                Foretold::Same => Vec::new(),
                Foretold::New { .. } => vec![format!("stage {} is new", stage.id)],
                Foretold::Changed { change, .. } => {
                    let own = change.causes.iter().filter(|cause| !matches!(cause, Cause::Stage(_)));
                    own.map(sentence).collect()
                }
            };
            for sentence in told {
                if !why.contains(&sentence) {
                    why.push(sentence);
                }
            }
        }
        if why.is_empty() {
            return vec!["nothing changed since it was last built here".to_owned()];
        }
        shortened(why)
    }
}

/// Why each target was to be built, in sentences, by target. `reasons` are those for which it is affected.
pub(super) fn why(
    outcome: &BuildOutcome,
    found: &BTreeMap<String, Found>,
    reasons: &BTreeMap<String, Vec<String>>,
    prediction: Option<&Prediction>,
) -> BTreeMap<String, Vec<String>> {
    let why = outcome.targets.iter().map(|target| {
        let name = target.target.as_str();
        let told = match (reasons.get(name), prediction) {
            _ if found.contains_key(name) => vec!["an image with its fingerprint was there".to_owned()],
            (Some(reasons), _) => reasons.clone(),
            (None, Some(prediction)) => prediction.why(name),
            (None, None) => Vec::new(),
        };
        (name.to_owned(), told)
    });
    why.collect()
}

fn verdict(stage: &StageFingerprint, foretold: &Foretold, seen: &Seen<'_>, forced: bool) -> Verdict {
    match (foretold, seen.first) {
        _ if seen.ran + seen.cached == 0 => Verdict::Unasked,
        (_, Some(_)) if forced => Verdict::Forced,
        (Foretold::Same, None) => Verdict::Unchanged,
        (Foretold::Same | Foretold::New { known: true }, Some(_)) => Verdict::Evicted,
        (Foretold::New { known: true } | Foretold::Changed { known: true, .. }, None) => Verdict::Known,
        (Foretold::New { .. }, Some(_)) => Verdict::First,
        (Foretold::New { .. }, None) => Verdict::Elsewhere,
        (Foretold::Changed { change, .. }, Some(first)) => {
            let before = stage.steps.iter().take(change.first_step).filter(|step| is_counted(step)).count();
            if usize::try_from(first.step).is_ok_and(|step| step <= before) {
                Verdict::Evicted
            } else {
                Verdict::Changed
            }
        }
        (Foretold::Changed { change, .. }, None) => {
            let own = change.causes.iter().any(|cause| !matches!(cause, Cause::Stage(_)));
            // Of an instruction that runs nothing BuildKit says nothing.
            let runs = stage.steps.iter().skip(change.first_step).any(is_counted);
            match (own, runs) {
                (_, false) => Verdict::Empty,
                (false, true) => Verdict::SameInput,
                (true, true) => Verdict::Elsewhere,
            }
        }
    }
}

/// Whether BuildKit counts a step among those of its stage.
fn is_counted(step: &drydock_dockerfile::StepFingerprint) -> bool {
    let counted = ["COPY ", "ADD ", "RUN ", "WORKDIR "];
    let is_base = step.instruction.starts_with("FROM ") && step.stage.is_none();
    is_base || counted.iter().any(|keyword| step.instruction.starts_with(keyword))
}

fn causes(change: &StageChange) -> Vec<String> {
    shortened(change.causes.iter().map(sentence).collect())
}

fn shortened(mut sentences: Vec<String>) -> Vec<String> {
    let more = sentences.len().saturating_sub(CAUSES);
    if more > 1 {
        sentences.truncate(CAUSES);
        sentences.push(format!("{more} more"));
    }
    sentences
}

fn sentence(cause: &Cause) -> String {
    let short = |text: &str| match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    };
    match cause {
        Cause::New => "it is new".to_owned(),
        Cause::Base { before: Some(before), after } if before != after => format!("base image {before} → {after}"),
        Cause::Base { after, .. } => format!("base image {after} is another"),
        Cause::File { path, change } if is_lockfile(path) => {
            format!("what is installed: lockfile {}", change_word(*change))
        }
        Cause::File { path, change } => format!("{} {}", shown(path), change_word(*change)),
        Cause::Argument { name } => format!("build argument {name}"),
        Cause::Instruction { before: Some(before), after: Some(after) } => {
            format!("{} became {}", short(before), short(after))
        }
        Cause::Instruction { before: None, after: Some(after) } => format!("{} is new", short(after)),
        Cause::Instruction { before: Some(before), after: None } => format!("{} is gone", short(before)),
        Cause::Instruction { before: None, after: None } => "instructions in another order".to_owned(),
        Cause::Surroundings => "another platform".to_owned(),
        Cause::Stage(id) => format!("stage {id} is another"),
    }
}

#[cfg(test)]
mod tests {
    use drydock_build::VertexName;

    use super::*;

    fn stage(instructions: &[&str]) -> StageFingerprint {
        let record = |instruction: &&str| serde_json::json!({ "instruction": instruction, "fingerprint": "0".repeat(64), "files": [] });
        let steps: Vec<_> = instructions.iter().map(record).collect();
        let stage = serde_json::json!({ "id": "a", "fingerprint": "0".repeat(64), "steps": steps });
        let text = serde_json::json!({ "version": 1, "target": "a", "stage": "a", "files": [], "stages": [stage] });
        let read = Fingerprints::of_record(&text.to_string()).expect("a record");
        read.stages()[0].clone()
    }

    fn observed(steps: &[(&str, bool)]) -> Observed {
        let mut observed = Observed::default();
        for (name, cached) in steps {
            let VertexName::Step(step) = VertexName::parse(name) else { panic!("`{name}` is no step") };
            observed.steps.insert(VertexDigest::from(*name), (step, *cached));
        }
        observed
    }

    fn told(foretold: &Foretold, steps: &[(&str, bool)]) -> Verdict {
        let stage = stage(&["FROM node:22", "ENV A=1", "COPY a a", "RUN b"]);
        verdict(&stage, foretold, &observed(steps).stage(&stage.id), false)
    }

    fn changed(first_step: usize, causes: Vec<Cause>) -> Foretold {
        let change = StageChange { id: StageId::new("a"), first_step, instruction: String::new(), causes };
        Foretold::Changed { change, known: false }
    }

    const COPY: &str = "[a 2/3] COPY a a";
    const RUN: &str = "[a 3/3] RUN b";

    /// A cache that has lost a stage is told from a stage that had to run.
    #[test]
    fn an_evicted_stage_is_told_from_one_that_had_to_run() {
        assert_eq!(told(&Foretold::Same, &[(COPY, true), (RUN, true)]), Verdict::Unchanged);
        assert_eq!(told(&Foretold::Same, &[(COPY, true), (RUN, false)]), Verdict::Evicted);
        assert_eq!(told(&Foretold::New { known: true }, &[(COPY, false), (RUN, false)]), Verdict::Evicted);
        assert_eq!(told(&Foretold::New { known: false }, &[(COPY, false), (RUN, false)]), Verdict::First);
        // The command changed, and the copy before it ran as well.
        let own = || changed(3, vec![Cause::Instruction { before: None, after: None }]);
        assert_eq!(told(&own(), &[(COPY, true), (RUN, false)]), Verdict::Changed);
        assert_eq!(told(&own(), &[(COPY, false), (RUN, false)]), Verdict::Evicted);
    }

    #[test]
    fn a_changed_stage_that_did_not_run_is_explained() {
        let cached = [(COPY, true), (RUN, true)];
        assert_eq!(told(&changed(2, vec![Cause::Stage(StageId::new("b"))]), &cached), Verdict::SameInput);
        assert_eq!(told(&changed(1, vec![Cause::Surroundings]), &cached), Verdict::Elsewhere);
        assert_eq!(told(&changed(1, vec![Cause::Surroundings]), &[]), Verdict::Unasked);
    }
}
