//! `affected`: the targets whose images are not what they were at a commit, and why.

use std::collections::BTreeSet;

use drydock_dockerfile::{Cause, Fingerprint, StageChange, compare};
use drydock_plan::{PackageName, TargetName};
use serde_json::{Value, json};

use super::json_text;
use super::load::{Loaded, load};
use super::reasons::{Explainer, Reason};
use super::select;
use super::state::{Base, State, both};
use crate::args::{AffectedArgs, GlobalArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::Diagnostic;
use crate::shell::{FAINT, Shell};

/// What a commit and the work tree come to.
pub(super) struct Affected {
    /// What the user compared with.
    pub(super) revision: Option<String>,
    /// The commit, where there is one.
    pub(super) commit: Option<String>,
    /// The targets that are not what they were, by name.
    pub(super) targets: Vec<AffectedTarget>,
    /// Those that are.
    pub(super) unaffected: Vec<TargetName>,
    /// Those that are not there any more.
    pub(super) removed: Vec<TargetName>,
    /// What there is to tell how one led to the other; `None` when nobody knows.
    pub(super) comparison: Option<Comparison>,
}

/// Two states, and what is not the same.
pub(super) struct Comparison {
    pub(super) base: Base,
    pub(super) before: State,
    pub(super) now: State,
    pub(super) changes: Vec<StageChange>,
}

impl Comparison {
    /// The stages that are not what they were: where each begins to differ, whether that is its own doing or only that
    /// of stages it builds on, and whether a command runs anew.
    fn stages(&self) -> Vec<Value> {
        let documents = self.changes.iter().map(|change| {
            let steps = self.now.fingerprints.stage(&change.id).map(|stage| stage.steps.as_slice()).unwrap_or_default();
            let anew = steps.get(change.first_step..).unwrap_or_default();
            json!({
                "name": change.id.as_str(),
                "step": change.first_step,
                "instruction": change.instruction,
                "direct": change.causes.iter().any(|cause| !matches!(cause, Cause::Stage(_))),
                "runs": anew.iter().any(|step| step.instruction.starts_with("RUN ")),
            })
        });
        documents.collect()
    }
}

/// A target whose image is not what it was.
pub(super) struct AffectedTarget {
    pub(super) name: TargetName,
    pub(super) package: PackageName,
    pub(super) reasons: Vec<Reason>,
}

pub(super) fn run(args: &AffectedArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let result = answer(args, global, shell);
    match result {
        // The code 1 says something else here.
        Err(Failure::Diagnosed(errors)) if args.exit_code => {
            for error in &errors {
                shell.diagnostic(&Diagnostic::error(&**error));
            }
            Err(Failure::Reported(Exit::Usage))
        }
        other => other,
    }
}

fn answer(args: &AffectedArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let selected = select::targets(&loaded, &args.targets, args.allow_empty, shell)?;
    let mut affected = Affected::find(&loaded, args.since.as_deref(), shell)?;
    if let Some(selected) = selected {
        let selected: BTreeSet<TargetName> = select::names(&loaded, &selected)?;
        affected.targets.retain(|target| selected.contains(&target.name));
        affected.unaffected.retain(|name| selected.contains(name));
        affected.removed.clear();
    }
    let text = if shell.is_json() { affected.json() } else { affected.human() };
    shell.print(&text)?;
    if affected.targets.is_empty() {
        let since = affected.revision.as_deref().unwrap_or_default();
        shell.status("Unaffected", format!("nothing changes an image since {since}"));
    }
    if args.exit_code && !affected.targets.is_empty() { Err(Failure::Reported(Exit::Failed)) } else { Ok(()) }
}

impl Affected {
    /// Compares the work tree with where its history and that of `revision` fork. What is uncertain counts as affected,
    /// and a warning says so.
    pub(super) fn find(loaded: &Loaded, revision: Option<&str>, shell: &mut Shell) -> Result<Self, Failure> {
        let base = match Base::find(loaded, revision, "every target")? {
            Ok(base) => base,
            Err(warning) => {
                shell.warn(&warning);
                return Self::everything(loaded, revision, None, &Reason::GitRefNotFound);
            }
        };
        shell.verbose("Comparing", format!("with {} ({})", base.revision, base.commit.short()));
        let (now, before) = both(loaded, &base, shell)?;
        let before = match before {
            Ok(before) => before,
            Err(Failure::Diagnosed(errors)) => {
                let why = errors.first().map(ToString::to_string).unwrap_or_default();
                shell.warn(&base.has_no_plan(&why, "every target"));
                return Self::everything(loaded, Some(&base.revision), Some(&base), &Reason::Unreadable(why));
            }
            Err(other) => return Err(other),
        };
        let changes = compare(&before.fingerprints, &now.fingerprints);
        let explainer = Explainer::new(&before, &now, &changes, &|path| base.changed.contains_key(path));
        let (mut targets, mut unaffected) = (Vec::new(), Vec::new());
        for planned in &now.plan.targets {
            let reasons = explainer.reasons(&planned.name);
            if reasons.is_empty() {
                unaffected.push(planned.name.clone());
            } else {
                let (name, package) = (planned.name.clone(), planned.package.clone());
                targets.push(AffectedTarget { name, package, reasons });
            }
        }
        let gone = |name: &TargetName| !now.plan.targets.iter().any(|planned| planned.name == *name);
        let removed = before.plan.targets.iter().map(|planned| planned.name.clone()).filter(gone).collect();
        Ok(Self {
            revision: Some(base.revision.clone()),
            commit: Some(base.commit.to_string()),
            targets,
            unaffected,
            removed,
            comparison: Some(Comparison { base, before, now, changes }),
        })
    }

    /// Every target, for one reason.
    fn everything(
        loaded: &Loaded,
        revision: Option<&str>,
        base: Option<&Base>,
        reason: &Reason,
    ) -> Result<Self, Failure> {
        let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
        let targets = found.targets.into_iter().map(|(name, target)| AffectedTarget {
            name,
            package: target.package,
            reasons: vec![reason.clone()],
        });
        Ok(Self {
            revision: revision.map(str::to_owned),
            commit: base.map(|base| base.commit.to_string()),
            targets: targets.collect(),
            unaffected: Vec::new(),
            removed: Vec::new(),
            comparison: None,
        })
    }

    /// The affected targets, by name.
    pub(super) fn names(&self) -> Vec<String> {
        self.targets.iter().map(|target| target.name.to_string()).collect()
    }

    fn fingerprint(&self, name: &TargetName) -> Option<Fingerprint> {
        self.comparison.as_ref()?.now.fingerprints.target(name)
    }

    fn human(&self) -> String {
        let mut text = String::new();
        for target in &self.targets {
            push(&mut text, target.name.as_str());
            for reason in &target.reasons {
                push(&mut text, &format!("  {FAINT}{}{FAINT:#}", reason.sentence()));
            }
        }
        text
    }

    fn json(&self) -> String {
        let targets = self.targets.iter().map(|target| {
            json!({
                "name": target.name.as_str(),
                "package": target.package.as_str(),
                "fingerprint": self.fingerprint(&target.name).map(|fingerprint| fingerprint.to_string()),
                "reasons": target.reasons.iter().map(Reason::json).collect::<Vec<Value>>(),
            })
        });
        let names = |names: &[TargetName]| names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        json_text(&json!({
            "version": 1,
            "since": self.revision,
            "commit": self.commit,
            "certain": self.comparison.is_some(),
            "targets": targets.collect::<Vec<Value>>(),
            "stages": self.comparison.as_ref().map(Comparison::stages),
            "unaffected": names(&self.unaffected),
            "removed": names(&self.removed),
        }))
    }
}

/// A line; names and paths in it cannot begin another.
pub(super) fn push(text: &mut String, line: &str) {
    text.extend(line.chars().map(|character| if matches!(character, '\n' | '\r') { ' ' } else { character }));
    text.push('\n');
}
