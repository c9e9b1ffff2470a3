//! `compose`: a Compose file with a service for each target, and what it builds them from.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use drydock_diagnostics::{Category, Diagnose, closest};
use drydock_dockerfile::{
    Compose, ComposeService, WrittenFile, compose_context, compose_file, generated_directory, validate,
};
use drydock_plan::{BuildPlan, PackageName, Target, TargetKind, TargetName, Targets, WorkspacePath};
use drydock_workspace::EdgeKind;

use super::dockerfile::{self, State, WriteError};
use super::facts::Facts;
use super::load::{Loaded, load};
use super::tags;
use crate::args::{ComposeArgs, GlobalArgs};
use crate::failure::Failure;
use crate::shell::Shell;

/// How a Compose file of ours begins.
const MARK: &str = "# Written by `cargo drydock compose";

/// What Compose reads where no file is named, first of all first.
const READ_BY_ITSELF: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// What keeps a Compose file from being made.
#[derive(Debug, thiserror::Error)]
enum ComposeError {
    /// Compose would no longer read the repository's own file.
    #[error("`{file}` would hide `{other}` from Compose")]
    Hides { file: WorkspacePath, other: &'static str },
    /// Two services are to be published on one port.
    #[error("the services {} are to be published on the port {port}", names(targets))]
    HostPort { port: u16, targets: Vec<String> },
    /// A service is to wait for something that is no target.
    #[error("`{target}` is to depend on `{name}`, which is no target")]
    UnknownService { target: String, name: String, closest: Option<String> },
    /// Services are to wait for each other, which Compose refuses.
    #[error("`{target}` is to depend on `{name}`, which waits for it")]
    Circle { target: String, name: String },
}

impl Diagnose for ComposeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Hides { .. } => "compose-file-hidden",
            Self::HostPort { .. } => "host-port-shared",
            Self::UnknownService { .. } => "compose-service-unknown",
            Self::Circle { .. } => "compose-circle",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Hides { .. } => "name another file: `--out compose.drydock.yaml`".to_owned(),
            Self::HostPort { .. } => "give each its own `port` in `compose` of its `[target.NAME]`".to_owned(),
            Self::UnknownService { closest: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownService { closest: None, .. } => {
                "name a target; what else a service waits for can stand in a file of your own beside this one"
                    .to_owned()
            }
            Self::Circle { .. } => "take one of them out of a `depends-on` of `compose`".to_owned(),
        })
    }
}

fn names(targets: &[String]) -> String {
    targets.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

pub(super) fn run(args: &ComposeArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
    let plan = loaded.plan(&selection(args, &found), shell)?;
    validate(&plan)?;
    let services = services(args, &loaded, &found, &plan)?;
    let printed = args.out.as_deref() == Some(Utf8Path::new("-"));
    let file = if printed { default_file(args) } else { file(args, &loaded.root)? };
    let place = file.parent().unwrap_or_else(WorkspacePath::root);
    let directory = (!args.no_build).then(|| directory(&file));
    let compose = Compose { name: project(args, &loaded), place, directory, mount: args.mount, services: &services };
    let text = head(args, compose.directory.as_ref()) + &compose_file(&plan, &compose);
    if printed {
        return shell.print(&text);
    }
    write(args, &loaded.root, &file, text, &plan, compose.directory.as_ref(), shell)
}

/// The targets that are planned: with `--dev`, the images that they are developed in, where there are such.
fn selection(args: &ComposeArgs, found: &Targets) -> Vec<String> {
    if !args.dev {
        return args.targets.clone();
    }
    let developed = |(name, target): (&TargetName, &drydock_plan::FoundTarget)| {
        target.dev.as_ref().map_or(name, |dev| &dev.name).as_str().to_owned()
    };
    if args.targets.is_empty() {
        return found.targets.iter().map(developed).collect();
    }
    let mut selection = Vec::new();
    for name in &args.targets {
        let by_name = found.targets.get_key_value(name.as_str());
        let meant: Vec<String> = match by_name {
            Some(entry) => vec![developed(entry)],
            None => found.targets.iter().filter(|(_, other)| other.package.as_str() == name).map(developed).collect(),
        };
        // What means nothing is told by who plans.
        if meant.is_empty() { selection.push(name.clone()) } else { selection.extend(meant) }
    }
    selection
}

/// What the configuration and the graph say of each service.
fn services(
    args: &ComposeArgs,
    loaded: &Loaded,
    found: &Targets,
    plan: &BuildPlan,
) -> Result<BTreeMap<TargetName, ComposeService>, Failure> {
    let facts = Facts::new(loaded, plan);
    let images: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let mut references = tags::of_targets(&facts, &loaded.config.images, &args.tags, &images).map_err(Failure::all)?;
    // By planned target, the one that the configuration knows.
    let configured: BTreeMap<&TargetName, &TargetName> = plan
        .targets
        .iter()
        .map(|target| {
            let developed =
                found.targets.iter().find(|(_, other)| other.dev.as_ref().is_some_and(|dev| dev.name == target.name));
            (&target.name, developed.map_or(&target.name, |(name, _)| name))
        })
        .collect();
    let ports = host_ports(loaded, plan, &configured)?;
    let depends = dependencies(loaded, found, plan, &configured)?;
    let mut services = BTreeMap::new();
    for target in &plan.targets {
        let of = configured[&target.name];
        let settings = loaded.config.compose.get(of);
        let mut tags = references.remove(target.name.as_str()).unwrap_or_default();
        let image = if tags.is_empty() { target.name.as_str().to_owned() } else { tags.remove(0) };
        let service = ComposeService {
            name: if args.dev { of } else { &target.name }.as_str().to_owned(),
            image,
            tags,
            host_port: ports.get(&target.name).copied(),
            loopback: args.dev,
            environment: settings.map(|settings| settings.environment.clone()).unwrap_or_default(),
            env_files: env_files(loaded, target)?,
            depends_on: depends.get(&target.name).cloned().unwrap_or_default(),
        };
        services.insert(target.name.clone(), service);
    }
    Ok(services)
}

/// The port of this machine for each service: what is configured, else its own, else the next that is free.
fn host_ports(
    loaded: &Loaded,
    plan: &BuildPlan,
    configured: &BTreeMap<&TargetName, &TargetName>,
) -> Result<BTreeMap<TargetName, u16>, ComposeError> {
    let listening = || plan.targets.iter().filter_map(|target| Some((target, target.port?)));
    let mut ports = BTreeMap::new();
    let mut taken: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (target, _) in listening() {
        let of = configured[&target.name];
        // Beside the image that is shipped, the one to develop in takes another.
        let beside = *of != target.name && plan.targets.iter().any(|other| other.name == *of);
        let settings = loaded.config.compose.get(of).filter(|_| !beside);
        if let Some(port) = settings.and_then(|settings| settings.port) {
            taken.entry(port).or_default().push(target.name.to_string());
            ports.insert(target.name.clone(), port);
        }
    }
    if let Some((port, targets)) = taken.iter().find(|(_, targets)| targets.len() > 1) {
        return Err(ComposeError::HostPort { port: *port, targets: targets.clone() });
    }
    for (target, own) in listening() {
        if !ports.contains_key(&target.name) {
            let free = (own..=u16::MAX).find(|port| !taken.contains_key(port));
            let Some(port) = free else { continue };
            taken.insert(port, vec![target.name.to_string()]);
            ports.insert(target.name.clone(), port);
        }
    }
    Ok(ports)
}

/// What each service waits for: what is configured, and services whose packages its own package needs to run.
fn dependencies(
    loaded: &Loaded,
    found: &Targets,
    plan: &BuildPlan,
    configured: &BTreeMap<&TargetName, &TargetName>,
) -> Result<BTreeMap<TargetName, BTreeSet<TargetName>>, ComposeError> {
    let mut depends: BTreeMap<TargetName, BTreeSet<TargetName>> = BTreeMap::new();
    for target in &plan.targets {
        let settings = loaded.config.compose.get(configured[&target.name]);
        for name in settings.iter().flat_map(|settings| &settings.depends_on) {
            if !found.targets.contains_key(name.as_str()) {
                return Err(ComposeError::UnknownService {
                    target: configured[&target.name].to_string(),
                    name: name.clone(),
                    closest: closest(name, found.targets.keys().map(TargetName::as_str)).map(str::to_owned),
                });
            }
            let others = plan.targets.iter().filter(|other| configured[&other.name].as_str() == name);
            for other in others {
                if reaches(&depends, &other.name, &target.name) {
                    return Err(ComposeError::Circle {
                        target: configured[&target.name].to_string(),
                        name: name.clone(),
                    });
                }
                depends.entry(target.name.clone()).or_default().insert(other.name.clone());
            }
        }
    }
    for edge in loaded.graph.edges().iter().filter(|edge| edge.kind != EdgeKind::Development) {
        let of = |package: &PackageName| -> Vec<&Target> {
            plan.targets.iter().filter(|target| target.package == *package && starts(target.kind)).collect()
        };
        for from in of(&edge.from) {
            for to in of(&edge.to) {
                // Compose takes no circle.
                if !reaches(&depends, &to.name, &from.name) {
                    depends.entry(from.name.clone()).or_default().insert(to.name.clone());
                }
            }
        }
    }
    Ok(depends)
}

fn starts(kind: TargetKind) -> bool {
    !matches!(kind, TargetKind::Cli | TargetKind::Check)
}

fn reaches(depends: &BTreeMap<TargetName, BTreeSet<TargetName>>, from: &TargetName, to: &TargetName) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            open.extend(depends.get(name).into_iter().flatten());
        }
    }
    false
}

/// Files with variables that a committed example of them tells of: of the root, then of the package.
fn env_files(loaded: &Loaded, target: &Target) -> Result<Vec<WorkspacePath>, Failure> {
    if target.kind == TargetKind::Static {
        return Ok(Vec::new());
    }
    let own = loaded.workspace.package(target.package.as_str()).map(|package| package.path.clone());
    let mut files = Vec::new();
    for folder in std::iter::once(WorkspacePath::root()).chain(own.filter(|path| !path.is_root())) {
        let file = |name: &str| folder.join(name).expect("a plain name does not climb");
        for example in [".env.example", ".env.sample", ".env.template", ".env.dist"] {
            if loaded.workspace.tree.is_file(&file(example))? {
                files.push(file(".env"));
                break;
            }
        }
    }
    Ok(files)
}

/// What Compose calls the whole: by the root's package, and images to develop in apart from the others.
fn project(args: &ComposeArgs, loaded: &Loaded) -> Option<String> {
    let name = loaded.workspace.root.manifest.field("name")?.as_str()?;
    let last = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let kept: String =
        last.chars().map(|other| if plain(other) || "_-".contains(other) { other } else { '-' }).collect();
    let name = kept.trim_start_matches(|other| !plain(other));
    let suffix = if args.dev { "-dev" } else { "" };
    (!name.is_empty()).then(|| format!("{name}{suffix}"))
}

fn default_file(args: &ComposeArgs) -> WorkspacePath {
    let name = if args.dev { "compose.dev.yaml" } else { READ_BY_ITSELF[0] };
    WorkspacePath::new(name).expect("a plain name is a path inside the workspace")
}

/// The file that is written.
fn file(args: &ComposeArgs, root: &Utf8Path) -> Result<WorkspacePath, Failure> {
    let Some(out) = &args.out else {
        let file = default_file(args);
        // One of ours is read first, so another would be forgotten without a word.
        let own = READ_BY_ITSELF.contains(&file.as_str());
        let mut others = READ_BY_ITSELF.into_iter().filter(|name| own && *name != file.as_str());
        if let Some(other) = others.find(|name| root.join(name).exists()) {
            return Err(ComposeError::Hides { file, other }.into());
        }
        return Ok(file);
    };
    let parent = out.parent().map_or_else(|| Utf8PathBuf::from("."), Utf8Path::to_owned);
    let folder = dockerfile::inside(root, &parent)?;
    let outside = || WriteError::Outside { directory: out.clone(), root: root.to_owned() };
    Ok(folder.join(out.file_name().ok_or_else(outside)?).map_err(|_| outside())?)
}

/// The folder of what a Compose file builds from: one for each such file, so that none is stale when another is written.
fn directory(file: &WorkspacePath) -> WorkspacePath {
    let stem = file.as_str().rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem).replace('/', "-");
    let name = if stem.starts_with("compose") { stem } else { format!("compose-{stem}") };
    generated_directory().join(&name).expect("a plain name does not climb")
}

/// The command that writes the same again.
fn command(args: &ComposeArgs) -> String {
    let mut words = vec!["drydock compose".to_owned()];
    words.extend(args.targets.iter().cloned());
    for (said, word) in [(args.dev, "--dev"), (args.mount, "--mount"), (args.no_build, "--no-build")] {
        words.extend(said.then(|| word.to_owned()));
    }
    words.extend(args.tags.iter().map(|tag| format!("--tag '{tag}'")));
    if let Some(out) = args.out.as_deref().filter(|out| *out != Utf8Path::new("-")) {
        words.push(format!("--out {out}"));
    }
    words.join(" ")
}

fn head(args: &ComposeArgs, directory: Option<&WorkspacePath>) -> String {
    let command = command(args);
    let beside = directory.map(|directory| format!("# The files under {directory}/ are written with it.\n"));
    format!(
        "# Written by `cargo {command}`, and overwritten by it.\n\
         # What else there is (databases, volumes) can stand in a file of your own: `docker compose -f THIS -f YOURS up`.\n{}",
        beside.unwrap_or_default()
    )
}

fn write(
    args: &ComposeArgs,
    root: &Utf8Path,
    file: &WorkspacePath,
    text: String,
    plan: &BuildPlan,
    directory: Option<&WorkspacePath>,
    shell: &mut Shell,
) -> Result<(), Failure> {
    let context = directory.map(|directory| compose_context(plan, directory)).unwrap_or_default();
    let text = WrittenFile { bytes: text.into_bytes().into(), executable: false };
    let own = BTreeMap::from([(file.clone(), text)]);
    let mut all = own.clone();
    all.extend(context.clone());
    let states = dockerfile::compare(root, &all)?;
    if args.check {
        return dockerfile::check(&command(args), &states, &all, shell);
    }
    if let State::Stale(bytes) = &states[file]
        && !bytes.starts_with(MARK.as_bytes())
    {
        return Err(WriteError::Foreign { path: root.join(file.as_str()) }.into());
    }
    let mut detail = if states[file] == State::Current { "nothing changed" } else { "changed" }.to_owned();
    if let Some(directory) = directory {
        let of_context: BTreeMap<WorkspacePath, State> = states
            .iter()
            .filter(|(path, _)| context.contains_key(*path))
            .map(|(path, state)| (path.clone(), state.clone()))
            .collect();
        let count = crate::report::units::count(context.len() as u64, "file");
        let said = dockerfile::write(root, directory, &context, &of_context)?;
        detail = format!("{detail}), and {count} to {directory} ({said}");
    }
    if states[file] != State::Current {
        dockerfile::write_file(&root.join(file.as_str()), &own[file]).map_err(WriteError::Disk)?;
    }
    shell.status("Wrote", format!("{file} ({detail})"));
    Ok(())
}
