//! `why`: how a change reaches the image of a target, step by step.

use std::collections::{BTreeMap, VecDeque};

use drydock_dockerfile::StageFingerprint;
use drydock_plan::{StageId, StageKind, TargetName};
use serde_json::{Value, json};

use super::affected::{Affected, Comparison, push};
use super::json_text;
use super::load::load;
use super::reasons::{Explainer, Reason};
use super::select;
use crate::args::{GlobalArgs, WhyArgs};
use crate::failure::Failure;
use crate::shell::{FAINT, Shell};

/// A change, and how it gets to the image.
struct Chain {
    reason: Reason,
    /// The package that the change is in, where it is in one.
    package: Option<String>,
    /// From the stage that it changes to the one that is the image.
    steps: Vec<Step>,
}

/// A stage on the way, and the instruction that runs anew there.
struct Step {
    stage: StageId,
    instruction: String,
}

pub(super) fn run(args: &WhyArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let names = select::names(&loaded, std::slice::from_ref(&args.target))?;
    let affected = Affected::find(&loaded, Some(args.since.as_deref().unwrap_or("HEAD")), shell)?;
    let since = affected.revision.clone().unwrap_or_default();
    let mut documents = Vec::new();
    let mut text = String::new();
    for name in &names {
        let target = affected.targets.iter().find(|target| target.name == *name);
        let chains = affected.comparison.as_ref().map(|comparison| chains(comparison, name)).unwrap_or_default();
        match target {
            None => push(&mut text, &format!("{name} is what it was at {since}")),
            Some(target) if chains.is_empty() => {
                push(&mut text, &format!("{name} counts as changed since {since}"));
                for reason in &target.reasons {
                    push(&mut text, &format!("└── {}", reason.sentence()));
                }
            }
            Some(_) => {
                push(&mut text, &format!("{name} is not what it was at {since}"));
                for chain in &chains {
                    text += &human(chain, name);
                }
            }
        }
        documents.push(json!({
            "name": name.as_str(),
            "affected": target.is_some(),
            "chains": chains.iter().map(document).collect::<Vec<Value>>(),
        }));
    }
    if shell.is_json() {
        let document = json!({ "version": 1, "since": since, "commit": affected.commit, "targets": documents });
        return shell.print(&json_text(&document));
    }
    shell.print(&text)
}

fn human(chain: &Chain, target: &TargetName) -> String {
    let mut text = "\n".to_owned();
    push(&mut text, &chain.reason.sentence());
    let package = chain.package.iter().map(|package| format!("package {package}"));
    let steps = chain.steps.iter().map(|step| format!("stage {}: {FAINT}{}{FAINT:#}", step.stage, step.instruction));
    for (depth, what) in package.chain(steps).chain([format!("image {target}")]).enumerate() {
        push(&mut text, &format!("{:indent$}└── {what}", "", indent = depth * 4));
    }
    text
}

fn document(chain: &Chain) -> Value {
    let step = |step: &Step| json!({ "stage": step.stage.as_str(), "instruction": step.instruction });
    let mut object = chain.reason.json();
    object["package"] = chain.package.clone().into();
    object["steps"] = chain.steps.iter().map(step).collect();
    object
}

/// Every change that reaches the target, with the shortest way that it takes.
fn chains(comparison: &Comparison, target: &TargetName) -> Vec<Chain> {
    let Comparison { base, before, now, changes } = comparison;
    let explainer = Explainer::new(before, now, changes, &|path| base.changed.contains_key(path));
    let Some(planned) = now.plan.targets.iter().find(|planned| planned.name == *target) else { return Vec::new() };
    let mut chains: Vec<Chain> = Vec::new();
    for stage in now.fingerprints.closure(&planned.stage) {
        for (reason, _) in explainer.of_stage(&stage.id, None) {
            if chains.iter().any(|chain| chain.reason == reason) {
                continue;
            }
            let stages = way(&now.fingerprints.closure(&planned.stage), &stage.id, &planned.stage);
            let steps = stages.iter().enumerate().map(|(index, id)| {
                let instruction = match index.checked_sub(1).and_then(|before| stages.get(before)) {
                    Some(needed) => taking(now.fingerprints.stage(id), needed),
                    None => explainer.change(id).map(|change| change.instruction.clone()).unwrap_or_default(),
                };
                Step { stage: id.clone(), instruction }
            });
            let package = match &reason {
                Reason::FileChanged { path, .. } => {
                    now.workspace.package_of(path).map(|package| package.name.to_string())
                }
                _ => match now.plan.stage(&stage.id).map(|stage| &stage.kind) {
                    Some(StageKind::Build(build)) => Some(build.package.to_string()),
                    _ => None,
                },
            };
            chains.push(Chain { reason, package, steps: steps.collect() });
        }
    }
    chains
}

/// The instruction of a stage that takes from another.
fn taking(stage: Option<&StageFingerprint>, needed: &StageId) -> String {
    let step = stage.and_then(|stage| stage.steps.iter().find(|step| step.stage.as_ref() == Some(needed)));
    step.map(|step| step.instruction.clone()).unwrap_or_default()
}

/// The shortest way from one stage to one that builds on it.
fn way(stages: &[&StageFingerprint], from: &StageId, to: &StageId) -> Vec<StageId> {
    let mut next: BTreeMap<&StageId, &StageId> = BTreeMap::new();
    let mut open = VecDeque::from([to]);
    while let Some(id) = open.pop_front() {
        if id == from {
            break;
        }
        let stage = stages.iter().find(|stage| stage.id == *id);
        for needed in stage.into_iter().flat_map(|stage| stage.needs()) {
            if needed != to && !next.contains_key(needed) {
                next.insert(needed, id);
                open.push_back(needed);
            }
        }
    }
    let mut way = vec![from.clone()];
    let mut at = from;
    while let Some(following) = next.get(at) {
        way.push((*following).clone());
        at = following;
    }
    way
}
