//! `replay`: what the last commits would have rebuilt, without building.
//!
//! Each commit is planned from git's objects and compared with the one before.

mod page;
mod walk;

use std::time::{Duration, Instant};

use drydock_plan::WorkspacePath;
use drydock_workspace::{CommitId, Logged, Repository};
use serde_json::{Value, json};

use super::affected::push;
use super::json_text;
use super::load::{Loaded, load};
use super::state::BaseError;
use crate::args::{GlobalArgs, ReplayArgs, ReplayFormat};
use crate::failure::Failure;
use crate::report::units;
use crate::shell::{FAINT, Shell};
use walk::{Walk, Walked};

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

impl Blame {
    /// Counts later changes of the same file. The package is the one that they were in.
    fn add(&mut self, later: Self) {
        self.commits += later.commits;
        self.stages += later.stages;
        self.package = later.package.or(self.package.take());
    }
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
    let Walked { commits, blames, stages, targets } = Walk::new(loaded, repository, until)?.through(history)?;
    for commit in &commits {
        shell.verbose("Replayed", format!("{} in {:.0?}", commit.commit, commit.elapsed));
    }
    let mut causes: Vec<(WorkspacePath, Blame)> = blames.into_iter().collect();
    causes.sort_by(|(one, first), (other, second)| second.stages.cmp(&first.stages).then_with(|| one.cmp(other)));
    Ok(Replay { commits, stages, targets, causes, elapsed: begun.elapsed() })
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
        let average = units::fine_duration(self.per_commit());
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
