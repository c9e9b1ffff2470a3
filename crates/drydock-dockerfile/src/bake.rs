//! The bake file: every image of the plan for `docker buildx bake`.

use std::collections::{BTreeMap, BTreeSet};

use drydock_plan::{BuildPlan, CheckStage, Stage, StageId, StageKind, Target, TargetName, WorkspacePath};
use serde_json::{Map, Value, json};

/// How the image of a target is called, and what else bake is told of it. All values are as bake's own command line
/// takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BakeImage {
    /// References; without one the image is called like the target.
    pub tags: Vec<String>,
    /// Labels of the image's configuration.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
    /// Platforms it is built for; without one, the builder's own.
    pub platforms: Vec<String>,
    /// Caches that steps may come from: `type=registry,ref=…`.
    pub cache_from: Vec<String>,
    /// Caches that steps go to.
    pub cache_to: Vec<String>,
}

impl BakeImage {
    /// The keys of a target that are said.
    fn keys(&self, target: &TargetName) -> impl Iterator<Item = (&'static str, Value)> {
        let list = |texts: &[String]| texts.iter().map(|text| literal(text)).collect::<Vec<Value>>();
        let tags = if self.tags.is_empty() { vec![literal(target.as_str())] } else { list(&self.tags) };
        let labels: Map<String, Value> = self.labels.iter().map(|(key, text)| (key.clone(), literal(text))).collect();
        let annotations = self.annotations.iter().map(|(key, text)| literal(&format!("{key}={text}"))).collect();
        let lists = [
            ("tags", tags),
            ("annotations", annotations),
            ("platforms", list(&self.platforms)),
            ("cache-from", list(&self.cache_from)),
            ("cache-to", list(&self.cache_to)),
        ];
        let lists = lists.into_iter().filter(|(_, texts)| !texts.is_empty());
        let labels = (!labels.is_empty()).then_some(("labels", Value::Object(labels)));
        lists.map(|(key, texts)| (key, Value::Array(texts))).chain(labels)
    }
}

/// The bake file as text. It is run from the root of the workspace:
/// `docker buildx bake --file .drydock/docker-bake.json`.
///
/// `directory` is the folder the Dockerfile lies in. `images` says how images are made; one of a target that it leaves
/// out is tagged with the target's name. Build arguments are variables of bake, so that the environment can set them
/// (`BUILD_COMMIT=… docker buildx bake`); unset, the Dockerfile's defaults hold. Secrets are read from the environment
/// variable of their name in capitals, and `npmrc` from `.npmrc` or the file that the variable `NPMRC` names.
pub fn bake_file(plan: &BuildPlan, directory: &WorkspacePath, images: &BTreeMap<TargetName, BakeImage>) -> String {
    let names = bake_names(plan);
    let stages: BTreeMap<&StageId, &Stage> = plan.stages.iter().map(|stage| (&stage.id, stage)).collect();
    let dockerfile = directory.join("Dockerfile").expect("a plain name does not climb");
    let mut variables: BTreeMap<String, Value> = BTreeMap::new();
    let unsaid = BakeImage::default();
    let mut targets = Map::new();
    for target in &plan.targets {
        let needs = Needs::of(&stages, &target.stage);
        let mut entry = Map::new();
        entry.insert("context".into(), json!("."));
        entry.insert("dockerfile".into(), literal(dockerfile.as_str()));
        entry.insert("target".into(), json!(target.stage.as_str()));
        let image = images.get(&target.name).unwrap_or(&unsaid);
        entry.extend(image.keys(&target.name).map(|(key, value)| (key.to_owned(), value)));
        if !needs.arguments.is_empty() {
            for name in &needs.arguments {
                variables.insert((*name).to_owned(), json!({ "default": null }));
            }
            let arguments: Map<String, Value> =
                needs.arguments.iter().map(|name| ((*name).to_owned(), json!(format!("${{{name}}}")))).collect();
            entry.insert("args".into(), Value::Object(arguments));
        }
        let secrets: Vec<String> =
            needs.secrets.iter().map(|id| format!("id={id},env={}", environment_name(id))).collect();
        let npmrc = needs.npmrc.then(|| {
            variables.insert("NPMRC".to_owned(), json!({ "default": ".npmrc" }));
            "id=npmrc,src=${NPMRC}".to_owned()
        });
        let secrets: Vec<String> = npmrc.into_iter().chain(secrets).collect();
        if !secrets.is_empty() {
            entry.insert("secret".into(), json!(secrets));
        }
        targets.insert(names[&target.name].clone(), Value::Object(entry));
    }
    let mut file = Map::new();
    if !variables.is_empty() {
        file.insert("variable".into(), variables.into_iter().collect::<Map<_, _>>().into());
    }
    let group: Vec<&str> = plan.targets.iter().map(|target| names[&target.name].as_str()).collect();
    file.insert("group".into(), json!({ "default": { "targets": group } }));
    file.insert("target".into(), Value::Object(targets));
    format!("{:#}\n", Value::Object(file))
}

/// Bake expands `${…}` and `%{…}` in every string.
fn literal(text: &str) -> Value {
    Value::from(text.replace("${", "$${").replace("%{", "%%{"))
}

/// Bake's names know no dot, and `default` is the group of all.
fn bake_names(plan: &BuildPlan) -> BTreeMap<&TargetName, String> {
    let mut taken = BTreeSet::from(["default".to_owned()]);
    plan.targets
        .iter()
        .map(|Target { name, .. }| {
            let mut bake: String = name
                .as_str()
                .chars()
                .map(|character| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' })
                .collect();
            while !taken.insert(bake.clone()) {
                bake.push('_');
            }
            (name, bake)
        })
        .collect()
}

/// `sentry-token` is read from `SENTRY_TOKEN`.
pub(crate) fn environment_name(id: &str) -> String {
    id.chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' })
        .collect()
}

/// What the stages of an image are given from outside.
#[derive(Default)]
pub(crate) struct Needs<'p> {
    /// Build arguments.
    pub(crate) arguments: BTreeSet<&'p str>,
    /// Ids of secrets.
    pub(crate) secrets: BTreeSet<&'p str>,
    /// Whether `.npmrc` is one of them.
    pub(crate) npmrc: bool,
}

impl<'p> Needs<'p> {
    /// What `stage` and those it is made from need.
    pub(crate) fn of(stages: &BTreeMap<&'p StageId, &'p Stage>, stage: &'p StageId) -> Self {
        let mut needs = Self::default();
        let mut seen = BTreeSet::new();
        let mut open = vec![stage];
        while let Some(id) = open.pop() {
            let Some(stage) = stages.get(id).filter(|_| seen.insert(id)) else { continue };
            open.extend(stage.needs());
            match &stage.kind {
                StageKind::Image(_)
                | StageKind::Base(_)
                | StageKind::Gate(_)
                | StageKind::Static(_)
                | StageKind::Dev(_) => {}
                StageKind::Install(install) => {
                    needs.npmrc |= install.npmrc_secret;
                    needs.secrets.extend(install.npmrc_variables.iter().map(String::as_str));
                }
                StageKind::Build(build) | StageKind::Check(CheckStage { work: build, .. }) => {
                    needs.arguments.extend(build.args.keys().map(String::as_str));
                    needs.secrets.extend(build.secrets.iter().map(String::as_str));
                }
                StageKind::Runtime(runtime) => needs.arguments.extend(runtime.args.keys().map(String::as_str)),
            }
        }
        needs
    }
}
