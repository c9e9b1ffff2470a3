//! `replay`: what the last commits would have rebuilt, without building.
//!
//! Each commit is planned from git's objects and compared with the one before. Planning is a pure function of the names in
//! the tree and of the files that it reads; a commit that changes neither keeps the plan, and only what its files hold is
//! looked at again. That is most commits, and why two hundred take seconds.

mod page;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use drydock_dockerfile::{Cause, Fingerprints, Surroundings, compare};
use drydock_plan::{BuildPlan, ContextContent, ContextFile, StageId, StageKind, WorkspacePath};
use drydock_workspace::{
    Change, CommitId, EntryKind, GitTree, Logged, Repository, Tracked, Tree, TreeEntry, Workspace, WorkspaceError,
};
use serde_json::{Value, json};

use super::affected::push;
use super::json_text;
use super::load::{Loaded, load};
use super::state::{BaseError, of_file, planned};
use crate::args::{GlobalArgs, ReplayArgs, ReplayFormat};
use crate::config::{Config, FILE_NAME};
use crate::failure::Failure;
use crate::report::units;
use crate::shell::{FAINT, Shell};

/// What the commits come to.
struct Replay {
    /// Oldest first; the one before them is not among them.
    commits: Vec<Replayed>,
    /// How many stages and targets the newest plan has.
    stages: usize,
    targets: usize,
    /// By file: what a change of it rebuilt, most first.
    causes: Vec<(WorkspacePath, Blame)>,
    elapsed: Duration,
}

/// One commit.
struct Replayed {
    commit: String,
    subject: String,
    /// How many files it changed.
    files: usize,
    /// Targets whose images are not what they were.
    targets: Vec<String>,
    /// Stages in which a command runs anew.
    stages: Vec<String>,
    /// Those of them that install.
    installs: Vec<String>,
    /// Whether it changed the lockfile.
    lockfile: bool,
    /// Targets that are affected though the commit touches nothing that they are made of.
    unfounded: Vec<String>,
    /// Why there is no plan of it.
    unreadable: Option<String>,
    elapsed: Duration,
}

/// What changes of one file did.
#[derive(Default)]
struct Blame {
    commits: usize,
    stages: usize,
    package: Option<String>,
}

/// A commit's plan, with what it depends on.
struct Planned {
    workspace: Workspace,
    plan: BuildPlan,
    fingerprints: Fingerprints,
    /// The files that planning read.
    read: BTreeSet<WorkspacePath>,
    /// Whether some were read through links, so that nobody knows which.
    linked: bool,
}

pub(super) fn run(args: &ReplayArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let Some(repository) = Repository::find(&loaded.root)? else {
        return Err(BaseError::NoRepository { root: loaded.root.to_string() }.into());
    };
    let until = repository.commit(&args.until)?;
    let history = repository.history(&until, args.last.saturating_add(1))?;
    let replay = replay(&loaded, &repository, &until, &history, shell)?;
    shell.print(&match args.format {
        ReplayFormat::Human => replay.human(),
        ReplayFormat::Json => replay.json(),
        ReplayFormat::Html => page::html(&replay),
    })
}

fn replay(
    loaded: &Loaded,
    repository: &Repository,
    until: &CommitId,
    history: &[Logged],
    shell: &mut Shell,
) -> Result<Replay, Failure> {
    let begun = Instant::now();
    let mut commits = Vec::new();
    let mut blames: BTreeMap<WorkspacePath, Blame> = BTreeMap::new();
    let mut objects: HashMap<WorkspacePath, String> = HashMap::new();
    let mut before: Option<Planned> = None;
    let newest = GitTree::at(repository, until)?;
    // A configuration that no commit has is tried on all of them.
    let uncommitted = {
        let file = loaded.config.file.as_ref().and_then(|file| file.strip_prefix(&loaded.root).ok());
        let path = WorkspacePath::new(file.map_or(FILE_NAME, |file| file.as_str())).unwrap_or_default();
        // Without one, base images may be pinned all the same.
        newest.object(&path).is_none() && loaded.config.file.is_some()
    };
    for (index, logged) in history.iter().enumerate() {
        let started = Instant::now();
        for change in &logged.changes {
            objects.insert(change.path.clone(), change.object.clone());
        }
        let kept = before.as_ref().filter(|planned| keeps_plan(planned, logged)).map(|planned| {
            Fingerprints::new(&planned.plan, &Surroundings::default(), |file| {
                of_file(objects.get(&file.path).map(String::as_str), file)
            })
        });
        let mut replayed = Replayed::of(logged);
        let mut now = None;
        if let (Some(fingerprints), Some(planned)) = (&kept, &before) {
            compared(planned, planned, fingerprints, logged, &mut replayed, &mut blames);
        } else {
            match newest
                .also_at(repository, &logged.commit)
                .map_err(Failure::from)
                .and_then(|tree| plan_of(loaded, tree, uncommitted, &mut objects))
            {
                Ok(planned) => {
                    if let Some(before) = &before {
                        compared(before, &planned, &planned.fingerprints, logged, &mut replayed, &mut blames);
                    }
                    now = Some(planned);
                }
                Err(Failure::Diagnosed(errors)) => {
                    replayed.unreadable = Some(errors.first().map(ToString::to_string).unwrap_or_default());
                }
                Err(other) => return Err(other),
            }
        }
        if let Some(planned) = now {
            before = Some(planned);
        } else if let (Some(fingerprints), Some(planned)) = (kept, &mut before) {
            planned.fingerprints = fingerprints;
        } else if replayed.unreadable.is_some() {
            // What comes next has nothing to be compared with.
            before = None;
        }
        replayed.elapsed = started.elapsed();
        shell.verbose("Replayed", format!("{} in {}", replayed.commit, units::duration(replayed.elapsed)));
        if index > 0 {
            commits.push(replayed);
        }
    }
    let mut causes: Vec<(WorkspacePath, Blame)> = blames.into_iter().collect();
    causes.sort_by(|(one, first), (other, second)| second.stages.cmp(&first.stages).then_with(|| one.cmp(other)));
    Ok(Replay {
        commits,
        stages: before.as_ref().map_or(0, |planned| planned.plan.stages.len()),
        targets: before.as_ref().map_or(0, |planned| planned.plan.targets.len()),
        causes,
        elapsed: begun.elapsed(),
    })
}

/// Whether a commit leaves the plan what it was: it gives no file another name, place or kind, and changes none that
/// planning read.
fn keeps_plan(planned: &Planned, logged: &Logged) -> bool {
    !planned.linked && logged.changes.iter().all(|change| change.content_only && !planned.read.contains(&change.path))
}

fn plan_of(
    loaded: &Loaded,
    tree: GitTree,
    uncommitted: bool,
    objects: &mut HashMap<WorkspacePath, String>,
) -> Result<Planned, Failure> {
    let tree = Arc::new(tree);
    let recorder = Arc::new(Recorder { tree: Arc::clone(&tree), read: Mutex::default() });
    let own;
    let config: &Config = if uncommitted {
        &loaded.config
    } else {
        own = loaded.config.in_tree(&loaded.root, &*recorder).map_err(Failure::all)?;
        &own
    };
    let (workspace, plan) = planned(Arc::clone(&recorder) as Arc<dyn Tree>, config)?;
    let read = std::mem::take(&mut *recorder.read.lock().unwrap_or_else(PoisonError::into_inner));
    let linked = read.iter().any(|(path, found)| *found && tree.object(path).is_none());
    for file in plan.context.iter().filter(|file| file.content == ContextContent::Tree) {
        if let Some(object) = tree.object(&file.path) {
            objects.insert(file.path.clone(), object.to_owned());
        }
    }
    let content = |file: &ContextFile| of_file(tree.object(&file.path), file);
    let fingerprints = Fingerprints::new(&plan, &Surroundings::default(), content);
    let read = read.into_iter().filter(|(_, found)| *found).map(|(path, _)| path).collect();
    Ok(Planned { workspace, plan, fingerprints, read, linked })
}

/// Tells what is not the same, and blames the files that made it so.
fn compared(
    before: &Planned,
    now: &Planned,
    fingerprints: &Fingerprints,
    logged: &Logged,
    replayed: &mut Replayed,
    blames: &mut BTreeMap<WorkspacePath, Blame>,
) {
    let changes = compare(&before.fingerprints, fingerprints);
    let first_steps: BTreeMap<&StageId, usize> = changes.iter().map(|change| (&change.id, change.first_step)).collect();
    let runs = |id: &StageId| match (fingerprints.stage(id), first_steps.get(id)) {
        (Some(stage), Some(first)) => stage.steps[*first..].iter().any(|step| step.instruction.starts_with("RUN ")),
        _ => false,
    };
    for stage in now.plan.stages.iter().filter(|stage| runs(&stage.id)) {
        replayed.stages.push(stage.id.to_string());
        if matches!(stage.kind, StageKind::Install(_)) {
            replayed.installs.push(stage.id.to_string());
        }
    }
    let touched: BTreeSet<&WorkspacePath> = logged.changes.iter().map(|change| &change.path).collect();
    for (name, _) in fingerprints.targets().filter(|(_, id)| first_steps.contains_key(id)) {
        replayed.targets.push(name.to_string());
        let is_input = |path: &&WorkspacePath| now.read.contains(*path) || before.read.contains(*path);
        let copied = |planned: &Planned, path: &WorkspacePath| {
            planned.plan.context.binary_search_by(|file| file.path.cmp(path)).is_ok()
        };
        let founded = touched.iter().any(|path| is_input(path) || copied(before, path) || copied(now, path));
        // A name that came or went may be one that planning looked for.
        let named = logged.changes.iter().any(|change| change.change != Change::Modified);
        if !founded && !named {
            replayed.unfounded.push(name.to_string());
        }
    }
    blame(now, &changes, fingerprints, &runs, blames);
}

/// Counts for each changed file the stages that run anew for it.
fn blame(
    now: &Planned,
    changes: &[drydock_dockerfile::StageChange],
    fingerprints: &Fingerprints,
    runs: &dyn Fn(&StageId) -> bool,
    blames: &mut BTreeMap<WorkspacePath, Blame>,
) {
    let mut stages_of: BTreeMap<WorkspacePath, BTreeSet<StageId>> = BTreeMap::new();
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
        let mut reached = BTreeSet::from([change.id.clone()]);
        for stage in fingerprints.stages() {
            if stage.needs().any(|needed| reached.contains(needed)) {
                reached.insert(stage.id.clone());
            }
        }
        reached.retain(runs);
        for path in paths {
            stages_of.entry(path.clone()).or_default().extend(reached.iter().cloned());
        }
    }
    for (path, stages) in stages_of.into_iter().filter(|(_, stages)| !stages.is_empty()) {
        let package = now.workspace.package_of(&path).map(|package| package.name.to_string());
        let blame = blames.entry(path).or_default();
        blame.commits += 1;
        blame.stages += stages.len();
        blame.package = package.or(blame.package.take());
    }
}

/// A tree that remembers what was read, and whether it was there.
struct Recorder {
    tree: Arc<GitTree>,
    read: Mutex<BTreeMap<WorkspacePath, bool>>,
}

impl Tree for Recorder {
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError> {
        let bytes = self.tree.read(path)?;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), bytes.is_some());
        Ok(bytes)
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError> {
        self.tree.list(directory)
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        self.tree.kind(path)
    }

    fn disk_path(&self, path: &WorkspacePath) -> Option<Utf8PathBuf> {
        self.tree.disk_path(path)
    }

    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        self.tree.tracked()
    }
}

/// How many files are blamed in a table.
const BLAMED: usize = 10;

impl Replay {
    fn affected(&self) -> usize {
        self.commits.iter().filter(|commit| !commit.targets.is_empty()).count()
    }

    fn planned(&self) -> usize {
        self.commits.iter().filter(|commit| commit.unreadable.is_none()).count()
    }

    /// Commits that install anew though they leave the lockfile alone.
    fn idle_installs(&self) -> usize {
        self.commits.iter().filter(|commit| !commit.installs.is_empty() && !commit.lockfile).count()
    }

    fn unfounded(&self) -> usize {
        self.commits.iter().filter(|commit| !commit.unfounded.is_empty()).count()
    }

    fn per_commit(&self) -> Duration {
        self.elapsed / u32::try_from(self.commits.len().max(1)).unwrap_or(u32::MAX)
    }

    /// The edit that keeps changes of a file from rebuilding, where there is one.
    fn advice(path: &WorkspacePath, blame: &Blame) -> Option<String> {
        let package = blame.package.as_ref()?;
        let name = path.file_name();
        let glob = if [".test.", ".spec."].iter().any(|part| name.contains(part)) {
            let kind = if name.contains(".test.") { "test" } else { "spec" };
            format!("**/*.{kind}.*")
        } else if name.contains(".stories.") {
            "**/*.stories.*".to_owned()
        } else if let Some(folder) =
            path.parts().find(|part| ["__tests__", "__mocks__", "test", "tests", "e2e"].contains(part))
        {
            format!("**/{folder}/**")
        } else if std::path::Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("md")) {
            "**/*.md".to_owned()
        } else {
            return None;
        };
        Some(format!("exclude = [\"{glob}\"] under [package.\"{package}\"]"))
    }

    fn human(&self) -> String {
        let mut text = String::new();
        for commit in self.commits.iter().rev() {
            let what = match &commit.unreadable {
                Some(why) => format!("{FAINT}has no plan: {why}{FAINT:#}"),
                None if commit.targets.is_empty() => format!("{FAINT}nothing{FAINT:#}"),
                None => {
                    let stages = units::count(commit.stages.len() as u64, "stage");
                    format!("{}  {FAINT}{stages} run{FAINT:#}", commit.targets.join(", "))
                }
            };
            let subject: String = commit.subject.chars().take(60).collect();
            push(&mut text, &format!("{}  {subject:<60}  {what}", commit.commit));
        }
        push(&mut text, "");
        let count = units::count(self.planned() as u64, "commit");
        let average = units::duration(self.per_commit());
        push(&mut text, &format!("{count}, {} of them affect an image; {average} each", self.affected()));
        push(&mut text, &format!("{} affect an image without touching what it is made of", self.unfounded()));
        push(&mut text, &format!("{} install anew and leave the lockfile alone", self.idle_installs()));
        if !self.causes.is_empty() {
            push(&mut text, "");
            push(&mut text, "What rebuilds most:");
            for (path, blame) in self.causes.iter().take(BLAMED) {
                let stages = units::count(blame.stages as u64, "stage");
                let commits = units::count(blame.commits as u64, "commit");
                push(&mut text, &format!("  {path}  {FAINT}{stages} in {commits}{FAINT:#}"));
                if let Some(advice) = Self::advice(path, blame) {
                    push(&mut text, &format!("    {advice}"));
                }
            }
        }
        text
    }

    fn json(&self) -> String {
        let commits = self.commits.iter().map(|commit| {
            json!({
                "commit": commit.commit,
                "subject": commit.subject,
                "files": commit.files,
                "targets": commit.targets,
                "stages": commit.stages,
                "installs": commit.installs,
                "lockfile": commit.lockfile,
                "unfounded": commit.unfounded,
                "unreadable": commit.unreadable,
                "seconds": commit.elapsed.as_secs_f64(),
            })
        });
        let causes = self.causes.iter().map(|(path, blame)| {
            json!({
                "path": path.as_str(),
                "package": blame.package,
                "commits": blame.commits,
                "stages": blame.stages,
                "advice": Self::advice(path, blame),
            })
        });
        json_text(&json!({
            "version": 1,
            "stages": self.stages,
            "targets": self.targets,
            "affecting_commits": self.affected(),
            "unfounded_commits": self.unfounded(),
            "idle_install_commits": self.idle_installs(),
            "seconds_per_commit": self.per_commit().as_secs_f64(),
            "commits": commits.collect::<Vec<Value>>(),
            "causes": causes.collect::<Vec<Value>>(),
        }))
    }
}

impl Replayed {
    fn of(logged: &Logged) -> Self {
        const LOCKFILES: [&str; 5] =
            ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"];
        Self {
            commit: logged.commit.short().to_owned(),
            subject: logged.subject.clone(),
            files: logged.changes.len(),
            targets: Vec::new(),
            stages: Vec::new(),
            installs: Vec::new(),
            lockfile: logged.changes.iter().any(|change| LOCKFILES.contains(&change.path.as_str())),
            unfounded: Vec::new(),
            unreadable: None,
            elapsed: Duration::ZERO,
        }
    }
}
