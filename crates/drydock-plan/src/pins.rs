//! Base images, by digest.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::Warning;

use crate::model::{ImageRef, Stage};

/// What stands between a reference and its digest.
const AT: &str = "@sha256:";

impl ImageRef {
    /// The digest that it names, with its algorithm.
    pub fn digest(&self) -> Option<&str> {
        self.as_str().find(AT).map(|place| &self.as_str()[place + 1..])
    }

    /// It without the digest.
    #[must_use]
    pub fn without_digest(&self) -> Self {
        match self.as_str().find(AT) {
            Some(place) => Self::new(&self.as_str()[..place]),
            None => self.clone(),
        }
    }

    /// It with a digest: `node:22@sha256:…`. The daemon goes by that; the tag is for people.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Self {
        Self::new(&format!("{}@{digest}", self.without_digest()))
    }
}

/// Gives the images of `stages` their digests. Last of all, because what an image is called tells what it holds. Where
/// some are pinned, those that are not are warned of: a new tag would silently be the end of it.
pub(crate) fn pin(stages: &mut [Stage], pins: &BTreeMap<ImageRef, String>) -> Option<Warning> {
    let mut open: BTreeSet<ImageRef> = BTreeSet::new();
    for image in stages.iter_mut().filter_map(Stage::image_mut).filter(|image| image.digest().is_none()) {
        match pins.get(image) {
            Some(digest) => *image = image.with_digest(digest),
            None => drop(open.insert(image.clone())),
        }
    }
    if pins.is_empty() || open.is_empty() {
        return None;
    }
    let names: Vec<String> = open.iter().map(|image| format!("`{image}`")).collect();
    let message = format!("{} not pinned, as other base images are", are(&names));
    Some(Warning::new("base-image-unpinned", message).with_help("run `drydock pin`"))
}

/// `` `a` is``, `` `a` and `b` are``.
fn are(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} are", first.join(", ")),
        names => format!("{} is", names.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_come_and_go() {
        let plain = ImageRef::new("localhost:5000/node:22");
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = plain.with_digest(&digest);
        assert_eq!(pinned.as_str(), format!("localhost:5000/node:22@{digest}"));
        assert_eq!((pinned.digest(), plain.digest()), (Some(&*digest), None));
        assert_eq!((pinned.without_digest(), plain.without_digest()), (plain.clone(), plain.clone()));
        let other = format!("sha256:{}", "b".repeat(64));
        assert_eq!(pinned.with_digest(&other), plain.with_digest(&other));
    }
}
