//! How long stages took in earlier builds: of this checkout, kept in the user's cache folder, and of other machines, in
//! files that `build --metadata-file` wrote there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use camino::Utf8PathBuf;
use drydock_diagnostics::{Category, Diagnose};
use serde_json::{Map, Value};

/// The field of a target in the metadata: seconds by stage.
pub(super) const FIELD: &str = "drydock.seconds";

/// A file of times that holds none.
#[derive(Debug, thiserror::Error)]
pub(super) enum TimesError {
    /// The file of `--times` cannot be read.
    #[error("the times in `{path}` cannot be read")]
    Unreadable {
        path: Utf8PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The file of `--times` is not one of `--metadata-file`.
    #[error("`{path}` is not what `--metadata-file` writes")]
    Invalid { path: Utf8PathBuf },
}

impl Diagnose for TimesError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "times-unreadable",
            Self::Invalid { .. } => "times-invalid",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some("pass a file that `drydock build --metadata-file FILE` wrote".to_owned())
    }
}

/// The times of this checkout, under those of `files`, of which the last that knows a stage counts.
pub(super) fn known(
    cache: Option<&Path>,
    checkout: &str,
    files: &[Utf8PathBuf],
) -> Result<BTreeMap<String, Duration>, TimesError> {
    let mut times = remembered(cache, checkout);
    for path in files {
        let text =
            fs_err::read_to_string(path).map_err(|source| TimesError::Unreadable { path: path.clone(), source })?;
        let document: Option<Map<String, Value>> = serde_json::from_str(&text).ok();
        let document = document.ok_or_else(|| TimesError::Invalid { path: path.clone() })?;
        for target in document.values() {
            times.extend(of_object(target.get(FIELD).and_then(Value::as_object)));
        }
    }
    Ok(times)
}

/// What earlier builds of this checkout took.
pub(super) fn remembered(cache: Option<&Path>, checkout: &str) -> BTreeMap<String, Duration> {
    let text = file(cache, checkout).and_then(|file| fs_err::read_to_string(file).ok()).unwrap_or_default();
    of_object(serde_json::from_str(&text).ok().as_ref())
}

/// Keeps what stages took, beside what others took before. That it cannot be written is nobody's trouble.
pub(super) fn remember(cache: Option<&Path>, checkout: &str, times: &BTreeMap<String, Duration>) {
    let Some(file) = file(cache, checkout).filter(|_| !times.is_empty()) else { return };
    let mut all = remembered(cache, checkout);
    all.extend(times.iter().map(|(stage, time)| (stage.clone(), *time)));
    let text = Value::Object(object(&all)).to_string();
    if let Some(folder) = file.parent()
        && fs_err::create_dir_all(folder).is_ok()
    {
        drop(super::whole::replace(&file, &text));
    }
}

/// Seconds by stage.
pub(super) fn object(times: &BTreeMap<String, Duration>) -> Map<String, Value> {
    // A thousandth is less than what two runs differ by.
    let seconds = |time: &Duration| Value::from((time.as_secs_f64() * 1000.0).round() / 1000.0);
    times.iter().map(|(stage, time)| (stage.clone(), seconds(time))).collect()
}

fn of_object(object: Option<&Map<String, Value>>) -> BTreeMap<String, Duration> {
    let entries = object.into_iter().flatten();
    let times = entries
        .filter_map(|(stage, seconds)| Some((stage.clone(), Duration::try_from_secs_f64(seconds.as_f64()?).ok()?)));
    times.collect()
}

fn file(cache: Option<&Path>, checkout: &str) -> Option<PathBuf> {
    Some(cache?.join("builds").join(checkout).join("seconds.json"))
}
