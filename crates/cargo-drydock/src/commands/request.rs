//! From a plan and the arguments of `build` to what the driver is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use drydock_build::{BuildRequest, ContextContent, ContextEntry, NoCache, Secret, SecretSource, TargetRequest};
use drydock_diagnostics::{Category, Diagnose, Warning, closest};
use drydock_dockerfile::{generated_directory, lower, validate};
use drydock_plan::{BuildPlan, InstallPurpose, Stage, StageKind};

use super::load::Loaded;
use super::tags::{self, TagError};
use crate::args::BuildArgs;
use crate::failure::Failure;
use crate::report::{FailureContext, RowKind, RowSpec, StageOrigin};
use crate::shell::Shell;

/// All that a build needs, and what is shown of it.
pub(super) struct Prepared {
    pub(super) request: BuildRequest,
    /// The stages, in order.
    pub(super) specs: Vec<RowSpec>,
    /// What a failure is explained with.
    pub(super) failure_context: FailureContext,
    /// The references of each target's image.
    pub(super) tags: BTreeMap<String, Vec<String>>,
}

/// Arguments that do not fit the plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// A build argument has no name.
    #[error("`{argument}` is not a build argument")]
    BuildArgument { argument: String },
    /// A build argument takes its value from the environment, which has none.
    #[error("the environment variable `{name}`, which `--build-arg {name}` reads, is not set")]
    Unset { name: String },
    /// `--secret` does not parse.
    #[error("`{argument}` is not a secret: {reason}")]
    Secret { argument: String, reason: &'static str },
    /// A secret is declared, and nobody gives it.
    #[error("the secret `{id}`, which the build of `{package}` reads, is not given")]
    SecretMissing { id: String, package: String },
}

impl Diagnose for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::BuildArgument { .. } => "build-arg-invalid",
            Self::Unset { .. } => "build-arg-unset",
            Self::Secret { .. } => "secret-invalid",
            Self::SecretMissing { .. } => "secret-missing",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::BuildArgument { .. } => "write `--build-arg NAME=value`".to_owned(),
            Self::Unset { name } => format!("set it, or write `--build-arg {name}=value`"),
            Self::Secret { .. } => "write `--secret id=NAME,env=VARIABLE` or `--secret id=NAME,src=FILE`".to_owned(),
            Self::SecretMissing { id, .. } => {
                format!("pass `--secret id={id},src=FILE`, or set the environment variable `{}`", variable(id))
            }
        })
    }
}

/// Makes the request. What is odd about the arguments is told as warnings.
pub(super) fn prepare(
    loaded: &Loaded,
    plan: &BuildPlan,
    args: &BuildArgs,
    shell: &mut Shell,
) -> Result<Prepared, Failure> {
    validate(plan)?;
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let tags = tags::expand(&args.tags, &names).map_err(Failure::all::<TagError>)?;
    let build_args = build_arguments(&args.arguments)?;
    shell.warn_all(&unused_arguments(plan, &build_args));
    let dockerfile = lower(plan, &generated_directory()).to_string();
    let targets = plan.targets.iter().map(|target| TargetRequest {
        tags: tags.get(target.name.as_str()).cloned().unwrap_or_default(),
        build_args: build_args.clone(),
        ..TargetRequest::new(target.name.as_str(), target.stage.as_str())
    });
    let failure_context = FailureContext { dockerfile: dockerfile.as_str().into(), stages: origins(plan) };
    let request = BuildRequest {
        context: context(loaded, plan),
        targets: targets.collect(),
        jobs: args.jobs.unwrap_or_else(default_jobs),
        keep_going: args.keep_going,
        no_cache: if args.no_cache { NoCache::Everything } else { NoCache::Nothing },
        secrets: secrets(loaded, plan, &args.secrets)?,
        shared_key: format!("drydock-{}", &blake3::hash(loaded.root.as_str().as_bytes()).to_hex()[..32]),
        internal: true,
        digest_cache: cache_folder().map(|folder| folder.join("digests")),
        dockerfile,
        ..BuildRequest::default()
    };
    let specs = plan.stages.iter().map(spec).collect();
    Ok(Prepared { request, specs, failure_context, tags })
}

/// As many targets at once as there are processors: most builds keep one busy.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}

fn context(loaded: &Loaded, plan: &BuildPlan) -> Vec<ContextEntry> {
    let entries = plan.context.iter().map(|file| ContextEntry {
        path: file.path.as_str().to_owned(),
        mode: if file.executable { 0o755 } else { 0o644 },
        content: match &file.content {
            drydock_plan::ContextContent::Tree => {
                ContextContent::File(loaded.root.join(file.path.as_str()).into_std_path_buf())
            }
            drydock_plan::ContextContent::Bytes(bytes) => ContextContent::Bytes(Arc::clone(bytes)),
            drydock_plan::ContextContent::Symlink(target) => ContextContent::Symlink(target.clone()),
        },
    });
    entries.collect()
}

/// `NAME=value`, and `NAME` from the environment, as Docker has it.
fn build_arguments(arguments: &[String]) -> Result<BTreeMap<String, String>, RequestError> {
    let mut values = BTreeMap::new();
    for argument in arguments {
        let (name, value) = if let Some((name, value)) = argument.split_once('=') {
            (name, value.to_owned())
        } else {
            let value = std::env::var(argument).map_err(|_| RequestError::Unset { name: argument.clone() })?;
            (argument.as_str(), value)
        };
        if name.is_empty() {
            return Err(RequestError::BuildArgument { argument: argument.clone() });
        }
        values.insert(name.to_owned(), value);
    }
    Ok(values)
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
        StageKind::Build(build) => build.args.keys().map(String::as_str).collect(),
        StageKind::Runtime(runtime) => runtime.args.keys().map(String::as_str).collect(),
        StageKind::Base(_) | StageKind::Install(_) | StageKind::Static(_) => Vec::new(),
    }
}

/// The secrets that the plan mounts: as given, else from where they usually are.
fn secrets(loaded: &Loaded, plan: &BuildPlan, given: &[String]) -> Result<Vec<Secret>, RequestError> {
    let mut secrets: BTreeMap<String, SecretSource> = BTreeMap::new();
    for argument in given {
        let secret = parse_secret(argument)?;
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
            StageKind::Build(build) => {
                for id in &build.secrets {
                    if secrets.contains_key(id) {
                        continue;
                    }
                    let name = variable(id);
                    if std::env::var_os(&name).is_none() {
                        let package = build.package.to_string();
                        return Err(RequestError::SecretMissing { id: id.clone(), package });
                    }
                    secrets.insert(id.clone(), SecretSource::Env(name));
                }
            }
            StageKind::Base(_) | StageKind::Runtime(_) | StageKind::Static(_) => {}
        }
    }
    Ok(secrets.into_iter().map(|(id, source)| Secret { id, source }).collect())
}

/// `id=token,env=TOKEN`, `id=token,src=FILE`, or `id=TOKEN`, which is read from the environment variable `TOKEN`.
fn parse_secret(argument: &str) -> Result<Secret, RequestError> {
    let wrong = |reason| RequestError::Secret { argument: argument.to_owned(), reason };
    let (mut id, mut source) = (None, None);
    for part in argument.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("env", value)) => source = Some(SecretSource::Env(value.to_owned())),
            Some(("src" | "source", value)) => source = Some(SecretSource::File(PathBuf::from(value))),
            Some(("type", "file" | "env")) => {}
            _ => return Err(wrong("it has parts other than `id`, `env` and `src`")),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("it has no `id`"))?;
    let source = source.unwrap_or_else(|| SecretSource::Env(id.clone()));
    Ok(Secret { id, source })
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
fn cache_folder() -> Option<PathBuf> {
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
    RowSpec { stage: stage.id.as_str().to_owned(), label: origin.label, kind: origin.kind }
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
        StageKind::Base(_) => StageOrigin { kind: RowKind::Base, label: id, package: None, by_hand: None },
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
            let by_hand = if build.directory.is_root() {
                build.command.join(" ")
            } else {
                format!("cd {} && {}", build.directory, build.command.join(" "))
            };
            StageOrigin { kind: RowKind::Build, label: name.clone(), package: Some(name), by_hand: Some(by_hand) }
        }
        StageKind::Runtime(runtime) => {
            let label = runtime.target.as_str().to_owned();
            StageOrigin { kind: RowKind::Target, label, package: None, by_hand: None }
        }
        StageKind::Static(site) => {
            let label = site.target.as_str().to_owned();
            StageOrigin { kind: RowKind::Target, label, package: None, by_hand: None }
        }
    }
}
