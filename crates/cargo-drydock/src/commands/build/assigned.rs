//! Which builder builds which target, and what the targets are made of there.

use std::collections::BTreeMap;
use std::time::Duration;

use drydock_build::{BuildRequest, Fleet, TargetOutcome, TargetRequest, TargetResult};
use drydock_dockerfile::Fingerprints;
use drydock_plan::TargetName;

use super::fresh::{Found, Known};
use super::past::Past;

/// All targets of a run, each with its builder.
pub(super) struct Assigned<'a> {
    /// The targets, as their builders would be asked for them.
    pub(super) targets: Vec<TargetRequest>,
    /// Each one's builder, by its place in the fleet.
    pub(super) places: Vec<usize>,
    found: &'a BTreeMap<String, Found>,
    known: &'a [Known],
}

impl<'a> Assigned<'a> {
    /// Spreads the targets of `requests`, what each builder would be asked for all of them. Those that were found stay
    /// where they are. `estimates` is what stages are expected to take.
    pub(super) fn new(
        fleet: &Fleet,
        requests: &[BuildRequest],
        known: &'a [Known],
        found: &'a BTreeMap<String, Found>,
        estimates: &BTreeMap<String, Duration>,
    ) -> Self {
        let first = requests.first().expect("a fleet has a builder");
        let unbuilt = first.targets.iter().filter(|target| !found.contains_key(target.name.as_str()));
        let unbuilt: Vec<TargetRequest> = unbuilt.cloned().collect();
        let mut solved = if unbuilt.is_empty() {
            Vec::new().into_iter()
        } else {
            fleet.places(&BuildRequest { targets: unbuilt, ..first.clone() }, estimates).into_iter()
        };
        let places = first.targets.iter().map(|target| match found.get(target.name.as_str()) {
            Some(found) => found.stored.as_ref().map_or(0, |(place, _)| *place),
            None => solved.next().expect("each target has a place"),
        });
        let places: Vec<usize> = places.collect();
        let targets = places.iter().enumerate().map(|(index, place)| requests[*place].targets[index].clone()).collect();
        Self { targets, places, found, known }
    }

    /// The targets of which there is no image.
    pub(super) fn unbuilt(&self) -> Vec<TargetRequest> {
        self.indices().map(|index| self.targets[index].clone()).collect()
    }

    /// The same, with what they are made of, and what is known of their builders' past.
    pub(super) fn planned<'p>(
        &'p self,
        pasts: &'p [Past],
    ) -> Vec<(&'p drydock_build::TargetName, &'p Fingerprints, &'p Past)> {
        let planned = self.indices().map(|index| {
            let (name, past) = (&self.targets[index].name, &pasts[self.places[index]]);
            (name, self.fingerprints(index), past)
        });
        planned.collect()
    }

    /// Lets the builders' pasts know what was built.
    pub(super) fn remember(&self, solved: &[TargetOutcome], pasts: &mut [Past]) {
        for (place, past) in pasts.iter_mut().enumerate() {
            let built = solved.iter().filter(|target| matches!(target.result, TargetResult::Built(_)));
            let here = built.filter_map(|target| {
                let index = self.targets.iter().position(|other| other.name == target.target)?;
                let name = TargetName::new(target.target.as_str());
                (self.places[index] == place).then(|| (name, self.fingerprints(index)))
            });
            past.remember(&here.collect::<Vec<_>>());
        }
    }

    /// What came of each target: of those that were found what a build would have answered, of the others what was.
    pub(super) fn outcomes(&self, solved: Vec<TargetOutcome>) -> Vec<TargetOutcome> {
        let mut solved = solved.into_iter();
        let outcomes = self.targets.iter().filter_map(|target| match self.found.get(target.name.as_str()) {
            Some(found) => Some(found.outcome(target)),
            None => solved.next(),
        });
        outcomes.collect()
    }

    fn indices(&self) -> impl Iterator<Item = usize> {
        (0..self.targets.len()).filter(|index| !self.found.contains_key(self.targets[*index].name.as_str()))
    }

    fn fingerprints(&self, index: usize) -> &Fingerprints {
        &self.known[self.places[index]][self.targets[index].name.as_str()]
    }
}
