//! `build`: the images of all or the named targets, in parallel, through the daemon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use drydock_build::{BuildError, BuildOutcome, Builder, CancellationToken, Endpoint, Environment, Event, TargetResult};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::load::load;
use super::request::{self, Prepared};
use crate::args::{BuildArgs, GlobalArgs, ProgressMode};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::{Built, JsonStream, Reporter, reporter, step_failure, summary, units};
use crate::shell::{self, Shell};

/// How often clocks are redrawn.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(args: &BuildArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let begun = Instant::now();
    let loaded = load(global, shell)?;
    let plan = loaded.plan(&args.targets, shell)?;
    let prepared = request::prepare(&loaded, &plan, args, shell)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|source| RuntimeError { source })?;
    let result = runtime.block_on(drive(args, prepared, begun, shell));
    // After a second Ctrl-C nothing is waited for.
    runtime.shutdown_background();
    result
}

/// How the run on the daemon ended.
enum End {
    /// The driver came to its own end.
    Done(Result<BuildOutcome, BuildError>),
    /// Ctrl-C came twice.
    Abandoned,
}

async fn drive(args: &BuildArgs, prepared: Prepared, begun: Instant, shell: &mut Shell) -> Result<(), Failure> {
    let Prepared { request, specs, failure_context, tags } = prepared;
    let environment = Environment::of_process();
    let builder = Builder::connect(Endpoint::resolve(&environment)?, &environment).await?;
    shell.verbose("Docker", format!("{} at {}", builder.info().version, builder.endpoint().address));

    let names: Vec<String> = request.targets.iter().map(|target| target.name.to_string()).collect();
    let mut reporter: Option<Box<dyn Reporter>> = if shell.is_json() {
        Some(Box::new(JsonStream::begin(&specs, &names, shell)))
    } else {
        reporter(args.progress.unwrap_or_else(progress_from_environment), specs, names.len(), shell)
    };
    let (sender, events) = unbounded_channel();
    let cancel = CancellationToken::new();
    let run = builder.build(request, sender, cancel.clone());
    let (end, interrupted) = watch(run, events, &cancel, reporter.as_deref_mut(), shell).await;
    if let Some(reporter) = &mut reporter {
        reporter.finish(shell);
    }
    let outcome = match end {
        End::Done(Ok(outcome)) => outcome,
        End::Done(Err(error)) if !interrupted => return Err(error.into()),
        End::Done(Err(_)) | End::Abandoned => return Err(interrupted_failure(begun, shell)),
    };

    let built = built_targets(&builder, &outcome, &tags).await?;
    if interrupted && !shell.is_json() {
        return Err(interrupted_failure(begun, shell));
    }
    if shell.is_json() {
        JsonStream::end(&outcome, &built, begun.elapsed(), &failure_context, shell);
    } else {
        for target in &outcome.targets {
            if let TargetResult::Failed(failure) = &target.result {
                let name = target.target.as_str();
                let blocked = blocked_by(&outcome, name);
                let (tail, diagnostic) = step_failure(name, failure, &blocked, &failure_context);
                for line in tail {
                    shell.say(&line);
                }
                shell.diagnostic(&diagnostic);
            }
        }
        let failed = outcome.targets.len() - built.len();
        shell.summary(&summary(&built, failed, begun.elapsed(), outcome.context, outcome.transfer, shell::width()));
    }
    if interrupted {
        return Err(interrupted_failure(begun, shell));
    }
    if outcome.is_success() { Ok(()) } else { Err(Failure::Reported(Exit::Failed)) }
}

/// Drives `run`, shows its events, and listens to Ctrl-C: the first stops the steps on the daemon, the second stops
/// waiting for that.
async fn watch(
    run: impl Future<Output = Result<BuildOutcome, BuildError>>,
    mut events: UnboundedReceiver<Event>,
    cancel: &CancellationToken,
    mut reporter: Option<&mut (dyn Reporter + 'static)>,
    shell: &mut Shell,
) -> (End, bool) {
    tokio::pin!(run);
    let mut ticks = tokio::time::interval(TICK);
    let mut interrupted = false;
    let mut interrupts = Interrupts::new();
    let end = loop {
        tokio::select! {
            biased;
            () = interrupts.next() => {
                if interrupted {
                    break End::Abandoned;
                }
                interrupted = true;
                cancel.cancel();
            }
            Some(event) = events.recv() => {
                if let Some(reporter) = &mut reporter {
                    reporter.event(&event, shell);
                }
            }
            result = &mut run => break End::Done(result),
            _ = ticks.tick() => {
                if let Some(reporter) = &mut reporter {
                    reporter.tick(shell);
                }
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        if let Some(reporter) = &mut reporter {
            reporter.event(&event, shell);
        }
    }
    (end, interrupted)
}

fn interrupted_failure(begun: Instant, shell: &mut Shell) -> Failure {
    let time = units::duration(begun.elapsed());
    shell.status_wrong("Interrupted", format!("after {time}; the steps on the daemon were stopped"));
    Failure::Reported(Exit::Interrupted)
}

/// Targets that could not be built because of what `target` tells of.
fn blocked_by<'o>(outcome: &'o BuildOutcome, target: &str) -> Vec<&'o str> {
    let blocked = outcome
        .targets
        .iter()
        .filter(|other| matches!(&other.result, TargetResult::Blocked { by, .. } if by.as_str() == target));
    blocked.map(|other| other.target.as_str()).collect()
}

/// The targets that were built, with the size that the daemon tells.
async fn built_targets(
    builder: &Builder,
    outcome: &BuildOutcome,
    tags: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<Built>, Failure> {
    let mut all = Vec::new();
    for target in &outcome.targets {
        let TargetResult::Built(image) = &target.result else { continue };
        let details = match &image.image_id {
            Some(id) => builder.image(id).await?,
            None => None,
        };
        all.push(Built {
            target: target.target.to_string(),
            tags: tags.get(target.target.as_str()).cloned().unwrap_or_default(),
            image_id: image.image_id.clone(),
            size: details.map(|details| details.size),
            duration: target.duration,
            cached_steps: image.cached_steps,
            run_steps: image.run_steps,
        });
    }
    Ok(all)
}

/// `BUILDKIT_PROGRESS`, as far as it says something that we have.
fn progress_from_environment() -> ProgressMode {
    match std::env::var("BUILDKIT_PROGRESS").as_deref() {
        Ok("plain") => ProgressMode::Plain,
        Ok("tty") => ProgressMode::Tty,
        Ok("quiet") => ProgressMode::Quiet,
        _ => ProgressMode::Auto,
    }
}

/// Ctrl-C, and on Unix also the request to terminate.
struct Interrupts {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Interrupts {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    /// Waits for the next one. Never, where the system does not let us listen.
    async fn next(&mut self) {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        {
            let terminate = async {
                let came = match &mut self.terminate {
                    Some(signal) => signal.recv().await,
                    None => None,
                };
                if came.is_none() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = interrupt => {}
                () = terminate => {}
            }
        }
        #[cfg(not(unix))]
        interrupt.await;
    }
}

/// The system gives no threads.
#[derive(Debug, thiserror::Error)]
#[error("could not start the threads that talk to the daemon")]
struct RuntimeError {
    #[source]
    source: std::io::Error,
}

impl drydock_diagnostics::Diagnose for RuntimeError {
    fn code(&self) -> &'static str {
        "no-threads"
    }

    fn category(&self) -> drydock_diagnostics::Category {
        drydock_diagnostics::Category::Docker
    }

    fn help(&self) -> Option<String> {
        Some("raise the limit of processes or of open files (`ulimit -u`, `ulimit -n`)".to_owned())
    }
}
