//! Checks: scripts that test a package rather than build it. Each is a stage of its own, which an image can wait for.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::closest;
use drydock_lockfile::{PrunedInstall, WorkspacePath};

use crate::error::PlanError;
use crate::installs::{Group, Groups};
use crate::lifecycle;
use crate::members::{Member, Members, key_part};
use crate::model::{BuildStage, CheckStage, GateStage, Stage, StageId, StageKind, TargetName};
use crate::names::{Names, short_names};
use crate::plan::Planner;
use crate::root_scripts::RootScripts;
use crate::script::{self, Script};
use crate::settings::Settings;

/// The scripts that check a package by everybody's habit.
pub const CHECKS: [&str; 3] = ["test", "lint", "typecheck"];

/// A script of a member.
pub(crate) type Check = (Member, String);

/// Whether a member has a script of that name that checks something: what `npm init` writes does not.
pub(crate) fn has_check(members: &Members<'_>, member: Member, name: &str) -> bool {
    let Some(text) = members.package(member).script(name) else { return false };
    // Of a workspace, the root's scripts call those of the members, or look at all files at once.
    let above = members.path(member).is_root() && members.len() > 1;
    let placeholder = text.contains("no test specified");
    let says =
        matches!(script::parse(text), Script::Simple(simple) if script::nature(&simple.words) == script::Nature::Says);
    !above
        && !placeholder
        && (!says || matches!(script::parse(text), Script::Simple(simple) if script::fails(&simple.words)))
}

/// Whether a check wants what its own package's build writes: tests may import it; what only reads sources may not.
fn is_after_build(name: &str) -> bool {
    ["test", "e2e", "integration"].iter().any(|first| name.split([':', '-', '.']).next() == Some(first))
}

/// The members that must be built before a check.
pub(crate) fn built_for(members: &Members<'_>, (member, name): &Check) -> Vec<Member> {
    let own = (members.is_built(*member) && is_after_build(name)).then_some(*member);
    members.inputs(*member).into_iter().chain(own).collect()
}

/// The checks that the image of a target waits for: of every package it is made from, in their order by name.
pub(crate) fn of_target(
    members: &Members<'_>,
    settings: &Settings,
    name: &TargetName,
    delivered: impl IntoIterator<Item = Member>,
) -> Vec<Check> {
    let asked = settings.targets.get(name).and_then(|target| target.checks.as_ref()).unwrap_or(&settings.checks);
    let made_from = members.needed(delivered);
    let checks = made_from.into_iter().flat_map(|member| asked.iter().map(move |check| (member, check.clone())));
    checks.filter(|(member, check)| has_check(members, *member, check)).collect()
}

/// Every name of a check that the settings ask for, with the key that asks.
pub(crate) fn configured(settings: &Settings) -> BTreeMap<String, String> {
    let of_targets = settings.targets.iter().flat_map(|(name, target)| {
        let key = format!("target.{}.checks", key_part(name.as_str()));
        target.checks.iter().flatten().map(move |check| (check.clone(), key.clone()))
    });
    let of_all = settings.checks.iter().map(|check| (check.clone(), "workspace.checks".to_owned()));
    of_targets.chain(of_all).collect()
}

/// Fails when a name is no script of any package: it is misspelt, and nothing would be checked.
pub(crate) fn known(members: &Members<'_>, names: &BTreeMap<String, String>) -> Result<(), PlanError> {
    let all = || (0..members.len()).flat_map(|member| members.package(member).manifest.scripts());
    match names.iter().find(|(name, _)| !all().any(|script| script == *name)) {
        None => Ok(()),
        Some((name, key)) => Err(PlanError::UnknownCheck {
            key: key.clone(),
            name: name.clone(),
            closest: closest(name, all()).map(str::to_owned),
        }),
    }
}

/// The names of checks, and what each member's begin with.
#[derive(Debug, Default)]
pub(crate) struct CheckLayout {
    /// By check: its stage.
    pub(crate) ids: BTreeMap<Check, StageId>,
    /// By target that waits for checks.
    pub(crate) gates: BTreeMap<TargetName, StageId>,
    /// By member: the place of its install.
    pub(crate) installs: BTreeMap<Member, usize>,
}

impl CheckLayout {
    /// Lays out the checks called `names` of all members. What no install for builds serves (a package that is not built
    /// or belongs to no image) is served by one more, which is added to `groups`, as its builds are to `build_ids`.
    pub(crate) fn new(
        members: &Members<'_>,
        names_of_checks: &BTreeSet<String>,
        gated: impl IntoIterator<Item = TargetName>,
        build_ids: &mut BTreeMap<Member, StageId>,
        groups: &mut Groups,
        names: &mut Names,
    ) -> Self {
        let mut layout = Self::default();
        if names_of_checks.is_empty() {
            return layout;
        }
        let checks = (0..members.len())
            .flat_map(|member| names_of_checks.iter().map(move |name| (member, name.clone())))
            .filter(|(member, name)| has_check(members, *member, name));
        let checks: Vec<Check> = checks.collect();
        let checked: BTreeSet<Member> = checks.iter().map(|(member, _)| *member).collect();
        let itself_and_inputs = |member: Member| {
            let mut all = members.inputs(member);
            all.insert(member);
            all
        };
        let (mut left, mut built) = (BTreeSet::new(), BTreeSet::new());
        for member in checked.iter().copied() {
            let wanted = itself_and_inputs(member);
            let own = groups.of.get(&member).copied();
            let serves = |place: &usize| wanted.is_subset(&groups.all[*place].members);
            match own.filter(serves).or_else(|| (0..groups.all.len()).find(serves)) {
                Some(place) => {
                    layout.installs.insert(member, place);
                }
                None => left.extend(wanted.iter().copied()),
            }
            for other in members.needed(wanted).into_iter().filter(|other| members.is_built(*other)) {
                if !groups.of.contains_key(&other) && built.insert(other) {
                    left.extend(itself_and_inputs(other));
                }
            }
        }
        if !left.is_empty() {
            let place = groups.all.len();
            groups.all.push(Group { id: names.stage("install-checks"), members: left });
            for member in checked.iter().copied() {
                layout.installs.entry(member).or_insert(place);
            }
            let short = short_names(built.iter().map(|member| members.name(*member)));
            for member in &built {
                groups.of.insert(*member, place);
                let id = names.stage(&format!("build-{}", short[members.name(*member)]));
                build_ids.entry(*member).or_insert(id);
            }
        }
        let short = short_names(checked.iter().map(|member| members.name(*member)));
        for check in checks {
            let id = names.stage(&crate::names::sanitise(&format!("{}-{}", check.1, short[members.name(check.0)])));
            layout.ids.insert(check, id);
        }
        for target in gated {
            let id = names.stage(&format!("gate-{target}"));
            layout.gates.insert(target, id);
        }
        layout
    }
}

impl Planner<'_> {
    /// The stage that runs a check. `from` is the install that serves its package.
    pub(crate) fn check(
        &mut self,
        (member, name): &Check,
        id: &StageId,
        from: &StageId,
        install: &PrunedInstall,
        root_scripts: &RootScripts,
    ) -> Result<Stage, PlanError> {
        let member = *member;
        let builds = self.builds.contains(&member) && is_after_build(name);
        // Where the build takes installed packages away with what it leaves, the check has to come before that.
        let trims = builds && !self.trim(member, install).is_empty();
        let command = lifecycle::run(self.workspace.manager, name);
        let mut work = self.work(member, from, install, root_scripts)?;
        if builds && !trims {
            work = BuildStage {
                from: self.build_ids[&member].clone(),
                root_files: Vec::new(),
                sources: Vec::new(),
                inputs: Vec::new(),
                executables: Vec::new(),
                before: Vec::new(),
                ..work
            };
        } else if trims {
            let script = self.members.build_script(member).expect("it is built");
            let build = lifecycle::run(self.workspace.manager, script);
            work.before.push((self.members.path(member).clone(), build));
        }
        // Runners of tests watch for changes where nothing says that nobody is there.
        work.env.entry("CI".to_owned()).or_insert_with(|| "true".to_owned());
        work.command = command;
        let stage = CheckStage { check: name.clone(), work };
        Ok(Stage { id: id.clone(), kind: StageKind::Check(stage), comment: None })
    }

    /// What makes the image of a target wait for checks.
    pub(crate) fn gate(target: &TargetName, id: &StageId, checks: Vec<StageId>) -> Stage {
        let kind = StageKind::Gate(GateStage { target: target.clone(), checks });
        let comment = "Holds nothing: what is copied from it only lets an image wait for checks.".to_owned();
        Stage { id: id.clone(), kind, comment: Some(comment) }
    }

    /// The folders to take away after a build.
    fn trim(&self, member: Member, install: &PrunedInstall) -> Vec<WorkspacePath> {
        let Some(outputs) = &self.facts[&member].outputs else { return Vec::new() };
        let modules = || crate::builds::own_modules(self.members.path(member), self.workspace.manager, install);
        outputs.whole_package.then(modules).flatten().into_iter().collect()
    }
}
