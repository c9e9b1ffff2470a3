//! From settings and graph to stages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_diagnostics::{Warning, closest};
use drydock_lockfile::{DependencyKind, NativeHint, PackageName, PrunedInstall, WorkspacePath};
use drydock_workspace::{PackageGraph, PackageManager, SourceFiles, Workspace};
use rayon::prelude::*;

use crate::bases::RuntimeBases;
use crate::checks::{self, Check, CheckLayout};
use crate::context::Context;
use crate::error::PlanError;
use crate::facts::{AllFacts, Facts};
use crate::input::InstallInput;
use crate::install_graph::Installs;
use crate::installs::{Deliverable, Groups, Installer};
use crate::members::{Member, Members};
use crate::model::{
    BuildPlan, Decision, ImagePath, InstallPurpose, InstallStage, Stage, StageId, StageKind, Target, TargetKind,
    TargetName,
};
use crate::names::{Names, short_names};
use crate::node::{self, Images};
use crate::patches::patches;
use crate::pins;
use crate::root_scripts::RootScripts;
use crate::settings::Settings;
use crate::targets::{self, FoundTarget, Selected, Targets};

/// Where the workspace root lies in every image.
pub(crate) const ROOT: &str = "/app";

/// What node-gyp needs to compile (its README, "On Unix").
const NODE_GYP: [&str; 3] = ["python3", "make", "g++"];

/// What npm needs to install from git repositories.
const GIT: [&str; 2] = ["ca-certificates", "git"];

/// What git needs beside itself where it goes over ssh.
const SSH: [&str; 1] = ["openssh-client"];

/// Plans the images that `selection` names: targets, or packages that are made into one; all targets when it is empty.
///
/// A stage never depends on the selection: the plan of fewer targets has some of the same stages, with the same names
/// and content.
pub fn plan(
    workspace: &Workspace,
    graph: &PackageGraph,
    settings: &Settings,
    selection: &[String],
) -> Result<BuildPlan, PlanError> {
    let (members, found) = look(workspace, graph, settings)?;
    let selected = found.select(selection, &members)?;
    let names = checks::configured(settings);
    checks::known(&members, &names)?;
    make(workspace, graph, settings, &members, &found, &selected, &names.into_keys().collect())
}

/// Plans checks: those of `packages` that are called by one of `names`. Each is a target of the plan, which has no image.
pub fn plan_checks(
    workspace: &Workspace,
    graph: &PackageGraph,
    settings: &Settings,
    packages: &BTreeSet<PackageName>,
    names: &[String],
) -> Result<BuildPlan, PlanError> {
    let (members, found) = look(workspace, graph, settings)?;
    let chosen = (0..members.len()).filter(|member| packages.contains(members.name(*member)));
    let checks = chosen.flat_map(|member| names.iter().map(move |name| (member, name.clone())));
    let checks = checks.filter(|(member, name)| checks::has_check(&members, *member, name)).collect();
    let selected = Selected { checks, ..Selected::default() };
    // With those that images wait for, so that the stages of both have the same names.
    let names = checks::configured(settings).into_keys().chain(names.iter().cloned()).collect();
    make(workspace, graph, settings, &members, &found, &selected, &names)
}

/// The members and the targets, and of the members what runs in the targets' images.
fn look<'a>(
    workspace: &'a Workspace,
    graph: &'a PackageGraph,
    settings: &'a Settings,
) -> Result<(Members<'a>, Targets), PlanError> {
    let mut members = Members::new(workspace, graph, settings)?;
    let found = targets::find(workspace, &members, settings)?;
    let run = found.targets.values().filter(|target| target.kind.runs() && target.packed().is_none());
    let starts = run.filter_map(|target| members.find(target.package.as_str())).collect();
    members.follow_imports(workspace, &starts)?;
    Ok((members, found))
}

fn make(
    workspace: &Workspace,
    graph: &PackageGraph,
    settings: &Settings,
    members: &Members<'_>,
    found: &Targets,
    selected: &Selected,
    names_of_checks: &BTreeSet<String>,
) -> Result<BuildPlan, PlanError> {
    check_root_dependencies(workspace, settings)?;
    let (images, node) = node::images(workspace, settings)?;
    let input = InstallInput::read(workspace)?;
    let (manifests, linked) = input.manifests(workspace);
    let install_graph = Installs::new(input.borrow(workspace, &manifests, &linked), workspace.tree.memo())?;
    let installer = Installer { graph: &install_graph, members, settings };
    let layout = Layout::new(members, found, settings, &images, &installer, names_of_checks)?;

    let gates: BTreeMap<&TargetName, Vec<Check>> = selected
        .images
        .iter()
        .map(|name| (name, checks::of_target(members, settings, name, delivered(members, &found.targets[name]))))
        .filter(|(_, checks)| !checks.is_empty())
        .collect();
    let all_checks: BTreeSet<Check> = gates.values().flatten().chain(&selected.checks).cloned().collect();
    let targets = selected.images.iter().flat_map(|name| delivered(members, &found.targets[name]));
    let devs = selected.devs.iter().flat_map(|name| built_for_dev(members, &found.targets[name]));
    let before_checks = all_checks.iter().flat_map(|check| checks::built_for(members, check));
    let wanted = members.needed(targets.chain(devs).chain(before_checks));
    // What is developed or checked is there as it is.
    let developed = selected.devs.iter().filter_map(|name| own(members, &found.targets[name]));
    let checked = all_checks.iter().map(|(member, _)| *member);
    let mut needed: BTreeSet<Member> = wanted.iter().copied().chain(developed).chain(checked).collect();
    // Their sources count where what they need is built before them.
    needed.extend(needed.clone().into_iter().flat_map(|member| members.cut(member).collect::<Vec<_>>()));
    let order = graph.topological(&members.names(&needed), &|name| {
        members.find(name.as_str()).is_some_and(|member| members.is_built(member))
    })?;
    let order: Vec<Member> = order.iter().filter_map(|name| members.find(name.as_str())).collect();
    let sources = SourceFiles::new(workspace)?;
    let facts = needed
        .par_iter()
        .map(|member| Ok((*member, Facts::read(workspace, &sources, members, *member)?)))
        .collect::<Result<Vec<(Member, Facts)>, PlanError>>()?;
    let facts = AllFacts::new(members.len(), facts);
    let mut rank = vec![0; members.len()];
    for (place, member) in order.iter().enumerate() {
        rank[*member] = place;
    }
    let planner = Planner {
        workspace,
        members,
        settings,
        facts,
        builds: wanted.into_iter().filter(|member| members.is_built(*member)).collect(),
        rank,
        build_ids: &layout.build_ids,
        gate_ids: gates.keys().map(|name| ((*name).clone(), layout.checks.gates[*name].clone())).collect(),
        context: Context::new(&sources),
        decisions: std::iter::once(node).chain(members.guesses().iter().cloned()).collect(),
        warnings: Vec::new(),
    };
    let checked = Checked { all: all_checks, gates };
    let (images, layout, installer) = (&images, &layout, &installer);
    planner.stages(&Work { images, layout, installer, found, selected, checked, order })
}

/// What makes the stages of a plan.
pub(crate) struct Planner<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) members: &'a Members<'a>,
    pub(crate) settings: &'a Settings,
    /// By member that takes part.
    pub(crate) facts: AllFacts,
    /// The members that are built.
    pub(crate) builds: BTreeSet<Member>,
    /// By member: its place in the order of building, for those that take part.
    rank: Vec<usize>,
    /// By member with a build: its stage.
    pub(crate) build_ids: &'a BTreeMap<Member, StageId>,
    /// By target that waits for checks: its gate.
    pub(crate) gate_ids: BTreeMap<TargetName, StageId>,
    pub(crate) context: Context<'a>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) warnings: Vec<Warning>,
}

impl Planner<'_> {
    /// `members` in the order in which they are built.
    pub(crate) fn in_build_order(&self, members: &BTreeSet<Member>) -> Vec<Member> {
        let mut ordered: Vec<Member> = members.iter().copied().collect();
        ordered.sort_by_key(|member| self.rank[*member]);
        ordered
    }

    fn stages(mut self, work: &Work<'_>) -> Result<BuildPlan, PlanError> {
        let Work { images, layout, installer, found, selected, checked, order } = work;
        let builds: Vec<Member> = order.iter().copied().filter(|member| self.builds.contains(member)).collect();
        let dev_installs: BTreeMap<&TargetName, &DevInstall> =
            selected.devs.iter().map(|name| (name, &layout.dev_installs[name])).collect();
        let of_devs = dev_installs.values().filter_map(|install| match install {
            DevInstall::Group(group) => Some(*group),
            DevInstall::Own { .. } => None,
        });
        let of_checks = checked.all.iter().map(|(member, _)| layout.checks.installs[member]);
        let of_builds = builds.iter().map(|member| layout.groups.of[member]);
        let groups: BTreeSet<usize> = of_builds.chain(of_devs).chain(of_checks).collect();
        let services: Vec<(&TargetName, &FoundTarget)> = selected
            .images
            .iter()
            .map(|name| (name, &found.targets[name]))
            .filter(|(_, target)| target.kind.runs())
            .collect();
        // By the id of its stage; two targets of one package share one.
        let production: BTreeMap<&StageId, BTreeSet<Member>> = services
            .iter()
            .filter(|(_, target)| target.packed().is_none())
            .map(|(name, target)| (&layout.production_ids[*name], self.members.running(own(self.members, target))))
            .collect();
        let pruned = prune_all(installer, layout, &groups, &dev_installs, &production)?;

        let begun: BTreeSet<&StageId> = services
            .iter()
            .flat_map(|(name, _)| [&layout.bases.of[*name], &layout.bases.installs[*name]])
            .chain(groups.iter().map(|_| &layout.base))
            .chain(dev_installs.values().map(|_| &layout.base))
            .collect();
        let mut stages = layout.bases.stages(&images.common, &layout.base, &begun);
        let mut root_scripts: BTreeMap<&StageId, RootScripts> = BTreeMap::new();
        for group in &groups {
            let group = &layout.groups.all[*group];
            root_scripts.insert(&group.id, self.root_scripts(&pruned[&group.id])?);
            let stage =
                self.install(&group.id, &layout.base, InstallPurpose::Build, &group.members, &pruned[&group.id]);
            stages.push(stage?);
        }
        for member in &builds {
            let from = &layout.groups.all[layout.groups.of[member]].id;
            let stage = self.build(*member, from, &pruned[from], &root_scripts[from])?;
            stages.push(stage);
        }
        for check in &checked.all {
            let from = &layout.groups.all[layout.checks.installs[&check.0]].id;
            let stage = self.check(check, &layout.checks.ids[check], from, &pruned[from], &root_scripts[from])?;
            stages.push(stage);
        }
        for (target, checks) in &checked.gates {
            let checks = checks.iter().map(|check| layout.checks.ids[check].clone()).collect();
            stages.push(Self::gate(target, &layout.checks.gates[*target], checks));
        }
        let mut emitted: BTreeSet<&StageId> = BTreeSet::new();
        for name in &selected.images {
            let target = &found.targets[name];
            if target.kind == TargetKind::Static {
                let stage = self.site(name, target)?;
                stages.push(stage);
                continue;
            }
            if let Some(packed) = target.packed() {
                let base = (&layout.bases.of[name], &layout.bases.installs[name], layout.bases.prepared.get(name));
                stages.extend(self.packed(name, target, packed, base, images)?);
                continue;
            }
            let id = &layout.production_ids[name];
            if emitted.insert(id) {
                let from = &layout.bases.installs[name];
                let stage = self.install(id, from, InstallPurpose::Production, &production[id], &pruned[id])?;
                stages.push(stage);
            }
            let base = &layout.bases.of[name];
            let prepared = layout.bases.prepared.get(name);
            let production = Production { id, base, images, prepared, install: &pruned[id] };
            stages.extend(self.runtime(name, target, &production)?);
        }

        self.dev_stages(work, &dev_installs, &pruned, root_scripts, &mut stages)?;
        let built = selected.images.iter().map(|name| self.target(name, &found.targets[name]));
        let devs = selected.devs.iter().filter_map(|name| self.dev_target(&found.targets[name]));
        let checks = selected.checks.iter().map(|check| self.check_target(check, &layout.checks.ids[check]));
        let targets = built.chain(devs).chain(checks).collect();
        let decisions = self.ordered_decisions(layout, found, &selected.images);
        self.warnings.extend(pins::pin(&mut stages, &self.settings.pins));
        let mut said = BTreeSet::new();
        self.warnings.retain(|warning| said.insert((warning.code, warning.message.clone())));
        Ok(BuildPlan {
            root: ImagePath::new(ROOT),
            stages,
            targets,
            context: self.context.into_files(),
            decisions,
            warnings: self.warnings,
        })
    }

    /// The images in which targets are developed, with the installs that only they need.
    fn dev_stages<'l>(
        &mut self,
        work: &Work<'l>,
        installs: &BTreeMap<&TargetName, &'l DevInstall>,
        pruned: &BTreeMap<StageId, Arc<PrunedInstall>>,
        mut root_scripts: BTreeMap<&'l StageId, RootScripts>,
        stages: &mut Vec<Stage>,
    ) -> Result<(), PlanError> {
        let Work { images, layout, found, .. } = work;
        for (name, install) in installs {
            let target = &found.targets[*name];
            let id = match install {
                DevInstall::Group(group) => &layout.groups.all[*group].id,
                DevInstall::Own { id, members } => {
                    root_scripts.insert(id, self.root_scripts(&pruned[id])?);
                    let stage = self.install(id, &layout.base, InstallPurpose::Build, members, &pruned[id])?;
                    stages.push(stage);
                    id
                }
            };
            let stage = self.dev(name, target, id, &images.common, &root_scripts[id])?;
            stages.push(stage);
        }
        Ok(())
    }

    /// What concerns all, then the stages, then each target.
    fn ordered_decisions(
        &mut self,
        layout: &Layout,
        found: &Targets,
        selected: &BTreeSet<TargetName>,
    ) -> Vec<Decision> {
        let (mut of_targets, mut decisions): (Vec<Decision>, Vec<Decision>) =
            self.decisions.drain(..).partition(|decision| decision.subject.starts_with("target "));
        decisions.extend(layout.groups.decision.clone());
        for name in selected {
            decisions.extend(found.targets[name].decisions.iter().cloned());
            let prefix = format!("target {name}: ");
            decisions.extend(of_targets.extract_if(.., |decision| decision.subject.starts_with(&prefix)));
        }
        decisions
    }

    fn target(&self, name: &TargetName, target: &FoundTarget) -> Target {
        Target {
            name: name.clone(),
            kind: target.kind,
            package: target.package.clone(),
            stage: StageId::new(name.as_str()),
            packages: self.packages_of(target),
            port: target.port,
        }
    }

    fn check_target(&self, check: &Check, id: &StageId) -> Target {
        let package = self.members.name(check.0);
        Target {
            name: TargetName::new(id.as_str()),
            kind: TargetKind::Check,
            package: package.clone(),
            stage: id.clone(),
            packages: BTreeSet::from([package.clone()]),
            port: None,
        }
    }

    fn dev_target(&self, target: &FoundTarget) -> Option<Target> {
        let dev = target.dev.as_ref()?;
        let mut packages = self.members.names(&self.members.developed(own(self.members, target)?));
        packages.extend(target.assets.iter().cloned());
        Some(Target {
            name: dev.name.clone(),
            kind: TargetKind::Dev,
            package: target.package.clone(),
            stage: StageId::new(dev.name.as_str()),
            packages,
            port: dev.port,
        })
    }

    fn install(
        &mut self,
        id: &StageId,
        from: &StageId,
        purpose: InstallPurpose,
        members: &BTreeSet<Member>,
        pruned: &PrunedInstall,
    ) -> Result<Stage, PlanError> {
        let input = WorkspacePath::new(&format!(".drydock/install/{id}")).expect("names of stages hold no `/`");
        for (path, file) in &pruned.files {
            let path = input.join(path.as_str()).expect("a path inside the workspace is inside any folder of it");
            self.context.add_bytes(path, Arc::<[u8]>::from(file.bytes.as_slice()), file.executable);
        }
        let mut files = Vec::new();
        for path in &pruned.tree_files {
            self.context.add_path(path)?;
            files.push(path.clone());
        }
        for path in &pruned.optional_tree_files {
            if self.context.add_path(path)? {
                files.push(path.clone());
            }
        }
        let (patches, warning) = patches(self.workspace, &mut self.context, id, pruned)?;
        files.extend(patches.files);
        self.warnings.extend(pruned.warnings.iter().cloned().chain(warning));
        if pruned.needs_node_gyp() {
            let compiled: BTreeSet<&str> = pruned
                .native_addons
                .iter()
                .filter(|addon| addon.hint == NativeHint::Compiles)
                .map(|addon| addon.name.as_str())
                .collect();
            self.decisions.push(Decision {
                subject: format!("stage {id}"),
                choice: format!("adds {}", NODE_GYP.join(", ")),
                because: format!("the install compiles {}", Vec::from_iter(compiled).join(", ")),
            });
        }
        let stage = InstallStage {
            from: from.clone(),
            purpose,
            input,
            manager: self.workspace.manager,
            packages: self.members.names(members),
            entries: pruned.packages,
            system_packages: tools(pruned).into_iter().map(str::to_owned).collect(),
            files,
            env: self.settings.env.clone(),
            ssh: pruned.needs_ssh,
            npmrc_secret: pruned.npmrc_secret,
            npmrc_variables: pruned.npmrc_variables.iter().cloned().collect(),
            verified: self.settings.verify_installs && self.workspace.manager == PackageManager::Npm,
            after: patches.command.into_iter().collect(),
        };
        Ok(Stage { id: id.clone(), kind: StageKind::Install(stage), comment: None })
    }
}

/// A name that is misspelt would leave a dependency out of every build without a word.
pub(crate) fn check_root_dependencies(workspace: &Workspace, settings: &Settings) -> Result<(), PlanError> {
    let root = &workspace.root.manifest;
    let known = || DependencyKind::BY_PRECEDENCE.into_iter().flat_map(|kind| root.dependencies(kind));
    for name in settings.root_dependencies.iter().flatten() {
        if !known().any(|(known, _)| known == name) {
            return Err(PlanError::UnknownRootDependency {
                key: "workspace.root-dependencies".to_owned(),
                name: name.clone(),
                closest: closest(name, known().map(|(known, _)| known)).map(str::to_owned),
            });
        }
    }
    Ok(())
}

/// The system packages that an install needs and nothing else does.
pub(crate) fn tools(install: &PrunedInstall) -> BTreeSet<&'static str> {
    let compile = if install.needs_node_gyp() { &NODE_GYP[..] } else { &[] };
    let fetch = if install.needs_git { &GIT[..] } else { &[] };
    let over_ssh = if install.needs_ssh { &SSH[..] } else { &[] };
    compile.iter().chain(fetch).chain(over_ssh).copied().collect()
}

/// The production install that an image takes its dependencies from.
pub(crate) struct Production<'a> {
    /// Its stage.
    pub(crate) id: &'a StageId,
    /// What that stage begins with.
    pub(crate) base: &'a StageId,
    /// The images that stages with Node begin with.
    pub(crate) images: &'a Images,
    /// The stage in which the files of an image without a shell are prepared, where that takes commands; `None` when the
    /// image has a shell.
    pub(crate) prepared: Option<&'a StageId>,
    /// What it installs.
    pub(crate) install: &'a PrunedInstall,
}

/// The names of all stages that any selection can have, and how they hang together. Depends on the workspace and the
/// settings only.
struct Layout {
    base: StageId,
    bases: RuntimeBases,
    build_ids: BTreeMap<Member, StageId>,
    groups: Groups,
    /// By service.
    production_ids: BTreeMap<TargetName, StageId>,
    /// By target that can be developed.
    dev_installs: BTreeMap<TargetName, DevInstall>,
    checks: CheckLayout,
}

/// What stages are made of, beside what the planner knows.
struct Work<'a> {
    /// What everything begins with.
    images: &'a Images,
    layout: &'a Layout,
    installer: &'a Installer<'a>,
    found: &'a Targets,
    selected: &'a Selected,
    checked: Checked<'a>,
    /// The members that take part, each after those it needs.
    order: Vec<Member>,
}

/// The checks that take part.
struct Checked<'a> {
    /// All of them.
    all: BTreeSet<Check>,
    /// Those that an image waits for.
    gates: BTreeMap<&'a TargetName, Vec<Check>>,
}

/// What a dev image begins with.
enum DevInstall {
    /// The install that its package is built with.
    Group(usize),
    /// One of its own, because its package is not built.
    Own {
        /// Its stage.
        id: StageId,
        /// The members whose closure it installs.
        members: BTreeSet<Member>,
    },
}

impl Layout {
    fn new(
        members: &Members<'_>,
        found: &Targets,
        settings: &Settings,
        images: &Images,
        installer: &Installer<'_>,
        names_of_checks: &BTreeSet<String>,
    ) -> Result<Self, PlanError> {
        let mut names = Names::default();
        let devs = || found.targets.iter().filter_map(|(name, target)| Some((name, target, target.dev.as_ref()?)));
        for name in found.targets.keys().chain(devs().map(|(.., dev)| &dev.name)) {
            names.take(name.as_str());
        }
        let base = names.stage("base");
        let bases = RuntimeBases::new(found, settings, images, &base, &mut names)?;
        let all: BTreeSet<Member> = found.targets.values().flat_map(|target| delivered(members, target)).collect();
        let built: Vec<Member> = members.needed(all).into_iter().filter(|member| members.is_built(*member)).collect();
        let short = short_names(built.iter().map(|member| members.name(*member)));
        let mut build_ids = built
            .iter()
            .map(|member| (*member, names.stage(&format!("build-{}", short[members.name(*member)]))))
            .collect();
        let mut groups = installer.group(&deliverables(members, found), &mut names)?;
        let mut shared: BTreeMap<(&PackageName, &StageId), StageId> = BTreeMap::new();
        let mut production_ids = BTreeMap::new();
        for (name, target) in &found.targets {
            let Some(base) = bases.installs.get(name) else { continue };
            let id =
                shared.entry((&target.package, base)).or_insert_with(|| names.stage(&format!("runtime-deps-{name}")));
            production_ids.insert(name.clone(), id.clone());
        }
        let mut dev_installs = BTreeMap::new();
        for (name, target, dev) in devs() {
            let Some(own) = own(members, target) else { continue };
            let install = match groups.of.get(&own) {
                Some(group) => DevInstall::Group(*group),
                None => DevInstall::Own {
                    id: names.stage(&format!("install-{}", dev.name)),
                    members: members.developed(own),
                },
            };
            dev_installs.insert(name.clone(), install);
        }
        let gated = found.targets.keys().cloned();
        let checks = CheckLayout::new(members, names_of_checks, gated, &mut build_ids, &mut groups, &mut names);
        Ok(Self { base, bases, build_ids, groups, production_ids, dev_installs, checks })
    }
}

/// The packages that install together for a target or for assets, each once, by name.
fn deliverables(members: &Members<'_>, found: &Targets) -> Vec<Deliverable> {
    let mut named: BTreeMap<Member, String> = BTreeMap::new();
    for (name, target) in &found.targets {
        if let Some(member) = own(members, target) {
            named.entry(member).or_insert_with(|| name.as_str().to_owned());
        }
    }
    let assets: BTreeSet<Member> = found
        .targets
        .values()
        .flat_map(|target| &target.assets)
        .filter_map(|asset| members.find(asset.as_str()))
        .filter(|asset| !named.contains_key(asset))
        .collect();
    let short = short_names(assets.iter().map(|asset| members.name(*asset)));
    named.extend(assets.iter().map(|asset| (*asset, short[members.name(*asset)].clone())));
    named.into_iter().map(|(member, name)| Deliverable { member, name }).collect()
}

/// The packages whose files are in a target's image for their own sake.
fn delivered(members: &Members<'_>, target: &FoundTarget) -> Vec<Member> {
    let assets = target.assets.iter().filter_map(|asset| members.find(asset.as_str()));
    own(members, target).into_iter().chain(assets).collect()
}

/// The packages that must be built for a target's dev image.
fn built_for_dev(members: &Members<'_>, target: &FoundTarget) -> Vec<Member> {
    let Some(own) = own(members, target) else { return Vec::new() };
    let assets = target.assets.iter().filter_map(|asset| members.find(asset.as_str()));
    let itself = target.dev.as_ref().is_some_and(|dev| dev.built).then_some(own);
    members.developed(own).into_iter().filter(|member| *member != own).chain(assets).chain(itself).collect()
}

fn own(members: &Members<'_>, target: &FoundTarget) -> Option<Member> {
    members.find(target.package.as_str())
}

/// The installs of all stages, made at once.
fn prune_all(
    installer: &Installer<'_>,
    layout: &Layout,
    groups: &BTreeSet<usize>,
    devs: &BTreeMap<&TargetName, &DevInstall>,
    production: &BTreeMap<&StageId, BTreeSet<Member>>,
) -> Result<BTreeMap<StageId, Arc<PrunedInstall>>, PlanError> {
    let builds = groups.iter().map(|group| {
        let group = &layout.groups.all[*group];
        (group.id.clone(), installer.build_selection(&group.members))
    });
    let devs = devs.values().filter_map(|install| match install {
        DevInstall::Group(_) => None,
        DevInstall::Own { id, members } => Some((id.clone(), installer.build_selection(members))),
    });
    let runs = production.iter().map(|(id, members)| ((*id).clone(), installer.production_selection(members)));
    builds
        .chain(devs)
        .chain(runs)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|(id, selection)| Ok((id, installer.graph.prune(&selection)?)))
        .collect::<Result<BTreeMap<StageId, Arc<PrunedInstall>>, PlanError>>()
}
