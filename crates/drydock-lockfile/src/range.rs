//! Whether a version is in a range by npm's own rule: semver in its loose mode, prereleases only where the range
//! names one of the same version, `*` and the empty range for everything.

use std::borrow::Cow;

use nodejs_semver::{Range, Version};

/// Whether `version` is in `range`; `None` when `range` is not a range at all, which makes it a tag for npm. `None` as
/// the version (a member may have none) is only in `*`.
pub fn satisfies(version: Option<&str>, range: &str) -> Option<bool> {
    let range = range.trim();
    if range.is_empty() || range == "*" {
        return Some(true);
    }
    let range = parse_range(range)?;
    let Some(version) = version.and_then(parse_version) else { return Some(false) };
    Some(version.satisfies(&range))
}

/// Whether a text is a range or a version, as opposed to a tag.
pub(crate) fn is_range(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text == "*" || parse_range(text).is_some()
}

fn parse_range(text: &str) -> Option<Range> {
    Range::parse(tidy(text)?).ok()
}

/// What the parser reads otherwise than npm does: an empty alternative, and `^` or `~` before an `x`, mean `*`; a
/// number after an `x` makes no range.
fn tidy(spec: &str) -> Option<Cow<'_, str>> {
    // Nearly every range of a lockfile is one of these, and read rightly as it stands.
    if !spec.contains(['|', 'x', 'X', '*']) {
        return Some(Cow::Borrowed(spec));
    }
    let alternatives: Option<Vec<String>> = spec
        .split("||")
        .map(|alternative| {
            let words: Option<Vec<&str>> = alternative.split_whitespace().map(tidy_word).collect();
            let text = words?.join(" ");
            Some(if text.is_empty() { "*".to_owned() } else { text })
        })
        .collect();
    Some(Cow::Owned(alternatives?.join(" || ")))
}

fn tidy_word(word: &str) -> Option<&str> {
    const X: [&str; 3] = ["x", "X", "*"];
    let bare = word.trim_start_matches(['^', '~', '>', '<', '=', 'v']);
    let mut parts = bare.splitn(3, '.').map(|part| part.split(['-', '+']).next().unwrap_or(part));
    let mut seen_x = false;
    if parts.any(|part| {
        let is_x = X.contains(&part);
        let number_after_x = seen_x && !is_x;
        seen_x |= is_x;
        number_after_x
    }) {
        return None;
    }
    let first = bare.split('.').next().unwrap_or_default();
    match X.contains(&first) {
        // Nothing is above or below everything.
        true if word.starts_with('>') && !word.starts_with(">=")
            || word.starts_with('<') && !word.starts_with("<=") =>
        {
            Some("<0.0.0-0")
        }
        true => Some("*"),
        false => Some(word),
    }
}

fn parse_version(text: &str) -> Option<Version> {
    let text = text.trim().trim_start_matches(['=', 'v', ' ']);
    // The parser takes a fourth number, npm does not.
    let main = text.split(['-', '+']).next()?;
    (main.split('.').count() == 3).then(|| Version::parse(text).ok())?
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const VERSIONS: &[&str] = &[
        "1.0.0",
        "1.2.3",
        "v0.8.8-rc1",
        "1.2.3-beta.1",
        "1.2.3-beta.2",
        "0.0.1",
        "0.1.0",
        "0.1.9",
        "2.0.0-rc.1",
        "2.0.0",
        "v1.2.3",
        "=1.2.3",
        " 1.2.3 ",
        "1.2.3beta",
        "1.2",
        "1",
        "",
        "1.2.3+build.5",
        "1.2.3-0",
        "10.20.30",
        "0.0.0",
        "01.2.3",
        "1.2.3.4",
        "1.2.3-beta+exp",
        "0.0.3-alpha",
    ];

    const RANGES: &[&str] = &[
        "",
        "*",
        "x",
        "X",
        "latest",
        "next",
        "^1.0.0",
        "^1",
        "^1.2",
        "~1.2.3",
        "~1.2",
        "~1",
        "~>1.2",
        ">=1.0.0",
        ">= 1.0.0",
        ">1",
        "<2",
        "<=2",
        ">1.2",
        "<2.0.0-0",
        "1.x",
        "1.2.x",
        "1.*",
        "1.2.*",
        "1",
        "1.2",
        "=1.2.3",
        "v1.2.3",
        "== 1.2.3",
        "^v1.2.3",
        "^0",
        "^0.0",
        "^0.0.1",
        "^0.1",
        "^0.x",
        "1.0.0 - 2.0.0",
        "1 - 2",
        "1.2 - 2.3.4",
        "1.0.0 - 2",
        "^1.0.0 || ^2.0.0",
        "^1||^2",
        "1||2||3",
        ">=1.0.0 <2.0.0",
        ">= 1 < 2",
        "^1.2.3-beta.1",
        "~1.2.3-beta.1",
        ">=1.2.3-beta.1",
        ">1.2.3-beta.1 <2",
        "1.2.3-beta.1",
        "1.2.3beta",
        "^1.2.3beta",
        ">=0.8.8-rc0",
        "v0.8.8-rc1",
        "^0.8.8-rc1",
        "0.8.8-rc1",
        ">=2.0.0-rc",
        "^2.0.0-rc.1",
        ">=1.2.3-0",
        "~0",
        "~0.0",
        ">=0",
        ">0",
        "<0",
        ">=*",
        "<*",
        ">*",
        "^*",
        "~*",
        "^x",
        "1.x.x",
        "1.x.3",
        "*.1",
        "x.1.2",
        "||",
        "^1.0.0 ||",
        "|| ^1.0.0",
        "beta",
        "1.2.3+build",
        "^1.2.3+b",
        "  ^1.0.0  ",
        "^ 1.2.3",
        "~ 1.2.3",
        "> 1.0.0",
        "1.2.3 - 1.2.3",
        ">=1.2.3-beta.1 <1.2.3",
        "^01.0.0",
        "1.2.3.4",
        "a",
        "<1.2.3",
        "<=1.2.3",
        "<1.2.3-beta.2",
        "^1.0.0 ^1.2",
        "v1",
        "=v1.2.3",
        ">=v1",
        ">=1.2.3 || >=0.1.0-alpha",
        "0.x",
        "0.0.x",
        "^0.0.x",
        "~0.0.x",
        "^0.0.3-alpha",
        ">=1.x",
        ">1.x",
        "<1.x",
        "<=1.x",
        ">1.2.x",
        "<1.2.x",
        ">=1.2",
        "=1.x",
    ];

    /// npm's own semver is the judge of every pair.
    #[test]
    fn agrees_with_npm() {
        let script = r"
            const path = require('path');
            const npm = require('fs').realpathSync(require('child_process').execSync('command -v npm').toString().trim());
            const semver = require(path.resolve(npm, '../../node_modules/semver'));
            const [versions, ranges] = JSON.parse(process.argv[1]);
            for (const range of ranges) for (const version of versions) {
              const valid = semver.validRange(range, true) !== null;
              console.log(valid ? String(semver.satisfies(version, range, true) || range.trim() === '' || range.trim() === '*') : 'tag');
            }";
        let input = serde_json::to_string(&(VERSIONS, RANGES)).unwrap();
        let output = Command::new("node").args(["-e", script, &input]).output().expect("node is on PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answers = String::from_utf8(output.stdout).unwrap();
        let mut answers = answers.lines();
        let mut wrong = Vec::new();
        for range in RANGES {
            for version in VERSIONS {
                let expected = answers.next().expect("an answer a pair");
                let actual = satisfies(Some(version), range).map_or("tag".to_owned(), |met| met.to_string());
                if actual != expected {
                    wrong.push(format!("{version:?} in {range:?}: npm says {expected}, not {actual}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_member_without_version_is_only_in_everything() {
        assert_eq!(satisfies(None, "*"), Some(true));
        assert_eq!(satisfies(None, ""), Some(true));
        assert_eq!(satisfies(None, "^1"), Some(false));
    }
}
