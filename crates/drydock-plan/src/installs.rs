//! Which builds install together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_lockfile::{Closure, Lifecycle, RootDependencies, Selection};

use crate::error::PlanError;
use crate::install_graph::Installs;
use crate::members::{Member, Members};
use crate::model::{Decision, StageId};
use crate::names::Names;
use crate::settings::{InstallStrategy, Settings};

/// Closures that have this share of their entries in common are one install whatever else there is.
const ALIKE: f64 = 0.8;

/// How many times over, on average, entries may be installed for the sake of independence: one `npm ci` is mostly one
/// thread, so two or three that overlap finish before one large one, but not when each installs nearly everything
/// (measured on LibreChat: by target 1.4 times over and faster, by package 2.2 times over and slower).
const TIMES_OVER: f64 = 1.75;

/// With more groups than this, all pairs are not compared and one install serves everything.
const MOST_GROUPS: usize = 48;

/// An image's own package, or one whose outputs it serves: what the packages it needs install together for.
#[derive(Debug, Clone)]
pub(crate) struct Deliverable {
    /// The package.
    pub(crate) member: Member,
    /// What it is called.
    pub(crate) name: String,
}

/// An install for builds.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its stage.
    pub(crate) id: StageId,
    /// The members whose closure it installs.
    pub(crate) members: BTreeSet<Member>,
}

/// The installs for builds, and which build begins with which.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// All of them.
    pub(crate) all: Vec<Group>,
    /// By member that is built: its install's place in `all`.
    pub(crate) of: BTreeMap<Member, usize>,
    /// Why they are as they are.
    pub(crate) decision: Option<Decision>,
}

/// A group while it may still be merged with others.
struct Draft {
    names: Vec<String>,
    members: BTreeSet<Member>,
    closure: Arc<Closure>,
}

/// Which of the root's own dependencies installs for builds have.
pub(crate) fn root_dependencies(settings: &Settings) -> RootDependencies {
    match &settings.root_dependencies {
        None => RootDependencies::All,
        Some(names) if names.is_empty() => RootDependencies::None,
        Some(names) => RootDependencies::Only(names.clone()),
    }
}

/// What installing asks of the lockfile and the settings.
pub(crate) struct Installer<'a> {
    pub(crate) graph: &'a Installs<'a>,
    pub(crate) members: &'a Members<'a>,
    pub(crate) settings: &'a Settings,
}

impl Installer<'_> {
    /// The selection that building `members` needs.
    pub(crate) fn build_selection(&self, members: &BTreeSet<Member>) -> Selection {
        let root_dependencies = root_dependencies(self.settings);
        Selection { root_dependencies, lifecycle: self.lifecycle(members), ..Selection::build(self.paths(members)) }
    }

    /// The selection that running `members` needs.
    pub(crate) fn production_selection(&self, members: &BTreeSet<Member>) -> Selection {
        Selection {
            lifecycle: self.lifecycle(members),
            production_mode: self.settings.production_mode,
            ..Selection::production(self.paths(members))
        }
    }

    fn paths(&self, members: &BTreeSet<Member>) -> Vec<drydock_lockfile::WorkspacePath> {
        members.iter().map(|member| self.members.path(*member).clone()).collect()
    }

    fn lifecycle(&self, members: &BTreeSet<Member>) -> BTreeMap<drydock_lockfile::WorkspacePath, Lifecycle> {
        let policy = |member: &Member| self.members.settings(*member)?.lifecycle;
        let root = self.settings.root_lifecycle.map(|policy| (drydock_lockfile::WorkspacePath::root(), policy));
        let members = members.iter().filter_map(|member| Some((self.members.path(*member).clone(), policy(member)?)));
        root.into_iter().chain(members).collect()
    }

    /// Groups everything that is built for `deliverables`, by the settings' strategy.
    pub(crate) fn group(&self, deliverables: &[Deliverable], names: &mut Names) -> Result<Groups, PlanError> {
        let parts: Vec<(&Deliverable, BTreeSet<Member>)> = deliverables
            .iter()
            .map(|deliverable| (deliverable, self.installed_for(deliverable.member)))
            .filter(|(_, members)| !members.is_empty())
            .collect();
        match self.settings.install {
            InstallStrategy::Shared => Ok(self.shared(&parts, names, None)),
            InstallStrategy::Package => Ok(self.by_package(&parts, names)),
            InstallStrategy::Target => {
                let drafts = self.drafts(&parts)?;
                Ok(self.finish(drafts, names, None))
            }
            InstallStrategy::Auto if parts.len() <= 1 => {
                let because =
                    parts.first().map(|(deliverable, _)| format!("all that is built serves {}", deliverable.name));
                Ok(self.shared(&parts, names, because))
            }
            InstallStrategy::Auto if parts.len() > MOST_GROUPS => {
                let because = format!("{} packages are delivered, too many for an install each", parts.len());
                Ok(self.shared(&parts, names, Some(because)))
            }
            InstallStrategy::Auto => self.automatic(&parts, names),
        }
    }

    /// What an install must serve so that everything built for a deliverable can be built with it: nothing when nothing
    /// is built.
    fn installed_for(&self, deliverable: Member) -> BTreeSet<Member> {
        let needed = self.members.needed([deliverable]);
        self.members.needed(needed.into_iter().filter(|member| self.members.is_built(*member)))
    }

    fn shared(&self, parts: &[(&Deliverable, BTreeSet<Member>)], names: &mut Names, because: Option<String>) -> Groups {
        let members: BTreeSet<Member> = parts.iter().flat_map(|(_, members)| members).copied().collect();
        if members.is_empty() {
            return Groups::default();
        }
        let of = members.iter().filter(|member| self.members.is_built(**member)).map(|member| (*member, 0)).collect();
        let decision = because.map(|because| decision("shared", because));
        Groups { all: vec![Group { id: names.stage("install"), members }], of, decision }
    }

    fn by_package(&self, parts: &[(&Deliverable, BTreeSet<Member>)], names: &mut Names) -> Groups {
        let all: BTreeSet<Member> = parts.iter().flat_map(|(_, members)| members).copied().collect();
        let built: Vec<Member> = all.into_iter().filter(|member| self.members.is_built(*member)).collect();
        let short = crate::names::short_names(built.iter().map(|member| self.members.name(*member)));
        let mut groups = Groups::default();
        for member in built {
            let mut members = self.members.inputs(member);
            members.insert(member);
            groups.of.insert(member, groups.all.len());
            let id = names.stage(&format!("install-{}", short[self.members.name(member)]));
            groups.all.push(Group { id, members });
        }
        groups
    }

    fn drafts(&self, parts: &[(&Deliverable, BTreeSet<Member>)]) -> Result<Vec<Draft>, PlanError> {
        parts
            .iter()
            .map(|(deliverable, members)| {
                let closure = self.graph.closure(&self.build_selection(members))?;
                Ok(Draft { names: vec![deliverable.name.clone()], members: members.clone(), closure })
            })
            .collect()
    }

    /// Begins with an install for each deliverable and merges those that are nearly the same, then those most alike
    /// until entries are not installed too many times over.
    fn automatic(&self, parts: &[(&Deliverable, BTreeSet<Member>)], names: &mut Names) -> Result<Groups, PlanError> {
        let mut drafts = self.drafts(parts)?;
        let all: BTreeSet<Member> = parts.iter().flat_map(|(_, members)| members).copied().collect();
        let union = self.graph.closure(&self.build_selection(&all))?.len().max(1);
        while drafts.len() > 1 {
            let (likeness, left, right) = most_alike(&drafts);
            let installed: usize = drafts.iter().map(|draft| draft.closure.len()).sum();
            if likeness < ALIKE && ratio(installed, union) <= TIMES_OVER {
                break;
            }
            let merged = drafts.remove(right);
            let into = &mut drafts[left];
            into.names.extend(merged.names);
            into.members.extend(merged.members);
            into.closure = self.graph.closure(&self.build_selection(&into.members))?;
        }
        if drafts.len() == 1 {
            let because = "what its targets install is nearly the same".to_owned();
            return Ok(self.shared(parts, names, Some(because)));
        }
        let sizes: Vec<String> = drafts
            .iter()
            .map(|draft| format!("{} ({} entries)", draft.names.join(" and "), draft.closure.len()))
            .collect();
        let because = format!(
            "{} installs run at once, each smaller than one for all ({union} entries): {}",
            drafts.len(),
            sizes.join(", ")
        );
        Ok(self.finish(drafts, names, Some(decision("target", because))))
    }

    /// Gives every package that is built to the smallest install that serves it: the one that is ready first.
    fn finish(&self, drafts: Vec<Draft>, names: &mut Names, decision: Option<Decision>) -> Groups {
        let mut groups = Groups { decision, ..Groups::default() };
        let mut smallest: BTreeMap<Member, (usize, usize)> = BTreeMap::new();
        let single = drafts.len() == 1;
        for (place, draft) in drafts.iter().enumerate() {
            for member in draft.members.iter().filter(|member| self.members.is_built(**member)) {
                let size = (draft.closure.len(), place);
                smallest.entry(*member).and_modify(|best| *best = size.min(*best)).or_insert(size);
            }
        }
        groups.of = smallest.into_iter().map(|(member, (_, place))| (member, place)).collect();
        for draft in drafts {
            let wanted = match draft.names.as_slice() {
                _ if single => "install".to_owned(),
                [one] => format!("install-{one}"),
                [one, two] => format!("install-{one}-{two}"),
                [first, ..] => format!("install-{first}-and-others"),
                [] => unreachable!("a draft begins with one name"),
            };
            groups.all.push(Group { id: names.stage(&wanted), members: draft.members });
        }
        groups
    }
}

/// The two drafts with the largest share of entries in common, first of equals.
fn most_alike(drafts: &[Draft]) -> (f64, usize, usize) {
    let mut best = (-1.0, 0, 0);
    for (right, other) in drafts.iter().enumerate() {
        for (left, draft) in drafts[..right].iter().enumerate() {
            let common = draft.closure.overlap(&other.closure);
            let likeness = ratio(common, draft.closure.len() + other.closure.len() - common);
            if likeness > best.0 {
                best = (likeness, left, right);
            }
        }
    }
    best
}

#[expect(clippy::cast_precision_loss, reason = "sizes of lockfiles are far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn decision(choice: &str, because: String) -> Decision {
    Decision { subject: "install".to_owned(), choice: choice.to_owned(), because }
}
