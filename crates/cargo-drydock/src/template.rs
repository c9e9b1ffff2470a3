//! Texts with fields in braces: `registry.example.com/{target}:{git.short}`.

use drydock_diagnostics::{Category, Diagnose, closest};

/// What can stand in braces.
pub(crate) const FIELDS: &[&str] = &["target", "version", "git.sha", "git.short", "git.branch", "fingerprint"];

/// A template that cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// A template has something unknown in braces.
    #[error("`{{{name}}}` in {place} means nothing")]
    UnknownField {
        /// What holds it: ``the tag `{targt}` ``.
        place: String,
        /// What stands in the braces.
        name: String,
    },
    /// A brace of a template is not closed.
    #[error("a brace of {place} is not closed")]
    OpenBrace {
        /// What holds it.
        place: String,
    },
    /// Nobody knows the value of a template's field.
    #[error("`{{{name}}}` in {place} has no value: {reason}")]
    NoValue {
        /// What holds it.
        place: String,
        /// The field.
        name: &'static str,
        /// Why there is none.
        reason: String,
        /// What to do about it.
        help: String,
    },
}

impl Diagnose for TemplateError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownField { .. } => "template-unknown-field",
            Self::OpenBrace { .. } => "template-open-brace",
            Self::NoValue { .. } => "template-no-value",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::UnknownField { name, .. } => unknown_field_help(name),
            Self::OpenBrace { .. } => "write `{target}`".to_owned(),
            Self::NoValue { help, .. } => help.clone(),
        })
    }
}

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    /// Text that stands for itself.
    Text(&'t str),
    /// The name of a field, one of [`FIELDS`].
    Field(&'static str),
}

/// Why a text is no template, whatever its fields come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Something unknown in braces.
    UnknownField(String),
    /// A brace that is not closed.
    OpenBrace,
}

impl Flaw {
    /// As an error; `place` is what holds the template.
    pub(crate) fn at(self, place: &str) -> TemplateError {
        let place = place.to_owned();
        match self {
            Self::UnknownField(name) => TemplateError::UnknownField { place, name },
            Self::OpenBrace => TemplateError::OpenBrace { place },
        }
    }
}

/// The parts of a template.
pub(crate) fn parts(template: &str) -> Result<Vec<Part<'_>>, Flaw> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let Some((name, after)) = after.split_once('}') else { return Err(Flaw::OpenBrace) };
        let Some(field) = FIELDS.iter().find(|field| **field == name) else {
            return Err(Flaw::UnknownField(name.to_owned()));
        };
        parts.push(Part::Field(field));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// The template with its fields filled in by `value`.
pub(crate) fn fill<E: From<TemplateError>>(
    template: &str,
    place: &str,
    mut value: impl FnMut(&'static str) -> Result<String, E>,
) -> Result<String, E> {
    let mut text = String::new();
    for part in parts(template).map_err(|flaw| flaw.at(place))? {
        match part {
            Part::Text(part) => text.push_str(part),
            Part::Field(name) => text.push_str(&value(name)?),
        }
    }
    Ok(text)
}

/// What can be done about a field that is none.
pub(crate) fn unknown_field_help(name: &str) -> String {
    let by_its_end = || FIELDS.iter().copied().find(|field| field.rsplit('.').next() == Some(name));
    if let Some(near) = closest(name, FIELDS.iter().copied()).or_else(by_its_end) {
        return format!("did you mean `{{{near}}}`?");
    }
    let fields: Vec<String> = FIELDS.iter().map(|field| format!("`{{{field}}}`")).collect();
    let (last, first) = fields.split_last().expect("there are fields");
    format!("{} and {last} can stand in braces", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, TemplateError> {
        fill(template, &format!("the tag `{template}`"), |name| Ok(format!("<{name}>")))
    }

    #[test]
    fn fields_are_filled_in() {
        assert_eq!(filled("a/{target}:{git.short}-x").unwrap(), "a/<target>:<git.short>-x");
        assert_eq!(filled("plain").unwrap(), "plain");
        assert_eq!(filled("").unwrap(), "");
    }

    #[test]
    fn a_mistyped_field_has_a_way_out() {
        let error = filled("{targt}").unwrap_err();
        assert_eq!(error.to_string(), "`{targt}` in the tag `{targt}` means nothing");
        assert_eq!(error.help().as_deref(), Some("did you mean `{target}`?"));
        assert_eq!(filled("{sha}").unwrap_err().help().as_deref(), Some("did you mean `{git.sha}`?"));
        let error = filled("{whatever}").unwrap_err();
        assert!(error.help().unwrap().starts_with("`{target}`, `{version}`"), "{error:?}");
        let error = filled("{target").unwrap_err();
        assert_eq!(error.to_string(), "a brace of the tag `{target` is not closed");
    }
}
