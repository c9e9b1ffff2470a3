//! The plans of the commits of a history, one after the other, and what is not the same in them.
//!
//! Commits have nearly everything in common, so each costs what it changed. Folders and files are known by the names that
//! git gives their contents, and so is what was found out about them: what a source file imports, a parsed lockfile, the
//! installs that were pruned from it. Planning is moreover a pure function of the names in the tree and of the files that it
//! reads; a commit that changes neither keeps the plan of the one before it. A history is cut into stretches that are
//! walked at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use drydock_dockerfile::{
    Cause, Dockerfile, Fingerprints, StageChange, Surroundings, compare, generated_directory, lower,
};
use drydock_plan::{BuildPlan, StageId, StageKind, WorkspacePath};
use drydock_workspace::{Asked, Change, CommitId, GitTree, Logged, Recorder, Repository, Tree, Workspace};
use rayon::prelude::*;

use super::{Blame, Replayed};
use crate::commands::load::Loaded;
use crate::commands::state::{of_file, planned};
use crate::config::{Config, FILE_NAME};
use crate::failure::Failure;

/// How many commits are walked one after the other. Each stretch also plans the commit before it.
const STRETCH: usize = 20;

/// What all commits are planned with.
pub(super) struct Walk<'w> {
    loaded: &'w Loaded,
    repository: &'w Repository,
    newest: GitTree,
    /// A configuration that no commit has is tried on all of them.
    uncommitted: bool,
}

/// What came of a history, or of a stretch of it.
#[derive(Default)]
pub(super) struct Walked {
    /// Oldest first; the one before them is not among them.
    pub(super) commits: Vec<Replayed>,
    /// By file: what changes of it rebuilt.
    pub(super) blames: BTreeMap<WorkspacePath, Blame>,
    /// How many stages and targets the newest plan has.
    pub(super) stages: usize,
    pub(super) targets: usize,
}

/// A commit's plan, with what it depends on.
struct Planned {
    workspace: Workspace,
    plan: BuildPlan,
    dockerfile: Dockerfile,
    fingerprints: Fingerprints,
    /// The files that planning read.
    read: BTreeSet<WorkspacePath>,
    /// Whether some were read through links, so that nobody knows which.
    linked: bool,
}

impl<'w> Walk<'w> {
    /// Walks through commits up to `until`.
    pub(super) fn new(loaded: &'w Loaded, repository: &'w Repository, until: &CommitId) -> Result<Self, Failure> {
        let newest = GitTree::at(repository, until)?;
        let file = loaded.config.file.as_ref().and_then(|file| file.strip_prefix(&loaded.root).ok());
        let path = WorkspacePath::new(file.map_or(FILE_NAME, |file| file.as_str())).unwrap_or_default();
        // Without one, base images may be pinned all the same.
        let uncommitted = newest.object(&path).is_none() && loaded.config.file.is_some();
        Ok(Self { loaded, repository, newest, uncommitted })
    }

    /// Compares each commit, oldest first, with the one before it; the first is only compared with.
    pub(super) fn through(&self, history: &[Logged]) -> Result<Walked, Failure> {
        let starts: Vec<usize> = (0..history.len().saturating_sub(1)).step_by(STRETCH).collect();
        let stretches: Vec<Walked> = starts
            .into_par_iter()
            .map(|start| self.stretch(&history[start..history.len().min(start + STRETCH + 1)]))
            .collect::<Result<_, Failure>>()?;
        let mut all = Walked::default();
        for stretch in stretches {
            all.commits.extend(stretch.commits);
            for (path, blame) in stretch.blames {
                all.blames.entry(path).or_default().add(blame);
            }
            (all.stages, all.targets) = (stretch.stages, stretch.targets);
        }
        Ok(all)
    }

    fn stretch(&self, history: &[Logged]) -> Result<Walked, Failure> {
        let mut walked = Walked::default();
        let mut before: Option<Planned> = None;
        for (index, logged) in history.iter().enumerate() {
            let started = Instant::now();
            let mut replayed = Replayed::of(logged);
            let tree = Arc::new(self.newest.also_at(self.repository, &logged.commit)?);
            before = match before {
                Some(mut kept) if kept.holds_after(logged) => {
                    let fingerprints = fingerprints(&kept.plan, &kept.dockerfile, &tree);
                    let changes = compare(&kept.fingerprints, &fingerprints);
                    compared(&kept, &kept, (&fingerprints, &changes), logged, &mut replayed);
                    blame(&kept, &changes, &fingerprints, &mut walked.blames);
                    kept.fingerprints = fingerprints;
                    Some(kept)
                }
                before => match self.plan(&tree) {
                    Ok(now) => {
                        if let Some(before) = &before {
                            let changes = compare(&before.fingerprints, &now.fingerprints);
                            compared(before, &now, (&now.fingerprints, &changes), logged, &mut replayed);
                            blame(&now, &changes, &now.fingerprints, &mut walked.blames);
                        }
                        Some(now)
                    }
                    // What comes next has nothing to be compared with.
                    Err(Failure::Diagnosed(errors)) => {
                        replayed.unreadable = Some(errors.first().map(ToString::to_string).unwrap_or_default());
                        None
                    }
                    Err(other) => return Err(other),
                },
            };
            replayed.elapsed = started.elapsed();
            if index > 0 {
                walked.commits.push(replayed);
            }
        }
        walked.stages = before.as_ref().map_or(0, |planned| planned.plan.stages.len());
        walked.targets = before.as_ref().map_or(0, |planned| planned.plan.targets.len());
        Ok(walked)
    }

    fn plan(&self, tree: &Arc<GitTree>) -> Result<Planned, Failure> {
        let recorder = Arc::new(Recorder::new(Arc::clone(tree) as Arc<dyn Tree>));
        let own;
        let config: &Config = if self.uncommitted {
            &self.loaded.config
        } else {
            own = self.loaded.config.in_tree(&self.loaded.root, &*recorder).map_err(Failure::all)?;
            &own
        };
        let (workspace, plan) = planned(Arc::clone(&recorder) as Arc<dyn Tree>, config)?;
        let Asked { contents, names, .. } = recorder.asked();
        let found = contents.into_iter().filter(|(_, bytes)| bytes.is_some()).map(|(path, _)| path);
        let read: BTreeSet<WorkspacePath> = found.chain(names.into_keys()).collect();
        let linked = read.iter().any(|path| tree.object(path).is_none());
        let dockerfile = lower(&plan, &generated_directory());
        let fingerprints = fingerprints(&plan, &dockerfile, tree);
        Ok(Planned { workspace, plan, dockerfile, fingerprints, read, linked })
    }
}

impl Planned {
    /// Whether a commit leaves the plan what it was: it gives no file another name, place or kind, and changes none that
    /// planning read.
    fn holds_after(&self, logged: &Logged) -> bool {
        !self.linked && logged.changes.iter().all(|change| change.content_only && !self.read.contains(&change.path))
    }

    /// Whether a path is one of the context.
    fn copies(&self, path: &WorkspacePath) -> bool {
        self.plan.context.binary_search_by(|file| file.path.cmp(path)).is_ok()
    }
}

/// The fingerprints of a plan with the files that a commit has.
fn fingerprints(plan: &BuildPlan, dockerfile: &Dockerfile, tree: &GitTree) -> Fingerprints {
    Fingerprints::of(plan, dockerfile, &Surroundings::default(), |file| of_file(tree.object(&file.path), file))
}

/// Whether a command of a stage runs anew after `changes`.
fn runs(fingerprints: &Fingerprints, changes: &[StageChange], id: &StageId) -> bool {
    let change = changes.iter().find(|change| change.id == *id);
    let (Some(stage), Some(change)) = (fingerprints.stage(id), change) else { return false };
    stage.steps[change.first_step..].iter().any(|step| step.instruction.starts_with("RUN "))
}

/// Tells what is not the same.
fn compared(
    before: &Planned,
    now: &Planned,
    (fingerprints, changes): (&Fingerprints, &[StageChange]),
    logged: &Logged,
    replayed: &mut Replayed,
) {
    for stage in now.plan.stages.iter().filter(|stage| runs(fingerprints, changes, &stage.id)) {
        replayed.stages.push(stage.id.to_string());
        if matches!(stage.kind, StageKind::Install(_)) {
            replayed.installs.push(stage.id.to_string());
        }
    }
    let is_input = |path: &WorkspacePath| {
        [before, now].into_iter().any(|planned| planned.read.contains(path) || planned.copies(path))
    };
    // A name that came or went may be one that planning looked for.
    let is_founded = logged.changes.iter().any(|change| change.change != Change::Modified || is_input(&change.path));
    for (name, _) in fingerprints.targets().filter(|(_, id)| changes.iter().any(|change| change.id == **id)) {
        replayed.targets.push(name.to_string());
        if !is_founded {
            replayed.unfounded.push(name.to_string());
        }
    }
}

/// Counts for each changed file the stages that run anew for it.
fn blame(
    now: &Planned,
    changes: &[StageChange],
    fingerprints: &Fingerprints,
    blames: &mut BTreeMap<WorkspacePath, Blame>,
) {
    let mut stages_of: BTreeMap<&WorkspacePath, BTreeSet<&StageId>> = BTreeMap::new();
    for change in changes {
        let paths: Vec<&WorkspacePath> = change
            .causes
            .iter()
            .filter_map(|cause| match cause {
                Cause::File { path, .. } if !path.as_str().starts_with(".drydock/") => Some(path),
                _ => None,
            })
            .collect();
        if paths.is_empty() {
            continue;
        }
        // The stage itself, and all that build on it.
        let mut reached = BTreeSet::from([&change.id]);
        for stage in fingerprints.stages() {
            if stage.needs().any(|needed| reached.contains(needed)) {
                reached.insert(&stage.id);
            }
        }
        reached.retain(|id| runs(fingerprints, changes, id));
        for path in paths {
            stages_of.entry(path).or_default().extend(reached.iter().copied());
        }
    }
    for (path, stages) in stages_of.into_iter().filter(|(_, stages)| !stages.is_empty()) {
        let package = now.workspace.package_of(path).map(|package| package.name.to_string());
        blames.entry(path.clone()).or_default().add(Blame { commits: 1, stages: stages.len(), package });
    }
}
