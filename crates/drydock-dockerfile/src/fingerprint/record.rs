//! Fingerprints as text, to be kept until the next build, which is then told what became another since.

use std::collections::BTreeMap;
use std::ops::Range;

use drydock_plan::{ImageRef, StageId, TargetName, WorkspacePath};
use serde_json::{Value, json};

use super::{FileDigest, Fingerprint, Fingerprints, StageFingerprint, StepFingerprint};

/// Begins every record; another form of them has another number here.
const VERSION: u64 = 1;

impl Fingerprints {
    /// The fingerprints of one target's stages and what went into them, to be kept. Values of build arguments are in it
    /// as digests only. `None` when there is no such target.
    pub fn record(&self, target: &TargetName) -> Option<String> {
        let stages = self.closure(self.stage_of.get(target)?);
        // Files that no stage of these copies are left out, and the others move up.
        let mut read = vec![false; self.files.len()];
        for range in stages.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.files) {
            read[range.clone()].fill(true);
        }
        let mut places = vec![0_usize];
        for read in &read {
            places.push(places.last().expect("it begins with one") + usize::from(*read));
        }
        let files = self.files.iter().zip(&read).filter(|(_, read)| **read);
        let files: Vec<Value> = files.map(|(file, _)| json!([file.path.as_str(), hex(&file.digest)])).collect();
        let step = |step: &StepFingerprint| {
            json!({
                "instruction": step.instruction,
                "fingerprint": step.fingerprint.to_string(),
                "stage": step.stage.as_ref().map(StageId::as_str),
                "image": step.image.as_ref().map(ImageRef::as_str),
                "digest": step.image_digest,
                "argument": step.argument.as_ref().map(|(name, value)| json!([name, value.as_deref().map(digested)])),
                "files": step.files.iter().map(|range| json!([places[range.start], places[range.end]])).collect::<Vec<_>>(),
            })
        };
        let stages: Vec<Value> = stages
            .into_iter()
            .map(|stage| {
                json!({
                    "id": stage.id.as_str(),
                    "fingerprint": stage.fingerprint.to_string(),
                    "steps": stage.steps.iter().map(step).collect::<Vec<_>>(),
                })
            })
            .collect();
        let stage = self.stage_of.get(target).map(StageId::as_str);
        let document =
            json!({ "version": VERSION, "target": target.as_str(), "stage": stage, "files": files, "stages": stages });
        Some(document.to_string())
    }

    /// What [`record`](Self::record) wrote; `None` when the text is none of it.
    pub fn of_record(text: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(text).ok()?;
        if document["version"].as_u64() != Some(VERSION) {
            return None;
        }
        let files = document["files"].as_array()?.iter().map(|file| {
            Some(FileDigest { path: WorkspacePath::new(file[0].as_str()?).ok()?, digest: of_hex(file[1].as_str()?)? })
        });
        let files: Vec<FileDigest> = files.collect::<Option<_>>()?;
        let stages = document["stages"].as_array()?.iter().map(|stage| {
            let steps = stage["steps"].as_array()?.iter().map(|step| of_step(step, files.len()));
            let steps: Vec<StepFingerprint> = steps.collect::<Option<_>>()?;
            let fingerprint = Fingerprint(of_hex(stage["fingerprint"].as_str()?)?);
            let id = StageId::new(stage["id"].as_str()?);
            (!steps.is_empty()).then_some(StageFingerprint { id, fingerprint, steps })
        });
        let stages: Vec<StageFingerprint> = stages.collect::<Option<_>>()?;
        let target = TargetName::new(document["target"].as_str()?);
        let stage_of = BTreeMap::from([(target, StageId::new(document["stage"].as_str()?))]);
        Some(Self { files, stages, stage_of })
    }
}

fn of_step(step: &Value, files: usize) -> Option<StepFingerprint> {
    let text = |name: &str| step[name].as_str();
    let range = |range: &Value| -> Option<Range<usize>> {
        let end = |index: usize| usize::try_from(range[index].as_u64()?).ok();
        let range = end(0)?..end(1)?;
        (range.start <= range.end && range.end <= files).then_some(range)
    };
    let argument = match &step["argument"] {
        Value::Null => None,
        argument => Some((argument[0].as_str()?.to_owned(), argument[1].as_str().map(str::to_owned))),
    };
    Some(StepFingerprint {
        instruction: text("instruction")?.to_owned(),
        fingerprint: Fingerprint(of_hex(text("fingerprint")?)?),
        stage: text("stage").map(StageId::new),
        image: text("image").map(ImageRef::new),
        image_digest: text("digest").map(str::to_owned),
        argument,
        files: step["files"].as_array()?.iter().map(range).collect::<Option<_>>()?,
    })
}

/// A value that is no one's business, as something that compares.
fn digested(value: &str) -> String {
    blake3::hash(value.as_bytes()).to_hex()[..32].to_owned()
}

fn hex(digest: &[u8; 32]) -> String {
    Fingerprint(*digest).to_string()
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    Some(*blake3::Hash::from_hex(text).ok()?.as_bytes())
}
