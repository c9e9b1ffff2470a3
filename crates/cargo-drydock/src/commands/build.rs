//! `build`: the images of all or the named targets, in parallel, through the daemon.

mod assigned;
mod daemons;
mod explain;
mod fresh;
mod markdown;
mod metadata;
mod past;
mod publish;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use drydock_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, ContextSummary, DaemonKind, Endpoint, Environment, Fleet,
    ImageDetails, ListedContext, Output, Registries, TargetResult, Transfer,
};
use drydock_diagnostics::{Diagnose as _, Warning};
use drydock_plan::BuildPlan;
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use self::assigned::Assigned;
use self::daemons::Calls;
pub(super) use self::daemons::Daemons;
use self::explain::Prediction;
use self::fresh::{Found, Search};
use self::past::Past;
use self::publish::{Publication, Published};
use self::watch::{Abandoned, Watch};
use super::digests;
use super::load::{Loaded, load};
use super::request::{self, Images, Prepared, Wish};
use super::select;
use super::size;
use super::times;
use crate::args::{BuildArgs, GlobalArgs, ProgressMode};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::Diagnostic;
use crate::report::{
    Built, BuiltState, Clock, Ending, Explained, JsonStream, Reporter, explanation, reporter, step_failure, summary,
    units,
};
use crate::shell::{self, Shell};

pub(super) fn run(args: &BuildArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let begun = Instant::now();
    let daemons = Daemons::call(args)?;
    let mut loaded = load(global, shell)?;
    loaded.config.settings.verify_installs = args.verify_install;
    let Some(chosen) = select::chosen(&loaded, &args.targets, &args.changed, shell)? else { return nothing(args) };
    let plan = loaded.plan(&chosen.targets, shell)?;
    let (stages, files) = (plan.stages.len() as u64, plan.context.len() as u64);
    let (stages, files) = (units::count(stages, "stage"), units::count(files, "file"));
    shell.verbose("Planned", format!("{stages} of {files}, in {}", units::fine_duration(begun.elapsed())));
    let result = execute(args, &loaded, &plan, chosen.reasons, daemons, begun, shell);
    // Thousands of files take time to be taken apart, for which nobody should wait at the end.
    drop(std::thread::Builder::new().spawn(move || drop((plan, loaded))));
    result
}

/// Builds the targets of a plan, whatever they are.
pub(super) fn execute(
    args: &BuildArgs,
    loaded: &Loaded,
    plan: &BuildPlan,
    reasons: BTreeMap<String, Vec<String>>,
    daemons: Daemons,
    begun: Instant,
    shell: &mut Shell,
) -> Result<(), Failure> {
    let progress = args.progress.unwrap_or_else(progress_from_environment);
    shell.set_json_diagnostics(progress == ProgressMode::Rawjson);
    let Daemons { runtime, calls } = daemons;
    let listing = runtime.spawn_blocking(digests::listing(loaded, plan));
    let prepared = request::prepare(loaded, plan, args, progress, shell)?;
    let prepared = Prepared { reasons, ..prepared };
    let work = Work { args, loaded, plan, progress, begun };
    let result = runtime.block_on(drive(work, prepared, Begun { calls, listing }, shell));
    // After a second Ctrl-C nothing is waited for.
    runtime.shutdown_background();
    result
}

/// No target is left: whoever reads the metadata finds none.
fn nothing(args: &BuildArgs) -> Result<(), Failure> {
    if let Some(file) = &args.image.metadata_file {
        metadata::write(file.as_std_path(), &serde_json::json!({})).map_err(|source| MetadataError { source })?;
    }
    Ok(())
}

/// What is built.
#[derive(Clone, Copy)]
struct Work<'w> {
    args: &'w BuildArgs,
    loaded: &'w Loaded,
    plan: &'w BuildPlan,
    progress: ProgressMode,
    begun: Instant,
}

/// What goes on already.
struct Begun {
    /// The daemons are called.
    calls: Calls,
    /// The context is listed.
    listing: JoinHandle<Result<ListedContext, BuildError>>,
}

async fn drive(work: Work<'_>, prepared: Prepared, started: Begun, shell: &mut Shell) -> Result<(), Failure> {
    let Work { args, plan, progress, begun, .. } = work;
    let clock = Clock::new(&prepared.specs);
    let reporter = begin(progress, &prepared, shell);
    let mut watch = Watch::new(reporter, clock, shell);
    let result = build(work, &prepared, started, &mut watch).await;
    watch.finish();
    let Watch { interrupted, clock, shell, .. } = watch;
    let Done { outcome, built, published, why, explained, times } = match result {
        Ok(done) => done,
        Err(Ended::Abandoned) => return Err(interrupted_failure(begun, shell)),
        Err(Ended::Failed(_)) if interrupted => return Err(interrupted_failure(begun, shell)),
        Err(Ended::Failed(failure)) => return Err(failure),
    };
    if interrupted && !shell.is_json() {
        // A push that was stopped says what had arrived.
        for error in &published.errors {
            shell.diagnostic(&Diagnostic::error(error));
        }
        return Err(interrupted_failure(begun, shell));
    }
    let push = matches!(prepared.wish, Wish::Images(Images { push: true, .. }));
    if let Some(file) = &args.image.metadata_file {
        let document = metadata::document(&outcome, &built, &published, push, &prepared.tags);
        let document = metadata::with_times(document, plan, &times);
        metadata::write(file.as_std_path(), &document).map_err(|source| MetadataError { source })?;
    }
    let ending = Ending {
        outcome: &outcome,
        built: &built,
        elapsed: begun.elapsed(),
        chain: clock.longest(),
        push_failed: !published.errors.is_empty(),
        context: &prepared.failure_context,
        why: &why,
        explained: &explained,
    };
    if let Some(file) = &args.image.summary {
        markdown::append(file.as_std_path(), &ending).map_err(|source| MetadataError { source })?;
    }
    report(&ending, &published, progress, shell);
    if interrupted {
        return Err(interrupted_failure(begun, shell));
    }
    match published.errors.into_iter().next() {
        Some(error) if outcome.is_success() => Err(Failure::Reported(error.category().into())),
        None if outcome.is_success() => Ok(()),
        _ => Err(Failure::Reported(Exit::Failed)),
    }
}

/// What shows the build, from its first moment.
fn begin(progress: ProgressMode, prepared: &Prepared, shell: &mut Shell) -> Option<Box<dyn Reporter>> {
    let names: Vec<String> = prepared.request.targets.iter().map(|target| target.name.to_string()).collect();
    if shell.is_json() {
        return Some(Box::new(JsonStream::begin(&prepared.specs, &names, shell)));
    }
    reporter(progress, prepared.specs.clone(), names.len(), shell)
}

/// What came of a build.
struct Done {
    outcome: BuildOutcome,
    built: Vec<Built>,
    published: Published,
    /// Why targets were to be built, in sentences.
    why: BTreeMap<String, Vec<String>>,
    /// What was foretold of stages, and what came of it, where that was asked for.
    explained: Vec<Explained>,
    /// How long stages took, in this build or an earlier one.
    times: BTreeMap<String, Duration>,
}

/// Why there is nothing to tell of targets.
enum Ended {
    /// Ctrl-C, and nothing was waited for.
    Abandoned,
    /// The run as a whole could not be done.
    Failed(Failure),
}

impl From<Abandoned> for Ended {
    fn from(Abandoned: Abandoned) -> Self {
        Self::Abandoned
    }
}

impl From<BuildError> for Ended {
    fn from(error: BuildError) -> Self {
        Self::Failed(error.into())
    }
}

/// Builds the targets and publishes their images.
async fn build(work: Work<'_>, prepared: &Prepared, started: Begun, watch: &mut Watch<'_>) -> Result<Done, Ended> {
    let Work { args, plan, .. } = work;
    let (addresses, fleet) = started.calls.answered().map_err(Ended::Failed)?;
    watch.begins("Waiting", &format!("for the daemon at {}", addresses.join(", ")));
    let fleet = watch.idly(fleet).await??;
    for builder in fleet.builders() {
        let info = builder.info();
        let name = if info.kind == DaemonKind::Docker { "Docker" } else { "BuildKit" };
        watch.shell.verbose(name, format!("{} at {}", info.version, builder.endpoint().address));
    }
    watch.shell.warn_all(&nowhere(&prepared.wish, &fleet));
    watch.shell.warn_all(&keeps_times(args, &prepared.wish, &fleet));
    let folder = tempfile::tempdir().map_err(|source| Ended::Failed(MetadataError { source }.into()))?;
    let registries = Registries::of(fleet.builders());
    // The daemon is asked what it has while the context is listed.
    let bases = fresh::base_digests(&fleet, &registries, plan, prepared.request.pull);
    let (content, bases) = watch.idly(async { tokio::join!(started.listing, bases) }).await?;
    let content = content.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    watch.shell.verbose("Listed", listed(content.summary()));
    let mut request = prepared.request.clone();
    let mut requests = each_asked(&request, &fleet, &prepared.wish, folder.path());
    // Labels are made of what was listed, so that it is also what is built.
    request.listed = Some(content.clone());
    let search = Search {
        fleet: &fleet,
        registries: &registries,
        plan,
        dockerfile: &prepared.dockerfile,
        content: &content,
        wish: &prepared.wish,
    };
    let (known, warning) = search.label(&mut requests, &bases?);
    watch.shell.warn_all(&warning);
    let found = if args.force { BTreeMap::new() } else { watch.idly(search.find(&requests)).await?? };
    let cache = request::cache_folder();
    let estimates = times::remembered(cache.as_deref(), &request.shared_key);
    let assigned = Assigned::new(&fleet, &requests, &known, &found, &estimates);
    request.targets = assigned.unbuilt();
    let past = |address: String| Past::open(cache.as_deref(), &request.shared_key, &address);
    let mut pasts: Vec<Past> = addresses.into_iter().map(past).collect();
    let prediction = (args.explain || args.image.summary.is_some() || watch.shell.is_json())
        .then(|| Prediction::new(&assigned.planned(&pasts)));
    let mut outcome = if request.targets.is_empty() {
        BuildOutcome { targets: Vec::new(), context: ContextSummary::default(), transfer: Transfer::default() }
    } else {
        watch.begins("Waiting", "for the first answer of the daemon");
        let work = fleet.build(request.clone(), &estimates, watch.sender(), watch.cancel.clone());
        watch.patiently(work).await??.outcome
    };
    let solved = std::mem::take(&mut outcome.targets);
    assigned.remember(&solved, &mut pasts);
    if solved.iter().all(|target| matches!(target.result, TargetResult::Built(_))) {
        times::remember(cache.as_deref(), &request.shared_key, &watch.clock.times());
    }
    outcome.targets = assigned.outcomes(solved);
    let Assigned { targets, places, .. } = assigned;
    request.targets = targets;
    keep_budgets(work, &fleet, &places, &outcome, watch).await?;
    let publication = Publication {
        fleet: &fleet,
        registries: &registries,
        places: &places,
        environment: &Environment::of_process(),
        request: &request,
        outcome: &outcome,
        found: &found,
        tags: &prepared.tags,
    };
    let published =
        if watch.interrupted { Published::default() } else { publication.publish(&prepared.wish, watch).await? };
    let built = built_targets(&fleet, &places, &outcome, &published, &found, prepared).await?;
    let times = times::remembered(cache.as_deref(), &request.shared_key);
    let why = explain::why(&outcome, &found, &prepared.reasons, prediction.as_ref());
    let explained = prediction.filter(|_| args.explain).map(|all| all.confirm(&watch.observed, args.no_cache));
    Ok(Done { outcome, built, published, why, explained: explained.unwrap_or_default(), times })
}

/// What each builder would be asked, if it were asked for all.
fn each_asked(request: &BuildRequest, fleet: &Fleet, wish: &Wish, folder: &Path) -> Vec<BuildRequest> {
    let requests = fleet.builders().iter().map(|builder| {
        let mut request = request.clone();
        publish::fit(&mut request, wish, builder, folder);
        request
    });
    requests.collect()
}

/// What was listed, and in what time.
fn listed(summary: ContextSummary) -> String {
    let (files, bytes) = (units::count(summary.files, "file"), units::bytes(summary.bytes));
    format!("{files}, {bytes}, in {}; {} had to be read", units::fine_duration(summary.duration), summary.digested)
}

/// Fails when an image is bigger than it may be.
async fn keep_budgets(
    Work { loaded, plan, .. }: Work<'_>,
    fleet: &Fleet,
    places: &[usize],
    outcome: &BuildOutcome,
    watch: &mut Watch<'_>,
) -> Result<(), Ended> {
    let limit = |name| Some((str::to_owned(name), loaded.config.images.of(name, |table| table.max_size)?));
    let budgets: BTreeMap<String, u64> = plan.targets.iter().filter_map(|target| limit(target.name.as_str())).collect();
    if budgets.is_empty() || watch.interrupted {
        return Ok(());
    }
    let over = size::exceeded(&budgets, fleet.builders(), places, outcome, plan, &loaded.workspace);
    let over = watch.idly(over).await?;
    if over.is_empty() { Ok(()) } else { Err(Ended::Failed(Failure::all(over))) }
}

/// The builder that `--builder` names, or the one that `docker` would use.
pub(super) fn endpoint(builder: Option<&String>, environment: &Environment) -> Result<Endpoint, Failure> {
    Ok(match builder {
        Some(address) => Endpoint::parse(address, "`--builder`", environment).map_err(BuilderError)?,
        None => Endpoint::resolve(environment)?,
    })
}

/// That what a `buildkitd` builds goes nowhere, when nobody says where.
fn nowhere(wish: &Wish, fleet: &Fleet) -> Option<Warning> {
    let Wish::Images(Images { push: false, load: false, .. }) = wish else { return None };
    let builder = fleet.builders().iter().find(|builder| builder.info().kind == DaemonKind::BuildKit)?;
    let message = format!("the images stay in the build cache of `{}`", builder.endpoint().address);
    Some(Warning::new("output-nowhere", message).with_help("add `--load`, `--push` or `--output`"))
}

/// That the layers of what goes into a store of Docker are of the time when they were built, whatever time was said.
fn keeps_times(args: &BuildArgs, wish: &Wish, fleet: &Fleet) -> Option<Warning> {
    args.image.source_date_epoch.as_ref()?;
    let is_docker = |builder: &Builder| builder.info().kind == DaemonKind::Docker;
    if !matches!(wish, Wish::Images(_)) || !fleet.builders().iter().any(is_docker) {
        return None;
    }
    let message = "Docker's image store keeps the times at which files of layers were made, so that the next build gives \
                   another digest";
    let help =
        "write an archive (`--output type=oci,dest=…`, with containerd's image store), or push with a `buildkitd`";
    Some(Warning::new("layers-keep-times", message).with_help(help))
}

/// Says how the targets ended.
fn report(ending: &Ending<'_>, published: &Published, progress: ProgressMode, shell: &mut Shell) {
    if shell.is_json() {
        JsonStream::end(ending, shell);
    } else {
        for target in &ending.outcome.targets {
            if let TargetResult::Failed(failure) = &target.result {
                let name = target.target.as_str();
                let (tail, diagnostic) = step_failure(name, failure, &ending.blocked_by(name), ending.context);
                if progress != ProgressMode::Rawjson {
                    for line in tail {
                        shell.say(&line);
                    }
                }
                shell.diagnostic(&diagnostic);
            }
        }
    }
    for error in &published.errors {
        shell.diagnostic(&Diagnostic::error(error));
    }
    if published.withheld {
        let warning = Warning::new("push-withheld", "nothing was pushed, because not every target was built")
            .with_help("`--no-atomic` pushes those that were");
        shell.warn(&warning);
    }
    if !shell.is_json() && progress != ProgressMode::Rawjson {
        shell.summary(&summary(ending, shell::width()));
        shell.summary(&explanation(ending.explained, shell::width()));
    }
}

fn interrupted_failure(begun: Instant, shell: &mut Shell) -> Failure {
    let time = units::duration(begun.elapsed());
    shell.status_wrong("Interrupted", format!("after {time}; the steps on the daemon were stopped"));
    Failure::Reported(Exit::Interrupted)
}

/// The targets that were built, with the size that the daemon tells.
async fn built_targets(
    fleet: &Fleet,
    places: &[usize],
    outcome: &BuildOutcome,
    published: &Published,
    fresh: &BTreeMap<String, Found>,
    prepared: &Prepared,
) -> Result<Vec<Built>, BuildError> {
    let outputs: BTreeMap<&str, &Output> =
        prepared.request.targets.iter().map(|target| (target.name.as_str(), &target.output)).collect();
    // All are asked about at once: one after the other, sixty answers take as long as the build did.
    let details = outcome.targets.iter().zip(places).map(async |(target, place_of_builder)| {
        let TargetResult::Built(image) = &target.result else { return Ok(None) };
        // What was found was looked at.
        if let Some((_, details)) = fresh.get(target.target.as_str()).and_then(|found| found.stored.as_ref()) {
            return Ok(Some(details.clone()));
        }
        let builder = &fleet.builders()[*place_of_builder];
        let is_file = outputs.get(target.target.as_str()).and_then(|output| place(output)).is_some();
        let has_store = builder.info().kind == DaemonKind::Docker && !is_file;
        match image.image_id.as_ref().filter(|_| has_store) {
            Some(id) => builder.image(id).await,
            None => Ok(None),
        }
    });
    let details: Vec<Option<ImageDetails>> = join_all(details).await.into_iter().collect::<Result<_, BuildError>>()?;
    let mut all = Vec::new();
    for ((target, place_of_builder), details) in outcome.targets.iter().zip(places).zip(details) {
        let TargetResult::Built(image) = &target.result else { continue };
        let builder = &fleet.builders()[*place_of_builder];
        let name = target.target.as_str();
        let place = outputs.get(name).and_then(|output| place(output));
        let tags = prepared.tags.get(name).cloned().unwrap_or_default();
        let answered = published.metadata.get(name).and_then(|metadata| metadata.get(metadata::DIGEST));
        let digest = tags.iter().find_map(|tag| published.pushed.get(tag)).and_then(|pushed| pushed.digest.clone());
        all.push(Built {
            target: name.to_owned(),
            state: match fresh.get(name) {
                None => BuiltState::Built,
                Some(found) if found.retagged => BuiltState::Retagged,
                Some(_) => BuiltState::Fresh,
            },
            tags,
            place,
            builder: (fleet.builders().len() > 1).then(|| builder.endpoint().address.to_string()),
            image_id: published.loaded.get(name).or(image.image_id.as_ref()).or(answered).cloned(),
            digest: digest.or_else(|| image.digest.clone()),
            size: details.map(|details| details.size),
            duration: target.duration,
            cached_steps: image.cached_steps,
            run_steps: image.run_steps,
        });
    }
    Ok(all)
}

/// Where a result is that is no image.
fn place(output: &Output) -> Option<String> {
    match output {
        Output::Image | Output::Registry => None,
        Output::Folder(path) | Output::Archive { path, .. } => Some(path.display().to_string()),
        Output::CacheOnly => Some("in the build cache".to_owned()),
    }
}

/// `BUILDKIT_PROGRESS`, as far as it says something that we have.
fn progress_from_environment() -> ProgressMode {
    match std::env::var("BUILDKIT_PROGRESS").as_deref() {
        Ok("plain") => ProgressMode::Plain,
        Ok("tty") => ProgressMode::Tty,
        Ok("quiet") => ProgressMode::Quiet,
        Ok("rawjson") => ProgressMode::Rawjson,
        _ => ProgressMode::Auto,
    }
}

/// `--builder` holds no address.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct BuilderError(BuildError);

impl drydock_diagnostics::Diagnose for BuilderError {
    fn code(&self) -> &'static str {
        "builder-invalid"
    }

    fn category(&self) -> drydock_diagnostics::Category {
        drydock_diagnostics::Category::Usage
    }

    fn help(&self) -> Option<String> {
        self.0.help()
    }

    fn notes(&self) -> Vec<String> {
        self.0.notes()
    }
}

/// The disk takes no file of drydock's.
#[derive(Debug, thiserror::Error)]
#[error("could not write a file beside the build")]
struct MetadataError {
    #[source]
    source: std::io::Error,
}

impl drydock_diagnostics::Diagnose for MetadataError {
    fn code(&self) -> &'static str {
        "unwritable"
    }

    fn category(&self) -> drydock_diagnostics::Category {
        drydock_diagnostics::Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some("check that the disk is not full, and that the folder of `--metadata-file` may be written to".to_owned())
    }
}
