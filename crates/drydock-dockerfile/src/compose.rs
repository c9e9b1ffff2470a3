//! The Compose file: a service for every target of a plan.

use std::collections::{BTreeMap, BTreeSet};

use drydock_plan::{
    BuildPlan, CopySource, DevStage, Stage, StageId, StageKind, Target, TargetKind, TargetName, WorkspacePath,
};
use serde_json::{Map, Value, json};

use crate::bake::{Needs, environment_name};
use crate::ignore::ignore_file_with;
use crate::written::{WrittenFile, written};
use crate::yaml::yaml;

/// How a Compose file is written.
#[derive(Debug, Clone)]
pub struct Compose<'a> {
    /// The project's name; the one of its folder where nothing is said.
    pub name: Option<String>,
    /// The folder that the file lies in. Its paths are relative to it.
    pub place: WorkspacePath,
    /// The folder that the Dockerfile lies in, as [`compose_context`] writes it; `None` refers to images alone.
    pub directory: Option<WorkspacePath>,
    /// Whether sources are mounted into images for development; else a watcher keeps them up to date.
    pub mount: bool,
    /// The services, by their target.
    pub services: &'a BTreeMap<TargetName, ComposeService>,
}

/// What the plan does not tell of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeService {
    /// What it is called, and reached by from other services.
    pub name: String,
    /// The reference of its image.
    pub image: String,
    /// Further references.
    pub tags: Vec<String>,
    /// The port of this machine that its port is published on.
    pub host_port: Option<u16>,
    /// Whether nobody but this machine reaches that port.
    pub loopback: bool,
    /// Variables that it gets from the environment of Compose.
    pub environment: Vec<String>,
    /// Files with variables, from the root, which need not be there.
    pub env_files: Vec<WorkspacePath>,
    /// The targets that are up before it starts.
    pub depends_on: BTreeSet<TargetName>,
}

/// The Compose file as text, without a head. Services are in the order of their names.
///
/// Health is not asked here: Compose takes the image's own `HEALTHCHECK`. A service that depends on one that has it waits
/// until that is healthy. Build arguments and variables without a value come from the environment, as does each secret,
/// from the variable of its name in capitals.
pub fn compose_file(plan: &BuildPlan, compose: &Compose<'_>) -> String {
    let stages: BTreeMap<&StageId, &Stage> = plan.stages.iter().map(|stage| (&stage.id, stage)).collect();
    let mut services = BTreeMap::new();
    let mut secrets = Map::new();
    for target in &plan.targets {
        let Some(service) = compose.services.get(&target.name) else { continue };
        let needs = Needs::of(&stages, &target.stage);
        if compose.directory.is_some() {
            for id in &needs.secrets {
                secrets.insert((*id).to_owned(), json!({ "environment": environment_name(id) }));
            }
            if needs.npmrc {
                let file = format!("${{NPMRC:-{}}}", compose.path(".npmrc"));
                secrets.insert("npmrc".to_owned(), json!({ "file": file }));
            }
        }
        services.insert(service.name.clone(), Value::Object(compose.service(plan, &stages, target, service, &needs)));
    }
    let mut file = Map::new();
    if let Some(name) = &compose.name {
        file.insert("name".to_owned(), literal(name));
    }
    file.insert("services".to_owned(), Value::Object(services.into_iter().collect()));
    if !secrets.is_empty() {
        secrets.sort_keys();
        file.insert("secrets".to_owned(), Value::Object(secrets));
    }
    yaml(&Value::Object(file))
}

/// The files that a Compose file refers to: as [`written`] writes them, but that the ignore file of images for
/// development lets new sources through as well. Compose watches by it, so one that names each file would keep those
/// from a container that nobody has planned yet.
///
/// # Panics
/// If the plan holds what [`validate`](crate::validate()) refuses.
pub fn compose_context(plan: &BuildPlan, directory: &WorkspacePath) -> BTreeMap<WorkspacePath, WrittenFile> {
    let mut files = written(plan, directory);
    files.remove(&directory.join("docker-bake.json").expect("a plain name does not climb"));
    let ignore = directory.join("Dockerfile.dockerignore").expect("a plain name does not climb");
    let text = ignore_file_with(plan, directory, &new_sources(plan, directory));
    files.insert(ignore, WrittenFile { bytes: text.into_bytes().into(), executable: false });
    files
}

impl Compose<'_> {
    fn service(
        &self,
        plan: &BuildPlan,
        stages: &BTreeMap<&StageId, &Stage>,
        target: &Target,
        service: &ComposeService,
        needs: &Needs<'_>,
    ) -> Map<String, Value> {
        let stage = &stages[&target.stage].kind;
        let mut entry = Map::new();
        entry.insert("image".to_owned(), literal(&service.image));
        if let Some(directory) = &self.directory {
            entry.insert("build".to_owned(), self.build(directory, target, service, needs));
        }
        if target.kind == TargetKind::Cli {
            // A command ends; `docker compose run` starts it.
            entry.insert("profiles".to_owned(), json!(["cli"]));
            entry.insert("stdin_open".to_owned(), json!(true));
        }
        if let (Some(port), Some(host)) = (target.port, service.host_port) {
            let host = if service.loopback { format!("127.0.0.1:{host}") } else { host.to_string() };
            entry.insert("ports".to_owned(), json!([format!("{host}:{port}")]));
        }
        if !service.env_files.is_empty() {
            let files =
                service.env_files.iter().map(|path| json!({ "path": self.path(path.as_str()), "required": false }));
            entry.insert("env_file".to_owned(), files.collect());
        }
        let environment = environment(stage, target.port, service);
        if !environment.is_empty() {
            entry.insert("environment".to_owned(), Value::Object(environment));
        }
        let depends: BTreeMap<&str, Value> = service
            .depends_on
            .iter()
            .filter_map(|name| {
                let other = self.services.get(name)?;
                let target = plan.targets.iter().find(|target| target.name == *name)?;
                let condition =
                    if has_health(&stages[&target.stage].kind) { "service_healthy" } else { "service_started" };
                Some((other.name.as_str(), json!({ "condition": condition })))
            })
            .collect();
        if !depends.is_empty() {
            let depends = depends.into_iter().map(|(name, value)| (name.to_owned(), value));
            entry.insert("depends_on".to_owned(), Value::Object(depends.collect()));
        }
        if let StageKind::Dev(dev) = stage {
            if self.mount {
                let volumes = self.volumes(plan, dev);
                if !volumes.is_empty() {
                    entry.insert("volumes".to_owned(), volumes.into());
                }
            }
            let rules = self.watch(plan, dev);
            if !rules.is_empty() {
                entry.insert("develop".to_owned(), json!({ "watch": rules }));
            }
        }
        entry
    }

    fn build(&self, directory: &WorkspacePath, target: &Target, service: &ComposeService, needs: &Needs<'_>) -> Value {
        let mut build = Map::new();
        build.insert("context".to_owned(), literal(&self.path("")));
        // Relative to the context.
        let dockerfile = directory.join("Dockerfile").expect("a plain name does not climb");
        build.insert("dockerfile".to_owned(), literal(dockerfile.as_str()));
        build.insert("target".to_owned(), json!(target.stage.as_str()));
        if !service.tags.is_empty() {
            build.insert("tags".to_owned(), service.tags.iter().map(|tag| literal(tag)).collect());
        }
        if !needs.arguments.is_empty() {
            let arguments = needs.arguments.iter().map(|name| ((*name).to_owned(), Value::Null));
            build.insert("args".to_owned(), Value::Object(arguments.collect()));
        }
        let secrets: BTreeSet<&str> = needs.npmrc.then_some("npmrc").into_iter().chain(needs.secrets.clone()).collect();
        if !secrets.is_empty() {
            build.insert("secrets".to_owned(), json!(secrets));
        }
        Value::Object(build)
    }

    /// Sources over those of the image, and what is installed as it is in the image. What runs from a build of the image
    /// is not there outside of it, so those sources are left to the watcher.
    fn volumes(&self, plan: &BuildPlan, dev: &DevStage) -> Vec<Value> {
        let in_image = |path: &WorkspacePath| in_image(plan, path);
        let mounted: Vec<&WorkspacePath> =
            dev.sources.iter().filter(|source| !source.built).map(|source| &source.directory).collect();
        let folders = mounted.iter().map(|path| format!("{}:{}", self.path(path.as_str()), in_image(path)));
        let kept: BTreeSet<&WorkspacePath> = dev
            .modules
            .iter()
            .chain(dev.sources.iter().filter(|source| source.built).flat_map(|source| &source.outputs))
            .filter(|path| mounted.iter().any(|folder| path.is_within(folder)))
            .collect();
        folders.chain(kept.into_iter().map(in_image)).map(|volume| literal(&volume)).collect()
    }

    /// What a watcher does about edits: sources that run as they are go into the container, where they are not mounted, and
    /// what does not see them is started again; what is built, installed or configured makes another image.
    fn watch(&self, plan: &BuildPlan, dev: &DevStage) -> Vec<Value> {
        let sync = if dev.reloads { "sync" } else { "sync+restart" };
        let mut rules = Vec::new();
        let mut rebuilt: BTreeSet<WorkspacePath> = BTreeSet::new();
        for source in &dev.sources {
            for path in &source.files {
                let settings = configuration(plan, &source.directory, path);
                if source.built {
                    rules.push(self.rule(
                        path,
                        "rebuild",
                        None,
                        &ignored(plan, path, &source.outputs, &BTreeSet::new()),
                    ));
                } else if settings.contains(path) {
                    rebuilt.insert(path.clone());
                } else {
                    let ignored = ignored(plan, path, &source.outputs, &settings);
                    if !self.mount {
                        rules.push(self.rule(path, sync, Some(in_image(plan, path)), &ignored));
                    } else if !dev.reloads {
                        rules.push(self.rule(path, "restart", None, &ignored));
                    }
                    rebuilt.extend(settings);
                }
            }
        }
        let elsewhere =
            dev.copies.iter().filter(|copy| copy.source == CopySource::Context).flat_map(|copy| &copy.paths);
        let sources: BTreeSet<&WorkspacePath> = dev.sources.iter().flat_map(|source| &source.files).collect();
        rebuilt.extend(elsewhere.filter(|path| !sources.contains(path)).cloned());
        let rebuilt = rebuilt.iter().filter(|path| !path.is_root());
        rules.extend(rebuilt.map(|path| self.rule(path, "rebuild", None, &[])));
        if let Some(directory) = &self.directory {
            // New when the lockfile is another one and this file was written again.
            rules.push(self.rule(directory, "rebuild", None, &[]));
        }
        rules
    }

    fn rule(&self, path: &WorkspacePath, action: &str, target: Option<String>, ignore: &[String]) -> Value {
        let mut rule = Map::new();
        rule.insert("path".to_owned(), literal(&self.path(path.as_str())));
        rule.insert("action".to_owned(), json!(action));
        if let Some(target) = target {
            rule.insert("target".to_owned(), literal(&target));
        }
        if !ignore.is_empty() {
            rule.insert("ignore".to_owned(), ignore.iter().map(|pattern| literal(pattern)).collect());
        }
        Value::Object(rule)
    }

    /// A path of the workspace as the file says it.
    fn path(&self, path: &str) -> String {
        let up = "../".repeat(self.place.parts().count());
        match (up.as_str(), path) {
            ("", "") => ".".to_owned(),
            ("", path) => format!("./{path}"),
            (up, "") => up.trim_end_matches('/').to_owned(),
            (up, path) => format!("{up}{path}"),
        }
    }
}

/// What Compose sets: what it takes from its own environment, and what makes a service reachable, over its files.
fn environment(stage: &StageKind, port: Option<u16>, service: &ComposeService) -> Map<String, Value> {
    let image = match stage {
        StageKind::Runtime(runtime) => Some(&runtime.env),
        StageKind::Dev(dev) => Some(&dev.env),
        _ => None,
    };
    let mut environment: BTreeMap<&str, Value> = BTreeMap::new();
    for (name, value) in image.into_iter().flatten().filter(|_| !service.env_files.is_empty()) {
        // A file for work without containers says `localhost`, and perhaps another port.
        if name == "PORT" || name == "NODE_ENV" || value == "0.0.0.0" {
            environment.insert(name, literal(value));
        }
    }
    if let Some(port) = port.filter(|_| image.is_some() && !service.env_files.is_empty()) {
        environment.entry("PORT").or_insert_with(|| port.to_string().into());
    }
    environment.extend(service.environment.iter().map(|name| (name.as_str(), Value::Null)));
    environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn has_health(stage: &StageKind) -> bool {
    match stage {
        StageKind::Runtime(runtime) => runtime.healthcheck.is_some(),
        StageKind::Static(site) => site.healthcheck.is_some(),
        StageKind::Dev(dev) => dev.healthcheck.is_some(),
        _ => false,
    }
}

fn in_image(plan: &BuildPlan, path: &WorkspacePath) -> String {
    if path.is_root() { plan.root.as_str().to_owned() } else { format!("{}/{path}", plan.root.as_str()) }
}

/// Files at the top of a package that decide how it is installed, compiled or served, at or below `path`.
fn configuration(plan: &BuildPlan, package: &WorkspacePath, path: &WorkspacePath) -> BTreeSet<WorkspacePath> {
    let within = plan.context.iter().map(|file| &file.path).filter(|file| file.is_within(path));
    within.filter(|file| file.parent().as_ref() == Some(package) && configures(file.file_name())).cloned().collect()
}

fn configures(name: &str) -> bool {
    let (stem, ending) = name.rsplit_once('.').unwrap_or_default();
    matches!(name, "package.json" | "nest-cli.json" | "angular.json")
        || stem.starts_with("tsconfig") && ending == "json"
        || stem.ends_with(".config")
        || name.starts_with('.') && name.ends_with("rc")
}

/// What a rule on a folder is not about, relative to it.
fn ignored(
    plan: &BuildPlan,
    path: &WorkspacePath,
    outputs: &[WorkspacePath],
    settings: &BTreeSet<WorkspacePath>,
) -> Vec<String> {
    if !plan.context.iter().any(|file| file.path != *path && file.path.is_within(path)) {
        return Vec::new();
    }
    let relative = |other: &WorkspacePath| other.strip_prefix(path).filter(|rest| !rest.is_empty()).map(str::to_owned);
    let mut ignored: BTreeSet<String> = outputs.iter().chain(settings).filter_map(relative).collect();
    ignored.insert("**/node_modules".to_owned());
    ignored.into_iter().collect()
}

/// Endings of files that people write as sources. Others may hold what no image should.
const SOURCES: [&str; 24] = [
    "astro", "cjs", "css", "cts", "ejs", "gql", "graphql", "hbs", "html", "js", "jsx", "less", "mdx", "mjs", "mts",
    "prisma", "sass", "scss", "sql", "svelte", "svg", "ts", "tsx", "vue",
];

/// What has a meaning in patterns.
const SPECIAL: [char; 9] = ['*', '?', '[', ']', '\\', '^', '{', '}', '|'];

/// Patterns of an ignore file for sources that are not there yet: like those that are, in the folders where those are.
fn new_sources(plan: &BuildPlan, directory: &WorkspacePath) -> Vec<String> {
    let mut patterns = Vec::new();
    let mut kept = BTreeSet::new();
    for stage in &plan.stages {
        let StageKind::Dev(dev) = &stage.kind else { continue };
        for source in &dev.sources {
            for folder in source.files.iter().filter(|path| !path.as_str().contains(SPECIAL)) {
                let inside = plan.context.iter().filter(|file| file.path != *folder && file.path.is_within(folder));
                let endings: BTreeSet<&str> = inside
                    .filter_map(|file| file.path.file_name().rsplit_once('.').map(|(_, ending)| ending))
                    .filter(|ending| SOURCES.contains(ending))
                    .collect();
                let prefix = if folder.is_root() { String::new() } else { format!("{folder}/") };
                patterns.extend(endings.iter().map(|ending| format!("!{prefix}**/*.{ending}")));
                if !endings.is_empty() {
                    kept.extend(
                        source.outputs.iter().filter(|path| path.is_within(folder) && *path != folder).cloned(),
                    );
                }
            }
        }
    }
    if patterns.is_empty() {
        return patterns;
    }
    patterns.sort();
    patterns.dedup();
    patterns.push("**/node_modules".to_owned());
    patterns.extend(kept.iter().map(ToString::to_string));
    // So that a watcher sees that it is another one.
    patterns.push(format!("!{directory}/Dockerfile"));
    patterns
}

/// Compose expands `$` in every value.
fn literal(text: &str) -> Value {
    Value::from(text.replace('$', "$$"))
}
