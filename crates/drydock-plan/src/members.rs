//! The members of a workspace by index, with what the plan asks of them again and again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use drydock_diagnostics::closest;
use drydock_lockfile::{PackageName, WorkspacePath};
use drydock_workspace::inspect::{self, UndeclaredImport};
use drydock_workspace::{Edge, EdgeKind, Package, PackageGraph, Workspace};
use rayon::prelude::*;

use crate::context::folders_above;
use crate::error::PlanError;
use crate::model::Decision;
use crate::script;
use crate::settings::{PackageSettings, Settings};

/// A member's place in [`Members`]: its rank by name.
pub(crate) type Member = usize;

/// The members, sorted by name, with the edges between them.
pub(crate) struct Members<'a> {
    packages: Vec<&'a Package>,
    by_name: HashMap<&'a str, Member>,
    by_folder: HashMap<&'a str, Member>,
    folders: BTreeSet<&'a WorkspacePath>,
    edges: Vec<Vec<MemberEdge<'a>>>,
    builds: Vec<Option<String>>,
    settings: &'a Settings,
    guesses: Vec<Decision>,
    cut: Vec<(Member, Member)>,
    loaded: BTreeMap<(Member, Member), UndeclaredImport>,
}

/// An edge to another member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberEdge<'a> {
    /// Where it leads.
    pub(crate) to: Member,
    /// The edge of the graph.
    pub(crate) edge: &'a Edge,
    /// What runs loads it, though it is declared for development.
    loaded: bool,
}

impl MemberEdge<'_> {
    /// Whether what runs needs it, as opposed to what builds. A name that is both a development and a peer dependency
    /// is needed by whoever uses the package.
    pub(crate) fn runs(&self) -> bool {
        self.loaded
            || std::iter::once(&self.edge.kind).chain(&self.edge.also).any(|kind| *kind != EdgeKind::Development)
    }
}

impl<'a> Members<'a> {
    /// Indexes the members. Fails when the settings name a package or a script that is not there.
    pub(crate) fn new(
        workspace: &'a Workspace,
        graph: &'a PackageGraph,
        settings: &'a Settings,
    ) -> Result<Self, PlanError> {
        let mut packages: Vec<&Package> = workspace.packages.iter().collect();
        packages.sort_by(|left, right| left.name.cmp(&right.name));
        let by_name: HashMap<&str, Member> =
            packages.iter().enumerate().map(|(member, package)| (package.name.as_str(), member)).collect();
        let by_folder = packages.iter().enumerate().map(|(member, package)| (package.path.as_str(), member)).collect();
        let folders = packages.iter().map(|package| &package.path).collect();
        let mut edges: Vec<Vec<MemberEdge<'_>>> = vec![Vec::new(); packages.len()];
        for edge in graph.edges() {
            if let (Some(from), Some(to)) = (by_name.get(edge.from.as_str()), by_name.get(edge.to.as_str())) {
                edges[*from].push(MemberEdge { to: *to, edge, loaded: false });
            }
        }
        let mut members = Self {
            packages,
            by_name,
            by_folder,
            folders,
            edges,
            builds: Vec::new(),
            settings,
            guesses: Vec::new(),
            cut: Vec::new(),
            loaded: BTreeMap::new(),
        };
        members.check_settings()?;
        for package in members.packages.clone() {
            let script = members.build_script_of(package, workspace)?;
            if let Some((script, missing)) = &script
                && let Some(missing) = missing
            {
                members.guesses.push(Decision {
                    subject: format!("package {}: build", package.name),
                    choice: script.clone(),
                    because: format!(
                        "it has no script `build`, and `{missing}`, which its manifest names, must be built"
                    ),
                });
            }
            members.builds.push(script.map(|(script, _)| script));
        }
        let cut: Vec<(Member, Member)> = graph
            .cut(&|name| members.find(name.as_str()).is_some_and(|member| members.is_built(member)))
            .into_iter()
            .filter_map(|edge| Some((members.find(edge.from.as_str())?, members.find(edge.to.as_str())?)))
            .collect();
        for (from, to) in &cut {
            members.edges[*from].retain(|edge| edge.to != *to);
        }
        members.cut = cut;
        Ok(members)
    }

    /// Takes development dependencies for such as run where the sources of what runs with `starts` load them.
    pub(crate) fn follow_imports(&mut self, workspace: &Workspace, starts: &BTreeSet<Member>) -> Result<(), PlanError> {
        let mut read: BTreeSet<Member> = BTreeSet::new();
        loop {
            let running = self.running(starts.iter().copied());
            let unread: Vec<Member> = running.into_iter().filter(|member| read.insert(*member)).collect();
            if unread.is_empty() {
                return Ok(());
            }
            let found = unread
                .par_iter()
                .map(|member| Ok((*member, inspect::for_development(workspace, self.packages[*member])?)))
                .collect::<Result<Vec<_>, PlanError>>()?;
            for (member, imports) in found {
                for import in imports {
                    let to = self.find(import.to.as_str());
                    // A circle was cut here: nothing can be built with it.
                    let Some(edge) = self.edges[member].iter_mut().find(|edge| Some(edge.to) == to) else { continue };
                    if !edge.runs() {
                        edge.loaded = true;
                        self.loaded.insert((member, edge.to), import);
                    }
                }
            }
        }
    }

    /// What `member` declares for development and loads when it runs, with the first import that says so.
    pub(crate) fn loaded(&self, member: Member) -> impl Iterator<Item = (Member, &UndeclaredImport)> {
        self.loaded.range((member, 0)..=(member, Member::MAX)).map(|((_, to), import)| (*to, import))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.packages.len()
    }

    /// The package of a member.
    pub(crate) fn package(&self, member: Member) -> &'a Package {
        self.packages[member]
    }

    /// The name of a member.
    pub(crate) fn name(&self, member: Member) -> &'a PackageName {
        &self.packages[member].name
    }

    /// The folder of a member.
    pub(crate) fn path(&self, member: Member) -> &'a WorkspacePath {
        &self.packages[member].path
    }

    /// The member of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Member> {
        self.by_name.get(name).copied()
    }

    /// The member of that name, which the setting `key` names.
    pub(crate) fn named(&self, name: &PackageName, key: impl Fn() -> String) -> Result<Member, PlanError> {
        self.find(name.as_str()).ok_or_else(|| PlanError::UnknownPackage {
            key: key(),
            name: name.to_string(),
            closest: closest(name.as_str(), self.packages.iter().map(|package| package.name.as_str()))
                .map(str::to_owned),
        })
    }

    /// The innermost member whose folder holds `path`.
    pub(crate) fn holding(&self, path: &WorkspacePath) -> Option<Member> {
        std::iter::once(path.as_str()).chain(folders_above(path)).find_map(|folder| self.by_folder.get(folder)).copied()
    }

    /// The folders of other members that lie inside the folder of `member`, sorted.
    pub(crate) fn nested_in(&self, member: Member) -> Vec<&'a WorkspacePath> {
        let folder = self.path(member);
        self.folders
            .range::<WorkspacePath, _>(folder..)
            .copied()
            // Paths below `a/b` need not follow it directly: `a/b-c` sorts between `a/b` and `a/b/d`.
            .take_while(|path| folder.is_root() || path.as_str().starts_with(folder.as_str()))
            .filter(|path| *path != folder && path.is_within(folder))
            .collect()
    }

    /// The script that builds a member.
    pub(crate) fn build_script(&self, member: Member) -> Option<&str> {
        self.builds[member].as_deref()
    }

    /// What was guessed about which scripts build.
    pub(crate) fn guesses(&self) -> &[Decision] {
        &self.guesses
    }

    /// What `member` only needs for development and is built without, because that needs `member` in turn.
    pub(crate) fn cut(&self, member: Member) -> impl Iterator<Item = Member> {
        self.cut.iter().filter(move |(from, _)| *from == member).map(|(_, to)| *to)
    }

    /// Whether a member is built.
    pub(crate) fn is_built(&self, member: Member) -> bool {
        self.builds[member].is_some()
    }

    /// The settings of a member.
    pub(crate) fn settings(&self, member: Member) -> Option<&'a PackageSettings> {
        self.settings.packages.get(self.name(member))
    }

    /// The edges from a member, sorted by name.
    pub(crate) fn edges(&self, member: Member) -> &[MemberEdge<'a>] {
        &self.edges[member]
    }

    /// `starts` and what is reached from them over edges that `follow` admits.
    pub(crate) fn reach(
        &self,
        starts: impl IntoIterator<Item = Member>,
        follow: impl Fn(Member, &MemberEdge<'_>) -> bool,
    ) -> BTreeSet<Member> {
        let mut pending: Vec<Member> = starts.into_iter().collect();
        let mut reached: BTreeSet<Member> = pending.iter().copied().collect();
        while let Some(member) = pending.pop() {
            for edge in self.edges(member) {
                if follow(member, edge) && reached.insert(edge.to) {
                    pending.push(edge.to);
                }
            }
        }
        reached
    }

    /// What must be there to build or run the image of `starts`: what runs needs, and whatever building a package that
    /// has a build needs.
    pub(crate) fn needed(&self, starts: impl IntoIterator<Item = Member>) -> BTreeSet<Member> {
        self.reach(starts, |from, edge| self.is_built(from) || edge.runs())
    }

    /// What runs together with `starts`.
    pub(crate) fn running(&self, starts: impl IntoIterator<Item = Member>) -> BTreeSet<Member> {
        self.reach(starts, |_, edge| edge.runs())
    }

    /// The other members whose files the build of `member` can read: what it depends on in any way, and what those need
    /// to run.
    pub(crate) fn inputs(&self, member: Member) -> BTreeSet<Member> {
        let mut reached = self.reach([member], |from, edge| from == member || edge.runs());
        reached.remove(&member);
        reached
    }

    /// The members whose files are there while `member` is developed, itself among them.
    pub(crate) fn developed(&self, member: Member) -> BTreeSet<Member> {
        if !self.is_built(member) {
            return self.running([member]);
        }
        let mut members = self.inputs(member);
        members.insert(member);
        members
    }

    /// The names of some members.
    pub(crate) fn names(&self, members: &BTreeSet<Member>) -> BTreeSet<PackageName> {
        members.iter().map(|member| self.name(*member).clone()).collect()
    }

    fn check_settings(&self) -> Result<(), PlanError> {
        for (name, package) in &self.settings.packages {
            self.named(name, || format!("package.{}", key_part(name.as_str())))?;
            for other in &package.depends_on {
                self.named(other, || format!("package.{}.depends-on", key_part(name.as_str())))?;
            }
        }
        Ok(())
    }

    /// The script that builds a package; and, where its name is a guess, the file that made a build necessary.
    fn build_script_of(
        &self,
        package: &Package,
        workspace: &Workspace,
    ) -> Result<Option<(String, Option<String>)>, PlanError> {
        match self.settings.packages.get(&package.name).and_then(|settings| settings.build.as_ref()) {
            Some(None) => return Ok(None),
            Some(Some(script)) if package.script(script).is_some() => return Ok(Some((script.clone(), None))),
            Some(Some(script)) => {
                return Err(PlanError::UnknownScript {
                    key: format!("package.{}.build", key_part(package.name.as_str())),
                    package: package.name.clone(),
                    script: script.clone(),
                    closest: closest(script, package.manifest.scripts()).map(str::to_owned),
                    snippet: Box::new(package.manifest.snippet(&["scripts"], "its scripts")),
                });
            }
            None => {}
        }
        let above_members = package.path.is_root() && workspace.packages.len() > 1;
        if let Some(text) = package.script("build") {
            let empty = says(text) || (above_members && delegates(text));
            return Ok((!empty).then(|| ("build".to_owned(), None)));
        }
        let Some(script) = much_like_build(package).filter(|_| !above_members) else { return Ok(None) };
        Ok(missing_file(package, workspace)?.map(|missing| (script.to_owned(), Some(missing))))
    }
}

/// A script that is called much like `build`.
fn much_like_build(package: &Package) -> Option<&str> {
    let known = ["build:prod", "build:production", "build:ts", "compile", "bundle"];
    let for_people = ["watch", "dev", "docker", "docs", "storybook", "test"];
    known.into_iter().find(|name| package.script(name).is_some()).or_else(|| {
        package.manifest.scripts().find(|name| {
            let kind = name.strip_prefix("build:");
            kind.is_some_and(|kind| !kind.split([':', '-']).any(|part| for_people.contains(&part)))
        })
    })
}

/// A file that the manifest says to run or import and that is not in the tree.
fn missing_file(package: &Package, workspace: &Workspace) -> Result<Option<String>, PlanError> {
    let started = package.script("start").map(script::parse);
    let words = match &started {
        Some(script::Script::Simple(simple)) => simple.words.as_slice(),
        _ => &[],
    };
    let named = [package.manifest.text_field("main"), package.manifest.text_field("module")].into_iter().flatten();
    let run = words.iter().map(String::as_str).filter(|word| word.ends_with("js") && !word.starts_with('-'));
    for name in named.chain(run) {
        let Ok(path) = package.path.join(name) else { continue };
        let mut there = false;
        for ending in ["", ".js", ".json", ".cjs", "/index.js"] {
            if let Ok(candidate) = WorkspacePath::new(&format!("{}{ending}", path.as_str())) {
                there |= workspace.tree.is_file(&candidate)?;
            }
        }
        if !there {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// A key of the settings as TOML writes it in a dotted path.
pub(crate) fn key_part(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|other| other.is_ascii_alphanumeric() || "_-".contains(other));
    if bare { key.to_owned() } else { format!("\"{}\"", key.escape_debug()) }
}

/// Whether a root script only runs the scripts of members.
pub(crate) fn delegates(text: &str) -> bool {
    let runners = ["turbo", "nx", "lerna", "wsrun", "ultra"];
    let flags =
        ["-w", "-ws", "--workspace", "--workspaces", "-r", "--recursive", "--filter", "workspace", "workspaces"];
    text.split_whitespace().any(|word| {
        let flag = word.split('=').next().unwrap_or(word);
        runners.contains(&word) || flags.contains(&flag)
    })
}

/// Whether a script does nothing but tell something. One that also fails (`exit 1`) is run, so that it fails.
fn says(text: &str) -> bool {
    let script::Script::Simple(simple) = script::parse(text) else { return false };
    !script::fails(&simple.words) && script::nature(&simple.words) == script::Nature::Says
}
