//! Why a target is not what it was, in a user's terms.

use std::collections::{BTreeMap, BTreeSet};

use drydock_dockerfile::{Cause, FileChange, StageChange};
use drydock_plan::{BuildPlan, ContextContent, PackageName, StageId, StageKind, TargetName, WorkspacePath};
use serde_json::{Map, Value, json};

use super::bases::short;
use super::state::State;
use crate::config::FILE_NAME;

/// One reason. Ordered as they are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The commit to compare with is not there, so nobody knows.
    GitRefNotFound,
    /// The state to compare with has no plan, so nobody knows.
    Unreadable(String),
    /// There was no such target.
    TargetAdded,
    /// The image that stages begin with.
    BaseImageChanged { before: Option<String>, after: String },
    /// What is installed.
    LockfileChanged { stage: StageId, entries: Vec<EntryChange> },
    /// A file of the target's own package, or of the root.
    FileChanged { path: WorkspacePath, change: FileChange },
    /// A package that it is made of.
    DependencyChanged { package: PackageName, path: Option<(WorkspacePath, FileChange)> },
    /// What the configuration says.
    ConfigChanged { stage: StageId, before: Option<String>, after: Option<String> },
    /// What is inferred from the workspace.
    PlanChanged { stage: StageId, before: Option<String>, after: Option<String> },
}

/// A locked package that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryChange {
    /// Its place in the lockfile, without what all have in common: `express`, `a/node_modules/b`.
    pub(super) name: String,
    /// Its version as it was; `None` when it was not there.
    pub(super) before: Option<String>,
    /// Its version; `None` when it is not there any more.
    pub(super) after: Option<String>,
}

/// What the reasons of all targets are made from.
pub(super) struct Explainer<'a> {
    before: &'a State,
    now: &'a State,
    changes: BTreeMap<&'a StageId, &'a StageChange>,
    config_changed: bool,
    entries: BTreeMap<&'a StageId, Vec<EntryChange>>,
}

impl<'a> Explainer<'a> {
    /// `differs` tells which files of the tree do.
    pub(super) fn new(
        before: &'a State,
        now: &'a State,
        changes: &'a [StageChange],
        differs: &dyn Fn(&WorkspacePath) -> bool,
    ) -> Self {
        let config = [FILE_NAME, "Cargo.toml"];
        let config_changed = config.iter().any(|name| WorkspacePath::new(name).is_ok_and(|path| differs(&path)));
        let mut entries = BTreeMap::new();
        for change in changes {
            let lockfile = change.causes.iter().find_map(|cause| match cause {
                Cause::File { path, .. } if is_lockfile(path) => Some(path),
                _ => None,
            });
            if let Some(path) = lockfile {
                let text = |plan: &BuildPlan| generated(plan, path).unwrap_or_default();
                entries.insert(&change.id, locked_changes(path, &text(&before.plan), &text(&now.plan)));
            }
        }
        Self {
            before,
            now,
            changes: changes.iter().map(|change| (&change.id, change)).collect(),
            config_changed,
            entries,
        }
    }

    /// Whether a stage is not what it was.
    pub(super) fn change(&self, stage: &StageId) -> Option<&'a StageChange> {
        self.changes.get(stage).copied()
    }

    /// Why a target's image is not what it was; empty when it is.
    pub(super) fn reasons(&self, target: &TargetName) -> Vec<Reason> {
        let Some(planned) = self.now.plan.targets.iter().find(|planned| planned.name == *target) else {
            return Vec::new();
        };
        if !self.changes.contains_key(&planned.stage) {
            return Vec::new();
        }
        if !self.before.plan.targets.iter().any(|old| old.name == *target) {
            return vec![Reason::TargetAdded];
        }
        let mut reasons = BTreeSet::new();
        for stage in self.now.fingerprints.closure(&planned.stage) {
            for (reason, _) in self.of_stage(&stage.id, Some(&planned.package)) {
                reasons.insert(reason);
            }
        }
        // That a package is new to the image says no more than which of its files are.
        let told: BTreeSet<PackageName> = reasons
            .iter()
            .filter_map(|reason| match reason {
                Reason::DependencyChanged { package, path: Some(_) } => Some(package.clone()),
                _ => None,
            })
            .collect();
        reasons.retain(
            |reason| !matches!(reason, Reason::DependencyChanged { package, path: None } if told.contains(package)),
        );
        reasons.into_iter().collect()
    }

    /// What makes a stage change by itself, in the terms of the target of `package`, with the place where each begins.
    pub(super) fn of_stage(&self, stage: &StageId, package: Option<&PackageName>) -> Vec<(Reason, String)> {
        let Some(change) = self.change(stage) else { return Vec::new() };
        let mut reasons = Vec::new();
        let mut add = |reason: Reason, place: String| {
            if !reasons.iter().any(|(known, _)| *known == reason) {
                reasons.push((reason, place));
            }
        };
        for cause in &change.causes {
            match cause {
                Cause::Stage(_) | Cause::Argument { .. } | Cause::Surroundings => {}
                Cause::New => add(self.new_stage(stage), stage.to_string()),
                Cause::Base { before, after } => add(
                    Reason::BaseImageChanged {
                        before: before.as_ref().map(ToString::to_string),
                        after: after.to_string(),
                    },
                    after.to_string(),
                ),
                Cause::File { path, change } => {
                    let reason = self.file(stage, path, *change, package);
                    add(reason, shown(path).to_string());
                }
                Cause::Instruction { before, after } => {
                    let (before, after) = (before.clone(), after.clone());
                    let place = after.clone().or(before.clone()).unwrap_or_default();
                    let stage = stage.clone();
                    add(
                        if self.config_changed {
                            Reason::ConfigChanged { stage, before, after }
                        } else {
                            Reason::PlanChanged { stage, before, after }
                        },
                        place,
                    );
                }
            }
        }
        reasons
    }

    fn new_stage(&self, id: &StageId) -> Reason {
        match self.now.plan.stage(id).map(|stage| &stage.kind) {
            Some(StageKind::Build(build)) => Reason::DependencyChanged { package: build.package.clone(), path: None },
            _ if self.config_changed => Reason::ConfigChanged { stage: id.clone(), before: None, after: None },
            _ => Reason::PlanChanged { stage: id.clone(), before: None, after: None },
        }
    }

    fn file(&self, stage: &StageId, path: &WorkspacePath, change: FileChange, package: Option<&PackageName>) -> Reason {
        if is_lockfile(path) {
            let entries = self.entries.get(stage).cloned().unwrap_or_default();
            return Reason::LockfileChanged { stage: stage.clone(), entries };
        }
        let real = shown(path);
        if real == *path && path.as_str().starts_with(".drydock/") {
            let stage = stage.clone();
            let text = Some(path.to_string());
            return if self.config_changed {
                Reason::ConfigChanged { stage, before: None, after: text }
            } else {
                Reason::PlanChanged { stage, before: None, after: text }
            };
        }
        let owner = self.now.workspace.package_of(&real).or_else(|| self.before.workspace.package_of(&real));
        match owner.map(|owner| &owner.name).filter(|owner| package.is_some_and(|package| package != *owner)) {
            Some(owner) => Reason::DependencyChanged { package: owner.clone(), path: Some((real, change)) },
            None => Reason::FileChanged { path: real, change },
        }
    }
}

/// The file of the tree that a generated one is made from: the manifest behind a masked one.
pub(super) fn shown(path: &WorkspacePath) -> WorkspacePath {
    let real = path.as_str().strip_prefix(".drydock/install/").and_then(|rest| rest.split_once('/'));
    real.and_then(|(_, real)| WorkspacePath::new(real).ok()).unwrap_or_else(|| path.clone())
}

/// Whether a path is the lockfile of an install's input.
pub(super) fn is_lockfile(path: &WorkspacePath) -> bool {
    path.as_str().starts_with(".drydock/install/")
        && matches!(
            path.file_name(),
            "package-lock.json" | "npm-shrinkwrap.json" | "pnpm-lock.yaml" | "yarn.lock" | "bun.lock"
        )
}

fn generated(plan: &BuildPlan, path: &WorkspacePath) -> Option<String> {
    let file = plan.context.iter().find(|file| file.path == *path)?;
    match &file.content {
        ContextContent::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ContextContent::Tree | ContextContent::Symlink(_) => None,
    }
}

/// The entries of two lockfiles that are not the same. Of npm's with their versions; of the others, whose keys say the
/// version, the keys.
fn locked_changes(path: &WorkspacePath, before: &str, now: &str) -> Vec<EntryChange> {
    let read = if matches!(path.file_name(), "package-lock.json" | "npm-shrinkwrap.json") {
        npm_entries
    } else {
        keyed_entries
    };
    let (before, now) = (read(before), read(now));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    changed
        .map(|name| EntryChange {
            name: name.clone(),
            before: before.get(name).map(|(version, _)| version.clone()),
            after: now.get(name).map(|(version, _)| version.clone()),
        })
        .collect()
}

/// By name: version, and all that is said.
type Entries = BTreeMap<String, (String, String)>;

fn npm_entries(text: &str) -> Entries {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let empty = Map::new();
    let packages = parsed.get("packages").and_then(Value::as_object).unwrap_or(&empty);
    packages
        .iter()
        .filter(|(place, _)| !place.is_empty())
        .map(|(place, entry)| {
            let version = entry.get("version").and_then(Value::as_str).unwrap_or_default();
            let name = place.strip_prefix("node_modules/").unwrap_or(place);
            (name.to_owned(), (version.to_owned(), entry.to_string()))
        })
        .collect()
}

/// Keys that end with a colon, at the margin or one step in.
fn keyed_entries(text: &str) -> Entries {
    let mut entries = Entries::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let key = line.trim().strip_suffix(':').filter(|key| indent <= 2 && key.contains('@'));
        if let Some(key) = key {
            let key = key.trim_matches(['\'', '"', '/']).to_owned();
            entries.entry(key.clone()).or_default();
            open = Some(key);
        } else if indent == 0 {
            open = None;
        } else if let Some((_, said)) = open.as_ref().and_then(|key| entries.get_mut(key)) {
            said.push_str(line);
            said.push('\n');
        }
    }
    entries
}

/// The word for what became of a file.
pub(super) fn change_word(change: FileChange) -> &'static str {
    match change {
        FileChange::Added => "added",
        FileChange::Modified => "modified",
        FileChange::Deleted => "deleted",
    }
}

/// How many locked packages one line tells.
const ENTRIES: usize = 6;

impl Reason {
    /// Its name, which programs know it by.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::GitRefNotFound => "GitRefNotFound",
            Self::Unreadable(_) => "Unreadable",
            Self::TargetAdded => "TargetAdded",
            Self::BaseImageChanged { .. } => "BaseImageChanged",
            Self::LockfileChanged { .. } => "LockfileChanged",
            Self::FileChanged { .. } => "FileChanged",
            Self::DependencyChanged { .. } => "DependencyChanged",
            Self::ConfigChanged { .. } => "ConfigChanged",
            Self::PlanChanged { .. } => "PlanChanged",
        }
    }

    /// In one line.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::GitRefNotFound => "the commit to compare with is not in this clone".to_owned(),
            Self::Unreadable(why) => format!("the state to compare with has no plan: {why}"),
            Self::TargetAdded => "the target is new".to_owned(),
            Self::BaseImageChanged { before: Some(before), after } if before != after => {
                format!("base image: {} → {}", short(before), short(after))
            }
            Self::BaseImageChanged { after, .. } => format!("base image: {} is another", short(after)),
            Self::LockfileChanged { entries, .. } if entries.is_empty() => "lockfile".to_owned(),
            Self::LockfileChanged { entries, .. } => {
                let shown: Vec<String> = entries.iter().take(ENTRIES).map(EntryChange::sentence).collect();
                let more = entries.len().saturating_sub(ENTRIES);
                let more = if more == 0 { String::new() } else { format!(", and {more} more") };
                format!("lockfile: {}{more}", shown.join(", "))
            }
            Self::FileChanged { path, change } => format!("{path} {}", change_word(*change)),
            Self::DependencyChanged { package, path: Some((path, change)) } => {
                format!("{path} {}, of {package}", change_word(*change))
            }
            Self::DependencyChanged { package, path: None } => format!("{package} is part of it now"),
            Self::ConfigChanged { stage, before, after } => {
                format!("configuration: {}", step(stage, before.as_deref(), after.as_deref()))
            }
            Self::PlanChanged { stage, before, after } => {
                format!("plan: {}", step(stage, before.as_deref(), after.as_deref()))
            }
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("reason".to_owned(), self.name().into());
        let fields = match self {
            Self::GitRefNotFound | Self::TargetAdded => json!({}),
            Self::Unreadable(why) => json!({ "why": why }),
            Self::BaseImageChanged { before, after } => json!({ "before": before, "after": after }),
            Self::LockfileChanged { stage, entries } => {
                let entry =
                    |entry: &EntryChange| json!({ "name": entry.name, "before": entry.before, "after": entry.after });
                json!({ "stage": stage.as_str(), "entries": entries.iter().map(entry).collect::<Vec<_>>() })
            }
            Self::FileChanged { path, change } => json!({ "path": path.as_str(), "change": change_word(*change) }),
            Self::DependencyChanged { package, path: Some((path, change)) } => {
                json!({ "package": package.as_str(), "path": path.as_str(), "change": change_word(*change) })
            }
            Self::DependencyChanged { package, path: None } => json!({ "package": package.as_str() }),
            Self::ConfigChanged { stage, before, after } | Self::PlanChanged { stage, before, after } => {
                json!({ "stage": stage.as_str(), "before": before, "after": after })
            }
        };
        let Value::Object(fields) = fields else { unreachable!("an object was just made") };
        object.extend(fields);
        Value::Object(object)
    }
}

impl EntryChange {
    fn sentence(&self) -> String {
        let Self { name, before, after } = self;
        match (before.as_deref(), after.as_deref()) {
            (Some(before), Some(after)) if before != after => format!("{name} {before} → {after}"),
            (Some(_), Some("") | None) if after.is_none() => format!("{name} removed"),
            (None, Some("")) => format!("{name} added"),
            (None, Some(after)) => format!("{name} {after} added"),
            _ => name.clone(),
        }
    }
}

fn step(stage: &StageId, before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("in stage {stage}, `{before}` became `{after}`"),
        (None, Some(after)) => format!("in stage {stage}, `{after}` is new"),
        (Some(before), None) => format!("in stage {stage}, `{before}` is gone"),
        (None, None) => format!("stage {stage} is new or in another order"),
    }
}
