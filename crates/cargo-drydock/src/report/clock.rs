//! How long stages ran, and which chain of them the build waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use drydock_build::{Event, VertexDigest};

use super::RowSpec;

/// A stage that took less is no news.
const NOTABLE: Duration = Duration::from_millis(100);

/// Adds up how long the steps of each stage ran.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    stages: Vec<Timed>,
    by_name: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
struct Timed {
    name: String,
    label: String,
    /// Indices of stages before this one.
    needs: Vec<usize>,
    /// How long each step ran, by platform: those of several run beside each other.
    steps: BTreeMap<Option<String>, BTreeMap<VertexDigest, Duration>>,
}

/// A stage of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The stage.
    pub(crate) stage: String,
    /// What it is called.
    pub(crate) label: String,
    /// How long its steps ran.
    pub(crate) ran: Duration,
}

impl Clock {
    /// No stage has run yet. Stages come after those that they need.
    pub(crate) fn new(specs: &[RowSpec]) -> Self {
        let by_name: BTreeMap<String, usize> =
            specs.iter().enumerate().map(|(index, spec)| (spec.stage.clone(), index)).collect();
        let timed = |(index, spec): (usize, &RowSpec)| Timed {
            name: spec.stage.clone(),
            label: spec.label.clone(),
            needs: spec
                .needs
                .iter()
                .filter_map(|name| by_name.get(name).copied())
                .filter(|need| *need < index)
                .collect(),
            steps: BTreeMap::new(),
        };
        Self { stages: specs.iter().enumerate().map(timed).collect(), by_name }
    }

    /// Takes in what happened.
    pub(crate) fn event(&mut self, event: &Event) {
        let Event::VertexFinished(finished) = event else { return };
        if finished.cached {
            return;
        }
        let Some(step) = finished.name.step() else { return };
        let stage = step.stage.as_deref().and_then(|stage| self.by_name.get(stage));
        if let Some(index) = stage {
            let steps = self.stages[*index].steps.entry(step.platform.clone()).or_default();
            steps.insert(finished.vertex.clone(), finished.duration);
        }
    }

    /// How long the stages ran that took a time to speak of, by name. What came from the cache took nothing and says nothing.
    pub(crate) fn times(&self) -> BTreeMap<String, Duration> {
        let ran = self.stages.iter().filter(|stage| stage.ran() >= NOTABLE);
        ran.map(|stage| (stage.name.clone(), stage.ran())).collect()
    }

    /// The chain of stages, each needing the one before, that ran longest in sum. Stages that took no time to speak of
    /// are left out; what came from the cache took none.
    pub(crate) fn longest(&self) -> Vec<Link> {
        let mut sums: Vec<(Duration, Option<usize>)> = Vec::new();
        for stage in &self.stages {
            let before = stage.needs.iter().copied().max_by_key(|need| (sums[*need].0, std::cmp::Reverse(*need)));
            let sum = before.map_or(Duration::ZERO, |before| sums[before].0) + stage.ran();
            sums.push((sum, before));
        }
        let mut at = (0..sums.len()).max_by_key(|index| (sums[*index].0, std::cmp::Reverse(*index)));
        let mut chain = Vec::new();
        while let Some(index) = at {
            let stage = &self.stages[index];
            if stage.ran() >= NOTABLE {
                chain.push(Link { stage: stage.name.clone(), label: stage.label.clone(), ran: stage.ran() });
            }
            at = sums[index].1;
        }
        chain.reverse();
        chain
    }
}

impl Timed {
    fn ran(&self) -> Duration {
        self.steps.values().map(|steps| steps.values().sum()).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use drydock_build::{VertexFinished, VertexName};

    use super::super::RowKind;
    use super::*;

    fn spec(stage: &str, needs: &[&str]) -> RowSpec {
        RowSpec {
            stage: stage.to_owned(),
            label: stage.to_uppercase(),
            kind: RowKind::Build,
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        }
    }

    fn finished(step: &str, seconds: u64, cached: bool) -> Event {
        Event::VertexFinished(VertexFinished {
            vertex: VertexDigest::from(step),
            name: VertexName::parse(step),
            targets: Vec::new(),
            cached,
            duration: Duration::from_secs(seconds),
            at: SystemTime::UNIX_EPOCH,
            error: None,
        })
    }

    #[test]
    fn the_longest_chain_follows_what_stages_need() {
        let specs = [
            spec("base", &[]),
            spec("install", &["base"]),
            spec("a", &["install"]),
            spec("b", &["install"]),
            spec("api", &["a", "b"]),
        ];
        let mut clock = Clock::new(&specs);
        assert_eq!(clock.longest(), []);
        for (step, seconds, cached) in [
            ("[base 1/1] FROM x", 30, true),
            ("[install 1/2] RUN npm ci", 20, false),
            ("[install 2/2] RUN x", 1, false),
            ("[a 1/1] RUN a", 5, false),
            ("[b 1/1] RUN b", 40, false),
            ("[api 1/1] COPY x", 0, false),
            ("[linux/arm64 b 1/1] RUN b", 39, false),
            // Opened again: the last word counts.
            ("[a 1/1] RUN a", 6, false),
        ] {
            clock.event(&finished(step, seconds, cached));
        }
        let chain: Vec<_> = clock.longest().into_iter().map(|link| (link.label, link.ran.as_secs())).collect();
        assert_eq!(chain, [("INSTALL".to_owned(), 21), ("B".to_owned(), 40)]);
    }
}
