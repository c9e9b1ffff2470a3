//! How a service is started.

use drydock_lockfile::{DependencyKind, PackageName, WorkspacePath};
use drydock_workspace::inspect::{BuiltServer, Service};
use drydock_workspace::{Package, PackageManager, Workspace};
use indexmap::IndexMap;

use crate::members::Members;
use crate::script::{self, Nature, Script, Simple};

/// The scripts that start something, most telling first.
const START_SCRIPTS: [&str; 8] =
    ["start", "start:prod", "start:production", "start:server", "serve:prod", "serve:production", "production", "prod"];

/// Scripts of the root that start a member, most telling first; then any whose name says as much.
const ROOT_SCRIPTS: [&str; 6] = ["start", "start:prod", "backend", "server", "api", "serve"];

/// Words in a script's name that say it is for development or upkeep.
const UPKEEP: [&str; 14] = [
    "dev",
    "debug",
    "inspect",
    "watch",
    "test",
    "experimental",
    "stop",
    "migrate",
    "seed",
    "lint",
    "build",
    "e2e",
    "ci",
    "clean",
];

/// How a service is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The command, in exec form.
    pub command: Vec<String>,
    /// The folder it runs in.
    pub workdir: WorkspacePath,
    /// Environment that the script sets.
    pub env: IndexMap<String, String>,
    /// The file it runs, from the root, when it is Node that runs it.
    pub entry: Option<WorkspacePath>,
    /// It is a command that a dependency brings: found through PATH.
    pub through_path: bool,
    /// What told so.
    pub because: String,
    /// The port its words or its environment name.
    pub port: Option<u16>,
    /// The server that the package's build made, where that is what runs as its tool means it to.
    pub server: Option<BuiltServer>,
}

/// What speaks for a package being run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// It builds one command, which someone may run.
    Command,
    /// It builds one command, and has a server framework.
    Listening,
    /// It could be run: it has a server framework and a file to run.
    Weak,
    /// Something runs it.
    Strong,
}

/// Finds how `package` is started. `None` when nothing tells.
pub(crate) fn find(
    workspace: &Workspace,
    members: &Members<'_>,
    package: &Package,
    service: &Service,
    server: Option<&BuiltServer>,
) -> Option<(Launch, Strength)> {
    let by_tool = || {
        let server = server?;
        let simple = Simple { env: IndexMap::new(), words: server.command.clone() };
        Some(runs_built(launch(simple, package.path.clone(), server.why.clone()), package, server))
    };
    from_scripts(workspace, package)
        .or_else(|| from_root_scripts(workspace, members, package))
        .map(|launch| as_its_tool_means(launch, package, server))
        .or_else(by_tool)
        .map(|launch| (launch, Strength::Strong))
        .or_else(|| from_files(package, service).filter(|(launch, _)| is_there(workspace, members, package, launch)))
}

/// Whether the file of a launch can be there: it is in the tree, or the package is built.
fn is_there(workspace: &Workspace, members: &Members<'_>, package: &Package, launch: &Launch) -> bool {
    let is_built = members.find(package.name.as_str()).is_some_and(|member| members.is_built(member));
    let in_tree = |entry: &WorkspacePath| workspace.tree.is_file(entry).is_ok_and(|is_file| is_file);
    is_built || launch.entry.as_ref().is_some_and(in_tree)
}

/// The launch by the server that the build made, where it runs that: by the tool's own words, or by its file.
fn as_its_tool_means(mut launch: Launch, package: &Package, server: Option<&BuiltServer>) -> Launch {
    let Some(server) = server else { return launch };
    let words: Vec<&str> = launch.command.iter().map(String::as_str).collect();
    let here = launch.workdir == package.path;
    // A packed server's own words name a file where it is put, which a script cannot mean.
    let same = here && words == server.command && server.packed.is_none();
    let by_tool = here && server.instead_of.iter().any(|own| words.starts_with(own)) && only_listens(&words[2..]);
    let inside = |entry: &WorkspacePath| server.inside.as_ref().is_some_and(|folder| entry.is_within(folder));
    let by_file = script::node_entry(&launch.command).filter(|_| launch.entry.as_ref().is_some_and(inside));
    if by_tool {
        launch.command.clone_from(&server.command);
        if let Some(port) = launch.port {
            launch.env.insert("PORT".to_owned(), port.to_string());
        }
    } else if let Some(index) = by_file {
        launch.command[index].clone_from(server.command.last().expect("a command has words"));
    } else if !same {
        return launch;
    }
    if server.packed.is_some() {
        launch.because = format!("{}, and {}", launch.because, server.why);
    }
    runs_built(launch, package, server)
}

/// The launch of what the build made.
fn runs_built(mut launch: Launch, package: &Package, server: &BuiltServer) -> Launch {
    for (name, value) in &server.env {
        launch.env.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
    }
    let at = script::node_entry(&launch.command);
    launch.workdir.clone_from(&package.path);
    launch.entry = at.and_then(|index| launch.workdir.join(&launch.command[index]).ok());
    launch.through_path = is_through_path(&launch.command);
    launch.server = Some(server.clone());
    launch
}

/// Whether the arguments of a command say where it listens and nothing else.
fn only_listens(arguments: &[&str]) -> bool {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "-p" | "--port" | "-H" | "--hostname" | "--host" => drop(rest.next()),
            other if ["--port=", "--hostname=", "--host="].iter().any(|option| other.starts_with(option)) => {}
            _ => return false,
        }
    }
    true
}

/// The launch that a configured command is.
pub(crate) fn configured(command: &[String], workdir: WorkspacePath) -> Launch {
    let simple = Simple { env: IndexMap::new(), words: command.to_vec() };
    launch(simple, workdir, "the configuration says so".to_owned())
}

pub(crate) fn launch(simple: Simple, workdir: WorkspacePath, because: String) -> Launch {
    let entry = script::node_entry(&simple.words).and_then(|index| workdir.join(&simple.words[index]).ok());
    Launch {
        port: script::port(&simple),
        entry,
        through_path: is_through_path(&simple.words),
        command: simple.words,
        env: simple.env,
        workdir,
        because,
        server: None,
    }
}

/// Whether a command is one that dependencies bring.
fn is_through_path(words: &[String]) -> bool {
    let program = words[0].as_str();
    !matches!(program, "node" | "npm" | "npx" | "sh" | "bash" | "tini" | "env") && !program.contains('/')
}

fn from_scripts(workspace: &Workspace, package: &Package) -> Option<Launch> {
    let text = |name: &str| package.script(name);
    let manifest = &package.manifest;
    START_SCRIPTS.iter().find_map(|name| {
        let (script, chain) = script::follow(name, &text)?;
        let told =
            format!("{manifest_path} has the script `{name}`: `{}`", text(name)?, manifest_path = manifest.path());
        // npm runs `prestart` before `start`; where that does more than build, npm has to run it in the image too.
        let before = chain.iter().find_map(|script| {
            let name = format!("pre{script}");
            text(&name).filter(|text| !only_builds(text)).map(|_| name)
        });
        match script {
            Script::Simple(simple) if runs(package, &simple.words) => match before {
                None => Some(launch(without_runner(simple), package.path.clone(), told)),
                Some(before) => {
                    Some(through_manager(workspace, package, name, &told, &format!("`{before}` runs before it")))
                }
            },
            Script::Simple(_) => None,
            Script::Shell(why) => {
                let last_text = text(chain.last()?)?;
                if let Some(simple) = after_builds(last_text).filter(|simple| runs(package, &simple.words)) {
                    let told = format!("{told}, of which only the last command is left to run in the image");
                    return Some(launch(without_runner(simple), package.path.clone(), told));
                }
                may_run(last_text).then(|| through_manager(workspace, package, name, &told, why))
            }
        }
    })
}

/// `npm start --workspace=NAME` at the root, for scripts that only a shell can run.
pub(crate) fn through_manager(workspace: &Workspace, package: &Package, script: &str, told: &str, why: &str) -> Launch {
    let name = package.name.as_str();
    let run: Vec<String> = match (workspace.manager, package.path.is_root()) {
        (PackageManager::Npm, true) => vec!["npm".into(), "run".into(), script.into()],
        (PackageManager::Npm, false) => {
            vec!["npm".into(), "run".into(), script.into(), format!("--workspace={name}")]
        }
        (PackageManager::Pnpm, true) => vec!["pnpm".into(), "run".into(), script.into()],
        (PackageManager::Pnpm, false) => {
            vec!["pnpm".into(), format!("--filter={name}"), "run".into(), script.into()]
        }
        (PackageManager::YarnClassic | PackageManager::YarnBerry, true) => {
            vec!["yarn".into(), "run".into(), script.into()]
        }
        (PackageManager::YarnClassic | PackageManager::YarnBerry, false) => {
            vec!["yarn".into(), "workspace".into(), name.into(), "run".into(), script.into()]
        }
        (PackageManager::Bun, true) => vec!["bun".into(), "run".into(), script.into()],
        (PackageManager::Bun, false) => vec!["bun".into(), "run".into(), format!("--filter={name}"), script.into()],
    };
    let run = match (workspace.manager, script) {
        // `npm start` is how people write it.
        (PackageManager::Npm, "start") => run.into_iter().filter(|word| word != "run").collect(),
        _ => run,
    };
    Launch {
        because: format!("{told}, and {why}, so {} runs it", workspace.manager.command()),
        command: run,
        workdir: WorkspacePath::root(),
        env: IndexMap::new(),
        entry: None,
        through_path: false,
        port: None,
        server: None,
    }
}

/// A script of the root that runs a file inside the package with Node.
fn from_root_scripts(workspace: &Workspace, members: &Members<'_>, package: &Package) -> Option<Launch> {
    if package.path.is_root() {
        return None;
    }
    let root = &workspace.root;
    let telling = |name: &str| {
        let upkeep = name.split([':', '-', '_', '.']).any(|part| UPKEEP.contains(&part));
        let says_run = ["start", "serve", "server", "backend", "prod", "api", "worker", "run"];
        !upkeep && name.split([':', '-', '_', '.']).any(|part| says_run.contains(&part))
    };
    let names = ROOT_SCRIPTS.into_iter().chain(root.manifest.scripts().filter(|name| telling(name)));
    names.into_iter().find_map(|name| {
        let (Script::Simple(simple), _) = script::follow(name, &|name| root.script(name))? else { return None };
        let index = script::node_entry(&simple.words)?;
        let entry = WorkspacePath::new(&simple.words[index]).ok()?;
        let holder = members.holding(&entry)?;
        if *members.path(holder) != package.path || script::nature(&simple.words) != Nature::Run {
            return None;
        }
        let because = format!("{} has the script `{name}`: `{}`", root.manifest.path(), root.script(name)?);
        Some(launch(simple, WorkspacePath::root(), because))
    })
}

/// The command that a package brings, where it brings one, or one that is called like it.
pub(crate) fn command(package: &Package, service: &Service) -> Option<Launch> {
    let own = || service.bin.iter().find(|(name, _)| is_named(&package.name, name));
    let (name, file) = match service.bin.as_slice() {
        [one] => one,
        _ => own()?,
    };
    let words = vec!["node".to_owned(), file.strip_prefix(&package.path)?.to_owned()];
    let because = format!("{} has the command `{name}`", package.manifest.path());
    Some(launch(Simple { env: IndexMap::new(), words }, package.path.clone(), because))
}

/// Files that a manifest says to run.
fn from_files(package: &Package, service: &Service) -> Option<(Launch, Strength)> {
    let run = |file: &WorkspacePath, because: String| {
        let words = vec!["node".to_owned(), file.strip_prefix(&package.path)?.to_owned()];
        Some(launch(Simple { env: IndexMap::new(), words }, package.path.clone(), because))
    };
    let manifest = package.manifest.path();
    let strength = if service.framework.is_some() { Strength::Listening } else { Strength::Command };
    if let [(name, file)] = service.bin.as_slice() {
        return Some((run(file, format!("{manifest} has the command `{name}`"))?, strength));
    }
    let main = service.main.as_ref().filter(|_| strength == Strength::Listening)?;
    let named = package.manifest.text_field("main").unwrap_or("index.js");
    Some((run(main, format!("{manifest} has `main`: `{named}`"))?, Strength::Weak))
}

/// Whether running these words in an image of `package` can be what its script is for.
fn runs(package: &Package, words: &[String]) -> bool {
    match script::nature(words) {
        Nature::Run => true,
        Nature::Says | Nature::Develops => false,
        // A runner that production depends on is meant to be there.
        Nature::DevelopmentRunner => {
            let runner = &words[0];
            let watches = words.iter().any(|word| matches!(word.as_str(), "--watch" | "-w" | "watch"));
            !watches && package.manifest.dependencies(DependencyKind::Production).any(|(name, _)| name == runner)
        }
    }
}

/// `npx next start` without the `npx`.
pub(crate) fn without_runner(mut simple: Simple) -> Simple {
    let words: Vec<&str> = simple.words.iter().map(String::as_str).collect();
    let skip = match words.as_slice() {
        ["npx" | "bunx", program, ..] if !program.starts_with('-') => 1,
        ["pnpm" | "yarn" | "bun", "exec", program, ..] if !program.starts_with('-') => 2,
        _ => 0,
    };
    simple.words.drain(..skip);
    simple
}

/// The last command of `a && b && c` when all before it build or clean.
fn after_builds(text: &str) -> Option<Simple> {
    let (before, last) = text.rsplit_once("&&")?;
    let Script::Simple(simple) = script::parse(last.trim()) else { return None };
    before.split("&&").all(only_builds).then_some(simple)
}

/// Whether a script does nothing but build or clean.
fn only_builds(text: &str) -> bool {
    text.split("&&").all(|part| {
        let Script::Simple(simple) = script::parse(part.trim()) else { return false };
        let named = simple.words.iter().skip(1).any(|word| {
            ["build", "compile", "clean", "bundle", "tsc"].iter().any(|name| word.split(':').any(|part| part == *name))
        });
        let manager = matches!(simple.words[0].as_str(), "npm" | "pnpm" | "yarn" | "bun" | "npx");
        (manager && named)
            || script::nature(&simple.words) == Nature::Says
            || matches!(simple.words[0].as_str(), "tsc" | "rimraf" | "tsup" | "esbuild" | "rollup" | "webpack" | "nest")
    })
}

/// Whether the last command of a script that needs a shell may be a service.
fn may_run(text: &str) -> bool {
    let last = text.rsplit("&&").next().unwrap_or(text);
    let words: Vec<String> = last
        .split_whitespace()
        .skip_while(|word| *word == "cross-env" || *word == "exec" || word.contains('='))
        .map(|word| word.trim_matches(['"', '\'']).to_owned())
        .collect();
    // `npm start` of somewhere else is that other package's start.
    let elsewhere = words.iter().any(|word| {
        let flag = word.split('=').next().unwrap_or(word);
        matches!(flag, "-w" | "--workspace" | "--workspaces" | "-ws" | "--filter" | "--prefix" | "-C")
    });
    !elsewhere && !text.trim_start().starts_with("cd ") && script::nature(&words) == Nature::Run
}

/// The names of a package that a configured target may leave out: its own name or the unscoped one.
pub(crate) fn is_named(package: &PackageName, target: &str) -> bool {
    package.as_str() == target || package.unscoped() == target
}
