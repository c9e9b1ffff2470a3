//! The ignore file that makes plain `docker build` see exactly the planned context.

use std::collections::{BTreeMap, BTreeSet};

use drydock_plan::{BuildPlan, WorkspacePath};

use crate::generated::context_files;

/// How many patterns are named at most. Clients compare every file of the tree with every pattern: 5,000 patterns
/// delay a build by a second or two.
const PATTERNS: usize = 5_000;

/// How many bytes the patterns may have. Clients get them as headers, which a daemon takes up to 1 MiB of.
const BYTES: usize = 700_000;

/// What a header costs beside its text.
const HEADER: usize = 64;

/// The text of `<Dockerfile>.dockerignore`: everything is ignored but the files of the plan, one a line, sorted. Exact
/// on purpose: a folder let in as a whole would let in what the plan left out of it.
///
/// A context of too many files cannot be named so. Then the largest folders are let in as a whole but for
/// `node_modules`; not the folder of a package itself, beside whose files builds and installs leave theirs, unless
/// there are thousands of those.
///
/// `generated` is the folder that generated files are written to, as for [`lower`](crate::lower()).
pub fn ignore_file(plan: &BuildPlan, generated: &WorkspacePath) -> String {
    ignore_file_with(plan, generated, &[])
}

/// The same with more patterns, which stand before those of the plan's own files, so that these hold in any case.
pub(crate) fn ignore_file_with(plan: &BuildPlan, generated: &WorkspacePath, more: &[String]) -> String {
    let paths: BTreeSet<WorkspacePath> = context_files(plan, generated).map(|(path, _)| path).collect();
    let whole = whole_folders(&paths, PATTERNS, BYTES);
    ignore_text(&paths, &whole, more)
}

fn ignore_text(paths: &BTreeSet<WorkspacePath>, whole: &BTreeSet<WorkspacePath>, more: &[String]) -> String {
    let mut text =
        String::from("# Written by `cargo drydock dockerfile`: the build sees what is named here and nothing else.\n");
    if !whole.is_empty() {
        text.push_str("# There are too many to name each, so the largest folders are let in as a whole.\n");
    }
    text.push_str("*\n");
    for pattern in more {
        text.push_str(pattern);
        text.push('\n');
    }
    let is_inside = |path: &WorkspacePath| ancestors(path).any(|folder| whole.contains(&folder));
    let (inside, named): (Vec<_>, Vec<_>) = paths.iter().partition(|path| is_inside(path));
    let mut let_in: Vec<&WorkspacePath> = named.into_iter().chain(whole).collect();
    let_in.sort();
    for path in let_in {
        push_line(&mut text, path);
    }
    if !whole.is_empty() {
        text.push_str("**/node_modules\n");
        for path in inside.into_iter().filter(|path| path.parts().any(|part| part == "node_modules")) {
            push_line(&mut text, path);
        }
    }
    text
}

fn push_line(text: &mut String, path: &WorkspacePath) {
    text.push('!');
    push_pattern(text, path.as_str());
    text.push('\n');
}

/// The fewest folders, largest first, that have to be let in as a whole to stay within the limits.
fn whole_folders(paths: &BTreeSet<WorkspacePath>, patterns: usize, bytes: usize) -> BTreeSet<WorkspacePath> {
    let limits = Size { files: patterns, bytes };
    let all = paths.iter().fold(Size::default(), Size::plus);
    if all.fits(&limits) {
        return BTreeSet::new();
    }
    // A folder with a package.json is named file by file; so is what leads to it.
    let packages = paths.iter().filter(|path| path.file_name() == "package.json");
    let kept: BTreeSet<WorkspacePath> = packages.flat_map(ancestors).chain([WorkspacePath::root()]).collect();
    let (whole, size) = largest_folders(paths, &kept, &all, &limits);
    if size.fits(&limits) {
        return whole;
    }
    // Thousands of packages: only the folders of the root are left.
    largest_folders(paths, &BTreeSet::from([WorkspacePath::root()]), &all, &limits).0
}

/// The largest folders outside `kept`, as many as bring the patterns within the limits, and what is left then.
fn largest_folders(
    paths: &BTreeSet<WorkspacePath>,
    kept: &BTreeSet<WorkspacePath>,
    all: &Size,
    limits: &Size,
) -> (BTreeSet<WorkspacePath>, Size) {
    let mut folders: BTreeMap<WorkspacePath, Size> = BTreeMap::new();
    for path in paths {
        if let Some(outermost) = ancestors(path).filter(|folder| !kept.contains(folder)).last() {
            let size = folders.entry(outermost).or_default();
            *size = size.plus(path);
        }
    }
    let mut largest: Vec<_> = folders.into_iter().filter(|(_, size)| size.files > 1).collect();
    largest.sort_by_key(|(_, size)| std::cmp::Reverse(size.files));
    let mut size = *all;
    let mut whole = BTreeSet::new();
    for (folder, inside) in largest {
        if size.fits(limits) {
            break;
        }
        size = Size { files: size.files - inside.files, bytes: size.bytes - inside.bytes }.plus(&folder);
        whole.insert(folder);
    }
    (whole, size)
}

/// How many patterns there are, and what they cost as headers.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    files: usize,
    bytes: usize,
}

impl Size {
    fn plus(self, path: &WorkspacePath) -> Self {
        Self { files: self.files + 1, bytes: self.bytes + path.as_str().len() + HEADER }
    }

    fn fits(&self, limits: &Self) -> bool {
        self.files <= limits.files && self.bytes <= limits.bytes
    }
}

/// The folders a path lies in, innermost first, the root included.
fn ancestors(path: &WorkspacePath) -> impl Iterator<Item = WorkspacePath> {
    std::iter::successors(path.parent(), WorkspacePath::parent)
}

/// Readers drop it at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Writes the pattern that matches this path only, as BuildKit's matcher reads it. A file name may hold anything but
/// `/` and NUL; a line break has no escape, so it is matched as any one character.
///
/// A pattern without special characters is compared as it is. Any other becomes a regular expression, in which
/// braces and `|` keep their meaning, and `+` and parentheses did until Docker 23; there these are escaped too.
fn push_pattern(text: &mut String, path: &str) {
    let outer_space = path.starts_with(char::is_whitespace) || path.ends_with(char::is_whitespace);
    let marked = path.starts_with(BYTE_ORDER_MARK);
    if !path.contains(['*', '?', '[', ']', '\\', '^', '{', '}', '|', '\n']) && !outer_space && !marked {
        text.push_str(path);
        return;
    }
    let last = path.chars().count() - 1;
    for (index, character) in path.chars().enumerate() {
        match character {
            '*' | '?' | '[' | ']' | '\\' | '^' | '{' | '}' | '|' | '+' | '(' | ')' => text.extend(['\\', character]),
            '\n' => text.push('?'),
            // The reader drops it at the beginning, and trims lines.
            BYTE_ORDER_MARK if index == 0 => text.extend(['[', character, ']']),
            space if space.is_whitespace() && (index == 0 || index == last) => text.extend(['[', space, ']']),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_path_only() {
        let pattern = |path: &str| {
            let mut text = String::new();
            push_pattern(&mut text, path);
            text
        };
        assert_eq!(pattern("src/routes/+page.svelte"), "src/routes/+page.svelte");
        assert_eq!(pattern("app/(group)/page.tsx"), "app/(group)/page.tsx");
        assert_eq!(pattern("app/(group)/[id]/a|b.tsx"), r"app/\(group\)/\[id\]/a\|b.tsx");
        assert_eq!(pattern(r"a\b*c?^"), r"a\\b\*c\?\^");
        assert_eq!(pattern("!negated #1"), "!negated #1");
        assert_eq!(pattern(" a b\u{a0}"), "[ ]a b[\u{a0}]");
        assert_eq!(pattern("two\nlines"), "two?lines");
    }

    #[test]
    fn folders_stand_for_files_only_when_there_are_too_many() {
        let texts = [
            "package.json",
            "docs/a.md",
            "packages/README.md",
            "packages/api/package.json",
            "packages/api/src/a.ts",
            "packages/api/src/deep/b.ts",
            "packages/api/src/node_modules/vendored.js",
            "packages/api/test/a.ts",
        ];
        let paths: BTreeSet<WorkspacePath> = texts.iter().map(|text| WorkspacePath::new(text).unwrap()).collect();
        let whole = |patterns, bytes| -> Vec<String> {
            whole_folders(&paths, patterns, bytes).iter().map(|path| path.as_str().to_owned()).collect()
        };
        assert_eq!(whole(8, BYTES), [""; 0]);
        assert_eq!(whole(7, BYTES), ["packages/api/src"]);
        assert_eq!(whole(8, 600), ["packages/api/src"]);
        assert_eq!(whole(6, BYTES), ["packages/api/src"]);
        assert_eq!(whole(3, BYTES), ["packages"]);
        insta::assert_snapshot!(ignore_text(&paths, &whole_folders(&paths, 7, BYTES), &[]), @r#"
        # Written by `cargo drydock dockerfile`: the build sees what is named here and nothing else.
        # There are too many to name each, so the largest folders are let in as a whole.
        *
        !docs/a.md
        !package.json
        !packages/README.md
        !packages/api/package.json
        !packages/api/src
        !packages/api/test/a.ts
        **/node_modules
        !packages/api/src/node_modules/vendored.js
        "#);
    }

    #[test]
    fn any_number_of_files_and_packages_fits_into_the_limits() {
        for packages in [50, 10_000] {
            let paths: BTreeSet<WorkspacePath> = (0..20_000)
                .map(|index| format!("packages/p{}/src/file-{index}.ts", index % packages))
                .chain((0..packages).map(|index| format!("packages/p{index}/package.json")))
                .map(|text| WorkspacePath::new(&text).unwrap())
                .collect();
            let text = ignore_text(&paths, &whole_folders(&paths, PATTERNS, BYTES), &[]);
            assert!(text.lines().count() <= PATTERNS + 4, "{}", text.lines().count());
        }
    }
}
