//! How images are labelled, and where their caches are: the command line over the configuration, templates filled in.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use drydock_build::CacheEntry;
use drydock_diagnostics::{Category, Diagnose, Warning};

use crate::cache;
use crate::commands::facts::{Facts, Form};
use crate::config::{ImageSettings, Images, OciLabel};
use crate::template::TemplateError;

/// A cache that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::commands) enum CacheError {
    /// It cannot be filled in.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A cache of `--cache-from` or `--cache-to` does not parse, or lacks something.
    #[error("`{text}` is not a cache: {reason}")]
    Invalid { text: String, reason: String, help: String },
    /// Several targets would overwrite each other's cache.
    #[error("{targets} targets would overwrite each other's cache `{text}`")]
    Shared { text: String, targets: usize },
}

impl Diagnose for CacheError {
    fn code(&self) -> &'static str {
        match self {
            Self::Template(error) => error.code(),
            Self::Invalid { .. } => "cache-invalid",
            Self::Shared { .. } => "cache-shared",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Template(error) => return error.help(),
            Self::Invalid { help, .. } => help.clone(),
            Self::Shared { .. } => "put `{target}` into it, so that each has its own".to_owned(),
        })
    }
}

/// Which of the two lists of caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Direction {
    /// Caches that steps may come from.
    From,
    /// Caches that steps go to.
    To,
}

/// The caches of each target, in the order of `targets`. Folders of the configuration are relative to `root`.
pub(in crate::commands) fn caches(
    facts: &Facts<'_>,
    images: &Images,
    root: &Path,
    given: &[String],
    direction: Direction,
    targets: &[&str],
) -> Result<Vec<Vec<CacheEntry>>, CacheError> {
    let (option, key, folder) = match direction {
        Direction::From => ("--cache-from", "cache-from", "src"),
        Direction::To => ("--cache-to", "cache-to", "dest"),
    };
    let configured = |table: &'_ ImageSettings| match direction {
        Direction::From => table.cache_from.clone(),
        Direction::To => table.cache_to.clone(),
    };
    let mut all: Vec<Vec<CacheEntry>> = Vec::new();
    for target in targets {
        let (texts, place) = if given.is_empty() {
            (images.of(target, configured).unwrap_or_default(), key)
        } else {
            (given.to_vec(), option)
        };
        let mut caches = Vec::new();
        for text in texts {
            let filled = facts.fill(&text, target, &format!("`{place}`"), Form::Reference)?;
            let wrong = |(reason, help)| CacheError::Invalid { text: filled.clone(), reason, help };
            let mut entry = cache::parse(&filled).map_err(wrong)?;
            if let Some(attribute) = cache::lacks(&entry, direction == Direction::To) {
                let reason = format!("it has no `{attribute}`");
                return Err(wrong((reason, format!("write `type={},{attribute}=…`", entry.kind))));
            }
            if entry.kind == "gha" {
                // GitHub keeps one cache under each scope.
                entry.attributes.entry("scope".to_owned()).or_insert_with(|| (*target).to_owned());
            }
            if let Some(path) = entry.attributes.get_mut(folder).filter(|_| given.is_empty() && entry.kind == "local") {
                *path = root.join(&*path).display().to_string();
            }
            let is_taken = || all.iter().flatten().any(|other| *other == entry);
            if direction == Direction::To && cache::is_shared(&entry) && is_taken() {
                return Err(CacheError::Shared { text, targets: targets.len() });
            }
            caches.push(entry);
        }
        all.push(caches);
    }
    Ok(all)
}

/// The labels of a target: those that drydock fills in, those of the workspace, of the target, of the command line.
pub(in crate::commands) fn labels(
    facts: &Facts<'_>,
    images: &Images,
    given: &[(&str, &str)],
    oci: Option<&[OciLabel]>,
    target: &str,
    warnings: &mut Vec<Warning>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut labels = BTreeMap::new();
    let configured = || images.of(target, |table| table.oci_labels.as_deref());
    for label in oci.or_else(configured).unwrap_or_default() {
        match oci_value(facts, *label, target) {
            Ok(value) => drop(labels.insert(label.key().to_owned(), value)),
            Err(reason) => {
                let message = format!("the label `{}` is left out: {reason}", label.key());
                let warning = Warning::new("label-left-out", message)
                    .with_help(format!("set it with `--label {}=…`", label.key()));
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
    }
    let of_tables = images.tables(target).flat_map(|table| &table.labels).map(|(key, value)| (&**key, &**value));
    for (key, value) in of_tables.chain(given.iter().copied()) {
        labels.insert(key.to_owned(), facts.fill(value, target, &format!("the label `{key}`"), Form::Text)?);
    }
    Ok(labels)
}

/// The annotations of a target, in the same order.
pub(in crate::commands) fn annotations(
    facts: &Facts<'_>,
    images: &Images,
    given: &[(&str, &str)],
    target: &str,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let of_tables = images.tables(target).flat_map(|table| &table.annotations).map(|(key, value)| (&**key, &**value));
    let all = of_tables.chain(given.iter().copied());
    let filled = all.map(|(key, value)| {
        Ok((key.to_owned(), facts.fill(value, target, &format!("the annotation `{key}`"), Form::Text)?))
    });
    filled.collect()
}

fn oci_value(facts: &Facts<'_>, label: OciLabel, target: &str) -> Result<String, &'static str> {
    match label {
        OciLabel::Source => facts.source().ok_or("git has no remote `origin` that a browser could open"),
        OciLabel::Revision => match facts.commit() {
            Some((commit, true)) => Ok(format!("{commit}-dirty")),
            Some((commit, false)) => Ok(commit.to_owned()),
            None => Err("the workspace is in no git repository with a commit"),
        },
        OciLabel::Version => facts.version(target).map(str::to_owned).ok_or("the package has no `version`"),
        OciLabel::Created => Ok(timestamp(facts.time().unwrap_or_else(now))),
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time since 1970 as RFC 3339 writes it.
fn timestamp(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's algorithm: eras of 400 years, years that begin in March.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_has_them() {
        // As `date --utc --date=@N` prints them.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(Duration::from_secs(seconds)), expected);
        }
    }
}
