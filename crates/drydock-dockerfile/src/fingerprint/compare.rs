//! Two sets of fingerprints: which stages are not the same, and what made them so.

use std::collections::BTreeMap;

use drydock_plan::{ImageRef, StageId, WorkspacePath};

use super::{Fingerprints, StageFingerprint, StepFingerprint};

/// A stage that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageChange {
    /// The stage.
    pub id: StageId,
    /// The first of its steps that is not the same, counted from 0 for FROM; all after it run anew.
    pub first_step: usize,
    /// That step's instruction.
    pub instruction: String,
    /// What made it so; never empty.
    pub causes: Vec<Cause>,
}

/// What made a stage change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// There was no such stage.
    New,
    /// The image it begins with is another.
    Base {
        /// What it began with.
        before: Option<ImageRef>,
        /// What it begins with; the same reference when what that points to has changed.
        after: ImageRef,
    },
    /// A file of the context that it copies.
    File {
        /// Which one.
        path: WorkspacePath,
        /// What became of it.
        change: FileChange,
    },
    /// The value of a build argument.
    Argument {
        /// Its name.
        name: String,
    },
    /// The text of an instruction, or the order of instructions.
    Instruction {
        /// As it was; `None` for a new one.
        before: Option<String>,
        /// As it is; `None` for one that is gone.
        after: Option<String>,
    },
    /// The platform, or a build argument that BuildKit itself reads.
    Surroundings,
    /// A stage that it begins with or copies from.
    Stage(StageId),
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileChange {
    /// It was not there, or not read.
    Added,
    /// Its content, or that it is executable.
    Modified,
    /// It is not there any more, or not read.
    Deleted,
}

/// The stages of `after` that are not what they were in `before`, in their order.
pub fn compare(before: &Fingerprints, after: &Fingerprints) -> Vec<StageChange> {
    let known: BTreeMap<&StageId, &StageFingerprint> = before.stages.iter().map(|stage| (&stage.id, stage)).collect();
    let mut changes: Vec<StageChange> = Vec::new();
    for stage in &after.stages {
        let Some(old) = known.get(&stage.id) else {
            // The same stage under another name is the same to BuildKit.
            if !before.stages.iter().any(|other| other.fingerprint == stage.fingerprint) {
                let instruction = stage.steps[0].instruction.clone();
                changes.push(StageChange {
                    id: stage.id.clone(),
                    first_step: 0,
                    instruction,
                    causes: vec![Cause::New],
                });
            }
            continue;
        };
        if old.fingerprint == stage.fingerprint {
            continue;
        }
        let mut causes = Vec::new();
        base(&old.steps[0], &stage.steps[0], &mut causes);
        files(before, old, after, stage, &mut causes);
        arguments(old, stage, &mut causes);
        instructions(old, stage, &mut causes);
        for needed in stage.needs() {
            let cause = Cause::Stage(needed.clone());
            if changes.iter().any(|change| change.id == *needed) && !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        if causes.is_empty() {
            let moved = old.steps[0].fingerprint == stage.steps[0].fingerprint;
            causes.push(if moved { Cause::Instruction { before: None, after: None } } else { Cause::Surroundings });
        }
        let first_step = stage
            .steps
            .iter()
            .zip(&old.steps)
            .position(|(new, old)| new.fingerprint != old.fingerprint)
            .unwrap_or_else(|| stage.steps.len().min(old.steps.len()))
            .min(stage.steps.len() - 1);
        let instruction = stage.steps[first_step].instruction.clone();
        changes.push(StageChange { id: stage.id.clone(), first_step, instruction, causes });
    }
    changes
}

fn base(old: &StepFingerprint, new: &StepFingerprint, causes: &mut Vec<Cause>) {
    let Some(image) = &new.image else { return };
    if old.image.as_ref() != Some(image) || old.image_digest != new.image_digest {
        causes.push(Cause::Base { before: old.image.clone(), after: image.clone() });
    }
}

fn files(
    before: &Fingerprints,
    old: &StageFingerprint,
    after: &Fingerprints,
    new: &StageFingerprint,
    causes: &mut Vec<Cause>,
) {
    let (old, new) = (before.files_of(old), after.files_of(new));
    let mut changed: BTreeMap<&WorkspacePath, FileChange> = BTreeMap::new();
    for (path, digest) in &new {
        match old.get(path) {
            None => drop(changed.insert(path, FileChange::Added)),
            Some(known) if known != digest => drop(changed.insert(path, FileChange::Modified)),
            Some(_) => {}
        }
    }
    changed.extend(old.keys().filter(|path| !new.contains_key(*path)).map(|path| (*path, FileChange::Deleted)));
    causes.extend(changed.into_iter().map(|(path, change)| Cause::File { path: path.clone(), change }));
}

fn arguments(old: &StageFingerprint, new: &StageFingerprint, causes: &mut Vec<Cause>) {
    let values = |stage: &StageFingerprint| -> BTreeMap<String, Option<String>> {
        stage.steps.iter().filter_map(|step| step.argument.clone()).collect()
    };
    let old = values(old);
    let new = values(new);
    let changed = new.iter().filter(|(name, value)| old.get(*name).is_some_and(|old| old != *value));
    causes.extend(changed.map(|(name, _)| Cause::Argument { name: name.clone() }));
}

/// Instructions that only one of the two has, paired in their order. A COPY whose list of files is another says no
/// more than the files do.
fn instructions(old: &StageFingerprint, new: &StageFingerprint, causes: &mut Vec<Cause>) {
    let files_differ = causes.iter().any(|cause| matches!(cause, Cause::File { .. }));
    let told = |step: &&StepFingerprint| !files_differ || step.files.is_empty();
    let mut gone: Vec<&StepFingerprint> = old.steps[1..].iter().filter(told).collect();
    let mut come: Vec<&StepFingerprint> = Vec::new();
    for step in new.steps[1..].iter().filter(told) {
        match gone.iter().position(|other| other.instruction == step.instruction) {
            Some(index) => drop(gone.remove(index)),
            None => come.push(step),
        }
    }
    let text = |step: Option<&&StepFingerprint>| step.map(|step| step.instruction.clone());
    for index in 0..gone.len().max(come.len()) {
        causes.push(Cause::Instruction { before: text(gone.get(index)), after: text(come.get(index)) });
    }
}
