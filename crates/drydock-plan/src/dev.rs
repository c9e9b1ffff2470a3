//! Images for development: everything that is installed and the sources, to be run as they change.

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;
use drydock_workspace::inspect::BuiltServer;
use drydock_workspace::{Package, Workspace};
use indexmap::IndexMap;

use crate::bases::{INIT, has_init_on};
use crate::context::outermost;
use crate::copies::Copies;
use crate::error::PlanError;
use crate::launch::{self, Launch};
use crate::lifecycle;
use crate::model::{
    CopySource, DevSource, DevStage, ImageRef, Probe, Stage, StageId, StageKind, TargetKind, TargetName,
};
use crate::plan::Planner;
use crate::plug_and_play;
use crate::root_scripts::RootScripts;
use crate::runtime::USER;
use crate::script::{self, Nature, Script};
use crate::settings::DevSettings;
use crate::targets::FoundTarget;

/// The scripts that serve sources while someone develops, most telling first.
const DEV_SCRIPTS: [&str; 7] = ["dev", "start:dev", "develop", "dev:server", "server:dev", "start:watch", "watch:dev"];

/// Scripts that do so where a bundler's site is developed.
const SITE_SCRIPTS: [&str; 2] = ["start", "serve"];

/// How a target is run while someone develops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dev {
    /// The name of its image: the target's with `-dev`.
    pub name: TargetName,
    /// How it is started.
    pub launch: Launch,
    /// The port it listens on.
    pub port: Option<u16>,
    /// Whether it runs what the build of its own package wrote.
    pub built: bool,
}

/// Servers for development: the words that say so, the port where nothing else is said, and what makes them listen
/// beyond the container, where they do not by themselves.
const SERVERS: [(&[&str], u16, &[&str]); 16] = [
    (&["vitepress", "dev"], 5173, &["--host", "0.0.0.0"]),
    (&["vite", "build"], 0, &[]),
    (&["vite"], 5173, &["--host", "0.0.0.0"]),
    (&["astro", "dev"], 4321, &["--host", "0.0.0.0"]),
    (&["astro"], 4321, &["--host", "0.0.0.0"]),
    (&["ng", "serve"], 4200, &["--host", "0.0.0.0"]),
    (&["nuxt", "dev"], 3000, &["--host", "0.0.0.0"]),
    (&["nuxi", "dev"], 3000, &["--host", "0.0.0.0"]),
    (&["react-router", "dev"], 5173, &["--host", "0.0.0.0"]),
    (&["remix", "vite:dev"], 5173, &["--host", "0.0.0.0"]),
    (&["webpack", "serve"], 8080, &["--host", "0.0.0.0"]),
    (&["webpack-dev-server"], 8080, &["--host", "0.0.0.0"]),
    (&["gatsby", "develop"], 8000, &["--host", "0.0.0.0"]),
    (&["docusaurus", "start"], 3000, &["--host", "0.0.0.0"]),
    (&["next", "dev"], 3000, &[]),
    (&["react-scripts", "start"], 3000, &[]),
];

/// Finds how a target is developed: by a script for it, else by what starts a service, again at each change where that
/// is Node with a file of the tree. `None` where nothing tells, and for what is not asked for.
pub(crate) fn find(
    workspace: &Workspace,
    package: &Package,
    name: &TargetName,
    target: &FoundTarget,
    settings: Option<&DevSettings>,
) -> Result<Option<Dev>, PlanError> {
    // A command is run, not developed, in a container.
    let tool = target.kind == TargetKind::Cli && settings.is_none();
    if tool || settings.is_some_and(|settings| settings.skip) {
        return Ok(None);
    }
    let configured = settings.and_then(|settings| settings.command.as_ref());
    let found = match configured {
        Some(command) => Some((launch::configured(command, package.path.clone()), false)),
        None => match from_scripts(workspace, package, target.kind) {
            Some(launch) => Some((launch, false)),
            None => from_start(workspace, target)?,
        },
    };
    let Some((mut launch, built)) = found else { return Ok(None) };
    let server = SERVERS.iter().find(|(words, ..)| begins_with(&launch.command, words));
    if let Some((_, _, host)) = server
        && configured.is_none()
        && !launch.command.iter().any(|word| word == "--host" || word.starts_with("--host=") || word == "-H")
    {
        launch.command.extend(host.iter().map(|&word| word.to_owned()));
    }
    let own = settings.and_then(|settings| settings.port).or(launch.port);
    let of_server = server.map(|(_, port, _)| *port).filter(|port| *port != 0);
    let of_target = target.port.filter(|_| target.kind == TargetKind::Service);
    let port = own.or(of_server).or(of_target);
    Ok(Some(Dev { name: name.clone(), launch, port, built }))
}

fn begins_with(command: &[String], words: &[&str]) -> bool {
    command.len() >= words.len() && command.iter().zip(words).all(|(one, other)| one == other)
}

/// Whether a command sees edits by itself. What a shell or a package manager runs may do much else: to start it again is
/// always right.
fn reloads(command: &[String]) -> bool {
    let program = command.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let watches = || command.iter().any(|word| ["--watch", "-w", "watch", "--watch-path"].contains(&word.as_str()));
    match program {
        "npm" | "pnpm" | "yarn" | "bun" | "npx" | "sh" | "bash" => false,
        "nodemon" | "ts-node-dev" | "tsnd" | "node-dev" => true,
        _ => watches() || SERVERS.iter().any(|(words, port, _)| *port != 0 && begins_with(command, words)),
    }
}

fn from_scripts(workspace: &Workspace, package: &Package, kind: TargetKind) -> Option<Launch> {
    let text = |name: &str| package.script(name);
    let for_sites = SITE_SCRIPTS.iter().filter(|_| kind == TargetKind::Static);
    DEV_SCRIPTS.iter().chain(for_sites).find_map(|name| {
        let (script, chain) = script::follow(name, &text)?;
        let told = format!("{} has the script `{name}`: `{}`", package.manifest.path(), text(name)?);
        let before = chain.iter().any(|script| text(&format!("pre{script}")).is_some());
        Some(match script {
            Script::Simple(simple) if !before => {
                if script::nature(&simple.words) == Nature::Says {
                    return None;
                }
                launch::launch(launch::without_runner(simple), package.path.clone(), told)
            }
            Script::Simple(_) => launch::through_manager(workspace, package, name, &told, "a script runs before it"),
            Script::Shell(why) => launch::through_manager(workspace, package, name, &told, why),
        })
    })
}

/// What starts a service in production, and whether that is something its build wrote.
fn from_start(workspace: &Workspace, target: &FoundTarget) -> Result<Option<(Launch, bool)>, PlanError> {
    let Some(launch) = &target.launch else { return Ok(None) };
    let mut launch = launch.clone();
    let server = launch.server.take();
    let moved = |server: &BuiltServer| server.packed.iter().flat_map(|it| &it.files).any(|file| file.from != file.to);
    if let Some(own) = server.filter(moved).and_then(|server| server.instead_of.first().copied()) {
        // Here its files are where the build leaves them, and all dependencies beside them.
        launch.command = own.map(str::to_owned).to_vec();
        (launch.entry, launch.through_path) = (None, true);
    }
    let in_tree = match &launch.entry {
        Some(entry) => workspace.tree.is_file(entry)?,
        None => false,
    };
    if in_tree && launch.command.first().is_some_and(|program| program == "node") {
        launch.command.insert(1, "--watch".to_owned());
    }
    Ok(Some((launch, !in_tree)))
}

impl Planner<'_> {
    /// The image in which a target is developed, beginning with the install stage `from`.
    pub(crate) fn dev(
        &mut self,
        name: &TargetName,
        target: &FoundTarget,
        from: &StageId,
        image: &ImageRef,
        root_scripts: &RootScripts,
    ) -> Result<Stage, PlanError> {
        let dev = target.dev.clone().expect("only what has one is asked for its dev image");
        let own = self.members.find(target.package.as_str()).expect("targets are members");
        let configured = self.settings.targets.get(name).cloned().unwrap_or_default();
        let mut copies = Copies::default();
        let mut setup: Vec<lifecycle::Step> = Vec::new();
        let root = self.workspace.root.manifest.path().clone();
        self.context.add_manifest(&root);
        copies.add(CopySource::Context, [root]);
        let mut reads = BTreeSet::new();
        self.elsewhere(own, &mut reads)?;
        reads.extend(root_scripts.files.iter().cloned());
        copies.add(CopySource::Context, outermost(reads));
        let mut sources = Vec::new();
        let developed = self.members.developed(own);
        for member in self.in_build_order(&developed) {
            let files = self.all_files(member);
            let written = self.facts[&member].outputs.as_ref().is_some_and(|outputs| !outputs.whole_package);
            let built = self.facts[&member].outputs.is_some() && (member != own || dev.built);
            sources.push(DevSource {
                package: self.members.name(member).clone(),
                directory: self.members.path(member).clone(),
                files: files.clone(),
                built,
                outputs: if written { self.outputs(member) } else { Vec::new() },
            });
            copies.add(CopySource::Context, files);
            if built {
                copies.add(CopySource::Stage(self.build_ids[&member].clone()), self.outputs(member));
            } else {
                setup.extend(self.lifecycle_of(member));
            }
        }
        setup.extend(root_scripts.steps.iter().cloned());
        for asset in &target.assets {
            let asset = self.members.find(asset.as_str()).expect("assets were looked up with their target");
            self.asset(asset, &mut copies);
        }
        for path in &configured.files {
            self.configured_file(name, path, &mut copies)?;
        }
        let init = has_init_on(self.settings, name, image);
        let mut system_packages: Vec<String> = configured.system_packages.clone();
        system_packages.extend(init.then(|| INIT.to_owned()));
        system_packages.sort();
        system_packages.dedup();
        let mut env = IndexMap::from([("NODE_ENV".to_owned(), "development".to_owned())]);
        if let Some(options) = plug_and_play::node_options(self.workspace)? {
            env.insert("NODE_OPTIONS".to_owned(), options);
        }
        env.extend(target.env.clone().into_iter().filter(|(name, _)| name != "NODE_ENV" && name != "PORT"));
        env.extend(dev.launch.env.clone());
        if let Some(port) = dev.port.filter(|_| target.kind == TargetKind::Service) {
            env.insert("PORT".to_owned(), port.to_string());
        }
        env.extend(configured.env);
        let healthcheck = configured.healthcheck.filter(|check| {
            // What a static target runs is in another image.
            target.kind == TargetKind::Service && !matches!(&check.probe, Probe::Http { .. } if dev.port.is_none())
        });
        let folders = |path: &WorkspacePath| [path.clone(), path.join("node_modules").expect("a name stays inside")];
        let path = self.members.path(own);
        let mut owned: Vec<WorkspacePath> = folders(&WorkspacePath::root()).into_iter().chain(folders(path)).collect();
        owned.extend(configured.writable);
        owned.sort();
        owned.dedup();
        let modules = developed.iter().map(|member| self.members.path(*member).clone()).chain([WorkspacePath::root()]);
        let modules: BTreeSet<WorkspacePath> =
            modules.map(|path| path.join("node_modules").expect("a name stays inside")).collect();
        let stage = DevStage {
            from: from.clone(),
            target: dev.name.clone(),
            of: name.clone(),
            package: target.package.clone(),
            system_packages,
            owned,
            copies: copies.finish(),
            setup,
            workdir: dev.launch.workdir,
            reloads: reloads(&dev.launch.command),
            env,
            path: if dev.launch.through_path { self.command_folders(own) } else { Vec::new() },
            user: USER.to_owned(),
            port: dev.port,
            entrypoint: if init { vec![INIT.to_owned(), "--".to_owned()] } else { Vec::new() },
            command: dev.launch.command,
            healthcheck,
            sources,
            modules: modules.into_iter().collect(),
        };
        Ok(Stage { id: StageId::new(dev.name.as_str()), kind: StageKind::Dev(stage), comment: None })
    }
}
