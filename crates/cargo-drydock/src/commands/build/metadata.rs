//! `--metadata-file`: what was built, in the form in which `docker buildx bake` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use drydock_build::{BuildOutcome, TargetResult};
use drydock_plan::{BuildPlan, StageId};
use serde_json::{Map, Value};

use super::publish::Published;
use crate::commands::times;
use crate::commands::whole::replace;
use crate::reference::with_tag;
use crate::report::Built;

/// What exporters call the digest of a manifest.
pub(super) const DIGEST: &str = "containerimage.digest";
const CONFIG_DIGEST: &str = "containerimage.config.digest";
const NAME: &str = "image.name";
/// Our own: `built`, `fresh` or `retagged`.
const STATE: &str = "drydock.state";

/// The document: what the exporter answered of each target that is done, by target. With a push, only what was pushed
/// is done, and its digest is the registry's.
pub(super) fn document(
    outcome: &BuildOutcome,
    built: &[Built],
    published: &Published,
    push: bool,
    tags: &BTreeMap<String, Vec<String>>,
) -> Value {
    let mut document = Map::new();
    for target in &outcome.targets {
        let TargetResult::Built(image) = &target.result else { continue };
        let name = target.target.as_str();
        let references = tags.get(name).map(Vec::as_slice).unwrap_or_default();
        let pushed = references.iter().find_map(|reference| published.pushed.get(reference));
        let complete = references.iter().all(|reference| published.pushed.contains_key(reference));
        if push && !complete {
            continue;
        }
        let answered = published.metadata.get(name).unwrap_or(&image.metadata);
        let mut fields: BTreeMap<String, Value> =
            answered.iter().map(|(key, value)| (key.clone(), decoded(value))).collect();
        if let Some(digest) = pushed.and_then(|pushed| pushed.digest.as_ref()) {
            // The store that is Docker's own knows the image by its configuration until a registry has it.
            if let Some(before) = fields.get(DIGEST).filter(|before| before.as_str() != Some(digest)).cloned() {
                fields.entry(CONFIG_DIGEST.to_owned()).or_insert(before);
            }
            fields.insert(DIGEST.to_owned(), digest.clone().into());
        }
        if !references.is_empty() && !fields.contains_key(NAME) {
            let names: Vec<String> = references.iter().map(|reference| with_tag(reference)).collect();
            fields.insert(NAME.to_owned(), names.join(",").into());
        }
        if let Some(built) = built.iter().find(|built| built.target == name) {
            fields.insert(STATE.to_owned(), built.state.as_str().into());
        }
        document.insert(name.to_owned(), fields.into_iter().collect::<Map<_, _>>().into());
    }
    document.into()
}

/// The same with what the stages of each target took, as far as that is known, for `plan --groups` to balance
/// the next run by.
pub(super) fn with_times(mut document: Value, plan: &BuildPlan, times: &BTreeMap<String, Duration>) -> Value {
    for target in &plan.targets {
        let Some(fields) = document.get_mut(target.name.as_str()).and_then(Value::as_object_mut) else { continue };
        let needed = closure(plan, &target.stage);
        let own = times.iter().filter(|(stage, _)| needed.iter().any(|id| id.as_str() == *stage));
        let own: BTreeMap<String, Duration> = own.map(|(stage, time)| (stage.clone(), *time)).collect();
        if !own.is_empty() {
            fields.insert(times::FIELD.to_owned(), times::object(&own).into());
        }
    }
    document
}

/// A stage and all that it needs.
fn closure<'p>(plan: &'p BuildPlan, stage: &'p StageId) -> BTreeSet<&'p StageId> {
    let mut needed = BTreeSet::from([stage]);
    for stage in plan.stages.iter().rev() {
        if needed.contains(&stage.id) {
            needed.extend(stage.needs());
        }
    }
    needed
}

/// Some values are JSON in base64, as gRPC carries nothing but text.
fn decoded(value: &str) -> Value {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value).ok();
    let json = bytes.and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
    json.filter(|object| !object.is_empty()).map_or_else(|| value.into(), Value::Object)
}

/// Writes the document. The file is replaced as a whole.
pub(super) fn write(path: &Path, document: &Value) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(document).expect("JSON");
    text.push('\n');
    replace(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_json_are_unpacked() {
        let descriptor = base64::engine::general_purpose::STANDARD.encode(r#"{"digest":"sha256:ab"}"#);
        assert_eq!(decoded(&descriptor)["digest"], "sha256:ab");
        for text in ["sha256:ab", "docker.io/library/api:latest", "", "e30="] {
            assert_eq!(decoded(text), text);
        }
    }
}
