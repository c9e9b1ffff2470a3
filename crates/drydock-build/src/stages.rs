//! The stages of a Dockerfile, and which need which.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::steps::instructions;

/// What a step is thought to take where nobody knows better.
const RUN: Duration = Duration::from_secs(10);
const OTHER: Duration = Duration::from_millis(100);

/// The stages of one Dockerfile, by their place in it. Each only needs earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    all: Vec<Stage>,
    /// Whether something is in the Dockerfile that may need a stage without naming it plainly.
    obscure: bool,
}

#[derive(Debug)]
struct Stage {
    name: String,
    /// 1-based.
    first_line: u32,
    needs: BTreeSet<usize>,
    /// A guess at how long its own steps take.
    takes: Duration,
}

impl Stages {
    /// Reads a Dockerfile. What stages are expected to take is guessed from their steps where `estimates` do not say it.
    pub(crate) fn parse(dockerfile: &str, estimates: &BTreeMap<String, Duration>) -> Self {
        let mut stages = Self::default();
        for instruction in instructions(dockerfile) {
            stages.obscure |= instruction.text.contains("<<");
            let mut words = instruction.text.split_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            if keyword == "FROM" {
                let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                let name = match words.as_slice() {
                    [_, by, name, ..] if by.eq_ignore_ascii_case("as") => (*name).to_owned(),
                    _ => stages.all.len().to_string(),
                };
                let needs = words.first().and_then(|base| stages.index(base)).into_iter().collect();
                stages.obscure |= words.first().is_some_and(|base| base.contains('$')) || is_number(&name);
                let first_line = *instruction.lines.start();
                stages.all.push(Stage { name, first_line, needs, takes: Duration::ZERO });
                continue;
            }
            let sources = words.take_while(|word| word.starts_with("--")).filter_map(|flag| {
                let from = |text: &'_ str| text.strip_prefix("from=").and_then(|stage| stages.index(stage));
                match flag.strip_prefix("--mount=") {
                    Some(mount) => mount.split(',').find_map(from),
                    None => from(flag.trim_start_matches('-')),
                }
            });
            let sources: Vec<usize> = sources.collect();
            stages.obscure |= instruction.text.split("from=").skip(1).any(|from| from.starts_with(is_obscure));
            if let Some(stage) = stages.all.last_mut() {
                stage.needs.extend(sources);
                stage.takes += if keyword == "RUN" { RUN } else { OTHER };
            }
        }
        for stage in &mut stages.all {
            if let Some(estimate) = estimates.get(&stage.name) {
                stage.takes = *estimate;
            }
        }
        stages
    }

    /// Where the stage is that `FROM` or `--from` calls so; an image is none. Of two with one name, the later.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        let named = self.all.iter().rposition(|stage| stage.name.eq_ignore_ascii_case(name));
        named.or_else(|| name.parse().ok().filter(|index| *index < self.all.len()))
    }

    /// A stage and all that it needs.
    pub(crate) fn closure(&self, stage: &str) -> BTreeSet<usize> {
        let mut closure = BTreeSet::new();
        let mut open: Vec<usize> = self.index(stage).into_iter().collect();
        while let Some(stage) = open.pop() {
            if closure.insert(stage) {
                open.extend(&self.all[stage].needs);
            }
        }
        closure
    }

    /// The Dockerfile with the lines of all stages emptied that `stage` does not need, so that a daemon need not read
    /// sixty targets' stages for each of sixty targets. Lines stay where they are. The whole Dockerfile where it is not
    /// plain what is needed, and where one stage would be left: BuildKit does not tell the name of an only stage.
    pub(crate) fn only<'d>(&self, dockerfile: &'d str, stage: &str) -> Cow<'d, str> {
        let needed = self.closure(stage);
        if self.obscure || needed.len() < 2 || needed.len() == self.all.len() {
            return Cow::Borrowed(dockerfile);
        }
        let mut text = String::with_capacity(dockerfile.len());
        let mut begun = self.all.iter().map(|stage| stage.first_line).enumerate().peekable();
        let mut keep = true;
        for (number, line) in (1..).zip(dockerfile.lines()) {
            if let Some((index, _)) = begun.next_if(|(_, first)| *first == number) {
                keep = needed.contains(&index);
            }
            if keep {
                text.push_str(line);
            }
            text.push('\n');
        }
        Cow::Owned(text)
    }

    /// What the stages of a set take one after the other.
    pub(crate) fn work(&self, stages: impl IntoIterator<Item = usize>) -> Duration {
        stages.into_iter().map(|stage| self.all[stage].takes).sum()
    }

    /// What the longest chain of stages takes that ends in this one: no builder is faster.
    pub(crate) fn critical_path(&self, stage: &str) -> Duration {
        let mut chains: BTreeMap<usize, Duration> = BTreeMap::new();
        // What a stage needs comes before it, also in the set.
        for stage in self.closure(stage) {
            let Stage { needs, takes, .. } = &self.all[stage];
            let longest = needs.iter().map(|need| chains[need]).max().unwrap_or_default();
            chains.insert(stage, longest + *takes);
        }
        chains.into_values().max().unwrap_or_default()
    }
}

/// Whether a reference to a stage that begins so is a number or a variable.
fn is_obscure(first: char) -> bool {
    first == '$' || first.is_ascii_digit()
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = "FROM node AS base\n\
        FROM base AS Install\nCOPY .drydock/install ./\nRUN --mount=type=cache,target=/root/.npm npm ci\n\
        FROM install AS build-a\nCOPY a a\nRUN npm run build\n\
        FROM install AS build-b\nCOPY b b\nCOPY --from=build-a /a a\nRUN npm run build\n\
        FROM nginx AS web\nCOPY --chown=node --from=build-b /b b\n\
        FROM base\nRUN --mount=type=bind,from=build-a,target=/a cp /a /b\nCOPY --from=example.com/image /x /x\nCOPY --from=0 y y\n";

    fn stages(names: &[&str]) -> Stages {
        let estimates = names.iter().map(|name| ((*name).to_owned(), Duration::from_secs(100))).collect();
        Stages::parse(DOCKERFILE, &estimates)
    }

    #[test]
    fn stages_need_what_they_begin_with_and_copy_from_and_mount() {
        let stages = stages(&[]);
        assert_eq!(stages.closure("web"), BTreeSet::from([0, 1, 2, 3, 4]));
        assert_eq!(stages.closure("build-a"), BTreeSet::from([0, 1, 2]));
        assert_eq!(stages.closure("5"), BTreeSet::from([0, 1, 2, 5]));
        assert_eq!(stages.closure("INSTALL"), BTreeSet::from([0, 1]));
        assert_eq!(stages.closure("nothing"), BTreeSet::new());
    }

    #[test]
    fn what_a_stage_does_not_need_is_emptied_in_its_place() {
        let dockerfile = "# of all\nFROM x AS base\n\n# of a\nFROM base AS a\nRUN a && \\\n    b\nFROM base AS b\nCOPY --from=base x x\n";
        let stages = Stages::parse(dockerfile, &BTreeMap::new());
        assert_eq!(
            stages.only(dockerfile, "a"),
            "# of all\nFROM x AS base\n\n# of a\nFROM base AS a\nRUN a && \\\n    b\n\n\n"
        );
        assert_eq!(
            stages.only(dockerfile, "b"),
            "# of all\nFROM x AS base\n\n# of a\n\n\n\nFROM base AS b\nCOPY --from=base x x\n"
        );
        assert_eq!(stages.only(dockerfile, "base"), dockerfile);
        assert_eq!(stages.only(dockerfile, "unknown"), dockerfile);
    }

    #[test]
    fn a_dockerfile_stays_whole_where_it_is_not_plain_what_is_needed() {
        for line in ["COPY --from=0 x x", "COPY --from=$FROM x x", "RUN <<EOF", "FROM $BASE AS d", "FROM x"] {
            let dockerfile = format!("FROM x AS a\nFROM a AS b\nFROM a AS c\n{line}\n");
            assert_eq!(Stages::parse(&dockerfile, &BTreeMap::new()).only(&dockerfile, "b"), dockerfile, "{line}");
        }
    }

    #[test]
    fn a_critical_path_is_the_longest_chain() {
        assert_eq!(stages(&[]).critical_path("web"), Duration::from_millis(30_500));
        assert_eq!(stages(&["build-a"]).critical_path("web"), Duration::from_millis(120_400));
        assert_eq!(stages(&["install"]).critical_path("nothing"), Duration::ZERO);
        let stages = stages(&["build-a"]);
        assert_eq!(stages.work(stages.closure("build-a")), Duration::from_millis(110_100));
    }
}
