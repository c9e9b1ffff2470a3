//! Did-you-mean.

/// The candidate that `name` is most likely a typing mistake of, if one is near enough: at most a third of the
/// name's characters differ (as Levenshtein edits with transpositions), ties go to the first in byte order.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            // A scope that was left out is the commonest slip with npm names, so the name without it counts as well.
            let bare = candidate.rsplit('/').next().unwrap_or(candidate);
            let distance = strsim::damerau_levenshtein(name, candidate).min(strsim::damerau_levenshtein(name, bare));
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn suggests_near_names_only() {
        let names = ["api", "client", "data-provider", "@acme/web"];
        assert_eq!(closest("clinet", names), Some("client"));
        assert_eq!(closest("data-provdier", names), Some("data-provider"));
        assert_eq!(closest("web", names), Some("@acme/web"));
        assert_eq!(closest("wbe", names), Some("@acme/web"));
        assert_eq!(closest("apo", names), Some("api"));
        assert_eq!(closest("zebra", names), None);
    }
}
