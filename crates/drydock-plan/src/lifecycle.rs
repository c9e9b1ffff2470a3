//! The scripts that npm runs around an install, once the sources are there.

use drydock_lockfile::{Lifecycle, WorkspacePath};
use drydock_workspace::{Package, PackageManager};

use crate::script::{self, Script};

/// In npm's order for a member of a workspace (`npm ci`, measured with npm 7 to 11).
const SCRIPTS: [&str; 6] = ["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"];

/// A command and the folder it runs in.
pub(crate) type Step = (WorkspacePath, Vec<String>);

/// What to run in the folder of `package` before it is built or read by a build.
///
/// Scripts that build are left out, because the build follows anyway; so are those that set up a clone for people (git
/// hooks, the check of who installs).
pub(crate) fn before_build(package: &Package, manager: PackageManager, policy: Option<Lifecycle>) -> Vec<Step> {
    if policy.is_some_and(|policy| policy != Lifecycle::Deferred) {
        return Vec::new();
    }
    SCRIPTS
        .into_iter()
        .filter(|name| package.script(name).is_some_and(|text| !is_for_people(text) && !builds(package, text)))
        .map(|name| (package.path.clone(), run(manager, name)))
        .collect()
}

/// The scripts of `package` that an install for production would run, and their texts.
pub(crate) fn for_production(package: &Package) -> impl Iterator<Item = (&'static str, &str)> {
    SCRIPTS[..3]
        .iter()
        .filter_map(|name| Some((*name, package.script(name)?)))
        .filter(|(_, text)| !is_for_people(text) && !builds(package, text))
}

/// The command that runs a script in the folder it stands in.
pub(crate) fn run(manager: PackageManager, script: &str) -> Vec<String> {
    [manager.command(), "run", script].map(str::to_owned).to_vec()
}

/// Tools that set up a clone and have nothing to do in an image.
const FOR_PEOPLE: [&str; 14] = [
    "husky",
    "lefthook",
    "simple-git-hooks",
    "pre-commit",
    "only-allow",
    "is-ci",
    "git",
    "yorkie",
    "ghooks",
    "opencollective",
    "opencollective-postinstall",
    "npm-check-engine",
    "check-node-version",
    "playwright",
];

/// Whether a script only sets up a clone for people, or tells something. One that also fails (`exit 1`) is run, so that
/// it fails as it does in a clone, unless what comes before it decides whether it does (`is-ci || exit 1`).
pub(crate) fn is_for_people(text: &str) -> bool {
    let guarded = text.contains("||");
    text.split(['&', '|', ';']).filter(|part| !part.trim().is_empty()).all(|part| {
        let Script::Simple(simple) = script::parse(part.trim()) else { return false };
        if !guarded && script::fails(&simple.words) {
            return false;
        }
        let words: Vec<&str> =
            simple.words.iter().map(String::as_str).filter(|word| !matches!(*word, "npx" | "-y" | "--yes")).collect();
        let tool = words.first().map_or("", |word| word.split('@').next().unwrap_or(word));
        FOR_PEOPLE.contains(&tool) || script::nature(&simple.words) == script::Nature::Says
    })
}

/// Whether a script does no more than the build that follows.
fn builds(package: &Package, text: &str) -> bool {
    let same = package.script("build") == Some(text);
    let Script::Simple(simple) = script::parse(text) else { return same };
    let words: Vec<&str> = simple.words.iter().map(String::as_str).collect();
    same || matches!(words.as_slice(), ["npm" | "pnpm" | "yarn" | "bun", "run", "build"] | ["yarn" | "pnpm", "build"])
}
