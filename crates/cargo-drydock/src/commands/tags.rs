//! The references of images, from their templates.

use std::collections::BTreeMap;

use drydock_diagnostics::{Category, Diagnose, Warning};

use super::facts::{Facts, Form};
use crate::config::Images;
use crate::reference::{is_reference, names_registry};
use crate::template::{self, Part, TemplateError};

/// How images are called when nobody says.
const DEFAULT: &str = "{target}";

/// A template that gives no good reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TagError {
    /// It cannot be filled.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What comes out of a template of `--tag` or `tags` is no reference to an image.
    #[error("`{reference}` is not a reference to an image")]
    Reference { reference: String },
    /// Several images would have one reference.
    #[error("the tag `{reference}` would name {} images", targets.len())]
    Shared { reference: String, targets: Vec<String> },
}

impl Diagnose for TagError {
    fn code(&self) -> &'static str {
        match self {
            Self::Template(error) => error.code(),
            Self::Reference { .. } => "tag-invalid",
            Self::Shared { .. } => "tag-shared",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Template(error) => return error.help(),
            Self::Reference { .. } => "write a name in lowercase, perhaps a registry before it and a tag behind it: \
                 `registry.example.com/team/{target}:1.0`"
                .to_owned(),
            Self::Shared { .. } => "put `{target}` in it, or build one target".to_owned(),
        })
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Shared { targets, .. } => {
                let names: Vec<String> = targets.iter().map(|target| format!("`{target}`")).collect();
                vec![format!("of targets {}", names.join(", "))]
            }
            _ => Vec::new(),
        }
    }
}

/// The references of each target: from the templates that were given, else from those that are configured, else its
/// name. Where a reference names no registry, the configured one is put before it.
pub(super) fn of_targets(
    facts: &Facts<'_>,
    images: &Images,
    given: &[String],
    targets: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, Vec<TagError>> {
    let mut errors = Vec::new();
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in targets {
        let registry = images.of(target, |table| table.registry.as_deref());
        let references = tags.entry((*target).to_owned()).or_default();
        for template in templates(images, given, target) {
            match reference(facts, template, target, registry) {
                Ok(reference) if references.contains(&reference) => {}
                Ok(reference) => {
                    owners.entry(reference.clone()).or_default().push((*target).to_owned());
                    references.push(reference);
                }
                Err(error) if errors.contains(&error) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    let shared = owners.into_iter().filter(|(_, targets)| targets.len() > 1);
    errors.extend(shared.map(|(reference, targets)| TagError::Shared { reference, targets }));
    if errors.is_empty() { Ok(tags) } else { Err(errors) }
}

/// That references name a commit which does not hold what is built.
pub(super) fn dirty(facts: &Facts<'_>, images: &Images, given: &[String], targets: &[&str]) -> Option<Warning> {
    let names_commit = |template: &str| {
        let parts = template::parts(template).unwrap_or_default();
        parts.iter().any(|part| matches!(part, Part::Field("git.sha" | "git.short")))
    };
    let template =
        targets.iter().flat_map(|target| templates(images, given, target)).find(|text| names_commit(text))?;
    let (commit, _) = facts.commit().filter(|(_, dirty)| *dirty)?;
    let commit = commit.get(..7).unwrap_or(commit);
    let message = format!("the tag `{template}` names the commit {commit}, and the tree is not what the commit holds");
    Some(Warning::new("tag-of-dirty-tree", message).with_help("commit the changes before images are shared"))
}

fn templates<'t>(images: &'t Images, given: &'t [String], target: &str) -> Vec<&'t str> {
    if !given.is_empty() {
        return given.iter().map(String::as_str).collect();
    }
    let configured = images.of(target, |table| table.tags.as_deref());
    configured.map_or_else(|| vec![DEFAULT], |templates| templates.iter().map(String::as_str).collect())
}

fn reference(facts: &Facts<'_>, template: &str, target: &str, registry: Option<&str>) -> Result<String, TagError> {
    let place = format!("the tag `{template}`");
    let filled = facts.fill(template, target, &place, Form::Reference)?;
    let reference = match registry {
        Some(registry) if !names_registry(&filled) => format!("{registry}/{filled}"),
        _ => filled,
    };
    if is_reference(&reference) { Ok(reference) } else { Err(TagError::Reference { reference }) }
}
