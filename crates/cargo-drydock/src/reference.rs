//! References to images, by the grammar that Docker takes (`distribution/reference`).

/// Whether Docker takes this as the name of an image, with a tag or without.
pub(crate) fn is_reference(reference: &str) -> bool {
    let (name, tag) = split_tag(reference);
    let tag_is_good = tag.is_none_or(|tag| {
        (1..=128).contains(&tag.len())
            && tag.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && tag.chars().all(|other| other.is_ascii_alphanumeric() || "_.-".contains(other))
    });
    let path_is_good = |path: &str| path.split('/').all(is_component);
    tag_is_good
        && match split_registry(name) {
            (Some(registry), path) => is_host(registry) && path_is_good(path),
            (None, path) => path_is_good(path),
        }
}

/// The reference that an engine shows for this one: with the tag `latest` where it has none.
pub(crate) fn with_tag(reference: &str) -> String {
    match split_tag(reference) {
        (name, None) => format!("{name}:latest"),
        (_, Some(_)) => reference.to_owned(),
    }
}

/// Whether this can stand before the name of an image: a registry, or a registry and a path.
pub(crate) fn is_registry(text: &str) -> bool {
    match text.split_once('/') {
        Some((host, path)) => is_host(host) && path.split('/').all(is_component),
        None => is_host(text),
    }
}

/// Whether a reference says to which registry it belongs.
pub(crate) fn names_registry(reference: &str) -> bool {
    split_registry(split_tag(reference).0).0.is_some()
}

/// Whether a push of this reference could only go to Docker Hub's own images, which nobody but Docker may push.
pub(crate) fn is_official(reference: &str) -> bool {
    !split_tag(reference).0.contains('/')
}

fn split_tag(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once(':') {
        // A colon before a slash is the port of the registry.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (reference, None),
    }
}

fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    }
}

fn is_host(registry: &str) -> bool {
    let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
    !host.is_empty()
        && host.chars().all(|other| other.is_ascii_alphanumeric() || ".-".contains(other))
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Lowercase letters and digits, in between `.`, one or two `_`, or any number of `-`.
fn is_component(part: &str) -> bool {
    let edge = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    part.starts_with(edge)
        && part.ends_with(edge)
        && part.chars().all(|other| edge(other) || "._-".contains(other))
        && !["..", "___", "._", "_.", "-.", ".-", "-_", "_-"].iter().any(|pair| part.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_follow_dockers_grammar() {
        for good in ["api", "api:1.0", "localhost/api", "a.b:5000/c/d:T_1", "my--api", "a__b"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["", "API", "api:", "-api", "a//b", "a___b", "host.x:port/api", "api:-x", "a b"] {
            assert!(!is_reference(bad), "{bad}");
        }
    }

    #[test]
    fn registries_are_told_from_paths() {
        for good in ["ghcr.io", "localhost:5000", "ghcr.io/acme/shop", "registry"] {
            assert!(is_registry(good), "{good}");
        }
        for bad in ["", "https://ghcr.io", "ghcr.io/Acme", "ghcr.io:port", "a b"] {
            assert!(!is_registry(bad), "{bad}");
        }
        assert!(names_registry("localhost/api") && names_registry("a.b/c:1") && !names_registry("team/api:1"));
        assert!(is_official("api:1") && !is_official("team/api") && !is_official("localhost:5000/api"));
        assert_eq!((with_tag("localhost:5000/a"), with_tag("a:1")), ("localhost:5000/a:latest".into(), "a:1".into()));
    }
}
