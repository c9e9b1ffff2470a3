//! A run: the session, the solves of all targets on it, and the one loop that everything they say comes together in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as api;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::builder::Builder;
use crate::capability;
use crate::error::BuildError;
use crate::event::{Event, Transfer};
use crate::failure::ErrorDetails;
use crate::llb;
use crate::outcome::{BuildOutcome, BuiltTarget, StepFailure, TargetOutcome, TargetResult};
use crate::progress::{Progress, TICK, is_cancellation};
use crate::raw;
use crate::request::{BuildRequest, TargetName};
use crate::session::{Content, Sent, Session};
use crate::solve::{self, Inputs, SolveEnd};
use crate::stages::Stages;
use crate::steps;
use crate::vertex::VertexDigest;

mod ahead;
mod launch;
mod prepare;

use ahead::Ahead;
use launch::Launch;
use prepare::{add_arguments, agents, blobs, prepare};

/// What solves say to the loop. Targets go by their index in the request.
enum Message {
    Started(usize),
    Status(usize, Box<api::StatusResponse>),
    Ended(Ended),
}

/// The end of a target.
struct Ended {
    target: usize,
    /// Under which index the statuses came that tell how it ended: the target's, or that of a stage solved ahead of it.
    seen_as: usize,
    end: SolveEnd,
    duration: Duration,
}

pub(crate) async fn build(
    builder: &Builder,
    mut request: BuildRequest,
    events: UnboundedSender<Event>,
    cancel: CancellationToken,
) -> Result<BuildOutcome, BuildError> {
    add_arguments(builder, &mut request);
    let warnings = capability::fit(&mut request, builder.info(), &builder.environment)?;
    let agents = agents(std::mem::take(&mut request.ssh), &builder.environment)?;
    let (listed, values) = prepare(&mut request, &builder.environment).await?;
    let summary = listed.summary();
    for warning in warnings {
        tell(&events, Event::Warning(warning));
    }
    tell(&events, Event::ContextReady(summary));

    let session_id = solve::random_id();
    let sent = Arc::new(Sent::default());
    let (faults, found) = mpsc::unbounded_channel();
    let content = Content {
        listing: listed.listing(),
        secrets: Arc::new(values),
        agents: Arc::new(agents),
        blobs: Arc::new(blobs(&request)),
        docker_config: builder.docker_config.clone(),
        sent: Arc::clone(&sent),
        faults,
    };
    let session = Session::open(builder, &session_id, &request.shared_key, content.clone(), None).await?;
    let inputs = Inputs {
        context: llb::context(&session_id, request.full_transfer),
        stages: Arc::new(Stages::parse(&request.dockerfile, &BTreeMap::new())),
        session: session_id,
    };

    // Stopped when the caller cancels, when a target failed and the others are not to go on, and when the future of
    // this function is dropped.
    let stop = cancel.child_token();
    let _stop_on_drop = stop.clone().drop_guard();
    let names: Vec<TargetName> = request.targets.iter().map(|target| target.name.clone()).collect();
    let (said, messages) = mpsc::unbounded_channel();
    let ahead = Ahead::new(&request, &inputs.stages);
    let run = Run {
        dockerfile: request.dockerfile.clone(),
        keep_going: request.keep_going,
        raw_status: request.raw_status,
        containerd_store: builder.info().containerd_store,
        progress: Progress::new(names.clone()),
        events,
        stop: stop.clone(),
        sent,
        told: Transfer::default(),
        ends: names.iter().map(|_| None).collect(),
        owners: ahead.stages.iter().map(|heavy| heavy.owner).collect(),
        failures: Vec::new(),
        fatal: None,
        names,
    };
    let launch = Launch { builder: builder.clone(), request, ahead, inputs, content, said, stop };
    tokio::spawn(launch.all());
    let ended = session.ended.clone();
    let outcome = run.until_all_ended(messages, found, ended).await;
    // The daemon is told, and nobody waits until it has heard.
    tokio::spawn(session.close());
    let (targets, transfer) = outcome?;
    Ok(BuildOutcome { targets, context: summary, transfer })
}

/// The state of a run.
struct Run {
    dockerfile: String,
    keep_going: bool,
    raw_status: bool,
    containerd_store: bool,
    names: Vec<TargetName>,
    /// For each stage that is solved ahead of the targets, the target on whose behalf.
    owners: Vec<usize>,
    progress: Progress,
    events: UnboundedSender<Event>,
    stop: CancellationToken,
    sent: Arc<Sent>,
    /// What was last told of the transfer.
    told: Transfer,
    ends: Vec<Option<(End, Duration)>>,
    failures: Vec<Failure>,
    /// Why the run as a whole came to nothing.
    fatal: Option<BuildError>,
}

/// How a target ended; what was stopped is judged when all that failed is known.
enum End {
    Known(TargetResult),
    Stopped,
}

struct Failure {
    target: usize,
    vertex: Option<VertexDigest>,
}

impl Run {
    async fn until_all_ended(
        mut self,
        mut messages: UnboundedReceiver<Message>,
        mut faults: UnboundedReceiver<BuildError>,
        session_ended: CancellationToken,
    ) -> Result<(Vec<TargetOutcome>, Transfer), BuildError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.ends.iter().any(Option::is_none) {
            tokio::select! {
                // A fault explains the failures that follow from it.
                biased;
                Some(fault) = faults.recv() => self.give_up(fault),
                message = messages.recv() => self.hear(message.expect("each solve says how it ended")),
                () = session_ended.cancelled(), if self.fatal.is_none() => {
                    self.give_up(BuildError::ConnectionLost {
                        activity: "building",
                        reason: "the daemon ended the session".to_owned(),
                    });
                }
                _ = tick.tick() => self.tick(),
            }
        }
        self.tell_transfer();
        if let Ok(fault) = faults.try_recv() {
            self.give_up(fault);
        }
        match self.fatal.take() {
            Some(error) => Err(error),
            None => Ok(self.outcomes()),
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Started(target) => tell(&self.events, Event::TargetStarted(self.names[target].clone())),
            Message::Status(target, status) => {
                if self.raw_status {
                    let target = target.checked_sub(self.names.len()).map_or(target, |ahead| self.owners[ahead]);
                    tell(&self.events, Event::Raw { target: self.names[target].clone(), status: raw::json(&status) });
                }
                self.progress.apply(target, *status);
            }
            Message::Ended(Ended { target, seen_as, end, duration }) => {
                for event in self.progress.flush(Some(seen_as)) {
                    tell(&self.events, event);
                }
                let end = match end {
                    SolveEnd::Done(metadata) => End::Known(TargetResult::Built(self.built(target, metadata))),
                    SolveEnd::Stopped => End::Stopped,
                    SolveEnd::Blocked { by, stage } => {
                        End::Known(TargetResult::Blocked { by: self.names[by].clone(), stage: Some(stage) })
                    }
                    SolveEnd::Failed(status) => self.failed(target, seen_as, &status),
                };
                tell(&self.events, Event::TargetFinished(self.names[target].clone()));
                self.ends[target] = Some((end, duration));
            }
        }
    }

    fn tick(&mut self) {
        self.tell_transfer();
        for event in self.progress.flush(None) {
            tell(&self.events, event);
        }
    }

    fn tell_transfer(&mut self) {
        let sent = self.sent.so_far();
        if sent != self.told {
            self.told = sent;
            tell(&self.events, Event::ContextSent(sent));
        }
    }

    fn give_up(&mut self, error: BuildError) {
        // The context's own fault says more than that the connection then broke.
        if self.fatal.as_ref().is_none_or(|known| matches!(known, BuildError::ConnectionLost { .. })) {
            self.fatal = Some(error);
        }
        self.stop.cancel();
    }

    fn built(&self, target: usize, metadata: BTreeMap<String, String>) -> BuiltTarget {
        let (cached_steps, run_steps) = self.progress.steps(target);
        let digest = metadata.get("containerimage.digest").cloned();
        // Containerd's store knows images by their manifest, Docker's own by their configuration.
        let config = metadata.get("containerimage.config.digest").filter(|_| !self.containerd_store).cloned();
        BuiltTarget { image_id: config.or_else(|| digest.clone()), digest, cached_steps, run_steps, metadata }
    }

    fn failed(&mut self, target: usize, seen_as: usize, status: &Status) -> End {
        if let Some(reason) = lost_connection(status) {
            self.give_up(BuildError::ConnectionLost { activity: "building", reason });
            return End::Stopped;
        }
        if self.stop.is_cancelled() && (status.code() == Code::Cancelled || is_cancellation(status.message())) {
            return End::Stopped;
        }
        let ErrorDetails { message, vertex, command, exit_code, dockerfile_lines } = ErrorDetails::of(status);
        let vertex = vertex.as_deref().map(VertexDigest::from).or_else(|| self.progress.failed_vertex(seen_as));
        if let Some(end) = self.blocked(target, vertex.as_ref()) {
            return End::Known(end);
        }
        let step = vertex.as_ref().and_then(|vertex| self.progress.step(vertex)).cloned();
        let dockerfile_lines = match &step {
            Some(step) if dockerfile_lines.is_empty() => steps::lines_of(&self.dockerfile, step).into_iter().collect(),
            _ => dockerfile_lines,
        };
        let log_tail = vertex.as_ref().map(|vertex| self.progress.log_tail(vertex)).unwrap_or_default();
        self.failures.push(Failure { target, vertex: vertex.clone() });
        if !self.keep_going {
            self.stop.cancel();
        }
        let failure = StepFailure { message, vertex, step, command, exit_code, dockerfile_lines, log_tail };
        End::Known(TargetResult::Failed(Box::new(failure)))
    }

    /// Whether another target already told of the failure of `vertex`, or of any that this target needs.
    fn blocked(&self, target: usize, vertex: Option<&VertexDigest>) -> Option<TargetResult> {
        let failure = self.failures.iter().find(|failure| match (&failure.vertex, vertex) {
            (Some(failed), Some(vertex)) => failed == vertex,
            (Some(failed), None) => self.progress.needs(target, failed),
            (None, _) => false,
        })?;
        let step = failure.vertex.as_ref().and_then(|vertex| self.progress.step(vertex));
        let by = self.names[failure.target].clone();
        Some(TargetResult::Blocked { by, stage: step.and_then(|step| step.stage.clone()) })
    }

    fn outcomes(mut self) -> (Vec<TargetOutcome>, Transfer) {
        let ends = std::mem::take(&mut self.ends);
        let targets = ends.into_iter().flatten().enumerate().map(|(target, (end, duration))| TargetOutcome {
            target: self.names[target].clone(),
            duration,
            result: match end {
                End::Known(result) => result,
                End::Stopped => self.blocked(target, None).unwrap_or(TargetResult::Cancelled),
            },
        });
        (targets.collect(), self.told)
    }
}

/// What the connection says of its end, if that is what made a call fail: then the error comes from our side of it,
/// not from the daemon.
fn lost_connection(status: &Status) -> Option<String> {
    if let Some(source) = std::error::Error::source(status) {
        return Some(crate::engine::root_cause(source));
    }
    let message = status.message();
    let session = ["no active session", "session healthcheck failed", "failed to get session"];
    session.iter().any(|words| message.contains(words)).then(|| message.to_owned())
}

/// A caller that no longer listens still wants its targets.
fn tell(events: &UnboundedSender<Event>, event: Event) {
    drop(events.send(event));
}
