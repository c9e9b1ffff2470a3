//! Which images there are to build: found in the workspace, corrected by the settings.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::{Warning, closest};
use drydock_lockfile::{PackageName, WorkspacePath};
use drydock_workspace::inspect::{self, Packed, Service, StaticSite};
use drydock_workspace::{PackageGraph, Workspace};
use indexmap::IndexMap;
use rayon::prelude::*;

use crate::builds::line_snippet;
use crate::checks::Check;
use crate::dev::{self, Dev};
use crate::error::PlanError;
use crate::launch::{self, Launch, Strength};
use crate::listen;
use crate::members::{Member, Members, key_part};
use crate::model::{Decision, TargetKind, TargetName};
use crate::names::{Names, short_names};
use crate::settings::{Settings, TargetSettings};

/// The targets of a workspace, whatever of them will be built.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// By name.
    pub targets: BTreeMap<TargetName, FoundTarget>,
    /// Packages that are no target, and why not, by name.
    pub others: BTreeMap<PackageName, String>,
}

/// The images that a selection means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    /// Targets.
    pub(crate) images: BTreeSet<TargetName>,
    /// Targets whose dev images are meant.
    pub(crate) devs: BTreeSet<TargetName>,
    /// Checks that are meant for their own sake.
    pub(crate) checks: BTreeSet<Check>,
}

/// One image that can be built, before it is planned.
#[derive(Debug, Clone)]
pub struct FoundTarget {
    /// The package whose image it is.
    pub package: PackageName,
    /// What sort of image it is.
    pub kind: TargetKind,
    /// Whether the settings name it.
    pub configured: bool,
    /// Packages whose outputs it serves though nothing depends on them.
    pub assets: BTreeSet<PackageName>,
    /// How it is started, for a service.
    pub launch: Option<Launch>,
    /// The folder it serves, for a static target, where something told.
    pub site: Option<StaticSite>,
    /// The port it listens on.
    pub port: Option<u16>,
    /// What it sets beside what the settings say: what its script sets, and what makes it reachable.
    pub env: IndexMap<String, String>,
    /// How it is developed; its image is built when it is named.
    pub dev: Option<Dev>,
    /// What was chosen, and why.
    pub decisions: Vec<Decision>,
    /// What the user should know of it.
    pub warnings: Vec<Warning>,
}

/// Finds the targets of `workspace`. The same for every selection, so that a target's image never depends on what
/// else is built.
pub fn targets(workspace: &Workspace, graph: &PackageGraph, settings: &Settings) -> Result<Targets, PlanError> {
    find(workspace, &Members::new(workspace, graph, settings)?, settings)
}

/// What the files of one member say about being run or served.
struct Facts {
    service: Service,
    site: Option<StaticSite>,
    launch: Option<(Launch, Strength)>,
}

pub(crate) fn find(workspace: &Workspace, members: &Members<'_>, settings: &Settings) -> Result<Targets, PlanError> {
    let facts = (0..members.len())
        .into_par_iter()
        .map(|member| look(workspace, members, member))
        .collect::<Result<Vec<Facts>, PlanError>>()?;
    let mut found = Targets::default();
    let mut claimed: BTreeSet<Member> = BTreeSet::new();
    let mut claims: Vec<(Member, String)> = Vec::new();
    for (name, target) in &settings.targets {
        let Some(member) = member_of(members, name, target)? else { continue };
        claimed.insert(member);
        let mut assets = BTreeSet::new();
        for asset in &target.assets {
            let asset = members.named(asset, || format!("target.{}.assets", key_part(name.as_str())))?;
            claimed.insert(asset);
            claims.push((asset, format!("target `{name}` serves what it builds")));
            assets.insert(members.name(asset).clone());
        }
        if target.skip {
            claims.push((member, format!("the configuration skips `{name}`")));
        } else {
            let configured = configured(workspace, members, name, target, member, &facts[member], assets)?;
            found.targets.insert(name.clone(), configured);
        }
    }
    for (member, why) in claims {
        let name = members.name(member);
        if !found.targets.values().any(|target| target.package == *name) {
            found.others.entry(name.clone()).or_insert(why);
        }
    }
    let inferred = infer(members, &facts, &claimed, &mut found.others);
    if settings.infer_targets != Some(false) {
        let short = short_names(inferred.keys().map(|member| members.name(*member)));
        let mut names = Names::default();
        for name in settings.targets.keys() {
            names.take(name.as_str());
        }
        for (member, (kind, because)) in &inferred {
            let name = TargetName::new(&names.take(&short[members.name(*member)]));
            let target = inferred_target(workspace, members, *member, *kind, because, &facts[*member])?;
            found.targets.insert(name, target);
        }
    }
    let mut names = Names::default();
    for name in found.targets.keys() {
        names.take(name.as_str());
    }
    for (name, target) in &mut found.targets {
        let member = members.find(target.package.as_str()).expect("targets are members");
        let dev_name = TargetName::new(&names.take(&format!("{name}-dev")));
        let configured = settings.targets.get(name).and_then(|target| target.dev.as_ref());
        target.dev = dev::find(workspace, members.package(member), &dev_name, target, configured)?;
        for decision in &mut target.decisions {
            decision.subject = if decision.subject.is_empty() {
                format!("target {name}")
            } else {
                format!("target {name}: {}", decision.subject)
            };
        }
    }
    Ok(found)
}

impl Targets {
    /// The images that `names` mean: all targets when there are none, else those with these names, or of these packages.
    /// Dev images are meant by their own names only.
    pub(crate) fn select(&self, names: &[String], members: &Members<'_>) -> Result<Selected, PlanError> {
        if self.targets.is_empty() && names.is_empty() {
            let notes = self.others.iter().map(|(package, why)| format!("`{package}`: {why}")).collect();
            return Err(PlanError::NoTargets { notes });
        }
        if names.is_empty() {
            return Ok(Selected { images: self.targets.keys().cloned().collect(), ..Selected::default() });
        }
        let mut selected = Selected::default();
        for name in names {
            if self.targets.contains_key(name.as_str()) {
                selected.images.insert(TargetName::new(name));
                continue;
            }
            let of_package: Vec<&TargetName> = self
                .targets
                .iter()
                .filter(|(_, target)| target.package.as_str() == name)
                .map(|(target, _)| target)
                .collect();
            if !of_package.is_empty() {
                selected.images.extend(of_package.into_iter().cloned());
                continue;
            }
            let developed = self.targets.iter().find(|(_, target)| dev_name(target).is_some_and(|dev| dev == name));
            if let Some((of, _)) = developed {
                selected.devs.insert(of.clone());
                continue;
            }
            if let Some(member) = members.find(name) {
                let part_of = self.targets.iter().filter(|(_, target)| {
                    let own = members.find(target.package.as_str());
                    let assets = target.assets.iter().map(|asset| members.find(asset.as_str()));
                    let starts = std::iter::once(own).chain(assets).flatten();
                    members.needed(starts).contains(&member)
                });
                return Err(PlanError::NotATarget {
                    package: members.name(member).clone(),
                    part_of: part_of.map(|(target, _)| target.clone()).collect(),
                });
            }
            let devs = self.targets.values().filter_map(dev_name);
            let targets = self.targets.keys().map(TargetName::as_str).chain(devs);
            let packages = self.targets.values().map(|target| target.package.as_str());
            return Err(PlanError::UnknownTarget {
                name: name.clone(),
                closest: closest(name, targets).or_else(|| closest(name, packages)).map(str::to_owned),
                targets: self.targets.keys().cloned().collect(),
            });
        }
        Ok(selected)
    }
}

fn look(workspace: &Workspace, members: &Members<'_>, member: Member) -> Result<Facts, PlanError> {
    let package = members.package(member);
    let service = inspect::service(workspace, package)?;
    // Without a build there may still be a folder of plain pages; what a configuration makes of it is its business.
    let site = if members.is_built(member) { inspect::static_site(workspace, package)? } else { None };
    let server = if members.is_built(member) { inspect::server(workspace, package)? } else { None };
    let launch = launch::find(workspace, members, package, &service, server.as_ref());
    Ok(Facts { service, site, launch })
}

/// The member a configured target is about; `None` when it leaves out what is not there anyway.
fn member_of(members: &Members<'_>, name: &TargetName, target: &TargetSettings) -> Result<Option<Member>, PlanError> {
    let key = key_part(name.as_str());
    if let Some(package) = &target.package {
        return members.named(package, || format!("target.{key}.package")).map(Some);
    }
    let same: Vec<Member> =
        (0..members.len()).filter(|member| launch::is_named(members.name(*member), name.as_str())).collect();
    match same.as_slice() {
        [member] => Ok(Some(*member)),
        [] | [_, ..] if target.skip => Ok(None),
        _ => members.named(&PackageName::new(name.as_str()), || format!("target.{key}")).map(Some),
    }
}

fn configured(
    workspace: &Workspace,
    members: &Members<'_>,
    name: &TargetName,
    target: &TargetSettings,
    member: Member,
    facts: &Facts,
    assets: BTreeSet<PackageName>,
) -> Result<FoundTarget, PlanError> {
    let package = members.package(member);
    let (kind, because) = match target.kind {
        Some(kind) => (kind, "the configuration says so".to_owned()),
        None if target.command.is_some() => (TargetKind::Service, "the configuration gives it a command".to_owned()),
        None => match (&facts.launch, &facts.site) {
            (Some((launch, strength @ Strength::Strong)), _) | (Some((launch, strength)), None) => {
                let is_command = *strength <= Strength::Listening || is_own_command(launch, facts);
                let kind = if is_command { TargetKind::Cli } else { TargetKind::Service };
                (kind, launch.because.clone())
            }
            (_, Some(site)) => (TargetKind::Static, site.why.clone()),
            (None, None) => {
                return Err(PlanError::KindUnknown { target: name.clone(), package: package.name.clone() });
            }
        },
    };
    let mut found = FoundTarget {
        package: package.name.clone(),
        kind,
        configured: true,
        assets,
        launch: None,
        site: facts.site.clone(),
        port: None,
        env: IndexMap::new(),
        dev: None,
        warnings: Vec::new(),
        decisions: vec![decision("", kind_word(kind), because)],
    };
    if kind.runs() {
        let command = (kind == TargetKind::Cli).then(|| launch::command(package, &facts.service)).flatten();
        let own = command.as_ref().or(facts.launch.as_ref().map(|(launch, _)| launch));
        let mut launch = match (&target.command, own) {
            (Some(command), _) => {
                launch::configured(command, target.workdir.clone().unwrap_or_else(|| package.path.clone()))
            }
            (None, Some(launch)) => launch.clone(),
            (None, None) => {
                return Err(PlanError::CommandMissing {
                    target: name.clone(),
                    package: package.name.clone(),
                    snippet: Box::new(package.manifest.snippet(&["scripts"], "no script of these starts it")),
                });
            }
        };
        if let Some(workdir) = &target.workdir {
            launch.workdir = workdir.clone();
        }
        start(workspace, members, member, facts, launch, target.port, &mut found)?;
    } else {
        serve(target.port, &mut found);
    }
    Ok(found)
}

fn inferred_target(
    workspace: &Workspace,
    members: &Members<'_>,
    member: Member,
    kind: TargetKind,
    because: &str,
    facts: &Facts,
) -> Result<FoundTarget, PlanError> {
    let mut found = FoundTarget {
        package: members.name(member).clone(),
        kind,
        configured: false,
        assets: BTreeSet::new(),
        launch: None,
        site: facts.site.clone(),
        port: None,
        env: IndexMap::new(),
        dev: None,
        warnings: Vec::new(),
        decisions: vec![decision("", kind_word(kind), because.to_owned())],
    };
    match (kind, &facts.launch) {
        (TargetKind::Service | TargetKind::Cli, Some((launch, _))) => {
            start(workspace, members, member, facts, launch.clone(), None, &mut found)?;
        }
        _ => serve(None, &mut found),
    }
    Ok(found)
}

/// Fills in what a service needs to run.
fn start(
    workspace: &Workspace,
    members: &Members<'_>,
    member: Member,
    facts: &Facts,
    launch: Launch,
    port: Option<u16>,
    found: &mut FoundTarget,
) -> Result<(), PlanError> {
    // A command is told by its arguments to listen, if ever; what its sources could do says nothing.
    if found.kind == TargetKind::Cli {
        found.decisions.push(decision("command", &launch.command.join(" "), launch.because.clone()));
        found.env.extend(launch.env.clone());
        found.port = port.or(launch.port);
        found.launch = Some(launch);
        return Ok(());
    }
    let listening = listen::listening(workspace, members.package(member), &facts.service, &launch)?;
    found.decisions.push(decision("command", &launch.command.join(" "), launch.because.clone()));
    found.env.extend(launch.env.clone());
    match (port, listening.port) {
        (Some(port), _) => {
            found.port = Some(port);
            found.env.insert("PORT".to_owned(), port.to_string());
            found.decisions.push(decision("port", &port.to_string(), "the configuration says so".to_owned()));
        }
        (None, Some((port, because))) => {
            found.port = Some(port);
            found.decisions.push(decision("port", &port.to_string(), because));
        }
        (None, None) => {
            found.decisions.push(decision("port", "none", "nothing says that it listens".to_owned()));
        }
    }
    if let Some((variable, because)) = listening.host.filter(|(variable, _)| !found.env.contains_key(*variable)) {
        found.env.insert(variable.to_owned(), "0.0.0.0".to_owned());
        let because = format!("{because}, and only this address can be reached from outside");
        found.decisions.push(decision(variable, "0.0.0.0", because));
    }
    if let Some((file, line)) = listening.loopback {
        found.warnings.push(only_within(workspace, members.name(member), &file, line)?);
    }
    if let Some(server) = &launch.server {
        match (&server.packed, &server.not_packed) {
            (Some(packed), _) => found.decisions.push(decision("dependencies", "none installed", packed.why.clone())),
            (None, Some(why)) => found.decisions.push(decision("dependencies", "all of production", why.clone())),
            (None, None) => {}
        }
    }
    found.launch = Some(launch);
    Ok(())
}

/// Warns of a service that nobody outside its container reaches.
fn only_within(
    workspace: &Workspace,
    package: &PackageName,
    file: &WorkspacePath,
    line: usize,
) -> Result<Warning, PlanError> {
    let message =
        format!("`{package}` listens on an address that only what is in its container reaches ({file}:{line})");
    let warning = Warning::new("listens-on-loopback", message)
        .with_help("listen on `0.0.0.0`, or on what an environment variable such as `HOST` says");
    Ok(match line_snippet(workspace, file, line, "")? {
        Some(snippet) => warning.with_snippet(snippet),
        None => warning,
    })
}

impl FoundTarget {
    /// What its image holds, where the build packs what it needs of its dependencies.
    pub(crate) fn packed(&self) -> Option<&Packed> {
        self.launch.as_ref()?.server.as_ref()?.packed.as_ref()
    }
}

/// The port that static targets are served on: a user without rights cannot listen below 1024.
const STATIC_PORT: u16 = 8080;

fn serve(port: Option<u16>, found: &mut FoundTarget) {
    found.port = Some(port.unwrap_or(STATIC_PORT));
}

/// The members nobody configured that are targets by what their files say, with the reason.
fn infer(
    members: &Members<'_>,
    facts: &[Facts],
    claimed: &BTreeSet<Member>,
    others: &mut BTreeMap<PackageName, String>,
) -> BTreeMap<Member, (TargetKind, String)> {
    // The root's own dependencies on its members put them into one install; they do not make libraries of them.
    let mut used_by: Vec<Option<Member>> = vec![None; members.len()];
    for member in (0..members.len()).filter(|member| !members.path(*member).is_root()) {
        for edge in members.edges(member).iter().filter(|edge| edge.runs()) {
            used_by[edge.to].get_or_insert(member);
        }
    }
    let mut inferred = BTreeMap::new();
    let mut commands = BTreeMap::new();
    for (member, facts) in facts.iter().enumerate() {
        if claimed.contains(&member) {
            continue;
        }
        let engines = members.package(member).manifest.field("engines");
        if engines.is_some_and(|engines| engines.get("vscode").is_some()) {
            others.insert(members.name(member).clone(), "it is an extension of Visual Studio Code".to_owned());
            continue;
        }
        let library = used_by[member].map(|user| format!("`{}` depends on it", members.name(user)));
        let why_not = match (&facts.launch, &facts.site, library) {
            (Some((launch, Strength::Strong)), _, _) => {
                let kind = if is_own_command(launch, facts) { TargetKind::Cli } else { TargetKind::Service };
                inferred.insert(member, (kind, launch.because.clone()));
                continue;
            }
            (_, Some(site), None) => {
                inferred.insert(member, (TargetKind::Static, site.why.clone()));
                continue;
            }
            (Some((launch, strength @ (Strength::Weak | Strength::Listening))), None, None) => {
                let framework = facts.service.framework.as_deref().unwrap_or("a server framework");
                let kind = if *strength == Strength::Listening { TargetKind::Cli } else { TargetKind::Service };
                inferred.insert(member, (kind, format!("it depends on {framework}, and {}", launch.because)));
                continue;
            }
            (_, _, Some(library)) => library,
            (Some((launch, Strength::Command)), None, None) => {
                commands.insert(member, (TargetKind::Cli, launch.because.clone()));
                "nothing starts it; it brings a command".to_owned()
            }
            (None, None, None) => match facts.service.bin.as_slice() {
                [(name, file)] => {
                    format!("its command `{name}` runs {file}, which is not there, and nothing builds it")
                }
                _ => "nothing starts it, and it builds no site".to_owned(),
            },
        };
        others.insert(members.name(member).clone(), why_not);
    }
    // Beside services and sites a command is a tool; in a workspace of nothing but commands they are what is wanted.
    if inferred.values().all(|(kind, _)| *kind == TargetKind::Cli) && claimed.is_empty() {
        for member in commands.keys() {
            others.remove(members.name(*member).as_str());
        }
        inferred.extend(commands);
    }
    inferred
}

/// Whether what is started is the command that the package brings, and nothing says that it listens.
fn is_own_command(launch: &Launch, facts: &Facts) -> bool {
    let is_bin = |entry: &WorkspacePath| facts.service.bin.iter().any(|(_, file)| file == entry);
    launch.port.is_none() && facts.service.framework.is_none() && launch.entry.as_ref().is_some_and(is_bin)
}

fn decision(subject: &str, choice: &str, because: String) -> Decision {
    Decision { subject: subject.to_owned(), choice: choice.to_owned(), because }
}

fn dev_name(target: &FoundTarget) -> Option<&str> {
    target.dev.as_ref().map(|dev| dev.name.as_str())
}

fn kind_word(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Dev => "dev",
        TargetKind::Check => "check",
        TargetKind::Service => "service",
        TargetKind::Cli => "cli",
        TargetKind::Static => "static",
    }
}
