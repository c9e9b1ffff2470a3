//! The time at which images say they were made: `--source-date-epoch`, else `SOURCE_DATE_EPOCH`
//! (<https://reproducible-builds.org/specs/source-date-epoch/>).

use drydock_diagnostics::{Category, Diagnose};

use crate::commands::facts::Facts;

/// The variable of the environment, and the build argument.
pub(super) const VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// A time that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::commands) enum EpochError {
    /// `--source-date-epoch` is no number of seconds.
    #[error("`{text}`, which {place} says, is no time")]
    Invalid { text: String, place: &'static str },
    /// `--source-date-epoch git` finds no commit whose time it could be.
    #[error("there is no commit whose time could be taken: {reason}")]
    NoCommit { reason: String },
}

impl Diagnose for EpochError {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "epoch-invalid",
            Self::NoCommit { .. } => "epoch-without-commit",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Invalid { .. } => {
                "write seconds since 1970, like `0`, or `git` for the time of the commit".to_owned()
            }
            Self::NoCommit { .. } => {
                "run drydock in a git checkout with a commit, or write seconds since 1970".to_owned()
            }
        })
    }
}

/// The time in seconds since 1970: what the option says, else the environment.
pub(super) fn wanted(option: Option<&str>, facts: &Facts<'_>) -> Result<Option<u64>, EpochError> {
    let set = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let (text, place) = match (option, &set) {
        (Some("git"), _) => {
            let time = facts.commit_time().map_err(|reason| EpochError::NoCommit { reason: reason.to_owned() })?;
            return Ok(Some(u64::try_from(time).unwrap_or_default()));
        }
        (Some(text), _) => (text, "`--source-date-epoch`"),
        (None, Some(text)) => (text.as_str(), "the environment variable `SOURCE_DATE_EPOCH`"),
        (None, None) => return Ok(None),
    };
    let seconds = text.parse().map_err(|_| EpochError::Invalid { text: text.to_owned(), place })?;
    Ok(Some(seconds))
}
