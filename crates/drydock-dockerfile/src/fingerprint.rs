//! What decides the bytes of stages and targets, as short values that compare.
//!
//! A fingerprint is made of what BuildKit is told and of nothing else: the instructions of a stage, the content of the
//! files of the context that they copy, the build arguments they read, the platform, the base image, and the fingerprints
//! of the stages it builds on. Times, owners, the place of the checkout and the values of secrets are not in it, so two
//! machines with the same sources have the same fingerprints.
//!
//! It is taken from the lowered Dockerfile, not from the plan, so that what a stage reads here is what it reads there.

mod compare;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use drydock_plan::{BuildPlan, ContextContent, ContextFile, ImageRef, StageId, StageKind, TargetName, WorkspacePath};
use rayon::prelude::*;

use crate::generated::generated_directory;
use crate::lower::{Dockerfile, lower};
use crate::syntax::{Base, Copy, Instruction, Variable};

pub use compare::{Cause, FileChange, StageChange, compare};

/// Begins every fingerprint; another way to make them has another word here.
const VERSION: &[u8] = b"drydock fingerprint 1";

/// What a file holds: any 32 bytes that are equal exactly when the content is. A BLAKE3 of the bytes, or of a git object's
/// name; what is compared must be made in one way.
pub type ContentDigest = [u8; 32];

/// All that decides the bytes of a stage, as 32 bytes. Shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// What is not in a plan and decides bytes all the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Build arguments, by name. Only those that a stage declares, or that BuildKit itself reads, count.
    pub arguments: Option<&'a BTreeMap<String, String>>,
    /// `os/arch[/variant]`, where one is asked for.
    pub platform: Option<&'a str>,
    /// What the tags of base images point to, as far as it is known: `sha256:…`. A reference that pins a digest needs none.
    pub bases: Option<&'a BTreeMap<ImageRef, String>>,
}

/// The fingerprints of a plan, and what went into them.
#[derive(Debug, Clone)]
pub struct Fingerprints {
    /// The files of the context, by path.
    files: Vec<FileDigest>,
    /// The stages, in the plan's order.
    stages: Vec<StageFingerprint>,
    stage_of: BTreeMap<TargetName, StageId>,
}

/// A file of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileDigest {
    path: WorkspacePath,
    /// Of content, kind and executable bits.
    digest: [u8; 32],
}

/// One stage.
#[derive(Debug, Clone)]
pub struct StageFingerprint {
    /// Its name, which is not in the fingerprint.
    pub id: StageId,
    /// All that decides its bytes, the stages it builds on included.
    pub fingerprint: Fingerprint,
    /// What it does: FROM, then each instruction.
    pub steps: Vec<StepFingerprint>,
}

/// One instruction of a stage.
#[derive(Debug, Clone)]
pub struct StepFingerprint {
    /// The instruction, as the Dockerfile has it; of FROM, without the name it gives.
    pub instruction: String,
    /// All that decides the bytes up to here.
    pub fingerprint: Fingerprint,
    /// The stage it begins with or copies from.
    pub stage: Option<StageId>,
    /// The image it begins with.
    image: Option<ImageRef>,
    /// What the image's reference points to, where that is known.
    image_digest: Option<String>,
    /// The build argument that it reads, and its value where one is given.
    argument: Option<(String, Option<String>)>,
    /// The files of the context that it copies, as places in the list of all.
    files: Vec<Range<usize>>,
}

impl Fingerprints {
    /// The fingerprints of `plan`. `content` tells what a file of the tree holds; it is asked once for each.
    ///
    /// # Panics
    /// If the plan holds what [`validate`](crate::validate()) refuses.
    pub fn new(
        plan: &BuildPlan,
        surroundings: &Surroundings<'_>,
        content: impl Fn(&ContextFile) -> ContentDigest + Sync,
    ) -> Self {
        Self::of(plan, &lower(plan, &generated_directory()), surroundings, content)
    }

    /// As [`Self::new`], of a plan that was lowered already, into the usual folder for generated files.
    pub fn of(
        plan: &BuildPlan,
        dockerfile: &Dockerfile,
        surroundings: &Surroundings<'_>,
        content: impl Fn(&ContextFile) -> ContentDigest + Sync,
    ) -> Self {
        let mut files: Vec<FileDigest> = plan
            .context
            .par_iter()
            .map(|file| FileDigest { path: file.path.clone(), digest: file_digest(file, &content) })
            .collect();
        // As plans have them already.
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let mut stages: Vec<StageFingerprint> = Vec::with_capacity(plan.stages.len());
        let mut done: BTreeMap<StageId, Fingerprint> = BTreeMap::new();
        for (planned, stage) in plan.stages.iter().zip(&dockerfile.syntax().stages) {
            let image = match &planned.kind {
                StageKind::Image(image) => Some(image),
                StageKind::Base(base) => base.image.as_ref(),
                StageKind::Static(site) => Some(&site.image),
                _ => None,
            };
            let mut chain = Chain { files: &files, done: &done, surroundings, last: None };
            let mut steps = vec![chain.from(&stage.base, image)];
            steps.extend(stage.instructions.iter().map(|instruction| chain.step(instruction)));
            let fingerprint = chain.last.expect("FROM is a step");
            done.insert(planned.id.clone(), fingerprint);
            stages.push(StageFingerprint { id: planned.id.clone(), fingerprint, steps });
        }
        let stage_of = plan.targets.iter().map(|target| (target.name.clone(), target.stage.clone())).collect();
        Self { files, stages, stage_of }
    }

    /// The stages, in the plan's order.
    pub fn stages(&self) -> &[StageFingerprint] {
        &self.stages
    }

    /// A stage by name.
    pub fn stage(&self, id: &StageId) -> Option<&StageFingerprint> {
        self.stages.iter().find(|stage| stage.id == *id)
    }

    /// The fingerprint of a target's image.
    pub fn target(&self, name: &TargetName) -> Option<Fingerprint> {
        self.stage_of.get(name).and_then(|id| self.stage(id)).map(|stage| stage.fingerprint)
    }

    /// The targets, by name, and the stage that is the image of each.
    pub fn targets(&self) -> impl Iterator<Item = (&TargetName, &StageId)> {
        self.stage_of.iter()
    }

    /// The files of the context that a stage copies, with what they hold, by path.
    fn files_of<'f>(&'f self, stage: &'f StageFingerprint) -> BTreeMap<&'f WorkspacePath, &'f [u8; 32]> {
        let ranges = stage.steps.iter().flat_map(|step| &step.files);
        ranges.flat_map(|range| &self.files[range.clone()]).map(|file| (&file.path, &file.digest)).collect()
    }

    /// The images that a target builds on and of which it is not known what they are: their references pin no digest, and
    /// none was given for them. The target's fingerprint says nothing of them, so that equal ones can be of unequal images.
    pub fn unknown_bases(&self, name: &TargetName) -> BTreeSet<&str> {
        let stages = self.stage_of.get(name).map(|id| self.closure(id)).unwrap_or_default();
        let begins = stages.into_iter().filter_map(|stage| stage.steps.first());
        let unknown = begins.filter(|step| step.image_digest.is_none()).filter_map(|step| {
            let given = step.argument.as_ref().and_then(|(_, value)| value.as_deref());
            given.or(step.image.as_ref().map(ImageRef::as_str))
        });
        unknown.filter(|reference| !reference.contains("@sha256:")).collect()
    }

    /// The stage `id` and those it builds on, directly or not, by name.
    pub fn closure(&self, id: &StageId) -> Vec<&StageFingerprint> {
        let mut wanted = BTreeSet::from([id]);
        // Each stage comes after those it needs.
        let mut found: Vec<&StageFingerprint> = Vec::new();
        for stage in self.stages.iter().rev() {
            if wanted.contains(&stage.id) {
                wanted.extend(stage.needs());
                found.push(stage);
            }
        }
        found.reverse();
        found
    }
}

impl StageFingerprint {
    /// The stages it begins with or copies from.
    pub fn needs(&self) -> impl Iterator<Item = &StageId> {
        self.steps.iter().filter_map(|step| step.stage.as_ref())
    }
}

/// The images that the stages of a plan begin with, each once.
pub fn base_images(plan: &BuildPlan) -> Vec<ImageRef> {
    let images: BTreeSet<&ImageRef> = plan.stages.iter().filter_map(drydock_plan::Stage::image).collect();
    images.into_iter().cloned().collect()
}

/// The steps of one stage, each on the one before it.
struct Chain<'a> {
    files: &'a [FileDigest],
    /// The stages before this one.
    done: &'a BTreeMap<StageId, Fingerprint>,
    surroundings: &'a Surroundings<'a>,
    last: Option<Fingerprint>,
}

impl Chain<'_> {
    fn from(&mut self, base: &Base, image: Option<&ImageRef>) -> StepFingerprint {
        let mut hasher = Hasher::new();
        hasher.text("platform", self.surroundings.platform.unwrap_or_default());
        // BuildKit takes these without an ARG, and they decide what it makes.
        for (name, value) in self.surroundings.arguments.into_iter().flatten() {
            if name == "SOURCE_DATE_EPOCH" || name.starts_with("BUILDKIT_") {
                hasher.text(name, value);
            }
        }
        let stage = match base {
            Base::Stage(name) => Some(StageId::new(&name.to_string())),
            Base::Image(_) | Base::Argument(_) | Base::Scratch => None,
        };
        let argument = match base {
            Base::Argument(name) => Some(self.argument(name)),
            Base::Stage(_) | Base::Image(_) | Base::Scratch => None,
        };
        let given = argument.as_ref().and_then(|(_, value)| value.clone());
        let digest = image.and_then(|image| self.surroundings.bases?.get(image)).filter(|_| given.is_none()).cloned();
        match (&stage, image) {
            (Some(stage), _) => hasher.stage(self.done.get(stage)),
            (None, Some(image)) => {
                hasher.text("image", given.as_deref().unwrap_or(image.as_str()));
                hasher.text("digest", digest.as_deref().unwrap_or_default());
            }
            (None, None) => hasher.text("scratch", ""),
        }
        let fingerprint = hasher.finish();
        self.last = Some(fingerprint);
        let instruction = match (base, image) {
            (Base::Argument(_), Some(image)) => format!("FROM {image}"),
            (base, _) => format!("FROM {base}"),
        };
        StepFingerprint {
            instruction,
            fingerprint,
            stage,
            image: image.cloned(),
            image_digest: digest,
            argument,
            files: Vec::new(),
        }
    }

    fn step(&mut self, instruction: &Instruction) -> StepFingerprint {
        let mut hasher = Hasher::new();
        hasher.stage(self.last.as_ref());
        let mut step = StepFingerprint {
            instruction: instruction.to_string(),
            fingerprint: Fingerprint([0; 32]),
            stage: None,
            image: None,
            image_digest: None,
            argument: None,
            files: Vec::new(),
        };
        match instruction {
            Instruction::Copy(copy) => {
                // What a stage is called decides nothing; what it holds does.
                let nameless = Copy { from: None, ..copy.clone() };
                hasher.text("instruction", &Instruction::Copy(nameless).to_string());
                if let Some(from) = &copy.from {
                    let stage = StageId::new(&from.to_string());
                    hasher.stage(self.done.get(&stage));
                    step.stage = Some(stage);
                } else {
                    step.files = copy.sources.iter().map(|source| self.below(source)).collect();
                    for file in step.files.iter().flat_map(|range| &self.files[range.clone()]) {
                        hasher.text("file", file.path.as_str());
                        hasher.bytes(&file.digest);
                    }
                }
            }
            Instruction::Arg(argument) => {
                hasher.text("instruction", &step.instruction);
                let (name, value) = self.argument(&argument.name);
                if let Some(value) = &value {
                    hasher.text("value", value);
                }
                step.argument = Some((name, value));
            }
            _ => hasher.text("instruction", &step.instruction),
        }
        step.fingerprint = hasher.finish();
        self.last = Some(step.fingerprint);
        step
    }

    fn argument(&self, name: &Variable) -> (String, Option<String>) {
        let name = name.to_string();
        let value = self.surroundings.arguments.and_then(|arguments| arguments.get(&name)).cloned();
        (name, value)
    }

    /// The files at or below a source of COPY.
    fn below(&self, source: &str) -> Range<usize> {
        let path = source.trim_end_matches('/').trim_start_matches("./");
        if path.is_empty() || path == "." {
            return 0..self.files.len();
        }
        if let Ok(index) = self.files.binary_search_by(|file| file.path.as_str().cmp(path)) {
            return index..index + 1;
        }
        // What begins with `path/` stands together, names such as `path-2` aside.
        let folder = format!("{path}/");
        let start = self.files.partition_point(|file| file.path.as_str() < folder.as_str());
        let length = self.files[start..].partition_point(|file| file.path.as_str().starts_with(&folder));
        start..start + length
    }
}

/// Content, kind and executable bits of a file.
fn file_digest(file: &ContextFile, content: &impl Fn(&ContextFile) -> ContentDigest) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.text("executable", if file.executable { "yes" } else { "no" });
    match &file.content {
        ContextContent::Tree => hasher.bytes(&content(file)),
        ContextContent::Bytes(bytes) => hasher.bytes(blake3::hash(bytes).as_bytes()),
        ContextContent::Symlink(target) => hasher.text("symlink", target),
    }
    hasher.finish().0
}

/// Takes values so that no two sequences of them are the same bytes.
struct Hasher(blake3::Hasher);

impl Hasher {
    fn new() -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(VERSION);
        Self(hasher)
    }

    fn text(&mut self, label: &str, text: &str) {
        self.bytes(label.as_bytes());
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn stage(&mut self, fingerprint: Option<&Fingerprint>) {
        self.text("stage", "");
        self.bytes(fingerprint.map_or(&[], |fingerprint| &fingerprint.0));
    }

    fn finish(&self) -> Fingerprint {
        Fingerprint(*self.0.finalize().as_bytes())
    }
}

impl Fingerprint {
    /// The first sixteen digits: enough to tell the images of a workspace apart, and short enough for a tag.
    pub fn short(&self) -> String {
        self.to_string().chars().take(16).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
