//! What references of base images point to: the one way to find out.

use drydock_build::{BuildError, Builder, DaemonKind, ImageDetails, Registries};
use drydock_plan::ImageRef;

/// An image of a builder's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// It came from the registry that its reference names, where it has this digest.
    Pulled(String),
    /// It was made there, or taken from an archive. Its id means nothing to other machines.
    Local(String),
}

impl Stored {
    /// What tells it from another image that has the same reference.
    pub(super) fn into_digest(self) -> String {
        match self {
            Self::Pulled(digest) | Self::Local(digest) => digest,
        }
    }
}

/// What a builder has under a reference, in its own store. `None` where it has nothing, or no store.
pub(super) async fn in_store(builder: &Builder, image: &ImageRef) -> Result<Option<Stored>, BuildError> {
    if builder.info().kind != DaemonKind::Docker {
        return Ok(None);
    }
    Ok(builder.image(image.as_str()).await?.map(|details| stored(&details, image.as_str())))
}

/// The digest that the registry has under a reference, asked as a builder would ask. The error is a sentence.
pub(super) async fn in_registry(
    builder: &Builder,
    registries: &Registries,
    image: &ImageRef,
) -> Result<String, String> {
    match builder.info().kind {
        DaemonKind::Docker => builder.registry_digest(image.as_str()).await,
        DaemonKind::BuildKit => registries.digest(image.as_str()).await,
    }
}

/// What a reference to an image of a store points to: the same as in the registry it came from, where it came from one, so
/// that all machines mean the same by it.
fn stored(details: &ImageDetails, reference: &str) -> Stored {
    let pulled = details.digests.iter().filter_map(|digest| digest.split_once('@'));
    match pulled.into_iter().find(|(name, _)| *name == repository(reference)) {
        Some((_, digest)) => Stored::Pulled(digest.to_owned()),
        None => Stored::Local(details.id.clone()),
    }
}

/// A reference without its tag.
pub(super) fn repository(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    }
}

/// A reference for people: of a digest, so much as tells it from others.
pub(super) fn short(reference: &str) -> String {
    match reference.split_once("sha256:") {
        Some((before, hex)) if hex.is_char_boundary(12) => format!("{before}sha256:{}", &hex[..12]),
        _ => reference.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// An image that was pulled is to every machine what the registry calls it; one that was made here is its id.
    #[test]
    fn base_images_are_called_as_their_registry_does() {
        let details = |digests: &[&str]| ImageDetails {
            id: "sha256:id".to_owned(),
            size: 0,
            labels: BTreeMap::new(),
            tags: Vec::new(),
            digests: digests.iter().map(|digest| (*digest).to_owned()).collect(),
        };
        let pulled = details(&["other@sha256:o", "node@sha256:n"]);
        assert_eq!(stored(&pulled, "node:22"), Stored::Pulled("sha256:n".to_owned()));
        assert_eq!(stored(&pulled, "localhost:5000/node:22"), Stored::Local("sha256:id".to_owned()));
        assert_eq!(stored(&details(&[]), "node"), Stored::Local("sha256:id".to_owned()));
    }

    #[test]
    fn people_read_the_beginning_of_a_digest() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(short(&format!("node:22@{digest}")), "node:22@sha256:0123456789ab");
        assert_eq!(short(&digest), "sha256:0123456789ab");
        assert_eq!((short("node:22"), short("a@sha256:é")), ("node:22".to_owned(), "a@sha256:é".to_owned()));
    }
}
