//! The stages of a Dockerfile, and which need which.

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
}

#[derive(Debug)]
struct Stage {
    name: String,
    needs: BTreeSet<usize>,
    /// A guess at how long its own steps take.
    takes: Duration,
}

impl Stages {
    /// Reads a Dockerfile. What stages are expected to take is guessed from their steps where `estimates` do not say it.
    pub(crate) fn parse(dockerfile: &str, estimates: &BTreeMap<String, Duration>) -> Self {
        let mut stages = Self::default();
        for instruction in instructions(dockerfile) {
            let mut words = instruction.text.split_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            if keyword == "FROM" {
                let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                let name = match words.as_slice() {
                    [_, by, name, ..] if by.eq_ignore_ascii_case("as") => (*name).to_owned(),
                    _ => stages.all.len().to_string(),
                };
                let needs = words.first().and_then(|base| stages.index(base)).into_iter().collect();
                stages.all.push(Stage { name, needs, takes: Duration::ZERO });
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
    fn a_critical_path_is_the_longest_chain() {
        assert_eq!(stages(&[]).critical_path("web"), Duration::from_millis(30_500));
        assert_eq!(stages(&["build-a"]).critical_path("web"), Duration::from_millis(120_400));
        assert_eq!(stages(&["install"]).critical_path("nothing"), Duration::ZERO);
        let stages = stages(&["build-a"]);
        assert_eq!(stages.work(stages.closure("build-a")), Duration::from_millis(110_100));
    }
}
