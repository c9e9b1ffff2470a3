//! Stages that are images.

use std::collections::BTreeSet;

use drydock_diagnostics::Warning;
use drydock_lockfile::{Lifecycle, PackageName, PrunedInstall, WorkspacePath};
use drydock_workspace::PackageManager;
use indexmap::IndexMap;
use serde_json::Value;

use crate::bases::{INIT, has_bash, has_init};
use crate::context::{cover, outermost};
use crate::copies::Copies;
use crate::declared::{Reader, declared};
use crate::error::PlanError;
use crate::kept::kept;
use crate::launch::Launch;
use crate::lifecycle;
use crate::members::{Member, key_part};
use crate::model::{
    CopySource, Decision, ImagePath, ImageRef, RuntimeCopy, RuntimeStage, Stage, StageId, StageKind, TargetKind,
    TargetName,
};
use crate::node::Images;
use crate::plan::{Planner, Production, ROOT, tools};
use crate::plug_and_play;
use crate::script::{self, Script};
use crate::targets::FoundTarget;

/// Found by the loader of glibc and of musl without a folder, which differs from processor to processor.
const JEMALLOC_LIBRARY: &str = "libjemalloc.so.2";

/// Who runs services: every image of Node has this user.
pub(crate) const USER: &str = "node";

/// Who runs services in distroless images: the user that these call `nonroot`, with its group.
const DISTROLESS_USER: &str = "65532:65532";

/// Where distroless images have Node.
const DISTROLESS_NODE: &str = "/nodejs/bin/node";

impl Planner<'_> {
    /// The image of a service.
    pub(crate) fn runtime(
        &mut self,
        name: &TargetName,
        target: &FoundTarget,
        production: &Production<'_>,
    ) -> Result<Vec<Stage>, PlanError> {
        let own = self.members.find(target.package.as_str()).expect("targets are members");
        let launch = target.launch.clone().expect("a service has a command");
        let configured = self.settings.targets.get(name).cloned().unwrap_or_default();
        let running = self.in_build_order(&self.members.running([own]));
        let mut copies = Copies::default();
        // An install that brought tools to compile or fetch with is not what an image begins with.
        let apart = !tools(production.install).is_empty() || production.prepared.is_some();
        if apart {
            copies.add(CopySource::Stage(production.id.clone()), [WorkspacePath::root()]);
        }
        self.manifests(&running, &mut copies);
        self.warnings.extend(target.warnings.iter().cloned());
        for member in &running {
            self.warn_of_loaded(*member)?;
        }
        for member in running.iter().filter(|member| **member != own) {
            self.running_dependency(*member, &mut copies);
        }
        for asset in &target.assets {
            let asset = self.members.find(asset.as_str()).expect("assets were looked up with their target");
            self.asset(asset, &mut copies);
        }
        for path in &configured.files {
            self.configured_file(name, path, &mut copies)?;
        }
        self.own_files(name, own, &launch, &mut copies);
        let asks_for_bins = launch.through_path
            || running.iter().any(|member| lifecycle::for_production(self.members.package(*member)).next().is_some());
        let bins = if asks_for_bins { bins(self.workspace.manager, production.install) } else { None };
        self.check_command(name, own, &launch, bins.as_ref());
        let mut env = IndexMap::new();
        if let Some(options) = plug_and_play::node_options(self.workspace)? {
            env.insert("NODE_OPTIONS".to_owned(), options);
        }
        let env = self.environment(name, target, production.images, env);
        let from = if apart { production.base } else { production.id }.clone();
        let mut stage = self.runtime_stage(name, target, production.images, from, copies.finish(), env);
        stage.path = if launch.through_path { self.command_folders(own) } else { Vec::new() };
        stage.setup = self.setup(name, &running, bins.as_ref());
        stage.setup.extend(self.make_executable(&launch, &running, production.install));
        self.finished(stage, production.id, production.prepared, production.images)
    }

    /// The environment of a target's image, with `first` among it.
    pub(crate) fn environment(
        &self,
        name: &TargetName,
        target: &FoundTarget,
        images: &Images,
        first: IndexMap<String, String>,
    ) -> IndexMap<String, String> {
        let configured = self.settings.targets.get(name).cloned().unwrap_or_default();
        let mut env = IndexMap::from([("NODE_ENV".to_owned(), "production".to_owned())]);
        env.extend(first);
        env.extend(target.env.clone());
        if let Some(options) = &configured.node_options {
            // Beside those without which nothing is found.
            let before = env.get("NODE_OPTIONS").map(|options| format!("{options} ")).unwrap_or_default();
            env.insert("NODE_OPTIONS".to_owned(), format!("{before}{options}"));
        }
        let program = target.launch.as_ref().and_then(|launch| launch.command.first());
        if matches!(program.map(String::as_str), Some("npm" | "pnpm")) {
            // It would ask the registry, at the latest when it ends.
            env.insert("npm_config_update_notifier".to_owned(), "false".to_owned());
            if has_bash(&images.of(self.settings, name)) {
                // Debian's sh stays between npm and what it runs, and keeps signals to itself; bash gives its place to the
                // last command.
                env.insert("npm_config_script_shell".to_owned(), "/bin/bash".to_owned());
            }
        }
        if configured.jemalloc {
            env.insert("LD_PRELOAD".to_owned(), JEMALLOC_LIBRARY.to_owned());
        }
        env.extend(configured.env);
        env
    }

    /// The image of a target that begins with `from` and holds `copies`, with nothing set up in it.
    pub(crate) fn runtime_stage(
        &mut self,
        name: &TargetName,
        target: &FoundTarget,
        images: &Images,
        from: StageId,
        copies: Vec<RuntimeCopy>,
        env: IndexMap<String, String>,
    ) -> RuntimeStage {
        let launch = target.launch.clone().expect("what runs has a command");
        let configured = self.settings.targets.get(name).cloned().unwrap_or_default();
        let words = launch.command.clone();
        let (mut entrypoint, mut command) = (self.entrypoint(name, images), launch.command);
        if target.kind == TargetKind::Cli {
            // Whatever folder it is started in, and with the arguments of `docker run`.
            let absolute = |(index, word): (usize, String)| match &launch.entry {
                Some(entry) if script::node_entry(&words) == Some(index) => format!("{ROOT}/{}", entry.as_str()),
                _ => word,
            };
            entrypoint.extend(std::mem::take(&mut command).into_iter().enumerate().map(absolute));
        }
        let mut writable = configured.writable;
        let (made, rewritten) = launch.server.map(|server| (server.writable, server.rewritten)).unwrap_or_default();
        for folder in made {
            if !writable.contains(&folder) {
                writable.push(folder);
            }
        }
        let copies = owned(copies, &rewritten);
        RuntimeStage {
            from,
            target: name.clone(),
            copies,
            setup: Vec::new(),
            writable,
            workdir: launch.workdir,
            env,
            path: Vec::new(),
            args: configured.args,
            user: USER.to_owned(),
            port: target.port,
            entrypoint,
            command,
            healthcheck: configured.healthcheck,
            gate: self.gate_ids.get(name).cloned(),
        }
    }

    /// The stages of an image: itself and, where it has no shell, the one that does what needs a shell and begins with
    /// `from`.
    pub(crate) fn finished(
        &self,
        mut stage: RuntimeStage,
        from: &StageId,
        prepared: Option<&StageId>,
        images: &Images,
    ) -> Result<Vec<Stage>, PlanError> {
        let mut stages = Vec::new();
        if let Some(prepared) = prepared {
            let image = images.of(self.settings, &stage.target);
            without_shell(&mut stage, &image)?;
            if !(stage.setup.is_empty() && stage.writable.is_empty()) {
                let first = prepare(&mut stage, from, prepared);
                stages.push(Stage { id: prepared.clone(), kind: StageKind::Runtime(first), comment: None });
            }
        }
        stages.push(Stage { id: StageId::new(stage.target.as_str()), kind: StageKind::Runtime(stage), comment: None });
        Ok(stages)
    }

    /// What an image begins its command with. Linux gives no first process the signals that it has no handler for, so
    /// Node as the first process of a service without handlers would have to be killed; nor does Node collect the
    /// processes that its children leave behind. An init does both.
    fn entrypoint(&mut self, name: &TargetName, images: &Images) -> Vec<String> {
        let init = has_init(self.settings, name, images);
        let (choice, because) = if init {
            (INIT, "signals reach what it runs, with or without a handler, and a container stops at once")
        } else {
            let asked = self.settings.targets.get(name).and_then(|target| target.init).or(self.settings.init);
            let because = match asked {
                Some(_) => "the configuration says so",
                None => "it is not known whether the image has a package of one; `init = true` says so",
            };
            ("none", because)
        };
        self.decisions.push(Decision {
            subject: format!("target {name}: init"),
            choice: choice.to_owned(),
            because: because.to_owned(),
        });
        if init { vec![INIT.to_owned(), "--".to_owned()] } else { Vec::new() }
    }

    /// What runs in an image or is served from it, by name.
    pub(crate) fn packages_of(&self, target: &FoundTarget) -> BTreeSet<PackageName> {
        let own = self.members.find(target.package.as_str()).expect("targets are members");
        let mut packages = match target.kind {
            TargetKind::Service | TargetKind::Cli => self.members.names(&self.members.running([own])),
            TargetKind::Static | TargetKind::Dev | TargetKind::Check => BTreeSet::from([target.package.clone()]),
        };
        packages.extend(target.assets.iter().cloned());
        packages
    }

    /// The real manifests, over the masked ones of the install: `type`, `exports` and `imports` count when code runs.
    fn manifests(&mut self, running: &[Member], copies: &mut Copies) {
        let root = self.workspace.root.manifest.path();
        let whole =
            |member: &&Member| self.facts[*member].outputs.as_ref().is_some_and(|outputs| outputs.whole_package);
        let apart = running.iter().filter(|member| !whole(member));
        let manifests = apart.map(|member| self.members.package(*member).manifest.path());
        let paths: BTreeSet<WorkspacePath> = std::iter::once(root).chain(manifests).cloned().collect();
        for path in &paths {
            self.context.add_manifest(path);
        }
        copies.add(CopySource::Context, paths);
    }

    fn running_dependency(&mut self, member: Member, copies: &mut Copies) {
        let outputs = self.facts[&member].outputs.as_ref().map(|outputs| outputs.whole_package);
        match outputs {
            None => {
                let paths = self.all_files(member);
                copies.add(CopySource::Context, paths);
            }
            Some(whole) => {
                if !whole {
                    let facts = &self.facts[&member];
                    let files = declared(self.members.package(member), facts, Reader::Runtime);
                    for path in &files {
                        self.context.add_files(facts.files_within(path));
                    }
                    copies.add(CopySource::Context, files);
                }
                copies.add(CopySource::Stage(self.build_ids[&member].clone()), self.outputs(member));
            }
        }
    }

    pub(crate) fn asset(&mut self, member: Member, copies: &mut Copies) {
        if let Some(id) = self.build_ids.get(&member) {
            copies.add(CopySource::Stage(id.clone()), self.outputs(member));
        } else {
            let paths = self.all_files(member);
            copies.add(CopySource::Context, paths);
        }
    }

    /// A file that the settings put into an image: from the tree, or from the build that writes it.
    pub(crate) fn configured_file(
        &mut self,
        name: &TargetName,
        path: &WorkspacePath,
        copies: &mut Copies,
    ) -> Result<(), PlanError> {
        let written = self.members.holding(path).filter(|member| {
            self.facts.get(*member).is_some_and(|facts| facts.writes(path)) && self.builds.contains(member)
        });
        if let Some(member) = written {
            copies.add(CopySource::Stage(self.build_ids[&member].clone()), [path.clone()]);
            return Ok(());
        }
        self.context.add_configured(path, || format!("target.{}.files", key_part(name.as_str())))?;
        if path.is_root() {
            let found = self.context.look_up(path)?;
            let files: Vec<&WorkspacePath> = found.files.iter().map(|file| &file.path).collect();
            copies.add(CopySource::Context, cover(path, &files, &[]));
        } else {
            copies.add(CopySource::Context, [path.clone()]);
        }
        Ok(())
    }

    /// The files of the package whose image it is.
    fn own_files(&mut self, name: &TargetName, own: Member, launch: &Launch, copies: &mut Copies) {
        let Some(outputs) = self.facts[&own].outputs.clone() else {
            self.check_unbuilt(name, own, launch);
            let paths = self.all_files(own);
            copies.add(CopySource::Context, paths);
            return;
        };
        let build = CopySource::Stage(self.build_ids[&own].clone());
        if outputs.whole_package {
            copies.add(build, self.outputs(own));
            self.decisions.push(Decision {
                subject: format!("target {name}: files"),
                choice: "the whole folder".to_owned(),
                because: format!("nothing tells what the build of `{}` writes", self.members.name(own)),
            });
            return;
        }
        let mut written = self.outputs(own);
        let package = self.members.package(own);
        let facts = &self.facts[&own];
        let entry = launch.entry.as_ref().filter(|entry| self.members.holding(entry) == Some(own));
        if let Some(source) = entry.and_then(|entry| in_tree(facts, entry)).filter(|path| !facts.writes(path)) {
            let decision = Decision {
                subject: format!("target {name}: files"),
                choice: "all of its files".to_owned(),
                because: format!("its command runs `{source}`, which no build writes"),
            };
            let paths = self.all_files(own);
            copies.add(CopySource::Context, paths);
            copies.add(build, written);
            self.decisions.push(decision);
            return;
        }
        if let Some(entry) = entry.filter(|entry| !facts.writes(entry)) {
            let guessed =
                entry.strip_prefix(&package.path).and_then(|inside| package.path.join(inside.split('/').next()?).ok());
            let known: Vec<String> = written.iter().map(|path| format!("`{path}`")).collect();
            let warning = Warning::new(
                "command-file-unknown",
                format!(
                    "the command of `{name}` runs `{entry}`, which is neither in the tree nor in what the build of `{}` \
                     is known to write ({})",
                    package.name,
                    known.join(", ")
                ),
            )
            .with_help(format!("write `outputs` under `[package.{}]`", key_part(package.name.as_str())));
            self.warnings.push(warning);
            written.extend(guessed);
            written = outermost(written);
        }
        let files = self.beside_sources(own, launch);
        let facts = &self.facts[&own];
        for path in &files {
            self.context.add_files(facts.files_within(path));
        }
        self.tell_left_out(name, own, &files);
        copies.add(CopySource::Context, files);
        copies.add(build, written);
    }

    /// Warns of a command that runs a file which is not in the tree although nothing is built.
    fn check_unbuilt(&mut self, name: &TargetName, own: Member, launch: &Launch) {
        let facts = &self.facts[&own];
        let is_missing = |entry: &&WorkspacePath| {
            self.members.holding(entry) == Some(own)
                && in_tree(facts, entry).is_none()
                && facts.files_within(entry).next().is_none()
        };
        let Some(entry) = launch.entry.as_ref().filter(is_missing) else { return };
        let package = self.members.name(own);
        let warning = Warning::new(
            "command-file-missing",
            format!("the command of `{name}` runs `{entry}`, which is not in the tree, and `{package}` has no build"),
        );
        let help =
            format!("name the script that writes it: `build = \"…\"` under `[package.{}]`", key_part(package.as_str()));
        self.warnings.push(warning.with_help(help));
    }

    /// Files of a built package that are read when it runs, though no build writes them.
    fn beside_sources(&self, own: Member, launch: &Launch) -> Vec<WorkspacePath> {
        let package = self.members.package(own);
        let facts = &self.facts[&own];
        let mut files: BTreeSet<WorkspacePath> = declared(package, facts, Reader::Own).into_iter().collect();
        files.extend(kept(&package.path, facts));
        for word in &launch.command {
            let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
            let Ok(path) = launch.workdir.join(value) else { continue };
            if path != package.path && path.is_within(&package.path) && facts.files_within(&path).next().is_some() {
                files.insert(path);
            }
        }
        outermost(files.into_iter().filter(|path| !facts.writes(path)))
    }

    /// Says which of a package's folders and files its image does without.
    fn tell_left_out(&mut self, name: &TargetName, own: Member, taken: &[WorkspacePath]) {
        let package = self.members.package(own);
        let facts = &self.facts[&own];
        let left_out: BTreeSet<&str> = facts
            .files
            .iter()
            .filter(|file| file.path != *package.manifest.path())
            .filter(|file| !taken.iter().any(|path| file.path.is_within(path)))
            .filter_map(|file| file.path.strip_prefix(&package.path)?.split('/').next())
            .collect();
        if left_out.is_empty() {
            return;
        }
        let outputs: Vec<&str> = self.facts[&own]
            .outputs
            .iter()
            .flat_map(|outputs| &outputs.paths)
            .map(|output| output.path.as_str())
            .collect();
        let left_out: Vec<&str> = left_out.into_iter().collect();
        self.decisions.push(Decision {
            subject: format!("target {name}: files"),
            choice: format!("without {}", left_out.join(", ")),
            because: format!(
                "its build writes {}; these are sources, tests, tools' settings or texts",
                outputs.join(", ")
            ),
        });
    }

    /// Warns of a command that the image would not find.
    fn check_command(&mut self, name: &TargetName, own: Member, launch: &Launch, bins: Option<&BTreeSet<String>>) {
        let program = &launch.command[0];
        let known = bins.is_none_or(|bins| bins.contains(program));
        let members_bin = self
            .members
            .running([own])
            .into_iter()
            .any(|member| self.members.package(member).manifest.bin().iter().any(|(bin, _)| bin == program));
        if launch.through_path && !known && !members_bin && !SYSTEM_COMMANDS.contains(&program.as_str()) {
            let warning = Warning::new(
                "command-not-installed",
                format!(
                    "`{name}` runs `{program}`, which no production dependency of `{}` brings",
                    self.members.name(own)
                ),
            );
            let help = format!(
                "move the package that brings `{program}` from devDependencies to dependencies, and run `npm install`"
            );
            self.warnings.push(warning.with_help(help));
        }
    }

    /// The scripts of running packages that an install for production would have run, where the image can run them.
    fn setup(
        &mut self,
        name: &TargetName,
        running: &[Member],
        bins: Option<&BTreeSet<String>>,
    ) -> Vec<lifecycle::Step> {
        let mut steps = Vec::new();
        for member in running {
            let package = self.members.package(*member);
            let policy = self.members.settings(*member).and_then(|settings| settings.lifecycle);
            for (script, text) in lifecycle::for_production(package) {
                let program = match script::parse(text) {
                    Script::Simple(simple) => simple.words.into_iter().find(|word| word != "npx"),
                    Script::Shell(_) => None,
                };
                let installed = program.is_some_and(|program| bins.is_some_and(|bins| bins.contains(&program)));
                let runs = match policy {
                    Some(Lifecycle::Deferred) => true,
                    Some(Lifecycle::Early | Lifecycle::Skip) => false,
                    None => installed,
                };
                if runs {
                    steps.push((package.path.clone(), lifecycle::run(self.workspace.manager, script)));
                } else if policy.is_none() {
                    self.decisions.push(Decision {
                        subject: format!("target {name}: script {script} of {}", package.name),
                        choice: "not run".to_owned(),
                        because: format!("no production dependency brings what `{text}` runs"),
                    });
                }
            }
        }
        steps
    }

    /// Makes the file of a member executable that the command runs through a link, where the tree's file is not.
    fn make_executable(
        &self,
        launch: &Launch,
        running: &[Member],
        production: &PrunedInstall,
    ) -> Option<lifecycle::Step> {
        let files = running.iter().flat_map(|member| {
            let package = self.members.package(*member);
            let bins =
                package.manifest.bin().into_iter().filter(|(bin, _)| launch.through_path && *bin == launch.command[0]);
            bins.filter_map(|(_, file)| package.path.join(file).ok()).collect::<Vec<_>>()
        });
        let file = files.into_iter().find(|file| production.chmod_bins.contains(file))?;
        Some((WorkspacePath::root(), ["chmod", "+x", file.as_str()].map(str::to_owned).to_vec()))
    }

    /// Where the commands that dependencies bring are linked.
    pub(crate) fn command_folders(&self, own: Member) -> Vec<ImagePath> {
        let path = self.members.path(own);
        let mut folders = Vec::new();
        if !path.is_root() {
            folders.push(ImagePath::new(&format!("{ROOT}/{}/node_modules/.bin", path.as_str())));
        }
        folders.push(ImagePath::new(&format!("{ROOT}/node_modules/.bin")));
        folders
    }
}

/// Makes a stage fit an image that has Node and no shell: Node is called by its place, and nothing else can be called.
fn without_shell(stage: &mut RuntimeStage, image: &ImageRef) -> Result<(), PlanError> {
    // The arguments of a command are what the container is started with.
    let is_whole = stage.command.is_empty();
    let mut words = std::mem::take(&mut stage.entrypoint).into_iter().chain(std::mem::take(&mut stage.command));
    let mut entrypoint: Vec<String> = Vec::new();
    let mut program = words.next();
    if program.as_deref() == Some(INIT) {
        entrypoint.extend([INIT.to_owned(), "--".to_owned()]);
        program = words.nth(1);
    }
    let program = program.unwrap_or_default();
    if program != "node" {
        let what = match program.as_str() {
            "npm" | "pnpm" | "yarn" | "bun" | "npx" => format!("`{program}` to run its script"),
            _ => format!("shell or `env` to run `{program}`"),
        };
        let help = format!(
            "call the file with Node: `command = [\"node\", \"…\"]` under `[target.{}]`, or take another base",
            stage.target
        );
        return Err(PlanError::Distroless { target: stage.target.clone(), image: image.clone(), what, help });
    }
    entrypoint.push(DISTROLESS_NODE.to_owned());
    if is_whole {
        entrypoint.extend(words);
    } else {
        stage.command = words.collect();
    }
    stage.entrypoint = entrypoint;
    // So that what the service starts and what asks for its health find it.
    stage.path.insert(0, ImagePath::new(DISTROLESS_NODE.trim_end_matches("/node")));
    DISTROLESS_USER.clone_into(&mut stage.user);
    Ok(())
}

/// The same copies, of which those that bring anything of the folders `rewritten` are the user's.
fn owned(copies: Vec<RuntimeCopy>, rewritten: &[WorkspacePath]) -> Vec<RuntimeCopy> {
    let mut all: Vec<RuntimeCopy> = Vec::new();
    for copy in copies {
        let first = all.len();
        for path in copy.paths {
            let place = copy.to.as_ref().unwrap_or(&path);
            let owned = rewritten.iter().any(|folder| folder.is_within(place) || place.is_within(folder));
            match all[first..].last_mut().filter(|last| last.owned == owned) {
                Some(last) => last.paths.push(path),
                None => {
                    all.push(RuntimeCopy {
                        source: copy.source.clone(),
                        paths: vec![path],
                        to: copy.to.clone(),
                        owned,
                    });
                }
            }
        }
    }
    all
}

/// Takes what needs a shell out of a stage, into one of its own that begins with the install `from`; what that comes to
/// is copied as a whole.
fn prepare(stage: &mut RuntimeStage, from: &StageId, prepared: &StageId) -> RuntimeStage {
    let whole = RuntimeCopy {
        source: CopySource::Stage(prepared.clone()),
        paths: vec![WorkspacePath::root()],
        to: None,
        owned: false,
    };
    let installed = CopySource::Stage(from.clone());
    let copies = std::mem::replace(&mut stage.copies, vec![whole]);
    RuntimeStage {
        from: from.clone(),
        // It begins with these.
        copies: copies.into_iter().filter(|copy| copy.source != installed).collect(),
        setup: std::mem::take(&mut stage.setup),
        writable: std::mem::take(&mut stage.writable),
        workdir: WorkspacePath::root(),
        env: stage.env.clone(),
        path: Vec::new(),
        args: IndexMap::new(),
        port: None,
        entrypoint: Vec::new(),
        command: Vec::new(),
        healthcheck: None,
        gate: None,
        target: stage.target.clone(),
        user: stage.user.clone(),
    }
}

/// Commands that images have without any dependency.
const SYSTEM_COMMANDS: [&str; 12] =
    ["node", "npm", "npx", "yarn", "pnpm", "bun", "sh", "bash", "tini", "env", "corepack", "python3"];

/// The file of the tree that Node runs for `entry`: itself, or what its resolution adds.
fn in_tree(facts: &crate::facts::Facts, entry: &WorkspacePath) -> Option<WorkspacePath> {
    let candidates = ["", ".js", ".cjs", ".mjs", ".json"].map(|extension| format!("{}{extension}", entry.as_str()));
    candidates
        .into_iter()
        .filter_map(|path| WorkspacePath::new(&path).ok())
        .chain(entry.join("index.js"))
        .find(|path| facts.has_file(path))
}

/// The commands that an install links. `None` when its lockfile does not tell.
pub(crate) fn bins(manager: PackageManager, install: &PrunedInstall) -> Option<BTreeSet<String>> {
    if manager != PackageManager::Npm {
        return None;
    }
    let lock =
        install.files.iter().find(|(path, _)| matches!(path.as_str(), "package-lock.json" | "npm-shrinkwrap.json"))?;
    let lock: Value = serde_json::from_slice(&lock.1.bytes).ok()?;
    let mut bins = BTreeSet::new();
    for (place, entry) in lock.get("packages")?.as_object()? {
        match entry.get("bin") {
            Some(Value::Object(commands)) => bins.extend(commands.keys().cloned()),
            Some(Value::String(_)) => bins.extend(place.rsplit('/').next().map(str::to_owned)),
            _ => {}
        }
    }
    Some(bins)
}
