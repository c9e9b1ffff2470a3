//! Stages that build a package.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::{Fix, Snippet, Warning};
use drydock_lockfile::{PackageName, PrunedInstall, WorkspacePath};
use drydock_workspace::inspect::{ForeignRead, Place};
use drydock_workspace::{EdgeKind, PackageManager, Workspace};
use indexmap::IndexMap;

use crate::context::{cover, outermost};
use crate::error::PlanError;
use crate::lifecycle;
use crate::members::{Member, key_part};
use crate::model::{BuildStage, Stage, StageCopy, StageId, StageKind};
use crate::plan::Planner;
use crate::root_scripts::RootScripts;

impl Planner<'_> {
    /// The stage that builds `member`, beginning with the install stage `from`.
    pub(crate) fn build(
        &mut self,
        member: Member,
        from: &StageId,
        install: &PrunedInstall,
        root_scripts: &RootScripts,
    ) -> Result<Stage, PlanError> {
        let work = self.work(member, from, install, root_scripts)?;
        let outputs = self.facts[&member].outputs.as_ref().expect("what is built has outputs");
        let mut trim: Vec<WorkspacePath> = outputs.excluded.clone();
        if outputs.whole_package {
            trim.extend(own_modules(&work.directory, self.workspace.manager, install));
        }
        let script = self.members.build_script(member).expect("only what has a build script gets a build stage");
        let command = lifecycle::run(self.workspace.manager, script);
        let stage = BuildStage { command, outputs: self.outputs(member), trim, ..work };
        Ok(Stage { id: self.build_ids[&member].clone(), kind: StageKind::Build(stage), comment: None })
    }

    /// What precedes any command in the folder of `member`: its files and those it reads. The command is left open.
    pub(crate) fn work(
        &mut self,
        member: Member,
        from: &StageId,
        install: &PrunedInstall,
        root_scripts: &RootScripts,
    ) -> Result<BuildStage, PlanError> {
        let package = self.members.package(member);
        let settings = self.members.settings(member);
        let inputs: Vec<Member> = self.in_build_order(&self.members.inputs(member));
        let mut copies = Vec::new();
        let mut reads: BTreeSet<WorkspacePath> = BTreeSet::new();
        let mut before = Vec::new();
        for input in &inputs {
            self.input(*input, &mut copies, &mut reads);
            if !self.members.is_built(*input) {
                before.extend(self.lifecycle_of(*input));
            }
        }
        // What cannot be built before, because it needs this package, is there as a checkout has it where the install links
        // it: enough for tests that a compiler reads.
        let is_linked = |other: &Member| install.members.contains(self.members.path(*other));
        for other in self.members.cut(member).filter(is_linked).collect::<Vec<_>>() {
            reads.extend(self.all_files(other));
        }
        before.extend(self.lifecycle_of(member));
        before.extend(root_scripts.steps.iter().cloned());
        reads.extend(root_scripts.files.iter().cloned());
        self.elsewhere(member, &mut reads)?;
        // What another build hands on comes from there.
        reads.retain(|path| !copies.iter().flat_map(|copy| &copy.paths).any(|copied| path.is_within(copied)));
        self.warn_of_undeclared(member);
        // What lies in its own folder comes with its sources, except what belongs to members inside that folder.
        let root_files = outermost(reads).into_iter().filter(|path| !self.is_own(member, path)).collect();
        let sources = self.all_files(member);
        let executables = install
            .chmod_bins
            .iter()
            .filter(|bin| {
                let Some(holder) = self.members.holding(bin) else { return false };
                // What another build hands on was made executable there.
                let comes = holder == member || (inputs.contains(&holder) && !self.facts[&holder].writes(bin));
                comes && self.facts[&holder].has_file(bin)
            })
            .cloned()
            .collect();
        let mut env: IndexMap<String, String> = self.settings.env.clone();
        env.extend(settings.into_iter().flat_map(|settings| settings.env.clone()));
        Ok(BuildStage {
            from: from.clone(),
            package: package.name.clone(),
            directory: package.path.clone(),
            root_files,
            sources,
            inputs: copies,
            executables,
            before,
            command: Vec::new(),
            env,
            args: settings.map(|settings| settings.args.clone()).unwrap_or_default(),
            secrets: settings.map(|settings| settings.secrets.clone()).unwrap_or_default(),
            outputs: Vec::new(),
            trim: Vec::new(),
        })
    }

    /// Adds what a build sees of a package it depends on.
    fn input(&mut self, input: Member, copies: &mut Vec<StageCopy>, reads: &mut BTreeSet<WorkspacePath>) {
        let facts = &self.facts[&input];
        let Some(outputs) = &facts.outputs else {
            reads.extend(self.all_files(input));
            return;
        };
        copies.push(StageCopy { stage: self.build_ids[&input].clone(), paths: self.outputs(input) });
        if outputs.whole_package {
            return;
        }
        // Whoever resolves an import of it reads its real manifest.
        for path in &facts.handed_on {
            if reads.insert(path.clone()) {
                self.context.add_files(facts.files_within(path));
            }
        }
    }

    /// What the build of a package writes, or its whole folder.
    pub(crate) fn outputs(&self, member: Member) -> Vec<WorkspacePath> {
        match &self.facts[&member].outputs {
            // A whole package is among its paths, beside what its build writes elsewhere.
            Some(outputs) => outermost(outputs.paths.iter().map(|output| output.path.clone())),
            None => vec![self.members.path(member).clone()],
        }
    }

    /// All planned files of a package, as few paths, put into the context.
    pub(crate) fn all_files(&mut self, member: Member) -> Vec<WorkspacePath> {
        let facts = &self.facts[&member];
        self.context.add_files(&facts.files);
        let files: Vec<&WorkspacePath> = facts.files.iter().map(|file| &file.path).collect();
        cover(self.members.path(member), &files, &self.members.nested_in(member))
    }

    fn is_own(&self, member: Member, path: &WorkspacePath) -> bool {
        self.members.holding(path) == Some(member) && self.facts[&member].files_within(path).next().is_some()
    }

    pub(crate) fn lifecycle_of(&self, member: Member) -> Vec<lifecycle::Step> {
        let policy = self.members.settings(member).and_then(|settings| settings.lifecycle);
        lifecycle::before_build(self.members.package(member), self.workspace.manager, policy)
    }

    /// Adds what the build of `member` reads outside its folder: by the settings, by its configuration files.
    pub(crate) fn elsewhere(&mut self, member: Member, reads: &mut BTreeSet<WorkspacePath>) -> Result<(), PlanError> {
        reads.extend(self.context.add_root_files(self.settings, self.members.name(member))?);
        let configured = self.members.settings(member).map(|settings| &settings.root_files);
        let found = self.facts[&member].reads.clone();
        self.warnings.extend(found.warnings);
        for read in found.root_files {
            if self.context.add_path(&read.path)? {
                reads.insert(read.path);
            }
        }
        let mut unsaid: BTreeMap<PackageName, Vec<ForeignRead>> = BTreeMap::new();
        for foreign in found.foreign_files {
            if !self.context.add_path(&foreign.read.path)? {
                continue;
            }
            reads.insert(foreign.read.path.clone());
            let said = configured.into_iter().flatten().any(|path| foreign.read.path.is_within(path));
            if !said {
                unsaid.entry(foreign.package.clone()).or_default().push(foreign);
            }
        }
        for (package, reads) in unsaid {
            let warning = self.foreign(member, &package, &reads)?;
            self.warnings.push(warning);
        }
        Ok(())
    }

    /// Says that the build of `member` reads files of another package that no manifest mentions.
    fn foreign(&self, member: Member, package: &PackageName, reads: &[ForeignRead]) -> Result<Warning, PlanError> {
        let name = self.members.name(member);
        let paths: BTreeSet<&WorkspacePath> = reads.iter().map(|foreign| &foreign.read.path).collect();
        let shown: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        let readers: BTreeSet<String> = reads.iter().map(|foreign| place(&foreign.read.read_by)).collect();
        let message = format!(
            "the build of `{name}` reads {} of the package `{package}` ({})",
            shown.join(", "),
            Vec::from_iter(readers).join(", ")
        );
        let outermost = outermost(paths.into_iter().cloned());
        let listed: Vec<String> = outermost.iter().map(|path| format!("{path:?}")).collect();
        let help = format!(
            "it gets them; to make that part of the configuration, write `root-files = [{}]` under `[package.{}]`, or \
             export them from `{package}`",
            listed.join(", "),
            key_part(name.as_str())
        );
        let fix = Fix {
            keys: vec!["package".to_owned(), name.to_string(), "root-files".to_owned()],
            values: outermost.iter().map(ToString::to_string).collect(),
        };
        let mut warning = Warning::new("foreign-file", message).with_help(help).with_fix(fix);
        for foreign in reads {
            let by = &foreign.read.read_by;
            let Some(line) = by.line else { continue };
            let snippet = line_snippet(self.workspace, &by.file, line, &foreign.read.why)?;
            if let Some(snippet) = snippet.filter(|snippet| !warning.snippets.contains(snippet)) {
                warning = warning.with_snippet(snippet);
            }
        }
        Ok(warning)
    }

    /// Warns of what runs in an image though it is declared for development alone.
    pub(crate) fn warn_of_loaded(&mut self, member: Member) -> Result<(), PlanError> {
        let package = self.members.package(member);
        for (_, import) in self.members.loaded(member) {
            let (name, to) = (&package.name, &import.to);
            let message =
                format!("`{name}` imports `{to}` when it runs, which its package.json declares for development");
            let help = format!(
                "it is taken along; to declare that, move `{to}` from `devDependencies` to `dependencies` in {} and run \
                 `{} install`",
                package.manifest.path(),
                self.workspace.manager.command()
            );
            let warning = Warning::new("import-for-development", message).with_help(help);
            let shown = match import.place.line {
                Some(line) => line_snippet(self.workspace, &import.place.file, line, "")?,
                None => None,
            };
            self.warnings.push(match shown {
                Some(snippet) => warning.with_snippet(snippet),
                None => warning,
            });
        }
        Ok(())
    }

    fn warn_of_undeclared(&mut self, member: Member) {
        let name = self.members.name(member);
        for to in self.members.cut(member) {
            let to = self.members.name(to);
            let message = format!(
                "`{name}` and `{to}` need each other; `{name}` needs `{to}` for development, and is built before it"
            );
            let help = "if that build fails, move what both need into a package of its own";
            self.warnings.push(Warning::new("development-circle", message).with_help(help));
        }
        for edge in self.members.edges(member).iter().filter(|edge| edge.edge.kind == EdgeKind::Imported) {
            let to = self.members.name(edge.to);
            let warning = Warning::new(
                "undeclared-dependency",
                format!("`{name}` imports `{to}`, which its package.json does not declare: {}", edge.edge.spec),
            );
            let help = format!("add `{to}` to the dependencies of `{name}`, and run `npm install`");
            self.warnings.push(warning.with_help(help));
        }
    }
}

/// The package's own `node_modules`, when an install puts something there.
pub(crate) fn own_modules(
    path: &WorkspacePath,
    manager: PackageManager,
    install: &PrunedInstall,
) -> Option<WorkspacePath> {
    let modules = path.join("node_modules").expect("a name stays inside");
    let prefix = format!("{}/", modules.as_str());
    // Only npm's lockfile tells where packages are put.
    let places = manager != PackageManager::Npm
        || path.is_root()
        || install.entries.range(prefix.clone()..).next().is_some_and(|entry| entry.starts_with(&prefix));
    places.then_some(modules)
}

fn place(place: &Place) -> String {
    place.line.map_or_else(|| place.file.to_string(), |line| format!("{}:{line}", place.file))
}

/// The 1-based `line` of a file, its blanks at both ends left out; `None` where there is none.
pub(crate) fn line_snippet(
    workspace: &Workspace,
    file: &WorkspacePath,
    line: usize,
    label: &str,
) -> Result<Option<Snippet>, PlanError> {
    let Some(bytes) = workspace.tree.read(file)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number + 1 == line {
            let trimmed = content.trim();
            let start = start + (content.len() - content.trim_start().len());
            let span = start..start + trimmed.len();
            let (path, label) = (file.to_string(), label.to_owned());
            return Ok(Some(Snippet { path, source: text.as_ref().into(), span, label }));
        }
        start += content.len();
    }
    Ok(None)
}
