//! Which of several builders builds which target.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::stages::Stages;

/// Targets of one Dockerfile, put together in groups that are built apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The targets of each group, as places in the list that was given. No group is empty.
    pub members: Vec<Vec<usize>>,
    /// What each group is expected to take, one step after the other.
    pub takes: Vec<Duration>,
}

/// Puts targets, given by their stages, into at most `groups` groups of about equal work. Work that several targets of
/// a group share is counted once, so that those come together that share much. `estimates` says what stages are expected
/// to take; the others are guessed from their steps. The groups that take longest come first.
pub fn group(dockerfile: &str, estimates: &BTreeMap<String, Duration>, targets: &[&str], groups: usize) -> Groups {
    let stages = Stages::parse(dockerfile, estimates);
    let places = spread(&stages, targets, groups.clamp(1, targets.len().max(1)));
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (target, place) in places.into_iter().enumerate() {
        members.entry(place).or_default().push(target);
    }
    let takes = |members: &Vec<usize>| {
        let needed: BTreeSet<usize> = members.iter().flat_map(|target| stages.closure(targets[*target])).collect();
        stages.work(needed)
    };
    let mut all: Vec<(Duration, Vec<usize>)> =
        members.into_values().map(|members| (takes(&members), members)).collect();
    all.sort_by_key(|(takes, _)| Reverse(*takes));
    let (takes, members) = all.into_iter().unzip();
    Groups { members, takes }
}

/// Says for each target, given by its stage, on which of `builders` it is built.
///
/// The targets with the longest critical paths choose first, and each goes where it adds least, stages counted once that
/// a builder already has to do. Then single targets move as long as that makes the work more even or less. So targets come together that share costly stages, and go apart when sharing
/// would keep the others waiting. Equal input gives equal places.
pub(crate) fn spread(stages: &Stages, targets: &[&str], builders: usize) -> Vec<usize> {
    let closures: Vec<BTreeSet<usize>> = targets.iter().map(|target| stages.closure(target)).collect();
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by_key(|index| Reverse(stages.critical_path(targets[*index])));
    let mut places: Vec<Option<usize>> = vec![None; targets.len()];
    let cost = |places: &[Option<usize>]| cost(stages, &closures, places, builders);
    for index in order {
        let on = |place| cost(&with(&places, index, place));
        places[index] = (0..builders).min_by_key(|place| on(*place));
    }
    // Each move lowers the cost, so this ends; the bound is for many targets of nearly equal cost.
    for _ in 0..targets.len() * 2 {
        let moves = (0..targets.len()).flat_map(|index| (0..builders).map(move |place| (index, place)));
        let best = moves.map(|(index, place)| (cost(&with(&places, index, place)), index, place)).min();
        match best {
            Some((better, index, place)) if better < cost(&places) => places[index] = Some(place),
            _ => break,
        }
    }
    places.into_iter().map(Option::unwrap_or_default).collect()
}

fn with(places: &[Option<usize>], index: usize, place: usize) -> Vec<Option<usize>> {
    let mut places = places.to_vec();
    places[index] = Some(place);
    places
}

/// The sum of the squares of what each builder has to do, in milliseconds: low when the work is even, and when little is
/// done twice.
fn cost(stages: &Stages, closures: &[BTreeSet<usize>], places: &[Option<usize>], builders: usize) -> u128 {
    let mut needed: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); builders];
    for (closure, place) in closures.iter().zip(places) {
        if let Some(place) = place {
            needed[*place].extend(closure);
        }
    }
    needed.into_iter().map(|needed| stages.work(needed).as_millis().pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(dockerfile: &str, seconds: &[(&str, u64)], targets: &[&str], builders: usize) -> Vec<usize> {
        let estimates = seconds.iter().map(|(name, seconds)| ((*name).to_owned(), Duration::from_secs(*seconds)));
        spread(&Stages::parse(dockerfile, &estimates.collect()), targets, builders)
    }

    const TWO_FAMILIES: &str = "FROM x AS js\nFROM x AS py\nFROM js AS a\nFROM py AS b\nFROM js AS c\nFROM py AS d\n";

    #[test]
    fn targets_that_share_costly_stages_come_together() {
        let seconds = [("js", 100), ("py", 90), ("a", 5), ("b", 5), ("c", 5), ("d", 5)];
        assert_eq!(places(TWO_FAMILIES, &seconds, &["a", "b", "c", "d"], 2), [0, 1, 0, 1]);
    }

    #[test]
    fn targets_go_apart_when_what_they_share_is_cheap() {
        let seconds = [("js", 1), ("py", 1), ("a", 50), ("b", 40), ("c", 50), ("d", 40)];
        assert_eq!(places(TWO_FAMILIES, &seconds, &["a", "b", "c", "d"], 2), [0, 0, 1, 1]);
        assert_eq!(places(TWO_FAMILIES, &seconds, &["a", "b", "c", "d"], 1), [0, 0, 0, 0]);
    }

    #[test]
    fn groups_are_told_with_what_they_take() {
        let seconds = [("js", 100), ("py", 90), ("a", 5), ("b", 5), ("c", 5), ("d", 5)];
        let estimates: BTreeMap<String, Duration> =
            seconds.iter().map(|(name, seconds)| ((*name).to_owned(), Duration::from_secs(*seconds))).collect();
        let told = |groups| {
            let Groups { members, takes } = group(TWO_FAMILIES, &estimates, &["b", "a", "d", "c"], groups);
            (members, takes.iter().map(Duration::as_secs).collect::<Vec<_>>())
        };
        assert_eq!(told(2), (vec![vec![1, 3], vec![0, 2]], vec![110, 100]));
        assert_eq!(told(1), (vec![vec![0, 1, 2, 3]], vec![210]));
        assert_eq!(told(9).0.iter().flatten().count(), 4);
        assert_eq!(group(TWO_FAMILIES, &estimates, &[], 2).members, Vec::<Vec<usize>>::new());
    }

    proptest! {
        /// Nobody waits longer than on one builder, and each target has a place.
        #[test]
        fn several_builders_are_never_slower_than_one(
            costs in proptest::collection::vec((1..100_u64, 0..5_usize), 1..20), builders in 1..5_usize,
        ) {
            let mut dockerfile = String::new();
            let mut estimates = BTreeMap::new();
            for (index, (cost, back)) in costs.iter().enumerate() {
                let base = if *back == 0 || *back > index { "x".to_owned() } else { format!("s{}", index - back) };
                dockerfile += &["FROM ", &base, " AS s", &index.to_string(), "\n"].concat();
                estimates.insert(format!("s{index}"), Duration::from_secs(*cost));
            }
            let names: Vec<String> = (0..costs.len()).map(|index| format!("s{index}")).collect();
            let targets: Vec<&str> = names.iter().map(String::as_str).collect();
            let stages = Stages::parse(&dockerfile, &estimates);
            let places = spread(&stages, &targets, builders);
            prop_assert_eq!(places.len(), targets.len());
            let alone = stages.work(0..costs.len());
            for builder in 0..builders {
                let mine = targets.iter().zip(&places).filter(|(_, place)| **place == builder);
                let needed: BTreeSet<usize> = mine.flat_map(|(target, _)| stages.closure(target)).collect();
                prop_assert!(stages.work(needed) <= alone);
            }
        }
    }
}
