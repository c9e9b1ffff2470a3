//! The references of images, from their templates.

use std::collections::BTreeMap;

use drydock_diagnostics::{Category, Diagnose, closest};

/// What can stand in braces.
const PLACEHOLDERS: &[&str] = &["target"];

/// A template that gives no good reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TagError {
    /// Something unknown in braces.
    #[error("`{{{name}}}` in the tag `{template}` means nothing")]
    Placeholder { template: String, name: String },
    /// A brace that is not closed.
    #[error("a brace of the tag `{template}` is not closed")]
    OpenBrace { template: String },
    /// What comes out is no reference to an image.
    #[error("`{reference}` is not a reference to an image")]
    Reference { reference: String },
    /// Several images would have one reference.
    #[error("the tag `{template}` would name {images} images")]
    Shared { template: String, images: usize },
}

impl Diagnose for TagError {
    fn code(&self) -> &'static str {
        match self {
            Self::Placeholder { .. } => "tag-placeholder",
            Self::OpenBrace { .. } => "tag-open-brace",
            Self::Reference { .. } => "tag-invalid",
            Self::Shared { .. } => "tag-shared",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Placeholder { name, .. } => match closest(name, PLACEHOLDERS.iter().copied()) {
                Some(near) => format!("did you mean `{{{near}}}`?"),
                None => "only `{target}` can stand in braces".to_owned(),
            },
            Self::OpenBrace { .. } => "write `{target}`".to_owned(),
            Self::Reference { .. } => "write a name in lowercase, perhaps a registry before it and a tag behind it: \
                 `registry.example.com/team/{target}:1.0`"
                .to_owned(),
            Self::Shared { .. } => "put `{target}` in it, or build one target".to_owned(),
        })
    }
}

/// The references of each target.
pub(super) fn expand(templates: &[String], targets: &[&str]) -> Result<BTreeMap<String, Vec<String>>, Vec<TagError>> {
    let mut errors = Vec::new();
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for template in templates {
        if targets.len() > 1 && !template.contains('{') {
            errors.push(TagError::Shared { template: template.clone(), images: targets.len() });
            continue;
        }
        for target in targets {
            match fill(template, target) {
                Ok(reference) => {
                    let references = tags.entry((*target).to_owned()).or_default();
                    if !references.contains(&reference) {
                        references.push(reference);
                    }
                }
                Err(error) if errors.contains(&error) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok(tags) } else { Err(errors) }
}

fn fill(template: &str, target: &str) -> Result<String, TagError> {
    let mut reference = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        reference += before;
        let Some((name, after)) = after.split_once('}') else {
            return Err(TagError::OpenBrace { template: template.to_owned() });
        };
        match name {
            "target" => reference += target,
            _ => return Err(TagError::Placeholder { template: template.to_owned(), name: name.to_owned() }),
        }
        rest = after;
    }
    reference += rest;
    if is_reference(&reference) { Ok(reference) } else { Err(TagError::Reference { reference }) }
}

/// Whether Docker takes this as the name of an image, with a tag or without (the grammar of `distribution/reference`).
fn is_reference(reference: &str) -> bool {
    let (name, tag) = match reference.rsplit_once(':') {
        // A colon before a slash is the port of the registry.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (reference, None),
    };
    let tag_is_good = tag.is_none_or(|tag| {
        (1..=128).contains(&tag.len())
            && tag.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && tag.chars().all(|other| other.is_ascii_alphanumeric() || "_.-".contains(other))
    });
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, name),
    };
    let registry_is_good = registry.is_none_or(|registry| {
        let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
        !host.is_empty()
            && host.chars().all(|other| other.is_ascii_alphanumeric() || ".-".contains(other))
            && port.is_none_or(|port| port.parse::<u16>().is_ok())
    });
    tag_is_good && registry_is_good && path.split('/').all(is_component)
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
    fn templates_are_filled_for_each_target() {
        let templates = ["{target}".to_owned(), "registry.example.com:5000/team/{target}:1.0".to_owned()];
        let tags = expand(&templates, &["api", "web"]).expect("good templates");
        assert_eq!(tags["web"], ["web", "registry.example.com:5000/team/web:1.0"]);
    }

    #[test]
    fn templates_that_cannot_work_are_refused() {
        let error = |template: &str, targets: &[&str]| {
            expand(&[template.to_owned()], targets).expect_err("a bad template").remove(0).to_string()
        };
        assert_eq!(error("chat", &["api", "web"]), "the tag `chat` would name 2 images");
        assert_eq!(error("{targt}", &["api"]), "`{targt}` in the tag `{targt}` means nothing");
        assert_eq!(error("{target", &["api"]), "a brace of the tag `{target` is not closed");
        assert_eq!(error("Team/{target}", &["api"]), "`Team/api` is not a reference to an image");
        assert_eq!(error("{target}:a b", &["api"]), "`api:a b` is not a reference to an image");
    }

    #[test]
    fn references_follow_dockers_grammar() {
        for good in ["api", "api:1.0", "localhost/api", "a.b:5000/c/d:T_1", "my--api", "a__b"] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["", "API", "api:", "-api", "a//b", "a___b", "host.x:port/api", "api:-x", "a b"] {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
