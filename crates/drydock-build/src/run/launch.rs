//! Begins the solves of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Message;
use crate::builder::Builder;
use crate::cache_folder;
use crate::request::{BuildRequest, TargetRequest};
use crate::session::{Content, Session, Sink};
use crate::solve::{self, Inputs, SolveEnd};

/// What all solves of a run are begun with.
pub(super) struct Launch {
    pub(super) builder: Builder,
    pub(super) request: BuildRequest,
    pub(super) inputs: Inputs,
    pub(super) content: Content,
    pub(super) said: UnboundedSender<Message>,
    pub(super) stop: CancellationToken,
}

impl Launch {
    /// Begins the solves in the order of the request, as many at a time as there are jobs, and says how each ended.
    pub(super) async fn all(self) {
        let launch = Arc::new(self);
        let jobs = u32::try_from(launch.request.jobs).unwrap_or(u32::MAX).clamp(1, 1 << 16);
        let free = Arc::new(Semaphore::new(jobs as usize));
        for (index, target) in launch.request.targets.iter().enumerate() {
            let weight = target.weight.clamp(1, jobs);
            let permit = tokio::select! {
                biased;
                () = launch.stop.cancelled() => None,
                permit = Arc::clone(&free).acquire_many_owned(weight) => permit.ok(),
            };
            let Some(permit) = permit else {
                drop(launch.said.send(Message::Ended(index, SolveEnd::Stopped, Duration::ZERO)));
                continue;
            };
            drop(launch.said.send(Message::Started(index)));
            let launch = Arc::clone(&launch);
            tokio::spawn(async move {
                let begun = Instant::now();
                let end = launch.one(index, &launch.request.targets[index]).await;
                drop(permit);
                drop(launch.said.send(Message::Ended(index, end, begun.elapsed())));
            });
        }
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
            SolveEnd::Failed(_) | SolveEnd::Stopped => end,
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
