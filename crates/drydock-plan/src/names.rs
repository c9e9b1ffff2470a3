//! Names for stages and targets.

use std::collections::{BTreeMap, BTreeSet};

use drydock_lockfile::PackageName;

use crate::model::StageId;

/// What `FROM … AS` refuses or BuildKit warns about (its check `ReservedStageName`).
const RESERVED: [&str; 2] = ["context", "scratch"];

/// `text` as a stage's name, which is also fit for the name of an image: lowercase letters, digits and single `.`,
/// `_` and `-` between them, beginning with a letter (BuildKit's `[a-z][a-z0-9-_.]*`, the distribution's grammar of
/// references). What does not fit becomes `-`.
pub(crate) fn sanitise(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            name.push(character);
        } else if !name.ends_with(['-', '.', '_']) && !name.is_empty() {
            name.push(if matches!(character, '.' | '_') { character } else { '-' });
        }
    }
    name.truncate(name.trim_end_matches(['-', '.', '_']).len());
    if name.is_empty() {
        return "package".to_owned();
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "package-");
    }
    name
}

/// A short name for each package, no two alike: the unscoped name where one package has it, the whole name where
/// several do, numbered in the order of the names where even those look alike. A pure function of the set of names.
pub(crate) fn short_names<'a>(
    packages: impl IntoIterator<Item = &'a PackageName>,
) -> BTreeMap<&'a PackageName, String> {
    let mut unscoped: BTreeMap<String, BTreeSet<&PackageName>> = BTreeMap::new();
    for package in packages {
        unscoped.entry(sanitise(package.unscoped())).or_default().insert(package);
    }
    let mut names = Names::default();
    let mut short = BTreeMap::new();
    // Names that nobody contests are given first, so that a contested one never takes them.
    let contested = |name: &str, holders: &BTreeSet<&PackageName>| holders.len() > 1 || RESERVED.contains(&name);
    for (name, holders) in unscoped.iter().filter(|(name, holders)| !contested(name, holders)) {
        short.extend(holders.iter().map(|package| (*package, names.take(name))));
    }
    for package in unscoped.iter().filter(|(name, holders)| contested(name, holders)).flat_map(|(_, holders)| holders) {
        short.insert(package, names.take(&sanitise(package.as_str())));
    }
    short
}

/// Names that are taken.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// `wanted` when it is free, else the first free of `wanted-2`, `wanted-3`, ….
    pub(crate) fn take(&mut self, wanted: &str) -> String {
        let free = |name: &String| !RESERVED.contains(&name.as_str()) && !self.taken.contains(name);
        let numbered = (2..=self.taken.len() + 2).map(|number| format!("{wanted}-{number}"));
        let mut candidates = std::iter::once(wanted.to_owned()).chain(numbered);
        let name = candidates.find(free).expect("there are more numbers than names taken");
        self.taken.insert(name.clone());
        name
    }

    /// The same for the name of a stage.
    pub(crate) fn stage(&mut self, wanted: &str) -> StageId {
        StageId::new(&self.take(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_docker() {
        let check = |text: &str, expected: &str| assert_eq!(sanitise(text), expected, "{text}");
        check("api", "api");
        check("@acme/Web_App", "acme-web_app");
        check("3d-viewer", "package-3d-viewer");
        check("a..b--c", "a.b-c");
        check("übersicht\n$(x)", "bersicht-x");
        check("…", "package");
        check("-x-", "x");
    }

    #[test]
    fn no_two_packages_share_a_name() {
        let packages: Vec<_> = ["@a/api", "@b/api", "a-api", "web", "Web", "@x/context", "@a/ui"]
            .map(PackageName::new)
            .into_iter()
            .collect();
        let names = short_names(&packages);
        let text: Vec<String> = names.iter().map(|(package, name)| format!("{package} {name}")).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        @a/api a-api-2
        @a/ui ui
        @b/api b-api
        @x/context x-context
        Web web
        a-api a-api
        web web-2
        ");
        let mut reversed = packages.clone();
        reversed.reverse();
        assert_eq!(names, short_names(&reversed));
    }
}
