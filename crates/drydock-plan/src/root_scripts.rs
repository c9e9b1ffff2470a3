//! The lifecycle scripts of the workspace root. Installs see no sources, so they run in builds, after those of the
//! members (npm's own order).

use std::collections::BTreeSet;

use drydock_diagnostics::Warning;
use drydock_lockfile::{Lifecycle, PrunedInstall, WorkspacePath};
use drydock_workspace::{EntryKind, inspect};

use crate::error::PlanError;
use crate::lifecycle::{self, Step};
use crate::members::delegates;
use crate::model::Decision;
use crate::plan::Planner;
use crate::runtime::bins;
use crate::script::{self, Script};

/// What npm runs for the root around an install (`ci.js`, measured with npm 7 to 11).
const SCRIPTS: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// How many scripts may call one another before the chain counts as a circle.
const MAX_DEPTH: usize = 8;

/// Programs of every image.
const OF_THE_SYSTEM: [&str; 12] =
    ["exit", "false", "mkdir", "cp", "mv", "ln", "rm", "touch", "chmod", "test", "cat", "sh"];

/// Words of scripts that go by the files that they find.
const LOOKS: [&str; 5] = ["readdir", "glob(", "globSync(", "opendir", "workspaces"];

/// What the builds that begin with an install run for the root.
#[derive(Debug, Clone, Default)]
pub(crate) struct RootScripts {
    /// What the scripts read of the tree, the root's manifest with it.
    pub(crate) files: Vec<WorkspacePath>,
    /// The commands, in order.
    pub(crate) steps: Vec<Step>,
}

/// What came of reading a script.
#[derive(Debug, Default)]
struct Needs {
    /// Whether it does anything that an image wants.
    works: bool,
    files: BTreeSet<WorkspacePath>,
    /// Why it cannot be run with these files alone.
    unmet: Option<String>,
}

impl Planner<'_> {
    /// The root's scripts for builds that begin with `install`.
    pub(crate) fn root_scripts(&mut self, install: &PrunedInstall) -> Result<RootScripts, PlanError> {
        let mut found = RootScripts::default();
        let policy = self.settings.root_lifecycle;
        // A root that is built itself runs its scripts there.
        let is_member = self.workspace.packages.iter().any(|package| package.path.is_root());
        if is_member || policy.is_some_and(|policy| policy != Lifecycle::Deferred) {
            return Ok(found);
        }
        let scripts: Vec<(&str, &str)> =
            SCRIPTS.iter().filter_map(|name| Some((*name, self.workspace.root.script(name)?))).collect();
        if scripts.is_empty() {
            return Ok(found);
        }
        let bins = bins(self.workspace.manager, install);
        let mut files = BTreeSet::new();
        for (name, text) in scripts {
            let mut needs = Needs::default();
            self.read_script(text, bins.as_ref(), 0, &mut needs)?;
            if !needs.works {
                continue;
            }
            if let Some(unmet) = needs.unmet.filter(|_| policy.is_none()) {
                let mut generators = Vec::new();
                self.generators(text, bins.as_ref(), 0, &mut generators, &mut files)?;
                let but_for = match generators.as_slice() {
                    [] => "runs in no build".to_owned(),
                    some => format!("runs in no build but for {}", shown(some)),
                };
                found.steps.extend(
                    generators
                        .iter()
                        .map(|script| (WorkspacePath::root(), lifecycle::run(self.workspace.manager, script))),
                );
                let message = format!("the root's script `{name}` (`{text}`) {but_for}: {unmet}");
                let help = "if builds need what it does, write `lifecycle = \"deferred\"` under `[workspace]` and name \
                            the files it reads in `root-files`; `\"skip\"` silences this";
                self.warnings.push(Warning::new("root-script-not-run", message).with_help(help));
                continue;
            }
            files.extend(needs.files);
            found.steps.push((WorkspacePath::root(), lifecycle::run(self.workspace.manager, name)));
            let decision = Decision {
                subject: format!("root script {name}"),
                choice: "runs in builds".to_owned(),
                because: format!("the root's manifest has `{text}`, and installs see no sources"),
            };
            if !self.decisions.contains(&decision) {
                self.decisions.push(decision);
            }
        }
        if !found.steps.is_empty() {
            files.insert(self.workspace.root.manifest.path().clone());
        }
        for path in files {
            self.context.add_path(&path)?;
            found.files.push(path);
        }
        Ok(found)
    }

    /// The scripts that `text`, a script of the root that cannot run as a whole, calls to generate sources before anything
    /// that cannot run. Answers whether it came to the end of `text`.
    fn generators(
        &self,
        text: &str,
        bins: Option<&BTreeSet<String>>,
        depth: usize,
        found: &mut Vec<String>,
        files: &mut BTreeSet<WorkspacePath>,
    ) -> Result<bool, PlanError> {
        for part in text.split("&&").map(str::trim) {
            let mut needs = Needs::default();
            self.read_script(part, bins, depth, &mut needs)?;
            let called = called(part);
            match (called, needs.unmet) {
                (Some(name), None) if needs.works && generates(name) => {
                    found.push(name.to_owned());
                    files.extend(needs.files);
                }
                (_, None) => {}
                (Some(name), Some(_)) if depth < MAX_DEPTH => {
                    let Some(inner) = self.workspace.root.script(name) else { return Ok(false) };
                    if !self.generators(inner, bins, depth + 1, found, files)? {
                        return Ok(false);
                    }
                }
                (_, Some(_)) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Adds what `text`, a script of the root, needs. `bins` are the commands that are installed, where that is known.
    fn read_script(
        &self,
        text: &str,
        bins: Option<&BTreeSet<String>>,
        depth: usize,
        needs: &mut Needs,
    ) -> Result<(), PlanError> {
        // Whole, because what guards a part (`is-ci || exit 1`) stands beside it.
        if lifecycle::is_for_people(text) {
            return Ok(());
        }
        for part in text.split(['&', '|', ';']).map(str::trim).filter(|part| !part.is_empty()) {
            if lifecycle::is_for_people(part) {
                continue;
            }
            if delegates(part) {
                needs.works = true;
                needs.unmet.get_or_insert_with(|| format!("`{part}` runs scripts of members"));
                continue;
            }
            let Script::Simple(simple) = script::parse(part) else {
                needs.works = true;
                needs.unmet.get_or_insert_with(|| format!("drydock cannot tell what `{part}` reads"));
                continue;
            };
            let words: Vec<&str> = simple.words.iter().map(String::as_str).collect();
            let words = match words.as_slice() {
                ["npx", rest @ ..] => rest,
                all => all,
            };
            match words {
                // Applied in the install, see `patches`.
                ["patch-package", ..] => continue,
                ["npm" | "pnpm" | "yarn" | "bun", "run" | "run-script", rest @ ..] => {
                    let optional = rest.contains(&"--if-present");
                    let name = rest.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
                    match self.workspace.root.script(name).filter(|_| depth < MAX_DEPTH) {
                        Some(text) => self.read_script(text, bins, depth + 1, needs)?,
                        None if optional => {}
                        None => {
                            needs.works = true;
                            needs.unmet.get_or_insert_with(|| format!("there is no script `{name}`"));
                        }
                    }
                    continue;
                }
                _ => {}
            }
            needs.works = true;
            for word in words.iter().filter(|word| !word.starts_with('-')) {
                let Ok(path) = WorkspacePath::new(word) else { continue };
                if !path.is_root() && matches!(self.workspace.tree.kind(&path)?, Some(EntryKind::File { .. })) {
                    needs.files.extend(inspect::loaded(self.workspace, &self.workspace.root, &path)?);
                }
            }
            for path in &needs.files {
                if needs.unmet.is_none() && self.looks_around(path)? {
                    needs.unmet = Some(format!("`{path}` looks for files by itself, and builds hold a part of them"));
                }
            }
            let unmet = match script::node_entry(&simple.words).map(|at| simple.words[at].as_str()) {
                Some(file) => (!self.is_file(file)?).then(|| format!("`{file}` is not in the repository")),
                None => match words.first().copied().unwrap_or_default() {
                    "node" => None,
                    program if OF_THE_SYSTEM.contains(&program) => None,
                    program if program.contains('/') => {
                        (!self.is_file(program)?).then(|| format!("`{program}` is not in the repository"))
                    }
                    program => (!bins.is_some_and(|bins| bins.contains(program)))
                        .then(|| format!("no dependency is known to bring `{program}`")),
                },
            };
            if needs.unmet.is_none() {
                needs.unmet = unmet;
            }
        }
        Ok(())
    }

    /// Whether a script finds out which files there are.
    fn looks_around(&self, path: &WorkspacePath) -> Result<bool, PlanError> {
        if ![".js", ".cjs", ".mjs"].iter().any(|ending| path.as_str().ends_with(ending)) {
            return Ok(false);
        }
        let Some(bytes) = self.workspace.tree.read(path)? else { return Ok(false) };
        let text = String::from_utf8_lossy(&bytes);
        Ok(LOOKS.iter().any(|word| text.contains(word)))
    }

    fn is_file(&self, name: &str) -> Result<bool, PlanError> {
        let Ok(path) = WorkspacePath::new(name) else { return Ok(false) };
        Ok(matches!(self.workspace.tree.kind(&path)?, Some(EntryKind::File { .. })))
    }
}

/// The script of the root that a command runs.
fn called(part: &str) -> Option<&str> {
    let mut words = part.split_whitespace();
    match (words.next()?, words.next()?, words.next(), words.next()) {
        ("npm" | "pnpm" | "yarn" | "bun", "run" | "run-script", Some(name), None) => Some(name),
        _ => None,
    }
}

/// Whether a script is called after making sources.
fn generates(name: &str) -> bool {
    name.split([':', '-', '_', '.']).any(|part| matches!(part, "generate" | "codegen" | "gen" | "generated"))
}

/// `npm run a` and `npm run b`.
fn shown(scripts: &[String]) -> String {
    scripts.iter().map(|script| format!("`{script}`")).collect::<Vec<_>>().join(", ")
}
