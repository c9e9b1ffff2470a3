//! The ignore file that makes plain `docker build` see exactly the planned context.

use drydock_plan::{BuildPlan, WorkspacePath};

use crate::generated::context_files;

/// The text of `<Dockerfile>.dockerignore`: everything is ignored but the files of the plan, one a line, sorted. Exact
/// on purpose: a folder let in as a whole would let in what the plan left out of it.
///
/// `generated` is the folder that generated files are written to, as for [`lower`](crate::lower()).
pub fn ignore_file(plan: &BuildPlan, generated: &WorkspacePath) -> String {
    let mut paths: Vec<WorkspacePath> = context_files(plan, generated).map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    let mut text =
        String::from("# Written by `cargo drydock dockerfile`: the build sees these files and no others.\n*\n");
    for path in &paths {
        text.push('!');
        push_pattern(&mut text, path.as_str());
        text.push('\n');
    }
    text
}

/// Writes the pattern that matches this path only, as BuildKit's matcher reads it. A file name may hold anything but
/// `/` and NUL; a line break has no escape, so it is matched as any one character.
fn push_pattern(text: &mut String, path: &str) {
    let last = path.chars().count().saturating_sub(1);
    for (index, character) in path.chars().enumerate() {
        match character {
            '*' | '?' | '[' | ']' | '\\' | '^' => text.extend(['\\', character]),
            '\n' => text.push('?'),
            // The reader trims lines.
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
        assert_eq!(pattern("app/[id]/page.tsx"), r"app/\[id\]/page.tsx");
        assert_eq!(pattern(r"a\b*c?^"), r"a\\b\*c\?\^");
        assert_eq!(pattern("!negated #1"), "!negated #1");
        assert_eq!(pattern(" a b\u{a0}"), "[ ]a b[\u{a0}]");
        assert_eq!(pattern("two\nlines"), "two?lines");
    }
}
