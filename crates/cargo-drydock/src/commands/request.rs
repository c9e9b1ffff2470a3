//! From a plan, the configuration and the arguments of `build` to what the driver is asked for.

mod epoch;
pub(super) mod images;
mod outputs;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use drydock_build::{BuildRequest, Network, NoCache, Pull, Secret, SecretSource, TargetRequest};
use drydock_diagnostics::{Category, Diagnose, Warning, closest};
use drydock_dockerfile::{Dockerfile, generated_directory, lower, validate};
use drydock_plan::{BuildPlan, BuildStage, CheckStage, InstallPurpose, Stage, StageKind};
use drydock_workspace::Workspace;

use super::facts::Facts;
use super::load::Loaded;
use super::tags;
use crate::args::{BuildArgs, NetworkMode, ProgressMode};
use crate::config;
use crate::failure::Failure;
use crate::reference::is_official;
use crate::report::{FailureContext, Members, RowKind, RowSpec, StageOrigin};
use crate::shell::Shell;
use images::{Direction, annotations, caches, labels};
pub(super) use outputs::{Images, Wish};

/// All that a build needs, and what is shown of it.
pub(super) struct Prepared {
    /// What is asked for, but for the context: that is listed meanwhile.
    pub(super) request: BuildRequest,
    /// The Dockerfile that is part of it.
    pub(super) dockerfile: Dockerfile,
    /// What becomes of the images.
    pub(super) wish: Wish,
    /// The stages, in order.
    pub(super) specs: Vec<RowSpec>,
    /// What a failure is explained with.
    pub(super) failure_context: FailureContext,
    /// The references of each target's image.
    pub(super) tags: BTreeMap<String, Vec<String>>,
    /// Why targets are affected, in sentences, where only affected ones are built.
    pub(super) reasons: BTreeMap<String, Vec<String>>,
}

/// Arguments that do not fit the plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// A secret is declared, and nobody gives it.
    #[error("the secret `{id}`, which the build of `{package}` reads, is not given")]
    SecretMissing { id: String, package: String },
    /// An image is to be pushed, and its reference names no registry.
    #[error("`{reference}` names no registry to push to{}", if *more > 0 { format!("; the same holds for {more} more") } else { String::new() })]
    NoRegistry { reference: String, more: usize },
    /// An image is to be pushed, and has no reference.
    #[error("target `{target}` is to be pushed and has no tag")]
    NoTag { target: String },
}

impl Diagnose for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::SecretMissing { .. } => "secret-missing",
            Self::NoRegistry { .. } => "push-without-registry",
            Self::NoTag { .. } => "push-without-tag",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::SecretMissing { id, .. } => {
                format!("pass `--secret id={id},src=FILE`, or set the environment variable `{}`", variable(id))
            }
            Self::NoTag { .. } | Self::NoRegistry { .. } => {
                "write `--tag registry.example.com/team/{target}`, or set `registry` under \
                 `[workspace]` of the configuration"
                    .to_owned()
            }
        })
    }
}

/// Makes the request. What is odd about the arguments is told as warnings.
pub(super) fn prepare(
    loaded: &Loaded,
    plan: &BuildPlan,
    args: &BuildArgs,
    progress: ProgressMode,
    shell: &mut Shell,
) -> Result<Prepared, Failure> {
    validate(plan)?;
    let configured = &loaded.config.images;
    let mut build_args = values::build_arguments(&args.steps.arguments)?;
    let facts = Facts::new(loaded, plan);
    let time = epoch::wanted(args.image.source_date_epoch.as_deref(), &facts)?;
    // Steps see it where they ask for it.
    if let Some(time) = time.filter(|_| plan.stages.iter().flat_map(arguments_of).any(|name| name == epoch::VARIABLE)) {
        build_args.entry(epoch::VARIABLE.to_owned()).or_insert_with(|| time.to_string());
    }
    let facts = facts.with(build_args.clone(), values::platforms(&args.platforms)?).at(time);
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let tags = tags::of_targets(&facts, configured, &args.image.tags, &names).map_err(Failure::all)?;
    let (wish, outputs) = outputs::wish(&args.image, &facts, &names)?;
    if matches!(wish, Wish::Images(Images { push: true, .. })) {
        check_registries(&tags)?;
        shell.warn_all(&tags::dirty(&facts, configured, &args.image.tags, &names));
    }
    if let Some(file) = &args.image.metadata_file {
        outputs::check_file(file.as_std_path())?;
    }
    shell.warn_all(&unused_arguments(plan, &build_args));
    let secrets = secrets(loaded, plan, &args.steps.secrets)?;
    shell.warn_all(&unset_variables(plan, &secrets));
    let dockerfile = lower(plan, &generated_directory());
    let text = dockerfile.to_string();
    let request = BuildRequest {
        targets: targets(&facts, loaded, plan, args, &tags, outputs, shell)?,
        source_date_epoch: time,
        jobs: args.jobs.unwrap_or_else(default_jobs),
        stage_weights: stage_weights(plan, configured),
        keep_going: args.keep_going,
        no_cache: if args.no_cache { NoCache::Everything } else { NoCache::Nothing },
        pull: if args.pull { Pull::Always } else { Pull::Missing },
        network: match args.steps.network {
            NetworkMode::Default => Network::Default,
            NetworkMode::Host => Network::Host,
            NetworkMode::None => Network::None,
        },
        secrets,
        ssh: args.steps.ssh.iter().map(|argument| values::ssh(argument)).collect::<Result<_, _>>()?,
        shared_key: shared_key(loaded),
        raw_status: progress == ProgressMode::Rawjson,
        internal: true,
        digest_cache: digest_cache(),
        dockerfile: text.clone(),
        ..BuildRequest::default()
    };
    let workspace = Arc::clone(&loaded.workspace);
    let members = LazyLock::new(Box::new(move || members(&workspace)) as Box<dyn FnOnce() -> Members + Send>);
    let failure_context = FailureContext { dockerfile: text.into(), stages: origins(plan), members };
    let specs = plan.stages.iter().map(spec).collect();
    Ok(Prepared { request, dockerfile, wish, specs, failure_context, tags, reasons: BTreeMap::new() })
}

/// The request of each target.
fn targets(
    facts: &Facts<'_>,
    loaded: &Loaded,
    plan: &BuildPlan,
    args: &BuildArgs,
    tags: &BTreeMap<String, Vec<String>>,
    outputs: Vec<drydock_build::Output>,
    shell: &mut Shell,
) -> Result<Vec<TargetRequest>, Failure> {
    let configured = &loaded.config.images;
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let given_labels = values::pairs(&args.image.labels, "a label", "label")?;
    let given_annotations = values::pairs(&args.image.annotations, "an annotation", "annotation")?;
    let attestations = values::attestations(args.image.provenance.as_deref(), args.image.sbom.as_deref())?;
    let platforms = values::platforms(&args.platforms)?;
    let root = loaded.root.as_std_path();
    let cache_from = caches(facts, configured, root, &args.cache_from, Direction::From, &names)?;
    let cache_to = caches(facts, configured, root, &args.cache_to, Direction::To, &names)?;
    let mut warnings = Vec::new();
    let mut requests = Vec::new();
    for (((target, output), cache_from), cache_to) in plan.targets.iter().zip(outputs).zip(cache_from).zip(cache_to) {
        let name = target.name.as_str();
        let oci = args.image.oci_labels.as_deref();
        let of_target = || configured.of(name, |table| table.platforms.clone()).unwrap_or_default();
        requests.push(TargetRequest {
            tags: tags.get(name).cloned().unwrap_or_default(),
            build_args: facts.arguments().clone(),
            labels: labels(facts, configured, &given_labels, oci, name, &mut warnings)?,
            annotations: annotations(facts, configured, &given_annotations, name)?,
            platforms: if platforms.is_empty() { of_target() } else { platforms.clone() },
            cache_from,
            cache_to,
            attestations: attestations.clone(),
            weight: configured.target_weights.get(&target.name).copied().unwrap_or(1),
            output,
            ..TargetRequest::new(name, target.stage.as_str())
        });
    }
    shell.warn_all(&warnings);
    Ok(requests)
}

/// References must say where a push goes; Docker Hub takes images of nobody in the place where those without any
/// path are.
fn check_registries(tags: &BTreeMap<String, Vec<String>>) -> Result<(), Failure> {
    let untagged = tags.iter().filter(|(_, references)| references.is_empty());
    let untagged = untagged.map(|(target, _)| RequestError::NoTag { target: target.clone() });
    let official: Vec<&String> = tags.values().flatten().filter(|reference| is_official(reference)).collect();
    let (first, more) = (official.first(), official.len().saturating_sub(1));
    let official = first.map(|reference| RequestError::NoRegistry { reference: (*reference).clone(), more });
    let errors: Vec<_> = untagged.chain(official).collect();
    if errors.is_empty() { Ok(()) } else { Err(Failure::all(errors)) }
}

/// How many jobs the builds of packages take, by stage, where it is not one.
fn stage_weights(plan: &BuildPlan, images: &config::Images) -> BTreeMap<String, u32> {
    let heavy = plan.stages.iter().filter_map(|stage| {
        let StageKind::Build(build) = &stage.kind else { return None };
        let weight = images.package_weights.get(&build.package).filter(|weight| **weight > 1)?;
        Some((stage.id.as_str().to_owned(), *weight))
    });
    heavy.collect()
}

/// As many targets at once as there are processors: most builds keep one busy.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}

/// The name of the checkout's context, here and on the daemon.
pub(super) fn shared_key(loaded: &Loaded) -> String {
    format!("drydock-{}", &blake3::hash(loaded.root.as_str().as_bytes()).to_hex()[..32])
}

/// Where digests of files are remembered.
pub(super) fn digest_cache() -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join("digests"))
}

/// Build arguments that no stage reads.
fn unused_arguments(plan: &BuildPlan, given: &BTreeMap<String, String>) -> Vec<Warning> {
    // Docker takes these without an ARG.
    const PREDEFINED: [&str; 4] = ["BUILDKIT_", "SOURCE_DATE_EPOCH", "_proxy", "_PROXY"];
    let declared: BTreeSet<&str> = plan.stages.iter().flat_map(arguments_of).collect();
    let unused = given.keys().filter(|name| {
        let predefined = PREDEFINED.iter().any(|part| name.starts_with(part) || name.ends_with(part));
        !predefined && !declared.contains(name.as_str())
    });
    unused
        .map(|name| {
            let help = match closest(name, declared.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name it under `args` of the package or target that reads it".to_owned(),
            };
            Warning::new("build-arg-unused", format!("nothing reads the build argument `{name}`")).with_help(help)
        })
        .collect()
}

fn arguments_of(stage: &Stage) -> Vec<&str> {
    match &stage.kind {
        StageKind::Build(build) | StageKind::Check(CheckStage { work: build, .. }) => {
            build.args.keys().map(String::as_str).collect()
        }
        StageKind::Runtime(runtime) => runtime.args.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Variables that `.npmrc` reads and nobody sets: a registry that wants the token will refuse the install.
fn unset_variables(plan: &BuildPlan, secrets: &[Secret]) -> Vec<Warning> {
    let installs = plan.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Install(install) => Some(install),
        _ => None,
    });
    let read: BTreeSet<&String> = installs.flat_map(|install| &install.npmrc_variables).collect();
    let unset = read.into_iter().filter(|name| secrets.iter().all(|secret| secret.id != **name));
    unset
        .map(|name| {
            let message = format!("`.npmrc` reads the environment variable `{name}`, which is not set");
            Warning::new("npmrc-variable-unset", message)
                .with_help(format!("set it, or pass `--secret id={name},src=FILE`; it reaches installs as a secret"))
        })
        .collect()
}

/// The secrets that the plan mounts: as given, else from where they usually are.
fn secrets(loaded: &Loaded, plan: &BuildPlan, given: &[String]) -> Result<Vec<Secret>, Failure> {
    let mut secrets: BTreeMap<String, SecretSource> = BTreeMap::new();
    for argument in given {
        let secret = values::secret(argument)?;
        secrets.insert(secret.id, secret.source);
    }
    for stage in &plan.stages {
        match &stage.kind {
            StageKind::Install(install) => {
                if install.npmrc_secret && !secrets.contains_key("npmrc") {
                    let file = loaded.root.join(".npmrc");
                    let file = if file.exists() { Some(file.into_std_path_buf()) } else { user_npmrc() };
                    if let Some(file) = file {
                        secrets.insert("npmrc".to_owned(), SecretSource::File(file));
                    }
                }
                for name in &install.npmrc_variables {
                    if std::env::var_os(name).is_some() {
                        secrets.entry(name.clone()).or_insert_with(|| SecretSource::Env(name.clone()));
                    }
                }
            }
            StageKind::Build(build) | StageKind::Check(CheckStage { work: build, .. }) => {
                for id in &build.secrets {
                    if secrets.contains_key(id) {
                        continue;
                    }
                    let name = variable(id);
                    if std::env::var_os(&name).is_none() {
                        let package = build.package.to_string();
                        return Err(RequestError::SecretMissing { id: id.clone(), package }.into());
                    }
                    secrets.insert(id.clone(), SecretSource::Env(name));
                }
            }
            _ => {}
        }
    }
    Ok(secrets.into_iter().map(|(id, source)| Secret { id, source }).collect())
}

/// `sentry-token` is read from `SENTRY_TOKEN`, here as in the bake file.
fn variable(id: &str) -> String {
    let upper = |other: char| if other.is_ascii_alphanumeric() { other.to_ascii_uppercase() } else { '_' };
    id.chars().map(upper).collect()
}

/// Where npm keeps what a user configured.
fn user_npmrc() -> Option<PathBuf> {
    let named = std::env::var_os("NPM_CONFIG_USERCONFIG").map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(".npmrc"))).filter(|file| file.exists())
}

/// The folder for what may be thrown away.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = || {
        let home = std::env::home_dir()?;
        Some(if cfg!(target_os = "macos") { home.join("Library/Caches/drydock") } else { home.join(".cache/drydock") })
    };
    set("DRYDOCK_CACHE_DIR").or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("drydock"))).or_else(usual)
}

/// How a stage is shown.
fn spec(stage: &Stage) -> RowSpec {
    let origin = origin(stage);
    let needs = stage.needs().into_iter().map(|id| id.as_str().to_owned()).collect();
    RowSpec { stage: stage.id.as_str().to_owned(), label: origin.label, kind: origin.kind, needs }
}

/// What the workspace's packages bring.
fn members(workspace: &Workspace) -> Members {
    let mut members = Members::default();
    for package in &workspace.packages {
        let name = package.name.to_string();
        let commands = package.manifest.bin().into_iter().map(|(command, _)| (command.to_owned(), name.clone()));
        members.commands.extend(commands);
        members.packages.insert(name);
    }
    members
}

fn origins(plan: &BuildPlan) -> BTreeMap<String, StageOrigin> {
    let mut origins: BTreeMap<String, StageOrigin> =
        plan.stages.iter().map(|stage| (stage.id.as_str().to_owned(), origin(stage))).collect();
    for target in &plan.targets {
        if let Some(origin) = origins.get_mut(target.stage.as_str()) {
            origin.package = Some(target.package.as_str().to_owned());
        }
    }
    origins
}

/// What a stage is to the user.
fn origin(stage: &Stage) -> StageOrigin {
    let id = stage.id.as_str().to_owned();
    match &stage.kind {
        StageKind::Image(_) | StageKind::Base(_) | StageKind::Gate(_) => {
            StageOrigin { kind: RowKind::Base, label: id, package: None, by_hand: None }
        }
        StageKind::Install(install) => {
            let command = install.manager.command();
            let by_hand = match install.purpose {
                InstallPurpose::Build => format!("{command} install"),
                InstallPurpose::Production => format!("{command} install --omit=dev"),
            };
            StageOrigin { kind: RowKind::Install, label: id, package: None, by_hand: Some(by_hand) }
        }
        StageKind::Build(build) => {
            let name = build.package.as_str().to_owned();
            let by_hand = Some(by_hand(build));
            StageOrigin { kind: RowKind::Build, label: name.clone(), package: Some(name), by_hand }
        }
        StageKind::Check(CheckStage { check, work }) => {
            let package = work.package.as_str().to_owned();
            let by_hand = Some(by_hand(work));
            StageOrigin { kind: RowKind::Check, label: format!("{package} {check}"), package: Some(package), by_hand }
        }
        StageKind::Runtime(runtime) => {
            let label = runtime.target.as_str().to_owned();
            StageOrigin { kind: RowKind::Target, label, package: None, by_hand: None }
        }
        StageKind::Dev(dev) => {
            let label = dev.target.as_str().to_owned();
            StageOrigin { kind: RowKind::Target, label, package: None, by_hand: None }
        }
        StageKind::Static(site) => {
            let label = site.target.as_str().to_owned();
            StageOrigin { kind: RowKind::Target, label, package: None, by_hand: None }
        }
    }
}

/// The command that does the same outside Docker.
fn by_hand(build: &BuildStage) -> String {
    let command = build.command.join(" ");
    if build.directory.is_root() { command } else { format!("cd {} && {command}", build.directory) }
}
