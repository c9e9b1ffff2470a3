//! Several builders that share the targets of one run.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::endpoint::{Endpoint, Environment};
use crate::error::BuildError;
use crate::event::{ContextSummary, Event, Transfer};
use crate::outcome::{BuildOutcome, TargetOutcome, TargetResult};
use crate::request::BuildRequest;
use crate::spread::spread;
use crate::stages::Stages;
use crate::vertex::VertexDigest;

/// Builders that targets are spread over. They need not know of each other: give the targets caches in a registry
/// ([`TargetRequest::cache_from`](crate::TargetRequest::cache_from)) to make the work of one that of all.
#[derive(Clone)]
pub struct Fleet {
    builders: Vec<Builder>,
}

/// What became of a run on several builders.
#[derive(Debug, Clone)]
pub struct FleetOutcome {
    /// What became of the targets, in the order of the request. What was sent is the sum over the builders.
    pub outcome: BuildOutcome,
    /// For each target of the request, the place of its builder in [`Fleet::builders`]: that is where its image is.
    pub places: Vec<usize>,
}

impl Fleet {
    /// Connects to all daemons at once. The first endpoint that has none is the error.
    pub async fn connect(endpoints: Vec<Endpoint>, environment: &Environment) -> Result<Self, BuildError> {
        let connecting = endpoints.into_iter().map(|endpoint| Builder::connect(endpoint, environment));
        let builders = join_all(connecting).await.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { builders })
    }

    /// The builders, in the order of their endpoints.
    pub fn builders(&self) -> &[Builder] {
        &self.builders
    }

    /// On which builder each target of a request is built. `estimates` says what stages of the Dockerfile are expected
    /// to take, for instance from an earlier run; the others are guessed.
    ///
    /// Targets with long critical paths choose first; those come together that share costly stages, as far as the work
    /// stays even. Equal input gives equal places.
    pub fn places(&self, request: &BuildRequest, estimates: &BTreeMap<String, Duration>) -> Vec<usize> {
        let stages = Stages::parse(&request.dockerfile, estimates);
        let targets: Vec<&str> = request.targets.iter().map(|target| target.stage.as_str()).collect();
        spread(&stages, &targets, self.builders.len())
    }

    /// Builds the targets of `request`, each on its builder, as [`Builder::build`] does on one.
    /// [`BuildRequest::jobs`] counts for each builder. A failed target stops the targets on all builders, unless the
    /// request is to keep going; an error on one builder is the error of the run.
    ///
    /// Vertices of different builders are told apart, also where they are the same step.
    pub async fn build(
        &self,
        request: BuildRequest,
        estimates: &BTreeMap<String, Duration>,
        events: UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<FleetOutcome, BuildError> {
        let places = self.places(&request, estimates);
        if let [builder] = self.builders.as_slice() {
            let outcome = builder.build(request, events, cancel).await?;
            return Ok(FleetOutcome { outcome, places });
        }
        let stop = cancel.child_token();
        let _stop_on_drop = stop.clone().drop_guard();
        let mut running = FuturesUnordered::new();
        let (sender, mut told) = unbounded_channel();
        for (place, builder) in self.builders.iter().enumerate() {
            let mut part = request.clone();
            let mut mine = places.iter();
            part.targets.retain(|_| mine.next() == Some(&place));
            if part.targets.is_empty() {
                continue;
            }
            let (own, heard) = unbounded_channel();
            tokio::spawn(pass_on(place, heard, sender.clone()));
            let stop = stop.clone();
            running.push(async move { (place, builder.build(part, own, stop).await) });
        }
        drop(sender);
        let mut merged = Merged { events, context: None, sent: vec![Transfer::default(); self.builders.len()] };
        let mut outcomes: Vec<Option<std::vec::IntoIter<TargetOutcome>>> = self.builders.iter().map(|_| None).collect();
        let mut failure = None;
        let mut listening = true;
        loop {
            tokio::select! {
                biased;
                said = told.recv(), if listening => match said {
                    Some((place, event)) => merged.tell(place, event),
                    None => listening = false,
                },
                ended = running.next(), if !running.is_empty() => match ended {
                    Some((place, Ok(outcome))) => {
                        if !outcome.is_success() && !request.keep_going {
                            stop.cancel();
                        }
                        merged.sent[place] = outcome.transfer;
                        outcomes[place] = Some(outcome.targets.into_iter());
                    }
                    Some((_, Err(error))) => {
                        stop.cancel();
                        failure.get_or_insert(error);
                    }
                    None => {}
                },
                else => break,
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        let targets = places.iter().map(|place| {
            let next = outcomes[*place].as_mut().and_then(Iterator::next);
            let mut target = next.expect("a builder tells of each of its targets");
            if let TargetResult::Failed(failure) = &mut target.result {
                failure.vertex = failure.vertex.as_ref().map(|vertex| vertex.on(*place));
            }
            target
        });
        let outcome = BuildOutcome {
            targets: targets.collect(),
            context: merged.context.unwrap_or_default(),
            transfer: merged.transfer(),
        };
        Ok(FleetOutcome { outcome, places })
    }
}

async fn pass_on(place: usize, mut from: UnboundedReceiver<Event>, to: UnboundedSender<(usize, Event)>) {
    while let Some(event) = from.recv().await {
        drop(to.send((place, event)));
    }
}

/// The events of all builders, as if they came from one.
struct Merged {
    events: UnboundedSender<Event>,
    context: Option<ContextSummary>,
    sent: Vec<Transfer>,
}

impl Merged {
    fn tell(&mut self, place: usize, mut event: Event) {
        let own = |vertex: &mut VertexDigest| *vertex = vertex.on(place);
        match &mut event {
            Event::ContextReady(summary) => {
                // It is the same context on each.
                if self.context.replace(*summary).is_some() {
                    return;
                }
            }
            Event::ContextSent(sent) => {
                self.sent[place] = *sent;
                *sent = self.transfer();
            }
            Event::VertexStarted(started) => own(&mut started.vertex),
            Event::VertexFinished(finished) => own(&mut finished.vertex),
            Event::VertexProgress(progress) => own(&mut progress.vertex),
            Event::Log(line) => own(&mut line.vertex),
            Event::Warning(warning) => {
                if let Some(vertex) = &mut warning.vertex {
                    own(vertex);
                }
            }
            Event::TargetStarted(_)
            | Event::TargetFinished(_)
            | Event::PushProgress(_)
            | Event::Pushed(_)
            | Event::Raw { .. } => {}
        }
        drop(self.events.send(event));
    }

    fn transfer(&self) -> Transfer {
        self.sent.iter().fold(Transfer::default(), |sum, sent| Transfer {
            files: sum.files + sent.files,
            bytes: sum.bytes + sent.bytes,
        })
    }
}
