//! Begins the solves of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::ahead::{Ahead, Heavy, Missing};
use super::{Ended, Message};
use crate::builder::Builder;
use crate::cache_folder;
use crate::request::{BuildRequest, Output, TargetRequest};
use crate::session::{Content, Session, Sink};
use crate::solve::{self, Inputs, SolveEnd};

/// What all solves of a run are begun with.
pub(super) struct Launch {
    pub(super) builder: Builder,
    pub(super) request: BuildRequest,
    /// What is solved before the targets.
    pub(super) ahead: Arc<Ahead>,
    pub(super) inputs: Inputs,
    pub(super) content: Content,
    pub(super) said: UnboundedSender<Message>,
    pub(super) stop: CancellationToken,
}

impl Launch {
    /// Begins the solves in the order of the request, as many at a time as there are jobs, and says how each ended.
    /// Heavy stages are solved before the targets that need them.
    pub(super) async fn all(self) {
        let launch = Arc::new(self);
        let jobs = u32::try_from(launch.request.jobs).unwrap_or(u32::MAX).clamp(1, 1 << 16);
        let free = Arc::new(Semaphore::new(jobs as usize));
        let ahead = Arc::clone(&launch.ahead);
        for (place, heavy) in ahead.stages.iter().enumerate() {
            let (launch, free, ahead) = (Arc::clone(&launch), Arc::clone(&free), Arc::clone(&ahead));
            let weight = heavy.weight.clamp(1, jobs);
            tokio::spawn(async move {
                let end = launch.heavy(place, &ahead, &free, weight).await;
                // Not `send`, which forgets what it is given while nobody listens: who waits for several stages listens
                // to one after the other.
                ahead.stages[place].end.send_replace(Some(end));
            });
        }
        for (index, target) in launch.request.targets.iter().enumerate() {
            let weight = target.weight.clamp(1, jobs);
            if ahead.stages.is_empty() {
                // Whoever asks first is first.
                let permit = launch.permit(&free, weight).await;
                let launch = Arc::clone(&launch);
                tokio::spawn(async move { launch.target(index, permit).await });
                continue;
            }
            let (launch, free, ahead) = (Arc::clone(&launch), Arc::clone(&free), Arc::clone(&ahead));
            tokio::spawn(async move {
                match ahead.wait(&ahead.needed[index], Some(index)).await {
                    Ok(()) => {
                        let permit = launch.permit(&free, weight).await;
                        launch.target(index, permit).await;
                    }
                    Err(Missing { place, end }) => {
                        let seen_as = launch.request.targets.len() + place;
                        drop(launch.said.send(Message::Ended(Ended {
                            target: index,
                            seen_as,
                            end,
                            duration: Duration::ZERO,
                        })));
                    }
                }
            });
        }
    }

    /// Room for a solve; `None` when the run is stopped before there is any.
    async fn permit(&self, free: &Arc<Semaphore>, weight: u32) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            permit = Arc::clone(free).acquire_many_owned(weight) => permit.ok(),
        }
    }

    /// Solves a target, if there is room.
    async fn target(&self, index: usize, permit: Option<OwnedSemaphorePermit>) {
        let ended = |end, duration| {
            drop(self.said.send(Message::Ended(Ended { target: index, seen_as: index, end, duration })));
        };
        let Some(permit) = permit else { return ended(SolveEnd::Stopped, Duration::ZERO) };
        drop(self.said.send(Message::Started(index)));
        let begun = Instant::now();
        let end = self.one(index, &self.request.targets[index]).await;
        drop(permit);
        ended(end, begun.elapsed());
    }

    /// Solves a heavy stage once those are there that it needs itself.
    async fn heavy(&self, place: usize, ahead: &Ahead, free: &Arc<Semaphore>, weight: u32) -> SolveEnd {
        let Heavy { stage, needed, owner, .. } = &ahead.stages[place];
        if let Err(Missing { place: before, .. }) = ahead.wait(needed, None).await {
            // Its own targets wait for that one as well, and tell of it.
            return SolveEnd::Blocked { by: ahead.stages[before].owner, stage: ahead.stages[before].stage.clone() };
        }
        let Some(_permit) = self.permit(free, weight).await else { return SolveEnd::Stopped };
        let target = &self.request.targets[*owner];
        let target = TargetRequest {
            stage: stage.clone(),
            tags: Vec::new(),
            cache_to: Vec::new(),
            output: Output::CacheOnly,
            ..target.clone()
        };
        self.one(self.request.targets.len() + place, &target).await
    }

    /// One solve, on the session of the run; on one of its own when the result comes back to us, because a session
    /// cannot tell the results of several solves apart.
    async fn one(&self, index: usize, target: &TargetRequest) -> SolveEnd {
        let mut inputs = self.inputs.clone();
        let mut own = None;
        if let Some(sink) = Sink::of(&target.output) {
            inputs.session = solve::random_id();
            match Session::open(
                &self.builder,
                &inputs.session,
                &self.request.shared_key,
                self.content.clone(),
                Some(sink),
            )
            .await
            {
                Ok(session) => own = Some(session),
                Err(error) => {
                    drop(self.content.faults.send(error));
                    return SolveEnd::Stopped;
                }
            }
        }
        let request = solve::request(&self.request, target, &inputs, self.builder.info());
        let pass_on = |status| drop(self.said.send(Message::Status(index, Box::new(status))));
        let end = solve::solve(self.builder.control.clone(), request, pass_on, self.stop.clone()).await;
        if let Some(session) = own {
            session.close().await;
        }
        match end {
            SolveEnd::Done(metadata) => self.record_caches(target, metadata).await,
            SolveEnd::Failed(_) | SolveEnd::Stopped | SolveEnd::Blocked { .. } => end,
        }
    }

    /// Makes the cache that went to a folder the one that is found there.
    async fn record_caches(&self, target: &TargetRequest, metadata: BTreeMap<String, String>) -> SolveEnd {
        let Some(descriptor) = metadata.get("cache.manifest") else { return SolveEnd::Done(metadata) };
        for (folder, tag) in target.cache_to.iter().filter_map(|cache| cache_folder::named(cache, "dest")) {
            let (folder, tag, descriptor) = (PathBuf::from(folder), tag.to_owned(), descriptor.clone());
            let recorded = tokio::task::spawn_blocking(move || cache_folder::record(&folder, &tag, &descriptor)).await;
            if let Ok(Err(error)) = recorded {
                return SolveEnd::Failed(Box::new(Status::unknown(format!("the cache cannot be written: {error}"))));
            }
        }
        SolveEnd::Done(metadata)
    }
}
